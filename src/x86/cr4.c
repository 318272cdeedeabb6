/* CR4's bits by feature: see cr4.h. */
#include "x86/cr4.h"
#include "base/compiler.h"
#include "x86/regs.h"

static const struct {
	u64 bits;
	u8 feature;
} bits[] = {
	{ CR4_VME | CR4_PVI, FEAT_VME }, { CR4_TSD, FEAT_TSC }, { CR4_DE, FEAT_DE }, { CR4_PSE, FEAT_PSE },
	{ CR4_PAE, FEAT_PAE }, { CR4_MCE, FEAT_MCE }, { CR4_PGE, FEAT_PGE }, { CR4_PCE, FEAT_MMX },
	{ CR4_PCE, FEAT_PGE }, { CR4_OSFXSR, FEAT_FXSR }, { CR4_OSXMMEXCPT, FEAT_SSE },
	{ CR4_UMIP, FEAT_UMIP }, { CR4_LA57, FEAT_LA57 }, { CR4_VMXE, FEAT_VMX }, { CR4_FSGSBASE, FEAT_FSGSBASE },
	{ CR4_PCIDE, FEAT_PCID }, { CR4_OSXSAVE, FEAT_XSAVE },
	{ CR4_SMEP, FEAT_SMEP }, { CR4_SMAP, FEAT_SMAP }, { CR4_PKE, FEAT_PKU }, { CR4_CET, FEAT_CET_SS },
	{ CR4_CET, FEAT_CET_IBT }, { CR4_PKS, FEAT_PKS },
};

u64 cr4_allowed(const struct feature_set *features)
{
	u64 allowed = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(bits); i++)
		if (feature_has(features, (enum feature)bits[i].feature))
			allowed |= bits[i].bits;
	return allowed;
}

/* Bits of CR4 and EFER by feature ("Control Registers"; "Extended Feature Enable Register"). */
#include "x86/control_register.h"

#include "base/compiler.h"
#include "x86/regs.h"

struct register_bits {
	u64 bits;
	u8 feature;
};

/* A bit that several features bring has a row for each. */
static const struct register_bits cr4_bits[] = {
	{ CR4_VME | CR4_PVI, FEAT_VME }, { CR4_TSD, FEAT_TSC }, { CR4_DE, FEAT_DE }, { CR4_PSE, FEAT_PSE },
	{ CR4_PAE, FEAT_PAE }, { CR4_MCE, FEAT_MCE }, { CR4_PGE, FEAT_PGE }, { CR4_PCE, FEAT_MMX },
	{ CR4_PCE, FEAT_PGE }, { CR4_OSFXSR, FEAT_FXSR }, { CR4_OSXMMEXCPT, FEAT_SSE }, { CR4_UMIP, FEAT_UMIP },
	{ CR4_LA57, FEAT_LA57 }, { CR4_VMXE, FEAT_VMX }, { CR4_FSGSBASE, FEAT_FSGSBASE }, { CR4_PCIDE, FEAT_PCID },
	{ CR4_OSXSAVE, FEAT_XSAVE }, { CR4_SMEP, FEAT_SMEP }, { CR4_SMAP, FEAT_SMAP }, { CR4_PKE, FEAT_PKU },
	{ CR4_CET, FEAT_CET_SS }, { CR4_CET, FEAT_CET_IBT }, { CR4_PKS, FEAT_PKS },
};

static const struct register_bits efer_bits[] = {
	{ EFER_SCE, FEAT_SYSCALL }, { EFER_LME | EFER_LMA, FEAT_LM }, { EFER_NXE, FEAT_NX }, { EFER_SVME, FEAT_SVM },
	{ EFER_FFXSR, FEAT_FXSR_OPT }, { EFER_AIBRSE, FEAT_AUTO_IBRS },
};

static u64 supported(const struct register_bits *rows, size_t count, const struct feature_set *features)
{
	u64 bits = 0;

	for (size_t i = 0; i < count; i++)
		if (feature_has(features, rows[i].feature))
			bits |= rows[i].bits;
	return bits;
}

u64 cr4_supported(const struct feature_set *features)
{
	return supported(cr4_bits, ARRAY_LENGTH(cr4_bits), features);
}

u64 efer_supported(const struct feature_set *features)
{
	return supported(efer_bits, ARRAY_LENGTH(efer_bits), features);
}

/* What of AMD-V the models have, and how a hypervisor's requests are answered. */
#include <string.h>

#include "svm/capability.h"
#include "test.h"
#include "x86/models.def"

#define ADD(f) feature_set(&features, FEAT_##f, true);

static struct svm_capability opteron_g2(void)
{
	struct feature_set features = { 0 };
	struct svm_capability capability;

	GENERATION_OPTERON_G2(ADD)
	svm_capability_init(&capability, &features, 40, 48);
	return capability;
}

static struct svm_capability zen4(void)
{
	struct feature_set features = { 0 };
	struct svm_capability capability;

	GENERATION_ZEN4(ADD)
	svm_capability_init(&capability, &features, 52, 57);
	return capability;
}

TEST("a processor without AMD-V has no intercepts, no controls, no ASIDs and an empty CPUID leaf")
{
	struct feature_set features = { 0 };
	struct svm_capability capability;
	u32 out[4] = { 1, 2, 3, 4 };

	GENERATION_ATHLON64(ADD)
	svm_capability_init(&capability, &features, 40, 48);
	svm_capability_cpuid(&capability, out);
	CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0);
	CHECK_EQ(capability.asids, 0);
	CHECK_EQ(capability.intercept[3], 0);
	CHECK_EQ(capability.interrupt_control, 0);
}

TEST("first-generation AMD-V has the original intercepts and no nested paging, VGIF or AVIC")
{
	struct svm_capability capability = opteron_g2();
	u32 out[4];

	CHECK_EQ(capability.intercept[0], 0xffffffff);
	CHECK_EQ(capability.intercept[2], 0xffffffff);
	CHECK_EQ(capability.intercept[3], 0xffffffff);
	CHECK_EQ(capability.intercept[4], 0x1fff);
	CHECK_EQ(capability.intercept[5], 0);
	CHECK_EQ(capability.interrupt_control,
		 SVM_V_TPR | SVM_V_IRQ | SVM_V_INTR_PRIO | SVM_V_IGN_TPR | SVM_V_INTR_MASKING | SVM_V_INTR_VECTOR);
	CHECK_EQ(capability.nested_control, 0);
	CHECK_EQ(capability.extension_control, SVM_LBR);
	CHECK_EQ(capability.asids, 64);
	svm_capability_cpuid(&capability, out);
	CHECK_EQ(out[0], SVM_REVISION);
	CHECK_EQ(out[1], 64);
	CHECK_EQ(out[2], 0);
	CHECK_EQ(out[3], 2);
}

TEST("later AMD-V adds what its features bring")
{
	const u64 added = SVM_V_GIF_ENABLE | SVM_V_NMI_ENABLE | SVM_AVIC_ENABLE | SVM_X2AVIC_ENABLE;
	struct svm_capability capability = zen4();
	u32 out[4];

	CHECK_EQ(capability.intercept[4], 0x3fff);
	CHECK_EQ(capability.intercept[5], 1u << 2);
	CHECK_EQ(capability.interrupt_control & added, added);
	CHECK_EQ(capability.nested_control, SVM_NP_ENABLE);
	CHECK_EQ(capability.extension_control, SVM_LBR | SVM_V_VMLOAD_VMSAVE);
	CHECK_EQ(capability.asids, 0x8000);
	svm_capability_cpuid(&capability, out);
	CHECK_EQ(out[3], 0x0205b4ff);
	CHECK_EQ(capability.cr4 & (CR4_LA57 | CR4_CET | CR4_VMXE), CR4_LA57 | CR4_CET);
	CHECK_EQ(capability.efer, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_FFXSR | EFER_AIBRSE);
}

TEST("requests that can be met are granted, optional ones as they exist")
{
	static const struct svm_request requests[] = { { FEAT_LBRV, true }, { FEAT_NPT, false }, { FEAT_SVM, true } };
	struct svm_capability capability = opteron_g2();
	char missing[SVM_MISSING_SIZE];
	struct feature_set granted;

	CHECK(svm_negotiate(&capability, requests, 3, &granted, missing));
	CHECK(feature_has(&granted, FEAT_LBRV) && feature_has(&granted, FEAT_SVM) && !feature_has(&granted, FEAT_NPT));
	CHECK(!feature_has(&granted, FEAT_CMOV));
	CHECK(!strcmp(missing, ""));
}

TEST("every required feature that is missing is named with its place in CPUID")
{
	static const struct svm_request requests[] = {
		{ FEAT_NPT, true }, { FEAT_VGIF, false }, { FEAT_NRIP_SAVE, true }, { FEAT_SKINIT, true },
	};
	struct svm_capability capability = opteron_g2();
	char missing[SVM_MISSING_SIZE];
	struct feature_set granted;

	CHECK(!svm_negotiate(&capability, requests, 4, &granted, missing));
	CHECK(!strcmp(missing, "npt (CPUID Fn8000_000A EDX bit 0), nrip-save (CPUID Fn8000_000A EDX bit 3), "
			       "skinit (CPUID Fn8000_0001 ECX bit 12)"));
}

TEST("a list of missing features that is too long is cut")
{
	struct svm_request requests[FEAT_COUNT];
	struct svm_capability capability;
	char missing[SVM_MISSING_SIZE];
	struct feature_set granted;

	svm_capability_init(&capability, &(struct feature_set){ 0 }, 40, 48);
	for (enum feature f = 0; f < FEAT_COUNT; f++)
		requests[f] = (struct svm_request){ f, true };
	CHECK(!svm_negotiate(&capability, requests, FEAT_COUNT, &granted, missing));
	CHECK_EQ(strlen(missing), SVM_MISSING_SIZE - 1);
}

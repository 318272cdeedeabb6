/*
 * VMRUN's checks: each has a case that fails it and no other, and a twin, as near as possible, that passes. What VMRUN
 * ignores or forces. Random VMCBs.
 */
#include <stdlib.h>
#include <string.h>

#include "svm/effective.h"
#include "svm/event.h"
#include "svm/explain.h"
#include "svm/permission_map.h"
#include "test.h"
#include "x86/models.def"

#define PHYSICAL_BITS 48
#define LINEAR_BITS 48
#define PAT_RESET 0x0007040600070406ull

/* What a case may change: the VMCB, the processor, the host. */
struct rig {
	struct vmcb vmcb;
	struct feature_set features;
	struct svm_capability capability;
	struct svm_entry entry;
	u64 pdpte[SVM_PDPTES];
};

/* A 64-bit guest with nested paging on a processor with everything, which is legal. */
static struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct vmcb_save *save = &rig->vmcb.save;

#define ADD(f) feature_set(&rig->features, FEAT_##f, true);
	GENERATION_MAX_AMD(ADD)
	rig->entry = (struct svm_entry){
		.vmcb = &rig->vmcb, .capability = &rig->capability, .host_cr0 = CR0_PE | CR0_PG,
		.host_cr4 = CR4_PAE, .host_efer = EFER_SVME | EFER_LME | EFER_LMA, .pdpte = rig->pdpte,
	};
	svm_intercept_set(&rig->vmcb, SVM_INTERCEPT_VMRUN, true);
	svm_intercept_set(&rig->vmcb, SVM_INTERCEPT_NMI, true);
	rig->vmcb.control.asid = 1;
	rig->vmcb.control.nested_control = SVM_NP_ENABLE;
	save->efer = EFER_SVME | EFER_LME | EFER_LMA;
	save->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET;
	save->cr4 = CR4_PAE;
	save->dr6 = DR6_FIXED;
	save->dr7 = DR7_FIXED;
	save->rflags = RFLAGS_FIXED;
	save->g_pat = PAT_RESET;
	save->cs.attributes = VMCB_ATTRIBUTE_P | VMCB_ATTRIBUTE_L | 0x1b;
	return rig;
}

static void rig_prepare(struct rig *rig)
{
	svm_capability_init(&rig->capability, &rig->features, PHYSICAL_BITS, LINEAR_BITS);
}

/* Legacy PAE paging without nested paging: VMRUN reads the PDPEs. */
static void use_pae(struct rig *rig)
{
	rig->vmcb.save.efer &= ~(EFER_LME | EFER_LMA);
	rig->vmcb.save.cs.attributes &= (u16)~VMCB_ATTRIBUTE_L;
	rig->vmcb.control.nested_control = 0;
	for (unsigned i = 0; i < SVM_PDPTES; i++)
		rig->pdpte[i] = 0x1000 * (i + 1) | 1;
}

static void use_avic(struct rig *rig, u64 mode)
{
	rig->vmcb.control.interrupt_control |= mode;
	rig->vmcb.control.avic_physical_table = 0x5000 | 255;
}

static void inject(struct rig *rig, unsigned type, u8 vector)
{
	rig->vmcb.control.event_injection = svm_event((enum svm_event_type)type, vector);
}

#define CONTROL (rig->vmcb.control)
#define SAVE (rig->vmcb.save)
#define END_OF_MEMORY BIT(PHYSICAL_BITS)

/* FAILS(check, change): the change makes exactly this check fail. PASSES(check, change): the twin passes all checks. */
#define CASES                                                                                                          \
	FAILS(efer_svme, SAVE.efer &= ~EFER_SVME)                                                                      \
	PASSES(efer_svme, SAVE.efer |= EFER_SVME)                                                                      \
	FAILS(cr0_nw, SAVE.cr0 |= CR0_NW)                                                                              \
	PASSES(cr0_nw, SAVE.cr0 |= CR0_NW | CR0_CD)                                                                    \
	FAILS(cr0_high, SAVE.cr0 |= BIT(32))                                                                           \
	FAILS(cr0_high, SAVE.cr0 |= BIT(63))                                                                           \
	PASSES(cr0_high, SAVE.cr0 |= BIT(28))                                                                          \
	FAILS(cr3_mbz, SAVE.cr3 = END_OF_MEMORY)                                                                       \
	FAILS(cr3_mbz, SAVE.cr3 = BIT(63))                                                                             \
	FAILS(cr3_mbz, use_pae(rig); SAVE.cr3 = END_OF_MEMORY)                                                         \
	PASSES(cr3_mbz, SAVE.cr3 = END_OF_MEMORY - 1)                                                                  \
	FAILS(cr4_mbz, SAVE.cr4 |= BIT(63))                                                                            \
	FAILS(cr4_mbz, SAVE.cr4 |= CR4_VMXE)                                                                           \
	FAILS(cr4_mbz, SAVE.cr4 |= CR4_SMEP; feature_set(&rig->features, FEAT_SMEP, false))                            \
	PASSES(cr4_mbz, SAVE.cr4 |= CR4_SMEP | CR4_PCIDE)                                                              \
	FAILS(dr6_high, SAVE.dr6 |= BIT(32))                                                                           \
	PASSES(dr6_high, SAVE.dr6 = BITS(31, 0))                                                                       \
	FAILS(dr7_high, SAVE.dr7 |= BIT(63))                                                                           \
	PASSES(dr7_high, SAVE.dr7 = BITS(31, 0))                                                                       \
	FAILS(efer_mbz, SAVE.efer |= BIT(9))                                                                           \
	FAILS(efer_mbz, SAVE.efer |= BIT(63))                                                                          \
	FAILS(efer_mbz, SAVE.efer |= EFER_FFXSR; feature_set(&rig->features, FEAT_FXSR_OPT, false))                    \
	PASSES(efer_mbz, SAVE.efer |= EFER_FFXSR | EFER_NXE | EFER_SCE)                                                \
	FAILS(efer_long_mode, feature_set(&rig->features, FEAT_LM, false))                                             \
	FAILS(efer_long_mode, use_pae(rig); SAVE.efer |= EFER_LMA; feature_set(&rig->features, FEAT_LM, false))        \
	PASSES(efer_long_mode, use_pae(rig); feature_set(&rig->features, FEAT_LM, false))                              \
	FAILS(long_mode_pae, SAVE.cr4 &= ~CR4_PAE)                                                                     \
	FAILS(long_mode_pae, SAVE.cr4 &= ~CR4_PAE; SAVE.cs.attributes |= VMCB_ATTRIBUTE_DB)                            \
	PASSES(long_mode_pae, SAVE.cr4 &= ~CR4_PAE; SAVE.cr0 &= ~CR0_PG)                                               \
	FAILS(long_mode_pe, SAVE.cr0 &= ~CR0_PE)                                                                       \
	PASSES(long_mode_pe, SAVE.cr0 &= ~CR0_PE; SAVE.efer &= ~(EFER_LME | EFER_LMA))                                 \
	FAILS(long_mode_cs, SAVE.cs.attributes |= VMCB_ATTRIBUTE_DB)                                                   \
	PASSES(long_mode_cs, SAVE.cs.attributes |= VMCB_ATTRIBUTE_DB; SAVE.efer &= ~(EFER_LME | EFER_LMA))             \
	FAILS(intercept_vmrun, svm_intercept_set(&rig->vmcb, SVM_INTERCEPT_VMRUN, false))                              \
	PASSES(intercept_vmrun, CONTROL.intercept[4] = 1)                                                              \
	FAILS(iopm_base, CONTROL.iopm_base = END_OF_MEMORY - 0x2000)                                                   \
	FAILS(iopm_base, CONTROL.iopm_base = ~0ull)                                                                    \
	PASSES(iopm_base, CONTROL.iopm_base = END_OF_MEMORY - 0x2001)                                                  \
	FAILS(msrpm_base, CONTROL.msrpm_base = END_OF_MEMORY - 0x1000)                                                 \
	FAILS(msrpm_base, CONTROL.msrpm_base = BIT(63))                                                                \
	PASSES(msrpm_base, CONTROL.msrpm_base = END_OF_MEMORY - 0x1001)                                                \
	FAILS(event_type, inject(rig, 1, 0))                                                                           \
	FAILS(event_type, inject(rig, 5, 0))                                                                           \
	FAILS(event_type, inject(rig, 7, 2))                                                                           \
	PASSES(event_type, inject(rig, SVM_EVENT_SOFTWARE, 0x80))                                                      \
	PASSES(event_type, inject(rig, 1, 0); CONTROL.event_injection &= ~SVM_EVENT_VALID)                             \
	FAILS(event_vector, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_NMI))                                              \
	FAILS(event_vector, inject(rig, SVM_EVENT_EXCEPTION, 32))                                                      \
	PASSES(event_vector, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_DE))                                              \
	PASSES(event_vector, inject(rig, SVM_EVENT_INTR, 32))                                                          \
	FAILS(event_mode, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_BR))                                                 \
	FAILS(event_mode, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_OF))                                                 \
	PASSES(event_mode, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_BR); SAVE.cs.attributes ^= VMCB_ATTRIBUTE_L)        \
	PASSES(event_mode, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_BR); SAVE.cr0 &= ~CR0_PG)                           \
	PASSES(event_mode, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_BR); SAVE.efer &= ~(EFER_LME | EFER_LMA))           \
	PASSES(event_mode, inject(rig, SVM_EVENT_EXCEPTION, VECTOR_BP))                                                \
	FAILS(asid, CONTROL.asid = 0)                                                                                  \
	PASSES(asid, CONTROL.asid = ~0u)                                                                               \
	FAILS(s_cet, SAVE.s_cet = BIT(2))                                                                              \
	PASSES(s_cet, SAVE.s_cet = BITS(1, 0))                                                                         \
	PASSES(s_cet, SAVE.s_cet = BIT(2); feature_set(&rig->features, FEAT_CET_SS, false))                            \
	FAILS(cr4_cet_wp, SAVE.cr4 |= CR4_CET; SAVE.cr0 &= ~CR0_WP)                                                    \
	PASSES(cr4_cet_wp, SAVE.cr4 |= CR4_CET)                                                                        \
	FAILS(cr4_cet_vm, SAVE.cr4 |= CR4_CET; SAVE.rflags |= RFLAGS_VM; rig->entry.u_cet = 1)                         \
	PASSES(cr4_cet_vm, SAVE.cr4 |= CR4_CET; SAVE.rflags |= RFLAGS_VM)                                              \
	PASSES(cr4_cet_vm, SAVE.rflags |= RFLAGS_VM; rig->entry.u_cet = 1)                                             \
	PASSES(cr4_cet_vm, SAVE.cr4 |= CR4_CET; rig->entry.u_cet = 1)                                                  \
	FAILS(pdpte, use_pae(rig); rig->pdpte[3] |= BIT(1))                                                            \
	FAILS(pdpte, use_pae(rig); rig->pdpte[0] |= BIT(52))                                                           \
	FAILS(pdpte, use_pae(rig); rig->pdpte[1] |= END_OF_MEMORY)                                                     \
	PASSES(pdpte, use_pae(rig); rig->pdpte[3] |= BITS(11, 9))                                                      \
	PASSES(pdpte, use_pae(rig); rig->pdpte[3] = BIT(1))                                                            \
	PASSES(pdpte, use_pae(rig); rig->pdpte[3] |= BIT(1); CONTROL.nested_control = SVM_NP_ENABLE)                   \
	PASSES(pdpte, use_pae(rig); rig->entry.pdpte = NULL)                                                           \
	FAILS(np_host_paging, rig->entry.host_cr0 = CR0_PE)                                                            \
	PASSES(np_host_paging, rig->entry.host_cr0 = CR0_PE; CONTROL.nested_control = 0)                               \
	PASSES(np_host_paging, rig->entry.host_cr0 = CR0_PE; feature_set(&rig->features, FEAT_NPT, false))             \
	FAILS(n_cr3, CONTROL.n_cr3 = END_OF_MEMORY)                                                                    \
	FAILS(n_cr3, CONTROL.n_cr3 = BIT(32); rig->entry.host_efer = EFER_SVME)                                        \
	PASSES(n_cr3, CONTROL.n_cr3 = BIT(32))                                                                         \
	PASSES(n_cr3, CONTROL.n_cr3 = END_OF_MEMORY; CONTROL.nested_control = 0)                                       \
	FAILS(g_pat_type, SAVE.g_pat = 2)                                                                              \
	FAILS(g_pat_type, SAVE.g_pat = 3ull << 56)                                                                     \
	PASSES(g_pat_type, SAVE.g_pat = 0x0706050401000000ull)                                                         \
	PASSES(g_pat_type, SAVE.g_pat = 2; CONTROL.nested_control = 0)                                                 \
	FAILS(g_pat_reserved, SAVE.g_pat = 8)                                                                          \
	FAILS(g_pat_reserved, SAVE.g_pat = BIT(63))                                                                    \
	PASSES(g_pat_reserved, SAVE.g_pat = BIT(63); CONTROL.nested_control = 0)                                       \
	FAILS(v_nmi, CONTROL.interrupt_control = SVM_V_NMI_ENABLE; CONTROL.intercept[3] = 0)                           \
	PASSES(v_nmi, CONTROL.interrupt_control = SVM_V_NMI_ENABLE)                                                    \
	PASSES(v_nmi, CONTROL.interrupt_control = SVM_V_NMI_ENABLE; CONTROL.intercept[3] = 0;                          \
	       feature_set(&rig->features, FEAT_VNMI, false))                                                          \
	FAILS(x2avic, CONTROL.interrupt_control = SVM_X2AVIC_ENABLE)                                                   \
	PASSES(x2avic, CONTROL.interrupt_control = SVM_X2AVIC_ENABLE | SVM_AVIC_ENABLE)                                \
	FAILS(avic_max_index, use_avic(rig, SVM_AVIC_ENABLE); CONTROL.avic_physical_table++)                           \
	FAILS(avic_max_index, use_avic(rig, SVM_AVIC_ENABLE | SVM_X2AVIC_ENABLE); CONTROL.avic_physical_table += 257)  \
	PASSES(avic_max_index, use_avic(rig, SVM_AVIC_ENABLE))                                                         \
	PASSES(avic_max_index, use_avic(rig, SVM_AVIC_ENABLE | SVM_X2AVIC_ENABLE); CONTROL.avic_physical_table += 256) \
	PASSES(avic_max_index, CONTROL.avic_physical_table = 4095)                                                     \
	FAILS(avic_backing_page, use_avic(rig, SVM_AVIC_ENABLE); CONTROL.avic_backing_page = END_OF_MEMORY)            \
	PASSES(avic_backing_page, use_avic(rig, SVM_AVIC_ENABLE); CONTROL.avic_backing_page = END_OF_MEMORY - 1)       \
	FAILS(avic_logical_table, use_avic(rig, SVM_AVIC_ENABLE); CONTROL.avic_logical_table = END_OF_MEMORY)          \
	PASSES(avic_logical_table, use_avic(rig, SVM_AVIC_ENABLE | SVM_X2AVIC_ENABLE);                                 \
	       CONTROL.avic_logical_table = END_OF_MEMORY)                                                             \
	FAILS(avic_physical_table, use_avic(rig, SVM_AVIC_ENABLE); CONTROL.avic_physical_table = END_OF_MEMORY)        \
	PASSES(avic_physical_table, CONTROL.avic_physical_table = END_OF_MEMORY)

struct check_case {
	enum svm_check_id check;
	bool fails;
	const char *text;
};

static const struct check_case cases[] = {
#define FAILS(id, ...) { SVM_CHECK_##id, true, #id ": " #__VA_ARGS__ },
#define PASSES(id, ...) { SVM_CHECK_##id, false, #id ": " #__VA_ARGS__ },
	CASES
#undef FAILS
#undef PASSES
};

static void apply(size_t number, struct rig *rig)
{
	size_t i = 0;

#define FAILS(id, ...) if (i++ == number) { __VA_ARGS__; }
#define PASSES(id, ...) if (i++ == number) { __VA_ARGS__; }
	CASES
#undef FAILS
#undef PASSES
	rig_prepare(rig);
}

TEST("a 64-bit guest with nested paging passes every check")
{
	struct rig *rig = rig_new();
	struct svm_check_report report;

	rig_prepare(rig);
	CHECK(svm_check(&rig->entry, &report));
	CHECK_EQ(report.count, 0);
	CHECK_EQ(svm_check_first(&rig->entry), SVM_CHECK_COUNT);
	free(rig);
}

TEST("each check is failed alone by its case and passed by its twin")
{
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct rig *rig = rig_new();
		struct svm_check_report report;
		bool legal;

		apply(i, rig);
		legal = svm_check(&rig->entry, &report);
		if (cases[i].fails)
			test_check(report.count == 1 && report.failed[0] == cases[i].check && !legal, __FILE__,
				   __LINE__, cases[i].text);
		else
			test_check(legal, __FILE__, __LINE__, cases[i].text);
		CHECK_EQ(svm_check_first(&rig->entry), legal ? SVM_CHECK_COUNT : report.failed[0]);
		free(rig);
	}
}

TEST("every check has a case that fails and a twin that passes")
{
	for (enum svm_check_id check = 0; check < SVM_CHECK_COUNT; check++) {
		unsigned failing = 0, passing = 0;

		for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
			if (cases[i].check == check)
				(*(cases[i].fails ? &failing : &passing))++;
		test_check(failing && passing, __FILE__, __LINE__, svm_check_info(check)->id);
	}
}

TEST("every check has an id of its own, a sentence, an expectation, a heading and a field to look at")
{
	for (enum svm_check_id check = 0; check < SVM_CHECK_COUNT; check++) {
		const struct svm_check_info *info = svm_check_info(check);

		CHECK_EQ(svm_check_find(info->id), check);
		CHECK(info->wrong[0] && info->expected[0] && info->heading[0]);
		CHECK(info->field_count > 0 && info->field_count <= SVM_CHECK_FIELDS);
		CHECK(!strncmp(info->id, vmcb_field_info(info->fields[0])->name, 4));
	}
	CHECK_EQ(svm_check_find("save.nothing"), SVM_CHECK_COUNT);
}

TEST("all failing checks are reported, in the manual's order")
{
	struct rig *rig = rig_new();
	struct svm_check_report report;

	SAVE.efer = 0;
	SAVE.cr0 = CR0_NW | BIT(40);
	CONTROL.asid = 0;
	CONTROL.intercept[4] = 0;
	rig_prepare(rig);
	CHECK(!svm_check(&rig->entry, &report));
	CHECK_EQ(report.count, 5);
	CHECK_EQ(report.failed[0], SVM_CHECK_efer_svme);
	CHECK_EQ(report.failed[1], SVM_CHECK_cr0_nw);
	CHECK_EQ(report.failed[2], SVM_CHECK_cr0_high);
	CHECK_EQ(report.failed[3], SVM_CHECK_intercept_vmrun);
	CHECK_EQ(report.failed[4], SVM_CHECK_asid);
	free(rig);
}

TEST("a failed check is explained with its id, its values, what was expected and the manual's heading")
{
	struct rig *rig = rig_new();
	char out[SVM_EXPLAIN_SIZE];

	SAVE.efer = EFER_LME;
	rig_prepare(rig);
	svm_explain_check(&rig->entry, SVM_CHECK_efer_svme, out, sizeof(out));
	CHECK(!strcmp(out, "save.efer.svme: EFER.SVME is 0 (save.efer = 0x100), must be 1 "
			   "(\"Canonicalization and Consistency Checks\")"));
	for (enum svm_check_id check = 0; check < SVM_CHECK_COUNT; check++)
		CHECK(svm_explain_check(&rig->entry, check, out, sizeof(out)) < SVM_EXPLAIN_SIZE - 1);
	free(rig);
}

TEST("VMRUN reads the PDPEs of a guest with PAE paging and no nested paging, and of no other")
{
	struct rig *rig = rig_new();
	u64 address;

	rig_prepare(rig);
	CHECK(!svm_reads_pdptes(&rig->entry, &address));
	use_pae(rig);
	SAVE.cr3 = 0x12345678;
	CHECK(svm_reads_pdptes(&rig->entry, &address));
	CHECK_EQ(address, 0x12345660);
	CONTROL.nested_control = SVM_NP_ENABLE;
	CHECK(!svm_reads_pdptes(&rig->entry, &address));
	free(rig);
}

/* ---- what VMRUN ignores and forces ---- */

static struct vmcb effective(struct rig *rig)
{
	struct vmcb vmcb;

	rig_prepare(rig);
	svm_effective(&rig->entry, &vmcb);
	return vmcb;
}

TEST("controls and intercepts that the processor lacks are ignored")
{
	struct rig *rig = rig_new();
	struct vmcb vmcb;

	memset(&CONTROL, 0xff, sizeof(CONTROL));
	rig->features = (struct feature_set){ 0 };
	feature_set(&rig->features, FEAT_SVM, true);
	vmcb = effective(rig);
	CHECK_EQ(vmcb.control.intercept[5], 0);
	CHECK_EQ(vmcb.control.intercept[3], 0xffffffff);
	CHECK_EQ(vmcb.control.pause_filter_count | vmcb.control.pause_filter_threshold | vmcb.control.clean, 0);
	CHECK_EQ(vmcb.control.nested_control | vmcb.control.extension_control, 0);
	CHECK_EQ(vmcb.control.interrupt_control & (SVM_V_GIF | SVM_V_NMI | SVM_AVIC_ENABLE | SVM_X2AVIC_ENABLE), 0);
	CHECK_EQ(vmcb.control.interrupt_control & (SVM_V_IRQ | SVM_V_INTR_MASKING), SVM_V_IRQ | SVM_V_INTR_MASKING);
	CHECK_EQ(vmcb.control.tlb_control, SVM_TLB_FLUSH_ALL);
	CHECK_EQ(vmcb.control.interrupt_shadow, SVM_INTERRUPT_SHADOW);
	CHECK_EQ(vmcb.control.iopm_base & 0xfff, 0);
	free(rig);
}

TEST("AVIC switches the virtual interrupt off, and a part that is not enabled has no state")
{
	struct rig *rig = rig_new();

	CONTROL.interrupt_control = SVM_V_IRQ | SVM_V_INTR_VECTOR | SVM_V_INTR_PRIO | SVM_V_IGN_TPR | SVM_V_TPR |
				    SVM_V_GIF | SVM_V_NMI;
	CHECK_EQ(effective(rig).control.interrupt_control,
		 SVM_V_IRQ | SVM_V_INTR_VECTOR | SVM_V_INTR_PRIO | SVM_V_IGN_TPR | SVM_V_TPR);
	CONTROL.interrupt_control |= SVM_AVIC_ENABLE | SVM_V_GIF_ENABLE;
	CHECK_EQ(effective(rig).control.interrupt_control, SVM_AVIC_ENABLE | SVM_V_TPR | SVM_V_GIF_ENABLE | SVM_V_GIF);
	free(rig);
}

TEST("virtual VMLOAD and VMSAVE need nested paging and a 64-bit host")
{
	struct rig *rig = rig_new();

	CONTROL.extension_control = SVM_V_VMLOAD_VMSAVE | SVM_LBR;
	CHECK_EQ(effective(rig).control.extension_control, SVM_V_VMLOAD_VMSAVE | SVM_LBR);
	CONTROL.nested_control = 0;
	CHECK_EQ(effective(rig).control.extension_control, SVM_LBR);
	CONTROL.nested_control = SVM_NP_ENABLE;
	rig->entry.host_efer = EFER_SVME;
	CHECK_EQ(effective(rig).control.extension_control, SVM_LBR);
	free(rig);
}

TEST("bases become canonical, those of ES, CS, SS and DS have 32 bits, and tables have 16-bit limits")
{
	struct rig *rig = rig_new();
	struct vmcb vmcb;

	SAVE.cs.base = 0x1234567890ull;
	SAVE.gdtr.base = BIT(47);
	SAVE.idtr.base = BIT(48) | 0x1000;
	SAVE.idtr.limit = 0x12345;
	SAVE.ssp = BIT(47) | 8;
	SAVE.fs.base = BIT(47);
	vmcb = effective(rig);
	CHECK_EQ(vmcb.save.cs.base, 0x34567890);
	CHECK_EQ(vmcb.save.gdtr.base, BITS(63, 47));
	CHECK_EQ(vmcb.save.idtr.base, 0x1000);
	CHECK_EQ(vmcb.save.idtr.limit, 0x2345);
	CHECK_EQ(vmcb.save.ssp, BITS(63, 47) | 8);
	CHECK_EQ(vmcb.save.fs.base, BIT(47)); /* VMLOAD's */
	svm_effective_vmload(&vmcb.save, 48);
	CHECK_EQ(vmcb.save.fs.base, BITS(63, 47));
	CHECK_EQ(svm_canonical(BIT(47), 57), BIT(47));
	CHECK_EQ(svm_canonical(BIT(56), 57), BITS(63, 56));
	free(rig);
}

TEST("real mode forces CPL 0 and virtual-8086 mode CPL 3, else the VMCB's holds")
{
	struct rig *rig = rig_new();

	SAVE.cpl = 2;
	CHECK_EQ(effective(rig).save.cpl, 2);
	SAVE.rflags = RFLAGS_VM; /* which long mode does not have */
	CHECK_EQ(effective(rig).save.cpl, 2);
	SAVE.rflags = 0;
	SAVE.efer = EFER_SVME;
	CHECK_EQ(effective(rig).save.cpl, 2);
	SAVE.efer = EFER_SVME;
	SAVE.cr0 = CR0_PG;
	CHECK_EQ(effective(rig).save.cpl, 0);
	SAVE.cr0 = CR0_PE;
	SAVE.rflags = RFLAGS_VM;
	SAVE.cpl = 0;
	CHECK_EQ(effective(rig).save.cpl, 3);
	free(rig);
}

TEST("EFER.LMA follows LME and paging, and fixed bits are fixed")
{
	struct rig *rig = rig_new();
	struct vmcb vmcb;

	SAVE.efer &= ~EFER_LMA;
	SAVE.dr6 = BITS(31, 0);
	SAVE.dr7 = BITS(31, 0);
	SAVE.rflags = ~0ull & ~RFLAGS_FIXED;
	SAVE.cr0 &= ~CR0_ET;
	vmcb = effective(rig);
	CHECK(vmcb.save.efer & EFER_LMA && vmcb.save.cr0 & CR0_ET);
	CHECK_EQ(vmcb.save.dr6, 0xffffeffful);
	CHECK_EQ(vmcb.save.dr7, 0xffff27ff);
	CHECK_EQ(vmcb.save.rflags, RFLAGS_DEFINED | RFLAGS_FIXED);
	SAVE.cr0 &= ~CR0_PG;
	SAVE.efer |= EFER_LMA;
	CHECK(!(effective(rig).save.efer & EFER_LMA));
	SAVE.cr0 |= CR0_PG;
	SAVE.efer = EFER_SVME;
	CHECK(!(effective(rig).save.efer & EFER_LMA));
	free(rig);
}

TEST("an injected NMI has vector 2, and an error code counts only if it is valid")
{
	struct rig *rig = rig_new();

	CONTROL.event_injection = svm_event(SVM_EVENT_NMI, 99) | 5ull << SVM_EVENT_ERROR_CODE_SHIFT;
	CHECK_EQ(effective(rig).control.event_injection, svm_event(SVM_EVENT_NMI, VECTOR_NMI));
	CONTROL.event_injection = svm_event_with_error(SVM_EVENT_EXCEPTION, VECTOR_GP, 5);
	CHECK_EQ(effective(rig).control.event_injection, CONTROL.event_injection);
	free(rig);
}

/* ---- random VMCBs ---- */

static u64 random_state = 0x9e3779b97f4a7c15ull;

static u64 random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Some fields get bits at random, some one bit more or less, most stay legal: so that each outcome happens. */
static void scramble(struct rig *rig)
{
	u8 *bytes = (u8 *)&rig->vmcb;
	unsigned changes = random_u64() % 8;

	for (unsigned i = 0; i < changes; i++) {
		const struct vmcb_field_info *info = vmcb_field_info(random_u64() % VMCB_FIELD_COUNT);

		for (unsigned j = 0; j < info->bytes; j++)
			bytes[info->offset + j] = (u8)random_u64();
		bytes[random_u64() % VMCB_SIZE] ^= (u8)(1u << random_u64() % 8);
	}
	if (random_u64() % 16 == 0)
		for (unsigned i = 0; i < VMCB_SIZE; i++)
			bytes[i] = (u8)random_u64();
	for (unsigned i = 0; i < SVM_PDPTES; i++)
		rig->pdpte[i] = random_u64() & random_u64();
	for (unsigned i = 0; i < 4; i++)
		rig->features.word[i] &= random_u64() | random_u64();
	rig->entry.host_cr0 = random_u64();
	rig->entry.host_efer = random_u64();
	rig->entry.u_cet = random_u64();
}

static void check_random_vmcb(unsigned *legal)
{
	struct rig *rig = rig_new();
	struct vmcb before, once, twice;
	struct svm_check_report report;
	struct svm_entry entry;
	char out[SVM_EXPLAIN_SIZE];

	scramble(rig);
	rig_prepare(rig);
	before = rig->vmcb;
	*legal += svm_check(&rig->entry, &report);
	test_check(svm_check_first(&rig->entry) == (report.count ? report.failed[0] : SVM_CHECK_COUNT), __FILE__,
		   __LINE__, "the first failing check is the first of all");
	for (unsigned i = 0; i < report.count; i++)
		svm_explain_check(&rig->entry, report.failed[i], out, sizeof(out));
	svm_explain_exit(&rig->vmcb, out, sizeof(out));
	svm_effective(&rig->entry, &once);
	test_check(!memcmp(&before, &rig->vmcb, sizeof(before)), __FILE__, __LINE__, "a check changes nothing");
	entry = rig->entry;
	entry.vmcb = &once;
	svm_effective(&entry, &twice);
	test_check(!memcmp(&once, &twice, sizeof(once)), __FILE__, __LINE__, "what has been ignored once stays so");
	if (report.count == 0)
		test_check(svm_check(&entry, &report), __FILE__, __LINE__, "what VMRUN makes of a legal VMCB is legal");
	free(rig);
}

TEST("random VMCBs: both ways of checking agree, nothing is changed, and legal ones stay legal")
{
	unsigned legal = 0;

	for (unsigned i = 0; i < 20000; i++)
		check_random_vmcb(&legal);
	CHECK(legal > 100 && legal < 19000);
}

/* The rules of what VMRUN ignores and forces: see effective.h. */
#include "svm/effective.h"

#include "svm/event.h"
#include "svm/permission_map.h"

#define LOW_HALF BITS(31, 0)
#define TABLE_LIMIT BITS(15, 0)
#define DR6_WRITABLE (DR6_HITS | DR6_BD | DR6_BS | DR6_BT)
#define DR7_ZERO (BITS(15, 14) | BITS(12, 11))
#define SOFTWARE_CPL 3

static void controls(const struct svm_entry *entry, struct vmcb_control *control)
{
	const struct svm_capability *capability = entry->capability;

	for (unsigned i = 0; i < VMCB_INTERCEPT_VECTORS; i++)
		control->intercept[i] &= capability->intercept[i];
	if (!svm_has(capability, FEAT_PAUSE_FILTER))
		control->pause_filter_count = 0;
	if (!svm_has(capability, FEAT_PAUSE_THRESHOLD))
		control->pause_filter_threshold = 0;
	if (!svm_has(capability, FEAT_VMCB_CLEAN))
		control->clean = 0;
	control->iopm_base &= SVM_MAP_ADDRESS;
	control->msrpm_base &= SVM_MAP_ADDRESS;
	control->tlb_control = (u8)svm_tlb_control_effective(control->tlb_control, &capability->features);
	control->nested_control &= capability->nested_control;
	control->extension_control &= capability->extension_control;
	if (!(control->nested_control & SVM_NP_ENABLE) || !(entry->host_efer & EFER_LMA))
		control->extension_control &= ~SVM_V_VMLOAD_VMSAVE;
}

static void interrupts(const struct svm_entry *entry, struct vmcb_control *control)
{
	control->interrupt_control &= entry->capability->interrupt_control;
	if (control->interrupt_control & SVM_AVIC_ENABLE)
		control->interrupt_control &= ~(SVM_V_IRQ | SVM_V_INTR_PRIO | SVM_V_IGN_TPR | SVM_V_INTR_VECTOR);
	if (!(control->interrupt_control & SVM_V_NMI_ENABLE))
		control->interrupt_control &= ~(SVM_V_NMI | SVM_V_NMI_MASK);
	if (!(control->interrupt_control & SVM_V_GIF_ENABLE))
		control->interrupt_control &= ~SVM_V_GIF;
	control->interrupt_shadow &= SVM_INTERRUPT_SHADOW;
	if (svm_event_type(control->event_injection) == SVM_EVENT_NMI)
		control->event_injection = (control->event_injection & ~SVM_EVENT_VECTOR) | VECTOR_NMI;
	if (!(control->event_injection & SVM_EVENT_ERROR_VALID))
		control->event_injection &= ~SVM_EVENT_ERROR_CODE;
}

static void addresses(const struct svm_entry *entry, struct vmcb_save *save)
{
	unsigned bits = entry->capability->linear_bits;

	save->es.base &= LOW_HALF;
	save->cs.base &= LOW_HALF;
	save->ss.base &= LOW_HALF;
	save->ds.base &= LOW_HALF;
	save->gdtr.base = svm_canonical(save->gdtr.base, bits);
	save->idtr.base = svm_canonical(save->idtr.base, bits);
	save->gdtr.limit &= TABLE_LIMIT;
	save->idtr.limit &= TABLE_LIMIT;
	save->ssp = svm_canonical(save->ssp, bits);
	save->isst_addr = svm_canonical(save->isst_addr, bits);
	if (!svm_has(entry->capability, FEAT_CET_SS))
		save->s_cet = save->ssp = save->isst_addr = 0;
}

static void registers(struct vmcb_save *save)
{
	save->cr0 |= CR0_ET;
	save->efer &= ~EFER_LMA;
	if (save->efer & EFER_LME && save->cr0 & CR0_PG)
		save->efer |= EFER_LMA;
	save->rflags = (save->rflags & RFLAGS_DEFINED) | RFLAGS_FIXED;
	save->dr6 = (save->dr6 & DR6_WRITABLE) | DR6_FIXED;
	save->dr7 = (save->dr7 & ~DR7_ZERO) | DR7_FIXED;
	if (!(save->cr0 & CR0_PE))
		save->cpl = 0;
	else if (save->rflags & RFLAGS_VM && !(save->efer & EFER_LMA))
		save->cpl = SOFTWARE_CPL;
	else
		save->cpl &= SOFTWARE_CPL;
}

void svm_effective(const struct svm_entry *entry, struct vmcb *effective)
{
	if (effective != entry->vmcb)
		*effective = *entry->vmcb;
	controls(entry, &effective->control);
	interrupts(entry, &effective->control);
	addresses(entry, &effective->save);
	registers(&effective->save);
}

void svm_effective_vmload(struct vmcb_save *save, unsigned linear_bits)
{
	save->fs.base = svm_canonical(save->fs.base, linear_bits);
	save->gs.base = svm_canonical(save->gs.base, linear_bits);
	save->ldtr.base = svm_canonical(save->ldtr.base, linear_bits);
	save->tr.base = svm_canonical(save->tr.base, linear_bits);
	save->kernel_gs_base = svm_canonical(save->kernel_gs_base, linear_bits);
}

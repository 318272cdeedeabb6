/*
 * The checks of the control area: intercepts, permission maps, injected event, ASID, nested paging, interrupts.
 *
 * A control that the processor does not have is ignored, and so is what it would have made illegal.
 */
#include "svm/check.h"
#include "svm/event.h"
#include "svm/permission_map.h"

#define EXCEPTION_VECTORS 32

/* "PAT Register": eight fields of a byte; memory types 2 and 3 are not defined. */
#define PAT_FIELDS 8
#define PAT_TYPE BITS(2, 0)
#define PAT_RESERVED 0xf8f8f8f8f8f8f8f8ull
#define PAT_UNDEFINED (BIT(2) | BIT(3))

u64 svm_interrupt_control(const struct svm_entry *entry)
{
	return entry->vmcb->control.interrupt_control & entry->capability->interrupt_control;
}

u64 svm_nested_control(const struct svm_entry *entry)
{
	return entry->vmcb->control.nested_control & entry->capability->nested_control;
}

static bool is_nested(const struct svm_entry *entry)
{
	return svm_nested_control(entry) & SVM_NP_ENABLE;
}

/* Does the byte at base + last lie beyond the physical address width, the sum wrapping included? */
static bool ends_beyond(const struct svm_entry *entry, u64 base, u64 last)
{
	u64 limit = BIT(entry->capability->physical_bits);

	base &= SVM_MAP_ADDRESS;
	return base >= limit || base + last >= limit;
}

bool svm_illegal_intercept_vmrun(const struct svm_entry *entry)
{
	return !svm_intercepts(entry->vmcb, SVM_INTERCEPT_VMRUN);
}

/* Checked whether or not IOIO_PROT and MSR_PROT are set. */
bool svm_illegal_iopm_base(const struct svm_entry *entry)
{
	return ends_beyond(entry, entry->vmcb->control.iopm_base, SVM_IOPM_LAST_BYTE);
}

bool svm_illegal_msrpm_base(const struct svm_entry *entry)
{
	return ends_beyond(entry, entry->vmcb->control.msrpm_base, SVM_MSRPM_BYTES - 1);
}

bool svm_illegal_event_type(const struct svm_entry *entry)
{
	u64 event = entry->vmcb->control.event_injection;

	return svm_event_valid(event) && !(SVM_EVENT_TYPES & BIT(svm_event_type(event)));
}

bool svm_illegal_event_vector(const struct svm_entry *entry)
{
	u64 event = entry->vmcb->control.event_injection;

	return svm_event_valid(event) && svm_event_type(event) == SVM_EVENT_EXCEPTION &&
	       (svm_event_vector(event) == VECTOR_NMI || svm_event_vector(event) >= EXCEPTION_VECTORS);
}

/* INTO and BOUND do not exist in 64-bit mode. */
bool svm_illegal_event_mode(const struct svm_entry *entry)
{
	u64 event = entry->vmcb->control.event_injection;

	return svm_event_valid(event) && svm_event_type(event) == SVM_EVENT_EXCEPTION &&
	       (svm_event_vector(event) == VECTOR_BR || svm_event_vector(event) == VECTOR_OF) &&
	       svm_guest_is_64bit(entry->vmcb);
}

bool svm_illegal_asid(const struct svm_entry *entry)
{
	return entry->vmcb->control.asid == 0;
}

bool svm_illegal_np_host_paging(const struct svm_entry *entry)
{
	return is_nested(entry) && !(entry->host_cr0 & CR0_PG);
}

/* nCR3 is a CR3 of the host's paging mode; outside long mode that has 32 bits. */
bool svm_illegal_n_cr3(const struct svm_entry *entry)
{
	unsigned bits = entry->host_efer & EFER_LMA ? entry->capability->physical_bits : 32;

	return is_nested(entry) && entry->vmcb->control.n_cr3 >> bits;
}

bool svm_illegal_g_pat_type(const struct svm_entry *entry)
{
	u64 pat = entry->vmcb->save.g_pat;

	if (!is_nested(entry))
		return false;
	for (unsigned i = 0; i < PAT_FIELDS; i++, pat >>= 8)
		if (PAT_UNDEFINED & BIT(pat & PAT_TYPE))
			return true;
	return false;
}

bool svm_illegal_g_pat_reserved(const struct svm_entry *entry)
{
	return is_nested(entry) && entry->vmcb->save.g_pat & PAT_RESERVED;
}

bool svm_illegal_v_nmi(const struct svm_entry *entry)
{
	return svm_interrupt_control(entry) & SVM_V_NMI_ENABLE && !svm_intercepts(entry->vmcb, SVM_INTERCEPT_NMI);
}

bool svm_illegal_x2avic(const struct svm_entry *entry)
{
	return (svm_interrupt_control(entry) & (SVM_X2AVIC_ENABLE | SVM_AVIC_ENABLE)) == SVM_X2AVIC_ENABLE;
}

bool svm_illegal_avic_max_index(const struct svm_entry *entry)
{
	u64 control = svm_interrupt_control(entry);
	u64 last = control & SVM_X2AVIC_ENABLE ? SVM_X2AVIC_LAST_INDEX : SVM_AVIC_LAST_INDEX;

	return control & SVM_AVIC_ENABLE && (entry->vmcb->control.avic_physical_table & SVM_AVIC_MAX_INDEX) > last;
}

static bool avic_pointer_is_illegal(const struct svm_entry *entry, u64 pointer)
{
	return svm_interrupt_control(entry) & SVM_AVIC_ENABLE &&
	       (pointer & SVM_AVIC_POINTER) >> entry->capability->physical_bits;
}

bool svm_illegal_avic_backing_page(const struct svm_entry *entry)
{
	return avic_pointer_is_illegal(entry, entry->vmcb->control.avic_backing_page);
}

/* "Logical Destination Table [is] not used in x2AVIC mode" ("x2AVIC"). */
bool svm_illegal_avic_logical_table(const struct svm_entry *entry)
{
	return !(svm_interrupt_control(entry) & SVM_X2AVIC_ENABLE) &&
	       avic_pointer_is_illegal(entry, entry->vmcb->control.avic_logical_table);
}

bool svm_illegal_avic_physical_table(const struct svm_entry *entry)
{
	return avic_pointer_is_illegal(entry, entry->vmcb->control.avic_physical_table);
}

/* The checks on the guest-state area, from check_guest.def. */
#include "vmx/check_view.h"

#define CR0(bit) (F(GUEST_CR0) & CR0_##bit)
#define CR4(bit) (F(GUEST_CR4) & CR4_##bit)
#define IA32E ON(ENTRYCTL_IA32E_MODE_GUEST)
#define UNRESTRICTED ON(PROC2_UNRESTRICTED_GUEST)
#define V86 (F(GUEST_RFLAGS) & RFLAGS_VM)
#define BIT64 (IA32E && AR(CS) & SEGMENT_L)
#define PAE_PAGING (CR0(PG) && CR4(PAE) && !IA32E)

#define AR(R) F(GUEST_##R##_ACCESS_RIGHTS)
#define LIMIT(R) F(GUEST_##R##_LIMIT)
#define TYPE(R) (AR(R) & SEGMENT_TYPE)
#define DPL(R) ((AR(R) & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT)
#define RPL(R) (F(GUEST_##R##_SELECTOR) & SELECTOR_RPL)
#define USABLE(R) (!(AR(R) & SEGMENT_UNUSABLE))
/* CS is checked whether or not it says that it is usable. */
#define IN_USE(R) (VMCS_GUEST_##R##_BASE == VMCS_GUEST_CS_BASE || USABLE(R))

#define CODE_ACCESSED (SEGMENT_TYPE_CODE | SEGMENT_TYPE_ACCESSED)
#define CODE_CONFORMING (SEGMENT_TYPE_CODE | SEGMENT_TYPE_CONFORMING)
#define CODE_CONFORMING_ACCESSED (CODE_CONFORMING | SEGMENT_TYPE_ACCESSED)
#define DATA_WRITABLE_ACCESSED (SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED)
#define V86_LIMIT_VALUE 0xffff
#define V86_RIGHTS_VALUE (SEGMENT_P | SEGMENT_DPL | SEGMENT_S | DATA_WRITABLE_ACCESSED)

#define BLOCKING(by) (F(GUEST_INTERRUPTIBILITY) & (VMX_BLOCKING_##by))
/* Debug exceptions wait: then BS tells whether the instruction before was single-stepped. */
#define HELD_BACK (BLOCKING(STI | VMX_BLOCKING_MOV_SS) || F(GUEST_ACTIVITY) == VMX_HLT)
#define SINGLE_STEP (F(GUEST_RFLAGS) & RFLAGS_TF && !(F(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF))
#define LINKED (F(LINK_POINTER) != VMCS_NO_LINK)

static bool guest_cr0_ok(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;

	return fixed_ok(c, UNRESTRICTED ? F(GUEST_CR0) | CR0_PE | CR0_PG : F(GUEST_CR0), VMX_CAP_CR0_FIXED0);
}

static bool granularity_zero_ok(u64 rights, u64 limit)
{
	return !(rights & SEGMENT_G) || (limit & BITS(11, 0)) == BITS(11, 0);
}

static bool granularity_one_ok(u64 rights, u64 limit)
{
	return rights & SEGMENT_G || !(limit & BITS(31, 20));
}

static bool activity_supported(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;

	switch (F(GUEST_ACTIVITY)) {
	case VMX_ACTIVE:
		return true;
	case VMX_HLT:
		return MISC & VMX_MISC_ACTIVITY_HLT;
	case VMX_SHUTDOWN:
		return MISC & VMX_MISC_ACTIVITY_SHUTDOWN;
	case VMX_WAIT_FOR_SIPI:
		return MISC & VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
	default:
		return false;
	}
}

static bool event_wakes_shutdown(u64 info)
{
	return vmx_event_type(info) == VMX_EVENT_NMI ||
	       (vmx_event_type(info) == VMX_EVENT_EXCEPTION && vmx_event_vector(info) == VECTOR_MC);
}

static bool event_wakes_halted(u64 info)
{
	enum vmx_event_type type = vmx_event_type(info);

	return type == VMX_EVENT_EXTERNAL || event_wakes_shutdown(info) ||
	       (type == VMX_EVENT_EXCEPTION && vmx_event_vector(info) == VECTOR_DB) ||
	       (type == VMX_EVENT_OTHER && vmx_event_vector(info) == 0);
}

#define PDPTE_PRESENT BIT(0)
#define PDPTE_RESERVED (BITS(2, 1) | BITS(8, 5))

static bool pdpte_ok(const struct check_view *c, unsigned i)
{
	const struct vmx_entry *e = c->entry;
	u64 pdpte = ON(PROC2_EPT) ? e->vmcs->value[VMCS_GUEST_PDPTE0 + i] : e->pdpte[i];

	return !(pdpte & PDPTE_PRESENT) || (!(pdpte & PDPTE_RESERVED) && in_width(pdpte));
}

bool vmx_check_guest(const struct vmx_entry *e, struct vmx_check_report *report)
{
	enum { CHECK_FIRST = __COUNTER__ + 1 };
	struct check_view view = check_begin(e, VMX_CHECK_GUEST, report), *c = &view;

#include "vmx/check_guest.def"
	return !c->failures;
}

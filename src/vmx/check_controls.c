/* "Checks on VMX Controls", from check_controls.def. */
#include "vmx/check_view.h"

#define MSR_ENTRY_SIZE 16

/* The last byte of a list of MSRs; the address is within the physical-address width, so that nothing overflows. */
static u64 msr_list_end(u64 address, u64 count)
{
	return address + count * MSR_ENTRY_SIZE - 1;
}

static bool in_protected_mode(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;

	return !ON(PROC2_UNRESTRICTED_GUEST) || F(GUEST_CR0) & CR0_PE;
}

/* Exceptions that push an error code; #CP came later and may go without. */
#define VECTORS_WITH_ERROR_CODE (BIT(VECTOR_DF) | BIT(VECTOR_TS) | BIT(VECTOR_NP) | BIT(VECTOR_SS) | BIT(VECTOR_GP) | \
				 BIT(VECTOR_PF) | BIT(VECTOR_AC))

static bool has_error_code_vector(const struct vmx_entry *e, u64 vectors)
{
	return VECTOR < 32 && vectors >> VECTOR & 1;
}

static bool any_error_code(const struct vmx_entry *e)
{
	return e->capability->msr[VMX_CAP_BASIC] & VMX_BASIC_ANY_ERROR_CODE;
}

static bool needs_error_code(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;

	return EVENT == VMX_EVENT_EXCEPTION && in_protected_mode(c) && !any_error_code(e) &&
	       has_error_code_vector(e, VECTORS_WITH_ERROR_CODE);
}

static bool may_have_error_code(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;

	return EVENT == VMX_EVENT_EXCEPTION && in_protected_mode(c) &&
	       (any_error_code(e) || VECTOR >= 32 ||
		has_error_code_vector(e, VECTORS_WITH_ERROR_CODE | BIT(VECTOR_CP)));
}

/* Injection into a guest that uses FRED: type 7 stands for SYSCALL and SYSENTER, too, and bit 13 has a meaning. */
#define CR4_FRED BIT(32)

static bool fred_guest(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;

	return vmx_capability_allows(e->capability, VMX_ENTRYCTL_LOAD_FRED) && F(GUEST_CR4) & CR4_FRED && VECTOR <= 2;
}

static u64 event_reserved(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;
	bool nested = vmx_capability_allows(e->capability, VMX_ENTRYCTL_LOAD_FRED) && EVENT == VMX_EVENT_EXCEPTION;

	return nested ? VMX_EVENT_RESERVED & ~VMX_EVENT_NESTED : VMX_EVENT_RESERVED;
}

static bool instruction_length_ok(const struct check_view *c)
{
	const struct vmx_entry *e = c->entry;
	u64 length = F(ENTRY_INSTRUCTION_LENGTH);

	return length <= 15 && (length || MISC & VMX_MISC_ZERO_LENGTH_INJECTION);
}

/* Of a word in force: all bits that must be 1, none that may not. Words not activated are 0 and are not checked. */
static bool word_in_force_ok(const struct check_view *c, enum vmx_word word)
{
	const struct vmx_capability *capability = c->entry->capability;
	u64 value = c->controls.word[word];

	return !(vmx_capability_must_be_one(capability, word) & ~value) &&
	       !(value & ~vmx_capability_may_be_one(capability, word));
}

#define word_ok(word) word_in_force_ok(c, word)

bool vmx_check_controls(const struct vmx_entry *e, struct vmx_check_report *report)
{
	enum { CHECK_FIRST = __COUNTER__ + 1 };
	struct check_view view = check_begin(e, VMX_CHECK_CONTROLS, report), *c = &view;

#include "vmx/check_controls.def"
	return !c->failures;
}

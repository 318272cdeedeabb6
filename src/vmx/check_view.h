/*
 * The words in which check.def states its conditions: the entry under examination, its controls in force, and
 * predicates on values. Private to check_*.c.
 */
#ifndef VMX_CHECK_VIEW_H
#define VMX_CHECK_VIEW_H

#include "vmx/check.h"
#include "vmx/ept.h"
#include "vmx/event.h"

struct check_view {
	const struct vmx_entry *entry;
	struct vmx_controls controls;
	struct vmx_check_report *report;
	enum vmx_check_stage stage;
	u16 failures;
};

struct check_view check_begin(const struct vmx_entry *entry, enum vmx_check_stage stage,
			      struct vmx_check_report *report);

/* Notes that check `row` of the stage failed; returns whether to stop. */
bool check_fail(struct check_view *view, u16 row);

#define F(field) (e->vmcs->value[VMCS_##field])
#define ON(control) vmx_controls_have(&c->controls, VMX_##control)
#define MISC (e->capability->msr[VMX_CAP_MISC])
#define EPT_CAP(bit) (e->capability->msr[VMX_CAP_EPT_VPID_CAP] & VMX_EPT_CAP_##bit)
#define HOST64 ON(EXITCTL_HOST_ADDRESS_SPACE_SIZE)

#define EVENT_INFO F(ENTRY_INTERRUPTION_INFO)
#define INJECTING (EVENT_INFO & VMX_EVENT_VALID)
#define EVENT vmx_event_type(EVENT_INFO)
#define VECTOR vmx_event_vector(EVENT_INFO)
#define INJECTS(type) (INJECTING && EVENT == (type))

#define in_width(address) (!((address) >> e->physical_bits))
#define canonical(address) is_canonical(address, e->linear_bits)
#define top_identical(address) is_canonical(address, e->linear_bits + 1u)

static inline bool page_aligned(u64 address)
{
	return !(address & ~PAGE_MASK);
}

static inline bool high_half(u64 value)
{
	return value >> 32;
}

static inline bool is_canonical(u64 address, unsigned bits)
{
	unsigned shift = 64 - bits;

	return (u64)((s64)(address << shift) >> shift) == address;
}

/* Each byte a memory type that the PAT takes. */
static inline bool pat_ok(u64 pat)
{
	for (unsigned i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) > 7 || (pat & 0xff) == 2 || (pat & 0xff) == 3)
			return false;
	return true;
}

#define S_CET_RESERVED BITS(9, 6)
#define S_CET_SUPPRESS BIT(10)
#define S_CET_TRACKER BIT(11)

static inline bool s_cet_ok(u64 value)
{
	return !(value & S_CET_RESERVED) && (~value & (S_CET_SUPPRESS | S_CET_TRACKER));
}

/* All bits of FIXED0, no bit outside FIXED1, which is the MSR after it ("VMX-Fixed Bits in CR0"). */
static inline bool fixed_ok(const struct check_view *c, u64 value, enum vmx_capability_msr fixed0)
{
	const u64 *msr = c->entry->capability->msr;

	return !(msr[fixed0] & ~value) && !(value & ~msr[fixed0 + 1]);
}

static inline u64 efer_valid(const struct check_view *c)
{
	const struct feature_set *features = c->entry->features;

	return (feature_has(features, FEAT_SYSCALL) ? EFER_SCE : 0) |
	       (feature_has(features, FEAT_LM) ? EFER_LME | EFER_LMA : 0) |
	       (feature_has(features, FEAT_NX) ? EFER_NXE : 0);
}

/*
 * Expands the rows of one stage inside a function that has c and e: __COUNTER__ numbers them from 0. Conditions are
 * straight code, so an entry that passes costs no calls.
 */
#define CHECK(section, id, field, high, low, other, expected, condition)                                               \
	{                                                                                                              \
		enum { ROW = __COUNTER__ - CHECK_FIRST };                                                              \
		if (unlikely(!(condition)) && check_fail(c, ROW))                                                      \
			return false;                                                                                  \
	}

#endif

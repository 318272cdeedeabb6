/*
 * What VMX can do on a processor: the values of the capability MSRs ("VMX Capability Reporting Facility").
 *
 * They are computed from a CPU model's features, or filled in from a real processor's MSRs; everything else here asks
 * only the MSRs, so both answer alike.
 */
#ifndef VMX_CAPABILITY_H
#define VMX_CAPABILITY_H

#include "vmx/control.h"
#include "x86/feature.h"
#include "x86/regs.h"

/* IA32_VMX_BASIC is the first MSR; the others follow in this order. */
#define VMX_CAP_FIRST_MSR 0x480u

enum vmx_capability_msr {
	VMX_CAP_BASIC, VMX_CAP_PINBASED_CTLS, VMX_CAP_PROCBASED_CTLS, VMX_CAP_EXIT_CTLS, VMX_CAP_ENTRY_CTLS,
	VMX_CAP_MISC, VMX_CAP_CR0_FIXED0, VMX_CAP_CR0_FIXED1, VMX_CAP_CR4_FIXED0, VMX_CAP_CR4_FIXED1, VMX_CAP_VMCS_ENUM,
	VMX_CAP_PROCBASED_CTLS2, VMX_CAP_EPT_VPID_CAP, VMX_CAP_TRUE_PINBASED_CTLS, VMX_CAP_TRUE_PROCBASED_CTLS,
	VMX_CAP_TRUE_EXIT_CTLS, VMX_CAP_TRUE_ENTRY_CTLS, VMX_CAP_VMFUNC, VMX_CAP_PROCBASED_CTLS3, VMX_CAP_EXIT_CTLS2,
	VMX_CAP_COUNT
};

/* IA32_VMX_BASIC ("Basic VMX Information"). */
#define VMX_BASIC_REVISION BITS(30, 0)
#define VMX_BASIC_REGION_SIZE_SHIFT 32
#define VMX_BASIC_DUAL_MONITOR BIT(49)
#define VMX_BASIC_MEMORY_TYPE_SHIFT 50
#define VMX_BASIC_IO_INFORMATION BIT(54)
#define VMX_BASIC_TRUE_CONTROLS BIT(55)
#define VMX_BASIC_ANY_ERROR_CODE BIT(56) /* hardware exceptions are injected with or without error code */

/* IA32_VMX_MISC ("Miscellaneous Data"). */
#define VMX_MISC_TIMER_RATE BITS(4, 0) /* the preemption timer counts when this bit of the TSC changes */
#define VMX_MISC_STORES_LMA BIT(5)
#define VMX_MISC_ACTIVITY_HLT BIT(6)
#define VMX_MISC_ACTIVITY_SHUTDOWN BIT(7)
#define VMX_MISC_ACTIVITY_WAIT_FOR_SIPI BIT(8)
#define VMX_MISC_CR3_TARGETS BITS(24, 16)
#define VMX_MISC_CR3_TARGETS_SHIFT 16
#define VMX_MISC_MSR_LIST BITS(27, 25) /* 512 * (this + 1) entries at most are recommended */
#define VMX_MISC_WRITE_ANY_FIELD BIT(29)
#define VMX_MISC_ZERO_LENGTH_INJECTION BIT(30)

/* IA32_VMX_EPT_VPID_CAP ("VPID and EPT Capabilities"). */
#define VMX_EPT_CAP_EXECUTE_ONLY BIT(0)
#define VMX_EPT_CAP_4_LEVELS BIT(6)
#define VMX_EPT_CAP_5_LEVELS BIT(7)
#define VMX_EPT_CAP_UC BIT(8)
#define VMX_EPT_CAP_WB BIT(14)
#define VMX_EPT_CAP_2MB BIT(16)
#define VMX_EPT_CAP_1GB BIT(17)
#define VMX_EPT_CAP_INVEPT BIT(20)
#define VMX_EPT_CAP_ACCESSED_DIRTY BIT(21)
#define VMX_EPT_CAP_ADVANCED_INFORMATION BIT(22)
#define VMX_EPT_CAP_SHADOW_STACK BIT(23)
#define VMX_EPT_CAP_INVEPT_SINGLE BIT(25)
#define VMX_EPT_CAP_INVEPT_ALL BIT(26)
#define VMX_VPID_CAP_INVVPID BIT(32)
#define VMX_VPID_CAP_ADDRESS BIT(40)
#define VMX_VPID_CAP_SINGLE BIT(41)
#define VMX_VPID_CAP_ALL BIT(42)
#define VMX_VPID_CAP_SINGLE_RETAINING_GLOBALS BIT(43)

struct vmx_capability {
	u64 msr[VMX_CAP_COUNT]; /* those that do not exist are 0 */
	u64 fields[(VMCS_FIELD_COUNT + 63) / 64]; /* which VMCS fields exist */
};

/* The capabilities of a processor with these features, of which FEAT_VMX is one. */
void vmx_capability_compute(struct vmx_capability *capability, const struct feature_set *features);

/* After filling in msr[] from a real processor: works out which fields exist. */
void vmx_capability_derive_fields(struct vmx_capability *capability);

/* Whether the MSR with this number is a capability MSR that exists; others raise #GP(0). */
bool vmx_capability_has_msr(const struct vmx_capability *capability, u32 number);

static inline bool vmx_capability_has_field(const struct vmx_capability *capability, enum vmcs_field field)
{
	return capability->fields[field / 64] >> (field % 64) & 1;
}

static inline bool vmx_capability_can_write_any_field(const struct vmx_capability *capability)
{
	return capability->msr[VMX_CAP_MISC] & VMX_MISC_WRITE_ANY_FIELD;
}

/* The bits of a control word that must be 1 and those that may, by the TRUE MSRs if there are any. */
u64 vmx_capability_must_be_one(const struct vmx_capability *capability, enum vmx_word word);
u64 vmx_capability_may_be_one(const struct vmx_capability *capability, enum vmx_word word);

/* Whether a control may be 1. */
bool vmx_capability_allows(const struct vmx_capability *capability, enum vmx_control control);

/* The MSR that says what a word may hold: "IA32_VMX_TRUE_PINBASED_CTLS". */
const char *vmx_capability_msr_name(enum vmx_capability_msr msr);
enum vmx_capability_msr vmx_capability_word_msr(const struct vmx_capability *capability, enum vmx_word word);

/*
 * Negotiation of one word by name: starts from the bits that must be 1, adds every required control and those optional
 * ones that the processor has. Returns false with one line in error naming the missing control, its bit and the MSR;
 * also for a name that the word does not have. Lists end with NULL; error is cut to error_size.
 */
MUST_USE bool vmx_negotiate(const struct vmx_capability *capability, enum vmx_word word, const char *const *required,
			    const char *const *optional, u64 *value, char *error, size_t error_size);

#endif

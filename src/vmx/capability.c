/* VMX capability MSRs from a model's features, and what they allow: see capability.h. */
#include "vmx/capability.h"
#include "base/format.h"
#include "vmx/ept.h"
#include "x86/control_register.h"

#define CR3_TARGETS 4
#define TIMER_RATE 5 /* the preemption timer counts once in 32 ticks of the TSC */

/* A word's MSR holds either bits that must be 1 below and bits that may be 1 above, or 64 bits that may be 1. */
static const struct {
	u64 default1;
	u8 msr, true_msr;
} words[VMX_WORD_COUNT] = {
#define WORD(id, field, msr_, true_msr_, default1_, name) \
	[VMX_WORD_##id] = { default1_, VMX_CAP_##msr_, VMX_CAP_##true_msr_ },
#include "vmx/control.def"
};

static const struct {
	u16 control, feature;
} control_features[] = {
#define CONTROL(word, id, bit, feature, name) { VMX_##word##_##id, FEAT_##feature },
#include "vmx/control.def"
};

/* Which controls make a field exist: any of the two. */
#define NO_CONTROL VMX_CONTROL_LIMIT
#define ANY_PROCESSOR (NO_CONTROL + 1)

static const struct {
	u16 control, other;
} field_support[VMCS_FIELD_COUNT] = {
#define IF(word, id) VMX_##word##_##id, NO_CONTROL
#define EITHER(word, id, other_word, other_id) VMX_##word##_##id, VMX_##other_word##_##other_id
#define NEVER NO_CONTROL, NO_CONTROL
#define ALWAYS ANY_PROCESSOR, NO_CONTROL
#define FIELD(id, encoding, heading, support, name) [VMCS_##id] = { support },
#include "vmx/vmcs.def"
#undef IF
#undef EITHER
#undef NEVER
#undef ALWAYS
};

static bool is_wide(enum vmx_word word)
{
	return word == VMX_WORD_PROC3 || word == VMX_WORD_EXITCTL2 || word == VMX_WORD_VMFUNC;
}

static bool has_feature(const struct feature_set *features, u32 feature)
{
	return feature != FEAT_ABSENT && feature_has(features, (enum feature)feature);
}

/* Controls of the default1 class that have a name: a TRUE MSR lets them be 0. */
static u64 named_default1(enum vmx_word word)
{
	u64 named = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(control_features); i++)
		if (control_features[i].control / VMX_WORD_BITS == word)
			named |= vmx_control_bit((enum vmx_control)control_features[i].control);
	return named & words[word].default1;
}

static void compute_word(struct vmx_capability *capability, const struct feature_set *features, enum vmx_word word)
{
	u64 must = words[word].default1, may = must;

	for (size_t i = 0; i < ARRAY_LENGTH(control_features); i++)
		if (control_features[i].control / VMX_WORD_BITS == word &&
		    has_feature(features, control_features[i].feature))
			may |= vmx_control_bit((enum vmx_control)control_features[i].control);
	capability->msr[words[word].msr] = is_wide(word) ? may : may << 32 | must;
	if (words[word].true_msr != words[word].msr && feature_has(features, FEAT_VMX_TRUE_CTLS))
		capability->msr[words[word].true_msr] = may << 32 | (must & ~named_default1(word));
}

static u64 basic(const struct feature_set *features)
{
	u64 value = VMCS_REVISION | (u64)VMCS_REGION_SIZE << VMX_BASIC_REGION_SIZE_SHIFT |
		    (u64)EPT_WB << VMX_BASIC_MEMORY_TYPE_SHIFT | VMX_BASIC_IO_INFORMATION;

	if (feature_has(features, FEAT_VMX_TRUE_CTLS))
		value |= VMX_BASIC_TRUE_CONTROLS;
	if (feature_has(features, FEAT_CET_SS) || feature_has(features, FEAT_CET_IBT))
		value |= VMX_BASIC_ANY_ERROR_CODE;
	return value;
}

static u64 misc(const struct feature_set *features)
{
	u64 value = VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN | VMX_MISC_ACTIVITY_WAIT_FOR_SIPI |
		    CR3_TARGETS << VMX_MISC_CR3_TARGETS_SHIFT;

	if (feature_has(features, FEAT_VMX_PREEMPTION_TIMER))
		value |= TIMER_RATE;
	if (feature_has(features, FEAT_UNRESTRICTED_GUEST))
		value |= VMX_MISC_STORES_LMA;
	if (feature_has(features, FEAT_VMCS_SHADOWING))
		value |= VMX_MISC_WRITE_ANY_FIELD;
	if (feature_has(features, FEAT_VMX_TSC_SCALING)) /* came with the same generation */
		value |= VMX_MISC_ZERO_LENGTH_INJECTION;
	return value;
}

static u64 ept_vpid(const struct feature_set *features)
{
	static const struct {
		u64 bits;
		u8 feature;
	} parts[] = {
		{ VMX_EPT_CAP_EXECUTE_ONLY | VMX_EPT_CAP_4_LEVELS | VMX_EPT_CAP_UC | VMX_EPT_CAP_WB | VMX_EPT_CAP_2MB |
		  VMX_EPT_CAP_INVEPT | VMX_EPT_CAP_INVEPT_SINGLE | VMX_EPT_CAP_INVEPT_ALL, FEAT_EPT },
		{ VMX_EPT_CAP_1GB, FEAT_EPT_1GB },
		{ VMX_EPT_CAP_5_LEVELS, FEAT_EPT_5LEVEL },
		{ VMX_EPT_CAP_ACCESSED_DIRTY, FEAT_EPT_AD },
		{ VMX_EPT_CAP_ADVANCED_INFORMATION, FEAT_EPT_MBEC }, /* came with the same generation */
		{ VMX_VPID_CAP_INVVPID | VMX_VPID_CAP_ADDRESS | VMX_VPID_CAP_SINGLE | VMX_VPID_CAP_ALL |
		  VMX_VPID_CAP_SINGLE_RETAINING_GLOBALS, FEAT_VPID },
	};
	u64 value = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++)
		if (feature_has(features, (enum feature)parts[i].feature))
			value |= parts[i].bits;
	if (feature_has(features, FEAT_EPT) && feature_has(features, FEAT_CET_SS))
		value |= VMX_EPT_CAP_SHADOW_STACK;
	return value;
}

/* "VMCS Enumeration": the highest index of any field that exists, in bits 9:1. */
static u64 vmcs_enum(const struct vmx_capability *capability)
{
	u64 highest = 0;

	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++)
		if (vmx_capability_has_field(capability, field))
			highest = max_u64(highest, vmcs_field_encoding(field) & VMCS_ENCODING_INDEX);
	return highest;
}

void vmx_capability_derive_fields(struct vmx_capability *capability)
{
	for (size_t i = 0; i < ARRAY_LENGTH(capability->fields); i++)
		capability->fields[i] = 0;
	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++) {
		u16 control = field_support[field].control, other = field_support[field].other;

		if (control == ANY_PROCESSOR || vmx_capability_allows(capability, (enum vmx_control)control) ||
		    vmx_capability_allows(capability, (enum vmx_control)other))
			capability->fields[field / 64] |= BIT(field % 64);
	}
}

void vmx_capability_compute(struct vmx_capability *capability, const struct feature_set *features)
{
	*capability = (struct vmx_capability){ 0 };
	for (enum vmx_word word = 0; word < VMX_WORD_COUNT; word++)
		compute_word(capability, features, word);
	capability->msr[VMX_CAP_BASIC] = basic(features);
	capability->msr[VMX_CAP_MISC] = misc(features);
	capability->msr[VMX_CAP_CR0_FIXED0] = CR0_PE | CR0_NE | CR0_PG;
	capability->msr[VMX_CAP_CR0_FIXED1] = BITS(31, 0);
	capability->msr[VMX_CAP_CR4_FIXED0] = CR4_VMXE;
	capability->msr[VMX_CAP_CR4_FIXED1] = cr4_supported(features);
	capability->msr[VMX_CAP_EPT_VPID_CAP] = ept_vpid(features);
	vmx_capability_derive_fields(capability);
	capability->msr[VMX_CAP_VMCS_ENUM] = vmcs_enum(capability);
}

bool vmx_capability_has_msr(const struct vmx_capability *capability, u32 number)
{
	u32 index = number - VMX_CAP_FIRST_MSR;

	if (index < VMX_CAP_PROCBASED_CTLS2)
		return true;
	if (index >= VMX_CAP_COUNT)
		return false;
	if (index >= VMX_CAP_TRUE_PINBASED_CTLS && index <= VMX_CAP_TRUE_ENTRY_CTLS)
		return capability->msr[VMX_CAP_BASIC] & VMX_BASIC_TRUE_CONTROLS;
	if (index == VMX_CAP_PROCBASED_CTLS2)
		return vmx_capability_allows(capability, VMX_PROC_ACTIVATE_SECONDARY);
	return capability->msr[index] != 0;
}

enum vmx_capability_msr vmx_capability_word_msr(const struct vmx_capability *capability, enum vmx_word word)
{
	bool true_controls = capability->msr[VMX_CAP_BASIC] & VMX_BASIC_TRUE_CONTROLS;

	return true_controls ? words[word].true_msr : words[word].msr;
}

u64 vmx_capability_must_be_one(const struct vmx_capability *capability, enum vmx_word word)
{
	return is_wide(word) ? 0 : capability->msr[vmx_capability_word_msr(capability, word)] & BITS(31, 0);
}

u64 vmx_capability_may_be_one(const struct vmx_capability *capability, enum vmx_word word)
{
	u64 value = capability->msr[vmx_capability_word_msr(capability, word)];

	return is_wide(word) ? value : value >> 32;
}

bool vmx_capability_allows(const struct vmx_capability *capability, enum vmx_control control)
{
	enum vmx_word word = (enum vmx_word)(control / VMX_WORD_BITS);

	return word < VMX_WORD_COUNT && vmx_capability_may_be_one(capability, word) & vmx_control_bit(control);
}

const char *vmx_capability_msr_name(enum vmx_capability_msr msr)
{
#define NAME(id) [VMX_CAP_##id] = "IA32_VMX_" #id
	static const char *const names[VMX_CAP_COUNT] = {
		NAME(BASIC), NAME(PINBASED_CTLS), NAME(PROCBASED_CTLS), NAME(EXIT_CTLS), NAME(ENTRY_CTLS), NAME(MISC),
		NAME(CR0_FIXED0), NAME(CR0_FIXED1), NAME(CR4_FIXED0), NAME(CR4_FIXED1), NAME(VMCS_ENUM),
		NAME(PROCBASED_CTLS2), NAME(EPT_VPID_CAP), NAME(TRUE_PINBASED_CTLS), NAME(TRUE_PROCBASED_CTLS),
		NAME(TRUE_EXIT_CTLS), NAME(TRUE_ENTRY_CTLS), NAME(VMFUNC), NAME(PROCBASED_CTLS3), NAME(EXIT_CTLS2),
	};
#undef NAME

	return names[msr];
}

static bool add_control(const struct vmx_capability *capability, enum vmx_word word, const char *name, bool required,
			u64 *value, char *error, size_t error_size)
{
	enum vmx_control control = vmx_control_find(word, name);

	if (control == VMX_CONTROL_LIMIT) {
		format(error, error_size, "no bit of the %s is called '%s'", vmx_word_name(word), name);
		return false;
	}
	if (vmx_capability_allows(capability, control)) {
		*value |= vmx_control_bit(control);
		return true;
	}
	if (required)
		format(error, error_size, "this processor lacks '%s', bit %u of the %s (%s)", name,
		       control % VMX_WORD_BITS, vmx_word_name(word),
		       vmx_capability_msr_name(vmx_capability_word_msr(capability, word)));
	return !required;
}

bool vmx_negotiate(const struct vmx_capability *capability, enum vmx_word word, const char *const *required,
		   const char *const *optional, u64 *value, char *error, size_t error_size)
{
	*value = vmx_capability_must_be_one(capability, word);
	for (; *required; required++)
		if (!add_control(capability, word, *required, true, value, error, error_size))
			return false;
	for (; *optional; optional++)
		if (!add_control(capability, word, *optional, false, value, error, error_size))
			return false;
	return true;
}

/* AMD-V's capabilities from a set of features: see capability.h. */
#include "svm/capability.h"

#include "base/format.h"
#include "base/string.h"
#include "x86/control_register.h"

#define SVM_LEAF 0x8000000au

/* Early processors tagged translations with 6 bits. */
#define EARLY_ASIDS 64u
#define ASIDS 0x8000u

/* Where CPUID reports a feature: the register's number, or that it does not. */
enum { LOCATION_NONE = -1, LOCATION_EAX, LOCATION_EBX, LOCATION_ECX, LOCATION_EDX };

static const struct {
	const char *name;
	u32 leaf;
	s8 reg;
	u8 bit;
} locations[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = { name, leaf, LOCATION_##reg, bit },
#include "x86/feature.def"
#undef FEATURE
};

static u64 existing_bits(enum vmcb_field field, const struct feature_set *features)
{
	const struct svm_bitfield *part;
	u64 bits = 0;

	for (size_t i = 0; (part = svm_bitfield_at(field, i)); i++)
		if (feature_has(features, part->feature))
			bits |= part->mask;
	return bits;
}

void svm_capability_init(struct svm_capability *capability, const struct feature_set *features, u8 physical_bits,
			 u8 linear_bits)
{
	*capability = (struct svm_capability){
		.features = *features, .physical_bits = physical_bits, .linear_bits = linear_bits,
	};
	if (!feature_has(features, FEAT_SVM))
		return;
	capability->asids = feature_has(features, FEAT_FLUSH_BY_ASID) ? ASIDS : EARLY_ASIDS;
	for (unsigned i = 0; i < SVM_INTERCEPT_COUNT; i++)
		if (feature_has(features, svm_intercept_feature(i)))
			capability->intercept[i / SVM_INTERCEPT_BITS] |= 1u << (i % SVM_INTERCEPT_BITS);
	capability->interrupt_control = existing_bits(VMCB_INTERRUPT_CONTROL, features);
	capability->nested_control = existing_bits(VMCB_NESTED_CONTROL, features);
	capability->extension_control = existing_bits(VMCB_EXTENSION_CONTROL, features);
	capability->cr4 = cr4_supported(features);
	capability->efer = efer_supported(features);
}

void svm_capability_cpuid(const struct svm_capability *capability, u32 out[4])
{
	memset(out, 0, 4 * sizeof(out[0]));
	if (!svm_has(capability, FEAT_SVM))
		return;
	out[LOCATION_EAX] = SVM_REVISION;
	out[LOCATION_EBX] = capability->asids;
	for (enum feature f = 0; f < FEAT_COUNT; f++)
		if (locations[f].leaf == SVM_LEAF && locations[f].reg == LOCATION_EDX && svm_has(capability, f))
			out[LOCATION_EDX] |= 1u << locations[f].bit;
}

static size_t add_missing(char *out, size_t size, enum feature feature, bool first)
{
	static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX" };
	const char *separator = first ? "" : ", ";

	if (locations[feature].reg == LOCATION_NONE)
		return format(out, size, "%s%s", separator, locations[feature].name);
	return format(out, size, "%s%s (CPUID Fn%04X_%04X %s bit %u)", separator, locations[feature].name,
		      locations[feature].leaf >> 16, locations[feature].leaf & 0xffff,
		      registers[locations[feature].reg], locations[feature].bit);
}

bool svm_negotiate(const struct svm_capability *capability, const struct svm_request *requests, size_t count,
		   struct feature_set *granted, char missing[SVM_MISSING_SIZE])
{
	size_t used = 0;
	bool complete = true;

	*granted = (struct feature_set){ 0 };
	missing[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		if (svm_has(capability, requests[i].feature)) {
			feature_set(granted, requests[i].feature, true);
		} else if (requests[i].required) {
			if (used < SVM_MISSING_SIZE)
				used += add_missing(missing + used, SVM_MISSING_SIZE - used, requests[i].feature,
						    complete);
			complete = false;
		}
	}
	return complete;
}

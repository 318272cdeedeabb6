/* Names of the parts of the VMCB's control words: see control.h. */
#include "svm/control.h"

#include "svm/intercept.h"

static const struct {
	u8 field;
	struct svm_bitfield bits;
} bitfields[] = {
#define BITFIELD(field, id, high, low, feature, name) { VMCB_##field, { name, BITS(high, low), low, FEAT_##feature } },
#include "svm/bits.def"
};

static const char *const clean_names[SVM_INTERCEPT_BITS] = {
#define CLEAN(id, bit, name, covers) [bit] = name,
#include "svm/clean.def"
};

static const struct {
	u8 encoding, feature;
	const char *name;
} tlb_controls[] = {
#define TLB_CONTROL(id, encoding, feature, name) { encoding, FEAT_##feature, name },
#include "svm/tlb_control.def"
};

const struct svm_bitfield *svm_bitfield_at(enum vmcb_field field, size_t index)
{
	if (field == VMCB_EXIT_INT_INFO)
		field = VMCB_EVENT_INJECTION; /* the same format */
	for (size_t i = 0; i < ARRAY_LENGTH(bitfields); i++)
		if (bitfields[i].field == field && index-- == 0)
			return &bitfields[i].bits;
	return NULL;
}

const char *svm_clean_name(unsigned bit)
{
	return bit < ARRAY_LENGTH(clean_names) ? clean_names[bit] : NULL;
}

const char *svm_tlb_control_name(u8 encoding)
{
	for (size_t i = 0; i < ARRAY_LENGTH(tlb_controls); i++)
		if (tlb_controls[i].encoding == encoding)
			return tlb_controls[i].name;
	return "reserved";
}

enum svm_tlb_control svm_tlb_control_effective(u8 encoding, const struct feature_set *features)
{
	for (size_t i = 0; i < ARRAY_LENGTH(tlb_controls); i++)
		if (tlb_controls[i].encoding == encoding && feature_has(features, tlb_controls[i].feature))
			return encoding;
	return SVM_TLB_FLUSH_ALL;
}

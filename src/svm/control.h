/*
 * The VMCB's control words by part: bits.def, clean.def and tlb_control.def as constants and names.
 *
 * SVM_V_TPR is the mask of the part, SVM_V_TPR_SHIFT the number of its lowest bit.
 */
#ifndef SVM_CONTROL_H
#define SVM_CONTROL_H

#include "svm/vmcb.h"
#include "x86/feature.h"

enum {
#define BITFIELD(field, id, high, low, feature, name) SVM_##id = BITS(high, low),
#include "svm/bits.def"
};

enum {
#define BITFIELD(field, id, high, low, feature, name) SVM_##id##_SHIFT = low,
#include "svm/bits.def"
};

enum svm_clean {
#define CLEAN(id, bit, name, covers) SVM_CLEAN_##id = 1 << (bit),
#include "svm/clean.def"
};

enum svm_tlb_control {
#define TLB_CONTROL(id, encoding, feature, name) SVM_TLB_##id = encoding,
#include "svm/tlb_control.def"
};

/* The rest of the VMCB Clean field: bits that no processor uses yet, and the host's own. */
#define SVM_CLEAN_DEFINED BITS(12, 0)
#define SVM_CLEAN_HOST BIT(31)

/* AVIC_PHYSICAL_TABLE's low bits ("VMCB Changes for AVIC"). */
#define SVM_AVIC_MAX_INDEX BITS(11, 0)
#define SVM_AVIC_POINTER BITS(51, 12)
#define SVM_AVIC_LAST_INDEX 255u
#define SVM_X2AVIC_LAST_INDEX 511u

struct svm_bitfield {
	const char *name;
	u64 mask;
	u8 low;
	u8 feature; /* enum feature; FEAT_ABSENT: on no model */
};

/* The parts of a control word, lowest first: index 0, 1... until NULL. */
const struct svm_bitfield *svm_bitfield_at(enum vmcb_field field, size_t index);

const char *svm_clean_name(unsigned bit);          /* NULL if the bit has no meaning */
const char *svm_tlb_control_name(u8 encoding);     /* "reserved" if it is */

/*
 * What VMRUN does for an encoding. One that is reserved, or for which the processor lacks the feature, is undefined:
 * here it flushes everything, so that no hypervisor runs on stale translations.
 */
enum svm_tlb_control svm_tlb_control_effective(u8 encoding, const struct feature_set *features);

#endif

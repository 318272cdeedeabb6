/*
 * Intercepts by name, from intercept.def.
 *
 * An intercept is known by the position of its bit in the six vectors, which is also its exit code; so "is it
 * intercepted, and what is the exit code" is one number.
 */
#ifndef SVM_INTERCEPT_H
#define SVM_INTERCEPT_H

#include "svm/vmcb.h"
#include "x86/feature.h"

#define FEAT_ABSENT FEAT_COUNT /* the feature of controls that no model has */
#define SVM_INTERCEPT_BITS 32
#define SVM_INTERCEPT_COUNT (VMCB_INTERCEPT_VECTORS * SVM_INTERCEPT_BITS)

/* Of a range: the first, to which the register or vector is added. */
enum svm_intercept {
#define INTERCEPT(id, vector, bit, ...) SVM_INTERCEPT_##id = (vector) * SVM_INTERCEPT_BITS + (bit),
#define RANGE(id, vector, bit, ...) SVM_INTERCEPT_##id = (vector) * SVM_INTERCEPT_BITS + (bit),
#include "svm/intercept.def"
};

/* position: an enum svm_intercept, perhaps plus a number; below SVM_INTERCEPT_COUNT. */
static inline bool svm_intercepts(const struct vmcb *vmcb, unsigned position)
{
	return vmcb->control.intercept[position / SVM_INTERCEPT_BITS] >> (position % SVM_INTERCEPT_BITS) & 1;
}

static inline void svm_intercept_set(struct vmcb *vmcb, unsigned position, bool on)
{
	u32 *word = &vmcb->control.intercept[position / SVM_INTERCEPT_BITS];
	u32 bit = 1u << (position % SVM_INTERCEPT_BITS);

	*word = on ? *word | bit : *word & ~bit;
}

#define SVM_INTERCEPT_NAME_SIZE 48

/* "reads of CR3"; "reserved" if the bit has no meaning. Returns out. */
const char *svm_intercept_name(unsigned position, char out[SVM_INTERCEPT_NAME_SIZE]);

/* What a processor must have for the bit to exist: FEAT_ABSENT if no model has it or the bit is reserved. */
enum feature svm_intercept_feature(unsigned position);

#endif

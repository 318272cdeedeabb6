/*
 * What of AMD-V a processor has, derived from its features: which bits exist, how many ASIDs, what CPUID says.
 *
 * A first-generation processor has no nested paging, next-RIP, decode assists or clean bits; the VMCB's bits for them
 * are reserved there and ignored. Everything that asks "does it exist here" asks this structure.
 */
#ifndef SVM_CAPABILITY_H
#define SVM_CAPABILITY_H

#include "svm/control.h"
#include "svm/intercept.h"

#define SVM_REVISION 1u /* CPUID Fn8000_000A EAX */

struct svm_capability {
	struct feature_set features;
	u8 physical_bits, linear_bits;
	u32 asids; /* 1 to asids - 1 are for guests; 0 is the host's */
	u32 intercept[VMCB_INTERCEPT_VECTORS]; /* bits that exist, likewise in the next three */
	u64 interrupt_control, nested_control, extension_control;
	u64 cr4, efer; /* bits that a guest may set */
};

/* physical_bits: 32 to 52. linear_bits: 32, 48 or 57. Without FEAT_SVM everything is empty. */
void svm_capability_init(struct svm_capability *capability, const struct feature_set *features, u8 physical_bits,
			 u8 linear_bits);

/* CPUID Fn8000_000A: EAX, EBX, ECX, EDX. */
void svm_capability_cpuid(const struct svm_capability *capability, u32 out[4]);

static inline bool svm_has(const struct svm_capability *capability, enum feature feature)
{
	return feature_has(&capability->features, feature);
}

/* A feature that a hypervisor asks for. */
struct svm_request {
	enum feature feature;
	bool required;
};

#define SVM_MISSING_SIZE 256

/*
 * Negotiates once, by name: *granted gets the requested features that exist. Returns false if a required one is
 * missing, with all of those in missing: "npt (CPUID Fn8000_000A EDX bit 0), vgif (CPUID Fn8000_000A EDX bit 16)".
 * Else missing is "".
 */
MUST_USE bool svm_negotiate(const struct svm_capability *capability, const struct svm_request *requests, size_t count,
			    struct feature_set *granted, char missing[SVM_MISSING_SIZE]);

#endif

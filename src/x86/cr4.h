/* Which bits of CR4 a processor has: the same answer for MOV to CR4 and for the VMX capability MSRs. */
#ifndef X86_CR4_H
#define X86_CR4_H

#include "x86/feature.h"

/* The bits that may be 1 with these features ("Control Registers"). */
u64 cr4_allowed(const struct feature_set *features);

#endif

/*
 * Which bits of CR4 and EFER a processor with a set of features has. The others are reserved: must be 0.
 */
#ifndef X86_CONTROL_REGISTER_H
#define X86_CONTROL_REGISTER_H

#include "x86/feature.h"

u64 cr4_supported(const struct feature_set *features);
u64 efer_supported(const struct feature_set *features); /* LMA included, which software cannot change */

#endif

/* Which SIMD features the host's own CPU can execute: the interpreter runs the guest's SIMD instructions on it. */
#ifndef X86_HOST_FEATURES_H
#define X86_HOST_FEATURES_H

#include "x86/feature.h"

/* Features for which the interpreter depends on the host. */
bool host_feature_matters(enum feature feature);

/* Reads CPUID and XCR0. Only features that matter are set. */
void host_features(struct feature_set *out);

#endif

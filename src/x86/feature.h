/*
 * The optional features of a processor, one bit each, from feature.def.
 *
 * A set of features is plain data: a CPU model has one, the host has one, and what a guest sees is what is
 * left after the user's +feature and -feature. An instruction whose feature is absent raises #UD.
 */
#ifndef X86_FEATURE_H
#define X86_FEATURE_H

#include "base/types.h"

enum feature {
#define FEATURE(id, name, leaf, subleaf, reg, bit) FEAT_##id,
#include "x86/feature.def"
#undef FEATURE
	FEAT_COUNT
};

struct feature_set {
	u64 word[4];
};

_Static_assert(FEAT_COUNT <= 256, "struct feature_set holds every feature");

static inline bool feature_has(const struct feature_set *set, enum feature f)
{
	return set->word[f / 64] >> (f % 64) & 1;
}

static inline void feature_set(struct feature_set *set, enum feature f, bool present)
{
	u64 bit = 1ull << (f % 64);

	set->word[f / 64] = present ? set->word[f / 64] | bit : set->word[f / 64] & ~bit;
}

#endif

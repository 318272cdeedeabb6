/* What the kinds of stress share: see stress.def and main.c. */
#ifndef STRESS_H
#define STRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t stress_round(uint64_t number);

#define KIND(name, text) stress_round round_##name;
#include "stress.def"

/* The next of a sequence of numbers that look random (xorshift); *state must not be 0. */
static inline uint64_t stress_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Where the sequence of a round starts. */
static inline uint64_t stress_seed(uint64_t number)
{
	return (number + 1) * 0x9e3779b97f4a7c15ull;
}

static inline uint64_t stress_mix(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * 0xff51afd7ed558ccdull;
	return digest ^ digest >> 32;
}

/* FNV-1a. */
static inline uint64_t stress_mix_bytes(uint64_t digest, const void *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
	return digest;
}

/* Ends the process with a line that says what is wrong. */
void stress_require(bool true_condition, const char *what);

#endif

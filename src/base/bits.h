/* Bit and integer arithmetic without side effects. */
#ifndef BASE_BITS_H
#define BASE_BITS_H

#include "base/types.h"

#define BIT(n) (1ull << (n))
/* Bits low..high inclusive, 0 <= low <= high <= 63. */
#define BITS(high, low) ((~0ull >> (63 - (high))) & (~0ull << (low)))

static inline u64 bits_extract(u64 value, unsigned high, unsigned low)
{
	return (value & BITS(high, low)) >> low;
}

static inline u64 align_down(u64 value, u64 power_of_two)
{
	return value & ~(power_of_two - 1);
}

static inline u64 align_up(u64 value, u64 power_of_two)
{
	return align_down(value + power_of_two - 1, power_of_two);
}

static inline bool is_power_of_two(u64 value)
{
	return value && !(value & (value - 1));
}

/* Sign-extends the low `bytes` bytes (1, 2, 4 or 8) of value. */
static inline u64 sign_extend(u64 value, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (u64)((s64)(value << shift) >> shift);
}

/* A mask of the low `bytes` bytes (1 to 8). */
static inline u64 byte_mask(unsigned bytes)
{
	return bytes >= 8 ? ~0ull : BIT(8 * bytes) - 1;
}

static inline u64 min_u64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 max_u64(u64 a, u64 b)
{
	return a > b ? a : b;
}

#endif

/* Rounds that only compute: integers, x87, vectors. */
#include "stress.h"

#include <stdlib.h>
#include <string.h>

/* ---- integers ---- */

enum { WORDS = 2048, ARITHMETIC_STEPS = 20000 };

static uint64_t arithmetic(uint64_t *state)
{
	uint64_t digest = 0;

	for (int i = 0; i < ARITHMETIC_STEPS; i++) {
		uint64_t a = stress_random(state), b = stress_random(state) >> (i & 63) | 1;
		unsigned __int128 product = (unsigned __int128)a * b;
		__int128 negative = (__int128)(int64_t)a * (int64_t)b;

		digest = stress_mix(digest, (uint64_t)(product >> 64) + (uint64_t)(negative >> 71));
		digest += a / b + a % b;
		digest ^= (uint64_t)((int64_t)a / (int32_t)(b | 1)) + (uint32_t)a / ((uint32_t)b | 1);
		digest += (uint64_t)__builtin_popcountll(a) + (uint64_t)__builtin_ctzll(b) + (uint64_t)__builtin_clzll(b);
		digest = (digest << (i & 63) | digest >> (-i & 63)) + __builtin_bswap64(a);
		if (__builtin_add_overflow((int64_t)a, (int64_t)digest, (int64_t *)&b))
			digest += b;
	}
	return digest;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void copy_forwards(void *to, const void *from, size_t bytes)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
}

static void copy_backwards(uint8_t *to, const uint8_t *from, size_t words)
{
	to += words * 8 - 8;
	from += words * 8 - 8;
	asm volatile("std; rep movsq; cld" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
}

static size_t equal_prefix(const uint8_t *a, const uint8_t *b, size_t bytes)
{
	size_t left = bytes;

	asm volatile("cmp %%rcx, %%rcx; repe cmpsb; je 1f; inc %%rcx; 1:"
		     : "+D"(a), "+S"(b), "+c"(left) : : "memory", "cc");
	return bytes - left;
}

static size_t find(const uint8_t *bytes, size_t count, uint8_t wanted)
{
	const uint8_t *at = bytes;

	asm volatile("or $1, %%ecx; repne scasb" : "+D"(at), "+c"(count) : "a"(wanted) : "memory", "cc");
	return (size_t)(at - bytes);
}

uint64_t round_integer(uint64_t number)
{
	static uint64_t words[WORDS], copy[WORDS + 1];
	uint64_t state = stress_seed(number), digest = arithmetic(&state);
	size_t at;

	for (int i = 0; i < WORDS; i++)
		words[i] = stress_random(&state);
	memset(copy, 0, sizeof(copy));
	copy_forwards((uint8_t *)copy + 3, words, sizeof(words));
	copy_backwards((uint8_t *)copy + 5, (uint8_t *)copy + 3, WORDS);
	stress_require(!memcmp((uint8_t *)copy + 5, words, sizeof(words)), "what string instructions copied");
	at = stress_random(&state) % sizeof(words);
	((uint8_t *)copy)[5 + at] ^= 1;
	stress_require(equal_prefix((uint8_t *)words, (uint8_t *)copy + 5, sizeof(words)) == at, "where REPE CMPSB ended");
	digest = stress_mix(digest, find((uint8_t *)words, sizeof(words) - 1, (uint8_t)number));
	qsort(words, WORDS, sizeof(words[0]), compare);
	for (int i = 1; i < WORDS; i++)
		stress_require(words[i - 1] <= words[i], "the order of what was sorted");
	return stress_mix_bytes(digest, words, sizeof(words));
}

/* ---- x87 ---- */

enum { X87_STEPS = 300, X87_BYTES = 10, CONTROL_ALL_MASKED = 0x7f };

static uint64_t mix_real(uint64_t digest, long double value)
{
	return stress_mix_bytes(digest, &value, X87_BYTES);
}

static void set_control(uint16_t control)
{
	asm volatile("fldcw %0" : : "m"(control));
}

static uint64_t transcendental(uint64_t digest, long double x)
{
	long double r, s;
	uint8_t decimal[X87_BYTES], saved[108];

	asm volatile("fsin" : "=t"(r) : "0"(x));
	asm volatile("fpatan" : "=t"(s) : "0"(x), "u"(r) : "st(1)");
	digest = mix_real(mix_real(digest, r), s);
	asm volatile("fsqrt" : "=t"(r) : "0"(x));
	asm volatile("fyl2x" : "=t"(s) : "0"(r), "u"(x) : "st(1)");
	digest = mix_real(mix_real(digest, r), s);
	asm volatile("f2xm1" : "=t"(r) : "0"(x / 4096));
	asm volatile("fprem" : "=t"(s) : "0"(x), "u"(1.75L));
	digest = mix_real(mix_real(digest, r), s);
	asm volatile("fnsave %0; frstor %0" : "=m"(saved));
	asm volatile("fbstp %0" : "=m"(decimal) : "t"(x * 1e9L) : "st");
	return stress_mix_bytes(digest, decimal, sizeof(decimal));
}

uint64_t round_x87(uint64_t number)
{
	uint64_t state = stress_seed(number), digest = 0;
	long double sum = 0, product = 1;

	for (unsigned i = 0; i < X87_STEPS; i++) {
		long double x = (long double)(stress_random(&state) >> 20) / 0x1p32L + 0x1p-40L;

		/* Precision is single, double or extended; rounding is one of four ways. */
		set_control((uint16_t)(CONTROL_ALL_MASKED | (i % 3 + (i % 3 > 0)) << 8 | (i / 3 % 4) << 10));
		sum += x / 3;
		product = product * (1 + x / 0x1p40L) - 0x1p-70L;
		digest = mix_real(mix_real(digest, sum), product);
		digest = transcendental(digest, x);
		digest = stress_mix(digest, (uint64_t)(int64_t)(x * 1000) + (uint64_t)(float)x);
	}
	set_control(0x37f);
	return digest;
}

/* ---- vectors ---- */

enum { VECTORS = 1500 };

typedef double doubles __attribute__((vector_size(32)));
typedef uint32_t dwords __attribute__((vector_size(32)));
typedef int16_t words16 __attribute__((vector_size(32)));
typedef uint8_t bytes8 __attribute__((vector_size(32)));

/* Inlined into callers for different instruction sets. */
static inline __attribute__((always_inline)) uint64_t vectors(uint64_t state)
{
	doubles d = { 1, 2, 3, 4 };
	dwords q = { 0 };
	words16 w = { 0 };
	bytes8 b = { 0 };
	uint64_t digest = 0;

	for (int i = 0; i < VECTORS; i++) {
		uint32_t a = (uint32_t)stress_random(&state), c = (uint32_t)stress_random(&state);
		dwords lane = { a, c, a ^ c, a + c, a * 3, c * 5, ~a, ~c };

		q = (q ^ lane) * 0x9e3779b1u + (q >> 15);
		w = w * (words16)lane + (words16)q;
		b = (b > (bytes8)w) ^ (bytes8)lane;
		q += __builtin_shufflevector((dwords)b, q, 3, 14, 9, 4, 15, 2, 13, 0);
		d = d * 0.75 + (doubles){ a, c, a & 0xff, 1 } / (d + 1.5);
	}
	digest = stress_mix_bytes(digest, &d, sizeof(d));
	digest = stress_mix_bytes(digest, &q, sizeof(q));
	digest = stress_mix_bytes(digest, &w, sizeof(w));
	return stress_mix_bytes(digest, &b, sizeof(b));
}

static __attribute__((noinline)) uint64_t vectors_sse2(uint64_t state)
{
	return vectors(state);
}

static __attribute__((noinline, target("avx2"))) uint64_t vectors_avx2(uint64_t state)
{
	return vectors(state);
}

/* A fused multiply-add shows the rounding error of a product; so does the product of halves (Dekker). */
static __attribute__((noinline, target("fma"))) double error_fused(double a, double b, double product)
{
	return __builtin_fma(a, b, -product);
}

static double error_by_halves(double a, double b, double product)
{
	double t = a * 134217729.0, a_high = t - (t - a), a_low = a - a_high;
	double u = b * 134217729.0, b_high = u - (u - b), b_low = b - b_high;

	return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
}

uint64_t round_simd(uint64_t number)
{
	uint64_t state = stress_seed(number), digest = vectors_sse2(state);

	if (__builtin_cpu_supports("avx2"))
		stress_require(vectors_avx2(state) == digest, "AVX2's results differ from SSE2's");
	for (int i = 0; i < 500 && __builtin_cpu_supports("fma"); i++) {
		double a = (double)(stress_random(&state) >> 11), b = (double)(stress_random(&state) >> 11);

		stress_require(error_fused(a, b, a * b) == error_by_halves(a, b, a * b),
			       "the result of a fused multiply-add");
	}
	return digest;
}

/*
 * The host's SIMD features, read from its own CPUID.
 *
 * CPUID and XGETBV are not privileged, so this works the same under any host. AVX counts only if the host's operating
 * system saves the registers, which XCR0 tells.
 */
#include "x86/host_features.h"
#include "base/bits.h"
#include "x86/regs.h"

static const u8 matters[] = {
	FEAT_MMX, FEAT_MMXEXT, FEAT_SSE, FEAT_SSE2, FEAT_SSE3, FEAT_SSSE3, FEAT_SSE4_1, FEAT_SSE4_2, FEAT_SSE4A,
	FEAT_MISALIGNSSE, FEAT_AES, FEAT_PCLMULQDQ, FEAT_SHA, FEAT_AVX, FEAT_AVX2, FEAT_FMA, FEAT_F16C,
};

enum cpuid_register_name { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX, CPUID_NONE };

static const struct {
	u32 leaf, subleaf;
	u8 reg, bit;
} place[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = { leaf, subleaf, CPUID_##reg, bit },
#include "x86/feature.def"
#undef FEATURE
};

static void host_cpuid(u32 leaf, u32 subleaf, u32 out[4])
{
	__asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}

/* Does the host's CPUID go that far? Leaves beyond the highest answer something else. */
static bool host_has_leaf(u32 leaf)
{
	u32 out[4];

	host_cpuid(leaf & BIT(31), 0, out);
	return out[0] >= leaf;
}

static bool host_saves_avx(void)
{
	u32 out[4], low, high;

	host_cpuid(1, 0, out);
	if (!(out[CPUID_ECX] & BIT(27))) /* OSXSAVE */
		return false;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (low & (XCR0_SSE | XCR0_AVX)) == (XCR0_SSE | XCR0_AVX);
}

static bool needs_avx_state(enum feature f)
{
	return f == FEAT_AVX || f == FEAT_AVX2 || f == FEAT_FMA || f == FEAT_F16C;
}

bool host_feature_matters(enum feature feature)
{
	for (size_t i = 0; i < sizeof(matters); i++)
		if (matters[i] == feature)
			return true;
	return false;
}

/* AMD's extensions of MMX are part of Intel's SSE: either will do. */
static bool host_has(enum feature f)
{
	u32 out[4];

	if (!host_has_leaf(place[f].leaf))
		return false;
	host_cpuid(place[f].leaf, place[f].subleaf, out);
	return out[place[f].reg] >> place[f].bit & 1;
}

void host_features(struct feature_set *out)
{
	bool avx = host_saves_avx();

	*out = (struct feature_set){ 0 };
	for (size_t i = 0; i < sizeof(matters); i++) {
		enum feature f = (enum feature)matters[i];
		bool present = host_has(f == FEAT_MMXEXT ? FEAT_SSE : f);

		feature_set(out, f, present && (avx || !needs_avx_state(f)));
	}
}

/* CPU models: the language of --cpu, dependencies, what is left out, and the formatted text it reports in. */
#include <string.h>

#include "base/format.h"
#include "test.h"
#include "x86/host_features.h"
#include "x86/model.h"

static const struct cpu_model *model;
static struct feature_set features;
static char error[160], notes[256];

static struct feature_set everything(void)
{
	struct feature_set all;

	memset(&all, 0xff, sizeof(all));
	return all;
}

/* On a host that can execute everything. */
static bool parse(const char *spec)
{
	struct feature_set host = everything();

	error[0] = 0;
	return model_parse_for_host(spec, &host, &model, &features, error, sizeof(error), notes, sizeof(notes));
}

static bool has(enum feature f)
{
	return feature_has(&features, f);
}

TEST("every model parses by its name, and its effective features need nothing that is absent")
{
	for (size_t i = 0; i < model_count(); i++) {
		struct feature_set host = everything(), whole;

		CHECK(parse(model_at(i)->name));
		CHECK(model == model_at(i));
		CHECK(model_find(model_at(i)->name) == model_at(i));
		whole = features;
		for (enum feature f = FEAT_FPU; f < FEAT_COUNT; f++) {
			char spec[64];

			/* Adding what is there already must change nothing: it would if a need were missing. */
			if (!feature_has(&whole, f))
				continue;
			format(spec, sizeof(spec), "%s,+%s", model_at(i)->name, feature_name(f));
			CHECK(model_parse_for_host(spec, &host, &model, &features, error, sizeof(error), notes, 0));
			CHECK(!memcmp(&features, &whole, sizeof(whole)));
		}
	}
}

TEST("the models' own sets are closed: nothing of a generation lacks what it needs")
{
	for (size_t i = 0; i < model_count(); i++) {
		size_t lost = 0;

		CHECK(parse(model_at(i)->name));
		for (enum feature f = 0; f < FEAT_COUNT; f++)
			lost += feature_has(&model_at(i)->features, f) && !model_not_yet(f) && !has(f);
		CHECK_EQ(lost, 0);
		CHECK(strlen(model_at(i)->brand) < 48);
		CHECK(model_at(i)->features.word[0] & 1);
	}
}

TEST("the default model exists")
{
	CHECK(model_find(MODEL_DEFAULT) != NULL);
	CHECK(model_find("max-amd") != NULL);
	CHECK(model_find("no-such") == NULL);
}

TEST("generations differ in virtualization as the silicon did")
{
	static const struct {
		const char *name;
		enum feature feature;
		bool present;
	} facts[] = {
		{ "486", FEAT_LM, false }, { "486", FEAT_TSC, false }, { "pentium-pro", FEAT_MMX, false },
		{ "core2-novt", FEAT_LM, true }, { "core2-novt", FEAT_VMX, false }, { "conroe", FEAT_VMX, true },
		{ "conroe", FEAT_EPT, false }, { "conroe", FEAT_VPID, false }, { "nehalem", FEAT_EPT, true },
		{ "nehalem", FEAT_VPID, true }, { "nehalem", FEAT_UNRESTRICTED_GUEST, false },
		{ "westmere", FEAT_UNRESTRICTED_GUEST, true }, { "sandybridge", FEAT_VMFUNC, false },
		{ "haswell", FEAT_VMFUNC, true }, { "haswell", FEAT_VMCS_SHADOWING, true },
		{ "max-intel", FEAT_EPT_5LEVEL, true }, { "athlon64", FEAT_SVM, false },
		{ "opteron-g2", FEAT_SVM, true },
		{ "opteron-g2", FEAT_NPT, false }, { "barcelona", FEAT_NPT, true }, { "zen", FEAT_AVIC, true },
		{ "zen", FEAT_3DNOW, false }, { "max-amd", FEAT_VNMI, true },
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		CHECK_EQ(feature_has(&model_find(facts[i].name)->features, facts[i].feature), facts[i].present);
}

TEST("what this version does not implement is in no effective set, and cannot be added")
{
	for (size_t i = 0; i < model_count(); i++) {
		CHECK(parse(model_at(i)->name));
		for (enum feature f = 0; f < FEAT_COUNT; f++)
			CHECK(!has(f) || !model_not_yet(f));
	}
	CHECK(!parse("max-intel,+vmx"));
	CHECK(strstr(error, "'vmx'") && strstr(error, "VT-x"));
	CHECK(!parse("max-amd,+npt"));
	CHECK(strstr(error, "'npt'"));
	CHECK(parse("max-intel,-vmx"));
}

TEST("removing a feature removes what needs it, and nothing else")
{
	CHECK(parse("max-intel,-avx"));
	CHECK(!has(FEAT_AVX) && !has(FEAT_AVX2) && !has(FEAT_FMA) && !has(FEAT_F16C));
	CHECK(has(FEAT_XSAVE) && has(FEAT_SSE4_2) && has(FEAT_AES));
	CHECK(parse("max-intel,-xsave"));
	CHECK(!has(FEAT_AVX) && !has(FEAT_XSAVES) && !has(FEAT_PKU) && has(FEAT_SSE4_2));
	CHECK(parse("max-intel,-lm"));
	CHECK(!has(FEAT_LA57) && !has(FEAT_PCID) && has(FEAT_PAE));
}

TEST("adding a feature adds what it needs")
{
	CHECK(parse("core2-novt"));
	CHECK(!has(FEAT_AVX2));
	CHECK(parse("core2-novt,+avx2"));
	CHECK(has(FEAT_AVX2) && has(FEAT_AVX) && has(FEAT_XSAVE) && has(FEAT_SSE4_2) && !has(FEAT_FMA));
}

TEST("words act from left to right")
{
	CHECK(parse("max-intel,-avx,+fma"));
	CHECK(has(FEAT_FMA) && has(FEAT_AVX) && !has(FEAT_AVX2));
	CHECK(parse("max-intel,+fma,-avx"));
	CHECK(!has(FEAT_FMA));
}

TEST("a guest is told that it has a hypervisor, unless it shall not be")
{
	CHECK(parse("haswell"));
	CHECK(has(FEAT_HYPERVISOR));
	CHECK(parse("haswell,-hypervisor"));
	CHECK(!has(FEAT_HYPERVISOR));
}

TEST("an error names the word and the nearest name")
{
	CHECK(!parse("hasswell"));
	CHECK(strstr(error, "'hasswell'") && strstr(error, "'haswell'"));
	CHECK(!parse("haswell,+avx3"));
	CHECK(strstr(error, "'avx3'") && strstr(error, "'avx"));
	CHECK(!parse("haswell,smap"));
	CHECK(strstr(error, "'smap'"));
	CHECK(!parse("haswell,"));
	CHECK(!parse("haswell,,+avx"));
	CHECK(!parse("haswell,+"));
	CHECK(!parse("haswell,+base"));
	CHECK(!parse(""));
	CHECK(!parse("haswell,+this-is-a-very-long-word-that-no-table-holds-and-that-must-not-run-past-any-buffer"));
	CHECK(strlen(error) < sizeof(error));
}

TEST("what the host's CPU cannot execute is left out with what needs it, and said")
{
	struct feature_set host = everything();

	feature_set(&host, FEAT_AVX, false);
	CHECK(model_parse_for_host("max-intel", &host, &model, &features, error, sizeof(error), notes, sizeof(notes)));
	CHECK(!has(FEAT_AVX) && !has(FEAT_AVX2) && has(FEAT_SSE4_2));
	CHECK(strstr(notes, " avx") && strstr(notes, " avx2"));
	CHECK(model_parse_for_host("conroe", &host, &model, &features, error, sizeof(error), notes, sizeof(notes)));
	CHECK_EQ(notes[0], 0);
	/* What the interpreter does itself depends on no host. */
	feature_set(&host, FEAT_SMAP, false);
	CHECK(model_parse_for_host("max-intel", &host, &model, &features, error, sizeof(error), notes, sizeof(notes)));
	CHECK(has(FEAT_SMAP));
}

TEST("this host has at least what every x86-64 processor has")
{
	struct feature_set host;

	host_features(&host);
	CHECK(feature_has(&host, FEAT_MMX) && feature_has(&host, FEAT_MMXEXT));
	CHECK(feature_has(&host, FEAT_SSE) && feature_has(&host, FEAT_SSE2));
	CHECK(!feature_has(&host, FEAT_SMAP));
	CHECK(!!__builtin_cpu_supports("avx2") == feature_has(&host, FEAT_AVX2));
	CHECK(!!__builtin_cpu_supports("sse4.2") == feature_has(&host, FEAT_SSE4_2));
	CHECK(!!__builtin_cpu_supports("fma") == feature_has(&host, FEAT_FMA));
}

TEST("a signature spreads family and model over their fields")
{
	CHECK_EQ(model_signature(model_find("haswell")), 0x306c3);
	CHECK_EQ(model_signature(model_find("486")), 0x480);
	CHECK_EQ(model_signature(model_find("zen3")), 0xa00f11);
	CHECK_EQ(model_signature(model_find("pentium4")), 0xf29);
}

/* ---- format ---- */

#define FORMATS(want, ...) \
	do { \
		char got_[80]; \
		size_t length_ = format(got_, sizeof(got_), __VA_ARGS__); \
		CHECK_EQ(length_, strlen(want)); \
		CHECK(!strcmp(got_, want)); \
	} while (0)

TEST("format writes what snprintf writes")
{
	FORMATS("plain 100%", "plain 100%%");
	FORMATS("a=-5 b=7 c=x", "a=%d b=%u c=%c", -5, 7u, 'x');
	FORMATS("ff FF 0xff 0", "%x %X %#x %#x", 255u, 255u, 255u, 0u);
	FORMATS("0000002a|  2a|2a  |", "%08x|%4x|%-4x|", 42u, 42u, 42u);
	FORMATS("-0042 +7  7", "%05d %+d % d", -42, 7, 7);
	FORMATS("18446744073709551615 -9223372036854775808", "%llu %lld", ~0ull, (long long)INT64_MIN);
	FORMATS("123456789abcdef0 77", "%lx %zu", 0x123456789abcdef0ul, (size_t)77);
	FORMATS("abc|   ab|ab   |a", "%s|%5s|%-5s|%.1s", "abc", "ab", "ab", "abc");
	FORMATS("ab   5 007 1ff", "%.*s %*d %.3d %hx", 2, "abc", 3, 5, 7, (unsigned short)0x1ff);
	FORMATS("ff 0xdead", "%hhx %p", (unsigned char)0xff, (void *)0xdead);
}

TEST("format always ends the text within its size and tells the whole length")
{
	char out[4] = "###";

	CHECK_EQ(format(out, sizeof(out), "%s", "abcdef"), 6);
	CHECK(!strcmp(out, "abc"));
	CHECK_EQ(format(out, 1, "%d", 12345), 5);
	CHECK_EQ(out[0], 0);
	CHECK_EQ(format(NULL, 0, "%d", 123), 3);
}

/*
 * CPU models: the generations of processors that a guest can be shown, as rows of models.def.
 *
 * A model's features are what the silicon had. What a guest gets is the effective set: those, minus what this version
 * does not implement (model_not_yet, one place), with the user's +feature and -feature applied and dependencies closed,
 * minus SIMD that the host cannot execute (the interpreter runs SIMD instructions on the host's CPU).
 */
#ifndef X86_MODEL_H
#define X86_MODEL_H

#include "base/compiler.h"
#include "x86/feature.h"

#define MODEL_DEFAULT "max-intel"

/* The guest's TSC, the core crystal clock and the local APIC's timer all run at exactly this rate. */
#define MODEL_TSC_HZ 1000000000ull

enum model_vendor { VENDOR_INTEL, VENDOR_AMD };

/* One cache as leaves 4 and 0x8000001d report it. */
struct model_cache {
	u8 level;        /* 1-3; 0: no such cache */
	u8 type;         /* 1 data, 2 instruction, 3 unified */
	u16 kib;
	u8 ways;
	bool shared;     /* by all cores of the socket */
};

#define MODEL_CACHES 4

struct cpu_model {
	const char *name;
	enum model_vendor vendor;
	u16 family;
	u8 model, stepping;
	const char *brand;       /* what /proc/cpuinfo calls it; at most 47 characters */
	u32 max_leaf;            /* highest basic leaf */
	u32 max_extended_leaf;   /* highest 0x8000xxxx leaf, 0 if there are none */
	u8 physical_bits;
	u8 linear_bits;          /* 32, 48 or 57 */
	struct model_cache cache[MODEL_CACHES];
	struct feature_set features; /* what the silicon had */
	const char *description; /* one line */
};

size_t model_count(void);
const struct cpu_model *model_at(size_t index); /* oldest first, Intel's before AMD's */
const struct cpu_model *model_find(const char *name); /* NULL if there is none */

/* Leaf 1's EAX and RDX after reset: family, model and stepping ("Processor Signature"). */
u32 model_signature(const struct cpu_model *model);

/*
 * Parses "MODEL[,+feature,-feature...]". On success *features is the effective set, closed under dependencies, and
 * notes (size 0: not wanted) a line about the features left out because the host lacks them, or "". On failure returns
 * false with one line in error naming the word and the nearest valid one.
 */
MUST_USE bool model_parse(const char *spec, const struct cpu_model **model, struct feature_set *features, char *error,
			  size_t error_size, char *notes, size_t notes_size);

/* model_parse for a given host, for tests: host holds the SIMD features that the host's CPU can execute. */
MUST_USE bool model_parse_for_host(const char *spec, const struct feature_set *host, const struct cpu_model **model,
				   struct feature_set *features, char *error, size_t error_size, char *notes,
				   size_t notes_size);

/* Why this version does not show the feature; NULL if it does. */
const char *model_not_yet(enum feature feature);

/* "avx2", or FEAT_COUNT if there is none by that name. */
enum feature feature_find(const char *name, size_t length);
const char *feature_name(enum feature feature);

#endif

/*
 * CPUID's leaves about caches and about how processors are arranged: one socket of cores with one thread each.
 *
 * Both vendors describe the same struct model_cache rows, each in formats of several ages.
 */
#include "cpu/cpuid_leaf.h"

#define CACHE_LINE 64u
#define CACHE_DATA 1
#define CACHE_INSTRUCTION 2
#define BYTES_PER_KIB 1024u

static const struct model_cache *find_cache(const struct core *c, unsigned level, unsigned type)
{
	for (unsigned i = 0; i < MODEL_CACHES; i++)
		if (c->model->cache[i].level == level && (type == 0 || c->model->cache[i].type == type))
			return &c->model->cache[i];
	return NULL;
}

/* ---- Intel's cache descriptors ("Encoding of CPUID Leaf 2 Descriptors") ---- */

#define DESCRIPTORS_VALID 0x01u /* in AL: read the leaf once */
#define DESCRIPTOR_ITLB 0x01u   /* 4 KiB pages, 32 entries */
#define DESCRIPTOR_DTLB 0x03u   /* 4 KiB pages, 64 entries */
#define DESCRIPTOR_SEE_LEAF_4 0xffu
#define LEAF_CACHE_PARAMETERS 4

static const struct {
	u8 level, type;
	u16 kib;
	u8 ways, code;
} descriptors[] = {
	{ 1, CACHE_INSTRUCTION, 8, 4, 0x06 }, { 1, CACHE_INSTRUCTION, 16, 4, 0x08 }, { 1, CACHE_DATA, 8, 2, 0x0a },
	{ 1, CACHE_DATA, 16, 4, 0x0c }, { 1, CACHE_DATA, 8, 4, 0x66 }, { 2, 3, 256, 4, 0x42 },
	{ 2, 3, 256, 8, 0x82 }, { 2, 3, 512, 8, 0x83 },
};

static u32 cache_descriptor(const struct model_cache *cache)
{
	for (size_t i = 0; i < ARRAY_LENGTH(descriptors); i++)
		if (descriptors[i].level == cache->level && descriptors[i].type == cache->type &&
		    descriptors[i].kib == cache->kib && descriptors[i].ways == cache->ways)
			return descriptors[i].code;
	return 0;
}

void cpuid_leaf_cache_descriptors(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	unsigned shift = 0;

	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = DESCRIPTORS_VALID | DESCRIPTOR_ITLB << 8 | DESCRIPTOR_DTLB << 16;
	if (c->model->max_leaf >= LEAF_CACHE_PARAMETERS) {
		out[CPUID_EDX] = DESCRIPTOR_SEE_LEAF_4;
		return;
	}
	for (unsigned i = 0; i < MODEL_CACHES; i++) {
		u32 code = c->model->cache[i].level ? cache_descriptor(&c->model->cache[i]) : 0;

		if (!code)
			continue;
		out[CPUID_EDX] |= code << shift;
		shift += 8;
	}
}

/* ---- deterministic cache parameters, the same format for both vendors ---- */

static u32 cache_sets(const struct model_cache *cache)
{
	return cache->kib * BYTES_PER_KIB / cache->ways / CACHE_LINE;
}

static void cache_parameters(const struct core *c, u32 subleaf, u32 out[4])
{
	const struct model_cache *cache;
	u32 sharing;

	if (subleaf >= MODEL_CACHES || !c->model->cache[subleaf].level)
		return;
	cache = &c->model->cache[subleaf];
	sharing = cache->shared ? 1u << cpuid_core_bits(c) : 1;
	out[CPUID_EAX] = cache->type | (u32)cache->level << 5 | 1u << 8 | (sharing - 1) << 14;
	out[CPUID_EBX] = (CACHE_LINE - 1) | (cache->ways - 1u) << 22;
	out[CPUID_ECX] = cache_sets(cache) - 1;
}

void cpuid_leaf_cache_parameters(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	cache_parameters(c, subleaf, out);
	if (out[CPUID_EAX])
		out[CPUID_EAX] |= ((1u << cpuid_core_bits(c)) - 1) << 26;
}

void cpuid_leaf_amd_cache_parameters(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	if (feature_has(&c->features, FEAT_TOPOEXT))
		cache_parameters(c, subleaf, out);
}

/* ---- AMD's older cache leaves ("L1 Cache and TLB Identifiers", "L2 Cache and TLB and L3 Cache Identifiers") ---- */

static u32 l1_identifier(const struct model_cache *cache)
{
	return cache ? (u32)cache->kib << 24 | (u32)cache->ways << 16 | 1u << 8 | CACHE_LINE : 0;
}

void cpuid_leaf_l1_caches(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	out[CPUID_ECX] = l1_identifier(find_cache(c, 1, CACHE_DATA));
	out[CPUID_EDX] = l1_identifier(find_cache(c, 1, CACHE_INSTRUCTION));
}

/* The associativity code of a number of ways, rounded down to one that has a code. */
static u32 associativity(unsigned ways)
{
	static const struct {
		u8 ways, code;
	} codes[] = { { 64, 0xc }, { 48, 0xb }, { 32, 0xa }, { 16, 8 }, { 8, 6 }, { 4, 4 }, { 2, 2 } };

	for (size_t i = 0; i < ARRAY_LENGTH(codes); i++)
		if (ways >= codes[i].ways)
			return codes[i].code;
	return 1;
}

#define L3_UNIT_KIB 512u

void cpuid_leaf_l2_l3_caches(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	const struct model_cache *l2 = find_cache(c, 2, 0), *l3 = find_cache(c, 3, 0);

	(void)leaf;
	(void)subleaf;
	if (l2)
		out[CPUID_ECX] = (u32)l2->kib << 16 | associativity(l2->ways) << 12 | CACHE_LINE;
	if (!c->amd)
		return;
	out[CPUID_ECX] |= l2 ? 1u << 8 : 0;
	if (l3)
		out[CPUID_EDX] = l3->kib / L3_UNIT_KIB << 18 | associativity(l3->ways) << 12 | 1u << 8 | CACHE_LINE;
}

/* ---- topology ---- */

enum topology_type { TOPOLOGY_NONE, TOPOLOGY_THREAD, TOPOLOGY_CORE };

/* Leaves 0xb and 0x1f; AMD has them on processors with x2APIC. */
void cpuid_leaf_topology(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	enum topology_type type = subleaf == 0 ? TOPOLOGY_THREAD : subleaf == 1 ? TOPOLOGY_CORE : TOPOLOGY_NONE;

	(void)leaf;
	if (c->amd && !feature_has(&c->features, FEAT_X2APIC))
		return;
	if (type == TOPOLOGY_THREAD)
		out[CPUID_EBX] = 1;
	if (type == TOPOLOGY_CORE) {
		out[CPUID_EAX] = cpuid_core_bits(c);
		out[CPUID_EBX] = cpuid_processors(c);
	}
	out[CPUID_ECX] = (subleaf & 0xff) | (u32)type << 8;
	out[CPUID_EDX] = c->processor;
}

/* Extended APIC ID, and the core's number; one thread per core, one node. */
void cpuid_leaf_amd_topology(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	if (!feature_has(&c->features, FEAT_TOPOEXT))
		return;
	out[CPUID_EAX] = c->processor;
	out[CPUID_EBX] = c->processor & 0xff;
}

/*
 * CPUID: which leaf answers, and the leaves about identity, features and sizes. See cpuid.h.
 *
 * A leaf is the feature bits that feature.def places there, then what its function in cpuid.def adds or takes away.
 * Caches and topology are in cpuid_cache.c.
 */
#include "cpu/cpuid.h"
#include "base/string.h"
#include "cpu/control.h"
#include "cpu/cpuid_leaf.h"
#include "cpu/xsave.h"
#include "x86/msr.h"

#define LEAF_STRUCTURED_FEATURES 0x7u
#define LEAF_XSAVE 0xdu
#define LEAF_EXTENDED BIT(31)
#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_HYPERVISOR_LAST 0x400000ffu
#define LEAF_HYPERVISOR_MAX 0x40000010u

enum { NONE = 4 };

static const struct place {
	u32 leaf, subleaf;
	u8 reg, bit;
} place[FEAT_COUNT] = {
#define EAX CPUID_EAX
#define EBX CPUID_EBX
#define ECX CPUID_ECX
#define EDX CPUID_EDX
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = { leaf, subleaf, reg, bit },
#include "x86/feature.def"
#undef FEATURE
#undef EAX
#undef EBX
#undef ECX
#undef EDX
};

enum leaf_vendor { LEAF_ANY, LEAF_INTEL, LEAF_AMD };

static const struct leaf {
	u32 first, last;
	u8 vendor;
	cpuid_leaf_fn *fn;
} leaves[] = {
#define LEAF(first, last, vendor, function) { first, last, LEAF_##vendor, cpuid_leaf_##function },
#include "x86/cpuid.def"
};

static bool has(const struct core *c, enum feature f)
{
	return feature_has(&c->features, f);
}

/* ---- vendor and version ---- */

#define LIMITED_LEAF 2u

/* The highest leaf of the range that starts at base: the model's, or higher if an added feature is reported there. */
static u32 highest_leaf(const struct core *c, u32 base)
{
	u32 highest = base ? c->model->max_extended_leaf : c->model->max_leaf;

	for (enum feature f = 0; f < FEAT_COUNT; f++)
		if (has(c, f) && place[f].reg != NONE && (place[f].leaf & LEAF_EXTENDED) == base)
			highest = (u32)max_u64(highest, place[f].leaf);
	if (!base && !c->amd && c->cpu.misc_enable & MISC_ENABLE_LIMIT_CPUID)
		highest = (u32)min_u64(highest, LIMITED_LEAF);
	return highest;
}

static u32 highest_subleaf(const struct core *c, u32 leaf)
{
	u32 highest = 0;

	for (enum feature f = 0; f < FEAT_COUNT; f++)
		if (has(c, f) && place[f].reg != NONE && place[f].leaf == leaf)
			highest = (u32)max_u64(highest, place[f].subleaf);
	return highest;
}

/* Twelve characters in the given three registers. */
static void put_signature(u32 out[4], const char text[12], unsigned first, unsigned second, unsigned third)
{
	memcpy(&out[first], text, 4);
	memcpy(&out[second], text + 4, 4);
	memcpy(&out[third], text + 8, 4);
}

static void put_vendor(const struct core *c, u32 out[4])
{
	put_signature(out, c->amd ? "AuthenticAMD" : "GenuineIntel", CPUID_EBX, CPUID_EDX, CPUID_ECX);
}

void cpuid_leaf_vendor(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = highest_leaf(c, 0);
	put_vendor(c, out);
}

void cpuid_leaf_extended_vendor(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = highest_leaf(c, LEAF_EXTENDED);
	if (c->amd)
		put_vendor(c, out);
}

#define VERSION_EDX_APIC BIT(9)
#define VERSION_EDX_HTT BIT(28)
#define VERSION_ECX_MONITOR BIT(3)
#define VERSION_ECX_OSXSAVE BIT(27)
#define CLFLUSH_QWORDS 8u

#define APIC_BASE_EN BIT(11)

/* Takes away what the operating system has turned off. */
static void version_dynamic(const struct core *c, u32 out[4])
{
	if (!(c->cpu.apic_base & APIC_BASE_EN))
		out[CPUID_EDX] &= ~(u32)VERSION_EDX_APIC;
	if (!c->amd && !(c->cpu.misc_enable & MISC_ENABLE_MONITOR))
		out[CPUID_ECX] &= ~(u32)VERSION_ECX_MONITOR;
	if (c->cpu.cr4 & CR4_OSXSAVE)
		out[CPUID_ECX] |= VERSION_ECX_OSXSAVE;
}

void cpuid_leaf_version(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = model_signature(c->model);
	out[CPUID_EBX] = (has(c, FEAT_CLFSH) ? CLFLUSH_QWORDS << 8 : 0) | (c->processor & 0xff) << 24;
	if (cpuid_processors(c) > 1) {
		out[CPUID_EBX] |= (u32)min_u64(cpuid_processors(c), 255) << 16;
		out[CPUID_EDX] |= VERSION_EDX_HTT;
	}
	version_dynamic(c, out);
}

#define EXTENDED_EDX_SYSCALL BIT(11)
#define EXTENDED_EDX_APIC BIT(9)
#define EXTENDED_EDX_NX BIT(20)
#define EXTENDED_ECX_CMP_LEGACY BIT(1)
/* The bits of leaf 1's EDX that AMD repeats. */
#define EXTENDED_EDX_SHARED (BITS(9, 0) | BITS(17, 12) | BITS(24, 23))

/* Intel's processors show SYSCALL in 64-bit mode only, as they have it there only. */
void cpuid_leaf_extended_version(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	u32 version[4];

	(void)leaf;
	(void)subleaf;
	if (!c->amd) {
		if (!cpu_in_64bit_mode(&c->cpu))
			out[CPUID_EDX] &= ~(u32)EXTENDED_EDX_SYSCALL;
		if (c->cpu.misc_enable & MISC_ENABLE_XD_DISABLE)
			out[CPUID_EDX] &= ~(u32)EXTENDED_EDX_NX;
		return;
	}
	cpuid_read(c, 1, 0, version);
	out[CPUID_EAX] = version[CPUID_EAX];
	out[CPUID_EDX] |= version[CPUID_EDX] & (u32)EXTENDED_EDX_SHARED;
	if (cpuid_processors(c) > 1)
		out[CPUID_ECX] |= EXTENDED_ECX_CMP_LEGACY;
}

#define BRAND_BYTES 48

void cpuid_leaf_brand(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	char brand[BRAND_BYTES] = { 0 };

	(void)subleaf;
	memcpy(brand, c->model->brand, min_u64(strlen(c->model->brand), BRAND_BYTES - 1));
	memcpy(out, brand + (leaf - (LEAF_EXTENDED + 2)) * 16, 16);
}

/* ---- features and sizes ---- */

#define MONITOR_LINE 64u
#define MONITOR_ENUMERATED BIT(0)      /* the bits of ECX and EDX mean something */
#define MONITOR_INTERRUPT_BREAK BIT(1) /* MWAIT can be woken by masked interrupts */

/* No C-state is offered beyond what EDX = 0 says, so that kernels idle with HLT. */
void cpuid_leaf_monitor(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	if (!has(c, FEAT_MONITOR))
		return;
	out[CPUID_EAX] = MONITOR_LINE;
	out[CPUID_EBX] = MONITOR_LINE;
	out[CPUID_ECX] = MONITOR_ENUMERATED | MONITOR_INTERRUPT_BREAK;
}

#define STRUCTURED_ECX_OSPKE BIT(4)

void cpuid_leaf_structured_features(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	if (subleaf)
		return;
	out[CPUID_EAX] = highest_subleaf(c, leaf);
	if (c->cpu.cr4 & CR4_PKE)
		out[CPUID_ECX] |= STRUCTURED_ECX_OSPKE;
}

static void xsave_main(const struct core *c, u32 out[4])
{
	u64 components = control_xcr0_allowed(c);

	out[CPUID_EAX] = (u32)components;
	out[CPUID_EBX] = xsave_area_bytes(c->cpu.xcr0, false);
	out[CPUID_ECX] = xsave_area_bytes(components, false);
	out[CPUID_EDX] = (u32)(components >> 32);
}

static void xsave_extended(const struct core *c, u32 out[4])
{
	if (has(c, FEAT_XSAVES))
		out[CPUID_EBX] = xsave_area_bytes(c->cpu.xcr0 | c->cpu.xss, true);
	else if (has(c, FEAT_XSAVEC))
		out[CPUID_EBX] = xsave_area_bytes(c->cpu.xcr0, true);
	out[CPUID_ECX] = (u32)control_xss_allowed(c);
	out[CPUID_EDX] = (u32)(control_xss_allowed(c) >> 32);
}

void cpuid_leaf_xsave(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	if (!has(c, FEAT_XSAVE))
		return;
	if (subleaf == 0) {
		xsave_main(c, out);
	} else if (subleaf == 1) {
		xsave_extended(c, out);
	} else if (subleaf < 63 && control_xcr0_allowed(c) >> subleaf & 1) {
		out[CPUID_EAX] = xsave_component_bytes(subleaf);
		out[CPUID_EBX] = xsave_component_offset(subleaf);
	}
}

#define LINEAR_BITS 48u
#define LINEAR_BITS_LA57 57u

void cpuid_leaf_sizes(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	u32 linear = has(c, FEAT_LA57) ? LINEAR_BITS_LA57 : has(c, FEAT_LM) ? LINEAR_BITS : c->model->linear_bits;

	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = c->physical_bits | linear << 8;
	if (c->amd)
		out[CPUID_ECX] = (cpuid_processors(c) - 1) | cpuid_core_bits(c) << 12;
}

#define SVM_REVISION 1u
#define SVM_ASIDS 0x8000u

void cpuid_leaf_svm(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)leaf;
	(void)subleaf;
	if (!has(c, FEAT_SVM))
		return;
	out[CPUID_EAX] = SVM_REVISION;
	out[CPUID_EBX] = SVM_ASIDS;
}

/* ---- time and the hypervisor ---- */

#define HZ_PER_KHZ 1000u
#define HZ_PER_MHZ 1000000u
#define BUS_MHZ 100u

/* TSC = crystal * EBX / EAX. The local APIC's timer counts the crystal. */
void cpuid_leaf_crystal(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)c;
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = 1;
	out[CPUID_EBX] = 1;
	out[CPUID_ECX] = MODEL_TSC_HZ;
}

void cpuid_leaf_frequency(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)c;
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = MODEL_TSC_HZ / HZ_PER_MHZ;
	out[CPUID_EBX] = MODEL_TSC_HZ / HZ_PER_MHZ;
	out[CPUID_ECX] = BUS_MHZ;
}

void cpuid_leaf_hypervisor(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)c;
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = LEAF_HYPERVISOR_MAX;
	put_signature(out, "SubringHV\0\0", CPUID_EBX, CPUID_ECX, CPUID_EDX);
}

void cpuid_leaf_hypervisor_frequency(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	(void)c;
	(void)leaf;
	(void)subleaf;
	out[CPUID_EAX] = MODEL_TSC_HZ / HZ_PER_KHZ;
	out[CPUID_EBX] = MODEL_TSC_HZ / HZ_PER_KHZ;
}

/* ---- which leaf answers ---- */

static bool leaf_exists(const struct core *c, u32 leaf)
{
	if (leaf >= LEAF_HYPERVISOR && leaf <= LEAF_HYPERVISOR_LAST)
		return has(c, FEAT_HYPERVISOR);
	return leaf <= highest_leaf(c, leaf & LEAF_EXTENDED);
}

static void put_features(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	for (enum feature f = 0; f < FEAT_COUNT; f++) {
		const struct place *p = &place[f];

		if (p->reg != NONE && p->leaf == leaf && p->subleaf == subleaf && has(c, f))
			out[p->reg] |= 1u << p->bit;
	}
}

static bool leaf_matches(const struct core *c, const struct leaf *row, u32 leaf)
{
	return row->first <= leaf && leaf <= row->last &&
	       (row->vendor == LEAF_ANY || (row->vendor == LEAF_AMD) == c->amd);
}

/* Leaves whose feature bits are the same for every subleaf. */
static bool ignores_subleaf(u32 leaf)
{
	return leaf != LEAF_STRUCTURED_FEATURES && leaf != LEAF_XSAVE;
}

void cpuid_read(const struct core *c, u32 leaf, u32 subleaf, u32 out[4])
{
	memset(out, 0, 4 * sizeof(*out));
	if (!leaf_exists(c, leaf)) {
		if (c->amd)
			return;
		leaf = highest_leaf(c, 0); /* Intel's answer as their highest basic leaf does */
	}
	put_features(c, leaf, ignores_subleaf(leaf) ? 0 : subleaf, out);
	for (size_t i = 0; i < ARRAY_LENGTH(leaves); i++)
		if (leaf_matches(c, &leaves[i], leaf))
			leaves[i].fn(c, leaf, subleaf, out);
}

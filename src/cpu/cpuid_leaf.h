/* The functions that cpuid.def names: each adds its leaf's contents to out, which holds the leaf's feature bits. */
#ifndef CPU_CPUID_LEAF_H
#define CPU_CPUID_LEAF_H

#include "cpu/cpuid.h"
#include "x86/model.h"

typedef void cpuid_leaf_fn(const struct core *c, u32 leaf, u32 subleaf, u32 out[4]);

#define LEAF(first, last, vendor, function) cpuid_leaf_fn cpuid_leaf_##function;
#include "x86/cpuid.def"

/* Cores in the one socket, at least 1; a core is one thread. */
static inline u32 cpuid_processors(const struct core *c)
{
	return c->processors ? c->processors : 1;
}

/* The low bits of an APIC ID that number the cores. */
static inline u32 cpuid_core_bits(const struct core *c)
{
	u32 bits = 0;

	while (1u << bits < cpuid_processors(c))
		bits++;
	return bits;
}

#endif

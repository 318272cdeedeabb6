/*
 * What CPUID answers: the features of the core, its model's identity, and the bits that follow the processor's state.
 */
#ifndef CPU_CPUID_H
#define CPU_CPUID_H

#include "cpu/core.h"

/* Registers in the order of out[]. */
enum cpuid_register { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* Any leaf and subleaf; those that the processor lacks answer as the vendor's processors do. */
void cpuid_read(const struct core *c, u32 leaf, u32 subleaf, u32 out[4]);

#endif

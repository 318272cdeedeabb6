/* The model-specific registers by their manual names: MSR_IA32_EFER and so on, from msr.def. */
#ifndef X86_MSR_H
#define X86_MSR_H

#include "base/types.h"

enum msr {
#define STORED(name, number, ...) MSR_##name = number,
#define MASKED(name, number, ...) MSR_##name = number,
#define ADDRESS(name, number, ...) MSR_##name = number,
#define CONSTANT(name, number, ...) MSR_##name = number,
#define IGNORED(name, number, ...) MSR_##name = number,
#define COMPUTED(name, first, last, ...) MSR_##name = first,
#include "x86/msr.def"
};

/* Distances inside ranges. */
#define MSR_MC_STRIDE 4 /* MCi_CTL, MCi_STATUS, MCi_ADDR, MCi_MISC */

#endif

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

/* IA32_MISC_ENABLE */
#define MISC_ENABLE_FAST_STRINGS BIT(0)
#define MISC_ENABLE_THERMAL BIT(3)
#define MISC_ENABLE_BTS_UNAVAILABLE BIT(11)
#define MISC_ENABLE_PEBS_UNAVAILABLE BIT(12)
#define MISC_ENABLE_SPEEDSTEP BIT(16)
#define MISC_ENABLE_MONITOR BIT(18)
#define MISC_ENABLE_LIMIT_CPUID BIT(22)
#define MISC_ENABLE_XTPR_DISABLE BIT(23)
#define MISC_ENABLE_XD_DISABLE BIT(34)

/* Distances inside ranges. */
#define MSR_MC_STRIDE 4 /* MCi_CTL, MCi_STATUS, MCi_ADDR, MCi_MISC */

#endif

/*
 * Reading and writing model-specific registers by number.
 *
 * RDMSR and WRMSR come here, and so will the MSR lists of VM entries and exits. Which registers exist, on whose
 * processors, with which features, and which of their bits can be written is said in x86/msr.def alone.
 */
#ifndef CPU_MSR_H
#define CPU_MSR_H

#include "cpu/core.h"

/* false: #GP(0) is due (no such MSR here, or a value it refuses), nothing has changed. The CPL is not checked. */
MUST_USE bool msr_read(struct core *c, u32 msr, u64 *value);
MUST_USE bool msr_write(struct core *c, u32 msr, u64 value);

/* What power-on or RESET leaves in the MSRs whose initial value is not 0. INIT leaves MSRs as they are. */
void msr_reset(struct core *c);

/* The time-stamp counter as the guest reads it. Set c->op first when called for an instruction. */
u64 msr_tsc(struct core *c);

#endif

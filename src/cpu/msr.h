/*
 * Reading and writing model-specific registers by number.
 *
 * RDMSR and WRMSR come here, and so will the VM-entry and VM-exit MSR lists. Which registers exist, on which vendor's
 * processors, with which features, and which of their bits can be written is said in x86/msr.def alone.
 */
#ifndef CPU_MSR_H
#define CPU_MSR_H

#include "cpu/core.h"

/* false: #GP(0) is due (no such MSR on this processor, or a value it refuses); nothing has changed. Neither checks the CPL. */
MUST_USE bool msr_read(struct core *c, u32 msr, u64 *value);
MUST_USE bool msr_write(struct core *c, u32 msr, u64 value);

/* What power-on or RESET (init false) and INIT (init true) leave in every MSR that is a field of struct cpu, except EFER. */
void msr_reset(struct core *c, bool init);

/* The time-stamp counter as the guest reads it. Set c->op first when called for an instruction. */
u64 msr_tsc(struct core *c);

#endif

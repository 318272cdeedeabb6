/*
 * The x87 unit of a core.
 *
 * While every exception is masked, the guest's x87 registers live in the host's: they are loaded by the first x87 instruction
 * that a core runs and stored again by x87_spill() when something else wants them, so that each instruction in
 * between is the host's own and nothing more. While live, cpu.x87 holds the control word and the last instruction's
 * pointers only. An unmasked exception, which must never reach the host as a trap, takes the slow way: one instruction at a
 * time between FXRSTOR and FXSAVE.
 */
#ifndef CPU_X87_H
#define CPU_X87_H

#include "cpu/core.h"

/* core.x87_blocked: why an x87 instruction must not simply run. */
#define X87_UNAVAILABLE BIT(0) /* CR0.EM or CR0.TS: #NM */
#define X87_NOT_LIVE BIT(1)    /* the guest's registers are not in the host's */
#define X87_UNMASKED BIT(2)    /* an exception is unmasked in FCW */

/* Stores the guest's registers back to cpu.x87, if they are live. Before anything else touches cpu.x87 or the host's x87. */
void x87_spill(struct core *c);

/* After CR0 changed, or cpu.x87 from outside. */
void x87_mode_changed(struct core *c);

/*
 * The way to run for op: X87_RUN_LIVE when the host's registers hold the guest's and op may run on them, X87_RUN_ALONE
 * when an exception is unmasked, X87_RUN_FAULT when #NM or #MF was raised. Called if x87_blocked is not 0.
 */
enum x87_run { X87_RUN_LIVE, X87_RUN_ALONE, X87_RUN_FAULT };
MUST_USE enum x87_run x87_prepare(struct core *c, const struct op *op);

/* Host code for one x87 instruction, with a memory operand at [rdi] if it has one: what runs live, and what runs alone. */
typedef u32 x87_code_fn(void *memory, u32 status);

/* Runs code on registers loaded from cpu.x87 under the guest's control word, and stores them there. */
u32 x87_run_alone(struct core *c, x87_code_fn *code, void *memory);

/* FSW.ES and FSW.B by FCW. */
void x87_summarize(struct cpu_x87 *x87);

/* #MF for an exception that an earlier instruction left pending, or #NM. false: raised. */
MUST_USE bool x87_check(struct core *c, const struct op *op, bool waits);

#endif

/* What the executors of vector instructions share: exec_simd*.c. */
#ifndef CPU_EXEC_SIMD_H
#define CPU_EXEC_SIMD_H

#include "cpu/exec.h"
#include "cpu/simd_stub.h"

/* Bytes of the memory operand, and the address bits that must be 0: the selector leaves them in the op. */
#define SIMD_OPERAND_BYTES(op) ((op)->dst)
#define SIMD_ALIGN_MASK(op) ((op)->src)

/*
 * May an instruction of these classes run now? false: raised, #UD or #NM by "Exceptions Type", or #MF. For the
 * instructions that are executed without a stub.
 */
MUST_USE bool simd_permitted(struct core *c, const struct op *op, u8 classes);

/* "Transitions Between x87 FPU and MMX Code": every tag becomes valid, TOP 0. */
static inline void simd_mmx_transition(struct core *c)
{
	c->cpu.x87.fsw &= (u16)~X87_FSW_TOP;
	c->cpu.x87.empty = 0;
}

/* Reads the memory operand into core.scratch with all checks. false: raised. */
MUST_USE bool simd_fetch_operand(struct core *c, const struct op *op);

/* The linear address of the memory operand that will be written with all its bytes; ok false: raised. */
MUST_USE struct load simd_probe_operand(struct core *c, const struct op *op);

/* Writes core.scratch to the address that simd_probe_operand() returned. */
MUST_USE bool simd_store_operand(struct core *c, const struct op *op, gva_t address);

/* Runs the body of a stub on its own, without going on to the next op. */
void simd_run_body(struct core *c, simd_body_fn *body);

/* A floating-point instruction while an exception is unmasked in MXCSR (exec_simd_float.c). */
simd_hook_fn simd_execute_unmasked;

/* Handler of an instruction that moves elements one by one, NULL for others (exec_simd_masked.c). */
exec_fn *simd_select_masked(const struct insn *i);

#endif

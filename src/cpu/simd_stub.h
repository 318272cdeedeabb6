/*
 * Stubs: host code that executes one guest vector instruction on the guest's registers.
 *
 * A stub's start is an op's handler. It checks with one test that the instruction may run, and falls into the body,
 * which loads the guest's registers, runs the operation, stores the result and goes on to the next op. Where the
 * instruction has a memory operand, the stub first jumps to a C function that finds the operand's host address and
 * then calls the body with it. So the quick path has no call and no return, only jumps.
 */
#ifndef CPU_SIMD_STUB_H
#define CPU_SIMD_STUB_H

#include "cpu/core.h"

/* The rest of a stub. memory: where the memory operand's bytes are, aligned as the instruction wants it. */
typedef enum step simd_body_fn(struct core *c, const struct op *op, void *memory);

/* A C function that a stub jumps to; it may go on by `return body(c, op, memory)`. */
typedef enum step simd_hook_fn(struct core *c, const struct op *op, simd_body_fn *body);

#define SIMD_STUB_MAX 256u

struct simd_code {
	u8 byte[SIMD_STUB_MAX];
	unsigned bytes;
};

/* The SIMD_* classes that a vector instruction belongs to: MMX, SSE, both, or AVX; and FLOAT. */
u8 simd_classes(const struct insn *i);

/* It reads or writes an MMX register: "Transitions Between x87 FPU and MMX Code". */
bool simd_uses_mmx(const struct insn *i);

/*
 * Makes the stub. operand: finds the memory operand, needed if there is one; refuse: called instead of all the rest
 * when a class of the instruction is in core.simd_blocked or an x87 exception waits for an instruction that uses MMX.
 */
void simd_stub_make(const struct insn *i, simd_hook_fn *operand, simd_hook_fn *refuse, struct simd_code *out);

#endif

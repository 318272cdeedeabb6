/*
 * Floating-point vector instructions while the guest has an exception unmasked in MXCSR.
 *
 * The host may never take the exception itself, so the instruction is tried with everything masked and the flags it
 * sets are looked at; if one of them is unmasked the trial's results are put back and the exception is raised
 * ("SIMD Floating-Point Exceptions", "Handling Unmasked Exceptions"). A second trial is needed for underflow:
 * masked, it is reported only when the tiny result is inexact too, but unmasked always. Flushing to zero reports
 * every tiny result. Two things are not as on the processor: beside an unmasked overflow or underflow, PE tells
 * what the masked response would have; and a dot product, which is several operations one after another, reports
 * the flags of them all.
 */
#include "cpu/exec_simd.h"

#include "base/string.h"
#include "cpu/access.h"
#include "cpu/simd.h"

/* Everything that a floating-point vector instruction can change. */
struct trial_state {
	struct cpu_vector vector;
	struct cpu_x87 x87;
	u64 gpr[CPU_GPR_SLOTS];
	u64 status;
};

static void state_save(const struct core *c, struct trial_state *state)
{
	state->vector = c->cpu.vector;
	state->x87 = c->cpu.x87;
	memcpy(state->gpr, c->cpu.gpr, sizeof(state->gpr));
	state->status = c->cpu.status;
}

static void state_restore(struct core *c, const struct trial_state *state)
{
	c->cpu.vector = state->vector;
	c->cpu.x87 = state->x87;
	memcpy(c->cpu.gpr, state->gpr, sizeof(state->gpr));
	c->cpu.status = state->status;
}

/* Runs the instruction with these rounding and denormal controls; returns the MXCSR flags that it sets. */
static u32 trial(struct core *c, simd_body_fn *body, u32 control)
{
	host_mxcsr_write((control & ~(u32)(MXCSR_FLAGS | MXCSR_MISALIGNED_MASK)) | (u32)MXCSR_MASKS);
	simd_run_body(c, body);
	return host_mxcsr_read() & (u32)MXCSR_FLAGS;
}

/* The flags that the instruction sets with the guest's masks; its results are in place afterwards. */
static u32 trial_flags(struct core *c, simd_body_fn *body, const struct trial_state *before, u32 mxcsr)
{
	u32 tiny = 0;

	if (!(mxcsr & MXCSR_UNDERFLOW_MASK)) {
		tiny = trial(c, body, mxcsr | (u32)MXCSR_FTZ) & (u32)MXCSR_UNDERFLOW;
		state_restore(c, before);
		mxcsr &= ~(u32)MXCSR_FTZ; /* it has no effect while underflow is unmasked */
	}
	return trial(c, body, mxcsr) | tiny;
}

static enum step raise_float(struct core *c, const struct op *op)
{
	return core_raise(c, op, c->cpu.cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
}

enum step simd_execute_unmasked(struct core *c, const struct op *op, simd_body_fn *body)
{
	bool store = op->insn.operand[0].kind == OPERAND_MEM;
	u32 mxcsr = simd_mxcsr_read(c), unmasked = ~(mxcsr >> MXCSR_MASKS_SHIFT) & (u32)MXCSR_FLAGS, flags;
	struct load address = { 0, true };
	struct trial_state before;

	if (store)
		address = simd_probe_operand(c, op);
	else if (insn_has_memory_operand(&op->insn))
		address.ok = simd_fetch_operand(c, op);
	if (!address.ok)
		return STEP_FAULT;

	state_save(c, &before);
	flags = trial_flags(c, body, &before, mxcsr);
	if (flags & unmasked) {
		state_restore(c, &before);
		if (flags & unmasked & MXCSR_FLAGS_PRE_COMPUTATION)
			flags &= (u32)MXCSR_FLAGS_PRE_COMPUTATION; /* nothing was computed */
		simd_mxcsr_write(c, mxcsr | flags);
		if (simd_uses_mmx(&op->insn))
			simd_mmx_transition(c); /* that has happened already */
		return raise_float(c, op);
	}
	simd_mxcsr_write(c, mxcsr | flags);
	if (store && !simd_store_operand(c, op, address.value))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/*
 * RET to another segment and IRET, in all modes ("RET", "IRET/IRETD/IRETQ").
 */
#include "cpu/access.h"
#include "cpu/far.h"
#include "cpu/task.h"

/* Slots of IRET's frames, from RSP upward. */
enum { SLOT_RIP, SLOT_CS, SLOT_RFLAGS, SLOT_RSP, SLOT_SS, SLOT_ES, SLOT_DS, SLOT_FS, SLOT_GS, SLOTS };

/* Reads slots [first, first + count) of the current stack. */
static bool peek_slots(struct core *c, const struct op *op, u64 *slot, unsigned first, unsigned count)
{
	unsigned bytes = op->insn.opsize;

	for (unsigned n = first; n < first + count; n++) {
		struct load load = stack_peek(c, op, n * bytes, bytes);

		if (!load.ok)
			return false;
		slot[n] = load.value;
	}
	return true;
}

/* Where a return goes. */
struct target {
	struct cpu_segment cs, ss;
	u64 rip, rsp;
	bool stack; /* ss and rsp are loaded as well */
};

static bool prepare_cs(struct core *c, const struct op *op, struct target *to, u16 selector, u64 rip)
{
	to->rip = rip;
	if (!cpu_segments_are_real(&c->cpu))
		return segment_prepare_code(c, op, VECTOR_GP, selector, CODE_RETURN, &to->cs);
	to->cs = segment_real(c, SEG_CS, selector);
	return true;
}

static bool prepare_ss(struct core *c, const struct op *op, struct target *to, u16 selector, u64 rsp)
{
	unsigned cpl = to->cs.selector & SELECTOR_RPL;
	bool null_allowed = segment_is_64bit(&c->cpu, &to->cs) && cpl < 3;

	to->rsp = rsp;
	to->stack = true;
	return segment_prepare_stack(c, op, VECTOR_GP, selector, cpl, null_allowed, &to->ss);
}

/* popped: bytes taken from the current stack, if it stays. */
static enum step go(struct core *c, const struct op *op, const struct target *to, unsigned popped)
{
	unsigned old_cpl = cpu_cpl(&c->cpu), cpl = to->cs.selector & SELECTOR_RPL;
	u64 mask = stack_mask(c);

	c->cpu.segment[SEG_CS] = to->cs;
	if (to->stack) {
		c->cpu.segment[SEG_SS] = to->ss;
		stack_set_pointer(c, stack_mask_of(&to->ss, segment_is_64bit(&c->cpu, &to->cs)), to->rsp);
		if (cpl > old_cpl)
			segment_drop_privileged(c, cpl);
	} else {
		stack_set_pointer(c, mask, c->cpu.gpr[GPR_RSP] + popped);
	}
	return far_done(c, op, to->rip);
}

enum step exec_ret_far(struct core *c, const struct op *op)
{
	unsigned bytes = op->insn.opsize, released = op->insn.operands ? (u16)op->insn.imm : 0;
	struct target to = { 0 };
	struct load rsp, ss;
	u64 slot[SLOTS];

	if (!peek_slots(c, op, slot, SLOT_RIP, 2) || !prepare_cs(c, op, &to, (u16)slot[SLOT_CS], slot[SLOT_RIP]))
		return STEP_FAULT;
	if (!cpu_segments_are_real(&c->cpu) && (to.cs.selector & SELECTOR_RPL) > cpu_cpl(&c->cpu)) {
		rsp = stack_peek(c, op, 2 * bytes + released, bytes);
		if (!rsp.ok)
			return STEP_FAULT;
		ss = stack_peek(c, op, 3 * bytes + released, bytes);
		/* The parameters stand on both stacks. */
		if (!ss.ok || !prepare_ss(c, op, &to, (u16)ss.value, rsp.value + released))
			return STEP_FAULT;
	}
	if (!segment_check_target(c, op, &to.cs, to.rip))
		return STEP_FAULT;
	return go(c, op, &to, 2 * bytes + released);
}

/* ---- IRET ---- */

/* The flags that IRET at privilege level cpl may change. */
static u64 writable_flags(const struct core *c, unsigned opsize, unsigned cpl)
{
	u64 flags = RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;
	bool wide = opsize > 2;

	if (wide)
		flags |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
	if (cpl <= bits_extract(c->cpu.rflags, 13, 12))
		flags |= RFLAGS_IF;
	if (cpl == 0)
		flags |= RFLAGS_IOPL;
	if (cpl == 0 && wide && !cpu_in_real_mode(&c->cpu))
		flags |= RFLAGS_VIF | RFLAGS_VIP;
	return flags;
}

static void load_flags(struct core *c, u64 image, u64 writable)
{
	cpu_set_rflags(&c->cpu, (cpu_rflags(&c->cpu) & ~writable) | (image & writable));
}

/* Virtual-8086 mode with IOPL below 3: VIF stands for IF, and it may not be set while an interrupt waits. */
static bool virtual_flags(struct core *c, const struct op *op, u64 *image, u64 *writable)
{
	bool enable = *image & RFLAGS_IF;

	if ((enable && (c->cpu.rflags & RFLAGS_VIP)) || (*image & RFLAGS_TF)) {
		(void)core_raise_gp(c, op, 0);
		return false;
	}
	*image |= enable ? RFLAGS_VIF : 0;
	*writable |= RFLAGS_VIF;
	return true;
}

static enum step iret_paragraph(struct core *c, const struct op *op)
{
	u64 writable = writable_flags(c, op->insn.opsize, cpu_cpl(&c->cpu));
	bool virtual = cpu_in_v86_mode(&c->cpu) && (c->cpu.rflags & RFLAGS_IOPL) != RFLAGS_IOPL;
	struct target to = { 0 };
	u64 slot[SLOTS];

	if (virtual && (!(c->cpu.cr4 & CR4_VME) || op->insn.opsize != 2))
		return core_raise_gp(c, op, 0);
	if (!peek_slots(c, op, slot, SLOT_RIP, 3) || !prepare_cs(c, op, &to, (u16)slot[SLOT_CS], slot[SLOT_RIP]) ||
	    !segment_check_target(c, op, &to.cs, to.rip))
		return STEP_FAULT;
	if (virtual && !virtual_flags(c, op, &slot[SLOT_RFLAGS], &writable))
		return STEP_FAULT;
	load_flags(c, slot[SLOT_RFLAGS], writable);
	return go(c, op, &to, 3 * op->insn.opsize);
}

static enum step iret_to_v86(struct core *c, const struct op *op, u64 *slot)
{
	static const struct { u8 segment, slot; } loads[] = {
		{ SEG_CS, SLOT_CS }, { SEG_SS, SLOT_SS }, { SEG_ES, SLOT_ES },
		{ SEG_DS, SLOT_DS }, { SEG_FS, SLOT_FS }, { SEG_GS, SLOT_GS },
	};

	if (!peek_slots(c, op, slot, SLOT_RSP, SLOTS - SLOT_RSP))
		return STEP_FAULT;
	if (slot[SLOT_RIP] > SEGMENT_LIMIT_REAL)
		return core_raise_gp(c, op, 0);
	cpu_set_rflags(&c->cpu, slot[SLOT_RFLAGS]);
	for (unsigned n = 0; n < ARRAY_LENGTH(loads); n++)
		c->cpu.segment[loads[n].segment] = segment_real(c, loads[n].segment, (u16)slot[loads[n].slot]);
	c->cpu.gpr[GPR_RSP] = slot[SLOT_RSP];
	return far_done(c, op, slot[SLOT_RIP]);
}

static enum step iret_protected(struct core *c, const struct op *op)
{
	unsigned cpl = cpu_cpl(&c->cpu), bytes = op->insn.opsize;
	u64 writable = writable_flags(c, bytes, cpl);
	struct target to = { 0 };
	u64 slot[SLOTS];

	if (!peek_slots(c, op, slot, SLOT_RIP, 3))
		return STEP_FAULT;
	if (slot[SLOT_RFLAGS] & RFLAGS_VM && cpl == 0 && bytes == 4 && !cpu_in_long_mode(&c->cpu))
		return iret_to_v86(c, op, slot);
	if (!prepare_cs(c, op, &to, (u16)slot[SLOT_CS], slot[SLOT_RIP]))
		return STEP_FAULT;
	/* 64-bit mode's frames always hold SS and RSP. */
	if (cpu_in_64bit_mode(&c->cpu) || (to.cs.selector & SELECTOR_RPL) > cpl)
		if (!peek_slots(c, op, slot, SLOT_RSP, 2) ||
		    !prepare_ss(c, op, &to, (u16)slot[SLOT_SS], slot[SLOT_RSP]))
			return STEP_FAULT;
	if (!segment_check_target(c, op, &to.cs, to.rip))
		return STEP_FAULT;
	load_flags(c, slot[SLOT_RFLAGS], writable);
	return go(c, op, &to, 3 * bytes);
}

enum step exec_iret(struct core *c, const struct op *op)
{
	/* Even an IRET that faults lets NMIs in again ("Handling Multiple NMIs"; "NMI unblocking due to IRET"). */
	c->cpu.interruptibility &= ~CPU_BLOCKED_BY_NMI;
	if (cpu_segments_are_real(&c->cpu))
		return iret_paragraph(c, op);
	if (!(c->cpu.rflags & RFLAGS_NT))
		return iret_protected(c, op);
	if (cpu_in_long_mode(&c->cpu))
		return core_raise_gp(c, op, 0);
	c->op = op;
	return task_return(c, op, op_next_rip(c, op)) ? STEP_BREAK : STEP_FAULT;
}

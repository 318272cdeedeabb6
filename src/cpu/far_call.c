/*
 * JMP and CALL to another segment: paragraphs, code segments, call gates, task gates and task-state segments
 * ("JMP", "CALL", "Accessing a Code Segment Through a Call Gate", "64-Bit Call Gates").
 */
#include "cpu/access.h"
#include "cpu/far.h"
#include "cpu/task.h"

struct far_pointer {
	u64 offset;
	u16 selector;
};

static bool read_far_pointer(struct core *c, const struct op *op, struct far_pointer *to)
{
	unsigned offset_bytes = op->insn.operand[0].size - 2u;
	u8 bytes[10];

	*to = (struct far_pointer){ op->insn.imm, op->insn.imm2 };
	if (op->insn.operand[0].kind == OPERAND_FAR)
		return true;
	if (!op_read(c, op, bytes, offset_bytes + 2))
		return false;
	to->offset = 0;
	memcpy(&to->offset, bytes, offset_bytes);
	memcpy(&to->selector, bytes + offset_bytes, 2);
	return true;
}

/* The target is known and allowed: what the current stack gets, if it is a call, and the commitment. */
static enum step go(struct core *c, const struct op *op, bool call, const struct cpu_segment *cs, u64 rip,
		    struct frame *f)
{
	if (call) {
		frame_push(f, c->cpu.segment[SEG_CS].selector);
		frame_push(f, op_next_rip(c, op));
	}
	if (!segment_check_target(c, op, cs, rip))
		return STEP_FAULT;
	if (call) {
		if (!frame_write(c, op, f))
			return STEP_FAULT;
		frame_commit(c, f);
	}
	c->cpu.segment[SEG_CS] = *cs;
	return far_done(c, op, rip);
}

static enum step to_segment(struct core *c, const struct op *op, bool call, const struct far_pointer *to)
{
	struct frame f = frame_on_current(c, op->insn.opsize, false);
	struct cpu_segment cs;

	if (cpu_segments_are_real(&c->cpu))
		cs = segment_real(c, SEG_CS, to->selector);
	else if (!segment_prepare_code(c, op, VECTOR_GP, to->selector, CODE_DIRECT, &cs))
		return STEP_FAULT;
	return go(c, op, call, &cs, to->offset, &f);
}

/* CALL to an inner level: its stack, holding the way back to the outer one and a copy of the parameters. */
static bool build_inner_frame(struct core *c, const struct op *op, const struct gate *gate, unsigned cpl,
			      struct frame *f)
{
	unsigned slot = gate->type == DESCRIPTOR_CALL_GATE32 ? 4 : 2;
	struct cpu_segment segment;
	struct load parameter;
	u16 ss;
	u32 esp;

	if (!tss_stack(c, op, cpl, &ss, &esp) || !segment_prepare_stack(c, op, VECTOR_TS, ss, cpl, false, &segment))
		return false;
	*f = frame_on_inner(&segment, esp, slot, false);
	frame_push(f, c->cpu.segment[SEG_SS].selector);
	frame_push(f, c->cpu.gpr[GPR_RSP]);
	for (unsigned n = gate->parameters; n-- > 0;) {
		parameter = stack_peek(c, op, n * slot, slot);
		if (!parameter.ok)
			return false;
		frame_push(f, parameter.value);
	}
	return true;
}

static bool build_inner_frame64(struct core *c, const struct op *op, unsigned cpl, struct frame *f)
{
	struct cpu_segment null = segment_null_stack((u16)cpl, cpl);
	u64 rsp;

	if (!tss_stack64(c, op, cpl, 0, &rsp))
		return false;
	*f = frame_on_inner(&null, rsp, 8, true);
	frame_push(f, c->cpu.segment[SEG_SS].selector);
	frame_push(f, c->cpu.gpr[GPR_RSP]);
	return true;
}

static enum step to_call_gate(struct core *c, const struct op *op, bool call, const struct gate *gate)
{
	bool wide = cpu_in_long_mode(&c->cpu);
	struct cpu_segment cs;
	struct frame f;
	unsigned cpl;

	if (!segment_prepare_code(c, op, VECTOR_GP, gate->selector, call ? CODE_GATE_CALL : CODE_GATE_JUMP, &cs))
		return STEP_FAULT;
	cpl = cs.selector & SELECTOR_RPL;
	f = frame_on_current(c, wide ? 8 : gate->type == DESCRIPTOR_CALL_GATE32 ? 4 : 2, wide);
	if (cpl < cpu_cpl(&c->cpu)) {
		bool built = wide ? build_inner_frame64(c, op, cpl, &f) : build_inner_frame(c, op, gate, cpl, &f);

		if (!built)
			return STEP_FAULT;
	}
	return go(c, op, call, &cs, gate->offset, &f);
}

static enum step to_task(struct core *c, const struct op *op, bool call, u16 selector)
{
	struct task_switch t = {
		.source = call ? TASK_CALL : TASK_JUMP, .selector = selector,
		.rip = op_next_rip(c, op), .rflags = cpu_rflags(&c->cpu),
	};

	c->op = op;
	return task_switch(c, op, &t) ? STEP_BREAK : STEP_FAULT;
}

static bool system_type_is_valid(const struct core *c, unsigned type)
{
	switch (type) {
	case DESCRIPTOR_CALL_GATE32: /* also the 64-bit one */
		return true;
	case DESCRIPTOR_CALL_GATE16:
	case DESCRIPTOR_TASK_GATE:
	case DESCRIPTOR_TSS16_AVAILABLE:
	case DESCRIPTOR_TSS32_AVAILABLE:
		return !cpu_in_long_mode(&c->cpu);
	default:
		return false;
	}
}

/* The selector names a system descriptor. */
static enum step to_system(struct core *c, const struct op *op, bool call, u16 selector, struct descriptor *d)
{
	unsigned type = descriptor_system_type(d);
	unsigned needed = (unsigned)max_u64(cpu_cpl(&c->cpu), selector & SELECTOR_RPL);
	struct gate gate;

	if (!system_type_is_valid(c, type) || segment_dpl(descriptor_attributes(d)) < needed)
		return core_raise_gp(c, op, selector & SELECTOR_ERROR);
	if (cpu_in_long_mode(&c->cpu) && !descriptor_read_high(c, op, VECTOR_GP, selector, d))
		return STEP_FAULT;
	if (!(descriptor_attributes(d) & SEGMENT_P))
		return core_raise_error(c, op, VECTOR_NP, selector & SELECTOR_ERROR);
	if (type == DESCRIPTOR_TSS16_AVAILABLE || type == DESCRIPTOR_TSS32_AVAILABLE)
		return to_task(c, op, call, selector);
	gate = descriptor_gate(d);
	if (type == DESCRIPTOR_TASK_GATE)
		return to_task(c, op, call, gate.selector);
	return to_call_gate(c, op, call, &gate);
}

static enum step far_transfer(struct core *c, const struct op *op, bool call)
{
	struct far_pointer to;
	struct descriptor d;

	if (!read_far_pointer(c, op, &to))
		return STEP_FAULT;
	if (cpu_segments_are_real(&c->cpu))
		return to_segment(c, op, call, &to);
	if (selector_is_null(to.selector))
		return core_raise_gp(c, op, 0);
	if (!descriptor_read(c, op, VECTOR_GP, to.selector, &d))
		return STEP_FAULT;
	if (descriptor_attributes(&d) & SEGMENT_S)
		return to_segment(c, op, call, &to);
	return to_system(c, op, call, to.selector, &d);
}

enum step exec_jmp_far(struct core *c, const struct op *op)
{
	return far_transfer(c, op, false);
}

enum step exec_call_far(struct core *c, const struct op *op)
{
	return far_transfer(c, op, true);
}

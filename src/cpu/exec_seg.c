/*
 * Segment registers and descriptor tables: MOV, PUSH and POP of segment registers, far pointer loads, the table
 * registers, LAR, LSL, VERR, VERW, ARPL, SMSW, LMSW, SWAPGS and the FS and GS base instructions.
 *
 * These hold the unprivileged instructions that show an operating system's state to its programs. Each such handler
 * asks umip_refuses() first ("User-Mode Instruction Prevention").
 */
#include "cpu/access.h"
#include "cpu/control.h"
#include "cpu/exec.h"
#include "cpu/frame.h"

/* LAR's result: the access rights as they stand in the descriptor's second doubleword. */
#define LAR_BITS (BITS(23, 8))
#define PSEUDO_DESCRIPTOR_BASE16 BITS(23, 0)

/* ---- operands ---- */

static bool operand_is_gpr(const struct op *op, unsigned n)
{
	return op->insn.operand[n].kind == OPERAND_GPR;
}

/* The 16-bit source operand n (0 or 1). */
static struct load read_word(struct core *c, const struct op *op, unsigned n)
{
	if (operand_is_gpr(op, n))
		return (struct load){ gpr_read(c, n ? op->src : op->dst, 2), true };
	return op_load(c, op, 2);
}

/* Destination operand 0: a register at its full size, or 16 bits of memory. */
static bool write_word(struct core *c, const struct op *op, u64 value)
{
	if (!operand_is_gpr(op, 0))
		return op_store(c, op, 2, value);
	gpr_write(c, op->dst, op->insn.operand[0].size, value);
	return true;
}

static void set_zf(struct core *c, bool zf)
{
	c->cpu.status = (c->cpu.status & ~CPU_STATUS_ZF) | (zf ? CPU_STATUS_ZF : 0);
}

/* True: refused, the exception is raised. */
static bool umip_refuses(struct core *c, const struct op *op)
{
	if (!(c->cpu.cr4 & CR4_UMIP) || cpu_cpl(&c->cpu) == 0)
		return false;
	(void)core_raise_gp(c, op, 0);
	return true;
}

static bool needs_cpl0(struct core *c, const struct op *op)
{
	if (cpu_cpl(&c->cpu) == 0)
		return true;
	(void)core_raise_gp(c, op, 0);
	return false;
}

/* ---- segment registers ---- */

/* After a load of SS by MOV or POP, interrupts and debug traps wait for one instruction, so that RSP can follow. */
static enum step stack_segment_loaded(struct core *c, const struct op *op, bool shadow)
{
	if (shadow)
		c->cpu.interruptibility |= CPU_BLOCKED_BY_MOV_SS;
	core_mode_changed(c);
	return exec_break(c, op);
}

static enum step exec_mov_from_seg(struct core *c, const struct op *op)
{
	if (!write_word(c, op, c->cpu.segment[op->insn.operand[1].reg].selector))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_mov_to_seg(struct core *c, const struct op *op)
{
	enum segment seg = op->insn.operand[0].reg;
	struct load selector = read_word(c, op, 1);

	if (!selector.ok || !segment_load(c, op, seg, (u16)selector.value))
		return STEP_FAULT;
	if (seg == SEG_SS)
		return stack_segment_loaded(c, op, true);
	EXEC_NEXT(c, op);
}

/* Intel's processors write only 16 bits of a 32-bit slot ("PUSH"). */
static bool push_selector_word(struct core *c, const struct op *op, u16 selector)
{
	u64 mask = stack_mask(c), rsp = c->cpu.gpr[GPR_RSP] - 4;
	struct load address = segment_linear(c, op, SEG_SS, rsp & mask, 2, ACCESS_WRITE);

	if (!address.ok || !linear_store(c, op, SEG_SS, address.value, 2, selector))
		return false;
	stack_set_pointer(c, mask, rsp);
	return true;
}

static enum step exec_push_seg(struct core *c, const struct op *op)
{
	u16 selector = c->cpu.segment[op->insn.operand[0].reg].selector;
	unsigned size = op->insn.opsize;

	if (size == 4 && !c->amd ? !push_selector_word(c, op, selector) : !stack_push(c, op, size, selector))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_pop_seg(struct core *c, const struct op *op)
{
	enum segment seg = op->insn.operand[0].reg;
	u64 mask = stack_mask(c);
	struct load selector = stack_peek(c, op, 0, op->insn.opsize);

	if (!selector.ok || !segment_load(c, op, seg, (u16)selector.value))
		return STEP_FAULT;
	stack_set_pointer(c, mask, c->cpu.gpr[GPR_RSP] + op->insn.opsize);
	if (seg == SEG_SS)
		return stack_segment_loaded(c, op, true);
	EXEC_NEXT(c, op);
}

static enum segment far_pointer_segment(enum insn_op insn)
{
	switch (insn) {
	case INSN_LES: return SEG_ES;
	case INSN_LSS: return SEG_SS;
	case INSN_LFS: return SEG_FS;
	case INSN_LGS: return SEG_GS;
	default: return SEG_DS;
	}
}

/* LDS, LES, LFS, LGS, LSS: offset first in memory, then the selector. */
static enum step exec_load_far_pointer(struct core *c, const struct op *op)
{
	enum segment seg = far_pointer_segment(op->insn.op);
	unsigned offset_bytes = op->insn.operand[1].size - 2u;
	u8 pointer[10];
	u64 offset = 0;
	u16 selector;

	if (!op_read(c, op, pointer, offset_bytes + 2))
		return STEP_FAULT;
	memcpy(&offset, pointer, offset_bytes);
	memcpy(&selector, pointer + offset_bytes, 2);
	if (!segment_load(c, op, seg, selector))
		return STEP_FAULT;
	gpr_write(c, op->dst, op->insn.operand[0].size, offset);
	if (seg == SEG_SS)
		return stack_segment_loaded(c, op, false);
	EXEC_NEXT(c, op);
}

/* ---- LDTR, TR, GDTR, IDTR ---- */

static enum step exec_store_system_selector(struct core *c, const struct op *op)
{
	if (umip_refuses(c, op))
		return STEP_FAULT;
	if (!write_word(c, op, c->cpu.segment[op->insn.op == INSN_STR ? SEG_TR : SEG_LDTR].selector))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_lldt(struct core *c, const struct op *op)
{
	struct cpu_segment ldt;
	struct load selector;

	if (!needs_cpl0(c, op))
		return STEP_FAULT;
	selector = read_word(c, op, 0);
	if (!selector.ok || !segment_prepare_ldt(c, op, VECTOR_GP, (u16)selector.value, &ldt))
		return STEP_FAULT;
	c->cpu.segment[SEG_LDTR] = ldt;
	EXEC_NEXT(c, op);
}

static bool load_task_register(struct core *c, const struct op *op, u16 selector)
{
	struct descriptor d = { 0 };
	enum vector bad = VECTOR_GP;
	bool wide = cpu_in_long_mode(&c->cpu);
	unsigned type;

	if (selector_is_null(selector)) {
		(void)core_raise_gp(c, op, 0);
		return false;
	}
	if (!(selector & SELECTOR_TI)) {
		if (!descriptor_read(c, op, VECTOR_GP, selector, &d))
			return false;
		type = descriptor_system_type(&d);
		if (type == DESCRIPTOR_TSS32_AVAILABLE || (type == DESCRIPTOR_TSS16_AVAILABLE && !wide)) {
			if (wide && !descriptor_read_high(c, op, VECTOR_GP, selector, &d))
				return false;
			if (!(descriptor_attributes(&d) & SEGMENT_P))
				bad = VECTOR_NP;
			else if (control_is_canonical_base(c, descriptor_segment(&d, selector).base))
				bad = 0;
		}
	}
	if (bad) {
		(void)core_raise_error(c, op, bad, selector & SELECTOR_ERROR);
		return false;
	}
	type = descriptor_system_type(&d) | DESCRIPTOR_TSS_BUSY;
	if (!descriptor_write_type(c, op, &d, type))
		return false;
	c->cpu.segment[SEG_TR] = descriptor_segment(&d, selector);
	c->cpu.segment[SEG_TR].attributes |= DESCRIPTOR_TSS_BUSY;
	return true;
}

static enum step exec_ltr(struct core *c, const struct op *op)
{
	struct load selector;

	if (!needs_cpl0(c, op))
		return STEP_FAULT;
	selector = read_word(c, op, 0);
	if (!selector.ok || !load_task_register(c, op, (u16)selector.value))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_store_table(struct core *c, const struct op *op)
{
	const struct cpu_table *table = op->insn.op == INSN_SGDT ? &c->cpu.gdtr : &c->cpu.idtr;
	u8 bytes[10];

	if (umip_refuses(c, op))
		return STEP_FAULT;
	memcpy(bytes, &table->limit, 2);
	memcpy(bytes + 2, &table->base, 8);
	if (!op_write(c, op, bytes, op->insn.operand[0].size))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_load_table(struct core *c, const struct op *op)
{
	struct cpu_table table = { 0 };
	unsigned bytes = op->insn.operand[0].size;
	u8 pseudo_descriptor[10];

	if (!needs_cpl0(c, op) || !op_read(c, op, pseudo_descriptor, bytes))
		return STEP_FAULT;
	memcpy(&table.limit, pseudo_descriptor, 2);
	memcpy(&table.base, pseudo_descriptor + 2, bytes - 2);
	if (op->insn.mode == INSN_MODE_64) {
		if (!control_is_canonical_base(c, table.base))
			return core_raise_gp(c, op, 0);
	} else if (op->insn.opsize == 2) {
		table.base &= PSEUDO_DESCRIPTOR_BASE16;
	}
	*(op->insn.op == INSN_LGDT ? &c->cpu.gdtr : &c->cpu.idtr) = table;
	EXEC_NEXT(c, op);
}

static enum step exec_smsw(struct core *c, const struct op *op)
{
	if (umip_refuses(c, op) || !write_word(c, op, c->cpu.cr0))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_lmsw(struct core *c, const struct op *op)
{
	struct load value;

	if (!needs_cpl0(c, op))
		return STEP_FAULT;
	value = read_word(c, op, 0);
	if (!value.ok || !control_write_msw(c, op, (u16)value.value))
		return STEP_FAULT;
	return exec_break(c, op);
}

/* ---- looking at descriptors ---- */

/*
 * Reads the descriptor that selector names; *visible: it exists, and the current program with the selector's RPL may
 * see it. false: a page fault was raised.
 */
static bool look_up(struct core *c, const struct op *op, u16 selector, struct descriptor *d, bool *visible)
{
	unsigned needed = (unsigned)max_u64(cpu_cpl(&c->cpu), selector & SELECTOR_RPL);
	u32 attributes;

	*visible = !selector_is_null(selector) && descriptor_find(c, selector, 8, &d->address);
	if (!*visible)
		return true;
	if (!descriptor_read(c, op, VECTOR_GP, selector, d))
		return false;
	attributes = descriptor_attributes(d);
	*visible = segment_is_conforming(attributes) || needed <= segment_dpl(attributes);
	return true;
}

/* The system descriptors that LAR and LSL accept; those with no limit are for LAR only. */
static bool system_type_is_valid(const struct core *c, unsigned type, bool with_limit)
{
	bool legacy = !cpu_in_long_mode(&c->cpu);

	switch (type) {
	case DESCRIPTOR_LDT:
	case DESCRIPTOR_TSS32_AVAILABLE:
	case DESCRIPTOR_TSS32_BUSY:
		return true;
	case DESCRIPTOR_TSS16_AVAILABLE:
	case DESCRIPTOR_TSS16_BUSY:
		return legacy;
	case DESCRIPTOR_CALL_GATE32:
		return !with_limit;
	case DESCRIPTOR_CALL_GATE16:
	case DESCRIPTOR_TASK_GATE:
		return legacy && !with_limit;
	default:
		return false;
	}
}

/* LAR and LSL. */
static enum step exec_examine(struct core *c, const struct op *op)
{
	bool limit = op->insn.op == INSN_LSL, visible;
	struct load selector = read_word(c, op, 1);
	struct descriptor d;

	if (!selector.ok || !look_up(c, op, (u16)selector.value, &d, &visible))
		return STEP_FAULT;
	if (visible && !(descriptor_attributes(&d) & SEGMENT_S))
		visible = system_type_is_valid(c, descriptor_system_type(&d), limit);
	set_zf(c, visible);
	if (visible)
		gpr_write(c, op->dst, op->insn.operand[0].size,
			  limit ? descriptor_limit(&d) : d.low >> 32 & LAR_BITS);
	EXEC_NEXT(c, op);
}

/* VERR and VERW. */
static enum step exec_verify(struct core *c, const struct op *op)
{
	struct load selector = read_word(c, op, 0);
	struct descriptor d;
	bool visible;

	if (!selector.ok || !look_up(c, op, (u16)selector.value, &d, &visible))
		return STEP_FAULT;
	if (visible)
		visible = op->insn.op == INSN_VERR ? segment_is_readable(descriptor_attributes(&d))
						   : segment_is_writable(descriptor_attributes(&d));
	set_zf(c, visible);
	EXEC_NEXT(c, op);
}

static enum step exec_arpl(struct core *c, const struct op *op)
{
	u16 rpl = gpr_read(c, op->src, 2) & SELECTOR_RPL;
	void *bytes = operand_is_gpr(op, 0) ? gpr_at(c, op->dst) : op_rmw(c, op, 2);
	u16 selector;
	bool raised;

	if (!bytes)
		return STEP_FAULT;
	memcpy(&selector, bytes, 2);
	raised = (selector & SELECTOR_RPL) < rpl;
	if (raised) {
		selector = (selector & (u16)~SELECTOR_RPL) | rpl;
		memcpy(bytes, &selector, 2);
	}
	op_rmw_end(c, op, bytes);
	set_zf(c, raised);
	EXEC_NEXT(c, op);
}

/* ---- FS and GS bases ---- */

static enum step exec_swapgs(struct core *c, const struct op *op)
{
	u64 base = c->cpu.segment[SEG_GS].base;

	if (!needs_cpl0(c, op))
		return STEP_FAULT;
	c->cpu.segment[SEG_GS].base = c->cpu.kernel_gs_base;
	c->cpu.kernel_gs_base = base;
	EXEC_NEXT(c, op);
}

static enum step exec_read_base(struct core *c, const struct op *op)
{
	enum segment seg = op->insn.op == INSN_RDFSBASE ? SEG_FS : SEG_GS;

	if (!(c->cpu.cr4 & CR4_FSGSBASE))
		return core_raise_ud(c, op);
	gpr_write(c, op->dst, op->insn.operand[0].size, c->cpu.segment[seg].base);
	EXEC_NEXT(c, op);
}

static enum step exec_write_base(struct core *c, const struct op *op)
{
	enum segment seg = op->insn.op == INSN_WRFSBASE ? SEG_FS : SEG_GS;
	u64 base = c->cpu.gpr[op->insn.operand[0].reg] & byte_mask(op->insn.operand[0].size);

	if (!(c->cpu.cr4 & CR4_FSGSBASE))
		return core_raise_ud(c, op);
	if (!control_is_canonical_base(c, base))
		return core_raise_gp(c, op, 0);
	c->cpu.segment[seg].base = base;
	EXEC_NEXT(c, op);
}

/* ---- selection ---- */

/* Instructions that know protected mode's selectors only: #UD in real and virtual-8086 mode. */
static exec_fn *select_protected(enum insn_op insn)
{
	switch (insn) {
	case INSN_SLDT:
	case INSN_STR: return exec_store_system_selector;
	case INSN_LLDT: return exec_lldt;
	case INSN_LTR: return exec_ltr;
	case INSN_LAR:
	case INSN_LSL: return exec_examine;
	case INSN_VERR:
	case INSN_VERW: return exec_verify;
	case INSN_ARPL: return exec_arpl;
	default: return NULL;
	}
}

exec_fn *exec_select_seg(const struct core *c, struct op *op)
{
	switch (op->insn.op) {
	case INSN_MOV_SEG: return op->insn.operand[0].kind == OPERAND_SEG ? exec_mov_to_seg : exec_mov_from_seg;
	case INSN_PUSH_SEG: return exec_push_seg;
	case INSN_POP_SEG: return exec_pop_seg;
	case INSN_LDS:
	case INSN_LES:
	case INSN_LFS:
	case INSN_LGS:
	case INSN_LSS: return exec_load_far_pointer;
	case INSN_SGDT:
	case INSN_SIDT: return exec_store_table;
	case INSN_LGDT:
	case INSN_LIDT: return exec_load_table;
	case INSN_SMSW: return exec_smsw;
	case INSN_LMSW: return exec_lmsw;
	case INSN_SWAPGS: return exec_swapgs;
	case INSN_RDFSBASE:
	case INSN_RDGSBASE: return exec_read_base;
	case INSN_WRFSBASE:
	case INSN_WRGSBASE: return exec_write_base;
	default: return cpu_segments_are_real(&c->cpu) ? NULL : select_protected(op->insn.op);
	}
}

/*
 * x87 control: words, environment, save and restore ("x87 FPU Control Instructions").
 *
 * The environment has four layouts, by operand size and by whether addresses are selector and offset or linear
 * ("x87 FPU State Image"); one structure of 32-bit slots holds them all.
 */
#include "base/string.h"
#include "cpu/exec_x87.h"
#include "cpu/flags.h"

#define REGISTERS 8
#define ENVIRONMENT_SLOTS 7
#define AREA_BYTES (ENVIRONMENT_SLOTS * 4 + REGISTERS * ST_BYTES)
#define TAG_EMPTY 3
#define OPCODE_LEGACY 0xdb

static void fcw_set(struct core *c, u16 value)
{
	x87_spill(c);
	c->cpu.x87.fcw = (u16)((value & X87_FCW_DEFINED) | X87_FCW_RESERVED_ONE);
	x87_summarize(&c->cpu.x87);
	x87_mode_changed(c);
}

static u16 fsw_read(const struct core *c)
{
	u16 fsw = c->cpu.x87.fsw;

	if (c->x87_live)
		__asm__ volatile("fnstsw %0" : "=am"(fsw));
	return fsw;
}

static void initialize(struct core *c)
{
	x87_spill(c);
	c->cpu.x87.fcw = X87_FCW_FNINIT;
	c->cpu.x87.fsw = 0;
	c->cpu.x87.empty = UINT8_MAX;
	c->cpu.x87.fop = 0;
	c->cpu.x87.fip = c->cpu.x87.fdp = 0;
	c->cpu.x87.fcs = c->cpu.x87.fds = 0;
	x87_mode_changed(c);
}

static enum step exec_fninit(struct core *c, const struct op *op)
{
	if (!x87_check(c, op, false))
		return STEP_FAULT;
	initialize(c);
	EXEC_NEXT(c, op);
}

static enum step exec_fnclex(struct core *c, const struct op *op)
{
	if (!x87_check(c, op, false))
		return STEP_FAULT;
	x87_spill(c);
	c->cpu.x87.fsw &= (u16)~(X87_FSW_EXCEPTIONS | X87_FSW_SF | X87_FSW_ES | X87_FSW_B);
	EXEC_NEXT(c, op);
}

static enum step exec_fnstsw(struct core *c, const struct op *op)
{
	u16 fsw = fsw_read(c);

	if (!x87_check(c, op, false))
		return STEP_FAULT;
	if (op->insn.operand[0].kind == OPERAND_GPR)
		gpr_write(c, op->dst, 2, fsw);
	else if (!op_store(c, op, 2, fsw))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_fnstcw(struct core *c, const struct op *op)
{
	if (!x87_check(c, op, false) || !op_store(c, op, 2, c->cpu.x87.fcw))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_fldcw(struct core *c, const struct op *op)
{
	struct load value;

	if (!x87_check(c, op, true))
		return STEP_FAULT;
	value = op_load(c, op, 2);
	if (!value.ok)
		return STEP_FAULT;
	if (c->x87_live && !(~value.value & X87_FCW_MASKS)) {
		c->cpu.x87.fcw = (u16)((value.value & X87_FCW_DEFINED) | X87_FCW_RESERVED_ONE);
		__asm__ volatile("fldcw %0" : : "m"(c->cpu.x87.fcw));
	} else {
		fcw_set(c, (u16)value.value);
	}
	EXEC_NEXT(c, op);
}

/* FENI, FDISI and FSETPM of older coprocessors: nothing, and no look for pending exceptions either. */
static enum step exec_legacy(struct core *c, const struct op *op)
{
	if (!x87_check(c, op, false))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* WAIT faults on TS only together with MP, and not on EM. */
static enum step exec_fwait(struct core *c, const struct op *op)
{
	if ((c->cpu.cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
		return core_raise(c, op, VECTOR_NM);
	if (!c->x87_live && c->cpu.x87.fsw & X87_FSW_ES)
		return core_raise(c, op, VECTOR_MF);
	EXEC_NEXT(c, op);
}

/* ---- tags ---- */

static unsigned top(const struct cpu_x87 *x87)
{
	return (x87->fsw & X87_FSW_TOP) >> X87_FSW_TOP_SHIFT;
}

/* Valid 0, zero 1, special 2, empty 3, from the register's contents. */
static unsigned register_tag(const struct cpu_x87 *x87, unsigned physical)
{
	u64 significand;
	u16 exponent;

	if (x87->empty >> physical & 1)
		return TAG_EMPTY;
	memcpy(&significand, x87->st[physical], sizeof(significand));
	memcpy(&exponent, x87->st[physical] + sizeof(significand), sizeof(exponent));
	exponent &= BITS(14, 0);
	if (!exponent && !significand)
		return 1;
	return !exponent || exponent == BITS(14, 0) || !(significand & BIT(63)) ? 2 : 0;
}

static u16 tag_word(const struct cpu_x87 *x87)
{
	u16 tags = 0;

	for (unsigned r = 0; r < REGISTERS; r++)
		tags |= (u16)(register_tag(x87, r) << (2 * r));
	return tags;
}

static u8 empty_from_tags(u16 tags)
{
	u8 empty = 0;

	for (unsigned r = 0; r < REGISTERS; r++)
		empty |= (u8)(((tags >> (2 * r) & TAG_EMPTY) == TAG_EMPTY) << r);
	return empty;
}

/* ---- the environment ---- */

static void environment_get(const struct core *c, u32 *slot, bool wide)
{
	const struct cpu_x87 *x87 = &c->cpu.x87;

	slot[0] = x87->fcw;
	slot[1] = x87->fsw;
	slot[2] = tag_word(x87);
	if (cpu_segments_are_real(&c->cpu)) {
		u32 instruction = (u32)((u64)x87->fcs << 4) + (u32)x87->fip, data = (u32)((u64)x87->fds << 4) + (u32)x87->fdp;
		u32 high = wide ? UINT32_MAX : (u32)BITS(19, 0);

		slot[3] = instruction & 0xffff;
		slot[4] = (instruction & high) >> 16 << 12 | (x87->fop & (u32)BITS(10, 0));
		slot[5] = data & 0xffff;
		slot[6] = (data & high) >> 16 << 12;
	} else {
		slot[3] = (u32)x87->fip;
		slot[4] = x87->fcs | (wide ? (u32)x87->fop << 16 : 0);
		slot[5] = (u32)x87->fdp;
		slot[6] = x87->fds;
	}
}

static void environment_set(struct core *c, const u32 *slot, bool wide)
{
	struct cpu_x87 *x87 = &c->cpu.x87;

	x87->fsw = (u16)slot[1];
	x87->empty = empty_from_tags((u16)slot[2]);
	if (cpu_segments_are_real(&c->cpu)) {
		x87->fip = (slot[3] & 0xffff) | slot[4] >> 12 << 16;
		x87->fop = slot[4] & (u16)BITS(10, 0);
		x87->fdp = (slot[5] & 0xffff) | slot[6] >> 12 << 16;
		x87->fcs = x87->fds = 0;
	} else {
		x87->fip = slot[3];
		x87->fcs = (u16)slot[4];
		x87->fop = wide ? slot[4] >> 16 & (u16)BITS(10, 0) : 0;
		x87->fdp = slot[5];
		x87->fds = (u16)slot[6];
	}
	fcw_set(c, (u16)slot[0]);
}

/* Slots are 4 bytes each with 32-bit operand size, else 2; reserved upper halves are stored as ones. */
static unsigned environment_pack(const u32 *slot, u8 *area, bool wide)
{
	static const bool reserved_high[ENVIRONMENT_SLOTS] = { true, true, true, false, false, false, true };

	for (unsigned n = 0; n < ENVIRONMENT_SLOTS; n++) {
		u32 value = slot[n] | (reserved_high[n] ? (u32)BITS(31, 16) : 0);

		memcpy(area + n * (wide ? 4 : 2), &value, wide ? 4 : 2);
	}
	return ENVIRONMENT_SLOTS * (wide ? 4 : 2);
}

static void environment_unpack(u32 *slot, const u8 *area, bool wide)
{
	for (unsigned n = 0; n < ENVIRONMENT_SLOTS; n++) {
		slot[n] = 0;
		memcpy(&slot[n], area + n * (wide ? 4 : 2), wide ? 4 : 2);
	}
}

static bool op_is_wide(const struct op *op)
{
	return op->insn.opsize != 2;
}

static enum step exec_fnstenv(struct core *c, const struct op *op)
{
	bool wide = op_is_wide(op);
	u32 slot[ENVIRONMENT_SLOTS];
	u8 area[AREA_BYTES];

	if (!x87_check(c, op, false))
		return STEP_FAULT;
	x87_spill(c);
	environment_get(c, slot, wide);
	if (!op_write(c, op, area, environment_pack(slot, area, wide)))
		return STEP_FAULT;
	fcw_set(c, c->cpu.x87.fcw | (u16)X87_FCW_MASKS);
	EXEC_NEXT(c, op);
}

static enum step exec_fldenv(struct core *c, const struct op *op)
{
	bool wide = op_is_wide(op);
	u32 slot[ENVIRONMENT_SLOTS];
	u8 area[AREA_BYTES];

	if (!x87_check(c, op, true) || !op_read(c, op, area, ENVIRONMENT_SLOTS * (wide ? 4 : 2)))
		return STEP_FAULT;
	x87_spill(c);
	environment_unpack(slot, area, wide);
	environment_set(c, slot, wide);
	EXEC_NEXT(c, op);
}

static enum step exec_fnsave(struct core *c, const struct op *op)
{
	bool wide = op_is_wide(op);
	u32 slot[ENVIRONMENT_SLOTS];
	u8 area[AREA_BYTES];
	unsigned bytes;

	if (!x87_check(c, op, false))
		return STEP_FAULT;
	x87_spill(c);
	environment_get(c, slot, wide);
	bytes = environment_pack(slot, area, wide);
	for (unsigned i = 0; i < REGISTERS; i++, bytes += ST_BYTES)
		memcpy(area + bytes, c->cpu.x87.st[(top(&c->cpu.x87) + i) % REGISTERS], ST_BYTES);
	if (!op_write(c, op, area, bytes))
		return STEP_FAULT;
	initialize(c);
	EXEC_NEXT(c, op);
}

static enum step exec_frstor(struct core *c, const struct op *op)
{
	bool wide = op_is_wide(op);
	unsigned bytes = ENVIRONMENT_SLOTS * (wide ? 4 : 2);
	u32 slot[ENVIRONMENT_SLOTS];
	u8 area[AREA_BYTES];

	if (!x87_check(c, op, true) || !op_read(c, op, area, bytes + REGISTERS * ST_BYTES))
		return STEP_FAULT;
	x87_spill(c);
	environment_unpack(slot, area, wide);
	environment_set(c, slot, wide);
	for (unsigned i = 0; i < REGISTERS; i++, bytes += ST_BYTES)
		memcpy(c->cpu.x87.st[(top(&c->cpu.x87) + i) % REGISTERS], area + bytes, ST_BYTES);
	EXEC_NEXT(c, op);
}

exec_fn *x87_select_control(const struct insn *i)
{
	switch (i->op) {
	case INSN_FNINIT: return exec_fninit;
	case INSN_FNCLEX: return exec_fnclex;
	case INSN_FNSTSW: return exec_fnstsw;
	case INSN_FNSTCW: return exec_fnstcw;
	case INSN_FLDCW: return exec_fldcw;
	case INSN_FWAIT: return exec_fwait;
	case INSN_FNSTENV: return exec_fnstenv;
	case INSN_FLDENV: return exec_fldenv;
	case INSN_FNSAVE: return exec_fnsave;
	case INSN_FRSTOR: return exec_frstor;
	case INSN_FNOP: return i->opcode == OPCODE_LEGACY ? exec_legacy : NULL;
	default: return NULL;
	}
}

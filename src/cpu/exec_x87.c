/*
 * x87 arithmetic, loads, stores and comparisons.
 *
 * Each instruction becomes a few bytes of host code: the same opcode with its memory operand at [rdi]. The handler finds the
 * operand, calls the code and keeps the last-instruction pointers; x87.c sees to it that the host's registers are the guest's.
 */
#include "cpu/exec_x87.h"

#include "cpu/flags.h"
#include "cpu/simd.h"

/* Host opcodes around the operation. */
enum {
	HOST_RET = 0xc3, HOST_LAHF = 0x9f, HOST_SAHF = 0x9e,
	HOST_MODRM_RDI = 7, HOST_MODRM_REG = 0x38,
};

/* mov eax, esi; add al, 127: CF ZF PF (and OF) of the guest, for SAHF. */
static const u8 host_flags_in[] = { 0x89, 0xf0, 0x04, 0x7f, HOST_SAHF };
/* lahf; seto al */
static const u8 host_flags_out[] = { HOST_LAHF, 0x0f, 0x90, 0xc0 };

/* The code lies in insn.imm, which an x87 instruction has no use for. */
static x87_code_fn *op_code(const struct op *op)
{
	return (x87_code_fn *)(uintptr_t)op->insn.imm;
}

/* Where the last instruction and its operand were ("x87 FPU Instruction and Data (Operand) Pointers"). */
static void note_instruction(struct core *c, const struct op *op)
{
	struct cpu_x87 *x87 = &c->cpu.x87;

	x87->fip = op_rip(c, op);
	x87->fop = (u16)((op->insn.opcode & 7) << 8 | op->insn.modrm);
	x87->fcs = c->cpu.segment[SEG_CS].selector;
}

static void note_operand(struct core *c, const struct op *op)
{
	c->cpu.x87.fdp = op_offset(c, op);
	c->cpu.x87.fds = c->cpu.segment[op->insn.seg].selector;
}

/* Runs op's code in whatever way it may; before that #NM and #MF. The operand at `memory` must be there already. */
static enum x87_run execute(struct core *c, const struct op *op, void *memory, u32 *status)
{
	enum x87_run way = X87_RUN_LIVE;

	if (unlikely(c->x87_blocked))
		way = x87_prepare(c, op);
	if (way == X87_RUN_FAULT)
		return way;
	note_instruction(c, op);
	*status = way == X87_RUN_LIVE ? op_code(op)(memory, status_get(c)) : x87_run_alone(c, op_code(op), memory);
	return way;
}

static enum step exec_register(struct core *c, const struct op *op)
{
	u32 status;

	if (execute(c, op, NULL, &status) == X87_RUN_FAULT)
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* FCOMI and its kin. */
static enum step exec_status(struct core *c, const struct op *op)
{
	u32 status;

	if (execute(c, op, NULL, &status) == X87_RUN_FAULT)
		return STEP_FAULT;
	status_set(c, status);
	EXEC_NEXT(c, op);
}

static bool available(struct core *c, const struct op *op)
{
	return likely(!(c->x87_blocked & (X87_UNAVAILABLE | X87_NOT_LIVE))) || x87_check(c, op, true);
}

static enum step finish_load(struct core *c, const struct op *op)
{
	u32 status;

	if (execute(c, op, c->scratch, &status) == X87_RUN_FAULT)
		return STEP_FAULT;
	note_operand(c, op);
	EXEC_NEXT(c, op);
}

#define DEFINE_LOAD(size)                                                                                              \
	static enum step exec_load##size(struct core *c, const struct op *op)                                          \
	{                                                                                                              \
		struct load value;                                                                                     \
                                                                                                                       \
		if (!available(c, op))                                                                                 \
			return STEP_FAULT;                                                                             \
		value = op_load(c, op, size);                                                                          \
		if (unlikely(!value.ok))                                                                               \
			return STEP_FAULT;                                                                             \
		memcpy(c->scratch, &value.value, sizeof(value.value));                                                 \
		return finish_load(c, op);                                                                             \
	}
DEFINE_LOAD(2)
DEFINE_LOAD(4)
DEFINE_LOAD(8)

static enum step exec_load10(struct core *c, const struct op *op)
{
	if (!available(c, op) || !op_read(c, op, c->scratch, ST_BYTES))
		return STEP_FAULT;
	return finish_load(c, op);
}

/* An unmasked one of these leaves the destination unwritten; an unmasked PE does not. */
static bool store_is_withheld(const struct cpu_x87 *x87)
{
	return x87->fsw & ~x87->fcw & (X87_FSW_EXCEPTIONS & ~X87_FSW_PE);
}

static enum step exec_store(struct core *c, const struct op *op)
{
	unsigned bytes = op->insn.operand[0].size;
	enum segment seg = (enum segment)op->insn.seg;
	struct load address;
	enum x87_run way;
	u32 status;
	u64 value;

	if (!available(c, op))
		return STEP_FAULT;
	address = op_linear(c, op, bytes, ACCESS_WRITE);
	/* The store must not fault once the stack has been popped. */
	if (!address.ok || !linear_probe(c, op, seg, address.value, bytes, ACCESS_WRITE))
		return STEP_FAULT;
	way = execute(c, op, c->scratch, &status);
	if (way == X87_RUN_FAULT)
		return STEP_FAULT;
	note_operand(c, op);
	if (way == X87_RUN_ALONE && store_is_withheld(&c->cpu.x87))
		EXEC_NEXT(c, op);
	memcpy(&value, c->scratch, sizeof(value));
	if (bytes == 8 ? !linear_store(c, op, seg, address.value, 8, value) :
	    bytes == 4 ? !linear_store(c, op, seg, address.value, 4, value) :
			 !linear_write(c, op, seg, address.value, c->scratch, bytes))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* ---- selection ---- */

static bool is_store(enum insn_op op)
{
	return op == INSN_FST || op == INSN_FSTP || op == INSN_FIST || op == INSN_FISTP || op == INSN_FISTTP || op == INSN_FBSTP;
}

static bool sets_status(enum insn_op op)
{
	return op == INSN_FCOMI || op == INSN_FCOMIP || op == INSN_FUCOMI || op == INSN_FUCOMIP;
}

static bool reads_status(enum insn_op op)
{
	return op >= INSN_FCMOVB && op <= INSN_FCMOVNU;
}

static x87_code_fn *code_make(const struct core *c, const struct insn *i)
{
	u8 code[16], *at = code;
	bool memory = insn_has_memory_operand(i);

	if (reads_status((enum insn_op)i->op)) {
		memcpy(at, host_flags_in, sizeof(host_flags_in));
		at += sizeof(host_flags_in);
	}
	*at++ = i->opcode;
	*at++ = memory ? (u8)((i->modrm & HOST_MODRM_REG) | HOST_MODRM_RDI) : i->modrm;
	if (sets_status((enum insn_op)i->op)) {
		memcpy(at, host_flags_out, sizeof(host_flags_out));
		at += sizeof(host_flags_out);
	}
	*at++ = HOST_RET;
	return (x87_code_fn *)simd_stub_place(c, code, (unsigned)(at - code));
}

static exec_fn *select_load(unsigned bytes)
{
	switch (bytes) {
	case 2: return exec_load2;
	case 4: return exec_load4;
	case 8: return exec_load8;
	default: return exec_load10;
	}
}

exec_fn *exec_select_x87(const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	exec_fn *control = x87_select_control(i);
	x87_code_fn *code;

	if (control)
		return control;
	code = code_make(c, i);
	if (!code)
		return simd_exec_full;
	op->insn.imm = (u64)(uintptr_t)code;
	if (insn_has_memory_operand(i))
		return is_store((enum insn_op)i->op) ? exec_store : select_load(i->operand[0].size);
	return sets_status((enum insn_op)i->op) ? exec_status : exec_register;
}

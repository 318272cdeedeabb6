/*
 * Near branches: JMP, CALL, RET, Jcc, JCXZ, LOOP.
 *
 * A branch ends its block: it leaves the target in cpu.rip for the run loop. Each comes in two kinds, one for
 * 64-bit operands, where only a jump across the canonical boundary can fault, and one for everything else, where
 * the target is truncated and checked against CS.limit. A branch that faults has changed nothing.
 */
#include "cpu/control.h"
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

/* Bits 63 to 47 are alike in a canonical address, whatever the paging mode. */
#define CANONICAL_SHIFT 47

/* ---- targets ---- */

/* A target in the same half of the address space as the block is as canonical as that. */
ALWAYS_INLINE bool target_ok_64(const struct core *c, u64 target)
{
	return likely(!((target ^ c->cpu.gpr[CPU_GPR_RIP]) >> CANONICAL_SHIFT)) || control_is_canonical(c, target);
}

static bool target_ok(const struct core *c, const struct op *op, u64 target)
{
	return op->insn.mode == INSN_MODE_64 ? target_ok_64(c, target) : target <= c->cpu.segment[SEG_CS].limit;
}

static u64 target_truncate(const struct op *op, u64 target)
{
	return target & byte_mask(op->insn.opsize);
}

ALWAYS_INLINE u64 relative_64(const struct core *c, const struct op *op)
{
	return op_next_rip(c, op) + op->insn.imm;
}

static u64 relative(const struct core *c, const struct op *op)
{
	return target_truncate(op, relative_64(c, op));
}

/* The address after the branch, which outside 64-bit mode is an EIP. */
static u64 next_rip(const struct core *c, const struct op *op)
{
	return op->insn.mode == INSN_MODE_64 ? op_next_rip(c, op) : (u32)op_next_rip(c, op);
}

ALWAYS_INLINE enum step branch_64(struct core *c, const struct op *op, u64 target)
{
	if (unlikely(!target_ok_64(c, target)))
		return core_raise_gp(c, op, 0);
	c->cpu.rip = target;
	return STEP_NEXT;
}

static enum step branch(struct core *c, const struct op *op, u64 target)
{
	if (!target_ok(c, op, target))
		return core_raise_gp(c, op, 0);
	c->cpu.rip = target;
	return STEP_NEXT;
}

static enum step branch_not_taken(struct core *c, const struct op *op)
{
	c->cpu.rip = next_rip(c, op);
	return STEP_NEXT;
}

/* ---- JMP ---- */

static enum step exec_jmp_rel_64(struct core *c, const struct op *op)
{
	return branch_64(c, op, relative_64(c, op));
}

static enum step exec_jmp_reg_64(struct core *c, const struct op *op)
{
	return branch_64(c, op, gpr_read(c, op->dst, 8));
}

static enum step exec_jmp_mem_64(struct core *c, const struct op *op)
{
	struct load target = op_load(c, op, 8);

	return target.ok ? branch_64(c, op, target.value) : STEP_FAULT;
}

/* The target of a JMP or CALL whose operand is not 64 bits wide. */
static struct load operand_target(struct core *c, const struct op *op)
{
	bool word = op->insn.opsize == 2;

	switch (op->insn.operand[0].kind) {
	case OPERAND_REL:
		return (struct load){ relative(c, op), true };
	case OPERAND_MEM:
		return word ? op_load(c, op, 2) : op_load(c, op, 4);
	default:
		return (struct load){ target_truncate(op, gpr_read(c, op->dst, 8)), true };
	}
}

static enum step exec_jmp(struct core *c, const struct op *op)
{
	struct load target = operand_target(c, op);

	return target.ok ? branch(c, op, target.value) : STEP_FAULT;
}

/* ---- CALL and RET ---- */

ALWAYS_INLINE enum step call_64(struct core *c, const struct op *op, u64 target)
{
	u64 rsp = c->cpu.gpr[GPR_RSP] - 8;

	if (unlikely(!target_ok_64(c, target)))
		return core_raise_gp(c, op, 0);
	if (!linear_store(c, op, SEG_SS, rsp, 8, op_next_rip(c, op)))
		return STEP_FAULT;
	c->cpu.gpr[GPR_RSP] = rsp;
	c->cpu.rip = target;
	return STEP_NEXT;
}

static enum step exec_call_rel_64(struct core *c, const struct op *op)
{
	return call_64(c, op, relative_64(c, op));
}

static enum step exec_call_reg_64(struct core *c, const struct op *op)
{
	return call_64(c, op, gpr_read(c, op->dst, 8));
}

static enum step exec_call_mem_64(struct core *c, const struct op *op)
{
	struct load target = op_load(c, op, 8);

	return target.ok ? call_64(c, op, target.value) : STEP_FAULT;
}

static enum step exec_call(struct core *c, const struct op *op)
{
	struct load target = operand_target(c, op);

	if (!target.ok)
		return STEP_FAULT;
	if (!target_ok(c, op, target.value))
		return core_raise_gp(c, op, 0);
	if (!stack_push(c, op, op->insn.opsize, next_rip(c, op)))
		return STEP_FAULT;
	c->cpu.rip = target.value;
	return STEP_NEXT;
}

/* RET's immediate is 0 if there is none. */
static enum step exec_ret_64(struct core *c, const struct op *op)
{
	u64 rsp = c->cpu.gpr[GPR_RSP];
	struct load target = linear_load(c, op, SEG_SS, rsp, 8);

	if (unlikely(!target.ok))
		return STEP_FAULT;
	if (unlikely(!target_ok_64(c, target.value)))
		return core_raise_gp(c, op, 0);
	c->cpu.gpr[GPR_RSP] = rsp + 8 + op->insn.imm;
	c->cpu.rip = target.value;
	return STEP_NEXT;
}

static enum step exec_ret(struct core *c, const struct op *op)
{
	u64 rsp = c->cpu.gpr[GPR_RSP], mask = stack_mask(c);
	struct load target = stack_pop(c, op, op->insn.opsize);

	if (!target.ok)
		return STEP_FAULT;
	if (!target_ok(c, op, target.value)) {
		c->cpu.gpr[GPR_RSP] = rsp;
		return core_raise_gp(c, op, 0);
	}
	rsp = c->cpu.gpr[GPR_RSP];
	c->cpu.gpr[GPR_RSP] = (rsp & ~mask) | ((rsp + op->insn.imm) & mask);
	c->cpu.rip = target.value;
	return STEP_NEXT;
}

/* ---- Jcc ---- */

#define JCC(cc, unused)                                                                                                \
	static enum step exec_jcc_##cc##_64(struct core *c, const struct op *op)                                       \
	{                                                                                                              \
		if (condition_holds(status_get(c), cc))                                                                \
			return branch_64(c, op, relative_64(c, op));                                                   \
		c->cpu.rip = op_next_rip(c, op);                                                                       \
		return STEP_NEXT;                                                                                      \
	}                                                                                                              \
	static enum step exec_jcc_##cc(struct core *c, const struct op *op)                                            \
	{                                                                                                              \
		if (condition_holds(status_get(c), cc))                                                                \
			return branch(c, op, relative(c, op));                                                         \
		return branch_not_taken(c, op);                                                                        \
	}
#define JCC_ROW(cc, unused) { exec_jcc_##cc, exec_jcc_##cc##_64 },

FOR_CONDITIONS(JCC, )

static exec_fn *const jcc[16][2] = { FOR_CONDITIONS(JCC_ROW, ) };

/* ---- JCXZ and LOOP: the counter is CX, ECX or RCX by the address size ---- */

static enum step exec_jcxz(struct core *c, const struct op *op)
{
	if (c->cpu.gpr[GPR_RCX] & byte_mask(op->insn.addrsize))
		return branch_not_taken(c, op);
	return branch(c, op, relative(c, op));
}

ALWAYS_INLINE enum step loop(struct core *c, const struct op *op, bool condition)
{
	u64 mask = byte_mask(op->insn.addrsize), rcx = c->cpu.gpr[GPR_RCX];
	u64 count = (rcx - 1) & mask;
	enum step step = count && condition ? branch(c, op, relative(c, op)) : branch_not_taken(c, op);

	if (step == STEP_NEXT)
		c->cpu.gpr[GPR_RCX] = op->insn.addrsize == 2 ? (rcx & ~mask) | count : count;
	return step;
}

static enum step exec_loop(struct core *c, const struct op *op)
{
	return loop(c, op, true);
}

static enum step exec_loope(struct core *c, const struct op *op)
{
	return loop(c, op, status_get(c) & CPU_STATUS_ZF);
}

static enum step exec_loopne(struct core *c, const struct op *op)
{
	return loop(c, op, !(status_get(c) & CPU_STATUS_ZF));
}

/* ---- selection ---- */

exec_fn *exec_select_branch(UNUSED const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	bool wide = i->opsize == 8;
	u8 kind = i->operand[0].kind;

	switch (i->op) {
	case INSN_JCC: return jcc[i->opcode & 15][wide];
	case INSN_JMP:
		if (!wide)
			return exec_jmp;
		return kind == OPERAND_REL ? exec_jmp_rel_64 : kind == OPERAND_MEM ? exec_jmp_mem_64 : exec_jmp_reg_64;
	case INSN_CALL:
		if (!wide)
			return exec_call;
		return kind == OPERAND_REL ? exec_call_rel_64 : kind == OPERAND_MEM ? exec_call_mem_64 : exec_call_reg_64;
	case INSN_RET: return wide ? exec_ret_64 : exec_ret;
	case INSN_JCXZ: return exec_jcxz;
	case INSN_LOOP: return exec_loop;
	case INSN_LOOPE: return exec_loope;
	case INSN_LOOPNE: return exec_loopne;
	default: return NULL;
	}
}

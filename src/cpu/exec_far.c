/*
 * Far transfers: the selection of their handlers, and the instructions that raise an event themselves.
 */
#include "cpu/access.h"
#include "cpu/event.h"
#include "cpu/exec.h"
#include "cpu/far.h"

/* Virtual-8086 mode with IOPL below 3: INT n is refused unless the redirection bitmap gives it to the program. */
static enum step exec_int(struct core *c, const struct op *op)
{
	u8 vector = (u8)op->insn.imm;

	if (cpu_in_v86_mode(&c->cpu) && (c->cpu.rflags & RFLAGS_IOPL) != RFLAGS_IOPL) {
		bool redirected;

		if (!event_read_redirection(c, op, vector, &redirected))
			return STEP_FAULT;
		if (!redirected)
			return core_raise_gp(c, op, 0);
	}
	return core_raise_software(c, op, vector, EVENT_SOFTWARE_INTERRUPT);
}

static enum step exec_int1(struct core *c, const struct op *op)
{
	return core_raise_software(c, op, VECTOR_DB, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
}

static enum step exec_int3(struct core *c, const struct op *op)
{
	return core_raise_software(c, op, VECTOR_BP, EVENT_SOFTWARE_EXCEPTION);
}

static enum step exec_into(struct core *c, const struct op *op)
{
	if (c->cpu.status & CPU_STATUS_OF)
		return core_raise_software(c, op, VECTOR_OF, EVENT_SOFTWARE_EXCEPTION);
	EXEC_NEXT(c, op);
}

static enum step exec_bound(struct core *c, const struct op *op)
{
	unsigned size = op->insn.opsize;
	s64 index = (s64)sign_extend(gpr_read(c, op->dst, size), size);
	u64 lower = 0, upper = 0;
	u8 bounds[8];

	if (!op_read(c, op, bounds, 2 * size))
		return STEP_FAULT;
	memcpy(&lower, bounds, size);
	memcpy(&upper, bounds + size, size);
	if (index < (s64)sign_extend(lower, size) || index > (s64)sign_extend(upper, size))
		return core_raise(c, op, VECTOR_BR);
	EXEC_NEXT(c, op);
}

exec_fn *exec_select_far(const struct core *c, struct op *op)
{
	(void)c;
	switch (op->insn.op) {
	case INSN_JMP_FAR: return exec_jmp_far;
	case INSN_CALL_FAR: return exec_call_far;
	case INSN_RET_FAR: return exec_ret_far;
	case INSN_IRET: return exec_iret;
	case INSN_INT: return exec_int;
	case INSN_INT1: return exec_int1;
	case INSN_INT3: return exec_int3;
	case INSN_INTO: return exec_into;
	case INSN_BOUND: return exec_bound;
	case INSN_SYSCALL: return exec_syscall;
	case INSN_SYSRET: return exec_sysret;
	case INSN_SYSENTER: return exec_sysenter;
	case INSN_SYSEXIT: return exec_sysexit;
	default: return NULL;
	}
}

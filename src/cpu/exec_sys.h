/* The handlers of the family sys that live in other files than its selector. */
#ifndef CPU_EXEC_SYS_H
#define CPU_EXEC_SYS_H

#include "cpu/core.h"

/* exec_control.c: registers that steer the processor */
exec_fn exec_mov_from_cr, exec_mov_to_cr, exec_mov_from_dr, exec_mov_to_dr, exec_clts;
exec_fn exec_invlpg, exec_invpcid;
exec_fn exec_xgetbv, exec_xsetbv, exec_rdpkru, exec_wrpkru;

/* exec_wait.c: flags and sleep */
exec_fn exec_sti, exec_cli, exec_stac, exec_clac;
exec_fn exec_hlt, exec_monitor, exec_mwait, exec_monitorx, exec_mwaitx;

/* Raises #GP(0) unless the CPL is 0; for `if (!privileged(c, op)) return STEP_FAULT`. */
static inline MUST_USE bool privileged(struct core *c, const struct op *op)
{
	if (likely(cpu_cpl(&c->cpu) == 0))
		return true;
	(void)core_raise_gp(c, op, 0);
	return false;
}

/* The segment of an operand that the instruction implies: DS unless overridden. */
static inline enum segment implied_segment(const struct op *op)
{
	return op->insn.prefixes & INSN_SEGMENT ? (enum segment)op->insn.seg : SEG_DS;
}

#endif

/*
 * What the files of far transfers share: exec_far.c selects; far_call.c, far_return.c and far_syscall.c execute.
 *
 * Each handler prepares everything that can fail, commits, and ends with far_done(): CS, and with it mode and
 * privilege, may be other ones now.
 */
#ifndef CPU_FAR_H
#define CPU_FAR_H

#include "cpu/frame.h"

exec_fn exec_jmp_far, exec_call_far;
exec_fn exec_ret_far, exec_iret;
exec_fn exec_syscall, exec_sysret, exec_sysenter, exec_sysexit;

/* The transfer is committed and goes on at rip. */
static inline enum step far_done(struct core *c, const struct op *op, u64 rip)
{
	c->op = op;
	c->cpu.rip = rip;
	core_mode_changed(c);
	return STEP_BREAK;
}

#endif

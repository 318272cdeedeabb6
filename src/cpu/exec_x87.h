/* What the x87 executors share: exec_x87*.c. */
#ifndef CPU_EXEC_X87_H
#define CPU_EXEC_X87_H

#include "cpu/access.h"
#include "cpu/exec.h"
#include "cpu/x87.h"

#define ST_BYTES 10

/* Handlers of the control instructions, NULL for others (exec_x87_control.c). */
exec_fn *x87_select_control(const struct insn *i);

#endif

/*
 * The executors: one selector per instruction family.
 *
 * A selector picks the handler for a decoded instruction, by operation, operand kinds and size, so that nothing is
 * decided twice. It returns NULL for what raises #UD in every state (block.c then places exec_invalid). Feature absence
 * is checked by the caller; what depends on CR bits or CPL is checked by the handler each time.
 */
#ifndef CPU_EXEC_H
#define CPU_EXEC_H

#include "cpu/core.h"

#define EXEC_FAMILIES(X) X(alu) X(mov) X(shift) X(muldiv) X(bit) X(string) X(stack) X(branch) X(far) X(seg) X(sys) \
	X(io) X(x87) X(simd) X(xsave)

/*
 * A selector may adjust op (dst, src, third, spare, an unused imm) as its handlers like. The families vmx and svm have no
 * selector yet: #UD.
 */
#define EXEC_DECLARE(family) exec_fn *exec_select_##family(const struct core *c, struct op *op);
EXEC_FAMILIES(EXEC_DECLARE)
#undef EXEC_DECLARE

/* #UD, for instructions that are invalid or absent. */
exec_fn exec_invalid;

#endif

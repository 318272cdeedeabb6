/* What the executors of FXSAVE and of the XSAVE family share. */
#ifndef CPU_EXEC_XSAVE_H
#define CPU_EXEC_XSAVE_H

#include "cpu/access.h"
#include "cpu/exec_simd.h"
#include "cpu/x87.h"
#include "cpu/xsave.h"

#define XSAVE_XMM_BYTES 16u

/* An area's address: false if it was not found (raised before) or is not aligned (#GP, raised here). */
MUST_USE bool xsave_alignment_ok(struct core *c, const struct op *op, struct load address, unsigned power_of_two);

/* The vector registers that can be reached in the current mode: 8 or 16. */
unsigned xsave_xmm_registers(const struct core *c);

exec_fn exec_xsave, exec_xsaveopt, exec_xsavec, exec_xsaves, exec_xrstor, exec_xrstors;

#endif

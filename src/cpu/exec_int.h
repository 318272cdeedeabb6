/* What the files of integer executors share beside exec.h: selectors of parts that have a file of their own. */
#ifndef CPU_EXEC_INT_H
#define CPU_EXEC_INT_H

#include "cpu/core.h"

/* DAA, DAS, AAA, AAS, AAM, AAD (exec_decimal.c). */
exec_fn *exec_select_decimal(const struct core *c, struct op *op);

/* LZCNT, TZCNT, POPCNT, BMI1, BMI2's, TBM, CRC32 (exec_bmi.c). */
exec_fn *exec_select_bmi(const struct core *c, struct op *op);

#endif

/*
 * Shifts and rotates.
 *
 * The host's instruction runs with the guest's flags loaded, because a count of zero keeps them all, rotates
 * keep most, and what a large count leaves in OF and AF is the processor's secret. Counts are masked by the host.
 */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

/* ---- by an immediate or CL ---- */

#define COUNT_CL ((u8)c->cpu.gpr[GPR_RCX])
#define COUNT_IMM ((u8)op->insn.imm)

#define SHIFT_SIZE(size, type, name)                                                                                   \
	ALWAYS_INLINE type name##_##size(struct core *c, type a, u8 count)                                             \
	{                                                                                                              \
		HOST_UPDATES(c, #name " %[count], %[a]", [a] "+r"(a), [count] "c"(count));                             \
		return a;                                                                                              \
	}                                                                                                              \
	EXEC_REGISTER(name##_r_cl_##size, u8 to = op->dst;                                                             \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), COUNT_CL));)                \
	EXEC_REGISTER(name##_r_imm_##size, u8 to = op->dst;                                                            \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), COUNT_IMM));)               \
	EXEC_MODIFY(name##_m_cl_##size, size, type, *m = name##_##size(c, *m, COUNT_CL);)                              \
	EXEC_MODIFY(name##_m_imm_##size, size, type, *m = name##_##size(c, *m, COUNT_IMM);)

#define SHIFT_ROW(size, type, name)                                                                                    \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_##name##_r_cl_##size, [FORM_RI] = exec_##name##_r_imm_##size,                         \
		[FORM_MR] = exec_##name##_m_cl_##size, [FORM_MI] = exec_##name##_m_imm_##size,                         \
	},

FOR_SIZES(SHIFT_SIZE, rol)
FOR_SIZES(SHIFT_SIZE, ror)
FOR_SIZES(SHIFT_SIZE, rcl)
FOR_SIZES(SHIFT_SIZE, rcr)
FOR_SIZES(SHIFT_SIZE, shl)
FOR_SIZES(SHIFT_SIZE, shr)
FOR_SIZES(SHIFT_SIZE, sar)

/* The most frequent: a register by an immediate that is not zero. All flags change, so none need be loaded. */
#define SHIFT_QUICK_SIZE(size, type, name)                                                                             \
	EXEC_REGISTER(name##_quick_##size, u8 to = op->dst, count = COUNT_IMM; type a = (type)gpr_read(c, to, size);   \
		      HOST_WRITES(c, "test %[a], %[a]\n\t" #name " %[count], %[a]", [a] "+r"(a), [count] "c"(count));  \
		      gpr_write(c, to, size, a);)
#define SHIFT_QUICK_ROW(size, type, name) [SIZE_INDEX(size)] = exec_##name##_quick_##size,

FOR_SIZES(SHIFT_QUICK_SIZE, shl)
FOR_SIZES(SHIFT_QUICK_SIZE, shr)
FOR_SIZES(SHIFT_QUICK_SIZE, sar)

/* ---- SHLD and SHRD ---- */

#define DOUBLE_SIZE(size, type, name)                                                                                  \
	ALWAYS_INLINE type name##_##size(struct core *c, type a, type b, u8 count)                                     \
	{                                                                                                              \
		HOST_UPDATES(c, #name " %[count], %[b], %[a]", [a] "+r"(a), [b] "r"(b), [count] "c"(count));           \
		return a;                                                                                              \
	}                                                                                                              \
	EXEC_REGISTER(name##_r_cl_##size, u8 to = op->dst; type b = (type)gpr_read(c, op->src, size);                  \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), b, COUNT_CL));)             \
	EXEC_REGISTER(name##_r_imm_##size, u8 to = op->dst; type b = (type)gpr_read(c, op->src, size);                 \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), b, COUNT_IMM));)            \
	EXEC_MODIFY(name##_m_cl_##size, size, type,                                                                    \
		    *m = name##_##size(c, *m, (type)gpr_read(c, op->src, size), COUNT_CL);)                            \
	EXEC_MODIFY(name##_m_imm_##size, size, type,                                                                   \
		    *m = name##_##size(c, *m, (type)gpr_read(c, op->src, size), COUNT_IMM);)

FOR_SIZES_248(DOUBLE_SIZE, shld)
FOR_SIZES_248(DOUBLE_SIZE, shrd)

/* ---- BMI2's shifts by a register or an immediate: no flags; the C operators, the count masked by the size ---- */

#define SHLX(a, count, signed_type) ((a) << (count))
#define SHRX(a, count, signed_type) ((a) >> (count))
#define SARX(a, count, signed_type) ((signed_type)(a) >> (count))
#define RORX(a, count, signed_type) ((a) >> (count) | (a) << (-(count) & (8 * sizeof(a) - 1)))

#define BMI2_SIZE(size, type, signed_type, name, operation, count_value)                                               \
	EXEC_REGISTER(name##_r_##size, type a = (type)gpr_read(c, op->src, size);                                      \
		      unsigned count = (unsigned)(count_value) & (8 * size - 1);                                       \
		      gpr_write(c, op->dst, size, (type)operation(a, count, signed_type));)                            \
	EXEC_READ(name##_m_##size, size, type, unsigned count = (unsigned)(count_value) & (8 * size - 1);              \
		  gpr_write(c, op->dst, size, (type)operation(m, count, signed_type));)
#define BMI2(name, operation, count_value)                                                                             \
	BMI2_SIZE(4, u32, s32, name, operation, count_value)                                                           \
	BMI2_SIZE(8, u64, s64, name, operation, count_value)
#define BMI2_ROW(name)                                                                                                 \
	{                                                                                                              \
		[SIZE_INDEX(4)] = { [FORM_RR] = exec_##name##_r_4, [FORM_RM] = exec_##name##_m_4 },                    \
		[SIZE_INDEX(8)] = { [FORM_RR] = exec_##name##_r_8, [FORM_RM] = exec_##name##_m_8 },                    \
	}

BMI2(shlx, SHLX, gpr_read(c, op->third, 8))
BMI2(shrx, SHRX, gpr_read(c, op->third, 8))
BMI2(sarx, SARX, gpr_read(c, op->third, 8))
BMI2(rorx, RORX, op->insn.imm)

/* ---- selection ---- */

static exec_fn *const by_form[][SIZE_COUNT][FORM_COUNT] = {
	[INSN_ROL - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, rol) },
	[INSN_ROR - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, ror) },
	[INSN_RCL - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, rcl) },
	[INSN_RCR - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, rcr) },
	[INSN_SHL - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, shl) },
	[INSN_SHR - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, shr) },
	[INSN_SAR - INSN_ROL] = { FOR_SIZES(SHIFT_ROW, sar) },
	[INSN_SHLD - INSN_ROL] = { FOR_SIZES_248(SHIFT_ROW, shld) },
	[INSN_SHRD - INSN_ROL] = { FOR_SIZES_248(SHIFT_ROW, shrd) },
	[INSN_SARX - INSN_ROL] = BMI2_ROW(sarx),
	[INSN_SHLX - INSN_ROL] = BMI2_ROW(shlx),
	[INSN_SHRX - INSN_ROL] = BMI2_ROW(shrx),
	[INSN_RORX - INSN_ROL] = BMI2_ROW(rorx),
};

static exec_fn *const quick[][SIZE_COUNT] = {
	[INSN_SHL - INSN_SHL] = { FOR_SIZES(SHIFT_QUICK_ROW, shl) },
	[INSN_SHR - INSN_SHL] = { FOR_SIZES(SHIFT_QUICK_ROW, shr) },
	[INSN_SAR - INSN_SHL] = { FOR_SIZES(SHIFT_QUICK_ROW, sar) },
};

/* The form by the destination and the count, which SHLD and SHRD have as their third operand. */
static enum form shift_form(const struct insn *i)
{
	bool by_imm = i->operand[i->operands - 1].kind == OPERAND_IMM;

	if (i->operand[0].kind == OPERAND_MEM)
		return by_imm ? FORM_MI : FORM_MR;
	return by_imm ? FORM_RI : FORM_RR;
}

exec_fn *exec_select_shift(UNUSED const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	unsigned size = i->operand[0].size;
	unsigned count_mask = size == 8 ? 63 : 31;

	switch (i->op) {
	case INSN_SARX: case INSN_SHLX: case INSN_SHRX: case INSN_RORX:
		return by_form[i->op - INSN_ROL][SIZE_INDEX(size)][form_of(i)];
	case INSN_SHL: case INSN_SHR: case INSN_SAR:
		if (shift_form(i) == FORM_RI && (i->imm & count_mask))
			return quick[i->op - INSN_SHL][SIZE_INDEX(size)];
	}
	return by_form[i->op - INSN_ROL][SIZE_INDEX(size)][shift_form(i)];
}

/*
 * Decimal adjustments: DAA, DAS, AAA, AAS, AAM, AAD.
 *
 * They do not exist in 64-bit mode, so the host cannot run them and they are written out after the manual.
 * Of the flags it calls undefined, OF comes out 0 everywhere, and so do AF and CF of AAM and AAD; SF, ZF and PF always
 * follow AL.
 */
#include "cpu/exec.h"
#include "cpu/exec_int.h"
#include "cpu/flags.h"

#define DIGIT 0xfu           /* the low decimal digit's four bits */
#define LARGEST_DIGIT 9
#define LARGEST_PACKED 0x99  /* two decimal digits */
#define ADJUST_LOW 0x06      /* skips the six codes that are no decimal digit */
#define ADJUST_HIGH 0x60

static u8 al_get(const struct core *c)
{
	return (u8)c->cpu.gpr[GPR_RAX];
}

static u16 ax_get(const struct core *c)
{
	return (u16)c->cpu.gpr[GPR_RAX];
}

static void ax_set(struct core *c, u16 ax)
{
	memcpy(&c->cpu.gpr[GPR_RAX], &ax, sizeof(ax));
}

static void al_set(struct core *c, u8 al)
{
	memcpy(&c->cpu.gpr[GPR_RAX], &al, sizeof(al));
}

static void flags_set(struct core *c, u8 al, bool carry, bool adjust)
{
	HOST_WRITES(c, "testb %[al], %[al]", [al] "+r"(al), );
	status_set(c, (u32)((status_get(c) & ~(CPU_STATUS_AF | CPU_STATUS_CF)) | (adjust ? CPU_STATUS_AF : 0) |
			    (carry ? CPU_STATUS_CF : 0)));
}

static bool low_digit_overflows(const struct core *c)
{
	return (al_get(c) & DIGIT) > LARGEST_DIGIT || (status_get(c) & CPU_STATUS_AF);
}

static enum step exec_daa(struct core *c, const struct op *op)
{
	u8 al = al_get(c);
	bool adjust = low_digit_overflows(c);
	bool carry = al > LARGEST_PACKED || (status_get(c) & CPU_STATUS_CF);

	al = (u8)(al + (adjust ? ADJUST_LOW : 0) + (carry ? ADJUST_HIGH : 0));
	al_set(c, al);
	flags_set(c, al, carry, adjust);
	EXEC_NEXT(c, op);
}

static enum step exec_das(struct core *c, const struct op *op)
{
	u8 al = al_get(c);
	bool adjust = low_digit_overflows(c);
	bool high = al > LARGEST_PACKED || (status_get(c) & CPU_STATUS_CF);
	bool carry = high || (adjust && al < ADJUST_LOW);

	al = (u8)(al - (adjust ? ADJUST_LOW : 0) - (high ? ADJUST_HIGH : 0));
	al_set(c, al);
	flags_set(c, al, carry, adjust);
	EXEC_NEXT(c, op);
}

/* AAA adds 0x106 to AX, AAS subtracts it: one more or less in AH, and AL's digit corrected. */
static enum step adjust_unpacked(struct core *c, const struct op *op, int direction)
{
	bool adjust = low_digit_overflows(c);

	if (adjust)
		ax_set(c, (u16)(ax_get(c) + direction * (ADJUST_LOW + (1 << 8))));
	al_set(c, al_get(c) & DIGIT);
	flags_set(c, al_get(c), adjust, adjust);
	EXEC_NEXT(c, op);
}

static enum step exec_aaa(struct core *c, const struct op *op)
{
	return adjust_unpacked(c, op, 1);
}

static enum step exec_aas(struct core *c, const struct op *op)
{
	return adjust_unpacked(c, op, -1);
}

static enum step exec_aam(struct core *c, const struct op *op)
{
	u8 base = (u8)op->insn.imm, al = al_get(c);

	if (!base)
		return core_raise(c, op, VECTOR_DE);
	ax_set(c, (u16)(al / base << 8 | al % base));
	flags_set(c, al % base, false, false);
	EXEC_NEXT(c, op);
}

static enum step exec_aad(struct core *c, const struct op *op)
{
	u8 al = (u8)(al_get(c) + (ax_get(c) >> 8) * (u8)op->insn.imm);

	ax_set(c, al);
	flags_set(c, al, false, false);
	EXEC_NEXT(c, op);
}

exec_fn *exec_select_decimal(UNUSED const struct core *c, struct op *op)
{
	switch (op->insn.op) {
	case INSN_DAA: return exec_daa;
	case INSN_DAS: return exec_das;
	case INSN_AAA: return exec_aaa;
	case INSN_AAS: return exec_aas;
	case INSN_AAM: return exec_aam;
	case INSN_AAD: return exec_aad;
	default: return NULL;
	}
}

/*
 * Multiplication and division.
 *
 * Products come from the host's instructions, flags included; it gets the guest's flags first, since some processors
 * keep those that the manual calls undefined. Quotients that do not fit are found before dividing, so the host never
 * faults; division leaves all flags alone, which are undefined after it.
 */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

#define RAX_AT (GPR_RAX * 8)
#define RDX_AT (GPR_RDX * 8)

/* ---- one operand: rDX:rAX = rAX * source, AX = AL * source ---- */

/* AX (`ax` by its name for the size) holds the flags before and after, and the factor and the product between. */
#define MUL_KERNEL(name, size, type, ax)                                                                               \
	ALWAYS_INLINE void name##_##size(struct core *c, type b)                                                       \
	{                                                                                                              \
		u32 status = status_get(c);                                                                            \
		type low = (type)gpr_read(c, RAX_AT, size), high;                                                      \
                                                                                                                       \
		asm(HOST_FLAGS_IN "mov %[low], %%" #ax "\n\t" #name " %[b]\n\tmov %%" #ax ", %[low]" HOST_FLAGS_OUT    \
		    : "+&a"(status), "=&d"(high), [low] "+&r"(low)                                                     \
		    : [b] "r"(b)                                                                                       \
		    : "cc");                                                                                           \
		status_set(c, status);                                                                                 \
		gpr_write(c, RAX_AT, size, low);                                                                       \
		gpr_write(c, RDX_AT, size, high);                                                                      \
	}

/* Bytes: the product is all of AX. */
#define MUL_KERNEL_1(name)                                                                                             \
	ALWAYS_INLINE void name##_1(struct core *c, u8 b)                                                              \
	{                                                                                                              \
		u32 status = status_get(c);                                                                            \
		u16 product = (u8)c->cpu.gpr[GPR_RAX];                                                                 \
                                                                                                                       \
		asm(HOST_FLAGS_IN "mov %[product], %%ax\n\t" #name " %[b]\n\tmov %%ax, %[product]" HOST_FLAGS_OUT      \
		    : "+&a"(status), [product] "+&r"(product)                                                          \
		    : [b] "r"(b)                                                                                       \
		    : "cc");                                                                                           \
		status_set(c, status);                                                                                 \
		gpr_write(c, RAX_AT, 2, product);                                                                      \
	}

#define MUL_KERNELS(name)                                                                                              \
	MUL_KERNEL_1(name)                                                                                             \
	MUL_KERNEL(name, 2, u16, ax)                                                                                   \
	MUL_KERNEL(name, 4, u32, eax)                                                                                  \
	MUL_KERNEL(name, 8, u64, rax)

MUL_KERNELS(mul)
MUL_KERNELS(imul)

/* ---- division: false if the quotient does not fit or the divisor is zero, with nothing changed ---- */

ALWAYS_INLINE bool div_1(struct core *c, u8 b)
{
	u16 a = (u16)c->cpu.gpr[GPR_RAX];

	if (a >> 8 >= b)
		return false;
	gpr_write(c, RAX_AT, 2, (u64)(a % b << 8 | a / b));
	return true;
}

ALWAYS_INLINE bool idiv_1(struct core *c, s8 b)
{
	s16 a = (s16)c->cpu.gpr[GPR_RAX];

	if (b == 0 || a / b != (s8)(a / b))
		return false;
	gpr_write(c, RAX_AT, 2, (u64)((a % b & 0xff) << 8 | (a / b & 0xff)));
	return true;
}

/* 16 and 32 bits: the dividend fits in 64. */
#define DIV_KERNEL(size, type, signed_type)                                                                            \
	ALWAYS_INLINE bool div_##size(struct core *c, type b)                                                          \
	{                                                                                                              \
		u64 high = gpr_read(c, RDX_AT, size), a = high << (8 * size) | gpr_read(c, RAX_AT, size);              \
                                                                                                                       \
		if (high >= b)                                                                                         \
			return false;                                                                                  \
		gpr_write(c, RAX_AT, size, a / b);                                                                     \
		gpr_write(c, RDX_AT, size, a % b);                                                                     \
		return true;                                                                                           \
	}                                                                                                              \
	ALWAYS_INLINE bool idiv_##size(struct core *c, signed_type b)                                                  \
	{                                                                                                              \
		u64 high = gpr_read(c, RDX_AT, size);                                                                  \
		s64 a = (s64)sign_extend(high << (8 * size) | gpr_read(c, RAX_AT, size), 2 * size);                    \
                                                                                                                       \
		if (b == 0 || (b == -1 && a == INT64_MIN) || a / b != (signed_type)(a / b))                            \
			return false;                                                                                  \
		gpr_write(c, RAX_AT, size, (u64)(a / b));                                                              \
		gpr_write(c, RDX_AT, size, (u64)(a % b));                                                              \
		return true;                                                                                           \
	}

DIV_KERNEL(2, u16, s16)
DIV_KERNEL(4, u32, s32)

/* high:low / b, for high < b. */
ALWAYS_INLINE u64 divide_128(u64 high, u64 low, u64 b, u64 *remainder)
{
	asm("divq %[b]" : "+a"(low), "+d"(high) : [b] "r"(b) : "cc");
	*remainder = high;
	return low;
}

ALWAYS_INLINE bool div_8(struct core *c, u64 b)
{
	u64 high = c->cpu.gpr[GPR_RDX], remainder;

	if (high >= b)
		return false;
	c->cpu.gpr[GPR_RAX] = divide_128(high, c->cpu.gpr[GPR_RAX], b, &remainder);
	c->cpu.gpr[GPR_RDX] = remainder;
	return true;
}

/* By magnitudes: the quotient's is below 2^63, or exactly that if negative; the remainder has the dividend's sign. */
ALWAYS_INLINE bool idiv_8(struct core *c, s64 b)
{
	unsigned __int128 a = (unsigned __int128)c->cpu.gpr[GPR_RDX] << 64 | c->cpu.gpr[GPR_RAX];
	bool negative_dividend = c->cpu.gpr[GPR_RDX] >> 63, negative = negative_dividend != (b < 0);
	u64 divisor = b < 0 ? -(u64)b : (u64)b, quotient, remainder;

	if (negative_dividend)
		a = -a;
	if ((u64)(a >> 64) >= divisor)
		return false;
	quotient = divide_128((u64)(a >> 64), (u64)a, divisor, &remainder);
	if (quotient > (u64)INT64_MAX + negative)
		return false;
	c->cpu.gpr[GPR_RAX] = negative ? -quotient : quotient;
	c->cpu.gpr[GPR_RDX] = negative_dividend ? -remainder : remainder;
	return true;
}

/* ---- handlers of the one-operand forms ---- */

#define ONE_SIZE(size, type, signed_type)                                                                              \
	EXEC_REGISTER(mul_r_##size, mul_##size(c, (type)gpr_read(c, op->dst, size));)                                  \
	EXEC_READ(mul_m_##size, size, type, mul_##size(c, m);)                                                         \
	EXEC_REGISTER(imul_r_##size, imul_##size(c, (type)gpr_read(c, op->dst, size));)                                \
	EXEC_READ(imul_m_##size, size, type, imul_##size(c, m);)                                                       \
	EXEC_REGISTER(div_r_##size, if (!div_##size(c, (type)gpr_read(c, op->dst, size)))                              \
		      return core_raise(c, op, VECTOR_DE);)                                                            \
	EXEC_READ(div_m_##size, size, type, if (!div_##size(c, m)) return core_raise(c, op, VECTOR_DE);)               \
	EXEC_REGISTER(idiv_r_##size, if (!idiv_##size(c, (signed_type)gpr_read(c, op->dst, size)))                     \
		      return core_raise(c, op, VECTOR_DE);)                                                            \
	EXEC_READ(idiv_m_##size, size, type, if (!idiv_##size(c, (signed_type)m)) return core_raise(c, op, VECTOR_DE);)

ONE_SIZE(1, u8, s8)
ONE_SIZE(2, u16, s16)
ONE_SIZE(4, u32, s32)
ONE_SIZE(8, u64, s64)

#define ONE_ROW(size, type, name) [SIZE_INDEX(size)] = { exec_##name##_r_##size, exec_##name##_m_##size },

static exec_fn *const mul[SIZE_COUNT][2] = { FOR_SIZES(ONE_ROW, mul) };
static exec_fn *const imul[SIZE_COUNT][2] = { FOR_SIZES(ONE_ROW, imul) };
static exec_fn *const div[SIZE_COUNT][2] = { FOR_SIZES(ONE_ROW, div) };
static exec_fn *const idiv[SIZE_COUNT][2] = { FOR_SIZES(ONE_ROW, idiv) };

/* ---- IMUL with two and three operands: the truncated product ---- */

#define IMUL_SIZE(size, type, unused)                                                                                  \
	ALWAYS_INLINE type product_##size(struct core *c, type a, type b)                                              \
	{                                                                                                              \
		HOST_UPDATES(c, "imul %[b], %[a]", [a] "+r"(a), [b] "r"(b));                                            \
		return a;                                                                                              \
	}                                                                                                              \
	EXEC_REGISTER(imul_rr_##size, u8 to = op->dst; type b = (type)gpr_read(c, op->src, size);                      \
		      gpr_write(c, to, size, product_##size(c, (type)gpr_read(c, to, size), b));)                      \
	EXEC_READ(imul_rm_##size, size, type, u8 to = op->dst;                                                         \
		  gpr_write(c, to, size, product_##size(c, (type)gpr_read(c, to, size), m));)                          \
	EXEC_REGISTER(imul_rri_##size, type b = (type)op->insn.imm;                                                    \
		      gpr_write(c, op->dst, size, product_##size(c, (type)gpr_read(c, op->src, size), b));)            \
	EXEC_READ(imul_rmi_##size, size, type, gpr_write(c, op->dst, size, product_##size(c, m, (type)op->insn.imm));)

#define IMUL_ROW(size, type, unused)                                                                                   \
	[SIZE_INDEX(size)] = { { exec_imul_rr_##size, exec_imul_rm_##size },                                           \
			       { exec_imul_rri_##size, exec_imul_rmi_##size } },

FOR_SIZES_248(IMUL_SIZE, )

static exec_fn *const imul_many[SIZE_COUNT][2][2] = { FOR_SIZES_248(IMUL_ROW, ) };

/* ---- MULX: no flags; operands are the high half, the low half, the factor ---- */

/* If both halves go to one register, it gets the high one. */

#define MULX_BODY(size, type, double_type, source)                                                                     \
	double_type product = (double_type)gpr_read(c, RDX_AT, size) * (type)(source);                                 \
	gpr_write(c, op->src, size, (u64)product);                                                                     \
	gpr_write(c, op->dst, size, (u64)(product >> (8 * size)));

EXEC_REGISTER(mulx_r_4, MULX_BODY(4, u32, u64, gpr_read(c, op->third, 4)))
EXEC_REGISTER(mulx_r_8, MULX_BODY(8, u64, unsigned __int128, gpr_read(c, op->third, 8)))
EXEC_READ(mulx_m_4, 4, u32, MULX_BODY(4, u32, u64, m))
EXEC_READ(mulx_m_8, 8, u64, MULX_BODY(8, u64, unsigned __int128, m))

static exec_fn *const mulx[2][2] = { { exec_mulx_r_4, exec_mulx_m_4 }, { exec_mulx_r_8, exec_mulx_m_8 } };

exec_fn *exec_select_muldiv(UNUSED const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	unsigned size = SIZE_INDEX(i->operand[0].size);
	bool memory = insn_has_memory_operand(i);

	switch (i->op) {
	case INSN_MUL: return mul[size][memory];
	case INSN_DIV: return div[size][memory];
	case INSN_IDIV: return idiv[size][memory];
	case INSN_MULX: return mulx[i->operand[0].size == 8][memory];
	case INSN_IMUL: return i->operands == 1 ? imul[size][memory] : imul_many[size][i->operands == 3][memory];
	default: return NULL;
	}
}

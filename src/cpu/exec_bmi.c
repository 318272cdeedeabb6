/*
 * Bit manipulation beyond the 80386: LZCNT, TZCNT, POPCNT, BMI1, BMI2's, TBM, CRC32.
 *
 * In C rather than on the host, which may lack them, so that any processor can be modelled anywhere. Flags that the
 * manual calls undefined come out as after an AND of the result, or as 0 where none but CF and ZF mean anything.
 */
#include "cpu/exec.h"
#include "cpu/exec_int.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

/* SF, ZF by value, OF 0, and the given CF. */
#define LOGIC_SIZE(size, type, unused)                                                                                 \
	ALWAYS_INLINE void logic_flags_##size(struct core *c, type value, bool carry)                                  \
	{                                                                                                              \
		HOST_WRITES(c, "test %[value], %[value]", [value] "+r"(value), );                                      \
		if (carry)                                                                                             \
			status_set(c, status_get(c) | (u32)CPU_STATUS_CF);                                             \
	}

LOGIC_SIZE(4, u32, )
LOGIC_SIZE(8, u64, )

/* ---- counts ---- */

static unsigned popcount(u64 value)
{
	const u64 ones = ~0ull;

	value -= value >> 1 & ones / 3;
	value = (value & ones / 5) + (value >> 2 & ones / 5);
	value = (value + (value >> 4)) & ones / 17;
	return (unsigned)(value * (ones / 255) >> 56);
}

#define TZCNT(size, value) ((value) ? (unsigned)__builtin_ctzll(value) : 8u * size)
#define LZCNT(size, value) ((value) ? (unsigned)__builtin_clzll(value) - (64u - 8u * size) : 8u * size)

#define COUNT_SIZE(size, type, unused)                                                                                 \
	ALWAYS_INLINE void zeros_##size(struct core *c, const struct op *op, unsigned count)                           \
	{                                                                                                              \
		gpr_write(c, op->dst, size, count);                                                                    \
		status_set(c, (count == 8 * size ? (u32)CPU_STATUS_CF : 0) | (count ? 0 : (u32)CPU_STATUS_ZF));        \
	}                                                                                                              \
	ALWAYS_INLINE void popcnt_##size(struct core *c, const struct op *op, type m)                                  \
	{                                                                                                              \
		gpr_write(c, op->dst, size, popcount(m));                                                              \
		status_set(c, m ? 0 : (u32)CPU_STATUS_ZF);                                                             \
	}                                                                                                              \
	EXEC_REGISTER(tzcnt_r_##size, type m = (type)gpr_read(c, op->src, size); zeros_##size(c, op, TZCNT(size, m));) \
	EXEC_READ(tzcnt_m_##size, size, type, zeros_##size(c, op, TZCNT(size, m));)                                    \
	EXEC_REGISTER(lzcnt_r_##size, type m = (type)gpr_read(c, op->src, size); zeros_##size(c, op, LZCNT(size, m));) \
	EXEC_READ(lzcnt_m_##size, size, type, zeros_##size(c, op, LZCNT(size, m));)                                    \
	EXEC_REGISTER(popcnt_r_##size, popcnt_##size(c, op, (type)gpr_read(c, op->src, size));)                        \
	EXEC_READ(popcnt_m_##size, size, type, popcnt_##size(c, op, m);)

FOR_SIZES_248(COUNT_SIZE, )

#define ROW(size, type, name) [SIZE_INDEX(size)] = { exec_##name##_r_##size, exec_##name##_m_##size },

static exec_fn *const tzcnt[SIZE_COUNT][2] = { FOR_SIZES_248(ROW, tzcnt) };
static exec_fn *const lzcnt[SIZE_COUNT][2] = { FOR_SIZES_248(ROW, lzcnt) };
static exec_fn *const popcnt[SIZE_COUNT][2] = { FOR_SIZES_248(ROW, popcnt) };

/* ---- one operand into another, with flags ---- */

/* X(name, result of m, carry) */
#define MASKING(X)                                                                                                     \
	X(BLSI, m & -m, m != 0)                                                                                        \
	X(BLSMSK, m ^ (m - 1), m == 0)                                                                                 \
	X(BLSR, m & (m - 1), m == 0)                                                                                   \
	X(BLCFILL, m & (m + 1), !(m + 1))                                                                              \
	X(BLCI, m | ~(m + 1), !(m + 1))                                                                                \
	X(BLCIC, ~m & (m + 1), !(m + 1))                                                                               \
	X(BLCMSK, m ^ (m + 1), !(m + 1))                                                                               \
	X(BLCS, m | (m + 1), !(m + 1))                                                                                 \
	X(BLSFILL, m | (m - 1), m == 0)                                                                                \
	X(BLSIC, ~m | (m - 1), m == 0)                                                                                 \
	X(T1MSKC, ~m | (m + 1), !(m + 1))                                                                              \
	X(TZMSK, ~m & (m - 1), m == 0)

#define MASK_BODY(size, type, result, carry)                                                                           \
	type value = (type)(result);                                                                                   \
	logic_flags_##size(c, value, carry);                                                                           \
	gpr_write(c, op->dst, size, value);

#define MASK_SIZE(size, type, name, result, carry)                                                                     \
	EXEC_REGISTER(name##_r_##size, type m = (type)gpr_read(c, op->src, size);                                      \
		      MASK_BODY(size, type, result, carry))                                                            \
	EXEC_READ(name##_m_##size, size, type, MASK_BODY(size, type, result, carry))
#define MASK(name, result, carry) MASK_SIZE(4, u32, name, result, carry) MASK_SIZE(8, u64, name, result, carry)
#define MASK_ROW(name, result, carry) [INSN_##name - INSN_ANDN] = { ROW(4, u32, name) ROW(8, u64, name) },

MASKING(MASK)

/* ---- two operands: ANDN, BEXTR, BZHI, PDEP, PEXT ---- */

/* `length` bits of value from bit `start` on; both may reach beyond it. */
static u64 extract(u64 value, unsigned start, unsigned length)
{
	value = start < 64 ? value >> start : 0;
	return length < 64 ? value & (BIT(length) - 1) : value;
}

/* The low bits of value go to where mask has ones. */
static u64 deposit_bits(u64 value, u64 mask)
{
	u64 result = 0;

	for (; mask; mask &= mask - 1, value >>= 1)
		result |= value & 1 ? mask & -mask : 0;
	return result;
}

/* The bits of value where mask has ones, packed. */
static u64 extract_bits(u64 value, u64 mask)
{
	u64 result = 0;

	for (unsigned n = 0; mask; mask &= mask - 1, n++)
		result |= value & mask & -mask ? BIT(n) : 0;
	return result;
}

/* X(name, operand that may be in memory, the other, result, flags); m is the former's value, r the latter's */
#define TWO_OPERANDS(X)                                                                                                \
	X(ANDN, third, src, ~r & m, logic_flags, false)                                                                \
	X(BEXTR, src, third, extract(m, (u8)r, (u8)(r >> 8)), logic_flags, false)                                      \
	X(BZHI, src, third, extract(m, 0, (u8)r), logic_flags, (u8)r >= 8 * sizeof(m))                                 \
	X(PDEP, third, src, deposit_bits(r, m), no_flags, false)                                                       \
	X(PEXT, third, src, extract_bits(r, m), no_flags, false)

#define no_flags_4(c, value, carry) ((void)(carry))
#define no_flags_8(c, value, carry) ((void)(carry))

#define TWO_BODY(size, type, other, result, flags, carry)                                                              \
	type r = (type)gpr_read(c, op->other, size), value = (type)(result);                                           \
	flags##_##size(c, value, carry);                                                                               \
	gpr_write(c, op->dst, size, value);

#define TWO_SIZE(size, type, name, at, other, result, flags, carry)                                                    \
	EXEC_REGISTER(name##_r_##size, type m = (type)gpr_read(c, op->at, size);                                       \
		      TWO_BODY(size, type, other, result, flags, carry))                                               \
	EXEC_READ(name##_m_##size, size, type, TWO_BODY(size, type, other, result, flags, carry))
#define TWO(name, at, other, result, flags, carry)                                                                     \
	TWO_SIZE(4, u32, name, at, other, result, flags, carry)                                                        \
	TWO_SIZE(8, u64, name, at, other, result, flags, carry)
#define TWO_ROW(name, at, other, result, flags, carry)                                                                 \
	[INSN_##name - INSN_ANDN] = { ROW(4, u32, name) ROW(8, u64, name) },

TWO_OPERANDS(TWO)

/* TBM's BEXTR: start and length in the immediate. */
#define BEXTR_IMM_RESULT extract(m, (u8)op->insn.imm, (u8)(op->insn.imm >> 8))

MASK(BEXTR_IMM, BEXTR_IMM_RESULT, false)

static exec_fn *const by_size[][SIZE_COUNT][2] = {
	MASKING(MASK_ROW)
	TWO_OPERANDS(TWO_ROW)
	MASK_ROW(BEXTR_IMM, , )
};

/* ---- CRC32: the Castagnoli polynomial, bit-reflected, four bits at a time ---- */

#define CRC32C_POLYNOMIAL 0x82f63b78u
#define CRC_1(crc) ((crc) >> 1 ^ ((crc) & 1 ? CRC32C_POLYNOMIAL : 0))
#define CRC_2(crc) CRC_1(CRC_1(crc))
#define CRC_4(crc) CRC_2(CRC_2(crc))

static u32 crc32c(u32 crc, u64 value, unsigned bytes)
{
	static const u32 step[16] = {
		CRC_4(0u), CRC_4(1u), CRC_4(2u), CRC_4(3u), CRC_4(4u), CRC_4(5u), CRC_4(6u), CRC_4(7u),
		CRC_4(8u), CRC_4(9u), CRC_4(10u), CRC_4(11u), CRC_4(12u), CRC_4(13u), CRC_4(14u), CRC_4(15u),
	};

	for (unsigned n = 0; n < 2 * bytes; n++, value >>= 4)
		crc = crc >> 4 ^ step[(crc ^ value) & 15];
	return crc;
}

#define CRC_SIZE(size, type, unused)                                                                                   \
	EXEC_REGISTER(crc32_r_##size, u64 m = gpr_read(c, op->src, size);                                              \
		      gpr_write(c, op->dst, 4, crc32c((u32)gpr_read(c, op->dst, 4), m, size));)                        \
	EXEC_READ(crc32_m_##size, size, type, gpr_write(c, op->dst, 4, crc32c((u32)gpr_read(c, op->dst, 4), m, size));)

FOR_SIZES(CRC_SIZE, )

static exec_fn *const crc32[SIZE_COUNT][2] = { FOR_SIZES(ROW, crc32) };

exec_fn *exec_select_bmi(UNUSED const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	unsigned size = SIZE_INDEX(i->operand[0].size);
	bool memory = insn_has_memory_operand(i);

	switch (i->op) {
	case INSN_TZCNT: return tzcnt[size][memory];
	case INSN_LZCNT: return lzcnt[size][memory];
	case INSN_POPCNT: return popcnt[size][memory];
	case INSN_CRC32: return crc32[SIZE_INDEX(i->operand[1].size)][memory];
	default: return by_size[i->op - INSN_ANDN][size][memory];
	}
}

/*
 * Single bits, bit scans, counts.
 *
 * BT and its kin with a register offset and a memory operand address a bit string: the offset may reach far outside
 * the operand. The instructions that came with BMI, TBM, POPCNT and CRC32 are written in C (exec_bmi.c), since
 * the host may lack them.
 */
#include "cpu/exec.h"
#include "cpu/exec_int.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

/* ---- BT, BTS, BTR, BTC ---- */

/*
 * A pointer-free address for bit strings: the operand of `size` bytes that holds the bit. Offsets are signed numbers of
 * the operand size.
 */
ALWAYS_INLINE struct load bit_string_linear(struct core *c, const struct op *op, unsigned size, enum access access)
{
	s64 bit = (s64)sign_extend(gpr_read(c, op->src, size), size);
	u64 offset = op_offset_raw(c, op) + (u64)(bit >> 3 & -(s64)size);

	if (likely(op->address <= ADDRESS_INDEXED))
		return (struct load){ offset, true };
	return segment_linear(c, op, (enum segment)op->insn.seg, offset & byte_mask(op->insn.addrsize), size, access);
}

/* The host takes the offset modulo the operand size from a register. */
#define BIT_KERNEL(size, type, name)                                                                                   \
	ALWAYS_INLINE type name##_##size(struct core *c, type a, type b)                                               \
	{                                                                                                              \
		HOST_UPDATES(c, #name " %[b], %[a]", [a] "+r"(a), [b] "r"(b));                                         \
		return a;                                                                                              \
	}

#define BT_SIZE(size, type, name)                                                                                      \
	BIT_KERNEL(size, type, name)                                                                                   \
	EXEC_REGISTER(bt_rr_##size, bt_##size(c, (type)gpr_read(c, op->dst, size), (type)gpr_read(c, op->src, size));) \
	EXEC_REGISTER(bt_ri_##size, bt_##size(c, (type)gpr_read(c, op->dst, size), (type)op->insn.imm);)               \
	EXEC_READ(bt_mi_##size, size, type, bt_##size(c, m, (type)op->insn.imm);)                                      \
	EXEC_DEFINE(bt_mr_##size)                                                                                      \
	{                                                                                                              \
		struct load m = bit_string_linear(c, op, size, ACCESS_READ);                                           \
                                                                                                                       \
		if (m.ok)                                                                                              \
			m = linear_load(c, op, (enum segment)op->insn.seg, m.value, size);                             \
		if (!m.ok)                                                                                             \
			return STEP_FAULT;                                                                             \
		bt_##size(c, (type)m.value, (type)gpr_read(c, op->src, size));                                         \
		EXEC_NEXT(c, op);                                                                                      \
	}

/*
 * With a memory operand, the bit is first taken within the operand (the masked offset), because the host's own bit
 * string form would go by the whole register. All of these are locked: nobody can tell.
 */
#define BIT_LOCKED(size, type, name, b)                                                                                \
	type bit = (type)(b) & (8 * size - 1);                                                                         \
	HOST_UPDATES(c, "lock " #name " %[bit], %[m]", [m] "+m"(*m), [bit] "r"(bit));

#define BIT_CHANGE_SIZE(size, type, name)                                                                              \
	BIT_KERNEL(size, type, name)                                                                                   \
	EXEC_REGISTER(name##_rr_##size, u8 to = op->dst; type b = (type)gpr_read(c, op->src, size);                    \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), b));)                       \
	EXEC_REGISTER(name##_ri_##size, u8 to = op->dst; type b = (type)op->insn.imm;                                  \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), b));)                       \
	EXEC_MODIFY(name##_mi_##size, size, type, *m = name##_##size(c, *m, (type)op->insn.imm);)                      \
	EXEC_MODIFY(name##_lock_mi_##size, size, type, BIT_LOCKED(size, type, name, op->insn.imm))                     \
	EXEC_DEFINE(name##_mr_##size)                                                                                  \
	{                                                                                                              \
		struct load address = bit_string_linear(c, op, size, ACCESS_WRITE);                                    \
		void *operand = address.ok ? linear_rmw(c, op, address.value, size) : NULL;                            \
		guest_##type *m = operand;                                                                             \
                                                                                                                       \
		if (!operand)                                                                                          \
			return STEP_FAULT;                                                                             \
		BIT_LOCKED(size, type, name, gpr_read(c, op->src, size))                                               \
		op_rmw_end(c, op, operand);                                                                            \
		EXEC_NEXT(c, op);                                                                                      \
	}

#define BT_ROW(size, type, name)                                                                                       \
	[SIZE_INDEX(size)] = { [FORM_RR] = exec_bt_rr_##size, [FORM_RI] = exec_bt_ri_##size,                           \
			       [FORM_MR] = exec_bt_mr_##size, [FORM_MI] = exec_bt_mi_##size },

#define BIT_CHANGE_ROW(size, type, name)                                                                               \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_##name##_rr_##size,      [FORM_RI] = exec_##name##_ri_##size,                         \
		[FORM_MR] = exec_##name##_mr_##size,      [FORM_LOCK_MR] = exec_##name##_mr_##size,                    \
		[FORM_MI] = exec_##name##_mi_##size,      [FORM_LOCK_MI] = exec_##name##_lock_mi_##size,               \
	},

FOR_SIZES_248(BT_SIZE, bt)
FOR_SIZES_248(BIT_CHANGE_SIZE, bts)
FOR_SIZES_248(BIT_CHANGE_SIZE, btr)
FOR_SIZES_248(BIT_CHANGE_SIZE, btc)

static exec_fn *const bit_test[][SIZE_COUNT][FORM_COUNT] = {
	[INSN_BT - INSN_BT] = { FOR_SIZES_248(BT_ROW, bt) },
	[INSN_BTS - INSN_BT] = { FOR_SIZES_248(BIT_CHANGE_ROW, bts) },
	[INSN_BTR - INSN_BT] = { FOR_SIZES_248(BIT_CHANGE_ROW, btr) },
	[INSN_BTC - INSN_BT] = { FOR_SIZES_248(BIT_CHANGE_ROW, btc) },
};

/* ---- BSF and BSR: a source of zero leaves all of the destination, so all of it goes through the host's ---- */

#define SCAN_SIZE(size, type, name)                                                                                    \
	ALWAYS_INLINE void name##_##size(struct core *c, const struct op *op, type b)                                  \
	{                                                                                                              \
		u64 a = gpr_read(c, op->dst, 8);                                                                       \
                                                                                                                       \
		HOST_UPDATES(c, #name " %[b], " HOST_NAME_##size(a), [a] "+r"(a), [b] "r"(b));                            \
		gpr_write(c, op->dst, 8, a);                                                                           \
	}                                                                                                              \
	EXEC_REGISTER(name##_r_##size, name##_##size(c, op, (type)gpr_read(c, op->src, size));)                        \
	EXEC_READ(name##_m_##size, size, type, name##_##size(c, op, m);)
#define SCAN_ROW(size, type, name) [SIZE_INDEX(size)] = { exec_##name##_r_##size, exec_##name##_m_##size },

FOR_SIZES_248(SCAN_SIZE, bsf)
FOR_SIZES_248(SCAN_SIZE, bsr)

static exec_fn *const bsf[SIZE_COUNT][2] = { FOR_SIZES_248(SCAN_ROW, bsf) };
static exec_fn *const bsr[SIZE_COUNT][2] = { FOR_SIZES_248(SCAN_ROW, bsr) };

exec_fn *exec_select_bit(const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	unsigned size = SIZE_INDEX(i->operand[0].size);
	bool memory = insn_has_memory_operand(i);

	switch (i->op) {
	case INSN_BT: case INSN_BTS: case INSN_BTR: case INSN_BTC:
		return bit_test[i->op - INSN_BT][size][form_of(i)];
	case INSN_BSF: return bsf[size][memory];
	case INSN_BSR: return bsr[size][memory];
	case INSN_TZCNT: /* F3 is a prefix without meaning where it is not known */
		return feature_has(&c->features, FEAT_BMI1) ? exec_select_bmi(c, op) : bsf[size][memory];
	case INSN_LZCNT:
		return feature_has(&c->features, FEAT_LZCNT) ? exec_select_bmi(c, op) : bsr[size][memory];
	default: return exec_select_bmi(c, op);
	}
}

/*
 * Integer arithmetic and logic.
 *
 * For each operation and size the host's instruction is wrapped once (a "kernel", such as add_4), and from it come the
 * handlers for every operand form. Memory operands with LOCK are modified in place with the host's LOCK, all
 * others by load, kernel and store, which is as little atomic as the processor's own.
 */
#include "cpu/exec.h"
#include "cpu/exec_int.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

/* ---- binary operations: destination op= source ---- */

#define BINARY_SIZE(size, type, name, host)                                                                            \
	ALWAYS_INLINE type name##_##size(struct core *c, type a, type b)                                               \
	{                                                                                                              \
		host(c, #name " %[b], %[a]", [a] "+r"(a), [b] "r"(b));                                                 \
		return a;                                                                                              \
	}                                                                                                              \
	EXEC_REGISTER(name##_rr_##size, u8 to = op->dst; type b = (type)gpr_read(c, op->src, size);                    \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), b));)                       \
	EXEC_REGISTER(name##_ri_##size, u8 to = op->dst; type b = (type)op->insn.imm;                                  \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), b));)                       \
	EXEC_READ(name##_rm_##size, size, type, u8 to = op->dst;                                                       \
		  gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size), m));)                           \
	EXEC_MODIFY(name##_mr_##size, size, type, *m = name##_##size(c, *m, (type)gpr_read(c, op->src, size));)        \
	EXEC_MODIFY(name##_mi_##size, size, type, *m = name##_##size(c, *m, (type)op->insn.imm);)                      \
	EXEC_MODIFY(name##_lock_mr_##size, size, type, type b = (type)gpr_read(c, op->src, size);                      \
		    host(c, "lock " #name " %[b], %[m]", [m] "+m"(*m), [b] "r"(b));)                                   \
	EXEC_MODIFY(name##_lock_mi_##size, size, type, type b = (type)op->insn.imm;                                    \
		    host(c, "lock " #name " %[b], %[m]", [m] "+m"(*m), [b] "r"(b));)

#define BINARY_ROW(size, type, name)                                                                                   \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_##name##_rr_##size,           [FORM_RI] = exec_##name##_ri_##size,                    \
		[FORM_RM] = exec_##name##_rm_##size,           [FORM_MR] = exec_##name##_mr_##size,                    \
		[FORM_MI] = exec_##name##_mi_##size,           [FORM_LOCK_MR] = exec_##name##_lock_mr_##size,          \
		[FORM_LOCK_MI] = exec_##name##_lock_mi_##size,                                                         \
	},

FOR_SIZES(BINARY_SIZE, add, HOST_WRITES)
FOR_SIZES(BINARY_SIZE, or, HOST_WRITES)
FOR_SIZES(BINARY_SIZE, adc, HOST_CARRY)
FOR_SIZES(BINARY_SIZE, sbb, HOST_CARRY)
FOR_SIZES(BINARY_SIZE, and, HOST_WRITES)
FOR_SIZES(BINARY_SIZE, sub, HOST_WRITES)
FOR_SIZES(BINARY_SIZE, xor, HOST_WRITES)

/* ---- comparisons: flags only ---- */

#define COMPARE_SIZE(size, type, name)                                                                                 \
	ALWAYS_INLINE void name##_##size(struct core *c, type a, type b)                                               \
	{                                                                                                              \
		HOST_WRITES(c, #name " %[b], %[a]", [a] "+r"(a), [b] "r"(b));                                          \
	}                                                                                                              \
	EXEC_REGISTER(name##_rr_##size,                                                                                \
		      name##_##size(c, (type)gpr_read(c, op->dst, size), (type)gpr_read(c, op->src, size));)           \
	EXEC_REGISTER(name##_ri_##size, name##_##size(c, (type)gpr_read(c, op->dst, size), (type)op->insn.imm);)       \
	EXEC_READ(name##_rm_##size, size, type, name##_##size(c, (type)gpr_read(c, op->dst, size), m);)                \
	EXEC_READ(name##_mr_##size, size, type, name##_##size(c, m, (type)gpr_read(c, op->src, size));)                \
	EXEC_READ(name##_mi_##size, size, type, name##_##size(c, m, (type)op->insn.imm);)

#define COMPARE_ROW(size, type, name)                                                                                  \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_##name##_rr_##size, [FORM_RI] = exec_##name##_ri_##size,                              \
		[FORM_RM] = exec_##name##_rm_##size, [FORM_MR] = exec_##name##_mr_##size,                              \
		[FORM_MI] = exec_##name##_mi_##size,                                                                   \
	},

FOR_SIZES(COMPARE_SIZE, cmp)
FOR_SIZES(COMPARE_SIZE, test)

/* ---- unary operations ---- */

/* `suffix` tells the assembler the size of a memory operand. */
#define UNARY_SIZE(size, type, suffix, name, host)                                                                     \
	ALWAYS_INLINE type name##_##size(UNUSED struct core *c, type a)                                                \
	{                                                                                                              \
		host(c, #name " %[a]", HOST_LIST([a] "+r"(a)), );                                                      \
		return a;                                                                                              \
	}                                                                                                              \
	EXEC_REGISTER(name##_r_##size, u8 to = op->dst;                                                                \
		      gpr_write(c, to, size, name##_##size(c, (type)gpr_read(c, to, size)));)                          \
	EXEC_MODIFY(name##_m_##size, size, type, *m = name##_##size(c, *m);)                                           \
	EXEC_MODIFY(name##_lock_m_##size, size, type, host(c, "lock " #name #suffix " %[m]", [m] "+m"(*m), );)

#define UNARY(name, host)                                                                                              \
	UNARY_SIZE(1, u8, b, name, host)                                                                               \
	UNARY_SIZE(2, u16, w, name, host)                                                                              \
	UNARY_SIZE(4, u32, l, name, host)                                                                              \
	UNARY_SIZE(8, u64, q, name, host)

#define UNARY_ROW(size, type, name)                                                                                    \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_R] = exec_##name##_r_##size,                                                                     \
		[FORM_M] = exec_##name##_m_##size,                                                                     \
		[FORM_LOCK_M] = exec_##name##_lock_m_##size,                                                           \
	},

UNARY(inc, HOST_CARRY)
UNARY(dec, HOST_CARRY)
UNARY(neg, HOST_WRITES)
UNARY(not, HOST_KEEPS)

/* ---- exchange and add ---- */

#define XADD_SIZE(size, type, unused)                                                                                  \
	EXEC_REGISTER(xadd_rr_##size, type a = (type)gpr_read(c, op->dst, size);                                       \
		      type sum = add_##size(c, a, (type)gpr_read(c, op->src, size));                                   \
		      gpr_write(c, op->src, size, a);                                                                  \
		      gpr_write(c, op->dst, size, sum);)                                                               \
	EXEC_MODIFY(xadd_mr_##size, size, type, type a = *m;                                                           \
		    *m = add_##size(c, a, (type)gpr_read(c, op->src, size));                                           \
		    gpr_write(c, op->src, size, a);)                                                                   \
	EXEC_MODIFY(xadd_lock_mr_##size, size, type, type b = (type)gpr_read(c, op->src, size);                        \
		    HOST_WRITES(c, "lock xadd %[b], %[m]", HOST_LIST([m] "+m"(*m), [b] "+r"(b)), );                    \
		    gpr_write(c, op->src, size, b);)

#define XADD_ROW(size, type, unused)                                                                                   \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_xadd_rr_##size,                                                                       \
		[FORM_MR] = exec_xadd_mr_##size,                                                                       \
		[FORM_LOCK_MR] = exec_xadd_lock_mr_##size,                                                             \
	},

FOR_SIZES(XADD_SIZE, )

/* ---- compare and exchange ---- */

/*
 * A destination in memory is always written, with its old value if the comparison fails. The accumulator is written
 * only then: so a 32-bit success leaves RAX's upper half alone. What a 32-bit failure does to a register's upper half
 * differs between processors; the host knows.
 */
#define CMPXCHG_SIZE(size, type, unused)                                                                               \
	ALWAYS_INLINE void cmpxchg_finish_##size(struct core *c, type expected, type seen)                             \
	{                                                                                                              \
		cmp_##size(c, expected, seen);                                                                         \
		if (expected != seen)                                                                                  \
			gpr_write(c, GPR_RAX * 8, size, seen);                                                         \
	}                                                                                                              \
	EXEC_REGISTER(cmpxchg_rr_##size, enum { whole = size == 4 ? 8 : size };                                        \
		      u64 a = gpr_read(c, op->dst, whole), ax = gpr_read(c, GPR_RAX * 8, whole), status = ax;          \
		      asm("cmpxchg " HOST_NAME_##size(b) ", " HOST_NAME_##size(a) "\n\tmov %%rax, %[ax]" HOST_FLAGS_OUT  \
			  : [a] "+&r"(a), [ax] "=&r"(ax), "+&a"(status)                                                \
			  : [b] "r"(gpr_read(c, op->src, size))                                                        \
			  : "cc");                                                                                     \
		      status_set(c, (u32)status);                                                                      \
		      gpr_write(c, GPR_RAX * 8, whole, ax);                                                            \
		      gpr_write(c, op->dst, whole, a);)                                                                \
	EXEC_MODIFY(cmpxchg_mr_##size, size, type, type seen = *m;                                                     \
		    type expected = (type)gpr_read(c, GPR_RAX * 8, size);                                              \
		    *m = seen == expected ? (type)gpr_read(c, op->src, size) : seen;                                   \
		    cmpxchg_finish_##size(c, expected, seen);)                                                         \
	EXEC_MODIFY(cmpxchg_lock_mr_##size, size, type, type expected = (type)gpr_read(c, GPR_RAX * 8, size);          \
		    type seen = expected, b = (type)gpr_read(c, op->src, size);                                        \
		    asm("lock cmpxchg %[b], %[m]" : [m] "+m"(*m), "+a"(seen) : [b] "r"(b) : "cc");                     \
		    cmpxchg_finish_##size(c, expected, seen);)

#define CMPXCHG_ROW(size, type, unused)                                                                                \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_cmpxchg_rr_##size,                                                                    \
		[FORM_MR] = exec_cmpxchg_mr_##size,                                                                    \
		[FORM_LOCK_MR] = exec_cmpxchg_lock_mr_##size,                                                          \
	},

FOR_SIZES(CMPXCHG_SIZE, )

/* CMPXCHG8B and CMPXCHG16B: only ZF changes. Always atomic here, which no one can tell from not. */
static void set_zf(struct core *c, bool zf)
{
	status_set(c, (u32)((status_get(c) & ~CPU_STATUS_ZF) | (zf ? CPU_STATUS_ZF : 0)));
}

static enum step exec_cmpxchg8b(struct core *c, const struct op *op)
{
	u64 *gpr = c->cpu.gpr;
	u32 low = (u32)gpr[GPR_RAX], high = (u32)gpr[GPR_RDX];
	bool equal;
	guest_u64 *m = op_rmw(c, op, 8);

	if (!m)
		return STEP_FAULT;
	asm("lock cmpxchg8b %[m]"
	    : [m] "+m"(*m), "+a"(low), "+d"(high), "=@ccz"(equal)
	    : "b"((u32)gpr[GPR_RBX]), "c"((u32)gpr[GPR_RCX]));
	op_rmw_end(c, op, (const void *)m);
	set_zf(c, equal);
	if (!equal) {
		gpr[GPR_RAX] = low;
		gpr[GPR_RDX] = high;
	}
	EXEC_NEXT(c, op);
}

static enum step exec_cmpxchg16b(struct core *c, const struct op *op)
{
	u64 *gpr = c->cpu.gpr, low = gpr[GPR_RAX], high = gpr[GPR_RDX];
	struct load address = op_linear(c, op, 16, ACCESS_WRITE);
	struct { u64 half[2]; } *m;
	bool equal;

	if (!address.ok)
		return STEP_FAULT;
	if (address.value & 15)
		return core_raise_gp(c, op, 0);
	m = linear_rmw(c, op, address.value, 16);
	if (!m)
		return STEP_FAULT;
	asm("lock cmpxchg16b %[m]"
	    : [m] "+m"(*m), "+a"(low), "+d"(high), "=@ccz"(equal)
	    : "b"(gpr[GPR_RBX]), "c"(gpr[GPR_RCX]));
	op_rmw_end(c, op, m);
	set_zf(c, equal);
	if (!equal) {
		gpr[GPR_RAX] = low;
		gpr[GPR_RDX] = high;
	}
	EXEC_NEXT(c, op);
}

/* ---- addition through one flag: ADCX uses and changes only CF, ADOX only OF ---- */

#define ADX_BODY(type, size, flag, b)                                                                                  \
	u32 status = status_get(c);                                                                                    \
	type a = (type)gpr_read(c, op->dst, size), sum;                                                                \
	bool carry = __builtin_add_overflow(a, (type)(b), &sum);                                                       \
	carry |= __builtin_add_overflow(sum, (type)!!(status & (flag)), &sum);                                         \
	status_set(c, (u32)((status & ~(flag)) | (carry ? (flag) : 0)));                                               \
	gpr_write(c, op->dst, size, sum);

#define ADX_SIZE(size, type, name, flag)                                                                               \
	EXEC_REGISTER(name##_rr_##size, ADX_BODY(type, size, flag, gpr_read(c, op->src, size)))                        \
	EXEC_READ(name##_rm_##size, size, type, ADX_BODY(type, size, flag, m))

#define ADX_ROW(size, type, name)                                                                                      \
	[SIZE_INDEX(size)] = { [FORM_RR] = exec_##name##_rr_##size, [FORM_RM] = exec_##name##_rm_##size },

ADX_SIZE(4, u32, adcx, CPU_STATUS_CF)
ADX_SIZE(8, u64, adcx, CPU_STATUS_CF)
ADX_SIZE(4, u32, adox, CPU_STATUS_OF)
ADX_SIZE(8, u64, adox, CPU_STATUS_OF)

/* ---- selection ---- */

static exec_fn *const by_form[][SIZE_COUNT][FORM_COUNT] = {
	[INSN_ADD] = { FOR_SIZES(BINARY_ROW, add) },
	[INSN_OR] = { FOR_SIZES(BINARY_ROW, or) },
	[INSN_ADC] = { FOR_SIZES(BINARY_ROW, adc) },
	[INSN_SBB] = { FOR_SIZES(BINARY_ROW, sbb) },
	[INSN_AND] = { FOR_SIZES(BINARY_ROW, and) },
	[INSN_SUB] = { FOR_SIZES(BINARY_ROW, sub) },
	[INSN_XOR] = { FOR_SIZES(BINARY_ROW, xor) },
	[INSN_CMP] = { FOR_SIZES(COMPARE_ROW, cmp) },
	[INSN_TEST] = { FOR_SIZES(COMPARE_ROW, test) },
	[INSN_INC] = { FOR_SIZES(UNARY_ROW, inc) },
	[INSN_DEC] = { FOR_SIZES(UNARY_ROW, dec) },
	[INSN_NEG] = { FOR_SIZES(UNARY_ROW, neg) },
	[INSN_NOT] = { FOR_SIZES(UNARY_ROW, not) },
	[INSN_XADD] = { FOR_SIZES(XADD_ROW, ) },
	[INSN_CMPXCHG] = { FOR_SIZES(CMPXCHG_ROW, ) },
	[INSN_ADCX] = { ADX_ROW(4, u32, adcx) ADX_ROW(8, u64, adcx) },
	[INSN_ADOX] = { ADX_ROW(4, u32, adox) ADX_ROW(8, u64, adox) },
};

exec_fn *exec_select_alu(const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;

	switch (i->op) {
	case INSN_CMPXCHG8B: return exec_cmpxchg8b;
	case INSN_CMPXCHG16B: return exec_cmpxchg16b;
	case INSN_DAA: case INSN_DAS: case INSN_AAA: case INSN_AAS: case INSN_AAM: case INSN_AAD:
		return exec_select_decimal(c, op);
	default: return by_form[i->op][SIZE_INDEX(i->operand[0].size)][form_of(i)];
	}
}

/*
 * Moves: data between registers and memory unchanged, extended, exchanged, chosen by a condition; and what moves
 * nothing but flags, or nothing at all (hints and fences).
 */
#include "cpu/exec.h"
#include "cpu/exec_int.h"
#include "cpu/flags.h"
#include "cpu/forms.h"

/* ---- MOV ---- */

#define MOV_SIZE(size, type, unused)                                                                                   \
	EXEC_REGISTER(mov_rr_##size, gpr_write(c, op->dst, size, gpr_read(c, op->src, size));)                         \
	EXEC_REGISTER(mov_ri_##size, gpr_write(c, op->dst, size, op->insn.imm);)                                       \
	EXEC_READ(mov_rm_##size, size, type, gpr_write(c, op->dst, size, m);)                                          \
	EXEC_WRITE(mov_mr_##size, size, type, gpr_read(c, op->src, size))                                              \
	EXEC_WRITE(mov_mi_##size, size, type, op->insn.imm)

#define MOV_ROW(size, type, unused)                                                                                    \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_mov_rr_##size, [FORM_RI] = exec_mov_ri_##size, [FORM_RM] = exec_mov_rm_##size,        \
		[FORM_MR] = exec_mov_mr_##size, [FORM_MI] = exec_mov_mi_##size,                                        \
	},

FOR_SIZES(MOV_SIZE, )

static exec_fn *const mov[SIZE_COUNT][FORM_COUNT] = { FOR_SIZES(MOV_ROW, ) };

/* ---- XCHG: with memory it is always locked; the host's is too ---- */

#define XCHG_SIZE(size, type, unused)                                                                                  \
	EXEC_REGISTER(xchg_rr_##size, u64 a = gpr_read(c, op->dst, size);                                              \
		      gpr_write(c, op->dst, size, gpr_read(c, op->src, size));                                         \
		      gpr_write(c, op->src, size, a);)                                                                 \
	EXEC_MODIFY(xchg_mr_##size, size, type, type value = (type)gpr_read(c, op->src, size);                         \
		    asm("xchg %[value], %[m]" : [value] "+r"(value), [m] "+m"(*m));                                    \
		    gpr_write(c, op->src, size, value);)

#define XCHG_ROW(size, type, unused)                                                                                   \
	[SIZE_INDEX(size)] = {                                                                                         \
		[FORM_RR] = exec_xchg_rr_##size,      [FORM_MR] = exec_xchg_mr_##size,                                 \
		[FORM_RM] = exec_xchg_mr_##size,      [FORM_LOCK_MR] = exec_xchg_mr_##size,                            \
	},

FOR_SIZES(XCHG_SIZE, )

static exec_fn *const xchg[SIZE_COUNT][FORM_COUNT] = { FOR_SIZES(XCHG_ROW, ) };

/* ---- MOVZX, MOVSX, MOVSXD: by the sizes of source and destination ---- */

#define EXTEND(name, from, from_type, to, expression)                                                                  \
	EXEC_REGISTER(name##_r_##from##_##to, from_type m = (from_type)gpr_read(c, op->src, from);                     \
		      gpr_write(c, op->dst, to, expression);)                                                          \
	EXEC_READ(name##_m_##from##_##to, from, from_type, gpr_write(c, op->dst, to, expression);)

#define EXTEND_BOTH(from, type, to)                                                                                    \
	EXTEND(movzx, from, type, to, m)                                                                               \
	EXTEND(movsx, from, type, to, sign_extend(m, from))

#define EXTEND_ROW(name, from, to)                                                                                     \
	[SIZE_INDEX(from)][SIZE_INDEX(to)] = { exec_##name##_r_##from##_##to, exec_##name##_m_##from##_##to },

#define EXTEND_TABLE(name)                                                                                             \
	{                                                                                                              \
		EXTEND_ROW(name, 1, 2) EXTEND_ROW(name, 1, 4) EXTEND_ROW(name, 1, 8)                                   \
		EXTEND_ROW(name, 2, 2) EXTEND_ROW(name, 2, 4) EXTEND_ROW(name, 2, 8)                                   \
		EXTEND_ROW(name, 4, 2) EXTEND_ROW(name, 4, 4) EXTEND_ROW(name, 4, 8)                                   \
	}

EXTEND_BOTH(1, u8, 2)
EXTEND_BOTH(1, u8, 4)
EXTEND_BOTH(1, u8, 8)
EXTEND_BOTH(2, u16, 2)
EXTEND_BOTH(2, u16, 4)
EXTEND_BOTH(2, u16, 8)
EXTEND_BOTH(4, u32, 2) /* AMD's MOVSXD of a word reads a doubleword */
EXTEND_BOTH(4, u32, 4)
EXTEND_BOTH(4, u32, 8)

static exec_fn *const movzx[SIZE_COUNT][SIZE_COUNT][2] = EXTEND_TABLE(movzx);
static exec_fn *const movsx[SIZE_COUNT][SIZE_COUNT][2] = EXTEND_TABLE(movsx);

static exec_fn *select_extend(exec_fn *const table[SIZE_COUNT][SIZE_COUNT][2], const struct insn *i)
{
	const struct insn_operand *to = &i->operand[0], *from = &i->operand[1];

	return table[SIZE_INDEX(from->size)][SIZE_INDEX(to->size)][from->kind == OPERAND_MEM];
}

/* ---- LEA: 64-bit addresses, and all others ---- */

#define LEA_SIZE(size, type, unused)                                                                                   \
	EXEC_REGISTER(lea_##size, gpr_write(c, op->dst, size, op_offset_raw(c, op));)                                  \
	EXEC_REGISTER(lea_masked_##size, gpr_write(c, op->dst, size, op_offset(c, op));)
#define LEA_ROW(size, type, unused) [SIZE_INDEX(size)] = { exec_lea_masked_##size, exec_lea_##size },

FOR_SIZES_248(LEA_SIZE, )

static exec_fn *const lea[SIZE_COUNT][2] = { FOR_SIZES_248(LEA_ROW, ) };

/* ---- CMOVcc: the source is read, and a 32-bit destination's upper half cleared, whatever the condition ---- */

#define CMOV_SIZE(size, type, cc)                                                                                      \
	EXEC_REGISTER(cmov_rr_##cc##_##size, u64 a = gpr_read(c, op->dst, size), b = gpr_read(c, op->src, size);       \
		      gpr_write(c, op->dst, size, condition_holds(status_get(c), cc) ? b : a);)                        \
	EXEC_READ(cmov_rm_##cc##_##size, size, type, u64 a = gpr_read(c, op->dst, size);                               \
		  gpr_write(c, op->dst, size, condition_holds(status_get(c), cc) ? m : a);)
#define CMOV(cc, unused) CMOV_SIZE(2, u16, cc) CMOV_SIZE(4, u32, cc) CMOV_SIZE(8, u64, cc)
#define CMOV_CELL(size, cc) [SIZE_INDEX(size)] = { exec_cmov_rr_##cc##_##size, exec_cmov_rm_##cc##_##size },
#define CMOV_ROW(cc, unused) { CMOV_CELL(2, cc) CMOV_CELL(4, cc) CMOV_CELL(8, cc) },

FOR_CONDITIONS(CMOV, )

static exec_fn *const cmov[16][SIZE_COUNT][2] = { FOR_CONDITIONS(CMOV_ROW, ) };

/* ---- SETcc ---- */

#define SET(cc, unused)                                                                                                \
	EXEC_REGISTER(set_r_##cc, gpr_write(c, op->dst, 1, condition_holds(status_get(c), cc));)                       \
	EXEC_WRITE(set_m_##cc, 1, u8, condition_holds(status_get(c), cc))
#define SET_ROW(cc, unused) { exec_set_r_##cc, exec_set_m_##cc },

FOR_CONDITIONS(SET, )

static exec_fn *const set[16][2] = { FOR_CONDITIONS(SET_ROW, ) };

/* ---- byte order ---- */

/* BSWAP of a 16-bit register is undefined; processors clear it. */
EXEC_REGISTER(bswap_2, gpr_write(c, op->dst, 2, 0);)
EXEC_REGISTER(bswap_4, gpr_write(c, op->dst, 4, __builtin_bswap32((u32)gpr_read(c, op->dst, 4)));)
EXEC_REGISTER(bswap_8, gpr_write(c, op->dst, 8, __builtin_bswap64(gpr_read(c, op->dst, 8)));)

static exec_fn *const bswap[SIZE_COUNT] = { NULL, exec_bswap_2, exec_bswap_4, exec_bswap_8 };

#define MOVBE(size, type, swap)                                                                                        \
	EXEC_READ(movbe_rm_##size, size, type, gpr_write(c, op->dst, size, swap(m));)                                  \
	EXEC_WRITE(movbe_mr_##size, size, type, swap((type)gpr_read(c, op->src, size)))
#define MOVBE_ROW(size, type, unused)                                                                                  \
	[SIZE_INDEX(size)] = { [FORM_RM] = exec_movbe_rm_##size, [FORM_MR] = exec_movbe_mr_##size },

MOVBE(2, u16, __builtin_bswap16)
MOVBE(4, u32, __builtin_bswap32)
MOVBE(8, u64, __builtin_bswap64)

static exec_fn *const movbe[SIZE_COUNT][FORM_COUNT] = { FOR_SIZES_248(MOVBE_ROW, ) };

/* ---- sign extension of the accumulator: CBW CWDE CDQE, CWD CDQ CQO ---- */

#define RAX_AT (GPR_RAX * 8)
#define RDX_AT (GPR_RDX * 8)

EXEC_REGISTER(cbw, gpr_write(c, RAX_AT, 2, sign_extend(c->cpu.gpr[GPR_RAX], 1));)
EXEC_REGISTER(cwde, gpr_write(c, RAX_AT, 4, sign_extend(c->cpu.gpr[GPR_RAX], 2));)
EXEC_REGISTER(cdqe, gpr_write(c, RAX_AT, 8, sign_extend(c->cpu.gpr[GPR_RAX], 4));)
EXEC_REGISTER(cwd, gpr_write(c, RDX_AT, 2, (u64)((s16)c->cpu.gpr[GPR_RAX] >> 15));)
EXEC_REGISTER(cdq, gpr_write(c, RDX_AT, 4, (u64)((s32)c->cpu.gpr[GPR_RAX] >> 31));)
EXEC_REGISTER(cqo, gpr_write(c, RDX_AT, 8, (u64)((s64)c->cpu.gpr[GPR_RAX] >> 63));)

static exec_fn *const extend_ax[SIZE_COUNT] = { NULL, exec_cbw, exec_cwde, exec_cdqe };
static exec_fn *const extend_dx[SIZE_COUNT] = { NULL, exec_cwd, exec_cdq, exec_cqo };

/* ---- flags ---- */

#define AH_AT 1
#define AH_FLAGS (RFLAGS_STATUS & ~RFLAGS_OF)

EXEC_REGISTER(lahf, gpr_write(c, AH_AT, 1, (status_get(c) >> 8 & AH_FLAGS) | RFLAGS_FIXED);)
EXEC_REGISTER(sahf, status_set(c, (u32)((status_get(c) & CPU_STATUS_OF) | gpr_read(c, AH_AT, 1) << 8));)
EXEC_REGISTER(salc, gpr_write(c, RAX_AT, 1, status_get(c) & CPU_STATUS_CF ? 0xff : 0);)
EXEC_REGISTER(cmc, status_set(c, status_get(c) ^ (u32)CPU_STATUS_CF);)
EXEC_REGISTER(clc, status_set(c, status_get(c) & ~(u32)CPU_STATUS_CF);)
EXEC_REGISTER(stc, status_set(c, status_get(c) | (u32)CPU_STATUS_CF);)
EXEC_REGISTER(cld, c->cpu.rflags &= ~RFLAGS_DF;)
EXEC_REGISTER(std, c->cpu.rflags |= RFLAGS_DF;)

/* ---- the rest ---- */

/* The table's byte at rBX + AL, with the address size and segment of any memory operand. */
static enum step exec_xlat(struct core *c, const struct op *op)
{
	u64 offset = (c->cpu.gpr[GPR_RBX] + (u8)c->cpu.gpr[GPR_RAX]) & byte_mask(op->insn.addrsize);
	enum segment seg = (enum segment)op->insn.seg;
	struct load value = segment_linear(c, op, seg, offset, 1, ACCESS_READ);

	if (value.ok)
		value = linear_load(c, op, seg, value.value, 1);
	if (!value.ok)
		return STEP_FAULT;
	gpr_write(c, RAX_AT, 1, value.value);
	EXEC_NEXT(c, op);
}

/* The destination is at ES:register; 64 bytes in one piece, aligned. */
static enum step exec_movdir64b(struct core *c, const struct op *op)
{
	u8 line[64];
	u64 offset = gpr_read(c, op->dst, 8) & byte_mask(op->insn.addrsize);
	struct load to;

	if (!op_read(c, op, line, sizeof(line)))
		return STEP_FAULT;
	to = segment_linear(c, op, SEG_ES, offset, sizeof(line), ACCESS_WRITE);
	if (!to.ok)
		return STEP_FAULT;
	if (to.value % sizeof(line))
		return core_raise_gp(c, op, 0);
	if (!linear_write(c, op, SEG_ES, to.value, line, sizeof(line)))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* Guest caches are the host's, which are coherent: flushing a line does nothing but check that it could be read. */
static enum step exec_clflush(struct core *c, const struct op *op)
{
	struct load address = op_linear(c, op, 1, ACCESS_READ);

	if (!address.ok || !linear_probe(c, op, (enum segment)op->insn.seg, address.value, 1, ACCESS_READ))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* Hints; and LFENCE and SFENCE, which loads and stores here cannot pass: the host keeps x86's order for them. */
EXEC_REGISTER(nothing, )

/* A store is not passed by a later load. */
EXEC_REGISTER(mfence, atomic_thread_fence(memory_order_seq_cst);)

exec_fn *exec_select_mov(const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	const struct insn_operand *to = &i->operand[0];
	unsigned cc = i->opcode & 15;
	unsigned opsize = SIZE_INDEX(i->opsize);

	switch (i->op) {
	case INSN_MOV: return mov[SIZE_INDEX(to->size)][form_of(i)];
	case INSN_MOVZX: return select_extend(movzx, i);
	case INSN_MOVSX: case INSN_MOVSXD: return select_extend(movsx, i);
	case INSN_XCHG:
		if (i->operand[1].kind == OPERAND_MEM)
			op->src = op->dst;
		return xchg[SIZE_INDEX(to->size)][form_of(i)];
	case INSN_LEA: return lea[SIZE_INDEX(to->size)][i->addrsize == 8];
	case INSN_CMOVCC: return cmov[cc][SIZE_INDEX(to->size)][i->operand[1].kind == OPERAND_MEM];
	case INSN_SETCC: return set[cc][to->kind == OPERAND_MEM];
	case INSN_BSWAP: return bswap[SIZE_INDEX(to->size)];
	case INSN_MOVBE: return movbe[SIZE_INDEX(to->size)][form_of(i)];
	case INSN_CBW: return extend_ax[opsize];
	case INSN_CWD: return extend_dx[opsize];
	case INSN_XLAT: return exec_xlat;
	case INSN_LAHF: case INSN_SAHF:
		if (i->mode == INSN_MODE_64 && !feature_has(&c->features, FEAT_LAHF_LM))
			return NULL;
		return i->op == INSN_LAHF ? exec_lahf : exec_sahf;
	case INSN_SALC: return exec_salc;
	case INSN_CMC: return exec_cmc;
	case INSN_CLC: return exec_clc;
	case INSN_STC: return exec_stc;
	case INSN_CLD: return exec_cld;
	case INSN_STD: return exec_std;
	case INSN_MOVNTI: case INSN_MOVDIRI: return mov[SIZE_INDEX(to->size)][FORM_MR];
	case INSN_MOVDIR64B: return exec_movdir64b;
	case INSN_CLFLUSH: case INSN_CLFLUSHOPT: case INSN_CLWB: return exec_clflush;
	case INSN_MFENCE: return exec_mfence;
	default: return exec_nothing; /* NOP, PAUSE, prefetches, LFENCE, SFENCE */
	}
}

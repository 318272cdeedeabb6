/*
 * Encoding a guest's vector operation for the host.
 *
 * Prefixes, opcode and immediates stay; the registers become fixed ones, one for each place in the encoding where an
 * operand may stand (ModRM.reg, VEX.vvvv, ModRM.rm, the immediate's top half), so it does not matter which of the
 * guest's coincide. A memory operand becomes a plain pointer.
 */
#include "cpu/simd_code.h"

#include "cpu/simd_traits.h"

/* Where in the encoding an operand stands. */
enum slot { SLOT_REG, SLOT_VVVV, SLOT_RM, SLOT_IS4, SLOT_COUNT };

/* The host registers of the slots. */
static const u8 slot_vector[SLOT_COUNT] = { 1, 2, 3, 4 };
static const u8 slot_gpr[SLOT_COUNT] = { [SLOT_REG] = HOST_RAX, [SLOT_RM] = HOST_RCX };

/* The manual's numbers of opcodes that need to be known. */
enum { OPCODE_GROUP_12 = 0x71, OPCODE_GROUP_14 = 0x73, OPCODE_MOVSS_STORE = 0x11 };

static const u8 mandatory_prefix[] = { [INSN_PP_66] = 0x66, [INSN_PP_F3] = 0xf3, [INSN_PP_F2] = 0xf2 };

/* ---- which operand stands where ---- */

static bool operand_is_immediate(const struct insn_operand *operand)
{
	return operand->kind == OPERAND_IMM || operand->kind == OPERAND_IMM2;
}

unsigned simd_operands_encoded(const struct insn *i)
{
	unsigned n = 0;

	while (n < i->operands && !operand_is_immediate(&i->operand[n]))
		n++;
	return n;
}

/* The destination is ModRM.rm: opcodes that can also store to memory. */
static bool is_store_form(const struct insn *i)
{
	static const struct { u8 map, opcode, prefixes; } store[] = { /* prefixes: bit n for enum insn_pp n */
		{ INSN_MAP_0F, 0x11, 15 }, { INSN_MAP_0F, 0x29, 3 }, { INSN_MAP_0F, 0x7e, 3 },
		{ INSN_MAP_0F, 0x7f, 7 }, { INSN_MAP_0F, 0xd6, 2 },
		{ INSN_MAP_0F3A, 0x14, 2 }, { INSN_MAP_0F3A, 0x15, 2 }, { INSN_MAP_0F3A, 0x16, 2 },
		{ INSN_MAP_0F3A, 0x17, 2 }, { INSN_MAP_0F3A, 0x19, 2 }, { INSN_MAP_0F3A, 0x1d, 2 },
		{ INSN_MAP_0F3A, 0x39, 2 },
	};

	if (i->operand[0].kind == OPERAND_MEM)
		return true;
	for (unsigned n = 0; n < ARRAY_LENGTH(store); n++)
		if (store[n].map == i->map && store[n].opcode == i->opcode)
			return store[n].prefixes >> i->pp & 1;
	return false;
}

/* Shifts by an immediate: ModRM.reg belongs to the opcode. */
static bool is_shift_group(const struct insn *i)
{
	return i->map == INSN_MAP_0F && i->opcode >= OPCODE_GROUP_12 && i->opcode <= OPCODE_GROUP_14;
}

static enum slot operand_slot(const struct insn *i, unsigned n)
{
	static const u8 load[] = { SLOT_REG, SLOT_RM }, load3[] = { SLOT_REG, SLOT_VVVV, SLOT_RM, SLOT_IS4 };
	static const u8 store[] = { SLOT_RM, SLOT_REG }, store3[] = { SLOT_RM, SLOT_VVVV, SLOT_REG };
	static const u8 shift[] = { SLOT_VVVV, SLOT_RM };

	switch (simd_operands_encoded(i)) {
	case 1:
		return SLOT_RM;
	case 2:
		return is_shift_group(i) ? shift[n] : is_store_form(i) ? store[n] : load[n];
	default:
		return is_store_form(i) ? store3[n] : load3[n];
	}
}

u8 simd_operand_host(const struct insn *i, unsigned operand)
{
	enum slot slot = operand_slot(i, operand);

	return i->operand[operand].kind == OPERAND_GPR ? slot_gpr[slot] : slot_vector[slot];
}

/* ---- the operation ---- */

/*
 * Non-temporal stores are made ordinary ones: between two of a guest's there is too much other work for write
 * combining to gain anything, and it would lose much.
 */
static u8 host_opcode_for(const struct insn *i)
{
	switch (i->op) {
	case INSN_MOVNTPS:
	case INSN_VMOVNTPS:
	case INSN_MOVNTPD:
	case INSN_VMOVNTPD:
		return HOST_0F_MOVAPS_STORE;
	case INSN_MOVNTDQ:
	case INSN_VMOVNTDQ:
	case INSN_MOVNTQ:
		return HOST_0F_MOVQ_STORE; /* MOVDQA's with its prefix */
	case INSN_MOVNTSS:
	case INSN_MOVNTSD:
		return OPCODE_MOVSS_STORE; /* with its prefix, or MOVSD's */
	default:
		return i->opcode;
	}
}

/* REX.W or VEX.W for the host, which is always in 64-bit mode. */
static bool needs_w(const struct insn *i)
{
	u16 traits = simd_traits((enum insn_op)i->op);
	u8 width = 0;

	if (traits & SIMD_TRAIT_GPR_WIDTH) {
		for (unsigned n = 0; n < i->operands; n++)
			if (i->operand[n].kind == OPERAND_GPR || (i->operand[n].kind == OPERAND_MEM && !width))
				width = i->operand[n].size;
		return width == sizeof(u64);
	}
	if (traits & SIMD_TRAIT_LENGTHS)
		return (i->prefixes & INSN_REX_W) && i->mode == INSN_MODE_64;
	return (i->prefixes & INSN_VEX) && (i->prefixes & INSN_REX_W);
}

static void emit_vex(struct simd_code *code, const struct insn *i, unsigned vvvv, bool base_r8)
{
	unsigned map = i->map - INSN_MAP_0F + 1u;

	emit(code, HOST_VEX3);
	emit(code, (VEX3_RXB | map) & ~(base_r8 ? (unsigned)VEX_B : 0));
	emit(code, (needs_w(i) ? (unsigned)VEX_W : 0) | (~vvvv & 15) << 3 |
		   (i->prefixes & INSN_VEX_L ? (unsigned)VEX_L : 0) | i->pp);
}

static void emit_legacy_prefixes(struct simd_code *code, const struct insn *i, bool base_r8)
{
	static const u8 second[] = { [INSN_MAP_0F38] = 0x38, [INSN_MAP_0F3A] = 0x3a };

	if (i->pp != INSN_PP_NONE)
		emit(code, mandatory_prefix[i->pp]);
	if (needs_w(i) || base_r8)
		emit(code, (needs_w(i) ? HOST_REX_W : HOST_REX) | (base_r8 ? HOST_REX_B : 0));
	emit(code, HOST_0F);
	if (i->map != INSN_MAP_0F)
		emit(code, second[i->map]);
}

void simd_emit_operation(struct simd_code *code, const struct insn *i)
{
	bool base_r8 = simd_traits((enum insn_op)i->op) & SIMD_TRAIT_LENGTHS;
	unsigned mod = MODRM_REGISTER, reg = i->modrm >> 3 & 7, vvvv = 0, rm = 0, is4 = 0;

	for (unsigned n = 0; n < simd_operands_encoded(i); n++) {
		enum slot slot = operand_slot(i, n);
		unsigned host = simd_operand_host(i, n);

		switch (slot) {
		case SLOT_REG: reg = host; break;
		case SLOT_VVVV: vvvv = host; break;
		case SLOT_IS4: is4 = host; break;
		default: rm = host;
		}
		if (i->operand[n].kind == OPERAND_MEM) {
			mod = 0;
			rm = base_r8 ? HOST_R8 : HOST_RDX;
		}
	}
	if (i->prefixes & INSN_VEX)
		emit_vex(code, i, vvvv, base_r8 && mod == 0);
	else
		emit_legacy_prefixes(code, i, base_r8 && mod == 0);
	emit(code, host_opcode_for(i));
	emit_modrm(code, mod, reg, rm);
	if (is4)
		emit(code, is4 << 4);
	for (unsigned n = simd_operands_encoded(i); n < i->operands; n++)
		emit(code, (u8)(i->operand[n].kind == OPERAND_IMM ? i->imm : i->imm2));
}

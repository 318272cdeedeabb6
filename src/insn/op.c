/* What is known of an operation: its mnemonic and the features it needs. */
#include "insn/insn.h"

/* insn.def spells the mnemonics as the manual does; dumps and assemblers like them in lower case. */
#define LOWER1(c) ((c) >= 'A' && (c) <= 'Z' ? (c) - 'A' + 'a' : (c))
#define LOWER(s, n) LOWER1((n) < sizeof(s) ? s[(n) < sizeof(s) ? (n) : 0] : 0)
#define LOWER4(s, n) LOWER(s, n), LOWER(s, (n) + 1), LOWER(s, (n) + 2), LOWER(s, (n) + 3)
#define NAME_ROOM 20

static const char op_names[INSN_OP_COUNT][NAME_ROOM] = {
#define INSN(name, family, feature)                                                                                    \
	[INSN_##name] = { LOWER4(#name, 0), LOWER4(#name, 4), LOWER4(#name, 8), LOWER4(#name, 12), LOWER4(#name, 16) },
#include "insn/insn.def"
#undef INSN
};

#define INSN(name, family, feature) _Static_assert(sizeof(#name) <= NAME_ROOM, "the mnemonic fits into the table");
#include "insn/insn.def"
#undef INSN

static const u8 op_features[INSN_OP_COUNT] = {
#define INSN(name, family, feature) [INSN_##name] = FEAT_##feature,
#include "insn/insn.def"
#undef INSN
};

const char *insn_op_name(enum insn_op op)
{
	return op_names[op];
}

enum feature insn_op_feature(enum insn_op op)
{
	return op_features[op];
}

static bool has_operand(const struct insn *i, enum insn_operand_kind kind)
{
	for (unsigned n = 0; n < i->operands; n++)
		if (i->operand[n].kind == kind)
			return true;
	return false;
}

/* Of AVX's operations on 32 bytes, those on integers came with AVX2; these few were there before. */
static bool ymm_is_avx(const struct insn *i)
{
	switch (i->op) {
	case INSN_VPERMILPS:
	case INSN_VPERMILPD:
	case INSN_VPERM2F128:
	case INSN_VPTEST: return true;
	case INSN_VMPSADBW:
	case INSN_VMOVNTDQA: return false;
	default: return insn_op_name(i->op)[1] != 'p';
	}
}

static bool is_broadcast_from_register(const struct insn *i)
{
	return (i->op == INSN_VBROADCASTSS || i->op == INSN_VBROADCASTSD) && !has_operand(i, OPERAND_MEM);
}

enum feature insn_feature(const struct insn *i)
{
	enum feature feature = insn_op_feature(i->op);

	switch (feature) {
	case FEAT_MMX: return has_operand(i, OPERAND_XMM) ? FEAT_SSE2 : FEAT_MMX;
	case FEAT_SSE:
		/* PEXTRW to memory is a later encoding. */
		if (i->op == INSN_PEXTRW && i->map == INSN_MAP_0F3A)
			return FEAT_SSE4_1;
		return i->vector_bytes && i->pp == INSN_PP_66 ? FEAT_SSE2 : FEAT_SSE;
	case FEAT_AVX:
		if (is_broadcast_from_register(i))
			return FEAT_AVX2;
		return i->vector_bytes == 32 && !ymm_is_avx(i) ? FEAT_AVX2 : FEAT_AVX;
	default: return feature;
	}
}

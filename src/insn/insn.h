/*
 * A decoded instruction, and the decoder's one entry point.
 *
 * Bytes in, struct insn out; nothing here executes. Every engine, the tests and the disassembling dumps share
 * it. Operands are the explicit ones, in Intel's assembler order; what an instruction does implicitly is known
 * from its op (the string instructions, PUSHF, CPUID ... have no operands).
 */
#ifndef INSN_INSN_H
#define INSN_INSN_H

#include "base/compiler.h"
#include "base/types.h"
#include "x86/feature.h"

/* The family names the file in src/cpu that executes the instruction. */
enum insn_op {
#define INSN(name, family, feature) INSN_##name,
#include "insn/insn.def"
#undef INSN
	INSN_OP_COUNT
};

enum insn_mode { INSN_MODE_16, INSN_MODE_32, INSN_MODE_64 };

#define INSN_MAX_LENGTH 15
#define INSN_MAX_OPERANDS 4

enum insn_operand_kind {
	OPERAND_NONE,
	OPERAND_GPR,   /* reg 0-15, the low `size` bytes */
	OPERAND_GPR8H, /* reg 0-3: AH, CH, DH, BH */
	OPERAND_SEG,   /* enum segment */
	OPERAND_CR,
	OPERAND_DR,
	OPERAND_MMX,
	OPERAND_XMM,   /* size 16: XMM; size 32: YMM; scalars in registers too have the register's size */
	OPERAND_ST,    /* reg 0-7: ST(i) */
	OPERAND_MEM,   /* seg, base, index, scale, disp of the insn; size 0 for address-only uses (LEA, INVLPG) */
	OPERAND_IMM,   /* insn.imm, extended as the instruction does it to `size` bytes, zero above them */
	OPERAND_IMM2,  /* insn.imm2: the second immediate of ENTER, EXTRQ and INSERTQ */
	OPERAND_REL,   /* insn.imm: displacement from the next instruction, sign-extended to 64 bits */
	OPERAND_FAR,   /* insn.imm: offset, insn.imm2: selector */
};

struct insn_operand {
	u8 kind; /* enum insn_operand_kind */
	u8 reg;
	u8 size; /* bytes; far pointers in memory: 4, 6 or 10; an area (FXSAVE, XSAVE): 0 */
};

/* Prefixes as they stood in the bytes. */
#define INSN_LOCK (1u << 0)
#define INSN_REPE (1u << 1)  /* F3 */
#define INSN_REPNE (1u << 2) /* F2 */
#define INSN_OPSIZE (1u << 3)
#define INSN_ADDRSIZE (1u << 4)
#define INSN_SEGMENT (1u << 5)
#define INSN_REX (1u << 6)
#define INSN_VEX (1u << 7)
#define INSN_REX_W (1u << 8) /* REX.W or VEX.W */
#define INSN_VEX_L (1u << 9)

/* Register numbers in base and index beside 0-15. */
#define INSN_REG_NONE 16
#define INSN_REG_RIP 17

/* Opcode maps. */
enum insn_map { INSN_MAP_1BYTE, INSN_MAP_0F, INSN_MAP_0F38, INSN_MAP_0F3A, INSN_MAP_X87, INSN_MAP_3DNOW };

/* struct insn.pp: the mandatory prefix that selected the opcode. */
enum insn_pp { INSN_PP_NONE, INSN_PP_66, INSN_PP_F3, INSN_PP_F2 };

struct insn {
	u64 imm;
	s64 disp; /* sign-extended displacement, or the 64-bit offset of MOV moffs */
	u16 op;   /* enum insn_op */
	u16 prefixes;
	u8 length;   /* bytes, 1-15 */
	u8 opsize;   /* effective operand size in bytes: 1, 2, 4 or 8 */
	u8 addrsize; /* effective address size in bytes: 2, 4 or 8 */
	u8 seg;      /* enum segment of the memory operand or of the string source, override applied */
	u8 base, index;
	u8 scale; /* shift: 0-3 */
	u8 operands;
	struct insn_operand operand[INSN_MAX_OPERANDS];
	u8 opcode; /* last opcode byte; of x87 D8-DF */
	u8 map;    /* enum insn_map */
	u8 modrm;  /* raw, 0 if there is none */
	u8 pp;     /* enum insn_pp, for SIMD opcodes */
	u16 imm2;
	u8 mode;         /* enum insn_mode it was decoded in */
	u8 vector_bytes; /* 0 for non-vector, else 8, 16 or 32 */
};

_Static_assert(sizeof(struct insn) == 48, "struct insn stays within one cache line beside its handler");

enum insn_status {
	INSN_OK,
	INSN_TRUNCATED, /* more bytes are needed than were given */
	INSN_INVALID,   /* no such instruction: #UD; length tells how many bytes were looked at */
	INSN_TOO_LONG,  /* over 15 bytes: #GP(0) */
};

/*
 * Decodes the instruction at bytes[0..available). Independent of CPU model and of CR bits: what the model
 * lacks is refused by whoever executes. amd selects AMD's decoding where the vendors differ (near-branch operand
 * size in 64-bit mode, LOCK MOV CR0, 64-bit far pointers).
 */
MUST_USE enum insn_status insn_decode(const u8 *bytes, size_t available, enum insn_mode mode, bool amd,
				      struct insn *out);

/* "add", "vpaddb" ...; never NULL for a valid op. */
const char *insn_op_name(enum insn_op op);

/* The feature that the instruction needs, FEAT_BASE if none. */
enum feature insn_op_feature(enum insn_op op);

/* The feature that this form of it needs: the op's own, or more (SSE2 for PADDB on XMM, AVX2 for VPADDB on YMM). */
enum feature insn_feature(const struct insn *i);

/*
 * Writes the instruction in Intel syntax, zero-terminated and cut to size; rip is its own address. Returns the
 * length of the whole text.
 */
size_t insn_format(const struct insn *i, u64 rip, char *out, size_t size);

static inline bool insn_has_memory_operand(const struct insn *i)
{
	for (unsigned n = 0; n < i->operands; n++)
		if (i->operand[n].kind == OPERAND_MEM)
			return true;
	return false;
}

#endif

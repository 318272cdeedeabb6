/*
 * The shape of the opcode tables, between the .def files that fill them and the decoder that reads them.
 *
 * A two-step lookup: insn_index, by table, mandatory prefix and opcode byte, gives the first row of the opcode; the
 * rows follow each other and the first whose condition fits is the instruction. Every list of rows ends with one
 * that always fits and says INSN_OP_COUNT: no such instruction. That is also row 0, where unassigned opcodes lead.
 */
#ifndef INSN_TABLE_H
#define INSN_TABLE_H

#include "insn/insn.h"

enum insn_table {
	TABLE_1BYTE,
	TABLE_0F,
	TABLE_0F38,
	TABLE_0F3A,
	TABLE_VEX0F,
	TABLE_VEX0F38,
	TABLE_VEX0F3A,
	TABLE_XOP9,
	TABLE_XOPA,
	TABLE_X87, /* by operand in memory or register, and the opcode's low 3 bits with ModRM.reg */
	TABLE_COUNT
};

/* An entry of insn_index: a row's number, and whether a ModRM byte follows the opcode. */
#define INDEX_MODRM 0x8000u
#define INDEX_ROW 0x7fffu

/* What a row's condition is compared with, built once per instruction. */
#define KEY_RM(rm) ((rm) << 0)
#define KEY_REG(reg) ((reg) << 3)
#define KEY_REGISTER (1u << 6) /* ModRM.mod is 3 */
#define KEY_MODE64 (1u << 7)
#define KEY_W (1u << 8)
#define KEY_W64 (1u << 9) /* W set in 64-bit mode */
#define KEY_L (1u << 10)
#define KEY_REXB (1u << 11)
#define KEY_PP(pp) ((pp) << 12)
#define KEY_AMD (1u << 14)

/* A row's flags: how its sizes follow from prefixes and mode. Without any, 66 and W choose 2, 4 or 8. */
#define ROW_LOCK (1u << 0)  /* LOCK is allowed if operand 0 is memory */
#define ROW_BYTE (1u << 1)  /* operand size 1 */
#define ROW_D64 (1u << 2)   /* 8 by default in 64-bit mode, 2 with 66 */
#define ROW_BR64 (1u << 3)  /* a near branch: 8 in 64-bit mode, on AMD 2 with 66 */
#define ROW_O64 (1u << 4)   /* always 8 in 64-bit mode */
#define ROW_NAT (1u << 5)   /* 8 in 64-bit mode, 4 elsewhere */
#define ROW_Y (1u << 6)     /* 4 or 8 by W alone */
#define ROW_Z (1u << 7)     /* 4 at most */
#define ROW_FARP (1u << 8)  /* a far pointer in memory: AMD knows none with a 64-bit offset */
#define ROW_SIMD (1u << 9)  /* vector of 16 bytes, 32 by VEX.L */
#define ROW_LIG (1u << 10)  /* VEX.L is ignored: 16 bytes */
#define ROW_MM (1u << 11)   /* vector of 8 bytes */
#define ROW_VSIB (1u << 12) /* the memory operand's index is a vector register */

struct insn_row {
	u16 op; /* enum insn_op */
	u16 flags;
	u16 mask, match; /* fits if (key & mask) == match */
	u8 operand[INSN_MAX_OPERANDS]; /* places in insn_operand_specs, 0 for none */
};

enum operand_source {
	SOURCE_REG,   /* ModRM.reg */
	SOURCE_RM,    /* ModRM.rm, register or memory */
	SOURCE_RMREG, /* ModRM.rm as a register whatever ModRM.mod says */
	SOURCE_VVVV,
	SOURCE_CODE,  /* the opcode's low three bits */
	SOURCE_IS4,   /* the high half of an immediate byte */
	SOURCE_FIXED,
	SOURCE_ONE,
	SOURCE_IMM,
	SOURCE_IMMZ, /* at most four bytes, sign-extended */
	SOURCE_IMMS, /* one byte, sign-extended */
	SOURCE_IMM2,
	SOURCE_REL,
	SOURCE_FAR,
	SOURCE_MOFFS,
};

/* Sizes: bytes, or one of these, which operand.def explains. */
enum operand_size {
	SIZE_V = 0x80,
	SIZE_Z,
	SIZE_Y,
	SIZE_N,
	SIZE_A,
	SIZE_VV,
	SIZE_P,
	SIZE_S,
	SIZE_X,
	SIZE_X2,
	SIZE_X4,
	SIZE_X8,
};

struct operand_spec {
	u8 source; /* enum operand_source */
	u8 kind;   /* enum insn_operand_kind */
	u8 size, memory_size;
	u8 number; /* of a fixed register */
	bool load; /* a segment register's destination: not CS */
};

extern const u16 insn_index[TABLE_COUNT][4][256];
extern const struct insn_row insn_rows[];
extern const struct operand_spec insn_operand_specs[];

#endif

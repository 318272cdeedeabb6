/*
 * The opcode tables, built by the compiler from the .def files.
 *
 * Each file is read twice. First as an enumeration, which numbers the rows and names the end of the list that
 * stands before each opcode; then as the rows themselves. A third reading, of the opcodes alone, makes the index.
 */
#include "insn/table.h"

/* The vocabulary of the .def files: operand codes, and the conditions and flags that opcode.def lists. */
enum operand_code {
	NO_OPERAND,
#define OPERAND(code, source, kind, size, memory_size, number) code,
#include "insn/operand.def"
#undef OPERAND
};

#define CONDITION(mask, match) ((u32)(mask) << 16 | (match))
#define ALL 0
#define RM(n) CONDITION(KEY_RM(7), KEY_RM(n))
#define REG(n) CONDITION(KEY_REG(7), KEY_REG(n))
#define MEM CONDITION(KEY_REGISTER, 0)
#define NOMEM CONDITION(KEY_REGISTER, KEY_REGISTER)
#define FORM(reg, rm) (NOMEM | REG(reg) | RM(rm))
#define M64 CONDITION(KEY_MODE64, KEY_MODE64)
#define N64 CONDITION(KEY_MODE64, 0)
#define W0 CONDITION(KEY_W, 0)
#define W1 CONDITION(KEY_W, KEY_W)
#define W64 CONDITION(KEY_W64, KEY_W64)
#define L0 CONDITION(KEY_L, 0)
#define L1 CONDITION(KEY_L, KEY_L)
#define REXB CONDITION(KEY_REXB, KEY_REXB)
#define INTEL CONDITION(KEY_AMD, 0)
#define P_NP CONDITION(KEY_PP(3), KEY_PP(INSN_PP_NONE))
#define P_66 CONDITION(KEY_PP(3), KEY_PP(INSN_PP_66))
#define P_F3 CONDITION(KEY_PP(3), KEY_PP(INSN_PP_F3))

enum row_flag {
	LOCK = ROW_LOCK,
	BYTE = ROW_BYTE,
	D64 = ROW_D64,
	BR64 = ROW_BR64,
	O64 = ROW_O64,
	NAT = ROW_NAT,
	Y = ROW_Y,
	Z = ROW_Z,
	FARP = ROW_FARP,
	SIMD = ROW_SIMD,
	LIG = ROW_LIG,
	MM = ROW_MM,
	VSIB = ROW_VSIB,
};

/* The columns of insn_index that a mandatory prefix fills. */
#define COLUMN_ANY 0 ... 3
#define COLUMN_NP INSN_PP_NONE
#define COLUMN_66 INSN_PP_66
#define COLUMN_F3 INSN_PP_F3
#define COLUMN_F2 INSN_PP_F2

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)

/* First reading. END_... is the row that ends the list before this opcode's. */
enum row_number {
#define MODRM(table, prefix, byte) END_##table##_##prefix##_##byte,
#define PLAIN(table, prefix, byte) END_##table##_##prefix##_##byte,
#define X87_MEM(byte, reg) END_X87_MEM_##byte##_##reg,
#define X87_REG(byte, reg) END_X87_REG_##byte##_##reg,
#define ROW(name, when, flags, ...) PASTE(ROW_, __COUNTER__),
#include "insn/opcode.def"
#undef MODRM
#undef PLAIN
#undef X87_MEM
#undef X87_REG
#undef ROW
	ROW_COUNT
};

_Static_assert(ROW_COUNT <= INDEX_ROW, "a row's number fits into the index");

/* Second reading. */
const struct insn_row insn_rows[] = {
#define END_ROW { .op = INSN_OP_COUNT },
#define MODRM(table, prefix, byte) END_ROW
#define PLAIN(table, prefix, byte) END_ROW
#define X87_MEM(byte, reg) END_ROW
#define X87_REG(byte, reg) END_ROW
#define ROW(name, when, row_flags, ...)                                                                                \
	{ .op = INSN_##name, .flags = (row_flags), .mask = (when) >> 16, .match = (when) & 0xffff,                     \
	  .operand = { __VA_ARGS__ } },
#include "insn/opcode.def"
	END_ROW
#undef MODRM
#undef PLAIN
#undef X87_MEM
#undef X87_REG
#undef ROW
};

/* Third reading. */
const u16 insn_index[TABLE_COUNT][4][256] = {
#define FIRST_ROW(end) ((end) + 1)
#define X87_PLACE(byte, reg) ((byte) - 0xd8) * 8 + (reg)
#define MODRM(table, prefix, byte)                                                                                     \
	[TABLE_##table][COLUMN_##prefix][byte] = FIRST_ROW(END_##table##_##prefix##_##byte) | INDEX_MODRM,
#define PLAIN(table, prefix, byte)                                                                                     \
	[TABLE_##table][COLUMN_##prefix][byte] = FIRST_ROW(END_##table##_##prefix##_##byte),
#define X87_MEM(byte, reg) [TABLE_X87][0][X87_PLACE(byte, reg)] = FIRST_ROW(END_X87_MEM_##byte##_##reg),
#define X87_REG(byte, reg) [TABLE_X87][1][X87_PLACE(byte, reg)] = FIRST_ROW(END_X87_REG_##byte##_##reg),
#define ROW(name, when, flags, ...)
#include "insn/opcode.def"
};

enum literal_size { SIZE_0, SIZE_1, SIZE_2, SIZE_4 = 4, SIZE_8 = 8, SIZE_10 = 10, SIZE_16 = 16, SIZE_64 = 64 };

const struct operand_spec insn_operand_specs[] = {
#define OPERAND(code, from, what, bytes, memory_bytes, fixed)                                                          \
	[code] = { .source = SOURCE_##from, .kind = OPERAND_##what, .size = SIZE_##bytes,                              \
		   .memory_size = SIZE_##memory_bytes, .number = fixed, .load = code == SwLoad },
#include "insn/operand.def"
};

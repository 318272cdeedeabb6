/*
 * A small random assembler: from one row's encoding, in a notation after the manuals' opcode column, to the bytes of
 * one instruction with operands chosen at random.
 *
 * An encoding is a string of words:
 *   b w d q     operand size 1, 2, 4, 8 (2: with prefix 66, 8: with REX.W);  v: 2, 4 or 8;  y: 4 or 8;  as first word
 *   p66 pF2 pF3 a mandatory prefix
 *   0F B6 ...   opcode bytes
 *   /r /0../7   ModRM with a register operand or an opcode digit; /rM /0M ...: memory only; /rR /0R ...: registers only
 *   +r          a register in the opcode's low three bits
 *   cc          a condition code in the opcode's low four bits
 *   ib iw id iz iv   immediates; iz: of the operand size, 4 bytes at most; iv: of the operand size
 *   lock        may have LOCK when the operand is in memory
 *   vex:PP:MAP:L:W   a VEX prefix with a vvvv operand; PP: 0 66 F3 F2; MAP: 1 2 3; L and W: 0, 1, x (either), W also
 *               y (by size); vexn: the same with vvvv unused
 *   jb jz       a displacement of one or four bytes over the next few bytes, which are a LEA of a register
 *   'XX         a byte as it is, after everything else
 */
#ifndef TESTS_ISA_ASSEMBLE_H
#define TESTS_ISA_ASSEMBLE_H

#include "base/types.h"

#define ASSEMBLE_MAX 80

struct assemble_rules {
	bool any_register;  /* pointers may be operands, too */
	bool compatibility; /* 32-bit code: eight registers, no REX, no operands of 8 bytes */
};

/* Registers that point into the data, and those with small numbers, which serve as indexes: in 32-bit code ESI only. */
#define POINTER_REGISTERS (1u << 3 | 1u << 4 | 1u << 5 | 1u << 8 | 1u << 12 | 1u << 13)
#define INDEX_REGISTERS (1u << 9 | 1u << 14)
#define INDEX_REGISTERS_32 (1u << 6)

/* Random numbers, the same on every machine. */
void random_seed(u64 seed);
u64 random_u64(void);
unsigned random_below(unsigned limit);

/* Writes one instruction, at most ASSEMBLE_MAX bytes; returns how many. */
unsigned assemble(const char *encoding, const struct assemble_rules *rules, u8 *out);

#endif

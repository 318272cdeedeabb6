/*
 * What a vector instruction does beside combining its explicit operands.
 *
 * Nearly every vector instruction reads all its operands and writes the first. The few things that must be
 * known beyond that, for each operation, are the traits in simd_traits.c.
 */
#ifndef CPU_SIMD_TRAITS_H
#define CPU_SIMD_TRAITS_H

#include "insn/insn.h"

enum simd_trait {
	SIMD_TRAIT_FLOAT = 1 << 0,       /* may report SIMD floating-point exceptions */
	SIMD_TRAIT_ALIGNED = 1 << 1,     /* its memory operand is aligned in every encoding */
	SIMD_TRAIT_UNALIGNED = 1 << 2,   /* its 16-byte memory operand need not be aligned even without VEX */
	SIMD_TRAIT_UNALIGNED_AMD = 1 << 3, /* likewise, but on AMD's processors only */
	SIMD_TRAIT_STATUS = 1 << 4,      /* writes the status flags, and none of its explicit operands */
	SIMD_TRAIT_XMM0_INPUT = 1 << 5,  /* XMM0 is an implicit source */
	SIMD_TRAIT_XMM0_OUTPUT = 1 << 6, /* XMM0 is the implicit destination */
	SIMD_TRAIT_ECX_OUTPUT = 1 << 7,  /* ECX is the implicit destination */
	SIMD_TRAIT_LENGTHS = 1 << 8,     /* EAX and EDX, or RAX and RDX by W, are implicit sources */
	SIMD_TRAIT_GPR_WIDTH = 1 << 9,   /* W is the width of its general register or what stands for it in memory */
	SIMD_TRAIT_ACCUMULATES = 1 << 10, /* reads its first operand though it is VEX-encoded */
};

/* The traits of op, an operation of family simd. */
u16 simd_traits(enum insn_op op);

#endif

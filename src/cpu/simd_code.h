/*
 * Writing host instructions, for the makers of stubs.
 *
 * The numbers of host registers and opcodes, the bytes that instructions consist of, and the one thing that needs
 * knowledge of the guest's instruction: encoding its operation anew for fixed host registers (simd_encode.c).
 */
#ifndef CPU_SIMD_CODE_H
#define CPU_SIMD_CODE_H

#include "base/string.h"
#include "cpu/simd_stub.h"

enum host_register { HOST_RAX, HOST_RCX, HOST_RDX, HOST_RSI = 6, HOST_RDI, HOST_R8 };

/* Host opcodes that stubs use beside the operation itself. */
enum host_opcode {
	HOST_ADD_IMM8 = 0x83, HOST_AND_IMM16 = 0x81, HOST_MOV_STORE = 0x89, HOST_MOV_LOAD = 0x8b, HOST_LEA = 0x8d,
	HOST_LAHF = 0x9f, HOST_MOV_IMM32 = 0xb8, HOST_MOV_MEM_IMM8 = 0xc6, HOST_MOV_MEM_IMM16 = 0xc7,
	HOST_TEST_MEM_IMM8 = 0xf6, HOST_JMP = 0xff, HOST_0F = 0x0f,
	HOST_0F_MOVAPS_LOAD = 0x28, HOST_0F_MOVAPS_STORE = 0x29, HOST_0F_MOVQ_LOAD = 0x6f, HOST_0F_MOVQ_STORE = 0x7f,
	HOST_0F_EMMS = 0x77, HOST_0F_VZEROUPPER = 0x77, HOST_0F_JNE = 0x85, HOST_0F_SETO = 0x90,
	HOST_OPSIZE = 0x66, HOST_VEX2 = 0xc5, HOST_VEX3 = 0xc4,
	HOST_REX = 0x40, HOST_REX_B = 0x41, HOST_REX_W = 0x48,
};

#define HOST_GROUP_JMP 4
#define HOST_GROUP_AND 4

#define VEX2_R_VVVV 0xf8 /* no register extension, vvvv unused (all stored inverted), pp none */
#define VEX3_RXB 0xe0    /* no register extensions */
#define VEX_B BIT(5)
#define VEX_W BIT(7)
#define VEX_L BIT(2)

#define MODRM_REGISTER 3
#define MODRM_DISP32 2

/* ---- bytes ---- */

static inline void emit(struct simd_code *code, unsigned byte)
{
	code->byte[code->bytes++] = (u8)byte;
}

static inline void emit_bytes(struct simd_code *code, const void *bytes, unsigned count)
{
	memcpy(code->byte + code->bytes, bytes, count);
	code->bytes += count;
}

static inline void emit_u32(struct simd_code *code, u64 value)
{
	u32 low = (u32)value;

	emit_bytes(code, &low, sizeof(low));
}

static inline void emit_modrm(struct simd_code *code, unsigned mod, unsigned reg, unsigned rm)
{
	emit(code, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

/* ---- the operation (simd_encode.c) ---- */

/* How many operands stand in the encoding; the immediates follow them. */
unsigned simd_operands_encoded(const struct insn *i);

/* The host's vector or general register, by the operand's kind, that stands for a register operand. */
u8 simd_operand_host(const struct insn *i, unsigned operand);

/* The instruction itself on those registers, its memory operand at [rdx], or at [r8] where it reads EDX itself. */
void simd_emit_operation(struct simd_code *code, const struct insn *i);

#endif

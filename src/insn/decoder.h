/*
 * What the decoder's two halves share while one instruction is read: decode.c finds the opcode's row, operands.c
 * reads the operands that the row names.
 */
#ifndef INSN_DECODER_H
#define INSN_DECODER_H

#include "base/string.h"
#include "insn/table.h"

struct decoder {
	const u8 *at, *end;
	struct insn *insn;
	bool overrun; /* read past the end: everything read since is zero */
	bool mode64, amd;
	u8 rex;       /* W R X B in bits 3-0, from REX, VEX or XOP */
	u8 vvvv;      /* already inverted */
	bool vvvv_used;
	bool segment_overridden;
};

#define REX_B (1u << 0)
#define REX_X (1u << 1)
#define REX_R (1u << 2)
#define REX_W (1u << 3)

#define MODRM_MOD(modrm) ((modrm) >> 6)
#define MODRM_REG(modrm) ((modrm) >> 3 & 7)
#define MODRM_RM(modrm) ((modrm)&7)
#define MODRM_MOD_REGISTER 3

/* The next bytes (1, 2, 4 or 8) of the code, zero-extended. */
ALWAYS_INLINE u64 decoder_fetch(struct decoder *d, unsigned bytes)
{
	u64 value = 0;

	if (unlikely((size_t)(d->end - d->at) < bytes)) {
		d->overrun = true;
		d->at = d->end;
		return 0;
	}
	switch (bytes) {
	case 1: value = *d->at; break;
	case 2: memcpy(&value, d->at, 2); break;
	case 4: memcpy(&value, d->at, 4); break;
	case 8: memcpy(&value, d->at, 8); break;
	}
	d->at += bytes;
	return value;
}

/* Reads the row's operands into d->insn; false if they make no valid instruction. */
MUST_USE bool decoder_read_operands(struct decoder *d, const struct insn_row *row);

#endif

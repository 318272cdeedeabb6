/*
 * The decoder's second half: ModRM, SIB, displacements, immediates, registers.
 *
 * The operand codes of a row say where each operand is found and how large it is. Bytes are read in the order
 * of the operands, which is their order in the code, since no row has an immediate before its memory operand.
 */
#include "insn/decoder.h"
#include "x86/regs.h"

#define SIB_SCALE(sib) ((sib) >> 6)
#define SIB_INDEX(sib) ((sib) >> 3 & 7)
#define SIB_BASE(sib) ((sib)&7)

static void fetch_displacement(struct decoder *d, unsigned bytes)
{
	d->insn->disp = (s64)sign_extend(decoder_fetch(d, bytes), bytes);
}

/* "16-Bit Addressing Forms with the ModR/M Byte". */
static void read_memory16(struct decoder *d)
{
	static const u8 bases[8] = { GPR_RBX, GPR_RBX, GPR_RBP, GPR_RBP, GPR_RSI, GPR_RDI, GPR_RBP, GPR_RBX };
	struct insn *i = d->insn;
	unsigned mod = MODRM_MOD(i->modrm), rm = MODRM_RM(i->modrm);

	if (mod == 0 && rm == 6) {
		fetch_displacement(d, 2);
		return;
	}
	i->base = bases[rm];
	if (rm < 4)
		i->index = rm & 1 ? GPR_RDI : GPR_RSI;
	if (mod)
		fetch_displacement(d, mod);
}

/* "32-Bit Addressing Forms with the ModR/M Byte" and "... with the SIB Byte", and 64-bit mode's. */
static void read_memory32(struct decoder *d, bool vector_index)
{
	struct insn *i = d->insn;
	unsigned mod = MODRM_MOD(i->modrm), rm = MODRM_RM(i->modrm), base = rm;
	unsigned high_base = d->rex & REX_B ? 8 : 0;

	if (rm == 4) {
		u8 sib = (u8)decoder_fetch(d, 1);
		u8 index = (u8)(SIB_INDEX(sib) | (d->rex & REX_X ? 8 : 0));

		base = SIB_BASE(sib);
		i->scale = SIB_SCALE(sib);
		if (index != GPR_RSP || vector_index)
			i->index = index;
		else
			i->scale = 0;
	}
	if (mod == 0 && base == 5) {
		fetch_displacement(d, 4);
		if (rm == 5 && d->mode64)
			i->base = INSN_REG_RIP;
		return;
	}
	i->base = (u8)(base | high_base);
	if (mod)
		fetch_displacement(d, mod == 1 ? 1 : 4);
}

static bool read_memory(struct decoder *d, unsigned flags)
{
	struct insn *i = d->insn;

	if (flags & ROW_VSIB && (i->addrsize == 2 || MODRM_RM(i->modrm) != 4))
		return false;
	if (i->addrsize == 2)
		read_memory16(d);
	else
		read_memory32(d, flags & ROW_VSIB);
	if (!d->segment_overridden && (i->base == GPR_RSP || i->base == GPR_RBP))
		i->seg = SEG_SS;
	return true;
}

static unsigned size_in_bytes(const struct decoder *d, unsigned size)
{
	const struct insn *i = d->insn;

	switch (size) {
	case SIZE_V: return i->opsize;
	case SIZE_Z: return i->opsize == 8 ? 4 : i->opsize;
	case SIZE_Y: return d->mode64 && d->rex & REX_W ? 8 : 4;
	case SIZE_N: return d->mode64 ? 8 : 4;
	case SIZE_A: return i->addrsize;
	case SIZE_VV: return i->opsize * 2;
	case SIZE_P: return i->opsize + 2;
	case SIZE_S: return d->mode64 ? 10 : 6;
	case SIZE_X: return i->vector_bytes;
	case SIZE_X2: return i->vector_bytes / 2;
	case SIZE_X4: return i->vector_bytes / 4;
	case SIZE_X8: return i->vector_bytes / 8;
	default: return size;
	}
}

/* The register number that `low` (3 bits) and a bit of REX make, in a register file of that kind. */
static bool set_register(struct decoder *d, struct insn_operand *o, unsigned low, bool high)
{
	unsigned number = low | (high ? 8 : 0);

	o->reg = (u8)number;
	switch (o->kind) {
	case OPERAND_GPR:
		/* Without REX, 4-7 are the high bytes of 0-3. */
		if (o->size == 1 && number >= 4 && number < 8 && !(d->insn->prefixes & INSN_REX)) {
			o->kind = OPERAND_GPR8H;
			o->reg = (u8)(number - 4);
		}
		return true;
	case OPERAND_MMX:
	case OPERAND_ST: o->reg = (u8)low; return true;
	case OPERAND_SEG: o->reg = (u8)low; return low <= SEG_GS;
	case OPERAND_CR: return number <= 8 && BIT(number) & (BIT(0) | BIT(2) | BIT(3) | BIT(4) | BIT(8));
	case OPERAND_DR: return number < 8;
	default: return true;
	}
}

static bool set_vvvv(struct decoder *d, struct insn_operand *o)
{
	d->vvvv_used = true;
	return set_register(d, o, d->vvvv & 7, d->mode64 && d->vvvv & 8);
}

static bool set_is4(struct decoder *d, struct insn_operand *o)
{
	unsigned number = (unsigned)decoder_fetch(d, 1) >> 4;

	return set_register(d, o, number & 7, d->mode64 && number & 8);
}

/* The immediates' bytes; what is shorter than its operand is sign-extended to it. */
static void read_immediate(struct decoder *d, unsigned bytes, unsigned size)
{
	d->insn->imm = sign_extend(decoder_fetch(d, bytes), bytes) & byte_mask(size);
}

static void read_far(struct decoder *d)
{
	d->insn->imm = decoder_fetch(d, d->insn->opsize);
	d->insn->imm2 = (u16)decoder_fetch(d, 2);
}

static bool read_operand(struct decoder *d, const struct operand_spec *spec, unsigned flags, struct insn_operand *o)
{
	struct insn *i = d->insn;
	unsigned size = size_in_bytes(d, spec->size);

	o->kind = spec->kind;
	o->size = (u8)size;
	switch (spec->source) {
	case SOURCE_REG:
		return set_register(d, o, MODRM_REG(i->modrm), d->rex & REX_R) && !(spec->load && o->reg == SEG_CS);
	case SOURCE_RM:
		if (MODRM_MOD(i->modrm) != MODRM_MOD_REGISTER) {
			o->kind = OPERAND_MEM;
			o->size = (u8)size_in_bytes(d, spec->memory_size);
			return read_memory(d, flags);
		}
		return set_register(d, o, MODRM_RM(i->modrm), d->rex & REX_B);
	case SOURCE_RMREG: return set_register(d, o, MODRM_RM(i->modrm), d->rex & REX_B);
	case SOURCE_VVVV: return set_vvvv(d, o);
	case SOURCE_CODE: return set_register(d, o, i->opcode & 7, d->rex & REX_B);
	case SOURCE_IS4: return set_is4(d, o);
	case SOURCE_FIXED: o->reg = spec->number; return true;
	case SOURCE_ONE: i->imm = 1; return true;
	case SOURCE_IMM: read_immediate(d, size, size); return true;
	case SOURCE_IMMZ: read_immediate(d, size == 8 ? 4 : size, size); return true;
	case SOURCE_IMMS: read_immediate(d, 1, size); return true;
	case SOURCE_IMM2: i->imm2 = (u16)decoder_fetch(d, 1); return true;
	case SOURCE_REL: read_immediate(d, size, 8); return true;
	case SOURCE_FAR: read_far(d); return true;
	default: /* SOURCE_MOFFS */
		o->size = (u8)size_in_bytes(d, spec->memory_size);
		i->disp = (s64)decoder_fetch(d, i->addrsize);
		return true;
	}
}

/* "Gather: if any pair of the index, mask, or destination registers are the same, #UD". */
static bool gather_registers_differ(const struct insn *i)
{
	u8 destination = i->operand[0].reg, mask = i->operand[2].reg;

	return destination != mask && destination != i->index && mask != i->index;
}

bool decoder_read_operands(struct decoder *d, const struct insn_row *row)
{
	static const u8 address_sizes[][2] = { { 2, 4 }, { 4, 2 }, { 8, 4 } };
	struct insn *i = d->insn;
	unsigned n;

	i->addrsize = address_sizes[i->mode][i->prefixes & INSN_ADDRSIZE ? 1 : 0];
	for (n = 0; n < INSN_MAX_OPERANDS && row->operand[n]; n++)
		if (!read_operand(d, &insn_operand_specs[row->operand[n]], row->flags, &i->operand[n]))
			return false;
	i->operands = (u8)n;
	return !(row->flags & ROW_VSIB) || gather_registers_differ(i);
}

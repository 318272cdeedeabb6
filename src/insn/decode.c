/*
 * The decoder: prefixes, opcode, the row of the tables that fits, sizes.
 *
 * Reading past the given bytes is remembered instead of tested at each byte: what follows reads zeros, and the
 * end of insn_decode turns it into INSN_TRUNCATED or, at 15 bytes, INSN_TOO_LONG, before any other verdict.
 */
#include "insn/decoder.h"
#include "x86/regs.h"

/* "Instruction Prefixes"; in 64-bit mode the overrides of ES, CS, SS and DS are read and have no effect. */
enum prefix_byte {
	PREFIX_ES = 0x26,
	PREFIX_CS = 0x2e,
	PREFIX_SS = 0x36,
	PREFIX_DS = 0x3e,
	PREFIX_REX = 0x40,
	PREFIX_REX_LAST = 0x4f,
	PREFIX_FS = 0x64,
	PREFIX_GS = 0x65,
	PREFIX_OPSIZE = 0x66,
	PREFIX_ADDRSIZE = 0x67,
	PREFIX_LOCK = 0xf0,
	PREFIX_REPNE = 0xf2,
	PREFIX_REPE = 0xf3,
};

enum escape_byte {
	ESCAPE_0F = 0x0f,
	ESCAPE_0F38 = 0x38,
	ESCAPE_0F3A = 0x3a,
	ESCAPE_XOP = 0x8f,
	ESCAPE_VEX3 = 0xc4,
	ESCAPE_VEX2 = 0xc5,
	ESCAPE_X87 = 0xd8,
	ESCAPE_X87_LAST = 0xdf,
};

static void override_segment(struct decoder *d, enum segment seg)
{
	d->insn->prefixes |= INSN_SEGMENT;
	if (d->mode64 && seg < SEG_FS)
		return;
	d->insn->seg = (u8)seg;
	d->segment_overridden = true;
}

/* Reads the prefixes and returns the byte after them. A REX counts only directly before the opcode. */
static u8 read_prefixes(struct decoder *d)
{
	struct insn *i = d->insn;

	for (;; d->rex = 0, i->prefixes &= (u16)~(INSN_REX | INSN_REX_W)) {
		u8 byte = (u8)decoder_fetch(d, 1);

		while (d->mode64 && byte >= PREFIX_REX && byte <= PREFIX_REX_LAST) {
			d->rex = byte & (REX_W | REX_R | REX_X | REX_B);
			i->prefixes &= (u16)~INSN_REX_W;
			i->prefixes |= INSN_REX | (byte & REX_W ? INSN_REX_W : 0);
			byte = (u8)decoder_fetch(d, 1);
		}
		switch (byte) {
		case PREFIX_ES: override_segment(d, SEG_ES); break;
		case PREFIX_CS: override_segment(d, SEG_CS); break;
		case PREFIX_SS: override_segment(d, SEG_SS); break;
		case PREFIX_DS: override_segment(d, SEG_DS); break;
		case PREFIX_FS: override_segment(d, SEG_FS); break;
		case PREFIX_GS: override_segment(d, SEG_GS); break;
		case PREFIX_OPSIZE: i->prefixes |= INSN_OPSIZE; break;
		case PREFIX_ADDRSIZE: i->prefixes |= INSN_ADDRSIZE; break;
		case PREFIX_LOCK: i->prefixes |= INSN_LOCK; break;
		/* Of F2 and F3 the last one counts. */
		case PREFIX_REPNE: i->prefixes = (i->prefixes & (u16)~INSN_REPE) | INSN_REPNE; break;
		case PREFIX_REPE: i->prefixes = (i->prefixes & (u16)~INSN_REPNE) | INSN_REPE; break;
		default: return byte;
		}
	}
}

/* C4 and C5 are LDS and LES outside 64-bit mode unless what follows would be a register operand. */
static bool is_vex(const struct decoder *d, u8 byte)
{
	if (d->at == d->end)
		return false;
	if (byte == ESCAPE_VEX2 || byte == ESCAPE_VEX3)
		return d->mode64 || MODRM_MOD(*d->at) == MODRM_MOD_REGISTER;
	/* 8F is POP unless the map number, where POP has its ModRM byte, is 8 or more. */
	return byte == ESCAPE_XOP && (*d->at & BITS(4, 0)) >= 8;
}

/* "The VEX Prefix"; XOP has the layout of the three-byte VEX. False if it is malformed. */
static bool read_vex(struct decoder *d, u8 escape, enum insn_table *table)
{
	struct insn *i = d->insn;
	u8 first = (u8)decoder_fetch(d, 1), last = first;
	unsigned map = 1;

	if (i->prefixes & (INSN_LOCK | INSN_REPE | INSN_REPNE | INSN_OPSIZE | INSN_REX))
		return false;
	d->rex = first & BIT(7) ? 0 : REX_R;
	if (escape != ESCAPE_VEX2) {
		last = (u8)decoder_fetch(d, 1);
		map = first & BITS(4, 0);
		d->rex = (u8)(~first >> 5 & (REX_R | REX_X | REX_B)) | (last & BIT(7) ? REX_W : 0);
	}
	/* Eight registers outside 64-bit mode, but W still chooses opcodes. */
	if (!d->mode64)
		d->rex &= REX_W;
	d->vvvv = ~last >> 3 & 15;
	i->pp = last & 3;
	i->prefixes |= INSN_VEX | (d->rex & REX_W ? INSN_REX_W : 0) | (last & BIT(2) ? INSN_VEX_L : 0);
	if (escape == ESCAPE_XOP) {
		*table = map == 9 ? TABLE_XOP9 : TABLE_XOPA;
		return map == 9 || map == 10;
	}
	*table = map == 1 ? TABLE_VEX0F : map == 2 ? TABLE_VEX0F38 : TABLE_VEX0F3A;
	return map >= 1 && map <= 3;
}

static enum insn_map map_of_table(enum insn_table table)
{
	switch (table) {
	case TABLE_1BYTE: return INSN_MAP_1BYTE;
	case TABLE_0F:
	case TABLE_VEX0F: return INSN_MAP_0F;
	case TABLE_0F38:
	case TABLE_VEX0F38:
	case TABLE_XOP9: return INSN_MAP_0F38;
	case TABLE_X87: return INSN_MAP_X87;
	default: return INSN_MAP_0F3A;
	}
}

/* Reads everything up to and with the opcode and the ModRM byte; returns the number of the opcode's first row. */
static unsigned read_opcode(struct decoder *d)
{
	struct insn *i = d->insn;
	u8 byte = read_prefixes(d);
	enum insn_table table = TABLE_1BYTE;
	u16 entry;

	i->pp = i->prefixes & INSN_REPNE ? INSN_PP_F2 : i->prefixes & INSN_REPE ? INSN_PP_F3 :
		i->prefixes & INSN_OPSIZE ? INSN_PP_66 : INSN_PP_NONE;
	if (byte == ESCAPE_0F) {
		table = TABLE_0F;
		byte = (u8)decoder_fetch(d, 1);
		if (byte == ESCAPE_0F38 || byte == ESCAPE_0F3A) {
			table = byte == ESCAPE_0F38 ? TABLE_0F38 : TABLE_0F3A;
			byte = (u8)decoder_fetch(d, 1);
		}
	} else if (is_vex(d, byte)) {
		if (!read_vex(d, byte, &table))
			return 0;
		byte = (u8)decoder_fetch(d, 1);
	} else if (byte >= ESCAPE_X87 && byte <= ESCAPE_X87_LAST) {
		i->opcode = byte;
		i->map = INSN_MAP_X87;
		i->modrm = (u8)decoder_fetch(d, 1);
		return insn_index[TABLE_X87][MODRM_MOD(i->modrm) == MODRM_MOD_REGISTER]
				 [(byte - ESCAPE_X87) << 3 | MODRM_REG(i->modrm)];
	}
	i->opcode = byte;
	i->map = (u8)map_of_table(table);
	entry = insn_index[table][i->pp][byte];
	if (entry & INDEX_MODRM)
		i->modrm = (u8)decoder_fetch(d, 1);
	return entry & INDEX_ROW;
}

static const struct insn_row *find_row(const struct decoder *d, unsigned number)
{
	const struct insn *i = d->insn;
	const struct insn_row *row = &insn_rows[number];
	unsigned key = KEY_RM(MODRM_RM(i->modrm)) | KEY_REG(MODRM_REG(i->modrm)) | KEY_PP(i->pp);

	if (MODRM_MOD(i->modrm) == MODRM_MOD_REGISTER)
		key |= KEY_REGISTER;
	if (d->mode64)
		key |= KEY_MODE64;
	if (d->amd)
		key |= KEY_AMD;
	if (d->rex & REX_W)
		key |= d->mode64 ? KEY_W | KEY_W64 : KEY_W;
	if (d->rex & REX_B)
		key |= KEY_REXB;
	if (i->prefixes & INSN_VEX_L)
		key |= KEY_L;
	while ((key & row->mask) != row->match)
		row++;
	return row;
}

/* "Operand-Size and Address-Size Attributes", "Default 64-bit Operand Size". */
static unsigned operand_size(const struct decoder *d, unsigned flags)
{
	const struct insn *i = d->insn;
	bool wide = d->mode64 && d->rex & REX_W, opsize = i->prefixes & INSN_OPSIZE;
	unsigned size = wide ? 8 : opsize == (i->mode == INSN_MODE_16) ? 4 : 2;

	if (likely(!flags))
		return size;
	if (flags & ROW_BYTE)
		return 1;
	if (flags & (ROW_Y | ROW_SIMD | ROW_MM))
		return wide ? 8 : 4;
	if (flags & ROW_NAT)
		return d->mode64 ? 8 : 4;
	if (flags & ROW_Z)
		return size == 8 ? 4 : size;
	if (!d->mode64)
		return size;
	if (flags & ROW_O64)
		return 8;
	if (flags & ROW_D64)
		return size == 2 ? 2 : 8;
	if (flags & ROW_BR64)
		return size == 2 && d->amd ? 2 : 8;
	if (flags & ROW_FARP && d->amd && wide)
		return opsize ? 2 : 4;
	return size;
}

static void set_sizes(struct decoder *d, unsigned flags)
{
	struct insn *i = d->insn;

	i->opsize = (u8)operand_size(d, flags);
	if (flags & ROW_SIMD)
		i->vector_bytes = i->prefixes & INSN_VEX_L && !(flags & ROW_LIG) ? 32 : 16;
	else if (flags & ROW_MM)
		i->vector_bytes = 8;
}

/* "LOCK--Assert LOCK# Signal Prefix". On AMD it makes CR0 of MOV CR8 ("CR8 (Task Priority Register, TPR)"). */
static bool lock_allowed(struct decoder *d, unsigned flags)
{
	struct insn *i = d->insn;

	if (i->op == INSN_MOV_CR && d->amd) {
		struct insn_operand *cr = &i->operand[i->operand[0].kind == OPERAND_CR ? 0 : 1];

		cr->reg |= 8;
		return cr->reg == 8;
	}
	return flags & ROW_LOCK && i->operand[0].kind == OPERAND_MEM;
}

static bool decode_row(struct decoder *d)
{
	struct insn *i = d->insn;
	const struct insn_row *row = find_row(d, read_opcode(d));

	i->op = row->op;
	if (row->op == INSN_OP_COUNT)
		return false;
	set_sizes(d, row->flags);
	if (!decoder_read_operands(d, row))
		return false;
	/* VEX.vvvv, where it names no register, must be 1111. */
	if (d->vvvv && !d->vvvv_used)
		return false;
	return !(i->prefixes & INSN_LOCK) || lock_allowed(d, row->flags);
}

enum insn_status insn_decode(const u8 *bytes, size_t available, enum insn_mode mode, bool amd, struct insn *out)
{
	struct decoder d = {
		.at = bytes,
		.end = bytes + (available < INSN_MAX_LENGTH ? available : INSN_MAX_LENGTH),
		.insn = out,
		.mode64 = mode == INSN_MODE_64,
		.amd = amd,
	};
	bool valid;

	*out = (struct insn){ .mode = (u8)mode, .seg = SEG_DS, .base = INSN_REG_NONE, .index = INSN_REG_NONE };
	valid = decode_row(&d);
	out->length = (u8)(d.at - bytes);
	if (d.overrun)
		return available < INSN_MAX_LENGTH ? INSN_TRUNCATED : INSN_TOO_LONG;
	return valid ? INSN_OK : INSN_INVALID;
}

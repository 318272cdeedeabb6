/* The random assembler: see assemble.h. */
#include "assemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

#define GPR_RSP_NUMBER 4 /* as base: a SIB byte; as index: none */
#define GPR_RBP_NUMBER 5 /* as base: a displacement */

struct instruction {
	const struct assemble_rules *rules;
	unsigned size;
	bool wide, byte_rex; /* REX.W; REX for a byte register SPL...DIL */
	bool lock, address32, segment;
	u8 mandatory;
	u8 opcode[3];
	unsigned opcodes;
	bool vex, has_vvvv;
	unsigned vex_pp, vex_map, vex_l, vex_w, vvvv;
	bool modrm, memory;
	unsigned reg, rm, base, index, scale, mod;
	bool sib, has_base, has_index;
	u8 tail[64]; /* immediates and what follows */
	unsigned tails;
	s32 disp;
	unsigned disp_bytes;
};

/* ---- random numbers: xorshift64* ---- */

static u64 random_state;

void random_seed(u64 seed)
{
	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	for (unsigned n = 0; n < 4; n++)
		(void)random_u64();
}

u64 random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

unsigned random_below(unsigned limit)
{
	return (unsigned)((random_u64() >> 32) * limit >> 32);
}

static bool chance(unsigned percent)
{
	return random_below(100) < percent;
}

/* ---- operands ---- */

static unsigned pick_from(unsigned set)
{
	unsigned n;

	do
		n = random_below(16);
	while (!(set >> n & 1));
	return n;
}

static unsigned all_registers(const struct instruction *i)
{
	return i->rules->compatibility ? 0xff : 0xffff;
}

static unsigned index_registers(const struct instruction *i)
{
	return i->rules->compatibility ? INDEX_REGISTERS_32 : INDEX_REGISTERS;
}

static unsigned pick_register(const struct instruction *i)
{
	unsigned set = all_registers(i);

	if (i->rules->any_register)
		return pick_from(set);
	/* Without REX, AH, CH and DH have the numbers of ESP, EBP and ESI; BL and BH are parts of a pointer. */
	if (i->rules->compatibility && i->size == 1)
		return pick_from(set & ~(1u << 3 | 1u << 7));
	return pick_from(set & ~(POINTER_REGISTERS | index_registers(i)));
}

static void pick_memory(struct instruction *i)
{
	unsigned form = random_below(10);

	i->memory = true;
	i->base = pick_from(POINTER_REGISTERS & all_registers(i));
	i->has_base = form > 0;
	i->has_index = form > 6;
	i->index = pick_from(index_registers(i));
	i->scale = random_below(4);
	i->disp_bytes = form == 0 ? 4 : (unsigned[]){ 0, 1, 4 }[random_below(3)];
	if (i->has_base && (i->base & 7) == GPR_RBP_NUMBER && !i->disp_bytes)
		i->disp_bytes = 1;
	if (i->disp_bytes == 1)
		i->disp = (s8)random_u64();
	if (i->disp_bytes == 4)
		i->disp = (s32)random_below(512) - 256;
	if (!i->has_base)
		i->disp += (s32)(GUEST_DATA + GUEST_DATA_BYTES / 2);
	i->sib = i->has_index || !i->has_base || (i->base & 7) == GPR_RSP_NUMBER;
	i->address32 = !i->rules->compatibility && chance(4);
	i->segment = chance(2);
}

/* A byte register without REX: 4 to 7 are AH to BH, of which BH is part of a pointer. */
static void note_register(struct instruction *i, unsigned reg)
{
	bool pointer = reg == 7 && !i->rules->any_register;

	if (i->size == 1 && reg >= 4 && reg < 8 && !i->rules->compatibility && (pointer || chance(50)))
		i->byte_rex = true;
}

static void pick_modrm(struct instruction *i, const char *word)
{
	char kind = word[2];

	i->modrm = true;
	if (word[1] == 'r') {
		i->reg = pick_register(i);
		note_register(i, i->reg);
	} else {
		i->reg = (unsigned)(word[1] - '0');
	}
	if (kind == 'M' || (kind != 'R' && chance(50))) {
		pick_memory(i);
	} else {
		i->rm = pick_register(i);
		note_register(i, i->rm);
	}
}

static u64 pick_immediate(void)
{
	switch (random_below(4)) {
	case 0: return random_below(64);
	case 1: return (u64)-(s64)random_below(64);
	default: return random_u64();
	}
}

static void add_tail(struct instruction *i, u64 value, unsigned bytes)
{
	memcpy(i->tail + i->tails, &value, bytes);
	i->tails += bytes;
}

/* ---- words ---- */

static void parse_size(struct instruction *i, char size)
{
	static const unsigned v[] = { 2, 4, 8 };

	switch (size) {
	case 'b': i->size = 1; break;
	case 'w': i->size = 2; break;
	case 'd': i->size = 4; break;
	case 'q': i->size = 8; break;
	case 'v': i->size = v[random_below(i->rules->compatibility ? 2 : 3)]; break;
	case 'y': i->size = v[1 + random_below(i->rules->compatibility ? 1 : 2)]; break;
	}
	i->wide = i->size == 8;
}

static unsigned parse_either(char c, bool by_size)
{
	return c == 'x' ? random_below(2) : c == 'y' ? by_size : (unsigned)(c - '0');
}

/* vex:PP:MAP:L:W */
static void parse_vex(struct instruction *i, const char *word)
{
	const char *field = strchr(word, ':') + 1;

	i->vex = true;
	i->has_vvvv = word[3] != 'n';
	i->vex_pp = field[0] == '0' ? 0 : field[0] == '6' ? 1 : field[1] == '3' ? 2 : 3;
	field = strchr(field, ':') + 1;
	i->vex_map = (unsigned)(field[0] - '0');
	i->vex_l = parse_either(field[2], false);
	i->vex_w = parse_either(field[4], i->wide);
	i->vvvv = i->has_vvvv ? pick_register(i) : 0;
}

static void parse_immediate(struct instruction *i, char kind)
{
	unsigned bytes = i->size ? i->size : 4;

	switch (kind) {
	case 'b': bytes = 1; break;
	case 'w': bytes = 2; break;
	case 'd': bytes = 4; break;
	case 'z': bytes = bytes > 4 ? 4 : bytes; break;
	}
	add_tail(i, pick_immediate(), bytes);
}

/* A displacement over a LEA that makes the jump visible: nop; lea eax, [rax + 1]. */
static void parse_branch(struct instruction *i, char kind)
{
	static const u8 lea[] = { 0x90, 0x8d, 0x40, 0x01 };

	add_tail(i, sizeof(lea), kind == 'b' ? 1 : 4);
	memcpy(i->tail + i->tails, lea, sizeof(lea));
	i->tails += sizeof(lea);
}

static void parse_plus(struct instruction *i)
{
	unsigned reg = pick_register(i);

	note_register(i, reg);
	i->rm = reg;
	i->opcode[i->opcodes - 1] |= reg & 7;
}

static void parse_word(struct instruction *i, const char *word)
{
	size_t length = strlen(word);

	if (!strncmp(word, "vex", 3))
		parse_vex(i, word);
	else if (!strcmp(word, "lock"))
		i->lock = i->memory && chance(30);
	else if (!strcmp(word, "cc"))
		i->opcode[i->opcodes - 1] |= (u8)random_below(16);
	else if (!strcmp(word, "+r"))
		parse_plus(i);
	else if (word[0] == '/')
		pick_modrm(i, word);
	else if (word[0] == 'p')
		i->mandatory = (u8)strtoul(word + 1, NULL, 16);
	else if (word[0] == 'i')
		parse_immediate(i, word[1]);
	else if (word[0] == 'j')
		parse_branch(i, word[1]);
	else if (word[0] == '\'')
		add_tail(i, strtoul(word + 1, NULL, 16), 1);
	else if (length == 1)
		parse_size(i, word[0]);
	else
		i->opcode[i->opcodes++] = (u8)strtoul(word, NULL, 16);
}

/* ---- bytes ---- */

static unsigned rex_bits(const struct instruction *i)
{
	unsigned bits = i->reg & 8 ? REX_R : 0;

	if (!i->memory)
		return bits | (i->rm & 8 ? REX_B : 0);
	return bits | (i->has_base && i->base & 8 ? REX_B : 0) | (i->has_index && i->index & 8 ? REX_X : 0);
}

static u8 *put_vex(const struct instruction *i, u8 *at)
{
	unsigned rex = rex_bits(i);

	*at++ = 0xc4;
	*at++ = (u8)((~rex & 7) << 5 | i->vex_map);
	*at++ = (u8)(i->vex_w << 7 | (~i->vvvv & 15) << 3 | i->vex_l << 2 | i->vex_pp);
	return at;
}

static u8 *put_prefixes(struct instruction *i, u8 *at)
{
	unsigned rex = rex_bits(i) | (i->wide ? REX_W : 0);
	static const u8 segments[] = { 0x26, 0x2e, 0x36, 0x3e };

	if (i->lock)
		*at++ = 0xf0;
	if (i->memory && i->segment)
		*at++ = segments[random_below(4)];
	if (i->memory && i->address32)
		*at++ = 0x67;
	if (i->vex)
		return put_vex(i, at);
	if (i->size == 2)
		*at++ = 0x66;
	if (i->mandatory)
		*at++ = i->mandatory;
	if (rex || i->byte_rex)
		*at++ = (u8)(0x40 | rex);
	return at;
}

static u8 *put_modrm(const struct instruction *i, u8 *at)
{
	static const unsigned mods[] = { 0, 1, 2, 2, 2 };
	unsigned mod = i->has_base ? mods[i->disp_bytes] : 0, rm = i->sib ? 4 : i->base & 7;

	if (!i->memory) {
		*at++ = (u8)(3 << 6 | (i->reg & 7) << 3 | (i->rm & 7));
		return at;
	}
	*at++ = (u8)(mod << 6 | (i->reg & 7) << 3 | rm);
	if (i->sib)
		*at++ = (u8)(i->scale << 6 | (i->has_index ? i->index & 7 : GPR_RSP_NUMBER) << 3 |
			     (i->has_base ? i->base & 7 : GPR_RBP_NUMBER));
	memcpy(at, &i->disp, i->disp_bytes);
	return at + i->disp_bytes;
}

unsigned assemble(const char *encoding, const struct assemble_rules *rules, u8 *out)
{
	struct instruction i = { .rules = rules };
	char words[256], *rest = words;
	u8 *at = out;

	snprintf(words, sizeof(words), "%s", encoding);
	for (char *word = strtok_r(rest, " ", &rest); word; word = strtok_r(rest, " ", &rest))
		parse_word(&i, word);
	at = put_prefixes(&i, at);
	memcpy(at, i.opcode, i.opcodes);
	at += i.opcodes;
	if (i.modrm)
		at = put_modrm(&i, at);
	memcpy(at, i.tail, i.tails);
	return (unsigned)(at + i.tails - out);
}

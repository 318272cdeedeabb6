/*
 * The decoder against Zydis: random byte strings in every mode, and every instruction of real programs.
 *
 *   decode_zydis [-n STRINGS_PER_MODE] [-s SEED] [-v FAILURES_SHOWN] [ELF FILE...]
 *
 * Zydis is a second reading of the same manuals. For each byte string both must agree whether it is an
 * instruction, and then on its length, operation, prefixes, sizes and operands. Where they differ for a reason, the
 * reason stands in decode_zydis_known.h, with a count printed for each; everything else fails. A test is one source of
 * instructions: the random strings, each file, and that every operation was reached. Without files: a shell, the C library
 * and this program.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <Zydis/Zydis.h>

#include "insn/insn.h"
#include "x86/regs.h"

#include "decode_zydis_known.h"

#define BUFFER_BYTES 16

/* Strings per mode that are sure to reach every operation. */
#define FULL_COVERAGE 1000000

static struct {
	u64 compared, both_invalid, failed;
	u64 reached[INSN_OP_COUNT]; /* valid for both, by operation */
	int show;
} total = { .show = 20 };

static u64 random_state;

/* xorshift64*: the same strings on every machine for one seed. */
static u64 random_u64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

static unsigned random_below(unsigned limit)
{
	return (unsigned)((random_u64() >> 32) * limit >> 32);
}

/* The mnemonic that Zydis gives what we call i->op. */
static void expected_mnemonic(const struct insn *i, char *out, size_t size)
{
	static const char *const conditions[16] = { "o", "no", "b", "nb", "z", "nz", "be", "nbe",
						    "s", "ns", "p", "np", "l", "nl", "le", "nle" };
	const char *condition = conditions[i->opcode & 15], *name = insn_op_name(i->op);
	const char *bwdq = i->opsize == 1 ? "b" : i->opsize == 2 ? "w" : i->opsize == 4 ? "d" : "q";
	const char *dq = i->opsize == 2 ? "" : i->opsize == 4 ? "d" : "q";
	int base = (int)strcspn(name, "_");

	switch (i->op) {
	case INSN_JCC: snprintf(out, size, "j%s", condition); break;
	case INSN_SETCC: snprintf(out, size, "set%s", condition); break;
	case INSN_CMOVCC: snprintf(out, size, "cmov%s", condition); break;
	case INSN_MOVS:
	case INSN_CMPS:
	case INSN_STOS:
	case INSN_LODS:
	case INSN_SCAS:
	case INSN_INS:
	case INSN_OUTS: snprintf(out, size, "%s%s", name, bwdq); break;
	case INSN_PUSHA:
	case INSN_POPA:
	case INSN_PUSHF:
	case INSN_POPF:
	case INSN_IRET: snprintf(out, size, "%s%s", name, dq); break;
	case INSN_CBW: snprintf(out, size, "%s", i->opsize == 2 ? "cbw" : i->opsize == 4 ? "cwde" : "cdqe"); break;
	case INSN_CWD: snprintf(out, size, "%s", i->opsize == 2 ? "cwd" : i->opsize == 4 ? "cdq" : "cqo"); break;
	case INSN_JCXZ:
		snprintf(out, size, "%s", i->addrsize == 2 ? "jcxz" : i->addrsize == 4 ? "jecxz" : "jrcxz");
		break;
	case INSN_FXSAVE:
	case INSN_FXRSTOR:
	case INSN_XSAVE:
	case INSN_XRSTOR:
	case INSN_XSAVEC:
	case INSN_XSAVEOPT:
	case INSN_XSAVES:
	case INSN_XRSTORS: snprintf(out, size, "%s%s", name, i->opsize == 8 ? "64" : ""); break;
	default: snprintf(out, size, "%.*s", base, name); break;
	}
}

/* The Zydis register that an operand of ours names. */
static ZydisRegister zydis_register(const struct insn_operand *o)
{
	static const ZydisRegister segments[] = { ZYDIS_REGISTER_ES, ZYDIS_REGISTER_CS, ZYDIS_REGISTER_SS,
						  ZYDIS_REGISTER_DS, ZYDIS_REGISTER_FS, ZYDIS_REGISTER_GS };

	switch (o->kind) {
	case OPERAND_GPR:
		switch (o->size) {
		case 1: return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR8, o->reg < 4 ? o->reg : o->reg + 4);
		case 2: return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR16, o->reg);
		case 4: return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR32, o->reg);
		default: return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR64, o->reg);
		}
	case OPERAND_GPR8H: return ZydisRegisterEncode(ZYDIS_REGCLASS_GPR8, o->reg + 4);
	case OPERAND_SEG: return segments[o->reg];
	case OPERAND_CR: return ZydisRegisterEncode(ZYDIS_REGCLASS_CONTROL, o->reg);
	case OPERAND_DR: return ZydisRegisterEncode(ZYDIS_REGCLASS_DEBUG, o->reg);
	case OPERAND_MMX: return ZydisRegisterEncode(ZYDIS_REGCLASS_MMX, o->reg);
	case OPERAND_XMM:
		return ZydisRegisterEncode(o->size == 32 ? ZYDIS_REGCLASS_YMM : ZYDIS_REGCLASS_XMM, o->reg);
	case OPERAND_ST: return ZydisRegisterEncode(ZYDIS_REGCLASS_X87, o->reg);
	default: return ZYDIS_REGISTER_NONE;
	}
}

static u8 register_number(ZydisRegister reg)
{
	if (reg == ZYDIS_REGISTER_NONE)
		return INSN_REG_NONE;
	if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP)
		return INSN_REG_RIP;
	return (u8)ZydisRegisterGetId(reg);
}

/* Whether the two differ in that respect, and no row of the known differences says why. */
static bool differs(struct pair *p, bool different, enum aspect aspect)
{
	if (!different || known_difference(p, aspect))
		return false;
	p->difference = aspect_names[aspect];
	return true;
}

static bool memory_differs(struct pair *p, const struct insn_operand *o, const ZydisDecodedOperand *z)
{
	const struct insn *i = &p->insn;
	unsigned scale = z->mem.scale ? (unsigned)__builtin_ctz(z->mem.scale) : 0;
	s64 disp = z->mem.disp.has_displacement ? z->mem.disp.value : 0;

	return differs(p, z->type != ZYDIS_OPERAND_TYPE_MEMORY, OPERAND_KIND) ||
	       differs(p, ZydisRegisterGetId(z->mem.segment) != i->seg, SEGMENT) ||
	       differs(p, register_number(z->mem.base) != i->base, BASE) ||
	       differs(p, register_number(z->mem.index) != i->index, INDEX) ||
	       differs(p, i->index != INSN_REG_NONE && scale != i->scale, SCALE) ||
	       differs(p, disp != i->disp, DISPLACEMENT) || differs(p, o->size * 8 != z->size, MEMORY_SIZE);
}

static bool immediate_differs(struct pair *p, const struct insn_operand *o, const ZydisDecodedOperand *z)
{
	const struct insn *i = &p->insn;
	u64 mask = o->kind == OPERAND_REL ? ~0ull : byte_mask(o->size);
	u64 value = o->kind == OPERAND_IMM2 ? i->imm2 : i->imm;

	return differs(p, z->type != ZYDIS_OPERAND_TYPE_IMMEDIATE, OPERAND_KIND) ||
	       differs(p, z->imm.is_relative != (o->kind == OPERAND_REL), OPERAND_KIND) ||
	       differs(p, (z->imm.value.u & mask) != value, IMMEDIATE);
}

static bool operand_differs(struct pair *p, const struct insn_operand *o, const ZydisDecodedOperand *z)
{
	const struct insn *i = &p->insn;

	switch (o->kind) {
	case OPERAND_MEM: return memory_differs(p, o, z);
	case OPERAND_IMM:
	case OPERAND_IMM2:
	case OPERAND_REL: return immediate_differs(p, o, z);
	case OPERAND_FAR:
		return differs(p, z->type != ZYDIS_OPERAND_TYPE_POINTER, OPERAND_KIND) ||
		       differs(p, z->ptr.segment != i->imm2 || z->ptr.offset != i->imm, IMMEDIATE);
	default:
		return differs(p, z->type != ZYDIS_OPERAND_TYPE_REGISTER, OPERAND_KIND) ||
		       differs(p, zydis_register(o) != z->reg.value, REGISTER);
	}
}

static bool operands_differ(struct pair *p)
{
	const struct insn *i = &p->insn;
	unsigned n = 0;

	for (unsigned k = 0; k < p->z.operand_count; k++) {
		p->operand = &p->zo[k];
		if (p->operand->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN ||
		    known_difference(p, UNLISTED_OPERAND))
			continue;
		if (differs(p, n == i->operands, OPERAND_COUNT) || operand_differs(p, &i->operand[n], p->operand))
			return true;
		n++;
	}
	return differs(p, n != i->operands, OPERAND_COUNT);
}

static unsigned zydis_prefixes(const struct pair *p)
{
	unsigned prefixes = 0;

	for (unsigned k = 0; k < p->z.raw.prefix_count; k++) {
		switch (p->z.raw.prefixes[k].value) {
		case 0xf0: prefixes |= INSN_LOCK; break;
		case 0xf2: prefixes = (prefixes & ~INSN_REPE) | INSN_REPNE; break;
		case 0xf3: prefixes = (prefixes & ~INSN_REPNE) | INSN_REPE; break;
		case 0x66: prefixes |= INSN_OPSIZE; break;
		case 0x67: prefixes |= INSN_ADDRSIZE; break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65: prefixes |= INSN_SEGMENT; break;
		}
	}
	if (p->z.attributes & ZYDIS_ATTRIB_HAS_REX)
		prefixes |= INSN_REX | (p->z.raw.rex.W ? INSN_REX_W : 0);
	if (p->z.attributes & ZYDIS_ATTRIB_HAS_VEX)
		prefixes |= INSN_VEX | (p->z.raw.vex.W ? INSN_REX_W : 0) | (p->z.raw.vex.L ? INSN_VEX_L : 0);
	if (p->z.attributes & ZYDIS_ATTRIB_HAS_XOP)
		prefixes |= INSN_VEX | (p->z.raw.xop.W ? INSN_REX_W : 0) | (p->z.raw.xop.L ? INSN_VEX_L : 0);
	return prefixes;
}

static bool pair_differs(struct pair *p)
{
	const struct insn *i = &p->insn;
	bool zydis_too_long = p->zydis_status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG;
	u8 modrm = (u8)(p->z.raw.modrm.mod << 6 | p->z.raw.modrm.reg << 3 | p->z.raw.modrm.rm);
	char mnemonic[32];

	if (p->zydis_ok != (p->status == INSN_OK))
		return differs(p, true, p->zydis_ok ? WE_REFUSE : ZYDIS_REFUSES);
	if (!p->zydis_ok)
		return differs(p, (p->status == INSN_TOO_LONG) != zydis_too_long, TOO_LONG);
	expected_mnemonic(i, mnemonic, sizeof(mnemonic));
	return differs(p, i->length != p->z.length, LENGTH) ||
	       differs(p, strcmp(mnemonic, ZydisMnemonicGetString(p->z.mnemonic)), OPERATION) ||
	       differs(p, i->prefixes != zydis_prefixes(p), PREFIXES) ||
	       differs(p, i->addrsize * 8 != p->z.address_width, ADDRESS_SIZE) ||
	       differs(p, i->opsize * 8 != p->z.operand_width, OPERAND_SIZE) ||
	       differs(p, i->opcode != p->z.opcode, OPCODE) ||
	       differs(p, p->z.attributes & ZYDIS_ATTRIB_HAS_MODRM && i->modrm != modrm, OPCODE) || operands_differ(p);
}

static void show_failure(const struct pair *p)
{
	static const char *const modes[] = { "16", "32", "64" };
	char text[128] = "-";
	unsigned length = p->zydis_ok ? p->z.length : p->insn.length;
	ZydisFormatter formatter;

	if (total.show-- <= 0)
		return;
	printf("FAIL mode %s%s:", modes[p->mode], p->amd ? " amd" : "");
	for (unsigned n = 0; n < (length < BUFFER_BYTES ? length : BUFFER_BYTES); n++)
		printf(" %02x", p->bytes[n]);
	ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
	if (p->zydis_ok)
		ZydisFormatterFormatInstruction(&formatter, &p->z, p->zo, p->z.operand_count_visible, text,
						sizeof(text), 0, NULL);
	printf(": %s; Zydis: %s (%u)", p->difference, text, p->zydis_ok ? p->z.length : 0);
	if (p->status == INSN_OK) {
		insn_format(&p->insn, 0, text, sizeof(text));
		printf("; ours: %s (%u, opsize %u)\n", text, p->insn.length, p->insn.opsize);
	} else {
		printf("; ours: status %d\n", p->status);
	}
}

/* Compares one byte string; returns the length to go on by. */
static unsigned compare(const ZydisDecoder *decoder, const u8 *bytes, size_t available, enum insn_mode mode, bool amd)
{
	struct pair p = { .bytes = bytes, .mode = mode, .amd = amd };

	p.status = insn_decode(bytes, available, mode, amd, &p.insn);
	p.zydis_status = ZydisDecoderDecodeFull(decoder, bytes, available, &p.z, p.zo);
	p.zydis_ok = ZYAN_SUCCESS(p.zydis_status);
	if (pair_differs(&p)) {
		total.failed++;
		show_failure(&p);
	} else {
		total.compared++;
		total.both_invalid += !p.zydis_ok && p.status != INSN_OK;
		if (p.zydis_ok && p.status == INSN_OK)
			total.reached[p.insn.op]++;
	}
	return p.zydis_ok ? p.z.length : p.status == INSN_OK ? p.insn.length : 1;
}

/* Opcodes that hold many instructions, or that ask for many bits at once. */
static u8 random_opcode(unsigned map)
{
	static const u8 hard_0f[] = { 0x01, 0x0d, 0x18, 0x20, 0x22, 0x71, 0x72, 0x73, 0x78, 0x79, 0xae, 0xba, 0xc7 };
	static const u8 hard_0f38[] = { 0x80, 0x82, 0x90, 0x91, 0x92, 0x93, 0xf0,
					0xf1, 0xf3, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9 };
	static const u8 hard_0f3a[] = { 0x00, 0x01, 0x16, 0x22, 0xf0 };

	if (random_below(4))
		return (u8)random_below(256);
	switch (map) {
	case 1: return hard_0f[random_below(sizeof(hard_0f))];
	case 2: return hard_0f38[random_below(sizeof(hard_0f38))];
	case 3: return hard_0f3a[random_below(sizeof(hard_0f3a))];
	default: return (u8)random_below(0x20);
	}
}

/* The bytes of a VEX or XOP prefix and an opcode; half of the time with vvvv 1111, where many allow nothing else. */
static unsigned random_vex(u8 *bytes, enum insn_mode mode)
{
	bool xop = !random_below(5);
	unsigned map = random_below(16) ? (xop ? 8 : 1) + random_below(3) : random_below(32);
	u8 last = (u8)(random_below(256) | (random_below(2) ? 0x78 : 0));
	/* Outside 64-bit mode C4 and C5 are VEX only before two ones. */
	u8 high = mode == INSN_MODE_64 || !random_below(16) ? (u8)(random_below(8) << 5) : 0xe0;

	if (!xop && random_below(2)) {
		bytes[0] = 0xc5;
		bytes[1] = last | (high == 0xe0 ? 0xc0 : 0);
		bytes[2] = random_opcode(1);
		return 3;
	}
	bytes[0] = xop ? 0x8f : 0xc4;
	bytes[1] = (u8)(high | map);
	bytes[2] = last;
	bytes[3] = random_opcode(map);
	return 4;
}

/* A random string that reaches every map, prefix and encoding far more often than chance would. */
static void random_string(u8 *bytes, enum insn_mode mode)
{
	static const u8 prefixes[] = { 0x66, 0x66, 0x67, 0xf2, 0xf2, 0xf3, 0xf3,
				       0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65 };
	unsigned at = 0, count = random_below(3) ? 0 : random_below(16) ? random_below(4) : random_below(15), map;

	for (unsigned n = 0; n < BUFFER_BYTES; n += 8) {
		u64 word = random_u64();

		memcpy(bytes + n, &word, 8);
	}
	if (!random_below(16))
		return;
	while (at < count)
		bytes[at++] = prefixes[random_below(sizeof(prefixes))];
	if (at > BUFFER_BYTES - 6)
		return;
	if (mode == INSN_MODE_64 && !random_below(3))
		bytes[at++] = (u8)(0x40 | random_below(16));
	switch (random_below(10)) {
	case 0:
	case 1: at++; break;
	case 2: bytes[at++] = (u8)(0xd8 + random_below(8)); break;
	case 3:
	case 4:
	case 5:
	case 6:
		map = 1 + random_below(6) % 4 % 3;
		bytes[at++] = 0x0f;
		if (map > 1)
			bytes[at++] = map == 2 ? 0x38 : 0x3a;
		bytes[at++] = random_opcode(map);
		break;
	default: at += random_vex(bytes + at, mode);
	}
	/* Often a register operand, or an SIB byte. */
	if (random_below(2))
		bytes[at] |= random_below(2) ? 0xc0 : 0x04;
}

static void init_decoder(ZydisDecoder *decoder, enum insn_mode mode, bool amd)
{
	static const ZydisMachineMode modes[] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_MACHINE_MODE_LEGACY_32,
						  ZYDIS_MACHINE_MODE_LONG_64 };
	static const ZydisStackWidth widths[] = { ZYDIS_STACK_WIDTH_16, ZYDIS_STACK_WIDTH_32, ZYDIS_STACK_WIDTH_64 };

	ZydisDecoderInit(decoder, modes[mode], widths[mode]);
	/* These three live in the hint space, and are NOPs to us. */
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
	ZydisDecoderEnableMode(decoder, ZYDIS_DECODER_MODE_AMD_BRANCHES, amd);
}

static void compare_random(u64 count)
{
	for (enum insn_mode mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++) {
		ZydisDecoder decoder[2];

		init_decoder(&decoder[0], mode, false);
		init_decoder(&decoder[1], mode, true);
		for (u64 n = 0; n < count; n++) {
			u8 bytes[BUFFER_BYTES];
			bool amd = !random_below(4);

			random_string(bytes, mode);
			compare(&decoder[amd], bytes, sizeof(bytes), mode, amd);
		}
	}
}

static void compare_section(const u8 *bytes, size_t size, enum insn_mode mode)
{
	ZydisDecoder decoder;

	init_decoder(&decoder, mode, false);
	for (size_t at = 0; at < size;)
		at += compare(&decoder, bytes + at, size - at, mode, false);
}

/* Every executable section of a 64-bit ELF file. */
static bool compare_elf(const char *path)
{
	FILE *f = fopen(path, "rb");
	const Elf64_Shdr *sections;
	const Elf64_Ehdr *header;
	u8 *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < (long)sizeof(*header)) {
		perror(path);
		return false;
	}
	rewind(f);
	data = malloc((size_t)size);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
		perror(path);
		return false;
	}
	fclose(f);
	header = (const Elf64_Ehdr *)data;
	sections = (const Elf64_Shdr *)(data + header->e_shoff);
	for (unsigned n = 0; n < header->e_shnum; n++)
		if (sections[n].sh_flags & SHF_EXECINSTR && sections[n].sh_type == SHT_PROGBITS)
			compare_section(data + sections[n].sh_offset, sections[n].sh_size, INSN_MODE_64);
	free(data);
	return true;
}

/* Names the operations that no byte string reached, which a long run takes for a failure. */
static unsigned count_unreached(void)
{
	unsigned unreached = 0;

	for (enum insn_op op = 0; op < INSN_OP_COUNT; op++) {
		if (total.reached[op])
			continue;
		printf("%s%s", unreached++ ? " " : "not reached: ", insn_op_name(op));
	}
	printf("%s%u of %u operations reached\n", unreached ? "\n" : "", INSN_OP_COUNT - unreached, INSN_OP_COUNT);
	return unreached;
}

static int tests_passed, tests_failed;

/* Ends one test: did anything fail since the last? */
static void test_end(void)
{
	static u64 failed_before;

	if (total.failed == failed_before)
		tests_passed++;
	else
		tests_failed++;
	failed_before = total.failed;
}

static bool compare_file(const char *path)
{
	u64 before = total.compared;

	if (!compare_elf(path))
		return false;
	printf("%s: %llu compared\n", path, (unsigned long long)(total.compared - before));
	test_end();
	return true;
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "/bin/bash", "/lib/x86_64-linux-gnu/libc.so.6", "/proc/self/exe" };
	u64 count = 10000000, seed = 1;
	int option;

	while ((option = getopt(argc, argv, "n:s:v:")) != -1) {
		switch (option) {
		case 'n': count = strtoull(optarg, NULL, 0); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'v': total.show = atoi(optarg); break;
		default: fprintf(stderr, "usage: %s [-n COUNT] [-s SEED] [-v SHOWN] [ELF...]\n", argv[0]); return 2;
		}
	}
	random_state = seed * 0x9e3779b97f4a7c15ull | 1;
	compare_random(count);
	printf("random strings, %llu in each mode: %llu compared, %llu of them invalid for both\n",
	       (unsigned long long)count, (unsigned long long)total.compared, (unsigned long long)total.both_invalid);
	test_end();
	for (int n = optind; n < argc; n++)
		if (!compare_file(argv[n]))
			return 2;
	for (unsigned n = 0; optind == argc && n < sizeof(usual) / sizeof(usual[0]); n++)
		if (!compare_file(usual[n]))
			return 2;
	known_print();
	if (count_unreached() && count >= FULL_COVERAGE)
		total.failed++;
	test_end();
	printf("%d passed, %d failed\n", tests_passed, tests_failed);
	return tests_failed != 0;
}

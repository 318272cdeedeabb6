/*
 * The decoder's rules, picked by hand: each test is a sentence of the manuals with the bytes that show it.
 *
 * What is common to thousands of instructions is proved by tests/isa/decode_zydis.c; here stands what a reader would
 * look up, in both directions.
 */
#include <stdlib.h>
#include <string.h>

#include "insn/insn.h"
#include "test.h"
#include "x86/regs.h"

static enum insn_status status;

/* The bytes that a text like "48 8b 05" spells; returns how many. */
static size_t bytes_of(const char *text, u8 *bytes)
{
	size_t count = 0;
	char *end;

	for (;; text = end) {
		unsigned long byte = strtoul(text, &end, 16);

		if (end == text)
			return count;
		bytes[count++] = (u8)byte;
	}
}

static struct insn decode_as(enum insn_mode mode, bool amd, const char *text)
{
	u8 bytes[32];
	struct insn i;

	status = insn_decode(bytes, bytes_of(text, bytes), mode, amd, &i);
	return i;
}

static struct insn decode64(const char *text)
{
	return decode_as(INSN_MODE_64, false, text);
}

static struct insn decode32(const char *text)
{
	return decode_as(INSN_MODE_32, false, text);
}

static struct insn decode16(const char *text)
{
	return decode_as(INSN_MODE_16, false, text);
}

static enum insn_status status_of(enum insn_mode mode, const char *text)
{
	(void)decode_as(mode, false, text);
	return status;
}

static bool valid64(const char *text)
{
	return status_of(INSN_MODE_64, text) == INSN_OK;
}

static bool valid32(const char *text)
{
	return status_of(INSN_MODE_32, text) == INSN_OK;
}

static bool formats(enum insn_mode mode, const char *text, const char *want)
{
	struct insn i = decode_as(mode, false, text);
	char got[96];

	insn_format(&i, 0x1000, got, sizeof(got));
	if (status == INSN_OK && !strcmp(got, want))
		return true;
	printf("%s is \"%s\", not \"%s\"\n", text, got, want);
	return false;
}

TEST("a REX prefix counts only directly before the opcode")
{
	struct insn i = decode64("48 66 8b c3");

	CHECK_EQ(i.opsize, 2);
	CHECK(!(i.prefixes & (INSN_REX | INSN_REX_W)));
	i = decode64("66 48 8b c3");
	CHECK_EQ(i.opsize, 8);
	i = decode64("48 44 8b c3");
	CHECK_EQ(i.opsize, 4);
	CHECK_EQ(i.operand[0].reg, GPR_R8);
}

TEST("of several segment overrides the last counts, and in 64-bit mode only FS and GS do")
{
	CHECK_EQ(decode32("2e 64 8b 00").seg, SEG_FS);
	CHECK_EQ(decode32("64 2e 8b 00").seg, SEG_CS);
	CHECK_EQ(decode64("64 2e 8b 00").seg, SEG_FS);
	CHECK_EQ(decode64("65 64 8b 00").seg, SEG_FS);
	CHECK_EQ(decode64("2e 8b 00").seg, SEG_DS);
	CHECK_EQ(decode64("36 8b 45 00").seg, SEG_SS);
	CHECK_EQ(decode64("3e 8b 45 00").seg, SEG_SS);
}

TEST("of F2 and F3 the last counts")
{
	CHECK_EQ(decode64("f2 f3 0f 10 c1").op, INSN_MOVSS);
	CHECK_EQ(decode64("f3 f2 0f 10 c1").op, INSN_MOVSD_SSE);
	CHECK_EQ(decode64("f3 66 0f 10 c1").op, INSN_MOVSS);
	CHECK_EQ(decode64("66 0f 10 c1").op, INSN_MOVUPD);
	CHECK_EQ(decode64("f2 f3 a4").prefixes, INSN_REPE);
	CHECK_EQ(decode64("f3 f2 a4").prefixes, INSN_REPNE);
}

TEST("an instruction has 15 bytes at most")
{
	CHECK(valid64("66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"));
	CHECK_EQ(decode64("66 66 66 66 66 66 66 66 66 66 66 66 66 66 90").length, 15);
	CHECK_EQ(status_of(INSN_MODE_64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90"), INSN_TOO_LONG);
	CHECK_EQ(status_of(INSN_MODE_64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 8b c0"), INSN_TOO_LONG);
	CHECK_EQ(status_of(INSN_MODE_64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66"), INSN_TRUNCATED);
}

TEST("an instruction cut short is truncated at every length, and what follows it changes nothing")
{
	static const char *const texts[] = {
		"90", "0f a2", "48 b8 11 22 33 44 55 66 77 88", "67 c7 84 88 44 33 22 11 78 56 34 12",
		"c4 e3 7d 4a 04 25 44 33 22 11 50", "c5 fd 6f 05 44 33 22 11", "c8 34 12 01", "f0 48 0f c7 0e",
		"66 0f 3a 63 c1 08", "d9 05 44 33 22 11", "a1 11 22 33 44 55 66 77 88", "0f 01 f8", "f2 0f 78 c1 02 03",
		"8f 44 24 08", "8f ea 78 10 c1 01 02 03 04",
	};

	for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
		u8 bytes[32];
		size_t length = bytes_of(texts[n], bytes);
		struct insn whole, i;

		memset(bytes + length, 0xcc, sizeof(bytes) - length);
		CHECK_EQ(insn_decode(bytes, length, INSN_MODE_64, false, &whole), INSN_OK);
		CHECK_EQ(whole.length, length);
		for (size_t available = 0; available < length; available++)
			CHECK_EQ(insn_decode(bytes, available, INSN_MODE_64, false, &i), INSN_TRUNCATED);
		CHECK_EQ(insn_decode(bytes, sizeof(bytes), INSN_MODE_64, false, &i), INSN_OK);
		CHECK(!memcmp(&whole, &i, sizeof(i)));
	}
}

TEST("memory based on SP or BP is in SS, all other in DS")
{
	CHECK_EQ(decode64("8b 04 24").seg, SEG_SS);
	CHECK_EQ(decode64("8b 45 00").seg, SEG_SS);
	CHECK_EQ(decode64("41 8b 04 24").seg, SEG_DS);
	CHECK_EQ(decode64("41 8b 45 00").seg, SEG_DS);
	CHECK_EQ(decode64("8b 04 2b").seg, SEG_DS);
	CHECK_EQ(decode64("8b 44 1d 00").seg, SEG_SS);
	CHECK_EQ(decode32("8b 04 6d 00 00 00 00").seg, SEG_DS);
	CHECK_EQ(decode16("8b 02").seg, SEG_SS);
	CHECK_EQ(decode16("8b 46 00").seg, SEG_SS);
	CHECK_EQ(decode16("8b 06 00 00").seg, SEG_DS);
	CHECK_EQ(decode16("8b 04").seg, SEG_DS);
	CHECK_EQ(decode16("26 8b 46 00").seg, SEG_ES);
}

TEST("mod 0 with r/m 5 is relative to RIP in 64-bit mode and absolute elsewhere")
{
	struct insn i = decode64("8b 05 fc ff ff ff");

	CHECK_EQ(i.base, INSN_REG_RIP);
	CHECK_EQ(i.disp, -4);
	CHECK_EQ(i.addrsize, 8);
	CHECK_EQ(decode64("67 8b 05 00 00 00 00").base, INSN_REG_RIP);
	CHECK_EQ(decode64("67 8b 05 00 00 00 00").addrsize, 4);
	CHECK_EQ(decode64("41 8b 05 00 00 00 00").base, INSN_REG_RIP);
	CHECK_EQ(decode32("8b 05 00 00 00 80").base, INSN_REG_NONE);
}

TEST("an SIB byte has no base with mod 0 and base 5, and no index with index 4")
{
	struct insn i = decode64("8b 04 25 44 33 22 11");

	CHECK_EQ(i.base, INSN_REG_NONE);
	CHECK_EQ(i.index, INSN_REG_NONE);
	CHECK_EQ(i.disp, 0x11223344);
	/* REX.B does not count there, REX.X does. */
	CHECK_EQ(decode64("41 8b 04 25 44 33 22 11").base, INSN_REG_NONE);
	CHECK_EQ(decode64("42 8b 04 a4").index, GPR_R12);
	CHECK_EQ(decode64("42 8b 04 a4").scale, 2);
	CHECK_EQ(decode64("41 8b 44 24 00").base, GPR_R12);
}

TEST("16-bit addresses are made of BX or BP and SI or DI")
{
	struct insn i = decode16("8b 40 80");

	CHECK_EQ(i.base, GPR_RBX);
	CHECK_EQ(i.index, GPR_RSI);
	CHECK_EQ(i.disp, -128);
	CHECK_EQ(decode16("8b 87 00 80").disp, -32768);
	CHECK_EQ(decode16("8b 05").base, GPR_RDI);
	CHECK_EQ(decode16("67 8b 05 00 00 00 00").length, 7);
}

TEST("byte registers 4 to 7 are AH, CH, DH, BH without REX and SPL, BPL, SIL, DIL with it")
{
	struct insn i = decode64("88 e5");

	CHECK_EQ(i.operand[0].kind, OPERAND_GPR8H);
	CHECK_EQ(i.operand[0].reg, GPR_RCX);
	CHECK_EQ(i.operand[1].kind, OPERAND_GPR8H);
	CHECK_EQ(i.operand[1].reg, GPR_RAX);
	i = decode64("40 88 e5");
	CHECK_EQ(i.operand[0].kind, OPERAND_GPR);
	CHECK_EQ(i.operand[0].reg, GPR_RBP);
	CHECK_EQ(i.operand[1].reg, GPR_RSP);
	CHECK_EQ(decode64("41 b4 01").operand[0].reg, GPR_R12);
	CHECK_EQ(decode32("b4 01").operand[0].kind, OPERAND_GPR8H);
}

TEST("MOV moffs has an offset of the address size")
{
	CHECK_EQ(decode64("a1 88 77 66 55 44 33 22 f1").disp, (s64)0xf122334455667788);
	CHECK_EQ(decode64("67 a1 88 77 66 f5").disp, 0xf5667788);
	CHECK_EQ(decode32("a1 88 77 66 f5").disp, 0xf5667788);
	CHECK_EQ(decode32("67 a1 88 f7").disp, 0xf788);
	CHECK_EQ(decode16("64 a0 88 f7").seg, SEG_FS);
	CHECK_EQ(decode16("a2 88 f7").operand[0].kind, OPERAND_MEM);
	CHECK_EQ(decode64("48 a3 88 77 66 55 44 33 22 11").operand[0].size, 8);
}

TEST("immediates are sign-extended to the operand size and no further")
{
	CHECK_EQ(decode64("48 83 c0 ff").imm, ~0ull);
	CHECK_EQ(decode64("83 c0 ff").imm, 0xffffffff);
	CHECK_EQ(decode64("66 83 c0 80").imm, 0xff80);
	CHECK_EQ(decode64("04 80").imm, 0x80);
	CHECK_EQ(decode64("48 c7 c0 00 00 00 80").imm, 0xffffffff80000000);
	CHECK_EQ(decode64("48 b8 00 00 00 80 00 00 00 00").imm, 0x80000000);
	CHECK_EQ(decode64("6a ff").imm, ~0ull);
	CHECK_EQ(decode64("66 6a ff").imm, 0xffff);
	CHECK_EQ(decode64("cd 80").imm, 0x80);
	CHECK_EQ(decode64("c1 e0 ff").imm, 0xff);
	CHECK_EQ(decode64("d1 e0").imm, 1);
	CHECK_EQ(decode32("c8 34 12 1f").imm, 0x1234);
	CHECK_EQ(decode32("c8 34 12 1f").imm2, 0x1f);
}

TEST("branch displacements are signed, far pointers are offset and selector")
{
	struct insn i = decode32("9a 78 56 34 12 cd ab");

	CHECK_EQ(i.op, INSN_CALL_FAR);
	CHECK_EQ(i.imm, 0x12345678);
	CHECK_EQ(i.imm2, 0xabcd);
	CHECK_EQ(decode16("ea 34 12 cd ab").imm2, 0xabcd);
	CHECK_EQ(decode64("eb fe").imm, (u64)-2);
	CHECK_EQ(decode64("e9 00 00 00 80").imm, 0xffffffff80000000);
	CHECK_EQ(decode16("e9 00 80").imm, 0xffffffffffff8000);
}

TEST("the stack and near branches have 64-bit operands in 64-bit mode")
{
	CHECK_EQ(decode64("50").opsize, 8);
	CHECK_EQ(decode64("66 50").opsize, 2);
	CHECK_EQ(decode64("ff 30").operand[0].size, 8);
	CHECK_EQ(decode64("9c").opsize, 8);
	CHECK_EQ(decode64("66 9c").opsize, 2);
	CHECK_EQ(decode64("0f a0").opsize, 8);
	CHECK_EQ(decode64("c3").opsize, 8);
	CHECK_EQ(decode64("ff e0").operand[0].size, 8);
	CHECK_EQ(decode64("ff 28").operand[0].size, 6);
	CHECK_EQ(decode64("48 ff 28").operand[0].size, 10);
	CHECK_EQ(decode64("cf").opsize, 4);
	CHECK_EQ(decode64("48 cf").opsize, 8);
	CHECK_EQ(decode32("50").opsize, 4);
	CHECK_EQ(decode16("50").opsize, 2);
	CHECK_EQ(decode16("66 50").opsize, 4);
}

TEST("66 before a near branch in 64-bit mode does nothing on Intel and cuts RIP to 16 bits on AMD")
{
	struct insn i = decode_as(INSN_MODE_64, false, "66 e8 01 02 03 04");

	CHECK_EQ(i.length, 6);
	CHECK_EQ(i.opsize, 8);
	i = decode_as(INSN_MODE_64, true, "66 e8 01 02 03 04");
	CHECK_EQ(i.length, 4);
	CHECK_EQ(i.opsize, 2);
	CHECK_EQ(decode_as(INSN_MODE_64, true, "66 48 e8 01 02 03 04").opsize, 8);
	CHECK_EQ(decode_as(INSN_MODE_64, true, "66 eb 00").opsize, 2);
	CHECK_EQ(decode_as(INSN_MODE_32, false, "66 e8 01 02").opsize, 2);
}

TEST("AMD has no far pointers with 64-bit offsets")
{
	CHECK_EQ(decode_as(INSN_MODE_64, true, "48 ff 28").operand[0].size, 6);
	CHECK_EQ(decode_as(INSN_MODE_64, false, "48 0f b2 00").operand[1].size, 10);
	CHECK_EQ(decode_as(INSN_MODE_64, true, "48 0f b2 00").operand[1].size, 6);
}

TEST("LOCK is for a memory destination of the instructions that the manual lists")
{
	CHECK(valid64("f0 01 00"));
	CHECK(valid64("f0 83 00 01"));
	CHECK(valid64("f0 87 00"));
	CHECK(valid64("f0 48 0f b1 0e"));
	CHECK(valid64("f0 0f c7 08"));
	CHECK(valid64("f0 0f ba 28 01"));
	CHECK(!valid64("f0 01 c0"));
	CHECK(!valid64("f0 03 00"));
	CHECK(!valid64("f0 39 00"));
	CHECK(!valid64("f0 83 38 01"));
	CHECK(!valid64("f0 89 00"));
	CHECK(!valid64("f0 0f ba 20 01"));
	CHECK(!valid64("f0 90"));
	CHECK(!valid64("f0 c5 f8 77"));
}

TEST("LOCK MOV CR0 is MOV CR8 on AMD and nothing on Intel")
{
	struct insn i = decode_as(INSN_MODE_32, true, "f0 0f 20 c0");

	CHECK_EQ(status, INSN_OK);
	CHECK_EQ(i.op, INSN_MOV_CR);
	CHECK_EQ(i.operand[1].reg, 8);
	i = decode_as(INSN_MODE_32, true, "f0 0f 22 c0");
	CHECK_EQ(i.operand[0].reg, 8);
	(void)decode_as(INSN_MODE_32, true, "f0 0f 22 d8");
	CHECK_EQ(status, INSN_INVALID);
	CHECK(!valid32("f0 0f 20 c0"));
}

TEST("there are CR0, CR2, CR3, CR4, CR8 and DR0 to DR7, whatever ModRM.mod says")
{
	CHECK(valid64("0f 20 c0"));
	CHECK(!valid64("0f 20 c8"));
	CHECK(valid64("44 0f 22 c0"));
	CHECK(!valid64("44 0f 22 c8"));
	CHECK(valid64("0f 23 f8"));
	CHECK(!valid64("44 0f 23 c0"));
	CHECK_EQ(decode64("0f 20 04").length, 3);
	CHECK_EQ(decode64("0f 20 04").operand[0].reg, GPR_RSP);
	CHECK_EQ(decode64("0f 20 c0").opsize, 8);
	CHECK_EQ(decode16("0f 20 c0").opsize, 4);
}

TEST("CS cannot be loaded by MOV, and there are six segment registers")
{
	CHECK(valid64("8e d8"));
	CHECK(!valid64("8e c8"));
	CHECK(!valid64("8e f0"));
	CHECK(valid64("8c c8"));
	CHECK(!valid64("8c f8"));
	CHECK_EQ(decode64("48 8c d8").operand[0].size, 8);
	CHECK_EQ(decode64("48 8c 18").operand[0].size, 2);
}

TEST("instructions of the 8086 that 64-bit mode has dropped")
{
	static const char *const dropped[] = { "06", "07", "0e", "16", "17", "1e", "1f", "27", "2f", "37",
					       "3f", "60", "61", "82 c0 00", "9a 00 00 00 00 00 00", "ce",
					       "d4 0a", "d5 0a", "d6", "ea 00 00 00 00 00 00" };

	for (size_t n = 0; n < sizeof(dropped) / sizeof(dropped[0]); n++) {
		CHECK(valid32(dropped[n]));
		CHECK(!valid64(dropped[n]));
	}
	CHECK_EQ(decode32("40").op, INSN_INC);
	CHECK_EQ(decode64("63 c0").op, INSN_MOVSXD);
	CHECK_EQ(decode32("63 c0").op, INSN_ARPL);
	CHECK(!valid32("0f 01 f8"));
	CHECK(!valid32("f3 0f ae c0"));
}

TEST("C4, C5, 62 and 8F are LES, LDS, BOUND and POP outside 64-bit mode where their operand allows it")
{
	CHECK_EQ(decode32("c4 00").op, INSN_LES);
	CHECK_EQ(decode32("c5 00").op, INSN_LDS);
	CHECK_EQ(decode32("62 00").op, INSN_BOUND);
	CHECK_EQ(decode32("62 00").operand[1].size, 8);
	CHECK_EQ(decode32("c5 f9 6f c0").op, INSN_VMOVDQA);
	CHECK_EQ(decode64("c5 39 6f c0").op, INSN_VMOVDQA);
	CHECK(!valid64("62 f1 7c 48 10 00"));
	CHECK(!valid32("62 f1 7c 48 10 00"));
	CHECK_EQ(decode64("8f 00").op, INSN_POP);
	CHECK(!valid64("8f c8 00 00 00 00"));
}

TEST("VEX after 66, F2, F3, LOCK or REX is invalid")
{
	CHECK(valid64("c5 f9 6f c0"));
	CHECK(valid64("64 67 c5 f9 6f 00"));
	CHECK(!valid64("66 c5 f9 6f c0"));
	CHECK(!valid64("f2 c5 f9 6f c0"));
	CHECK(!valid64("f3 c5 f9 6f c0"));
	CHECK(!valid64("f0 c5 f9 6f c0"));
	CHECK(!valid64("40 c5 f9 6f c0"));
}

TEST("VEX.vvvv is 1111 unless it names an operand")
{
	CHECK(!valid64("c5 f1 6f c0"));
	CHECK_EQ(decode64("c5 f1 fc c2").operand[1].reg, 1);
	CHECK_EQ(decode64("c5 31 fc c2").operand[0].reg, 8);
	CHECK_EQ(decode64("c4 41 09 fc c2").operand[1].reg, 14);
	CHECK_EQ(decode64("c5 f3 10 c2").operands, 3);
	CHECK_EQ(decode64("c5 fb 10 00").operands, 2);
	CHECK(!valid64("c5 f3 10 00"));
}

TEST("VEX.L and VEX.W choose the vector size and the operation, and are refused where they are fixed")
{
	CHECK_EQ(decode64("c5 fd fc c2").vector_bytes, 32);
	CHECK_EQ(decode64("c5 fd fc c2").operand[0].size, 32);
	CHECK_EQ(decode64("c5 fe 10 00").vector_bytes, 16);
	CHECK_EQ(decode64("c4 e2 7d 18 00").operand[1].size, 4);
	CHECK(!valid64("c4 e2 fd 18 00"));
	CHECK(!valid64("c4 e2 79 19 00"));
	CHECK(!valid64("c4 e2 7c f2 c0"));
	CHECK_EQ(decode64("c4 e2 f1 98 c2").op, INSN_VFMADD132PD);
	CHECK_EQ(decode64("c4 e2 71 98 c2").op, INSN_VFMADD132PS);
	CHECK_EQ(decode32("c4 e2 f1 98 c2").op, INSN_VFMADD132PD);
	CHECK_EQ(decode64("c4 e1 f9 6e c0").op, INSN_VMOVQ);
	CHECK_EQ(decode32("c4 e1 f9 6e c0").op, INSN_VMOVD);
	CHECK_EQ(decode64("c4 e2 f0 f2 c2").opsize, 8);
	CHECK_EQ(decode32("c4 e2 f0 f2 c2").opsize, 4);
	CHECK_EQ(decode64("c5 f8 77").op, INSN_VZEROUPPER);
	CHECK_EQ(decode64("c5 fc 77").op, INSN_VZEROALL);
	CHECK(!valid64("c4 e2 7d dc c0"));
}

TEST("a gather needs an SIB byte, a vector index and three different registers")
{
	struct insn i = decode64("c4 e2 71 90 04 a3");

	CHECK_EQ(i.op, INSN_VPGATHERDD);
	CHECK_EQ(i.base, GPR_RBX);
	CHECK_EQ(i.index, 4);
	CHECK_EQ(i.operand[1].size, 4);
	CHECK_EQ(i.operand[2].reg, 1);
	CHECK(!valid64("c4 e2 71 90 03"));
	CHECK(!valid64("c4 e2 71 90 c3"));
	CHECK(!valid64("c4 e2 71 90 04 8b"));
	CHECK(!valid64("c4 e2 79 90 04 a3"));
	CHECK(!valid32("67 c4 e2 71 90 04 a3"));
}

TEST("F3 90 is PAUSE, 90 is NOP, and with REX.B it exchanges R8")
{
	CHECK_EQ(decode64("90").op, INSN_NOP);
	CHECK_EQ(decode64("48 90").op, INSN_NOP);
	CHECK_EQ(decode64("f3 90").op, INSN_PAUSE);
	CHECK_EQ(decode64("41 90").op, INSN_XCHG);
	CHECK_EQ(decode64("f3 41 90").op, INSN_XCHG);
	CHECK_EQ(decode64("f3 0f 1e fa").op, INSN_NOP);
	CHECK_EQ(decode64("0f 1f 84 00 00 00 00 00").length, 8);
}

TEST("undocumented copies of documented instructions decode as those")
{
	CHECK_EQ(decode64("c0 f0 01").op, INSN_SHL);
	CHECK_EQ(decode64("f6 c8 01").op, INSN_TEST);
	CHECK_EQ(decode64("dc d1").op, INSN_FCOM);
	CHECK_EQ(decode32("82 c0 01").op, INSN_ADD);
	CHECK(!valid64("fe d0"));
	CHECK(!valid64("ff f8"));
	CHECK(!valid64("c6 c8 00"));
	CHECK(!valid64("0f ba c0 00"));
}

TEST("ports are at most 32 bits wide, and LEA and far pointers have no register form")
{
	CHECK_EQ(decode64("48 ed").opsize, 4);
	CHECK_EQ(decode64("66 ed").opsize, 2);
	CHECK_EQ(decode64("48 6f").opsize, 4);
	CHECK(!valid64("8d c0"));
	CHECK(!valid64("ff d8"));
	CHECK(!valid64("0f b2 c0"));
	CHECK(!valid64("0f c7 c8"));
}

TEST("no operand is memory when ModRM names a register")
{
	static const char *const prefixes[] = { "", "66", "f3", "f2" };
	static const char *const maps[] = { "0f",	"0f 38",    "0f 3a",	"c4 e1 78",
					    "c4 e2 79", "c4 e3 7d", "c4 e2 fd", "d8" };

	for (unsigned p = 0; p < 4; p++)
		for (unsigned m = 0; m < 8; m++)
			for (unsigned code = 0; code < 0x10000; code++) {
				u8 bytes[32] = { 0 };
				size_t length = bytes_of(prefixes[p], bytes);
				struct insn i;

				length += bytes_of(maps[m], bytes + length);
				bytes[length] = (u8)code;
				bytes[length + 1] = 0xc0 | (u8)(code >> 8);
				if (insn_decode(bytes, sizeof(bytes), INSN_MODE_64, false, &i) == INSN_OK &&
				    i.modrm >= 0xc0)
					CHECK(!insn_has_memory_operand(&i));
			}
}

static enum feature feature_of(const char *text)
{
	struct insn i = decode64(text);

	return insn_feature(&i);
}

TEST("the wider form of an operation can need more than the operation")
{
	CHECK_EQ(feature_of("0f fc c1"), FEAT_MMX);
	CHECK_EQ(feature_of("66 0f fc c1"), FEAT_SSE2);
	CHECK_EQ(feature_of("0f da c1"), FEAT_SSE);
	CHECK_EQ(feature_of("66 0f da c1"), FEAT_SSE2);
	CHECK_EQ(feature_of("66 0f c5 c1 00"), FEAT_SSE2);
	CHECK_EQ(feature_of("66 0f 3a 15 c1 00"), FEAT_SSE4_1);
	CHECK_EQ(feature_of("f3 0f 7e c1"), FEAT_SSE2);
	CHECK_EQ(feature_of("c5 f1 fc c2"), FEAT_AVX);
	CHECK_EQ(feature_of("c5 f5 fc c2"), FEAT_AVX2);
	CHECK_EQ(feature_of("c5 fc 58 c2"), FEAT_AVX);
	CHECK_EQ(feature_of("c4 e2 7d 17 c1"), FEAT_AVX);
	CHECK_EQ(feature_of("c4 e2 7d 2a 00"), FEAT_AVX2);
	CHECK_EQ(feature_of("c4 e2 79 18 00"), FEAT_AVX);
	CHECK_EQ(feature_of("c4 e2 79 18 c0"), FEAT_AVX2);
	CHECK_EQ(feature_of("0f ae 10"), FEAT_SSE);
	CHECK_EQ(feature_of("01 c0"), FEAT_BASE);
}

TEST("operations have the manual's names in lower case")
{
	CHECK(!strcmp(insn_op_name(INSN_ADD), "add"));
	CHECK(!strcmp(insn_op_name(INSN_VAESKEYGENASSIST), "vaeskeygenassist"));
	CHECK(!strcmp(insn_op_name(INSN_FYL2XP1), "fyl2xp1"));
	CHECK(!strcmp(insn_op_name(INSN_CMPXCHG16B), "cmpxchg16b"));
}

TEST("instructions print in Intel syntax")
{
	CHECK(formats(INSN_MODE_64, "f0 48 83 44 8b f0 ff", "lock add qword ptr [rbx+rcx*4-0x10], 0xffffffffffffffff"));
	CHECK(formats(INSN_MODE_64, "65 48 8b 04 25 28 00 00 00", "mov rax, qword ptr gs:[0x28]"));
	CHECK(formats(INSN_MODE_64, "8a 25 10 00 00 00", "mov ah, byte ptr [rip+0x10]"));
	CHECK(formats(INSN_MODE_64, "74 fe", "je 0x1000"));
	CHECK(formats(INSN_MODE_64, "f3 48 ab", "rep stosq"));
	CHECK(formats(INSN_MODE_64, "f3 a6", "repe cmpsb"));
	CHECK(formats(INSN_MODE_64, "45 0f 97 c1", "seta r9b"));
	CHECK(formats(INSN_MODE_64, "48 98", "cdqe"));
	CHECK(formats(INSN_MODE_64, "48 0f ae 00", "fxsave64 [rax]"));
	CHECK(formats(INSN_MODE_64, "44 0f 20 c0", "mov rax, cr8"));
	CHECK(formats(INSN_MODE_64, "c4 e2 f5 90 04 a3", "vpgatherdq ymm0, qword ptr [rbx+xmm4*4], ymm1"));
	CHECK(formats(INSN_MODE_64, "d8 c3", "fadd st0, st3"));
	CHECK(formats(INSN_MODE_16, "ea 00 00 00 f0", "jmp far 0xf000:0x0"));
	CHECK(formats(INSN_MODE_16, "8b 46 fe", "mov ax, word ptr [bp-0x2]"));
	CHECK(formats(INSN_MODE_32, "60", "pushad"));
}

TEST("a text that does not fit is cut and its whole length returned")
{
	struct insn i = decode64("48 89 d8");
	char out[4] = "???";

	CHECK_EQ(insn_format(&i, 0, out, sizeof(out)), strlen("mov rax, rbx"));
	CHECK(!strcmp(out, "mov"));
	CHECK_EQ(insn_format(&i, 0, NULL, 0), strlen("mov rax, rbx"));
}

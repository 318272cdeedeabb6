/*
 * Integer instructions where the host cannot be the judge: 16-bit and 32-bit modes, segments and limits, privilege,
 * faults in the middle. (tests/isa/differential.c compares the rest with the host.)
 */
#include "rig.h"
#include "test.h"

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define SS(error) RIG_ERROR(VECTOR_SS, error)
#define OK RIG_NO_EVENT

#define REAL_STACK (RIG_STACK - 0x10000) /* base of SS in real mode */

static struct rig *enter(enum rig_mode mode)
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, mode);
	return r;
}

static u64 *gpr(struct rig *r)
{
	return r->cpu->gpr;
}

static bool status_is(const struct rig *r, u64 flag)
{
	return cpu_rflags(r->cpu) & flag;
}

static void set_flags(struct rig *r, u64 flags)
{
	cpu_set_rflags(r->cpu, (cpu_rflags(r->cpu) & ~RFLAGS_STATUS) | flags);
	core_mode_changed(r->c);
}

/* ---- stack ---- */

TEST("a 16-bit stack wraps at the segment's end and keeps the upper half of ESP")
{
	struct rig *r = enter(RIG_REAL);

	gpr(r)[GPR_RSP] = 0x12340000;
	gpr(r)[GPR_RAX] = 0xabcd;
	CHECK_EQ(RIG_STEP(r, 0x50), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RSP], 0x1234fffe);
	CHECK_EQ(rig_get(r, REAL_STACK + 0xfffe, 2), 0xabcd);
	CHECK_EQ(RIG_STEP(r, 0x5b), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RBX], 0xabcd);
	CHECK_EQ(gpr(r)[GPR_RSP], 0x12340000);
	rig_free(r);
}

TEST("a push that straddles the stack segment's limit is a stack fault and leaves SP")
{
	struct rig *r = enter(RIG_REAL);

	gpr(r)[GPR_RSP] = 1;
	CHECK_EQ(RIG_STEP(r, 0x50), STEP_FAULT);
	CHECK_EQ(rig_event(r), SS(0));
	CHECK_EQ(gpr(r)[GPR_RSP], 1);
	rig_free(r);
}

TEST("PUSH SP pushes the old value, POP SP takes the popped one")
{
	struct rig *r = enter(RIG_PROTECTED32);

	CHECK_EQ(RIG_STEP(r, 0x54), STEP_NEXT);
	CHECK_EQ(rig_get(r, RIG_STACK - 4, 4), RIG_STACK);
	rig_put(r, RIG_STACK - 4, 4, 0x12345678);
	CHECK_EQ(RIG_STEP(r, 0x5c), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RSP], 0x12345678);
	rig_free(r);
}

TEST("POP to memory computes its address after ESP has moved, and leaves ESP if the store faults")
{
	struct rig *r = enter(RIG_PROTECTED32);

	rig_put(r, RIG_STACK, 4, 0xcafe);
	CHECK_EQ(RIG_STEP(r, 0x8f, 0x44, 0x24, 0x08), STEP_NEXT); /* pop dword [esp + 8] */
	CHECK_EQ(rig_get(r, RIG_STACK + 12, 4), 0xcafe);
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK + 4);
	r->cpu->segment[SEG_DS].limit = 0xff;
	CHECK_EQ(RIG_STEP(r, 0x8f, 0x05, 0x00, 0x10, 0x00, 0x00), STEP_FAULT); /* pop dword [0x1000] */
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK + 4);
	rig_free(r);
}

TEST("PUSHA pushes the eight registers with the old SP; POPA loads all but SP")
{
	struct rig *r = enter(RIG_PROTECTED32);

	for (unsigned n = 0; n < 8; n++)
		if (n != GPR_RSP)
			gpr(r)[n] = 0x1000 + n;
	CHECK_EQ(RIG_STEP(r, 0x60), STEP_NEXT);
	for (unsigned n = 0; n < 8; n++)
		CHECK_EQ(rig_get(r, RIG_STACK - 4 * (n + 1), 4), n == GPR_RSP ? RIG_STACK : 0x1000 + n);
	for (unsigned n = 0; n < 8; n++)
		if (n != GPR_RSP)
			gpr(r)[n] = 0;
	rig_put(r, RIG_STACK - 20, 4, 0xdead);
	CHECK_EQ(RIG_STEP(r, 0x61), STEP_NEXT);
	for (unsigned n = 0; n < 8; n++)
		CHECK_EQ(gpr(r)[n], n == GPR_RSP ? RIG_STACK : 0x1000 + n);
	rig_free(r);
}

TEST("PUSHA that does not fit leaves SP")
{
	struct rig *r = enter(RIG_PROTECTED32);

	r->cpu->segment[SEG_SS].limit = RIG_STACK + 0xfff;
	gpr(r)[GPR_RSP] = 12;
	gpr(r)[GPR_RAX] = 0x77;
	CHECK_EQ(RIG_STEP(r, 0x60), STEP_FAULT);
	CHECK_EQ(rig_event(r), SS(0));
	CHECK_EQ(rig_get(r, 8, 4), 0x77);
	CHECK_EQ(gpr(r)[GPR_RSP], 12);
	rig_free(r);
}

TEST("ENTER with levels copies the outer frames' pointers, LEAVE takes the frame away")
{
	struct rig *r = enter(RIG_PROTECTED32);
	u64 frame = RIG_STACK - 4;

	gpr(r)[GPR_RBP] = RIG_DATA;
	rig_put(r, RIG_DATA - 4, 4, 0x1111);
	rig_put(r, RIG_DATA - 8, 4, 0x2222);
	CHECK_EQ(RIG_STEP(r, 0xc8, 0x10, 0x00, 0x03), STEP_NEXT);
	CHECK_EQ(rig_get(r, RIG_STACK - 4, 4), RIG_DATA);
	CHECK_EQ(rig_get(r, RIG_STACK - 8, 4), 0x1111);
	CHECK_EQ(rig_get(r, RIG_STACK - 12, 4), 0x2222);
	CHECK_EQ(rig_get(r, RIG_STACK - 16, 4), frame);
	CHECK_EQ(gpr(r)[GPR_RBP], frame);
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK - 16 - 0x10);
	CHECK_EQ(RIG_STEP(r, 0xc9), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RBP], RIG_DATA);
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK);
	rig_free(r);
}

TEST("ENTER whose frame lies below the stack's limit changes no register")
{
	struct rig *r = enter(RIG_PROTECTED32);

	gpr(r)[GPR_RSP] = 0x100;
	gpr(r)[GPR_RBP] = 0x5555;
	r->cpu->segment[SEG_SS].limit = 0xffff;
	CHECK_EQ(RIG_STEP(r, 0xc8, 0x00, 0x10, 0x00), STEP_FAULT);
	CHECK_EQ(rig_event(r), SS(0));
	CHECK_EQ(gpr(r)[GPR_RSP], 0x100);
	CHECK_EQ(gpr(r)[GPR_RBP], 0x5555);
	rig_free(r);
}

/* ---- flags on the stack ---- */

static u32 popf(struct rig *r, u16 flags)
{
	rig_put(r, r->cpu->segment[SEG_SS].base + (u32)gpr(r)[GPR_RSP], 4, flags);
	(void)RIG_STEP(r, 0x9d);
	return rig_event(r);
}

TEST("POPF changes IOPL only at CPL 0 and IF only within IOPL, silently")
{
	static const struct { u8 mode; u64 iopl; u64 want; } cases[] = {
		{ RIG_PROTECTED32, 0, RFLAGS_IF | RFLAGS_IOPL },
		{ RIG_PROTECTED32_USER, 0, 0 },
		{ RIG_PROTECTED32_USER, RFLAGS_IOPL, RFLAGS_IF | RFLAGS_IOPL },
		{ RIG_LONG, 0, RFLAGS_IF | RFLAGS_IOPL },
		{ RIG_LONG_USER, 0, 0 },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		struct rig *r = enter(cases[n].mode);

		r->cpu->rflags |= cases[n].iopl;
		CHECK_EQ(popf(r, RFLAGS_IF | RFLAGS_IOPL | RFLAGS_CF), OK);
		CHECK_EQ(cpu_rflags(r->cpu) & (RFLAGS_IF | RFLAGS_IOPL), cases[n].want);
		CHECK(status_is(r, RFLAGS_CF));
		rig_free(r);
	}
}

TEST("POPF that changes IF, TF or AC stops the block; other flags go on")
{
	struct rig *r = enter(RIG_PROTECTED32);

	rig_put(r, RIG_STACK, 4, RFLAGS_ZF | RFLAGS_DF);
	CHECK_EQ(RIG_STEP(r, 0x9d), STEP_NEXT);
	rig_put(r, RIG_STACK + 4, 4, RFLAGS_IF);
	CHECK_EQ(RIG_STEP(r, 0x9d), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, RIG_CODE + 2);
	rig_free(r);
}

TEST("virtual-8086 mode below IOPL 3 faults on PUSHF and POPF, and with IOPL 3 runs them")
{
	struct rig *r = enter(RIG_V86);

	CHECK_EQ(RIG_STEP(r, 0x9c), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(popf(r, 0), GP(0));
	r->cpu->rflags |= RFLAGS_IOPL;
	CHECK_EQ(RIG_STEP(r, 0x9c), STEP_NEXT);
	CHECK_EQ(popf(r, RFLAGS_IF), OK);
	CHECK(r->cpu->rflags & RFLAGS_IF);
	CHECK_EQ(r->cpu->rflags & RFLAGS_IOPL, RFLAGS_IOPL);
	rig_free(r);
}

TEST("with CR4.VME a 16-bit PUSHF and POPF use VIF for IF; 32-bit ones fault")
{
	struct rig *r = enter(RIG_V86);
	u64 sp = gpr(r)[GPR_RSP];

	r->cpu->cr4 |= CR4_VME;
	r->cpu->rflags |= RFLAGS_VIF;
	CHECK_EQ(RIG_STEP(r, 0x9c), STEP_NEXT);
	CHECK_EQ(rig_get(r, REAL_STACK + sp - 2, 2), RFLAGS_IF | RFLAGS_IOPL | RFLAGS_FIXED);
	CHECK_EQ(popf(r, RFLAGS_CF), OK);
	CHECK(!(r->cpu->rflags & RFLAGS_VIF));
	CHECK_EQ(popf(r, RFLAGS_IF), OK);
	CHECK(r->cpu->rflags & RFLAGS_VIF);
	CHECK(!(r->cpu->rflags & RFLAGS_IF));
	CHECK_EQ(RIG_STEP(r, 0x66, 0x9d), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	rig_free(r);
}

TEST("with CR4.VME POPF of TF, or of IF while VIP is set, faults and leaves SP")
{
	struct rig *r = enter(RIG_V86);
	u64 sp = gpr(r)[GPR_RSP];

	r->cpu->cr4 |= CR4_VME;
	CHECK_EQ(popf(r, RFLAGS_TF), GP(0));
	CHECK_EQ(gpr(r)[GPR_RSP], sp);
	r->cpu->rflags |= RFLAGS_VIP;
	CHECK_EQ(popf(r, RFLAGS_IF), GP(0));
	CHECK_EQ(gpr(r)[GPR_RSP], sp);
	CHECK_EQ(popf(r, 0), OK);
	rig_free(r);
}

/* ---- branches ---- */

TEST("a near branch beyond CS.limit faults at the branch; a 16-bit operand truncates the target")
{
	struct rig *r = enter(RIG_PROTECTED32);

	r->cpu->segment[SEG_CS].limit = RIG_CODE + 0xff;
	CHECK_EQ(RIG_STEP(r, 0xe9, 0x00, 0x10, 0x00, 0x00), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(r->cpu->rip, RIG_CODE);
	CHECK_EQ(RIG_STEP(r, 0xeb, 0x10), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, RIG_CODE + 0x12);
	CHECK_EQ(RIG_STEP(r, 0x66, 0xeb, 0x10), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, (RIG_CODE + 0x12 + 3 + 0x10) & 0xffff);
	rig_free(r);
}

TEST("a backward jump in a 16-bit segment wraps IP at 64 KiB")
{
	struct rig *r = enter(RIG_REAL);

	CHECK_EQ(RIG_STEP(r, 0xeb, 0xf0), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, 0xfff2);
	rig_free(r);
}

TEST("CALL to a target beyond the limit pushes nothing; RET to one leaves SP")
{
	struct rig *r = enter(RIG_PROTECTED32);

	r->cpu->segment[SEG_CS].limit = RIG_CODE + 0xff;
	CHECK_EQ(RIG_STEP(r, 0xe8, 0x00, 0x10, 0x00, 0x00), STEP_FAULT);
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK);
	CHECK_EQ(rig_get(r, RIG_STACK - 4, 4), 0);
	rig_put(r, RIG_STACK, 4, 0x12345678);
	CHECK_EQ(RIG_STEP(r, 0xc3), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK);
	rig_free(r);
}

TEST("CALL pushes the next instruction's address, RET n releases n more bytes")
{
	struct rig *r = enter(RIG_REAL);
	u64 sp = gpr(r)[GPR_RSP];

	CHECK_EQ(RIG_STEP(r, 0xe8, 0x00, 0x01), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, 0x103);
	CHECK_EQ(rig_get(r, REAL_STACK + sp - 2, 2), 3);
	CHECK_EQ(RIG_STEP(r, 0xc2, 0x06, 0x00), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, 3);
	CHECK_EQ(gpr(r)[GPR_RSP], sp + 6);
	rig_free(r);
}

TEST("a 64-bit branch to a non-canonical address is #GP(0), with nothing pushed or popped")
{
	struct rig *r = enter(RIG_LONG);

	gpr(r)[GPR_RAX] = 0x0000800000000000;
	CHECK_EQ(RIG_STEP(r, 0xff, 0xe0), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(RIG_STEP(r, 0xff, 0xd0), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK);
	rig_put(r, RIG_STACK, 8, 0x8000000000000000);
	CHECK_EQ(RIG_STEP(r, 0xc3), STEP_FAULT);
	CHECK_EQ(gpr(r)[GPR_RSP], RIG_STACK);
	gpr(r)[GPR_RAX] = 0xffff800000000000;
	CHECK_EQ(RIG_STEP(r, 0xff, 0xe0), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, 0xffff800000000000);
	rig_free(r);
}

TEST("JCXZ and LOOP use CX, ECX or RCX by the address size")
{
	struct rig *r = enter(RIG_PROTECTED32);

	gpr(r)[GPR_RCX] = 0x10000;
	CHECK_EQ(RIG_STEP(r, 0xe3, 0x10), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, RIG_CODE + 2);
	CHECK_EQ(RIG_STEP(r, 0x67, 0xe3, 0x10), STEP_NEXT);
	CHECK_EQ(r->cpu->rip, RIG_CODE + 2 + 3 + 0x10);
	CHECK_EQ(RIG_STEP(r, 0x67, 0xe2, 0x10), STEP_NEXT); /* CX 0 becomes ffff */
	CHECK_EQ(gpr(r)[GPR_RCX], 0x1ffff);
	rig_free(r);
}

TEST("LOOP whose target faults leaves the counter")
{
	struct rig *r = enter(RIG_PROTECTED32);

	gpr(r)[GPR_RCX] = 5;
	r->cpu->segment[SEG_CS].limit = RIG_CODE + 4;
	CHECK_EQ(RIG_STEP(r, 0xe2, 0x10), STEP_FAULT);
	CHECK_EQ(gpr(r)[GPR_RCX], 5);
	rig_free(r);
}

/* ---- arithmetic ---- */

struct decimal_case {
	u8 opcode, operand; /* operand of AAM and AAD */
	u16 ax;
	u64 flags;
	u16 want;
	u64 want_flags; /* of CF and AF */
};

TEST("decimal adjustments give the manual's results")
{
	static const struct decimal_case cases[] = {
		{ 0x27, 0, 0x00ae, 0, 0x0014, RFLAGS_CF | RFLAGS_AF }, /* DAA after 79 + 35 */
		{ 0x27, 0, 0x002e, 0, 0x0034, RFLAGS_AF },
		{ 0x27, 0, 0x0012, RFLAGS_CF, 0x0072, RFLAGS_CF },
		{ 0x2f, 0, 0x00ee, RFLAGS_CF | RFLAGS_AF, 0x0088, RFLAGS_CF | RFLAGS_AF }, /* DAS after 35 - 47 */
		{ 0x2f, 0, 0x0003, RFLAGS_AF, 0x00fd, RFLAGS_CF | RFLAGS_AF },
		{ 0x37, 0, 0x010b, 0, 0x0201, RFLAGS_CF | RFLAGS_AF }, /* AAA */
		{ 0x37, 0, 0x0125, 0, 0x0105, 0 },
		{ 0x3f, 0, 0x02fb, 0, 0x0105, RFLAGS_CF | RFLAGS_AF }, /* AAS */
		{ 0xd4, 10, 0x003f, 0, 0x0603, 0 },                    /* AAM */
		{ 0xd4, 16, 0x00ab, 0, 0x0a0b, 0 },
		{ 0xd5, 10, 0x0603, 0, 0x003f, 0 },                    /* AAD */
	};
	struct rig *r = enter(RIG_PROTECTED32);

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		const struct decimal_case *d = &cases[n];

		gpr(r)[GPR_RAX] = d->ax;
		set_flags(r, d->flags);
		CHECK_EQ(RIG_STEP(r, d->opcode, d->operand), STEP_NEXT);
		CHECK_EQ(gpr(r)[GPR_RAX], d->want);
		CHECK_EQ(cpu_rflags(r->cpu) & (RFLAGS_CF | RFLAGS_AF), d->want_flags);
		CHECK_EQ(status_is(r, RFLAGS_ZF), !(d->want & 0xff));
	}
	rig_free(r);
}

TEST("AAM by zero, division by zero and quotients that do not fit are #DE and change nothing")
{
	struct rig *r = enter(RIG_PROTECTED32);

	gpr(r)[GPR_RAX] = 0x1234;
	CHECK_EQ(RIG_STEP(r, 0xd4, 0x00), STEP_FAULT);
	CHECK_EQ(rig_event(r), VECTOR_DE);
	CHECK_EQ(RIG_STEP(r, 0xf7, 0xf3), STEP_FAULT); /* div ebx */
	CHECK_EQ(rig_event(r), VECTOR_DE);
	gpr(r)[GPR_RBX] = 1;
	gpr(r)[GPR_RDX] = 1;
	CHECK_EQ(RIG_STEP(r, 0xf7, 0xf3), STEP_FAULT);
	gpr(r)[GPR_RAX] = 0x80000000;
	gpr(r)[GPR_RDX] = gpr(r)[GPR_RBX] = 0xffffffff;
	CHECK_EQ(RIG_STEP(r, 0xf7, 0xfb), STEP_FAULT); /* idiv ebx: -2^31 / -1 */
	CHECK_EQ(rig_event(r), VECTOR_DE);
	CHECK_EQ(gpr(r)[GPR_RAX], 0x80000000);
	CHECK_EQ(gpr(r)[GPR_RDX], 0xffffffff);
	rig_free(r);
}

TEST("CMPXCHG16B of a misaligned operand is #GP(0)")
{
	struct rig *r = enter(RIG_LONG);

	gpr(r)[GPR_RSI] = RIG_DATA + 8;
	gpr(r)[GPR_RBX] = 1;
	CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0xc7, 0x0e), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	gpr(r)[GPR_RSI] = RIG_DATA;
	gpr(r)[GPR_RDX] = 0;
	CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0xc7, 0x0e), STEP_NEXT);
	CHECK(status_is(r, RFLAGS_ZF));
	CHECK_EQ(rig_get(r, RIG_DATA, 8), 1);
	rig_free(r);
}

/* ---- moves ---- */

TEST("CMOV reads its memory operand even when the condition is false")
{
	struct rig *r = enter(RIG_PROTECTED32);

	set_flags(r, 0);
	r->cpu->segment[SEG_DS].limit = 0xff;
	gpr(r)[GPR_RSI] = 0x1000;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x44, 0x06), STEP_FAULT); /* cmovz eax, [esi] */
	CHECK_EQ(rig_event(r), GP(0));
	rig_free(r);
}

TEST("XLAT reads with the segment of its override and the address size's table register")
{
	struct rig *r = enter(RIG_REAL);

	r->cpu->segment[SEG_ES].base = RIG_DATA + 0x1000;
	rig_put(r, RIG_DATA + 0x21, 1, 0x11);
	rig_put(r, RIG_DATA + 0x1021, 1, 0x22);
	gpr(r)[GPR_RBX] = 0xffff0020;
	gpr(r)[GPR_RAX] = 0x1;
	CHECK_EQ(RIG_STEP(r, 0xd7), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX], 0x11);
	gpr(r)[GPR_RAX] = 0x1;
	CHECK_EQ(RIG_STEP(r, 0x26, 0xd7), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX], 0x22);
	rig_free(r);
}

TEST("LAHF and SAHF need their feature in 64-bit mode only")
{
	struct rig *r = enter(RIG_LONG);

	feature_set(&r->c->features, FEAT_LAHF_LM, false);
	CHECK_EQ(RIG_STEP(r, 0x9f), STEP_FAULT);
	CHECK_EQ(rig_event(r), VECTOR_UD);
	rig_enter(r, RIG_PROTECTED32);
	set_flags(r, RFLAGS_CF | RFLAGS_SF);
	CHECK_EQ(RIG_STEP(r, 0x9f), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX] >> 8 & 0xff, RFLAGS_CF | RFLAGS_SF | RFLAGS_FIXED);
	rig_free(r);
}

TEST("TZCNT and LZCNT are BSF and BSR where they are not known")
{
	struct rig *r = enter(RIG_LONG);

	gpr(r)[GPR_RBX] = 0x10;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x0f, 0xbd, 0xc3), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX], 27);
	feature_set(&r->c->features, FEAT_LZCNT, false);
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x0f, 0xbd, 0xc3), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX], 4);
	gpr(r)[GPR_RBX] = 0;
	gpr(r)[GPR_RAX] = 0x99;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x0f, 0xbc, 0xc3), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX], 32);
	feature_set(&r->c->features, FEAT_BMI1, false);
	gpr(r)[GPR_RAX] = 0x99;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x0f, 0xbc, 0xc3), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RAX], 0x99);
	rig_free(r);
}

TEST("an address of 16 bits wraps within its segment")
{
	struct rig *r = enter(RIG_REAL);

	rig_put(r, RIG_DATA + 0x10, 2, 0xbeef);
	gpr(r)[GPR_RBX] = 0xfff0;
	gpr(r)[GPR_RSI] = 0x20;
	CHECK_EQ(RIG_STEP(r, 0x8b, 0x00), STEP_NEXT); /* mov ax, [bx + si] */
	CHECK_EQ(gpr(r)[GPR_RAX], 0xbeef);
	CHECK_EQ(RIG_STEP(r, 0x8d, 0x38), STEP_NEXT); /* lea di, [bx + si] */
	CHECK_EQ(gpr(r)[GPR_RDI], 0x10);
	rig_free(r);
}

TEST("a bit string's offset is signed and reaches before its base")
{
	struct rig *r = enter(RIG_PROTECTED32);

	gpr(r)[GPR_RSI] = RIG_DATA;
	gpr(r)[GPR_RAX] = (u32)-33;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0xab, 0x06), STEP_NEXT); /* bts [esi], eax */
	CHECK(!status_is(r, RFLAGS_CF));
	CHECK_EQ(rig_get(r, RIG_DATA - 8, 4), 1u << 31);
	CHECK_EQ(RIG_STEP(r, 0xf0, 0x0f, 0xb3, 0x06), STEP_NEXT); /* lock btr [esi], eax */
	CHECK(status_is(r, RFLAGS_CF));
	CHECK_EQ(rig_get(r, RIG_DATA - 8, 4), 0);
	rig_free(r);
}

TEST("trailing-bit manipulation fills, isolates and masks as its names say")
{
	static const struct { u8 opcode, digit; u32 want; } cases[] = {
		{ 0x01, 1, 0xb0 },       /* BLCFILL: trailing ones cleared */
		{ 0x01, 2, 0xb7 },       /* BLSFILL: trailing zeros set */
		{ 0x01, 3, 0xbf },       /* BLCS: the lowest zero set */
		{ 0x01, 4, 0 },          /* TZMSK: ones where zeros trail */
		{ 0x01, 5, 0x08 },       /* BLCIC: the lowest zero alone */
		{ 0x01, 6, 0xfffffffe }, /* BLSIC: all but the lowest one */
		{ 0x01, 7, 0xfffffff8 }, /* T1MSKC: zeros where ones trail */
		{ 0x02, 1, 0x0f },       /* BLCMSK: up to the lowest zero */
		{ 0x02, 6, 0xfffffff7 }, /* BLCI: all but the lowest zero */
	};
	struct rig *r = enter(RIG_LONG);

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		gpr(r)[GPR_RBX] = 0xb7;
		CHECK_EQ(RIG_STEP(r, 0x8f, 0xe9, 0x78, cases[n].opcode, (u8)(0xc3 | cases[n].digit << 3)), STEP_NEXT);
		CHECK_EQ(gpr(r)[GPR_RAX], cases[n].want);
		CHECK_EQ(status_is(r, RFLAGS_ZF), !cases[n].want);
		CHECK(!status_is(r, RFLAGS_CF));
	}
	CHECK_EQ(RIG_STEP(r, 0x8f, 0xea, 0x78, 0x10, 0xc3, 0x04, 0x03, 0x00, 0x00), STEP_NEXT); /* bextr: 3 bits from 4 */
	CHECK_EQ(gpr(r)[GPR_RAX], 3);
	rig_free(r);
}

/*
 * String instructions: repetition, direction, overlap, segments, faults and interruptions in the middle, ports.
 */
#include "cpu/io.h"
#include "rig.h"
#include "test.h"

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define OK RIG_NO_EVENT

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

static void fill(struct rig *r, unsigned address, unsigned bytes)
{
	for (unsigned n = 0; n < bytes; n++)
		r->ram[address + n] = (u8)(n * 7 + 1);
}

/* Runs the instruction until it is through, as the run loop does after an interruption. Returns how often it paused. */
static unsigned run(struct rig *r, const u8 *bytes, unsigned count)
{
	unsigned pauses = 0;

	while (rig_step(r, bytes, count) == STEP_RETRY) {
		r->cpu->rflags &= ~RFLAGS_RF;
		pauses++;
	}
	return pauses;
}

#define RUN(r, ...) run((r), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

TEST("REP MOVS copies within a page and across pages, in every size and both directions")
{
	static const struct { u8 prefix, opcode; unsigned size; } forms[] = {
		{ 0x90, 0xa4, 1 }, { 0x66, 0xa5, 2 }, { 0x90, 0xa5, 4 }, { 0x48, 0xa5, 8 },
	};

	for (unsigned n = 0; n < 2 * ARRAY_LENGTH(forms); n++) {
		struct rig *r = enter(RIG_LONG);
		unsigned size = forms[n / 2].size, count = 3001, bytes = size * count;
		bool down = n & 1;
		u8 prefix = forms[n / 2].prefix;
		u8 code[] = { 0xf3, prefix, forms[n / 2].opcode };
		u8 plain[] = { 0xf3, forms[n / 2].opcode };

		fill(r, RIG_DATA + 3, bytes);
		gpr(r)[GPR_RSI] = RIG_DATA + 3 + (down ? bytes - size : 0);
		gpr(r)[GPR_RDI] = RIG_DATA + 0x10005 + (down ? bytes - size : 0);
		gpr(r)[GPR_RCX] = count;
		r->cpu->rflags |= down ? RFLAGS_DF : 0;
		if (prefix == 0x66) {
			code[0] = 0x66;
			code[1] = 0xf3;
		}
		if (prefix == 0x90)
			run(r, plain, sizeof(plain));
		else
			run(r, code, sizeof(code));
		CHECK(!memcmp(r->ram + RIG_DATA + 3, r->ram + RIG_DATA + 0x10005, bytes));
		CHECK_EQ(gpr(r)[GPR_RCX], 0);
		CHECK_EQ(gpr(r)[GPR_RSI], RIG_DATA + 3 + (down ? -(u64)size : bytes));
		CHECK_EQ(r->ram[RIG_DATA + 0x10005 + bytes], 0);
		rig_free(r);
	}
}

TEST("REP MOVS onto itself a little further on repeats the pattern between")
{
	struct rig *r = enter(RIG_LONG);

	r->ram[RIG_DATA] = 1;
	r->ram[RIG_DATA + 1] = 2;
	r->ram[RIG_DATA + 2] = 3;
	gpr(r)[GPR_RSI] = RIG_DATA;
	gpr(r)[GPR_RDI] = RIG_DATA + 3;
	gpr(r)[GPR_RCX] = 300;
	RUN(r, 0xf3, 0xa4);
	for (unsigned n = 0; n < 303; n++)
		CHECK_EQ(r->ram[RIG_DATA + n], n % 3 + 1);
	rig_free(r);
}

TEST("REP STOS fills with AL, AX, EAX or RAX")
{
	struct rig *r = enter(RIG_LONG);

	gpr(r)[GPR_RAX] = 0x1122334455667788;
	gpr(r)[GPR_RDI] = RIG_DATA + 1;
	gpr(r)[GPR_RCX] = 1000;
	RUN(r, 0xf3, 0x48, 0xab);
	CHECK_EQ(rig_get(r, RIG_DATA + 1, 8), 0x1122334455667788);
	CHECK_EQ(rig_get(r, RIG_DATA + 1 + 999 * 8, 8), 0x1122334455667788);
	CHECK_EQ(rig_get(r, RIG_DATA + 1 + 1000 * 8, 1), 0);
	gpr(r)[GPR_RCX] = 1000;
	RUN(r, 0xf3, 0xaa);
	CHECK_EQ(rig_get(r, RIG_DATA + 1 + 8000 + 992, 8), 0x8888888888888888);
	CHECK_EQ(gpr(r)[GPR_RDI], RIG_DATA + 1 + 9000);
	rig_free(r);
}

TEST("REP with a count of zero does nothing; the count is CX with 16-bit addresses")
{
	struct rig *r = enter(RIG_REAL);

	gpr(r)[GPR_RCX] = 0x10000;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xaa), STEP_NEXT);
	CHECK_EQ(gpr(r)[GPR_RDI], 0);
	CHECK_EQ(gpr(r)[GPR_RCX], 0x10000);
	rig_free(r);
}

TEST("16-bit index registers wrap and keep their upper halves")
{
	struct rig *r = enter(RIG_REAL);

	gpr(r)[GPR_RDI] = 0x7777fffe;
	gpr(r)[GPR_RAX] = 0x5a;
	gpr(r)[GPR_RCX] = 4;
	RUN(r, 0xf3, 0xaa);
	CHECK_EQ(gpr(r)[GPR_RDI], 0x77770002);
	CHECK_EQ(rig_get(r, RIG_DATA + 0xfffe, 2), 0x5a5a);
	CHECK_EQ(rig_get(r, RIG_DATA, 4), 0x5a5a);
	rig_free(r);
}

TEST("a repetition that runs into the limit stops there, with the registers at the element that faults")
{
	struct rig *r = enter(RIG_PROTECTED32);

	r->cpu->segment[SEG_ES].limit = RIG_DATA + 0x1809;
	fill(r, RIG_STACK, 64);
	gpr(r)[GPR_RSI] = RIG_STACK;
	gpr(r)[GPR_RDI] = RIG_DATA + 0x1800;
	gpr(r)[GPR_RCX] = 16;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xa5), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(gpr(r)[GPR_RCX], 14);
	CHECK_EQ(gpr(r)[GPR_RSI], RIG_STACK + 8);
	CHECK_EQ(gpr(r)[GPR_RDI], RIG_DATA + 0x1808);
	CHECK_EQ(rig_get(r, RIG_DATA + 0x1808, 4), 0);
	rig_free(r);
}

TEST("a write to a read-only segment faults at the first element")
{
	struct rig *r = enter(RIG_PROTECTED32);

	rig_load(r, SEG_ES, SEL_READONLY);
	gpr(r)[GPR_RDI] = RIG_DATA;
	gpr(r)[GPR_RCX] = 100;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xaa), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(gpr(r)[GPR_RCX], 100);
	rig_free(r);
}

TEST("an override replaces the source's segment, never the destination's")
{
	struct rig *r = enter(RIG_REAL);

	r->cpu->segment[SEG_FS].base = RIG_DATA + 0x1000;
	r->cpu->segment[SEG_ES].base = RIG_DATA + 0x2000;
	rig_put(r, RIG_DATA + 0x1000, 1, 0x77);
	CHECK_EQ(RIG_STEP(r, 0x64, 0xa4), STEP_NEXT);
	CHECK_EQ(rig_get(r, RIG_DATA + 0x2000, 1), 0x77);
	rig_free(r);
}

TEST("REPE CMPS ends after the first difference, REPNE SCAS after the first match, with the flags of that element")
{
	struct rig *r = enter(RIG_LONG);
	unsigned at[] = { 0, 1, 5, 4095, 4096, 5000 };

	for (unsigned n = 0; n < ARRAY_LENGTH(at); n++) {
		memset(r->ram + RIG_DATA, 0, 0x4000);
		r->ram[RIG_DATA + 0x2000 + at[n]] = 9;
		gpr(r)[GPR_RSI] = RIG_DATA;
		gpr(r)[GPR_RDI] = RIG_DATA + 0x2000;
		gpr(r)[GPR_RCX] = 6000;
		RUN(r, 0xf3, 0xa6);
		CHECK_EQ(gpr(r)[GPR_RCX], 6000 - at[n] - 1);
		CHECK_EQ(gpr(r)[GPR_RSI], RIG_DATA + at[n] + 1);
		CHECK_EQ(cpu_rflags(r->cpu) & (RFLAGS_ZF | RFLAGS_CF), RFLAGS_CF);
		gpr(r)[GPR_RAX] = 9;
		gpr(r)[GPR_RDI] = RIG_DATA + 0x2000;
		gpr(r)[GPR_RCX] = 6000;
		RUN(r, 0xf2, 0xae);
		CHECK_EQ(gpr(r)[GPR_RCX], 6000 - at[n] - 1);
		CHECK_EQ(cpu_rflags(r->cpu) & (RFLAGS_ZF | RFLAGS_CF), RFLAGS_ZF);
	}
	rig_free(r);
}

TEST("REPNE SCAS without a match uses up the count and has the last element's flags")
{
	struct rig *r = enter(RIG_LONG);

	gpr(r)[GPR_RAX] = 9;
	gpr(r)[GPR_RDI] = RIG_DATA;
	gpr(r)[GPR_RCX] = 5000;
	r->ram[RIG_DATA + 4999] = 10;
	RUN(r, 0xf2, 0xae);
	CHECK_EQ(gpr(r)[GPR_RCX], 0);
	CHECK_EQ(cpu_rflags(r->cpu) & (RFLAGS_ZF | RFLAGS_CF), RFLAGS_CF);
	rig_free(r);
}

TEST("REP LODS ends by the count alone and changes no flag")
{
	struct rig *r = enter(RIG_LONG);
	u64 flags = cpu_rflags(r->cpu);

	fill(r, RIG_DATA, 16);
	gpr(r)[GPR_RSI] = RIG_DATA;
	gpr(r)[GPR_RCX] = 5;
	RUN(r, 0xf3, 0xac);
	CHECK_EQ(gpr(r)[GPR_RAX], 4 * 7 + 1);
	CHECK_EQ(gpr(r)[GPR_RCX], 0);
	CHECK_EQ(cpu_rflags(r->cpu), flags);
	rig_free(r);
}

/* ---- interruptions ---- */

TEST("a repetition stops for attention between elements and goes on where it was")
{
	struct rig *r = enter(RIG_LONG);

	fill(r, RIG_DATA, 0x4000);
	gpr(r)[GPR_RSI] = RIG_DATA;
	gpr(r)[GPR_RDI] = RIG_DATA + 0x8000;
	gpr(r)[GPR_RCX] = 0x4000;
	core_attention(r->c);
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xa4), STEP_RETRY);
	CHECK(gpr(r)[GPR_RCX] > 0 && gpr(r)[GPR_RCX] < 0x4000);
	CHECK_EQ(r->cpu->rip, RIG_CODE);
	CHECK(r->cpu->rflags & RFLAGS_RF);
	CHECK(RUN(r, 0xf3, 0xa4) > 0);
	CHECK(!memcmp(r->ram + RIG_DATA, r->ram + RIG_DATA + 0x8000, 0x4000));
	rig_free(r);
}

TEST("with the trap flag a repetition stops after each element, with a single-step trap pending")
{
	struct rig *r = enter(RIG_LONG);

	r->cpu->rflags |= RFLAGS_TF;
	gpr(r)[GPR_RDI] = RIG_DATA;
	gpr(r)[GPR_RCX] = 3;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xaa), STEP_RETRY);
	CHECK_EQ(r->cpu->pending_debug, DR6_BS);
	CHECK_EQ(gpr(r)[GPR_RCX], 2);
	r->cpu->pending_debug = 0;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xaa), STEP_RETRY);
	r->cpu->pending_debug = 0;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0xaa), STEP_NEXT); /* the run loop adds the last trap */
	CHECK_EQ(gpr(r)[GPR_RCX], 0);
	rig_free(r);
}

/* ---- ports ---- */

static u32 last_port, last_value, reads;

static u32 port_read(void *machine, unsigned processor, u16 port, unsigned size)
{
	(void)machine, (void)processor, (void)size;
	last_port = port;
	return 0x44332211 + reads++;
}

static void port_write(void *machine, unsigned processor, u16 port, unsigned size, u32 value)
{
	(void)machine, (void)processor, (void)size;
	last_port = port;
	last_value = value;
}

static struct rig *enter_with_ports(enum rig_mode mode)
{
	static struct core_environment environment;
	struct rig *r = enter(mode);

	environment = *r->c->environment;
	environment.port_read = port_read;
	environment.port_write = port_write;
	r->c->environment = &environment;
	reads = 0;
	gpr(r)[GPR_RDX] = 0x1f0;
	return r;
}

TEST("INS stores what the port gives and OUTS writes what memory holds, one element after another")
{
	struct rig *r = enter_with_ports(RIG_LONG);

	gpr(r)[GPR_RDI] = gpr(r)[GPR_RSI] = RIG_DATA;
	gpr(r)[GPR_RCX] = 3;
	CHECK_EQ(RUN(r, 0xf3, 0x6d), 2);
	CHECK_EQ(reads, 3);
	CHECK_EQ(rig_get(r, RIG_DATA + 8, 4), 0x44332213);
	CHECK_EQ(last_port, 0x1f0);
	CHECK_EQ(RIG_STEP(r, 0x66, 0x6f), STEP_BREAK);
	CHECK_EQ(last_value, 0x2211);
	CHECK_EQ(gpr(r)[GPR_RSI], RIG_DATA + 2);
	rig_free(r);
}

TEST("INS whose destination faults does not read the port")
{
	struct rig *r = enter_with_ports(RIG_PROTECTED32);

	r->cpu->segment[SEG_ES].limit = 0xff;
	gpr(r)[GPR_RDI] = 0x1000;
	CHECK_EQ(RIG_STEP(r, 0x6c), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(reads, 0);
	rig_free(r);
}

TEST("INS and OUTS above IOPL need the port's bit in the TSS")
{
	struct rig *r = enter_with_ports(RIG_PROTECTED32_USER);

	rig_put(r, RIG_TSS + 102, 2, 0x100);
	gpr(r)[GPR_RDI] = gpr(r)[GPR_RSI] = RIG_DATA;
	rig_put(r, RIG_TSS + 0x100 + 0x1f0 / 8, 2, 0xffff);
	CHECK_EQ(RIG_STEP(r, 0x6c), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(RIG_STEP(r, 0x6e), STEP_FAULT);
	rig_put(r, RIG_TSS + 0x100 + 0x1f0 / 8, 2, 0);
	CHECK_EQ(RIG_STEP(r, 0x6c), STEP_BREAK);
	CHECK_EQ(reads, 1);
	rig_free(r);
}

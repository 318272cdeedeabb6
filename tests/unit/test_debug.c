/* Debug exceptions as the run loop takes them: single-stepping and breakpoints ("Debug Exceptions"), each rule both ways. */
#include "rig.h"
#include "test.h"

/* DR7 by hand: breakpoint n enabled (G), of a kind, of 1, 2, 4 or 8 bytes. */
enum kind { EXECUTE, WRITE, IO, READ_WRITE };

static u64 dr7(unsigned n, enum kind kind, unsigned bytes)
{
	u64 length = bytes == 8 ? 2 : bytes - 1;

	return DR7_FIXED | BIT(2 * n + 1) | (u64)kind << (16 + 4 * n) | length << (18 + 4 * n);
}

static struct rig *start_model(const char *model)
{
	struct rig *r = rig_new(model);

	rig_enter(r, RIG_LONG);
	r->cpu->gpr[GPR_RSI] = r->cpu->gpr[GPR_RDI] = RIG_DATA;
	return r;
}

static struct rig *start(void)
{
	return start_model("max-intel");
}

static void arm(struct rig *r, unsigned n, enum kind kind, unsigned bytes, u64 address)
{
	r->cpu->dr[n] = address;
	r->cpu->dr7 |= dr7(n, kind, bytes);
	core_mode_changed(r->c);
}

static void set_flags(struct rig *r, u64 rflags)
{
	cpu_set_rflags(r->cpu, rflags);
	core_mode_changed(r->c);
}

#define RUN(r, instructions, ...) \
	rig_run((r), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }), (instructions))

/* What the running handler found on its stack. */
static u64 pushed_rip(const struct rig *r)
{
	return rig_get(r, (unsigned)r->cpu->gpr[GPR_RSP], 8);
}

static u64 pushed_rflags(const struct rig *r)
{
	return rig_get(r, (unsigned)r->cpu->gpr[GPR_RSP] + 16, 8);
}

/* Is the #DB handler about to run, for this cause, with RIP pushed this far into the code? */
static bool debugged(const struct rig *r, u64 cause, unsigned offset)
{
	return rig_handler(r) == VECTOR_DB && r->cpu->dr6 == (DR6_FIXED | cause) && pushed_rip(r) == RIG_CODE + offset;
}

static bool reached(const struct rig *r, unsigned offset)
{
	return r->cpu->rip == RIG_CODE + offset;
}

/* Returns from the handler, as IRET would. */
static void back(struct rig *r)
{
	u64 rip = pushed_rip(r), rflags = pushed_rflags(r);

	r->cpu->gpr[GPR_RSP] = rig_get(r, (unsigned)r->cpu->gpr[GPR_RSP] + 24, 8);
	r->cpu->rip = rip;
	r->cpu->dr6 = DR6_FIXED;
	set_flags(r, rflags);
}

enum { NOP = 0x90, INT1 = 0xf1, REX_W = 0x48, REP = 0xf3, MOVSB = 0xa4, POPF = 0x9d, HLT = 0xf4 };
#define JUMP_ON 0xeb, 0      /* to the next instruction: the end of a block */
#define MOV_SS_EAX 0x8e, 0xd0
#define MOV_SS_MEM 0x8e, 0x16 /* mov ss, [rsi] */
#define STORE_ESI 0x89, 0x06  /* mov [rsi], eax */
#define LOAD_ESI 0x8b, 0x06   /* mov eax, [rsi] */

/* ---- "Single-Step Exception Condition" ---- */

TEST("with TF the processor traps after an instruction, and the handler runs with TF clear")
{
	struct rig *r = start();

	RUN(r, 1, NOP, JUMP_ON);
	CHECK(reached(r, 3));
	rig_enter(r, RIG_LONG);
	set_flags(r, RFLAGS_TF);
	RUN(r, 1, NOP, NOP);
	CHECK(debugged(r, DR6_BS, 1));
	CHECK(pushed_rflags(r) & RFLAGS_TF);
	CHECK(!(cpu_rflags(r->cpu) & RFLAGS_TF));
	rig_free(r);
}

TEST("the instruction that sets TF does not trap, the next one does; the one that clears it does")
{
	struct rig *r = start();

	rig_put(r, (unsigned)r->cpu->gpr[GPR_RSP], 8, RFLAGS_TF);
	rig_put(r, (unsigned)r->cpu->gpr[GPR_RSP] + 8, 8, 0);
	RUN(r, 1, POPF, POPF, NOP);
	CHECK(reached(r, 1));
	core_run(r->c, 1);
	CHECK(debugged(r, DR6_BS, 2));
	rig_free(r);
}

TEST("an instruction that faults does not trap")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_TF);
	RUN(r, 1, 0x0f, 0x0b);
	CHECK_EQ(rig_handler(r), VECTOR_UD);
	CHECK_EQ(r->cpu->pending_debug, 0);
	rig_free(r);
}

/* INT n clears TF on its way, so the handler is not stepped ("Single-Step Exception Condition"). */
TEST("a software interrupt does not trap")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_TF);
	RUN(r, 1, 0xcd, 0x40);
	CHECK_EQ(rig_handler(r), 0x40);
	CHECK(pushed_rflags(r) & RFLAGS_TF);
	rig_free(r);
}

TEST("a repeated string instruction traps after each iteration; RF is pushed as 1 except after the last")
{
	struct rig *r = start();

	r->cpu->gpr[GPR_RCX] = 3;
	set_flags(r, RFLAGS_TF);
	RUN(r, 1, REP, MOVSB, NOP);
	CHECK(debugged(r, DR6_BS, 0));
	CHECK_EQ(r->cpu->gpr[GPR_RCX], 2);
	CHECK(pushed_rflags(r) & RFLAGS_RF);
	back(r);
	core_run(r->c, 1);
	CHECK(debugged(r, DR6_BS, 0));
	CHECK_EQ(r->cpu->gpr[GPR_RCX], 1);
	back(r);
	core_run(r->c, 1);
	CHECK(debugged(r, DR6_BS, 2));
	CHECK_EQ(r->cpu->gpr[GPR_RCX], 0);
	CHECK(!(pushed_rflags(r) & RFLAGS_RF));
	rig_free(r);
}

TEST("HLT traps: the handler runs at once")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_TF);
	RUN(r, 1, HLT);
	CHECK(debugged(r, DR6_BS, 1));
	CHECK_EQ(r->cpu->activity, CPU_ACTIVE);
	rig_free(r);
}

/* "MOV": a load of SS inhibits interrupts and debug exceptions until after the next instruction. */
TEST("a load of SS does not trap; the next instruction does, and of two loads in a row the second")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_TF);
	RUN(r, 1, MOV_SS_EAX, NOP);
	CHECK(reached(r, 2));
	core_run(r->c, 1);
	CHECK(debugged(r, DR6_BS, 3));
	rig_enter(r, RIG_LONG);
	set_flags(r, RFLAGS_TF);
	RUN(r, 2, MOV_SS_EAX, MOV_SS_EAX, NOP);
	CHECK(debugged(r, DR6_BS, 4));
	rig_free(r);
}

TEST("STI's shadow holds back interrupts, not the trap")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_TF);
	RUN(r, 1, 0xfb, NOP);
	CHECK(debugged(r, DR6_BS, 1));
	rig_free(r);
}

/* "Single-Stepping on Branches": with BTF, TF traps after branches only; #DB clears BTF. */
TEST("with DEBUGCTL.BTF only a taken branch traps")
{
	struct rig *r = start();

	r->cpu->debugctl = DEBUGCTL_BTF;
	set_flags(r, RFLAGS_TF);
	RUN(r, 1, NOP, 0x74, 2, 0x75, 2, NOP, NOP, NOP); /* nop; jz +2; jnz +2 */
	CHECK(reached(r, 1));
	core_run(r->c, 1);
	CHECK(reached(r, 3));
	core_run(r->c, 1);
	CHECK(debugged(r, DR6_BS, 7));
	CHECK_EQ(r->cpu->debugctl, 0);
	rig_enter(r, RIG_LONG);
	r->cpu->debugctl = DEBUGCTL_BTF;
	r->cpu->gpr[GPR_RSI] = r->cpu->gpr[GPR_RDI] = RIG_DATA;
	r->cpu->gpr[GPR_RCX] = 3;
	set_flags(r, RFLAGS_TF);
	RUN(r, 1, REP, MOVSB, NOP);
	CHECK(reached(r, 2) && r->cpu->gpr[GPR_RCX] == 0);
	rig_free(r);
}

/* ---- "Instruction-Breakpoint Exception Condition" ---- */

TEST("an instruction breakpoint faults before its instruction, with RF pushed as it was")
{
	struct rig *r = start();

	arm(r, 2, EXECUTE, 1, RIG_CODE + 1);
	RUN(r, 2, NOP, NOP);
	CHECK(debugged(r, BIT(2), 1));
	CHECK(!(pushed_rflags(r) & RFLAGS_RF));
	rig_free(r);
}

TEST("a breakpoint that is not enabled, is for data, or is a byte off does not hit")
{
	struct rig *r = start();

	arm(r, 0, WRITE, 1, RIG_CODE + 1);
	arm(r, 1, EXECUTE, 1, RIG_CODE + 3);
	r->cpu->dr[2] = RIG_CODE + 1;
	RUN(r, 3, NOP, 0x66, NOP);
	CHECK(debugged(r, BIT(1), 3));
	rig_free(r);
}

TEST("with RF the breakpoint is passed over once: the instruction clears RF")
{
	struct rig *r = start();

	arm(r, 0, EXECUTE, 1, RIG_CODE);
	set_flags(r, RFLAGS_RF);
	RUN(r, 1, NOP, 0xeb, 0xfd); /* nop; jmp back to it */
	CHECK(reached(r, 1));
	CHECK(!(cpu_rflags(r->cpu) & RFLAGS_RF));
	core_run(r->c, 2);
	CHECK(debugged(r, BIT(0), 0));
	rig_free(r);
}

TEST("a repeated string instruction hits its breakpoint once, not with each iteration")
{
	struct rig *r = start();

	arm(r, 0, EXECUTE, 1, RIG_CODE);
	r->cpu->gpr[GPR_RCX] = 3;
	set_flags(r, RFLAGS_TF | RFLAGS_RF);
	RUN(r, 1, REP, MOVSB, NOP);
	CHECK(debugged(r, DR6_BS, 0));
	back(r);
	core_run(r->c, 1);
	CHECK(debugged(r, DR6_BS, 0));
	CHECK_EQ(r->cpu->gpr[GPR_RCX], 1);
	rig_free(r);
}

TEST("after a load of SS a breakpoint on the next instruction is inhibited on Intel's processors, not on AMD's")
{
	struct rig *r = start_model("max-intel");

	arm(r, 0, EXECUTE, 1, RIG_CODE + 2);
	RUN(r, 2, MOV_SS_EAX, NOP, NOP);
	CHECK(reached(r, 3));
	rig_free(r);
	r = start_model("max-amd");
	arm(r, 0, EXECUTE, 1, RIG_CODE + 2);
	RUN(r, 2, MOV_SS_EAX, NOP, NOP);
	CHECK(debugged(r, BIT(0), 2));
	rig_free(r);
}

/* ---- "Data Memory and I/O Breakpoint Exception Conditions" ---- */

TEST("a data breakpoint traps after the access: writes only, or reads and writes, never fetches")
{
	static const struct { enum kind kind; bool on_write, on_read; } kinds[] = {
		{ WRITE, true, false }, { READ_WRITE, true, true },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(kinds); n++) {
		struct rig *r = start();

		arm(r, 1, kinds[n].kind, 4, RIG_DATA);
		RUN(r, 1, STORE_ESI, NOP);
		CHECK_EQ(debugged(r, BIT(1), 2), kinds[n].on_write);
		CHECK_EQ(rig_get(r, RIG_DATA, 4), r->cpu->gpr[GPR_RAX]);
		rig_free(r);
		r = start();
		arm(r, 1, kinds[n].kind, 4, RIG_DATA);
		RUN(r, 1, LOAD_ESI, NOP);
		CHECK_EQ(debugged(r, BIT(1), 2), kinds[n].on_read);
		rig_free(r);
		r = start();
		arm(r, 1, kinds[n].kind, 4, RIG_CODE);
		RUN(r, 1, NOP, NOP);
		CHECK(reached(r, 1));
		rig_free(r);
	}
}

/* "Breakpoint Field Recognition": any byte of the access in the aligned range of the length hits. */
TEST("an access hits if it overlaps the breakpoint's range, aligned to its length")
{
	static const struct { u64 breakpoint; unsigned bytes; u64 access; bool hits; } cases[] = {
		{ RIG_DATA + 4, 1, RIG_DATA, false },     { RIG_DATA + 3, 1, RIG_DATA, true },
		{ RIG_DATA + 3, 2, RIG_DATA, true },      { RIG_DATA + 4, 2, RIG_DATA, false },
		{ RIG_DATA + 5, 4, RIG_DATA + 1, true },  { RIG_DATA + 7, 4, RIG_DATA, false },
		{ RIG_DATA + 15, 8, RIG_DATA + 4, false }, { RIG_DATA + 15, 8, RIG_DATA + 5, true },
		{ RIG_DATA + 0xffc, 4, RIG_DATA + 0xffe, true },  /* across pages: the first part */
		{ RIG_DATA + 0x1000, 4, RIG_DATA + 0xffe, true }, /* the second */
		{ RIG_DATA + 0x1002, 2, RIG_DATA + 0xffe, false },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		struct rig *r = start();

		arm(r, 0, WRITE, cases[n].bytes, cases[n].breakpoint);
		r->cpu->gpr[GPR_RSI] = cases[n].access;
		RUN(r, 1, STORE_ESI, NOP);
		if (!CHECK_EQ(debugged(r, BIT(0), 2), cases[n].hits))
			printf("    case %u\n", n);
		rig_free(r);
	}
}

TEST("every breakpoint that one instruction hits is reported, in one trap, with the single step")
{
	struct rig *r = start();

	arm(r, 0, WRITE, 1, RIG_DATA + 0x100);
	arm(r, 1, READ_WRITE, 1, RIG_DATA);
	arm(r, 3, WRITE, 2, RIG_DATA + 0x101);
	r->cpu->gpr[GPR_RDI] = RIG_DATA + 0x100;
	set_flags(r, RFLAGS_TF);
	RUN(r, 1, 0xa5); /* movsd */
	CHECK(debugged(r, BIT(0) | BIT(1) | BIT(3) | DR6_BS, 1));
	rig_free(r);
}

TEST("in a repeated string instruction the trap comes after the iteration that hits")
{
	struct rig *r = start();

	arm(r, 0, WRITE, 1, RIG_DATA + 0x102);
	r->cpu->gpr[GPR_RDI] = RIG_DATA + 0x100;
	r->cpu->gpr[GPR_RCX] = 100;
	RUN(r, 1, REP, MOVSB, NOP);
	CHECK(debugged(r, BIT(0), 0));
	CHECK_EQ(r->cpu->gpr[GPR_RCX], 97);
	back(r);
	core_run(r->c, 1);
	CHECK(reached(r, 2));
	rig_free(r);
}

TEST("the stack is data too")
{
	struct rig *r = start();

	arm(r, 0, WRITE, 8, RIG_STACK - 8);
	RUN(r, 1, 0x50, NOP); /* push rax */
	CHECK(debugged(r, BIT(0), 1));
	rig_free(r);
	r = start();
	arm(r, 0, READ_WRITE, 8, RIG_STACK);
	RUN(r, 1, 0x58, NOP); /* pop rax */
	CHECK(debugged(r, BIT(0), 1));
	rig_free(r);
}

TEST("an instruction that faults reports no data breakpoint")
{
	struct rig *r = start();

	arm(r, 0, READ_WRITE, 4, RIG_DATA);
	r->cpu->gpr[GPR_RDI] = BIT(63);
	RUN(r, 1, 0xa5); /* movsd reads, then writes to an address that is not canonical */
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(r->cpu->pending_debug, 0);
	CHECK_EQ(r->cpu->dr6, DR6_FIXED);
	rig_free(r);
}

TEST("an I/O breakpoint traps after the access to its port with CR4.DE, and does nothing without")
{
	struct rig *r = start();

	r->cpu->cr4 |= CR4_DE;
	arm(r, 0, IO, 1, 0x80);
	RUN(r, 1, 0xe6, 0x80, NOP); /* out 0x80, al */
	CHECK(debugged(r, BIT(0), 2));
	rig_enter(r, RIG_LONG);
	r->cpu->cr4 |= CR4_DE;
	arm(r, 0, IO, 1, 0x80);
	RUN(r, 1, 0xe4, 0x80, NOP); /* in al, 0x80 */
	CHECK(debugged(r, BIT(0), 2));
	rig_enter(r, RIG_LONG);
	arm(r, 0, IO, 1, 0x80);
	RUN(r, 1, 0xe6, 0x80, NOP);
	CHECK(reached(r, 2));
	rig_enter(r, RIG_LONG);
	r->cpu->cr4 |= CR4_DE;
	arm(r, 0, IO, 1, 0x81);
	RUN(r, 1, 0xe6, 0x80, NOP);
	CHECK(reached(r, 2));
	rig_free(r);
}

/* ---- data breakpoints of a load of SS wait ---- */

TEST("a data breakpoint that a load of SS hits is reported after the next instruction")
{
	struct rig *r = start();

	arm(r, 0, READ_WRITE, 2, RIG_DATA);
	RUN(r, 1, MOV_SS_MEM, NOP, NOP);
	CHECK(reached(r, 2));
	core_run(r->c, 1);
	CHECK(debugged(r, BIT(0), 3));
	rig_free(r);
}

TEST("if the next instruction is INT n, the report comes before the handler's first instruction")
{
	struct rig *r = start();

	arm(r, 0, READ_WRITE, 2, RIG_DATA);
	RUN(r, 2, MOV_SS_MEM, 0xcd, 0x40);
	CHECK_EQ(rig_handler(r), VECTOR_DB);
	CHECK_EQ(r->cpu->dr6, DR6_FIXED | BIT(0));
	CHECK_EQ(pushed_rip(r), RIG_HANDLER + 0x40 * 16);
	rig_free(r);
}

TEST("INT1 brings it along: one #DB, which is a trap after INT1")
{
	struct rig *r = start();

	arm(r, 0, READ_WRITE, 2, RIG_DATA);
	RUN(r, 2, MOV_SS_MEM, INT1);
	CHECK(debugged(r, BIT(0), 3));
	core_run(r->c, 1);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 40);
	rig_free(r);
}

/* ---- "Debug Status Register", "General-Detect Exception Condition" ---- */

TEST("DR6's breakpoint bits are those of the last exception, the others stay until software clears them")
{
	struct rig *r = start();

	r->cpu->dr6 = DR6_FIXED | DR6_BS | DR6_BD | BIT(3);
	arm(r, 0, EXECUTE, 1, RIG_CODE);
	RUN(r, 1, NOP);
	CHECK(debugged(r, DR6_BS | DR6_BD | BIT(0), 0));
	rig_free(r);
}

TEST("general detect is a fault, even in the shadow of a load of SS, and clears DR7.GD")
{
	struct rig *r = start();

	r->cpu->dr7 |= DR7_GD;
	set_flags(r, RFLAGS_TF);
	RUN(r, 2, MOV_SS_EAX, 0x0f, 0x23, 0xf0); /* mov dr6, rax */
	CHECK(debugged(r, DR6_BD, 2));
	CHECK(!(r->cpu->dr7 & DR7_GD));
	rig_free(r);
}

/*
 * The run loop: the budget, the instruction count, and what is taken at an instruction boundary ("Priority Among
 * Concurrent Events", "Masking Maskable Hardware Interrupts"), each rule both ways.
 */
#include "rig.h"
#include "test.h"

#define RUN(r, instructions, ...) \
	rig_run((r), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }), (instructions))

enum { NOP = 0x90, STI = 0xfb, CLI = 0xfa, HLT = 0xf4, POPF = 0x9d, REP = 0xf3, MOVSB = 0xa4, STOSB = 0xaa, IRET = 0xcf };
enum { REX_W = 0x48, IRQ = 0x51 };
#define MOV_SS_EAX 0x8e, 0xd0
#define JUMP_ON 0xeb, 0 /* to the next instruction: the end of a block */
#define LOOP_HERE 0xeb, 0xfe

static struct rig *start(void)
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	r->cpu->gpr[GPR_RSI] = RIG_DATA;
	r->cpu->gpr[GPR_RDI] = RIG_DATA + 0x1000;
	return r;
}

static void set_flags(struct rig *r, u64 rflags)
{
	cpu_set_rflags(r->cpu, rflags);
	core_mode_changed(r->c);
}

static bool reached(const struct rig *r, unsigned offset)
{
	return r->cpu->rip == RIG_CODE + offset;
}

static u64 pushed(const struct rig *r, unsigned slot)
{
	return rig_get(r, (unsigned)r->cpu->gpr[GPR_RSP] + slot * 8, 8);
}

/* Was the interrupt taken, with RIP pushed this far into the code? */
static bool interrupted(const struct rig *r, unsigned vector, unsigned offset)
{
	return rig_handler(r) == vector && pushed(r, 0) == RIG_CODE + offset;
}

/* ---- budget and count ---- */

TEST("a run ends when the budget is used up, with each retired instruction counted once")
{
	struct rig *r = start();
	u64 before = r->cpu->retired;

	CHECK_EQ(RUN(r, 1000, LOOP_HERE), CORE_EXIT_BUDGET);
	CHECK_EQ(r->cpu->retired - before, 1000);
	rig_free(r);
}

TEST("an instruction that faults does not retire, INT n does, and both use the budget")
{
	struct rig *r = start();
	u64 before = r->cpu->retired;

	CHECK_EQ(RUN(r, 1, 0x0f, 0x0b), CORE_EXIT_BUDGET);
	CHECK_EQ(r->cpu->retired - before, 0);
	CHECK_EQ(rig_handler(r), VECTOR_UD);
	rig_enter(r, RIG_LONG);
	before = r->cpu->retired;
	CHECK_EQ(RUN(r, 1, 0xcd, IRQ), CORE_EXIT_BUDGET);
	CHECK_EQ(r->cpu->retired - before, 1);
	rig_free(r);
}

/* A breakpoint on the handler's own first instruction: exceptions without an instruction in between. */
TEST("an endless chain of exceptions ends with the budget")
{
	struct rig *r = start();

	r->cpu->dr[0] = RIG_HANDLER + VECTOR_DB * 16;
	r->cpu->dr7 |= BIT(1);
	core_mode_changed(r->c);
	r->cpu->rip = r->cpu->dr[0];
	CHECK_EQ(core_run(r->c, 50), CORE_EXIT_BUDGET);
	CHECK_EQ(rig_handler(r), VECTOR_DB);
	rig_free(r);
}

TEST("attention ends a run between two instructions")
{
	struct rig *r = start();

	core_attention(r->c);
	CHECK_EQ(RUN(r, 1000, LOOP_HERE), CORE_EXIT_ATTENTION);
	CHECK_EQ(core_run(r->c, 1000), CORE_EXIT_BUDGET);
	rig_free(r);
}

/* ---- maskable interrupts ---- */

TEST("an interrupt is taken with IF = 1, before the next instruction, and not with IF = 0")
{
	struct rig *r = start();

	r->interrupt = IRQ;
	RUN(r, 10, LOOP_HERE);
	CHECK(reached(r, 0) && r->interrupt);
	set_flags(r, RFLAGS_IF);
	core_run(r->c, 1);
	CHECK_EQ(pushed(r, 0), RIG_CODE);
	CHECK(!(cpu_rflags(r->cpu) & RFLAGS_IF));
	CHECK(!r->interrupt);
	rig_free(r);
}

TEST("POPF and IRET that set IF let the interrupt in before the next instruction")
{
	struct rig *r = start();

	r->interrupt = IRQ;
	rig_put(r, RIG_STACK, 8, RFLAGS_IF);
	RUN(r, 1, POPF, NOP);
	CHECK(interrupted(r, IRQ, 1));
	rig_enter(r, RIG_LONG);
	r->interrupt = IRQ;
	rig_put(r, RIG_STACK, 8, RIG_CODE + 0x10);
	rig_put(r, RIG_STACK + 8, 8, SEL_CODE64);
	rig_put(r, RIG_STACK + 16, 8, RFLAGS_IF);
	rig_put(r, RIG_STACK + 24, 8, RIG_STACK);
	RUN(r, 1, REX_W, IRET);
	CHECK(interrupted(r, IRQ, 0x10));
	rig_free(r);
}

/* "STI": interrupts are recognized at the boundary after the instruction that follows. */
TEST("STI lets interrupts in after one more instruction, and STI; CLI never does")
{
	struct rig *r = start();

	r->interrupt = IRQ;
	RUN(r, 2, STI, NOP, NOP);
	CHECK(interrupted(r, IRQ, 2));
	rig_enter(r, RIG_LONG);
	r->interrupt = IRQ;
	RUN(r, 4, STI, CLI, LOOP_HERE);
	CHECK(reached(r, 2) && r->interrupt);
	rig_free(r);
}

TEST("STI with IF = 1 already holds nothing back")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_IF);
	RUN(r, 1, STI, NOP, NOP);
	r->cpu->rip = RIG_CODE;
	r->interrupt = IRQ;
	core_run(r->c, 1);
	CHECK(interrupted(r, IRQ, 0));
	rig_free(r);
}

TEST("STI; HLT sleeps only if no interrupt is pending, and the handler returns behind HLT")
{
	struct rig *r = start();

	r->interrupt = IRQ;
	RUN(r, 2, STI, HLT, NOP);
	CHECK(interrupted(r, IRQ, 2));
	rig_enter(r, RIG_LONG);
	r->interrupt = 0;
	CHECK_EQ(RUN(r, 100, STI, HLT, NOP), CORE_EXIT_HALTED);
	CHECK_EQ(core_run(r->c, 100), CORE_EXIT_HALTED);
	r->interrupt = IRQ;
	core_run(r->c, 0);
	CHECK(interrupted(r, IRQ, 2));
	CHECK_EQ(r->cpu->activity, CPU_ACTIVE);
	rig_free(r);
}

TEST("HLT with IF = 0 sleeps through interrupts, not through an NMI")
{
	struct rig *r = start();

	r->interrupt = IRQ;
	CHECK_EQ(RUN(r, 100, HLT, NOP), CORE_EXIT_HALTED);
	core_nmi(r->c);
	core_run(r->c, 0);
	CHECK(interrupted(r, VECTOR_NMI, 1));
	rig_free(r);
}

/* "MOV": a load of SS holds interrupts back for one instruction; only the first of several does. */
TEST("a load of SS holds interrupts and NMIs back for one instruction, the second of two does not")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_IF);
	RUN(r, 1, MOV_SS_EAX, NOP, NOP);
	r->interrupt = IRQ;
	core_nmi(r->c);
	(void)core_run(r->c, 1); /* for the attention */
	core_run(r->c, 1);
	CHECK(interrupted(r, VECTOR_NMI, 3));
	rig_enter(r, RIG_LONG);
	set_flags(r, RFLAGS_IF);
	RUN(r, 2, MOV_SS_EAX, MOV_SS_EAX, NOP);
	CHECK_EQ(r->cpu->interruptibility, 0);
	rig_free(r);
}

TEST("one shadow ends where the other begins: STI after a load of SS, a load of SS after STI")
{
	struct rig *r = start();

	RUN(r, 2, MOV_SS_EAX, STI, NOP);
	CHECK_EQ(r->cpu->interruptibility, CPU_BLOCKED_BY_STI);
	rig_enter(r, RIG_LONG);
	RUN(r, 2, STI, MOV_SS_EAX, NOP);
	CHECK_EQ(r->cpu->interruptibility, CPU_BLOCKED_BY_MOV_SS);
	rig_free(r);
}

/* ---- repeated string instructions are interruptible ---- */

TEST("an interrupt between two iterations pushes the instruction itself, with RF = 1, and its registers say how far it is")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_IF | RFLAGS_DF); /* downwards: slowly */
	r->cpu->gpr[GPR_RDI] = RIG_DATA + 0x8000;
	r->cpu->gpr[GPR_RCX] = 0x8000;
	RUN(r, 1, REP, STOSB, LOOP_HERE);
	CHECK(r->cpu->gpr[GPR_RCX] > 0 && r->cpu->gpr[GPR_RCX] < 0x8000);
	r->interrupt = IRQ;
	core_run(r->c, 0);
	CHECK(interrupted(r, IRQ, 0));
	CHECK(pushed(r, 2) & RFLAGS_RF);
	CHECK_EQ(r->cpu->gpr[GPR_RDI], RIG_DATA + r->cpu->gpr[GPR_RCX]);
	rig_free(r);
}

TEST("a long repetition looks up now and then, and goes on where it was")
{
	struct rig *r = start();
	u64 count = 0x8000;

	memset(r->ram + RIG_DATA, 0x5a, count);
	r->cpu->gpr[GPR_RDI] = RIG_DATA + count;
	r->cpu->gpr[GPR_RCX] = count;
	RUN(r, 1, REP, MOVSB, LOOP_HERE);
	for (unsigned n = 0; n < 100000 && r->cpu->gpr[GPR_RCX]; n++)
		core_run(r->c, 1);
	CHECK_EQ(r->cpu->gpr[GPR_RCX], 0);
	CHECK_EQ(memcmp(r->ram + RIG_DATA, r->ram + RIG_DATA + count, count), 0);
	CHECK_EQ(r->ram[RIG_DATA + 2 * count], 0);
	rig_free(r);
}

/* ---- NMIs ("Handling Multiple NMIs") ---- */

TEST("an NMI needs no IF, and blocks others until IRET")
{
	struct rig *r = start();

	rig_put(r, RIG_HANDLER + VECTOR_NMI * 16, 4, 0xcf48feeb); /* jmp here; iretq */
	core_nmi(r->c);
	RUN(r, 1, LOOP_HERE);
	CHECK(interrupted(r, VECTOR_NMI, 0));
	core_nmi(r->c);
	core_run(r->c, 10); /* for the attention */
	CHECK_EQ(core_run(r->c, 10), CORE_EXIT_BUDGET);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 40);
	r->cpu->rip += 2;
	core_run(r->c, 1);
	CHECK(interrupted(r, VECTOR_NMI, 0));
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 40);
	CHECK_EQ(r->cpu->nmis_pending, 0);
	rig_free(r);
}

TEST("of many NMIs at once two are handled, of many during the handler one")
{
	struct rig *r = start();

	for (unsigned n = 0; n < 5; n++)
		core_nmi(r->c);
	CHECK_EQ(r->cpu->nmis_pending, 2);
	RUN(r, 1, LOOP_HERE);
	CHECK(interrupted(r, VECTOR_NMI, 0));
	CHECK_EQ(r->cpu->nmis_pending, 1);
	core_nmi(r->c);
	CHECK_EQ(r->cpu->nmis_pending, 1);
	rig_free(r);
}

/* ---- priorities ---- */

TEST("traps of the last instruction come before NMIs, NMIs before interrupts")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_IF | RFLAGS_TF);
	RUN(r, 1, NOP, NOP);
	CHECK(interrupted(r, VECTOR_DB, 1));
	rig_enter(r, RIG_LONG);
	set_flags(r, RFLAGS_IF);
	r->cpu->pending_debug = DR6_BS;
	r->interrupt = IRQ;
	core_nmi(r->c);
	core_run(r->c, 1);
	CHECK(interrupted(r, VECTOR_DB, 0));
	core_run(r->c, 0);
	CHECK_EQ(rig_handler(r), VECTOR_NMI);
	CHECK(r->interrupt);
	rig_free(r);
}

TEST("an interrupt comes before a fault of the next instruction, and before its breakpoint")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_IF);
	r->interrupt = IRQ;
	r->cpu->dr[0] = RIG_CODE;
	r->cpu->dr7 |= BIT(1);
	core_mode_changed(r->c);
	RUN(r, 1, 0x0f, 0x0b);
	CHECK(interrupted(r, IRQ, 0));
	CHECK_EQ(r->cpu->dr6, DR6_FIXED);
	rig_free(r);
}

/* ---- states in which nothing runs ---- */

TEST("a processor that waits for a start-up IPI takes no NMI and no interrupt")
{
	struct rig *r = start();

	set_flags(r, RFLAGS_IF);
	r->cpu->activity = CPU_WAIT_FOR_SIPI;
	r->interrupt = IRQ;
	r->cpu->nmis_pending = 1;
	CHECK_EQ(core_run(r->c, 10), CORE_EXIT_HALTED);
	CHECK(reached(r, 0) && r->interrupt && r->cpu->nmis_pending);
	core_startup(r->c, 0x12);
	CHECK_EQ(r->cpu->activity, CPU_ACTIVE);
	CHECK_EQ(r->cpu->segment[SEG_CS].base, 0x12000);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, 0x1200);
	CHECK_EQ(r->cpu->rip, 0);
	rig_free(r);
}

TEST("a start-up IPI means nothing to a processor that runs")
{
	struct rig *r = start();

	core_startup(r->c, 0x12);
	CHECK(reached(r, 0));
	rig_free(r);
}

TEST("a shutdown stays one, whatever comes, until a reset")
{
	struct rig *r = start();

	r->cpu->idtr.limit = 0;
	CHECK_EQ(RUN(r, 10, 0x0f, 0x0b), CORE_EXIT_SHUTDOWN);
	r->interrupt = IRQ;
	core_nmi(r->c);
	CHECK_EQ(core_run(r->c, 10), CORE_EXIT_SHUTDOWN);
	core_reset(r->c, false);
	CHECK_EQ(r->cpu->activity, CPU_ACTIVE);
	rig_free(r);
}

TEST("INIT keeps CD, NW, x87, vector registers and MSRs; RESET does not")
{
	struct rig *r = start();

	r->cpu->cr0 |= CR0_CD;
	r->cpu->lstar = 0x1234;
	r->cpu->x87.fcw = 0x37f;
	r->cpu->gpr[GPR_RBX] = 5;
	r->cpu->cr4 = CR4_PAE;
	core_reset(r->c, true);
	CHECK_EQ(r->cpu->cr0, CR0_CD | CR0_ET);
	CHECK_EQ(r->cpu->lstar, 0x1234);
	CHECK_EQ(r->cpu->x87.fcw, 0x37f);
	CHECK_EQ(r->cpu->gpr[GPR_RBX] | r->cpu->cr4 | r->cpu->efer, 0);
	CHECK_EQ(r->cpu->rip, 0xfff0);
	CHECK_EQ(r->cpu->segment[SEG_CS].base, 0xffff0000);
	core_reset(r->c, false);
	CHECK_EQ(r->cpu->cr0, CR0_CD | CR0_NW | CR0_ET);
	CHECK_EQ(r->cpu->lstar, 0);
	CHECK_EQ(r->cpu->x87.fcw, 0x40);
	rig_free(r);
}

/* ---- fetching ---- */

TEST("an instruction of more than 15 bytes is #GP(0), one of 15 is not")
{
	struct rig *r = start();

	RUN(r, 1, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, NOP, JUMP_ON);
	CHECK(r->cpu->rip >= RIG_CODE + 15 && rig_handler(r) == RIG_NO_EVENT);
	rig_enter(r, RIG_LONG);
	RUN(r, 1, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, NOP);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	rig_free(r);
}

/* "Limit Checking": a fetch beyond CS.limit is #GP(0), also of an instruction's later bytes. */
TEST("code ends at CS.limit: a byte beyond is #GP(0) when it is needed, not before")
{
	struct rig *r = rig_new("max-intel");

	for (unsigned last = 0; last < 4; last++) {
		rig_enter(r, RIG_PROTECTED32);
		r->cpu->segment[SEG_CS].limit = RIG_CODE + last;
		core_mode_changed(r->c);
		RUN(r, 1, 0xb0, 0x5a, 0xb4, 0xa5); /* mov al, 0x5a; mov ah, 0xa5 */
		core_run(r->c, 1);
		CHECK_EQ(r->cpu->gpr[GPR_RAX] & 0xff, last >= 1 ? 0x5a : 0);
		CHECK_EQ(r->cpu->gpr[GPR_RAX] >> 8 & 0xff, last >= 3 ? 0xa5 : 0);
	}
	rig_free(r);
}

TEST("RIP wraps at 64 KiB in 16-bit code only by the limit: running off the end is #GP(0)")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_REAL);
	r->cpu->rip = 0xffff;
	RUN(r, 2, NOP);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(rig_get(r, (unsigned)(r->cpu->segment[SEG_SS].base + r->cpu->gpr[GPR_RSP]), 2), 0);
	rig_free(r);
}

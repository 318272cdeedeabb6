/* Exceptions and interrupts on their way to a handler: every rule of src/cpu/event.c, tested both ways. */
#include "rig.h"
#include "test.h"

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define IDT(vector) ((vector) * 8 + ERROR_IDT)

static void check_case(const char *rule, unsigned index, u64 got, u64 want)
{
	if (!test_check_eq(got, want, __FILE__, __LINE__, rule))
		printf("    case %u\n", index);
}

/* The error code that the running handler found on top of its stack. */
static u64 top(const struct rig *r, unsigned slot, unsigned bytes)
{
	u64 mask = stack_mask(r->c);
	u64 linear = r->cpu->segment[SEG_SS].base + ((r->cpu->gpr[GPR_RSP] + slot * bytes) & mask);

	return rig_get(r, (unsigned)linear, bytes);
}

/* ---- frames ---- */

TEST("real mode pushes 16-bit FLAGS, CS, IP, no error code, and clears IF, TF, AC")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_REAL);
	r->cpu->rip = 0x123;
	cpu_set_rflags(r->cpu, RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_CF | RFLAGS_IOPL);
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 0);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xf000 - 6);
	CHECK_EQ(top(r, 0, 2), 0x123);
	CHECK_EQ(top(r, 1, 2), RIG_CODE >> 4);
	CHECK_EQ(top(r, 2, 2), RFLAGS_IF | RFLAGS_TF | RFLAGS_CF | RFLAGS_IOPL | RFLAGS_FIXED);
	CHECK_EQ(cpu_rflags(r->cpu), RFLAGS_CF | RFLAGS_IOPL | RFLAGS_FIXED);
	CHECK_EQ(r->cpu->segment[SEG_CS].base, 0);
	CHECK(!r->cpu->event.valid);
	rig_free(r);
}

TEST("a 32-bit gate at the same level pushes EFLAGS, CS, EIP and the error code")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	cpu_set_rflags(r->cpu, RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC);
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 0x1234);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 16);
	CHECK_EQ(top(r, 0, 4), 0x1234);
	CHECK_EQ(top(r, 1, 4), RIG_CODE);
	CHECK_EQ(top(r, 2, 4), SEL_CODE);
	CHECK_EQ(top(r, 3, 4), RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_AC | RFLAGS_RF | RFLAGS_FIXED);
	CHECK_EQ(cpu_rflags(r->cpu), RFLAGS_AC | RFLAGS_FIXED);
	rig_free(r);
}

TEST("an interrupt gate clears IF and a trap gate keeps it, 16 and 32 bits wide")
{
	static const struct { u8 type; bool keeps; u8 slot; } gates[] = {
		{ DESCRIPTOR_INTERRUPT_GATE16, false, 2 }, { DESCRIPTOR_TRAP_GATE16, true, 2 },
		{ DESCRIPTOR_INTERRUPT_GATE32, false, 4 }, { DESCRIPTOR_TRAP_GATE32, true, 4 },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(gates); n++) {
		rig_enter(r, RIG_PROTECTED32);
		rig_set_idt(r, 0x40, gates[n].type, 0, SEL_CODE);
		r->cpu->rflags |= RFLAGS_IF;
		rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
		CHECK_EQ(rig_handler(r), 0x40);
		CHECK_EQ(r->cpu->rflags & RFLAGS_IF, gates[n].keeps ? RFLAGS_IF : 0);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 3 * gates[n].slot);
		CHECK_EQ(top(r, 1, gates[n].slot), SEL_CODE);
	}
	rig_free(r);
}

TEST("going inward takes SS:ESP from the TSS and pushes the outer SS:ESP first")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32_USER);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(rig_handler(r), 0x40);
	CHECK_EQ(cpu_cpl(r->cpu), 0);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, SEL_DATA);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK0 - 20);
	CHECK_EQ(top(r, 0, 4), RIG_CODE);
	CHECK_EQ(top(r, 1, 4), SEL_CODE3);
	CHECK_EQ(top(r, 3, 4), RIG_STACK);
	CHECK_EQ(top(r, 4, 4), SEL_DATA3);
	/* To level 1. */
	rig_enter(r, RIG_PROTECTED32_USER);
	rig_set_idt(r, 0x40, DESCRIPTOR_INTERRUPT_GATE32, 0, SEL_CODE1);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(cpu_cpl(r->cpu), 1);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, SEL_CODE1);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK1 - 20);
	/* A 16-bit TSS. */
	rig_enter(r, RIG_PROTECTED32_USER);
	r->cpu->segment[SEG_TR].attributes = SEGMENT_P | DESCRIPTOR_TSS16_BUSY;
	rig_put(r, RIG_TSS + 2, 2, 0x9000);
	rig_put(r, RIG_TSS + 4, 2, SEL_DATA16);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, SEL_DATA16);
	CHECK_EQ((u16)r->cpu->gpr[GPR_RSP], 0x9000 - 20);
	rig_free(r);
}

TEST("a conforming handler runs at the interrupted level on its stack")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32_USER);
	rig_set_idt(r, 0x40, DESCRIPTOR_INTERRUPT_GATE32, 0, SEL_CONFORMING);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(cpu_cpl(r->cpu), 3);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, SEL_CONFORMING | 3);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 12);
	rig_free(r);
}

TEST("leaving virtual-8086 mode pushes the data segments, nulls them and clears VM")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_V86);
	r->cpu->segment[SEG_GS] = segment_real(r->c, SEG_GS, 0x1111);
	r->cpu->rip = 0x42;
	r->cpu->rflags |= RFLAGS_IF;
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 7);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK0 - 40);
	CHECK_EQ(top(r, 0, 4), 7);
	CHECK_EQ(top(r, 1, 4), 0x42);
	CHECK_EQ(top(r, 2, 4), RIG_CODE >> 4);
	CHECK_EQ(top(r, 3, 4), RFLAGS_VM | RFLAGS_IF | RFLAGS_RF | RFLAGS_FIXED);
	CHECK_EQ(top(r, 4, 4), 0xf000);
	CHECK_EQ(top(r, 5, 4), (RIG_STACK - 0x10000) >> 4);
	CHECK_EQ(top(r, 6, 4), RIG_DATA >> 4); /* ES */
	CHECK_EQ(top(r, 9, 4), 0x1111);        /* GS */
	CHECK(!cpu_in_v86_mode(r->cpu));
	CHECK_EQ(r->cpu->segment[SEG_DS].selector, 0);
	CHECK(r->cpu->segment[SEG_DS].attributes & SEGMENT_UNUSABLE);
	CHECK_EQ(cpu_cpl(r->cpu), 0);
	rig_free(r);
}

TEST("a handler for virtual-8086 mode must be non-conforming code of DPL 0")
{
	static const struct { u16 cs; bool ok; } cases[] = {
		{ SEL_CODE, true }, { SEL_CODE1 & ~3, false }, { SEL_CONFORMING, false }, { SEL_CODE3 & ~3, false },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, RIG_V86);
		rig_set_idt(r, 0x40, DESCRIPTOR_INTERRUPT_GATE32, 0, cases[n].cs);
		rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
		check_case("handler", n, rig_handler(r), cases[n].ok ? 0x40 : VECTOR_GP);
		if (!cases[n].ok)
			CHECK_EQ(top(r, 0, 4), cases[n].cs | ERROR_EXT);
	}
	rig_free(r);
}

/* ---- long mode ---- */

TEST("long mode aligns the stack and always pushes SS:RSP")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	r->cpu->gpr[GPR_RSP] = RIG_STACK - 3;
	r->cpu->rflags |= RFLAGS_IF;
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_PF, true, 2);
	CHECK_EQ(rig_handler(r), VECTOR_PF);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 16 - 48);
	CHECK_EQ(top(r, 0, 8), 2);
	CHECK_EQ(top(r, 1, 8), RIG_CODE);
	CHECK_EQ(top(r, 2, 8), SEL_CODE64);
	CHECK_EQ(top(r, 3, 8), RFLAGS_IF | RFLAGS_RF | RFLAGS_FIXED);
	CHECK_EQ(top(r, 4, 8), RIG_STACK - 3);
	CHECK_EQ(top(r, 5, 8), SEL_DATA);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, SEL_DATA);
	rig_free(r);
}

TEST("long mode goes inward to RSPn with a null SS, from 64-bit and compatibility code alike")
{
	static const u8 modes[] = { RIG_LONG_USER, RIG_COMPAT_USER };
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < 2; n++) {
		rig_enter(r, modes[n]);
		rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
		CHECK_EQ(rig_handler(r), 0x40);
		CHECK(cpu_in_64bit_mode(r->cpu));
		CHECK_EQ(cpu_cpl(r->cpu), 0);
		CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0);
		CHECK(r->cpu->segment[SEG_SS].attributes & SEGMENT_UNUSABLE);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK0 - 40);
		CHECK_EQ(top(r, 3, 8), RIG_STACK);
		CHECK_EQ(top(r, 4, 8), SEL_DATA3);
	}
	rig_free(r);
}

TEST("an IST entry gives the stack whether the level changes or not")
{
	static const u8 modes[] = { RIG_LONG, RIG_LONG_USER };
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < 2; n++) {
		rig_enter(r, modes[n]);
		rig_set_gate(r, rig_idt_entry(r, 8), DESCRIPTOR_INTERRUPT_GATE32, 0, SEL_CODE64,
			     RIG_HANDLER + 8 * 16, 1);
		rig_deliver(r, EVENT_EXCEPTION, VECTOR_DF, true, 0);
		CHECK_EQ(rig_handler(r), VECTOR_DF);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_IST1 - 48);
	}
	rig_free(r);
}

TEST("the handler's address is 64 bits wide and must be canonical")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	rig_set_gate(r, rig_idt_entry(r, 0x40), DESCRIPTOR_INTERRUPT_GATE32, 0, SEL_CODE64, 0xffff812345678000ull, 0);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(r->cpu->rip, 0xffff812345678000ull);
	rig_enter(r, RIG_LONG);
	rig_set_gate(r, rig_idt_entry(r, 0x40), DESCRIPTOR_INTERRUPT_GATE32, 0, SEL_CODE64, 0x0000812345678000ull, 0);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(top(r, 0, 8), ERROR_EXT);
	rig_free(r);
}

/* ---- what can be wrong with a gate ---- */

struct gate_case {
	const char *rule;
	u8 mode, event, type, dpl;
	bool absent;
	u16 cs;
	u32 want; /* vector, and its error code */
};

#define VECTOR_TEST 0x40
#define NONE VECTOR_TEST
#define G32 DESCRIPTOR_INTERRUPT_GATE32
#define SOFT EVENT_SOFTWARE_INTERRUPT
#define EXT EVENT_EXTERNAL

TEST("gates are checked for type, privilege, presence and target, in this order, with the right error codes")
{
	static const struct gate_case cases[] = {
		{ "good", RIG_PROTECTED32, EXT, G32, 0, false, SEL_CODE, NONE },
		{ "no gate type", RIG_PROTECTED32, EXT, 1, 0, false, SEL_CODE, GP(IDT(VECTOR_TEST) | 1) },
		{ "call gate", RIG_PROTECTED32, SOFT, DESCRIPTOR_CALL_GATE32, 3, false, SEL_CODE,
		  GP(IDT(VECTOR_TEST)) },
		{ "INT n, DPL below CPL", RIG_PROTECTED32_USER, SOFT, G32, 0, false, SEL_CODE, GP(IDT(VECTOR_TEST)) },
		{ "INT n, DPL 3", RIG_PROTECTED32_USER, SOFT, G32, 3, false, SEL_CODE, NONE },
		{ "INT3, DPL below CPL", RIG_PROTECTED32_USER, EVENT_SOFTWARE_EXCEPTION, G32, 0, false, SEL_CODE,
		  GP(IDT(VECTOR_TEST)) },
		{ "INT1, DPL below CPL", RIG_PROTECTED32_USER, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, G32, 0, false,
		  SEL_CODE, NONE },
		{ "external, DPL below CPL", RIG_PROTECTED32_USER, EXT, G32, 0, false, SEL_CODE, NONE },
		{ "exception, DPL below CPL", RIG_PROTECTED32_USER, EVENT_EXCEPTION, G32, 0, false, SEL_CODE, NONE },
		{ "absent", RIG_PROTECTED32, SOFT, G32, 0, true, SEL_CODE, RIG_ERROR(VECTOR_NP, IDT(VECTOR_TEST)) },
		{ "absent, external", RIG_PROTECTED32, EXT, G32, 0, true, SEL_CODE,
		  RIG_ERROR(VECTOR_NP, IDT(VECTOR_TEST) | 1) },
		{ "absent, INT1", RIG_PROTECTED32, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, G32, 0, true, SEL_CODE,
		  RIG_ERROR(VECTOR_NP, IDT(VECTOR_TEST) | 1) },
		{ "DPL before presence", RIG_PROTECTED32_USER, SOFT, G32, 0, true, SEL_CODE, GP(IDT(VECTOR_TEST)) },
		{ "null code selector", RIG_PROTECTED32, SOFT, G32, 0, false, 0, GP(0) },
		{ "null code selector, external", RIG_PROTECTED32, EXT, G32, 0, false, 3, GP(1) },
		{ "data", RIG_PROTECTED32, SOFT, G32, 0, false, SEL_DATA, GP(SEL_DATA) },
		{ "beyond the GDT", RIG_PROTECTED32, SOFT, G32, 0, false, RIG_GDT_BYTES, GP(RIG_GDT_BYTES) },
		{ "code less privileged", RIG_PROTECTED32, SOFT, G32, 0, false, SEL_CODE3, GP(SEL_CODE3 & ~3) },
		{ "long mode good", RIG_LONG, EXT, G32, 0, false, SEL_CODE64, NONE },
		{ "long mode 16-bit gate", RIG_LONG, SOFT, DESCRIPTOR_INTERRUPT_GATE16, 0, false, SEL_CODE64,
		  GP(IDT(VECTOR_TEST)) },
		{ "long mode task gate", RIG_LONG, SOFT, DESCRIPTOR_TASK_GATE, 0, false, SEL_TSS_B,
		  GP(IDT(VECTOR_TEST)) },
		{ "long mode 32-bit code", RIG_LONG, SOFT, G32, 0, false, SEL_CODE, GP(SEL_CODE) },
		{ "long mode INT n, DPL below CPL", RIG_LONG_USER, SOFT, G32, 0, false, SEL_CODE64,
		  GP(IDT(VECTOR_TEST)) },
		{ "long mode INT n, DPL 3", RIG_COMPAT_USER, SOFT, G32, 3, false, SEL_CODE64, NONE },
		{ "long mode absent", RIG_LONG, EXT, G32, 0, true, SEL_CODE64,
		  RIG_ERROR(VECTOR_NP, IDT(VECTOR_TEST) | 1) },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		const struct gate_case *k = &cases[n];
		u32 vector;

		rig_enter(r, k->mode);
		rig_set_idt(r, VECTOR_TEST, k->type, k->dpl, k->cs);
		if (k->absent)
			rig_clear_present(r, rig_idt_entry(r, VECTOR_TEST));
		rig_deliver(r, k->event, VECTOR_TEST, false, 0);
		vector = rig_handler(r);
		check_case(k->rule, n, vector, k->want & 0xff);
		if (k->want > 0xff)
			check_case(k->rule, n, top(r, 0, cpu_in_long_mode(r->cpu) ? 8 : 4), (k->want >> 16) - 1);
	}
	rig_free(r);
}

TEST("a vector beyond the IDT's limit is #GP, in real mode as well")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	r->cpu->idtr.limit = 0x40 * 8 + 6;
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(top(r, 0, 4), IDT(0x40) | ERROR_EXT);
	rig_enter(r, RIG_PROTECTED32);
	r->cpu->idtr.limit = 0x40 * 8 + 7;
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(rig_handler(r), 0x40);
	rig_enter(r, RIG_REAL);
	r->cpu->idtr.limit = 0x40 * 4 + 2;
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	rig_free(r);
}

/* ---- what can be wrong with the new stack ---- */

TEST("a bad stack in the TSS is #TS, an absent or too small one is #SS, and the TSS must reach that far")
{
	static const struct { const char *rule; u16 ss; u32 esp, tss_limit, want; } cases[] = {
		{ "good", SEL_DATA, RIG_STACK0, 0x67, NONE },
		{ "null", 0, RIG_STACK0, 0x67, RIG_ERROR(VECTOR_TS, ERROR_EXT) },
		{ "RPL", SEL_DATA | 3, RIG_STACK0, 0x67, RIG_ERROR(VECTOR_TS, SEL_DATA | ERROR_EXT) },
		{ "DPL", SEL_DATA3 & ~3, RIG_STACK0, 0x67, RIG_ERROR(VECTOR_TS, (SEL_DATA3 & ~3) | ERROR_EXT) },
		{ "read-only", SEL_READONLY, RIG_STACK0, 0x67, RIG_ERROR(VECTOR_TS, SEL_READONLY | ERROR_EXT) },
		{ "beyond the GDT", RIG_GDT_BYTES, RIG_STACK0, 0x67, RIG_ERROR(VECTOR_TS, RIG_GDT_BYTES | ERROR_EXT) },
		{ "absent", SEL_FREE, RIG_STACK0, 0x67, RIG_ERROR(VECTOR_SS, SEL_FREE | ERROR_EXT) },
		{ "too small", SEL_FREE + 8, 0x1000 + 19, 0x67, RIG_ERROR(VECTOR_SS, (SEL_FREE + 8) | ERROR_EXT) },
		{ "just large enough", SEL_FREE + 8, 0x1000 + 20, 0x67, NONE },
		{ "TSS too small", SEL_DATA, RIG_STACK0, 8, RIG_ERROR(VECTOR_TS, SEL_TSS | ERROR_EXT) },
		{ "TSS large enough", SEL_DATA, RIG_STACK0, 9, NONE },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, RIG_PROTECTED32_USER);
		rig_set_descriptor(r, SEL_FREE, 0, RIG_FLAT, RIG_ATTR_DATA & ~SEGMENT_P);
		rig_set_descriptor(r, SEL_FREE + 8, 0, 0xfff, RIG_ATTR_DATA | SEGMENT_TYPE_EXPAND_DOWN);
		rig_put(r, RIG_TSS + 4, 4, cases[n].esp);
		rig_put(r, RIG_TSS + 8, 4, cases[n].ss);
		r->cpu->segment[SEG_TR].limit = cases[n].tss_limit;
		/* The second exception is to be seen, so its handler needs no new stack. */
		for (unsigned v = VECTOR_TS; v <= VECTOR_SS; v++)
			rig_set_idt(r, (u8)v, G32, 0, SEL_CONFORMING);
		rig_deliver(r, EVENT_EXTERNAL, VECTOR_TEST, false, 0);
		check_case(cases[n].rule, n, rig_handler(r), cases[n].want & 0xff);
		if (cases[n].want > 0xff)
			check_case(cases[n].rule, n, top(r, 0, 4), (cases[n].want >> 16) - 1);
	}
	rig_free(r);
}

TEST("a stack pointer that is not canonical is #SS in long mode")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG_USER);
	rig_put(r, RIG_TSS + 4, 8, 0x0000900000000000ull);
	rig_set_gate(r, rig_idt_entry(r, VECTOR_SS), G32, 0, SEL_CODE64, RIG_HANDLER + VECTOR_SS * 16, 1);
	rig_deliver(r, EVENT_EXTERNAL, VECTOR_TEST, false, 0);
	CHECK_EQ(rig_handler(r), VECTOR_SS);
	CHECK_EQ(top(r, 0, 8), ERROR_EXT);
	rig_free(r);
}

/* ---- combinations ---- */

/* Makes vector undeliverable: its gate is absent (#NP, contributory). */
static void break_gate(struct rig *r, u8 vector)
{
	rig_clear_present(r, rig_idt_entry(r, vector));
}

TEST("a contributory exception while delivering another or a page fault is a double fault; else it is delivered")
{
	static const struct { u8 type, first; bool error; u8 handler; } cases[] = {
		{ EVENT_EXTERNAL, 0x40, false, VECTOR_NP },    { EVENT_NMI, VECTOR_NMI, false, VECTOR_NP },
		{ SOFT, VECTOR_GP, false, VECTOR_NP },         { EVENT_EXCEPTION, VECTOR_UD, false, VECTOR_NP },
		{ EVENT_EXCEPTION, VECTOR_DB, false, VECTOR_NP }, { EVENT_EXCEPTION, VECTOR_AC, true, VECTOR_NP },
		{ EVENT_EXCEPTION, VECTOR_DE, false, VECTOR_DF }, { EVENT_EXCEPTION, VECTOR_TS, true, VECTOR_DF },
		{ EVENT_EXCEPTION, VECTOR_SS, true, VECTOR_DF },  { EVENT_EXCEPTION, VECTOR_GP, true, VECTOR_DF },
		{ EVENT_EXCEPTION, VECTOR_PF, true, VECTOR_DF },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, RIG_PROTECTED32);
		break_gate(r, cases[n].first);
		rig_deliver(r, cases[n].type, cases[n].first, cases[n].error, 0);
		check_case("handler", n, rig_handler(r), cases[n].handler);
		if (cases[n].handler == VECTOR_DF)
			CHECK_EQ(top(r, 0, 4), 0);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 16); /* one frame, not two */
	}
	rig_free(r);
}

TEST("an exception while delivering a double fault shuts the processor down")
{
	static const u8 modes[] = { RIG_PROTECTED32, RIG_LONG, RIG_V86 };
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(modes); n++) {
		rig_enter(r, modes[n]);
		break_gate(r, VECTOR_GP);
		break_gate(r, VECTOR_DF);
		rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 0);
		CHECK_EQ(r->cpu->activity, CPU_SHUTDOWN);
		CHECK(!r->cpu->event.valid);
	}
	/* The plain way to reset an old PC: an empty IDT. */
	rig_enter(r, RIG_REAL);
	r->cpu->idtr.limit = 0;
	rig_deliver(r, EVENT_SOFTWARE_EXCEPTION, VECTOR_BP, false, 0);
	CHECK_EQ(r->cpu->activity, CPU_SHUTDOWN);
	rig_free(r);
}

TEST("benign exceptions that meet forever shut the processor down")
{
	struct rig *r = rig_new("max-intel");

	/* #AC whose handler runs at CPL 3 on a misaligned stack raises #AC. */
	rig_enter(r, RIG_PROTECTED32_USER);
	rig_set_idt(r, VECTOR_AC, G32, 0, SEL_CONFORMING);
	r->cpu->cr0 |= CR0_AM;
	r->cpu->rflags |= RFLAGS_AC;
	r->cpu->gpr[GPR_RSP] = RIG_STACK - 1;
	core_mode_changed(r->c);
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_AC, true, 0);
	CHECK_EQ(r->cpu->activity, CPU_SHUTDOWN);
	rig_free(r);
}

/* ---- software events ---- */

TEST("INT n pushes the next instruction; an exception on its way pushes INT n itself")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	CHECK_EQ(RIG_STEP(r, 0xcd, 0x40), STEP_TRAP);
	CHECK_EQ(rig_event(r), 0x40);
	core_deliver_event(r->c);
	CHECK_EQ(rig_handler(r), 0x40);
	CHECK_EQ(top(r, 0, 4), RIG_CODE + 2);
	rig_enter(r, RIG_PROTECTED32_USER);
	CHECK_EQ(RIG_STEP(r, 0xcd, 0x40), STEP_TRAP);
	core_deliver_event(r->c);
	CHECK_EQ(rig_handler(r), VECTOR_GP);
	CHECK_EQ(top(r, 0, 4), IDT(0x40));
	CHECK_EQ(top(r, 1, 4), RIG_CODE);
	rig_free(r);
}

TEST("INT3, INTO and INT1 raise their vectors; INTO only if OF is set")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	CHECK_EQ(RIG_STEP(r, 0xcc), STEP_TRAP);
	CHECK_EQ(r->cpu->event.vector, VECTOR_BP);
	CHECK_EQ(r->cpu->event.type, EVENT_SOFTWARE_EXCEPTION);
	CHECK_EQ(RIG_STEP(r, 0xce), STEP_NEXT);
	r->cpu->status |= CPU_STATUS_OF;
	CHECK_EQ(RIG_STEP(r, 0xce), STEP_TRAP);
	CHECK_EQ(r->cpu->event.vector, VECTOR_OF);
	CHECK_EQ(RIG_STEP(r, 0xf1), STEP_TRAP);
	CHECK_EQ(r->cpu->event.vector, VECTOR_DB);
	CHECK_EQ(r->cpu->event.type, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
	rig_free(r);
}

TEST("BOUND compares signed and faults outside")
{
	static const struct { u32 index, want; } cases[] = {
		{ (u32)-5, RIG_NO_EVENT }, { 9, RIG_NO_EVENT }, { (u32)-6, VECTOR_BR }, { 10, VECTOR_BR },
	};
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	rig_put(r, RIG_DATA, 8, 9ull << 32 | (u32)-5);
	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		r->cpu->gpr[GPR_RAX] = cases[n].index;
		r->cpu->gpr[GPR_RCX] = RIG_DATA;
		(void)RIG_STEP(r, 0x62, 0x01);
		check_case("bound", n, rig_event(r), cases[n].want);
	}
	rig_free(r);
}

struct v86_case {
	const char *rule;
	bool vme;
	u8 iopl, bitmap;
	u32 want; /* 0x40: the IDT's handler; 0x140: the 8086 program's; else an exception */
	u64 pushed, rflags; /* of IF and VIF, IOPL: image and afterwards */
};

TEST("INT n in virtual-8086 mode goes one of six ways, by IOPL, CR4.VME and the redirection bitmap")
{
	static const struct v86_case cases[] = {
		{ "method 1", false, 3, 1, 0x40, 0, 0 },
		{ "method 2", false, 0, 1, GP(0), 0, 0 },
		{ "method 3", true, 2, 1, GP(0), 0, 0 },
		{ "method 4", true, 3, 1, 0x40, 0, 0 },
		{ "method 5", true, 3, 0, 0x140, RFLAGS_IF | RFLAGS_IOPL, RFLAGS_IOPL | RFLAGS_VIF },
		{ "method 6", true, 0, 0, 0x140, RFLAGS_IF | RFLAGS_IOPL, RFLAGS_IF },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		const struct v86_case *k = &cases[n];
		u64 seen = RFLAGS_IF | RFLAGS_VIF | RFLAGS_IOPL;

		rig_enter(r, RIG_V86);
		rig_set_idt(r, 0x40, G32, 3, SEL_CODE);
		rig_put(r, 0x40 * 4, 4, 0x20001234);
		rig_put(r, RIG_TSS + 102, 2, 0x200);
		rig_put(r, RIG_TSS + 0x200 - 32 + 8, 1, k->bitmap);
		r->cpu->cr4 = k->vme ? CR4_VME : 0;
		r->cpu->rflags |= (u64)k->iopl << RFLAGS_IOPL_SHIFT | RFLAGS_IF | RFLAGS_VIF | RFLAGS_TF;
		if (RIG_STEP(r, 0xcd, 0x40) == STEP_FAULT) {
			check_case(k->rule, n, rig_event(r), k->want);
			continue;
		}
		core_deliver_event(r->c);
		if (k->want == 0x40) {
			check_case(k->rule, n, rig_handler(r), 0x40);
			continue;
		}
		check_case(k->rule, n, k->want, 0x140);
		CHECK(cpu_in_v86_mode(r->cpu));
		CHECK_EQ(r->cpu->rip, 0x1234);
		CHECK_EQ(r->cpu->segment[SEG_CS].base, 0x20000);
		CHECK_EQ(top(r, 0, 2), 2);
		CHECK_EQ(top(r, 2, 2) & seen, k->pushed);
		CHECK_EQ(r->cpu->rflags & (seen | RFLAGS_TF), k->rflags);
	}
	rig_free(r);
}

TEST("VIF and VIP both set are #GP before the next instruction, where virtual interrupts are on")
{
	static const struct { u8 mode; u64 cr4, rflags; unsigned handler; } cases[] = {
		{ RIG_V86, CR4_VME, RFLAGS_VIF | RFLAGS_VIP, VECTOR_GP },
		{ RIG_V86, CR4_VME, RFLAGS_VIP, RIG_NO_EVENT },
		{ RIG_V86, 0, RFLAGS_VIF | RFLAGS_VIP, RIG_NO_EVENT },
		{ RIG_PROTECTED32_USER, CR4_PVI, RFLAGS_VIF | RFLAGS_VIP, VECTOR_GP },
		{ RIG_PROTECTED32_USER, CR4_VME, RFLAGS_VIF | RFLAGS_VIP, RIG_NO_EVENT },
		{ RIG_PROTECTED32, CR4_PVI, RFLAGS_VIF | RFLAGS_VIP, RIG_NO_EVENT },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, cases[n].mode);
		r->cpu->cr4 = cases[n].cr4;
		r->cpu->rflags |= cases[n].rflags;
		(void)rig_run(r, (const u8[]){ 0x90, 0x90 }, 2, 1);
		check_case("handler", n, rig_handler(r), cases[n].handler);
	}
	rig_free(r);
}

/* ---- flags, payload, blocking ---- */

TEST("RF is set in the image of faults only")
{
	static const struct { u8 type, vector; u64 payload; bool rf; } cases[] = {
		{ EVENT_EXCEPTION, VECTOR_UD, 0, true }, { EVENT_EXCEPTION, VECTOR_PF, 0, true },
		{ EVENT_EXCEPTION, VECTOR_DB, DR6_BS, false }, { EVENT_EXCEPTION, VECTOR_DB, DR6_BD, true },
		{ EVENT_EXCEPTION, VECTOR_DF, 0, false }, { EVENT_EXTERNAL, 0x40, 0, false },
		{ EVENT_NMI, VECTOR_NMI, 0, false }, { EVENT_SOFTWARE_INTERRUPT, 0x40, 0, false },
		{ EVENT_SOFTWARE_EXCEPTION, VECTOR_BP, 0, false },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, RIG_LONG);
		r->cpu->event = (struct cpu_event){
			.valid = true, .vector = cases[n].vector, .type = cases[n].type, .payload = cases[n].payload,
		};
		core_deliver_event(r->c);
		check_case("RF", n, !!(top(r, 2, 8) & RFLAGS_RF), cases[n].rf);
		CHECK(!(r->cpu->rflags & RFLAGS_RF));
	}
	/* An interrupt keeps an RF that is waiting for its instruction. */
	rig_enter(r, RIG_LONG);
	r->cpu->rflags |= RFLAGS_RF;
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK(top(r, 2, 8) & RFLAGS_RF);
	rig_free(r);
}

TEST("delivery sets CR2 and DR6, clears DR7.GD and the debug control's flags")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	(void)core_raise_page_fault(r->c, NULL, 0x123456789000ull, PF_ERROR_W);
	CHECK_EQ(r->cpu->cr2, 0);
	core_deliver_event(r->c);
	CHECK_EQ(r->cpu->cr2, 0x123456789000ull);
	rig_enter(r, RIG_LONG);
	r->cpu->dr6 |= DR6_B0 | DR6_BT;
	r->cpu->dr7 |= DR7_GD;
	r->cpu->debugctl = DEBUGCTL_BTF | DEBUGCTL_LBR;
	r->cpu->event = (struct cpu_event){
		.valid = true, .vector = VECTOR_DB, .type = EVENT_EXCEPTION, .payload = DR6_BS | BIT(1),
	};
	core_deliver_event(r->c);
	CHECK_EQ(r->cpu->dr6, DR6_FIXED | DR6_BT | DR6_BS | BIT(1));
	CHECK(!(r->cpu->dr7 & DR7_GD));
	CHECK_EQ(r->cpu->debugctl, 0);
	/* INT1 is a debug exception without a cause in DR6. */
	rig_enter(r, RIG_LONG);
	r->cpu->dr7 |= DR7_GD;
	CHECK_EQ(RIG_STEP(r, 0xf1), STEP_TRAP);
	core_deliver_event(r->c);
	CHECK_EQ(r->cpu->dr6, DR6_FIXED);
	CHECK(!(r->cpu->dr7 & DR7_GD));
	rig_free(r);
}

TEST("an NMI blocks NMIs until an IRET; every event ends the shadow of STI and MOV SS")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	r->cpu->interruptibility = CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS;
	rig_deliver(r, EVENT_NMI, VECTOR_NMI, false, 0);
	CHECK_EQ(r->cpu->interruptibility, CPU_BLOCKED_BY_NMI);
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcf), STEP_BREAK);
	CHECK_EQ(r->cpu->interruptibility, 0);
	CHECK_EQ(r->cpu->rip, RIG_CODE);
	rig_free(r);
}

/* ---- page faults on the way ---- */

/* 32-bit paging: all RAM is mapped one to one, except page `absent`; below 64 KiB for the supervisor only. */
static void map_memory(struct rig *r, unsigned absent)
{
	enum { DIRECTORY = 0xe0000, TABLE = 0xe1000, PRESENT = 1, WRITABLE = 2, USER = 4 };

	rig_put(r, DIRECTORY, 4, TABLE | PRESENT | WRITABLE | USER);
	for (unsigned page = 0; page < RIG_RAM >> PAGE_SHIFT; page++) {
		u32 user = page << PAGE_SHIFT >= 0x10000 ? USER : 0;

		if (page << PAGE_SHIFT != absent)
			rig_put(r, TABLE + page * 4, 4, page << PAGE_SHIFT | PRESENT | WRITABLE | user);
	}
	r->cpu->cr3 = DIRECTORY;
	r->cpu->cr0 |= CR0_PG | CR0_WP;
	tlb_flush_all(r->c);
	core_mode_changed(r->c);
}

TEST("a page fault on an inner stack is the supervisor's, on the current one the program's, and leaves all as it was")
{
	static const struct { u16 cs; unsigned absent; u32 error; } cases[] = {
		{ SEL_CODE, RIG_STACK0 - 0x1000, PF_ERROR_W },
		{ SEL_CONFORMING, RIG_STACK - 0x1000, PF_ERROR_W | PF_ERROR_U },
		{ SEL_CODE, RIG_IDT, 0 }, /* the table itself: implicitly the supervisor's */
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, RIG_PROTECTED32_USER);
		if (cases[n].absent == RIG_IDT) {
			r->cpu->idtr.base = RIG_IDT - VECTOR_AC * 8; /* INT's gate in the absent page, #PF's is not */
			memmove(r->ram + r->cpu->idtr.base, r->ram + RIG_IDT, 256 * 8);
		} else {
			rig_set_idt(r, 0x40, G32, 3, cases[n].cs);
		}
		rig_put(r, (unsigned)r->cpu->idtr.base + VECTOR_PF * 8 + 2, 2, SEL_CODE1);
		map_memory(r, cases[n].absent);
		CHECK_EQ(RIG_STEP(r, 0xcd, 0x40), STEP_TRAP);
		core_deliver_event(r->c);
		/* The page fault's own frame, on another stack, shows what it found. */
		CHECK_EQ(rig_handler(r), VECTOR_PF);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK1 - 24);
		check_case("error code", n, top(r, 0, 4), cases[n].error);
		CHECK_EQ(top(r, 1, 4), RIG_CODE);
		CHECK_EQ(top(r, 2, 4), SEL_CODE3);
		CHECK_EQ(top(r, 4, 4), RIG_STACK);
		CHECK_EQ(top(r, 5, 4), SEL_DATA3);
	}
	rig_free(r);
}

TEST("a page fault while delivering a page fault is a double fault with CR2 of the second; after #GP it is delivered")
{
	struct rig *r = rig_new("max-intel");

	/* The page fault's gate lies in a page that is absent; the double fault's does not. */
	rig_enter(r, RIG_PROTECTED32);
	r->cpu->idtr.base = RIG_IDT - VECTOR_GP * 8;
	memmove(r->ram + r->cpu->idtr.base, r->ram + RIG_IDT, 256 * 8);
	map_memory(r, RIG_IDT);
	(void)core_raise_page_fault(r->c, NULL, 0xabcd0000, 0);
	core_deliver_event(r->c);
	CHECK_EQ(rig_handler(r), VECTOR_DF);
	CHECK_EQ(r->cpu->cr2, RIG_IDT + 8);
	/* #GP's gate is the page's first: its absence gives #PF, whose gate is absent too. */
	rig_enter(r, RIG_PROTECTED32);
	r->cpu->idtr.base = RIG_IDT - VECTOR_GP * 8;
	memmove(r->ram + r->cpu->idtr.base, r->ram + RIG_IDT, 256 * 8);
	map_memory(r, RIG_IDT);
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 0);
	CHECK_EQ(rig_handler(r), VECTOR_DF);
	CHECK_EQ(r->cpu->cr2, RIG_IDT + 8);
	/* A page fault alone after #GP: the stack of #GP's handler is absent, the page fault's is not. */
	rig_enter(r, RIG_PROTECTED32_USER);
	rig_set_idt(r, VECTOR_PF, G32, 0, SEL_CODE1);
	map_memory(r, RIG_STACK0 - 0x1000);
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 0);
	CHECK_EQ(rig_handler(r), VECTOR_PF);
	CHECK_EQ(r->cpu->cr2, RIG_STACK0 - 24 + 20);
	rig_free(r);
}

/* Far jumps, calls and returns, IRET and the fast system calls: src/cpu/far_*.c, each rule both ways. */
#include "rig.h"
#include "test.h"

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define NP(error) RIG_ERROR(VECTOR_NP, error)
#define SS(error) RIG_ERROR(VECTOR_SS, error)
#define TS(error) RIG_ERROR(VECTOR_TS, error)
#define OK RIG_NO_EVENT

#define TARGET 0x4321

static void check_case(const char *rule, unsigned index, u64 got, u64 want)
{
	if (!test_check_eq(got, want, __FILE__, __LINE__, rule))
		printf("    case %u\n", index);
}

static u64 stacked(const struct rig *r, unsigned slot, unsigned bytes)
{
	u64 mask = stack_mask(r->c), base = cpu_in_64bit_mode(r->cpu) ? 0 : r->cpu->segment[SEG_SS].base;

	return rig_get(r, (unsigned)(base + ((r->cpu->gpr[GPR_RSP] + slot * bytes) & mask)), bytes);
}

/* JMP FAR or CALL FAR with a 32-bit offset, the pointer in the code, or in memory in 64-bit mode. */
static enum step far_to(struct rig *r, bool call, u16 selector, u32 offset)
{
	u8 direct[] = { call ? 0x9a : 0xea, 0, 0, 0, 0, (u8)selector, (u8)(selector >> 8) };
	u8 indirect[] = { 0xff, call ? 0x19 : 0x29 }; /* [rcx] */

	if (!cpu_in_64bit_mode(r->cpu)) {
		memcpy(direct + 1, &offset, 4);
		return rig_step(r, direct, sizeof(direct));
	}
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 4, offset);
	rig_put(r, RIG_DATA + 4, 2, selector);
	return rig_step(r, indirect, sizeof(indirect));
}

/* ---- direct ---- */

struct far_case {
	const char *rule;
	u8 mode;
	u16 selector;
	u32 jump, call; /* expected events */
	u16 cs; /* CS after success; 0: selector */
};

enum { SEL_ABSENT = SEL_FREE, SEL_SMALL = SEL_FREE + 8, SEL_BOTH = SEL_FREE + 16, SEL_CONF1 = SEL_FREE + 24 };

static void fill_code(struct rig *r)
{
	rig_set_descriptor(r, SEL_ABSENT, 0, RIG_FLAT, RIG_ATTR_CODE & ~SEGMENT_P);
	rig_set_descriptor(r, SEL_SMALL, 0, TARGET - 1, RIG_ATTR_CODE);
	rig_set_descriptor(r, SEL_BOTH, 0, RIG_FLAT, RIG_ATTR_CODE | SEGMENT_L);
	rig_set_descriptor(r, SEL_CONF1, 0, RIG_FLAT, RIG_ATTR_CODE | SEGMENT_TYPE_CONFORMING | RIG_DPL(1));
}

TEST("a direct far transfer goes to code of the same level, or to conforming code of the same or a more privileged one")
{
	static const struct far_case cases[] = {
		{ "same level", RIG_PROTECTED32, SEL_CODE, OK, OK, 0 },
		{ "16-bit code", RIG_PROTECTED32, SEL_CODE16, OK, OK, 0 },
		{ "execute-only", RIG_PROTECTED32, SEL_EXECONLY, OK, OK, 0 },
		{ "same level, CPL 3", RIG_PROTECTED32_USER, SEL_CODE3, OK, OK, 0 },
		{ "RPL below CPL becomes CPL", RIG_PROTECTED32_USER, SEL_CODE3 & ~3, OK, OK, SEL_CODE3 },
		{ "RPL above CPL", RIG_PROTECTED32, SEL_CODE | 1, GP(SEL_CODE), GP(SEL_CODE), 0 },
		{ "inward", RIG_PROTECTED32_USER, SEL_CODE, GP(SEL_CODE), GP(SEL_CODE), 0 },
		{ "outward", RIG_PROTECTED32, SEL_CODE3 & ~3, GP(SEL_CODE3 & ~3), GP(SEL_CODE3 & ~3), 0 },
		{ "conforming inward", RIG_PROTECTED32_USER, SEL_CONFORMING, OK, OK, SEL_CONFORMING | 3 },
		{ "conforming with any RPL", RIG_PROTECTED32, SEL_CONFORMING | 3, OK, OK, SEL_CONFORMING },
		{ "conforming outward", RIG_PROTECTED32, SEL_CONF1, GP(SEL_CONF1), GP(SEL_CONF1), 0 },
		{ "null", RIG_PROTECTED32, 2, GP(0), GP(0), 0 },
		{ "data", RIG_PROTECTED32, SEL_DATA, GP(SEL_DATA), GP(SEL_DATA), 0 },
		{ "LDT", RIG_PROTECTED32, SEL_LDT, GP(SEL_LDT), GP(SEL_LDT), 0 },
		{ "busy TSS", RIG_PROTECTED32, SEL_TSS, GP(SEL_TSS), GP(SEL_TSS), 0 },
		{ "beyond the table", RIG_PROTECTED32, RIG_GDT_BYTES, GP(RIG_GDT_BYTES), GP(RIG_GDT_BYTES), 0 },
		{ "absent", RIG_PROTECTED32, SEL_ABSENT, NP(SEL_ABSENT), NP(SEL_ABSENT), 0 },
		{ "privilege before presence", RIG_PROTECTED32_USER, SEL_ABSENT, GP(SEL_ABSENT), GP(SEL_ABSENT), 0 },
		{ "beyond the new limit", RIG_PROTECTED32, SEL_SMALL, GP(0), GP(0), 0 },
		{ "64-bit to compatibility", RIG_LONG, SEL_CODE, OK, OK, 0 },
		{ "compatibility to 64-bit", RIG_COMPAT, SEL_CODE64, OK, OK, 0 },
		{ "L and D", RIG_LONG, SEL_BOTH, GP(SEL_BOTH), GP(SEL_BOTH), 0 },
		{ "L outside long mode means nothing", RIG_PROTECTED32, SEL_BOTH, OK, OK, 0 },
		{ "TSS in long mode", RIG_LONG, SEL_TSS_B, GP(SEL_TSS_B), GP(SEL_TSS_B), 0 },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		const struct far_case *k = &cases[n];

		for (unsigned call = 0; call < 2; call++) {
			u64 rsp, next;

			rig_enter(r, k->mode);
			fill_code(r);
			rsp = r->cpu->gpr[GPR_RSP];
			next = r->cpu->rip + (k->mode == RIG_LONG ? 2 : 7);
			(void)far_to(r, call, k->selector, TARGET);
			check_case(k->rule, n, rig_event(r), call ? k->call : k->jump);
			if (rig_event(r) != OK) {
				CHECK_EQ(r->cpu->gpr[GPR_RSP], rsp);
				continue;
			}
			check_case(k->rule, n, r->cpu->segment[SEG_CS].selector, k->cs ? k->cs : k->selector);
			CHECK_EQ(r->cpu->rip, TARGET);
			CHECK_EQ(r->cpu->gpr[GPR_RSP], call ? rsp - 8 : rsp);
			if (call)
				CHECK_EQ(rig_get(r, (unsigned)rsp - 8, 4), next);
		}
	}
	rig_free(r);
}

TEST("real and virtual-8086 mode transfer to a paragraph, within CS's limit")
{
	static const u8 modes[] = { RIG_REAL, RIG_V86 };
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < 2; n++) {
		rig_enter(r, modes[n]);
		CHECK_EQ(RIG_STEP(r, 0x9a, 0x34, 0x12, 0x00, 0x20), STEP_BREAK);
		CHECK_EQ(r->cpu->rip, 0x1234);
		CHECK_EQ(r->cpu->segment[SEG_CS].selector, 0x2000);
		CHECK_EQ(r->cpu->segment[SEG_CS].base, 0x20000);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xf000 - 4);
		CHECK_EQ(stacked(r, 0, 2), 5);
		CHECK_EQ(stacked(r, 1, 2), RIG_CODE >> 4);
		CHECK_EQ(RIG_STEP(r, 0xca, 0x10, 0x00), STEP_BREAK); /* retf 16 */
		CHECK_EQ(r->cpu->rip, 5);
		CHECK_EQ(r->cpu->segment[SEG_CS].base, RIG_CODE);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xf000 + 16);
		/* A 32-bit offset may be too large. */
		CHECK_EQ(RIG_STEP(r, 0x66, 0xea, 0x00, 0x00, 0x01, 0x00, 0x00, 0x20), STEP_FAULT);
		CHECK_EQ(rig_event(r), GP(0));
	}
	rig_free(r);
}

/* ---- call gates ---- */

struct gate_case {
	const char *rule;
	u8 mode, type, dpl;
	u16 selector, code; /* through which the transfer goes, and the gate's own */
	u32 jump, call;
};

enum { GATE = SEL_FREE, GATE_ABSENT = SEL_FREE + 16 };

TEST("a call gate is open to CPL and RPL up to its DPL; CALL goes inward, JMP does not")
{
	static const struct gate_case cases[] = {
		{ "same level", RIG_PROTECTED32, 12, 0, GATE, SEL_CODE, OK, OK },
		{ "inward", RIG_PROTECTED32_USER, 12, 3, GATE, SEL_CODE, GP(SEL_CODE), OK },
		{ "inward to level 1", RIG_PROTECTED32_USER, 12, 3, GATE, SEL_CODE1 & ~3, GP(SEL_CODE1 & ~3), OK },
		{ "conforming", RIG_PROTECTED32_USER, 12, 3, GATE, SEL_CONFORMING, OK, OK },
		{ "outward", RIG_PROTECTED32, 12, 0, GATE, SEL_CODE3, GP(SEL_CODE3 & ~3), GP(SEL_CODE3 & ~3) },
		{ "CPL above the gate's DPL", RIG_PROTECTED32_USER, 12, 2, GATE, SEL_CODE, GP(GATE), GP(GATE) },
		{ "RPL above the gate's DPL", RIG_PROTECTED32, 12, 2, GATE | 3, SEL_CODE, GP(GATE), GP(GATE) },
		{ "absent", RIG_PROTECTED32, 12, 0, GATE_ABSENT, SEL_CODE, NP(GATE_ABSENT), NP(GATE_ABSENT) },
		{ "to nothing", RIG_PROTECTED32, 12, 0, GATE, 0, GP(0), GP(0) },
		{ "to data", RIG_PROTECTED32, 12, 0, GATE, SEL_DATA, GP(SEL_DATA), GP(SEL_DATA) },
		{ "an interrupt gate", RIG_PROTECTED32, 14, 3, GATE, SEL_CODE, GP(GATE), GP(GATE) },
		{ "16-bit gate", RIG_PROTECTED32, 4, 0, GATE, SEL_CODE, OK, OK },
		{ "16-bit gate inward", RIG_PROTECTED32_USER, 4, 3, GATE, SEL_CODE, GP(SEL_CODE), OK },
		{ "64-bit gate", RIG_LONG, 12, 0, GATE, SEL_CODE64, OK, OK },
		{ "64-bit gate inward", RIG_LONG_USER, 12, 3, GATE, SEL_CODE64, GP(SEL_CODE64), OK },
		{ "64-bit gate from compatibility mode", RIG_COMPAT_USER, 12, 3, GATE, SEL_CODE64, GP(SEL_CODE64), OK },
		{ "64-bit gate to 32-bit code", RIG_LONG, 12, 0, GATE, SEL_CODE, GP(SEL_CODE), GP(SEL_CODE) },
		{ "16-bit gate in long mode", RIG_LONG, 4, 0, GATE, SEL_CODE64, GP(GATE), GP(GATE) },
		{ "task gate in long mode", RIG_LONG, 5, 0, GATE, SEL_TSS_B, GP(GATE), GP(GATE) },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		const struct gate_case *k = &cases[n];

		for (unsigned call = 0; call < 2; call++) {
			rig_enter(r, k->mode);
			rig_set_gate(r, RIG_GDT + GATE, k->type, k->dpl, k->code, TARGET, 0);
			rig_set_gate(r, RIG_GDT + GATE_ABSENT, k->type, k->dpl, k->code, TARGET, 0);
			rig_clear_present(r, RIG_GDT + GATE_ABSENT);
			(void)far_to(r, call, k->selector, 0x99999999);
			check_case(k->rule, n, rig_event(r), call ? k->call : k->jump);
			if (rig_event(r) == OK)
				CHECK_EQ(r->cpu->rip, TARGET);
		}
	}
	rig_free(r);
}

TEST("an inward call copies as many parameters as the gate says, and RET releases them on both stacks")
{
	static const struct { u8 type, slot; } gates[] = { { 12, 4 }, { 4, 2 } };
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < 2; n++) {
		unsigned b = gates[n].slot;

		rig_enter(r, RIG_PROTECTED32_USER);
		rig_set_gate(r, RIG_GDT + GATE, gates[n].type, 3, SEL_CODE, TARGET, 3);
		for (unsigned p = 0; p < 3; p++)
			rig_put(r, RIG_STACK + p * b, b, 0x1111 * (p + 1));
		CHECK_EQ(far_to(r, true, GATE, 0), STEP_BREAK);
		CHECK_EQ(cpu_cpl(r->cpu), 0);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK0 - 7 * b);
		CHECK_EQ(stacked(r, 0, b), (RIG_CODE + 7) & byte_mask(b));
		CHECK_EQ(stacked(r, 1, b), SEL_CODE3);
		CHECK_EQ(stacked(r, 2, b), 0x1111);
		CHECK_EQ(stacked(r, 4, b), 0x3333);
		CHECK_EQ(stacked(r, 5, b), RIG_STACK & byte_mask(b));
		CHECK_EQ(stacked(r, 6, b), SEL_DATA3);
		if (b == 2)
			(void)RIG_STEP(r, 0x66, 0xca, 6, 0);
		else
			(void)RIG_STEP(r, 0xca, 12, 0);
		CHECK_EQ(rig_event(r), OK);
		CHECK_EQ(cpu_cpl(r->cpu), 3);
		CHECK_EQ(r->cpu->rip, (RIG_CODE + 7) & byte_mask(b));
		CHECK_EQ(r->cpu->gpr[GPR_RSP], (RIG_STACK & byte_mask(b)) + 3 * b);
		CHECK_EQ(r->cpu->segment[SEG_DS].selector, SEL_DATA3);
	}
	rig_free(r);
}

TEST("a 64-bit call gate pushes eight bytes each, copies nothing, and leaves SS null")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_COMPAT_USER);
	rig_set_gate(r, RIG_GDT + GATE, 12, 3, SEL_CODE64, 0xffff800000001234ull, 3);
	CHECK_EQ(far_to(r, true, GATE, 0), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, 0xffff800000001234ull);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK0 - 32);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0);
	CHECK_EQ(cpu_cpl(r->cpu), 0);
	CHECK_EQ(stacked(r, 1, 8), SEL_CODE3);
	CHECK_EQ(stacked(r, 2, 8), RIG_STACK);
	CHECK_EQ(stacked(r, 3, 8), SEL_DATA3);
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcb), STEP_BREAK);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, SEL_CODE3);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, SEL_DATA3);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK);
	/* The second half's type field must be 0, and it must be there. */
	rig_enter(r, RIG_LONG);
	rig_set_gate(r, RIG_GDT + GATE, 12, 3, SEL_CODE64, TARGET, 0);
	rig_put(r, RIG_GDT + GATE + 12, 4, 0x100);
	CHECK_EQ(far_to(r, true, GATE, 0), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(GATE));
	rig_put(r, RIG_GDT + GATE + 12, 4, 0);
	r->cpu->gdtr.limit = GATE + 14;
	CHECK_EQ(far_to(r, true, GATE, 0), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(GATE));
	rig_free(r);
}

TEST("the inner stack of a call is checked: #TS for a bad one, #SS for an absent or small one")
{
	static const struct { const char *rule; u16 ss; u32 esp, want; } cases[] = {
		{ "good", SEL_DATA, RIG_STACK0, OK },
		{ "null", 0, RIG_STACK0, TS(0) },
		{ "DPL", SEL_DATA3 & ~3, RIG_STACK0, TS(SEL_DATA3 & ~3) },
		{ "absent", SEL_FREE + 16, RIG_STACK0, SS(SEL_FREE + 16) },
		{ "too small", SEL_FREE + 24, 0x1000 + 15, SS(SEL_FREE + 24) },
		{ "large enough", SEL_FREE + 24, 0x1000 + 16, OK },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		rig_enter(r, RIG_PROTECTED32_USER);
		rig_set_gate(r, RIG_GDT + GATE, 12, 3, SEL_CODE, TARGET, 0);
		rig_set_descriptor(r, SEL_FREE + 16, 0, RIG_FLAT, RIG_ATTR_DATA & ~SEGMENT_P);
		rig_set_descriptor(r, SEL_FREE + 24, 0, 0xfff, RIG_ATTR_DATA | SEGMENT_TYPE_EXPAND_DOWN);
		rig_put(r, RIG_TSS + 4, 4, cases[n].esp);
		rig_put(r, RIG_TSS + 8, 4, cases[n].ss);
		(void)far_to(r, true, GATE, 0);
		check_case(cases[n].rule, n, rig_event(r), cases[n].want);
		CHECK_EQ(cpu_cpl(r->cpu), cases[n].want == OK ? 0 : 3);
	}
	rig_free(r);
}

/* ---- RET and IRET in protected mode ---- */

struct return_case {
	const char *rule;
	u8 mode;
	u16 cs, ss;
	u32 rip, want;
};

/* Writes slots from RSP upward. */
static void put_slots(struct rig *r, unsigned bytes, const u64 *slot, unsigned count)
{
	u64 base = cpu_in_64bit_mode(r->cpu) ? 0 : r->cpu->segment[SEG_SS].base;

	for (unsigned n = 0; n < count; n++)
		rig_put(r, (unsigned)(base + r->cpu->gpr[GPR_RSP] + n * bytes), bytes, slot[n]);
}

static void fill_returns(struct rig *r)
{
	rig_set_descriptor(r, SEL_ABSENT, 0, RIG_FLAT, (RIG_ATTR_CODE & ~SEGMENT_P) | RIG_DPL(3));
	rig_set_descriptor(r, SEL_SMALL, 0, TARGET - 1, RIG_ATTR_CODE);
	rig_set_descriptor(r, SEL_BOTH, 0, RIG_FLAT, (RIG_ATTR_DATA & ~SEGMENT_P) | RIG_DPL(3));
	rig_set_descriptor(r, SEL_CONF1, 0, RIG_FLAT, RIG_ATTR_CODE | SEGMENT_TYPE_CONFORMING | RIG_DPL(1));
}

static const struct return_case returns[] = {
	{ "same level", RIG_PROTECTED32, SEL_CODE, 0, TARGET, OK },
	{ "outward", RIG_PROTECTED32, SEL_CODE3, SEL_DATA3, TARGET, OK },
	{ "inward", RIG_PROTECTED32_USER, SEL_CODE, SEL_DATA, TARGET, GP(SEL_CODE) },
	{ "null CS", RIG_PROTECTED32, 0, 0, TARGET, GP(0) },
	{ "data as CS", RIG_PROTECTED32, SEL_DATA, 0, TARGET, GP(SEL_DATA) },
	{ "RPL is not DPL", RIG_PROTECTED32, SEL_CODE | 3, SEL_DATA3, TARGET, GP(SEL_CODE) },
	{ "conforming, DPL below RPL", RIG_PROTECTED32, SEL_CONFORMING | 3, SEL_DATA3, TARGET, OK },
	{ "conforming, DPL above RPL", RIG_PROTECTED32, SEL_CONF1, 0, TARGET, GP(SEL_CONF1) },
	{ "absent CS", RIG_PROTECTED32, SEL_ABSENT | 3, SEL_DATA3, TARGET, NP(SEL_ABSENT) },
	{ "beyond CS's limit", RIG_PROTECTED32, SEL_SMALL, 0, TARGET, GP(0) },
	{ "null SS", RIG_PROTECTED32, SEL_CODE3, 3, TARGET, GP(0) },
	{ "SS of another level", RIG_PROTECTED32, SEL_CODE3, SEL_DATA, TARGET, GP(SEL_DATA) },
	{ "SS's RPL", RIG_PROTECTED32, SEL_CODE3, SEL_DATA3 & ~3, TARGET, GP(SEL_DATA3 & ~3) },
	{ "code as SS", RIG_PROTECTED32, SEL_CODE3, SEL_CODE3, TARGET, GP(SEL_CODE3 & ~3) },
	{ "absent SS", RIG_PROTECTED32, SEL_CODE3, SEL_BOTH | 3, TARGET, SS(SEL_BOTH) },
	{ "64-bit outward", RIG_LONG, SEL_CODE64_3, SEL_DATA3, TARGET, OK },
	{ "64-bit outward to compatibility mode", RIG_LONG, SEL_CODE3, SEL_DATA3, TARGET, OK },
	{ "64-bit to CPL 3 with null SS", RIG_LONG, SEL_CODE64_3, 3, TARGET, GP(0) },
	{ "compatibility outward", RIG_COMPAT, SEL_CODE64_3, SEL_DATA3, TARGET, OK },
};

static void check_return(struct rig *r, const struct return_case *k, unsigned n, bool iret)
{
	u64 slot[] = { k->rip, k->cs, 0, RIG_STACK1, k->ss };
	bool wide = k->mode == RIG_LONG;
	u64 before;

	rig_enter(r, k->mode);
	fill_returns(r);
	if (wide && iret && !k->ss)
		slot[4] = SEL_DATA;
	if (!iret)
		memmove(slot + 2, slot + 3, 2 * sizeof(*slot));
	put_slots(r, wide ? 8 : 4, slot, 5);
	before = r->cpu->gpr[GPR_RSP];
	(void)(wide ? RIG_STEP(r, 0x48, iret ? 0xcf : 0xcb) : RIG_STEP(r, iret ? 0xcf : 0xcb));
	check_case(k->rule, n, rig_event(r), k->want);
	if (k->want != OK) {
		CHECK_EQ(r->cpu->gpr[GPR_RSP], before);
		CHECK_EQ(r->cpu->rip, RIG_CODE);
		return;
	}
	CHECK_EQ(r->cpu->rip, k->rip);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, k->cs);
	CHECK_EQ(cpu_cpl(r->cpu), k->cs & 3);
	if (k->cs & 3) {
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK1);
		/* The data segments were the kernel's. */
		CHECK_EQ(r->cpu->segment[SEG_DS].selector, 0);
		CHECK(r->cpu->segment[SEG_DS].attributes & SEGMENT_UNUSABLE);
	}
}

TEST("RET and IRET go to the same level or outward, with CS and SS checked before anything changes")
{
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(returns); n++) {
		check_return(r, &returns[n], n, false);
		check_return(r, &returns[n], n, true);
	}
	rig_free(r);
}

TEST("an outward return keeps data segments that the outer level may have, and the bases of null FS and GS")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	rig_load(r, SEG_DS, SEL_DATA3);
	rig_load(r, SEG_ES, SEL_CONFORMING);
	r->cpu->segment[SEG_FS] = segment_null_stack(2, 0);
	r->cpu->segment[SEG_FS].base = 0x7f0000001000;
	put_slots(r, 8, (const u64[]){ TARGET, SEL_CODE64_3, 0, RIG_STACK1, SEL_DATA3 }, 5);
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcf), STEP_BREAK);
	CHECK_EQ(r->cpu->segment[SEG_DS].selector, SEL_DATA3);
	CHECK_EQ(r->cpu->segment[SEG_ES].selector, SEL_CONFORMING);
	CHECK_EQ(r->cpu->segment[SEG_FS].selector, 0);
	CHECK_EQ(r->cpu->segment[SEG_FS].base, 0x7f0000001000);
	rig_free(r);
}

TEST("IRETQ at the same level loads SS:RSP, also a null SS below CPL 3")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	put_slots(r, 8, (const u64[]){ 0xffff800000000000ull, SEL_CODE64, RFLAGS_IF, 0x123456789abcdef0ull, 0 }, 5);
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcf), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, 0xffff800000000000ull);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0x123456789abcdef0ull);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0);
	CHECK(r->cpu->segment[SEG_SS].attributes & SEGMENT_UNUSABLE);
	CHECK_EQ(cpu_cpl(r->cpu), 0);
	/* Not to compatibility code, and not to an address that is not canonical. */
	rig_enter(r, RIG_LONG);
	put_slots(r, 8, (const u64[]){ TARGET, SEL_CODE, 0, RIG_STACK1, 0 }, 5);
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcf), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	rig_enter(r, RIG_LONG);
	put_slots(r, 8, (const u64[]){ 0x0000800000000000ull, SEL_CODE64, 0, RIG_STACK1, SEL_DATA }, 5);
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcf), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	rig_free(r);
}

TEST("a return to a 16-bit stack changes only SP")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	put_slots(r, 4, (const u64[]){ TARGET, SEL_CODE3, 0, 0x55551234, SEL_DATA16_3 }, 5);
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_BREAK);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], (RIG_STACK & ~0xffffu) | 0x1234);
	rig_free(r);
}

TEST("IRET changes IF and IOPL only as far as privilege goes, the upper half only if it pops it, and never VM")
{
	static const struct { u8 mode, iopl; bool narrow; u64 want; } cases[] = {
		{ RIG_PROTECTED32, 0, false,
		  RFLAGS_IF | RFLAGS_IOPL | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID | RFLAGS_RF },
		{ RIG_PROTECTED32, 0, true, RFLAGS_IF | RFLAGS_IOPL },
		{ RIG_PROTECTED32_USER, 0, false, RFLAGS_AC | RFLAGS_ID | RFLAGS_RF },
		{ RIG_PROTECTED32_USER, 3, false, RFLAGS_IF | RFLAGS_IOPL | RFLAGS_AC | RFLAGS_ID | RFLAGS_RF },
		{ RIG_PROTECTED32_USER, 3, true, RFLAGS_IF | RFLAGS_IOPL },
	};
	static const u64 always = RFLAGS_CF | RFLAGS_TF | RFLAGS_DF | RFLAGS_OF | RFLAGS_NT | RFLAGS_FIXED;
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		bool user = cases[n].mode == RIG_PROTECTED32_USER;
		u64 image = cases[n].want | always | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_AC | RFLAGS_ID | RFLAGS_RF |
			    RFLAGS_VIF | RFLAGS_VIP;

		if (user)
			image |= RFLAGS_VM;
		rig_enter(r, cases[n].mode);
		r->cpu->rflags |= (u64)cases[n].iopl << RFLAGS_IOPL_SHIFT;
		put_slots(r, cases[n].narrow ? 2 : 4, (const u64[]){ TARGET, user ? SEL_CODE3 : SEL_CODE, image }, 3);
		CHECK_EQ(cases[n].narrow ? RIG_STEP(r, 0x66, 0xcf) : RIG_STEP(r, 0xcf), STEP_BREAK);
		check_case("flags", n, cpu_rflags(r->cpu), cases[n].want | always);
	}
	rig_free(r);
}

/* ---- IRET and virtual-8086 mode ---- */

TEST("IRETD at CPL 0 with VM in the image enters virtual-8086 mode with all its segments")
{
	const u64 slot[] = {
		0x1234, 0x1111, RFLAGS_VM | RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VIF,
		0xfff0, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666,
	};
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	put_slots(r, 4, slot, 9);
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_BREAK);
	CHECK(cpu_in_v86_mode(r->cpu));
	CHECK_EQ(cpu_cpl(r->cpu), 3);
	CHECK_EQ(r->cpu->rip, 0x1234);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xfff0);
	CHECK_EQ(cpu_rflags(r->cpu), slot[2] | RFLAGS_FIXED);
	CHECK_EQ(r->cpu->segment[SEG_CS].base, 0x11110);
	CHECK_EQ(r->cpu->segment[SEG_SS].base, 0x22220);
	CHECK_EQ(r->cpu->segment[SEG_ES].base, 0x33330);
	CHECK_EQ(r->cpu->segment[SEG_DS].base, 0x44440);
	CHECK_EQ(r->cpu->segment[SEG_FS].base, 0x55550);
	CHECK_EQ(r->cpu->segment[SEG_GS].base, 0x66660);
	CHECK_EQ(r->cpu->segment[SEG_GS].attributes, 0xf3);
	CHECK_EQ(r->cpu->segment[SEG_GS].limit, 0xffff);
	/* EIP must fit. */
	rig_enter(r, RIG_PROTECTED32);
	put_slots(r, 4, slot, 9);
	rig_put(r, RIG_STACK, 4, 0x10000);
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK(!cpu_in_v86_mode(r->cpu));
	/* In long mode VM means nothing. */
	rig_enter(r, RIG_COMPAT);
	put_slots(r, 4, (const u64[]){ TARGET, SEL_CODE, RFLAGS_VM }, 3);
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_BREAK);
	CHECK(!cpu_in_v86_mode(r->cpu));
	rig_free(r);
}

TEST("IRET in virtual-8086 mode needs IOPL 3, or CR4.VME with 16-bit operands, where VIF stands for IF")
{
	static const struct {
		const char *rule;
		u8 iopl;
		bool vme, wide, vip;
		u64 image;
		u32 want;
		u64 rflags;
	} cases[] = {
		{ "IOPL 3", 3, false, false, false, RFLAGS_IF, OK, RFLAGS_IF | RFLAGS_IOPL },
		{ "IOPL 3 keeps IOPL", 3, false, true, false, 0, OK, RFLAGS_IOPL },
		{ "IOPL 0", 0, false, false, false, RFLAGS_IF, GP(0), 0 },
		{ "VME", 0, true, false, false, RFLAGS_IF | RFLAGS_IOPL, OK, RFLAGS_VIF },
		{ "VME clears VIF", 0, true, false, false, 0, OK, 0 },
		{ "VME, 32-bit operands", 0, true, true, false, RFLAGS_IF, GP(0), 0 },
		{ "VME, interrupt pending", 0, true, false, true, RFLAGS_IF, GP(0), 0 },
		{ "VME, interrupt pending, IF stays 0", 0, true, false, true, 0, OK, 0 },
		{ "VME, TF", 0, true, false, false, RFLAGS_TF, GP(0), 0 },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		unsigned bytes = cases[n].wide ? 4 : 2;

		rig_enter(r, RIG_V86);
		r->cpu->cr4 = cases[n].vme ? CR4_VME : 0;
		r->cpu->rflags |= (u64)cases[n].iopl << RFLAGS_IOPL_SHIFT | (cases[n].vip ? RFLAGS_VIP : 0);
		put_slots(r, bytes, (const u64[]){ 0x77, 0x2000, cases[n].image }, 3);
		(void)(cases[n].wide ? RIG_STEP(r, 0x66, 0xcf) : RIG_STEP(r, 0xcf));
		check_case(cases[n].rule, n, rig_event(r), cases[n].want);
		if (cases[n].want != OK)
			continue;
		CHECK_EQ(r->cpu->rip, 0x77);
		CHECK(cpu_in_v86_mode(r->cpu));
		check_case(cases[n].rule, n, r->cpu->rflags & (RFLAGS_IF | RFLAGS_VIF | RFLAGS_IOPL), cases[n].rflags);
	}
	rig_free(r);
}

TEST("IRET in real mode loads every flag but VM, VIF and VIP; 16-bit forms keep the upper half")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_REAL);
	put_slots(r, 4, (const u64[]){ 0x77, 0x2000, 0xffffffff }, 3);
	CHECK_EQ(RIG_STEP(r, 0x66, 0xcf), STEP_BREAK);
	CHECK_EQ(cpu_rflags(r->cpu), (RFLAGS_DEFINED | RFLAGS_FIXED) & ~(RFLAGS_VM | RFLAGS_VIF | RFLAGS_VIP));
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xf000 + 12);
	put_slots(r, 2, (const u64[]){ 0x78, 0x2000, 0 }, 3);
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_BREAK);
	CHECK_EQ(cpu_rflags(r->cpu), RFLAGS_FIXED | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID);
	rig_free(r);
}

TEST("IRET with NT set is #GP in long mode, and unblocks NMIs even then")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	r->cpu->rflags |= RFLAGS_NT;
	r->cpu->interruptibility = CPU_BLOCKED_BY_NMI;
	CHECK_EQ(RIG_STEP(r, 0x48, 0xcf), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(r->cpu->interruptibility, 0);
	rig_free(r);
}

/* ---- SYSCALL, SYSRET ---- */

#define STAR_VALUE (0x23ull << 48 | 0x08ull << 32 | 0x00104000)

static void fill_msrs(struct rig *r)
{
	r->cpu->star = STAR_VALUE;
	r->cpu->lstar = 0xffffffff80001000ull;
	r->cpu->cstar = 0xffffffff80002000ull;
	r->cpu->sfmask = RFLAGS_IF | RFLAGS_TF | RFLAGS_CF;
	r->cpu->sysenter_cs = 0x08;
	r->cpu->sysenter_esp = 0xffff800000011000ull;
	r->cpu->sysenter_eip = 0xffff800000012000ull;
}

TEST("SYSCALL from 64-bit mode goes to LSTAR with RIP in RCX, RFLAGS in R11, and masked flags")
{
	static const char *const models[] = { "max-intel", "max-amd" };

	for (unsigned n = 0; n < 2; n++) {
		struct rig *r = rig_new(models[n]);

		rig_enter(r, RIG_LONG_USER);
		fill_msrs(r);
		cpu_set_rflags(r->cpu, RFLAGS_IF | RFLAGS_CF | RFLAGS_ZF | RFLAGS_RF);
		CHECK_EQ(RIG_STEP(r, 0x0f, 0x05), STEP_BREAK);
		CHECK_EQ(r->cpu->rip, 0xffffffff80001000ull);
		CHECK_EQ(r->cpu->gpr[GPR_RCX], RIG_CODE + 2);
		CHECK_EQ(r->cpu->gpr[GPR_R11], RFLAGS_IF | RFLAGS_CF | RFLAGS_ZF | RFLAGS_FIXED);
		CHECK_EQ(cpu_rflags(r->cpu), RFLAGS_ZF | RFLAGS_FIXED);
		CHECK_EQ(r->cpu->segment[SEG_CS].selector, 0x08);
		CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0x10);
		CHECK_EQ(r->cpu->segment[SEG_SS].limit, RIG_FLAT);
		CHECK_EQ(cpu_cpl(r->cpu), 0);
		CHECK(cpu_in_64bit_mode(r->cpu));
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK);
		/* And back. */
		CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0x07), STEP_BREAK);
		CHECK_EQ(r->cpu->rip, RIG_CODE + 2);
		CHECK_EQ(cpu_rflags(r->cpu), RFLAGS_IF | RFLAGS_CF | RFLAGS_ZF | RFLAGS_FIXED);
		CHECK_EQ(r->cpu->segment[SEG_CS].selector, 0x33);
		CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0x2b);
		CHECK_EQ(cpu_cpl(r->cpu), 3);
		CHECK(cpu_in_64bit_mode(r->cpu));
		rig_free(r);
	}
}

TEST("SYSCALL outside 64-bit mode is #UD on Intel's processors and works on AMD's; SCE must be set everywhere")
{
	struct rig *intel = rig_new("max-intel"), *amd = rig_new("max-amd");

	rig_enter(intel, RIG_COMPAT_USER);
	CHECK_EQ(RIG_STEP(intel, 0x0f, 0x05), STEP_FAULT);
	CHECK_EQ(rig_event(intel), VECTOR_UD);
	rig_enter(amd, RIG_COMPAT_USER);
	fill_msrs(amd);
	CHECK_EQ(RIG_STEP(amd, 0x0f, 0x05), STEP_BREAK);
	CHECK_EQ(amd->cpu->rip, 0xffffffff80002000ull);
	CHECK(cpu_in_64bit_mode(amd->cpu));
	CHECK_EQ(RIG_STEP(amd, 0x0f, 0x07), STEP_BREAK); /* a 32-bit SYSRET */
	CHECK_EQ(amd->cpu->segment[SEG_CS].selector, 0x23);
	CHECK(!cpu_in_64bit_mode(amd->cpu));
	CHECK_EQ(amd->cpu->rip, RIG_CODE + 2);
	rig_enter(amd, RIG_PROTECTED32_USER);
	fill_msrs(amd);
	amd->cpu->efer = EFER_SCE;
	amd->cpu->rflags |= RFLAGS_IF;
	CHECK_EQ(RIG_STEP(amd, 0x0f, 0x05), STEP_BREAK);
	CHECK_EQ(amd->cpu->rip, 0x00104000);
	CHECK(!(amd->cpu->rflags & RFLAGS_IF));
	CHECK_EQ(RIG_STEP(amd, 0x0f, 0x07), STEP_BREAK);
	CHECK(amd->cpu->rflags & RFLAGS_IF);
	CHECK_EQ(cpu_cpl(amd->cpu), 3);
	for (unsigned n = 0; n < 2; n++) {
		struct rig *r = n ? amd : intel;

		rig_enter(r, RIG_LONG_USER);
		r->cpu->efer &= ~EFER_SCE;
		CHECK_EQ(RIG_STEP(r, 0x0f, 0x05), STEP_FAULT);
		CHECK_EQ(rig_event(r), VECTOR_UD);
	}
	rig_free(intel);
	rig_free(amd);
}

TEST("SYSRET to an address that is not canonical faults at CPL 0 on Intel's processors, and not at all on AMD's")
{
	struct rig *intel = rig_new("max-intel"), *amd = rig_new("max-amd");

	rig_enter(intel, RIG_LONG);
	intel->cpu->gpr[GPR_RCX] = 0x0000800000000000ull;
	CHECK_EQ(RIG_STEP(intel, 0x48, 0x0f, 0x07), STEP_FAULT);
	CHECK_EQ(rig_event(intel), GP(0));
	CHECK_EQ(cpu_cpl(intel->cpu), 0);
	rig_enter(amd, RIG_LONG);
	amd->cpu->gpr[GPR_RCX] = 0x0000800000000000ull;
	CHECK_EQ(RIG_STEP(amd, 0x48, 0x0f, 0x07), STEP_BREAK);
	CHECK_EQ(amd->cpu->rip, 0x0000800000000000ull);
	CHECK_EQ(cpu_cpl(amd->cpu), 3);
	/* At CPL 3 it is refused. */
	rig_enter(intel, RIG_LONG_USER);
	CHECK_EQ(RIG_STEP(intel, 0x48, 0x0f, 0x07), STEP_FAULT);
	CHECK_EQ(rig_event(intel), GP(0));
	rig_free(intel);
	rig_free(amd);
}

TEST("SYSRET leaves SS's attributes alone on AMD's processors and makes them flat on Intel's")
{
	static const struct { const char *model; bool usable; } vendors[] = {
		{ "max-intel", true }, { "max-amd", false },
	};

	for (unsigned n = 0; n < 2; n++) {
		struct rig *r = rig_new(vendors[n].model);

		rig_enter(r, RIG_LONG);
		fill_msrs(r);
		r->cpu->segment[SEG_SS] = segment_null_stack(0, 0);
		CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0x07), STEP_BREAK);
		CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0x2b);
		CHECK_EQ(!(r->cpu->segment[SEG_SS].attributes & SEGMENT_UNUSABLE), vendors[n].usable);
		rig_free(r);
	}
}

TEST("SYSCALL and SYSRET single-step by the TF that they load, not by the one that they found")
{
	static const u8 syscall[] = { 0x0f, 0x05 }, sysret[] = { 0x48, 0x0f, 0x07 };
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG_USER);
	fill_msrs(r);
	r->cpu->lstar = RIG_TASK_CODE;
	r->cpu->rflags |= RFLAGS_TF;
	CHECK_EQ(rig_run(r, syscall, sizeof(syscall), 1), CORE_EXIT_BUDGET);
	CHECK_EQ(r->cpu->rip, RIG_TASK_CODE);
	CHECK_EQ(r->cpu->pending_debug, 0);
	CHECK(r->cpu->gpr[GPR_R11] & RFLAGS_TF);
	CHECK_EQ(rig_run(r, sysret, sizeof(sysret), 1), CORE_EXIT_BUDGET);
	CHECK_EQ(rig_handler(r), VECTOR_DB); /* before the program's first instruction */
	CHECK_EQ(stacked(r, 0, 8), RIG_CODE + 2);
	CHECK_EQ(stacked(r, 1, 8), 0x33);
	CHECK(r->cpu->dr6 & DR6_BS);
	rig_free(r);
}

/* ---- SYSENTER, SYSEXIT ---- */

TEST("SYSENTER and SYSEXIT use their MSRs in protected mode, with the width of the mode")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32_USER);
	fill_msrs(r);
	r->cpu->rflags |= RFLAGS_IF;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x34), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, 0x12000);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0x11000);
	CHECK_EQ(cpu_cpl(r->cpu), 0);
	CHECK(!(r->cpu->rflags & RFLAGS_IF));
	r->cpu->gpr[GPR_RDX] = 0x5000;
	r->cpu->gpr[GPR_RCX] = 0x6000;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x35), STEP_BREAK);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, 0x1b);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0x23);
	CHECK_EQ(r->cpu->rip, 0x5000);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0x6000);
	CHECK_EQ(cpu_cpl(r->cpu), 3);
	rig_enter(r, RIG_LONG_USER);
	fill_msrs(r);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x34), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, 0xffff800000012000ull);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xffff800000011000ull);
	r->cpu->gpr[GPR_RDX] = 0x7000;
	CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0x35), STEP_BREAK);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, 0x2b);
	CHECK_EQ(r->cpu->segment[SEG_SS].selector, 0x33);
	CHECK(cpu_in_64bit_mode(r->cpu));
	rig_free(r);
}

TEST("SYSENTER and SYSEXIT refuse real mode, a null selector, a wrong level and, on AMD's processors, long mode")
{
	struct rig *intel = rig_new("max-intel"), *amd = rig_new("max-amd");

	rig_enter(intel, RIG_REAL);
	fill_msrs(intel);
	CHECK_EQ(RIG_STEP(intel, 0x0f, 0x34), STEP_FAULT);
	CHECK_EQ(rig_event(intel), GP(0));
	rig_enter(intel, RIG_PROTECTED32);
	fill_msrs(intel);
	intel->cpu->sysenter_cs = 3;
	CHECK_EQ(RIG_STEP(intel, 0x0f, 0x34), STEP_FAULT);
	CHECK_EQ(RIG_STEP(intel, 0x0f, 0x35), STEP_FAULT);
	CHECK_EQ(rig_event(intel), GP(0));
	rig_enter(intel, RIG_PROTECTED32_USER);
	fill_msrs(intel);
	CHECK_EQ(RIG_STEP(intel, 0x0f, 0x35), STEP_FAULT);
	CHECK_EQ(rig_event(intel), GP(0));
	rig_enter(intel, RIG_LONG);
	fill_msrs(intel);
	intel->cpu->gpr[GPR_RDX] = 0x0000800000000000ull;
	CHECK_EQ(RIG_STEP(intel, 0x48, 0x0f, 0x35), STEP_FAULT);
	CHECK_EQ(rig_event(intel), GP(0));
	rig_enter(intel, RIG_V86); /* virtual-8086 mode may enter */
	fill_msrs(intel);
	CHECK_EQ(RIG_STEP(intel, 0x0f, 0x34), STEP_BREAK);
	CHECK(!cpu_in_v86_mode(intel->cpu));
	rig_enter(amd, RIG_COMPAT_USER);
	fill_msrs(amd);
	CHECK_EQ(RIG_STEP(amd, 0x0f, 0x34), STEP_FAULT);
	CHECK_EQ(rig_event(amd), VECTOR_UD);
	rig_enter(amd, RIG_PROTECTED32_USER);
	fill_msrs(amd);
	CHECK_EQ(RIG_STEP(amd, 0x0f, 0x34), STEP_BREAK);
	rig_free(intel);
	rig_free(amd);
}

/* The hardware task switch: src/cpu/task.c, each rule both ways. */
#include "rig.h"
#include "test.h"

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define NP(error) RIG_ERROR(VECTOR_NP, error)
#define SS(error) RIG_ERROR(VECTOR_SS, error)
#define TS(error) RIG_ERROR(VECTOR_TS, error)
#define OK RIG_NO_EVENT

enum { GATE = SEL_FREE, SEL_TSS16 = SEL_FREE + 8, SEL_ABSENT = SEL_FREE + 16, SEL_SMALL = SEL_FREE + 24 };

static void check_case(const char *rule, unsigned index, u64 got, u64 want)
{
	if (!test_check_eq(got, want, __FILE__, __LINE__, rule))
		printf("    case %u\n", index);
}

/* A field of the 32-bit task-state segment of task B. */
static void put_b(struct rig *r, unsigned offset, u32 value)
{
	rig_put(r, RIG_TSS_B + offset, 4, value);
}

enum {
	T_LINK = 0, T_CR3 = 28, T_EIP = 32, T_EFLAGS = 36, T_EAX = 40, T_ESP = 56, T_EDI = 68,
	T_ES = 72, T_CS = 76, T_SS = 80, T_DS = 84, T_FS = 88, T_GS = 92, T_LDT = 96, T_TRAP = 100,
};

/* Task B: 32-bit code at CPL 0, or at `level`. */
static void fill_b(struct rig *r, unsigned level)
{
	u16 code = level == 3 ? SEL_CODE3 : SEL_CODE, data = level == 3 ? SEL_DATA3 : SEL_DATA;

	put_b(r, T_EIP, RIG_TASK_CODE);
	put_b(r, T_EFLAGS, RFLAGS_IF | RFLAGS_ZF);
	put_b(r, T_EAX, 0xaaaaaaaa);
	put_b(r, T_ESP, RIG_TASK_STACK);
	put_b(r, T_EDI, 0xdddddddd);
	put_b(r, T_CS, code);
	put_b(r, T_SS, data);
	put_b(r, T_DS, data);
	put_b(r, T_ES, data);
	put_b(r, T_GS, 0);
	put_b(r, T_LDT, SEL_LDT);
}

static void enter(struct rig *r, enum rig_mode mode)
{
	rig_enter(r, mode);
	fill_b(r, 0);
	rig_set_gate(r, RIG_GDT + GATE, DESCRIPTOR_TASK_GATE, 3, SEL_TSS_B, 0, 0);
	rig_set_descriptor(r, SEL_TSS16, RIG_TSS_B, 0x2b, SEGMENT_P | DESCRIPTOR_TSS16_AVAILABLE);
	rig_set_descriptor(r, SEL_ABSENT, RIG_TSS_B, 0x67, DESCRIPTOR_TSS32_AVAILABLE);
	rig_set_descriptor(r, SEL_SMALL, RIG_TSS_B, 0x66, SEGMENT_P | DESCRIPTOR_TSS32_AVAILABLE);
}

static enum step jump(struct rig *r, u16 selector)
{
	return RIG_STEP(r, 0xea, 0, 0, 0, 0, (u8)selector, (u8)(selector >> 8));
}

static enum step call(struct rig *r, u16 selector)
{
	return RIG_STEP(r, 0x9a, 0, 0, 0, 0, (u8)selector, (u8)(selector >> 8));
}

static bool is_busy(struct rig *r, u16 selector)
{
	return rig_descriptor_access(r, selector) & DESCRIPTOR_TSS_BUSY;
}

TEST("JMP to a TSS saves the old task, loads the new one and moves the busy mark")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	for (unsigned n = 0; n < 8; n++)
		if (n != GPR_RSP)
			r->cpu->gpr[n] = 0x1000 + n;
	cpu_set_rflags(r->cpu, RFLAGS_CF | RFLAGS_IOPL);
	r->cpu->dr7 = DR7_FIXED | BITS(9, 0);
	CHECK_EQ(jump(r, SEL_TSS_B), STEP_BREAK);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EIP, 4), RIG_CODE + 7);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EFLAGS, 4), RFLAGS_CF | RFLAGS_IOPL | RFLAGS_FIXED);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EAX, 4), 0x1000);
	CHECK_EQ(rig_get(r, RIG_TSS + T_ESP, 4), RIG_STACK);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EDI, 4), 0x1007);
	CHECK_EQ(rig_get(r, RIG_TSS + T_CS, 4), SEL_CODE);
	CHECK_EQ(rig_get(r, RIG_TSS + T_GS, 4), SEL_DATA);
	CHECK_EQ(r->cpu->rip, RIG_TASK_CODE);
	CHECK_EQ(cpu_rflags(r->cpu), RFLAGS_IF | RFLAGS_ZF | RFLAGS_FIXED);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xaaaaaaaa);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_TASK_STACK);
	CHECK_EQ(r->cpu->gpr[GPR_RDI], 0xdddddddd);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, SEL_CODE);
	CHECK_EQ(r->cpu->segment[SEG_CS].limit, RIG_FLAT);
	CHECK(r->cpu->segment[SEG_GS].attributes & SEGMENT_UNUSABLE);
	CHECK_EQ(r->cpu->segment[SEG_TR].selector, SEL_TSS_B);
	CHECK_EQ(r->cpu->segment[SEG_TR].base, RIG_TSS_B);
	CHECK_EQ(r->cpu->segment[SEG_TR].attributes & SEGMENT_TYPE, DESCRIPTOR_TSS32_BUSY);
	CHECK_EQ(r->cpu->segment[SEG_LDTR].selector, SEL_LDT);
	CHECK(r->cpu->cr0 & CR0_TS);
	CHECK_EQ(r->cpu->dr7, (DR7_FIXED | BITS(9, 0)) & ~DR7_LOCAL);
	CHECK(!is_busy(r, SEL_TSS));
	CHECK(is_busy(r, SEL_TSS_B));
	rig_free(r);
}

TEST("CALL nests: NT, the link and both busy marks; IRET goes back and undoes them")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	CHECK_EQ(call(r, SEL_TSS_B), STEP_BREAK);
	CHECK(r->cpu->rflags & RFLAGS_NT);
	CHECK_EQ(rig_get(r, RIG_TSS_B + T_LINK, 2), SEL_TSS);
	CHECK(is_busy(r, SEL_TSS));
	CHECK(is_busy(r, SEL_TSS_B));
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, RIG_CODE + 7);
	CHECK_EQ(r->cpu->segment[SEG_TR].selector, SEL_TSS);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK);
	CHECK(is_busy(r, SEL_TSS));
	CHECK(!is_busy(r, SEL_TSS_B));
	CHECK(!(r->cpu->rflags & RFLAGS_NT));
	CHECK(!(rig_get(r, RIG_TSS_B + T_EFLAGS, 4) & RFLAGS_NT));
	CHECK_EQ(rig_get(r, RIG_TSS_B + T_EIP, 4), RIG_TASK_CODE + 1);
	rig_free(r);
}

struct refused_case {
	const char *rule;
	u8 mode;
	u16 selector;
	u32 want;
};

TEST("a task is refused for privilege, being busy or absent, or too small, before anything changes")
{
	static const struct refused_case cases[] = {
		{ "good", RIG_PROTECTED32, SEL_TSS_B, OK },
		{ "through a gate", RIG_PROTECTED32, GATE, OK },
		{ "through a gate at CPL 3", RIG_PROTECTED32_USER, GATE, OK },
		{ "the TSS itself at CPL 3", RIG_PROTECTED32_USER, SEL_TSS_B, GP(SEL_TSS_B) },
		{ "RPL", RIG_PROTECTED32, SEL_TSS_B | 1, GP(SEL_TSS_B) },
		{ "busy", RIG_PROTECTED32, SEL_TSS, GP(SEL_TSS) },
		{ "absent", RIG_PROTECTED32, SEL_ABSENT, NP(SEL_ABSENT) },
		{ "too small", RIG_PROTECTED32, SEL_SMALL, TS(SEL_SMALL) },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		enter(r, cases[n].mode);
		(void)jump(r, cases[n].selector);
		check_case(cases[n].rule, n, rig_event(r), cases[n].want);
		if (cases[n].want != OK) {
			CHECK_EQ(r->cpu->rip, RIG_CODE);
			CHECK_EQ(r->cpu->segment[SEG_TR].selector, SEL_TSS);
			CHECK(is_busy(r, SEL_TSS));
		}
	}
	rig_free(r);
}

TEST("a task gate must be present and lead to an available TSS in the GDT")
{
	static const struct { u16 tss; bool absent; u32 want; } cases[] = {
		{ SEL_TSS_B, false, OK }, { SEL_TSS_B, true, NP(GATE) }, { SEL_TSS, false, GP(SEL_TSS) },
		{ SEL_DATA, false, GP(SEL_DATA) }, { 0, false, GP(0) }, { SEL_TSS_B | 4, false, GP(SEL_TSS_B | 4) },
		{ RIG_GDT_BYTES, false, GP(RIG_GDT_BYTES) }, { SEL_ABSENT, false, NP(SEL_ABSENT) },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		enter(r, RIG_PROTECTED32);
		rig_set_gate(r, RIG_GDT + GATE, DESCRIPTOR_TASK_GATE, 3, cases[n].tss, 0, 0);
		if (cases[n].absent)
			rig_clear_present(r, RIG_GDT + GATE);
		(void)call(r, GATE);
		check_case("gate", n, rig_event(r), cases[n].want);
	}
	rig_free(r);
}

TEST("IRET back needs a busy TSS: #TS otherwise")
{
	static const struct { u16 link; u32 want; } cases[] = {
		{ SEL_TSS_B, TS(SEL_TSS_B) }, { 0, TS(0) }, { SEL_DATA, TS(SEL_DATA) }, { 0x0c, TS(0x0c) },
		{ RIG_GDT_BYTES, TS(RIG_GDT_BYTES) },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		enter(r, RIG_PROTECTED32);
		r->cpu->rflags |= RFLAGS_NT;
		rig_put(r, RIG_TSS + T_LINK, 2, cases[n].link);
		CHECK_EQ(RIG_STEP(r, 0xcf), STEP_FAULT);
		check_case("link", n, rig_event(r), cases[n].want);
		CHECK_EQ(r->cpu->rip, RIG_CODE);
	}
	rig_free(r);
}

struct new_case {
	const char *rule;
	u16 field;
	u32 value, want;
};

TEST("what is wrong with the new task's segments is its own exception, #TS mostly, at its own RIP")
{
	static const struct new_case cases[] = {
		{ "LDT in the LDT", T_LDT, 0x0c, TS(0x0c) },
		{ "LDT is data", T_LDT, SEL_DATA, TS(SEL_DATA) },
		{ "absent LDT", T_LDT, 0xe8, TS(0xe8) },
		{ "no LDT", T_LDT, 0, OK },
		{ "null CS", T_CS, 0, TS(0) },
		{ "data as CS", T_CS, SEL_DATA, TS(SEL_DATA) },
		{ "CS's DPL is not its RPL", T_CS, SEL_CODE | 3, TS(SEL_CODE) },
		{ "absent CS", T_CS, 0xd0, NP(0xd0) },
		{ "null SS", T_SS, 0, TS(0) },
		{ "SS of another level", T_SS, SEL_DATA3, TS(SEL_DATA3 & ~3) },
		{ "absent SS", T_SS, 0xd8, SS(0xd8) },
		{ "read-only SS", T_SS, SEL_READONLY, TS(SEL_READONLY) },
		{ "execute-only DS", T_DS, SEL_EXECONLY, TS(SEL_EXECONLY) },
		{ "absent DS", T_DS, 0xd8, NP(0xd8) },
		{ "null DS", T_DS, 0, OK },
		{ "beyond the GDT", T_FS, RIG_GDT_BYTES, TS(RIG_GDT_BYTES) },
		{ "EIP beyond CS's limit", T_CS, 0xe0, GP(0) },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		enter(r, RIG_PROTECTED32);
		rig_set_descriptor(r, 0xd0, 0, RIG_FLAT, RIG_ATTR_CODE & ~SEGMENT_P);
		rig_set_descriptor(r, 0xd8, 0, RIG_FLAT, RIG_ATTR_DATA & ~SEGMENT_P);
		rig_set_descriptor(r, 0xe0, 0, RIG_TASK_CODE - 1, RIG_ATTR_CODE);
		rig_set_descriptor(r, 0xe8, RIG_LDT, 0xff, DESCRIPTOR_LDT);
		put_b(r, cases[n].field, cases[n].value);
		CHECK_EQ(jump(r, SEL_TSS_B), cases[n].want == OK ? STEP_BREAK : STEP_FAULT);
		check_case(cases[n].rule, n, rig_event(r), cases[n].want);
		CHECK_EQ(r->cpu->rip, RIG_TASK_CODE);
		CHECK_EQ(r->cpu->segment[SEG_TR].selector, SEL_TSS_B);
		CHECK_EQ(cpu_cpl(r->cpu), cases[n].field == T_CS ? cases[n].value & 3 : 0);
	}
	rig_free(r);
}

TEST("a task switch changes the privilege level to that of the new CS")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	fill_b(r, 3);
	CHECK_EQ(jump(r, SEL_TSS_B), STEP_BREAK);
	CHECK_EQ(cpu_cpl(r->cpu), 3);
	CHECK_EQ(r->c->data_mode, TLB_USER);
	rig_free(r);
}

TEST("a task may run in virtual-8086 mode")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	put_b(r, T_EFLAGS, RFLAGS_VM);
	put_b(r, T_EIP, 0x100);
	put_b(r, T_CS, 0x1234);
	put_b(r, T_SS, 0x2000);
	put_b(r, T_DS, 0xffff);
	CHECK_EQ(jump(r, SEL_TSS_B), STEP_BREAK);
	CHECK(cpu_in_v86_mode(r->cpu));
	CHECK_EQ(cpu_cpl(r->cpu), 3);
	CHECK_EQ(r->cpu->segment[SEG_CS].base, 0x12340);
	CHECK_EQ(r->cpu->segment[SEG_DS].base, 0xffff0);
	CHECK_EQ(r->cpu->segment[SEG_GS].attributes, 0xf3);
	rig_free(r);
}

TEST("a 16-bit task has 16-bit registers and neither FS, GS nor CR3")
{
	static const u16 words[] = { /* from IP */
		0x4000, 0x0202, 0x1111, 0x2222, 0x3333, 0x4444, 0xe000, 0x6666, 0x7777, 0x8888,
		SEL_DATA16, SEL_CODE16, SEL_DATA16, SEL_DATA16, 0,
	};
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	memcpy(r->ram + RIG_TSS_B + 14, words, sizeof(words));
	r->cpu->gpr[GPR_RAX] = 0x12345678;
	CHECK_EQ(call(r, SEL_TSS16), STEP_BREAK);
	CHECK_EQ(r->cpu->rip, 0x4000);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0x1111);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0xe000);
	CHECK_EQ(cpu_rflags(r->cpu), 0x0202 | RFLAGS_NT);
	CHECK_EQ(r->cpu->segment[SEG_CS].selector, SEL_CODE16);
	CHECK(r->cpu->segment[SEG_FS].attributes & SEGMENT_UNUSABLE);
	CHECK_EQ(r->cpu->segment[SEG_TR].attributes & SEGMENT_TYPE, DESCRIPTOR_TSS16_BUSY);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EAX, 4), 0x12345678);
	r->cpu->gpr[GPR_RAX] = 0xabcd;
	CHECK_EQ(RIG_STEP(r, 0xcf), STEP_BREAK); /* back, saving 16-bit state */
	CHECK_EQ(rig_get(r, RIG_TSS_B + 18, 2), 0xabcd);
	CHECK_EQ(rig_get(r, RIG_TSS_B + 14, 2), 0x4001);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0x12345678);
	rig_free(r);
}

TEST("an exception through a task gate nests, saves the faulting RIP and pushes its error code in the new task")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32_USER);
	rig_set_gate(r, rig_idt_entry(r, VECTOR_GP), DESCRIPTOR_TASK_GATE, 0, SEL_TSS_B, 0, 0);
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_GP, true, 0x1238);
	CHECK(!r->cpu->event.valid);
	CHECK_EQ(r->cpu->rip, RIG_TASK_CODE);
	CHECK(r->cpu->rflags & RFLAGS_NT);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_TASK_STACK - 4);
	CHECK_EQ(rig_get(r, RIG_TASK_STACK - 4, 4), 0x1238);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EIP, 4), RIG_CODE);
	CHECK(rig_get(r, RIG_TSS + T_EFLAGS, 4) & RFLAGS_RF);
	CHECK_EQ(rig_get(r, RIG_TSS_B + T_LINK, 2), SEL_TSS);
	/* INT n: the next instruction, no error code, and the gate's DPL counts. */
	enter(r, RIG_PROTECTED32_USER);
	rig_set_gate(r, rig_idt_entry(r, 0x40), DESCRIPTOR_TASK_GATE, 3, SEL_TSS_B, 0, 0);
	CHECK_EQ(RIG_STEP(r, 0xcd, 0x40), STEP_TRAP);
	core_deliver_event(r->c);
	CHECK_EQ(r->cpu->rip, RIG_TASK_CODE);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_TASK_STACK);
	CHECK_EQ(rig_get(r, RIG_TSS + T_EIP, 4), RIG_CODE + 2);
	rig_free(r);
}

TEST("a double fault may have a task of its own, which saves a processor whose stack is gone")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	rig_set_gate(r, rig_idt_entry(r, VECTOR_DF), DESCRIPTOR_TASK_GATE, 0, SEL_TSS_B, 0, 0);
	r->cpu->segment[SEG_SS].limit = 0x10;
	rig_deliver(r, EVENT_EXCEPTION, VECTOR_SS, true, 0);
	CHECK_EQ(r->cpu->segment[SEG_TR].selector, SEL_TSS_B);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_TASK_STACK - 4);
	CHECK_EQ(rig_get(r, RIG_TASK_STACK - 4, 4), 0);
	rig_free(r);
}

TEST("what goes wrong behind a task gate happens in the new task with EXT set")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	put_b(r, T_DS, SEL_EXECONLY);
	rig_set_gate(r, rig_idt_entry(r, 0x40), DESCRIPTOR_TASK_GATE, 3, SEL_TSS_B, 0, 0);
	rig_deliver(r, EVENT_EXTERNAL, 0x40, false, 0);
	CHECK_EQ(rig_handler(r), VECTOR_TS);
	CHECK_EQ(r->cpu->segment[SEG_TR].selector, SEL_TSS_B);
	CHECK_EQ(rig_get(r, (unsigned)r->cpu->gpr[GPR_RSP], 4), SEL_EXECONLY | ERROR_EXT);
	CHECK_EQ(rig_get(r, (unsigned)r->cpu->gpr[GPR_RSP] + 4, 4), RIG_TASK_CODE);
	rig_free(r);
}

TEST("the T flag of the new task asks for a debug trap")
{
	struct rig *r = rig_new("max-intel");

	enter(r, RIG_PROTECTED32);
	CHECK_EQ(jump(r, SEL_TSS_B), STEP_BREAK);
	CHECK_EQ(r->cpu->pending_debug, 0);
	enter(r, RIG_PROTECTED32);
	put_b(r, T_TRAP, 1);
	CHECK_EQ(jump(r, SEL_TSS_B), STEP_BREAK);
	CHECK_EQ(r->cpu->pending_debug, DR6_BT);
	rig_free(r);
}

/* Two directories map the first MiB one to one; the second lacks the old task's TSS. */
TEST("with paging the new task's CR3 is loaded, and page faults before the switch leave the old task as it was")
{
	enum { DIRECTORY = 0xe0000, TABLE = 0xe1000, DIRECTORY_B = 0xe2000, PRESENT = 1, WRITABLE = 2 };
	struct rig *r = rig_new("max-intel");

	for (unsigned absent = 0; absent < 2; absent++) {
		enter(r, RIG_PROTECTED32);
		rig_put(r, DIRECTORY, 4, TABLE | PRESENT | WRITABLE);
		rig_put(r, DIRECTORY_B, 4, TABLE | PRESENT | WRITABLE);
		for (unsigned page = 0; page < RIG_RAM >> PAGE_SHIFT; page++)
			rig_put(r, TABLE + page * 4, 4, page << PAGE_SHIFT | PRESENT | WRITABLE);
		if (absent) { /* the old TSS in a page that may not be written */
			r->cpu->segment[SEG_TR].base = 0x90000;
			rig_put(r, TABLE + 0x90 * 4, 4, 0x90000 | PRESENT);
		}
		put_b(r, T_CR3, DIRECTORY_B);
		r->cpu->cr3 = DIRECTORY;
		r->cpu->cr0 |= CR0_PG | CR0_WP;
		tlb_flush_all(r->c);
		core_mode_changed(r->c);
		CHECK_EQ(jump(r, SEL_TSS_B), absent ? STEP_FAULT : STEP_BREAK);
		if (!absent) {
			CHECK_EQ(r->cpu->cr3, DIRECTORY_B);
			continue;
		}
		CHECK_EQ(rig_event(r), RIG_ERROR(VECTOR_PF, PF_ERROR_P | PF_ERROR_W));
		CHECK_EQ(r->cpu->rip, RIG_CODE);
		CHECK_EQ(r->cpu->cr3, DIRECTORY);
		CHECK(is_busy(r, SEL_TSS));
		CHECK(!is_busy(r, SEL_TSS_B));
	}
	rig_free(r);
}

/* Segment registers and descriptor tables: every rule of src/cpu/segment.c and exec_seg.c, tested both ways. */
#include "rig.h"
#include "test.h"

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define NP(error) RIG_ERROR(VECTOR_NP, error)
#define SS(error) RIG_ERROR(VECTOR_SS, error)
#define OK RIG_NO_EVENT

/* Free descriptor slots that the cases below fill. */
enum { SEL_ABSENT = SEL_FREE, SEL_CONF1 = SEL_FREE + 8, SEL_CONF_EXECONLY = SEL_FREE + 16 };

static void fill_more(struct rig *r)
{
	rig_set_descriptor(r, SEL_ABSENT, 0, RIG_FLAT, RIG_ATTR_DATA & ~SEGMENT_P);
	rig_set_descriptor(r, SEL_CONF1, 0, RIG_FLAT, RIG_ATTR_CODE | SEGMENT_TYPE_CONFORMING | RIG_DPL(1));
	rig_set_descriptor(r, SEL_CONF_EXECONLY, 0, RIG_FLAT,
			   (RIG_ATTR_CODE | SEGMENT_TYPE_CONFORMING) & ~SEGMENT_TYPE_READABLE);
}

static void check_case(const char *rule, unsigned index, u64 got, u64 want)
{
	if (!test_check_eq(got, want, __FILE__, __LINE__, rule))
		printf("    case %u\n", index);
}

struct load_case {
	const char *rule;
	u8 mode;
	u16 selector;
	u32 want;
};

static enum step load(struct rig *r, enum segment seg, u16 selector)
{
	r->cpu->gpr[GPR_RAX] = selector;
	return RIG_STEP(r, 0x8e, (u8)(0xc0 | seg << 3));
}

static void run_loads(enum segment seg, const struct load_case *cases, unsigned count)
{
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < count; n++) {
		struct cpu_segment before;

		rig_enter(r, cases[n].mode);
		fill_more(r);
		before = r->cpu->segment[seg];
		(void)load(r, seg, cases[n].selector);
		check_case(cases[n].rule, n, rig_event(r), cases[n].want);
		if (cases[n].want == OK)
			CHECK_EQ(r->cpu->segment[seg].selector, cases[n].selector);
		else
			CHECK(!memcmp(&before, &r->cpu->segment[seg], sizeof(before)));
	}
	rig_free(r);
}

TEST("a data segment register takes data and readable code, within privilege, present")
{
	static const struct load_case cases[] = {
		{ "writable data", RIG_PROTECTED32, SEL_DATA, OK },
		{ "read-only data", RIG_PROTECTED32, SEL_READONLY, OK },
		{ "readable code", RIG_PROTECTED32, SEL_CODE, OK },
		{ "execute-only code", RIG_PROTECTED32, SEL_EXECONLY, GP(SEL_EXECONLY) },
		{ "a system segment", RIG_PROTECTED32, SEL_TSS, GP(SEL_TSS) },
		{ "null", RIG_PROTECTED32, SEL_NULL, OK },
		{ "null with RPL 3", RIG_PROTECTED32, 3, OK },
		{ "RPL 3 > DPL 0", RIG_PROTECTED32, SEL_DATA | 3, GP(SEL_DATA) },
		{ "CPL 3 > DPL 0", RIG_PROTECTED32_USER, SEL_DATA, GP(SEL_DATA) },
		{ "CPL 3, DPL 3", RIG_PROTECTED32_USER, SEL_DATA3, OK },
		{ "CPL 3, DPL 3, RPL 0", RIG_PROTECTED32_USER, SEL_DATA3 & ~3, OK },
		{ "CPL 0, DPL 3", RIG_PROTECTED32, SEL_DATA3, OK },
		{ "non-conforming code DPL 0 at CPL 3", RIG_PROTECTED32_USER, SEL_CODE | 3, GP(SEL_CODE) },
		{ "conforming code DPL 0 at CPL 3", RIG_PROTECTED32_USER, SEL_CONFORMING | 3, OK },
		{ "conforming execute-only code", RIG_PROTECTED32_USER, SEL_CONF_EXECONLY, GP(SEL_CONF_EXECONLY) },
		{ "not present", RIG_PROTECTED32, SEL_ABSENT, NP(SEL_ABSENT) },
		{ "privilege before presence", RIG_PROTECTED32_USER, SEL_ABSENT, GP(SEL_ABSENT) },
		{ "beyond the GDT", RIG_PROTECTED32, RIG_GDT_BYTES | 1, GP(RIG_GDT_BYTES) },
		{ "the GDT's last descriptor", RIG_PROTECTED32, RIG_GDT_BYTES - 8, GP(RIG_GDT_BYTES - 8) },
		{ "beyond the LDT", RIG_PROTECTED32, 0x104, GP(0x104) },
		{ "64-bit mode, data", RIG_LONG, SEL_DATA, OK },
		{ "64-bit mode, privilege", RIG_LONG_USER, SEL_DATA, GP(SEL_DATA) },
		{ "64-bit mode, null", RIG_LONG_USER, SEL_NULL, OK },
	};

	run_loads(SEG_DS, cases, ARRAY_LENGTH(cases));
	run_loads(SEG_GS, cases, ARRAY_LENGTH(cases));
}

TEST("SS takes writable data of exactly the current privilege level")
{
	static const struct load_case cases[] = {
		{ "writable data", RIG_PROTECTED32, SEL_DATA, OK },
		{ "null", RIG_PROTECTED32, SEL_NULL, GP(0) },
		{ "null with RPL", RIG_PROTECTED32_USER, 3, GP(0) },
		{ "read-only data", RIG_PROTECTED32, SEL_READONLY, GP(SEL_READONLY) },
		{ "code", RIG_PROTECTED32, SEL_CODE, GP(SEL_CODE) },
		{ "system segment", RIG_PROTECTED32, SEL_LDT, GP(SEL_LDT) },
		{ "RPL 3 at CPL 0", RIG_PROTECTED32, SEL_DATA | 3, GP(SEL_DATA) },
		{ "RPL 0 at CPL 3", RIG_PROTECTED32_USER, SEL_DATA3 & ~3, GP(SEL_DATA3 & ~3) },
		{ "DPL 3 at CPL 0", RIG_PROTECTED32, SEL_DATA3 & ~3, GP(SEL_DATA3 & ~3) },
		{ "DPL 0 at CPL 3", RIG_PROTECTED32_USER, SEL_DATA | 3, GP(SEL_DATA) },
		{ "CPL 3, all 3", RIG_PROTECTED32_USER, SEL_DATA3, OK },
		{ "not present is #SS", RIG_PROTECTED32, SEL_ABSENT, SS(SEL_ABSENT) },
		{ "64-bit CPL 0 null", RIG_LONG, SEL_NULL, OK },
		{ "64-bit CPL 0 null with RPL 3", RIG_LONG, 3, GP(0) },
		{ "64-bit CPL 3 null", RIG_LONG_USER, 3, GP(0) },
		{ "compatibility CPL 0 null", RIG_COMPAT, SEL_NULL, GP(0) },
	};

	run_loads(SEG_SS, cases, ARRAY_LENGTH(cases));
}

TEST("MOV to CS is invalid, and MOV to SS holds off interrupts for one instruction where LSS does not")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	CHECK_EQ(load(r, SEG_CS, SEL_CODE), STEP_FAULT);
	CHECK_EQ(rig_event(r), VECTOR_UD);
	CHECK_EQ(load(r, SEG_SS, SEL_DATA), STEP_BREAK);
	CHECK_EQ(r->cpu->interruptibility, CPU_BLOCKED_BY_MOV_SS);
	CHECK_EQ(r->cpu->rip, RIG_CODE + 2);
	r->cpu->interruptibility = 0;
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 6, 0x12345678 | (u64)SEL_DATA << 32);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0xb2, 0x21), STEP_BREAK); /* lss esp, [ecx] */
	CHECK_EQ(r->cpu->interruptibility, 0);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], 0x12345678);
	rig_free(r);
}

TEST("a load sets the accessed bit in the table, and does not write if it is set")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	rig_set_descriptor(r, SEL_FREE, 0, RIG_FLAT, RIG_ATTR_DATA & ~SEGMENT_TYPE_ACCESSED);
	CHECK_EQ(load(r, SEG_ES, SEL_FREE), STEP_NEXT);
	CHECK(rig_descriptor_access(r, SEL_FREE) & SEGMENT_TYPE_ACCESSED);
	CHECK(r->cpu->segment[SEG_ES].attributes & SEGMENT_TYPE_ACCESSED);
	/* A failed load leaves it alone. */
	rig_set_descriptor(r, SEL_FREE, 0, RIG_FLAT, RIG_ATTR_DATA & ~SEGMENT_TYPE_ACCESSED & ~SEGMENT_P);
	CHECK_EQ(load(r, SEG_ES, SEL_FREE), STEP_FAULT);
	CHECK(!(rig_descriptor_access(r, SEL_FREE) & SEGMENT_TYPE_ACCESSED));
	rig_free(r);
}

TEST("base, limit and attributes come from their places in the descriptor, in bytes or pages")
{
	struct rig *r = rig_new("max-intel");
	const struct cpu_segment *es;

	rig_enter(r, RIG_PROTECTED32);
	es = &r->cpu->segment[SEG_ES];
	rig_set_descriptor(r, SEL_FREE, 0x89abcdef, 0x54321, RIG_ATTR_DATA | SEGMENT_AVL);
	CHECK_EQ(load(r, SEG_ES, SEL_FREE), STEP_NEXT);
	CHECK_EQ(es->base, 0x89abcdef);
	CHECK_EQ(es->limit, 0x54321);
	CHECK_EQ(es->attributes, RIG_ATTR_DATA | SEGMENT_AVL);
	rig_set_descriptor(r, SEL_FREE, 0, 0x12345fff, RIG_ATTR_DATA);
	CHECK_EQ(load(r, SEG_ES, SEL_FREE), STEP_NEXT);
	CHECK_EQ(es->limit, 0x12345fff);
	CHECK(es->attributes & SEGMENT_G);
	rig_free(r);
}

TEST("a segment contains what its limit and direction say")
{
	struct cpu_segment up = { .limit = 0xfff, .attributes = RIG_ATTR_DATA };
	struct cpu_segment down = { .limit = 0xfff, .attributes = RIG_ATTR_DATA | SEGMENT_TYPE_EXPAND_DOWN };
	struct cpu_segment down16 = down;

	down16.attributes &= ~(u32)SEGMENT_DB;
	CHECK(segment_contains(&up, 0xffc, 4));
	CHECK(!segment_contains(&up, 0xffd, 4));
	CHECK(!segment_contains(&down, 0xfff, 1));
	CHECK(segment_contains(&down, 0x1000, 4));
	CHECK(segment_contains(&down, 0xfffffffc, 4));
	CHECK(!segment_contains(&down, 0xfffffffd, 4));
	CHECK(segment_contains(&down16, 0xfffe, 2));
	CHECK(!segment_contains(&down16, 0xffff, 2));
	up.attributes = RIG_ATTR_CODE | SEGMENT_TYPE_CONFORMING; /* the same bit means something else in code */
	CHECK(segment_contains(&up, 0, 1));
}

TEST("real mode changes selector and base only; virtual-8086 mode sets limit and attributes too")
{
	struct rig *r = rig_new("max-intel");
	const struct cpu_segment *ds = &r->cpu->segment[SEG_DS];

	rig_enter(r, RIG_REAL);
	r->cpu->segment[SEG_DS].limit = RIG_FLAT; /* "unreal" mode */
	CHECK_EQ(load(r, SEG_DS, 0xabcd), STEP_NEXT);
	CHECK_EQ(ds->base, 0xabcd0);
	CHECK_EQ(ds->limit, RIG_FLAT);
	r->cpu->segment[SEG_DS] = (struct cpu_segment){ .attributes = SEGMENT_UNUSABLE };
	CHECK_EQ(load(r, SEG_DS, 0x1234), STEP_NEXT);
	CHECK_EQ(ds->attributes, SEGMENT_ATTRIBUTES_REAL);
	CHECK_EQ(ds->limit, 0xffff);
	rig_enter(r, RIG_V86);
	r->cpu->segment[SEG_DS].limit = RIG_FLAT;
	CHECK_EQ(load(r, SEG_DS, 0xabcd), STEP_NEXT);
	CHECK_EQ(ds->base, 0xabcd0);
	CHECK_EQ(ds->limit, 0xffff);
	CHECK_EQ(ds->attributes, 0xf3);
	rig_free(r);
}

TEST("selectors with TI set come from the LDT, and an unusable LDT has none")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	rig_put(r, RIG_LDT + 8, 8, rig_descriptor(0x7000, 0xff, RIG_ATTR_DATA));
	CHECK_EQ(load(r, SEG_ES, 0x0c), STEP_NEXT);
	CHECK_EQ(r->cpu->segment[SEG_ES].base, 0x7000);
	r->cpu->segment[SEG_LDTR].attributes |= SEGMENT_UNUSABLE;
	CHECK_EQ(load(r, SEG_ES, 0x0c), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0x0c));
	rig_free(r);
}

TEST("a null FS loses its base on Intel's processors and keeps it on AMD's")
{
	static const struct { const char *model; u64 base; } vendors[] = {
		{ "max-intel", 0 }, { "max-amd", 0x1234000 },
	};

	for (unsigned n = 0; n < 2; n++) {
		struct rig *r = rig_new(vendors[n].model);

		rig_enter(r, RIG_LONG);
		r->cpu->segment[SEG_FS].base = 0x1234000;
		CHECK_EQ(load(r, SEG_FS, 0), STEP_NEXT);
		CHECK_EQ(r->cpu->segment[SEG_FS].base, vendors[n].base);
		CHECK(r->cpu->segment[SEG_FS].attributes & SEGMENT_UNUSABLE);
		rig_free(r);
	}
}

TEST("MOV from a segment register zero-extends into a register and writes 16 bits of memory")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	r->cpu->gpr[GPR_RAX] = ~0ull;
	CHECK_EQ(RIG_STEP(r, 0x8c, 0xd8), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], SEL_DATA);
	r->cpu->gpr[GPR_RAX] = ~0ull;
	CHECK_EQ(RIG_STEP(r, 0x66, 0x8c, 0xd8), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xffffffffffff0000ull | SEL_DATA);
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 8, ~0ull);
	CHECK_EQ(RIG_STEP(r, 0x8c, 0x19), STEP_NEXT);
	CHECK_EQ(rig_get(r, RIG_DATA, 8), 0xffffffffffff0000ull | SEL_DATA);
	rig_free(r);
}

TEST("PUSH of a segment register leaves a 32-bit slot's upper half alone on Intel's processors and clears it on AMD's")
{
	static const struct { const char *model; u32 slot; } vendors[] = {
		{ "max-intel", 0xaaaa0000 | SEL_DATA }, { "max-amd", SEL_DATA },
	};

	for (unsigned n = 0; n < 2; n++) {
		struct rig *r = rig_new(vendors[n].model);

		rig_enter(r, RIG_PROTECTED32);
		rig_put(r, RIG_STACK - 4, 4, 0xaaaaaaaa);
		CHECK_EQ(RIG_STEP(r, 0x1e), STEP_NEXT);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 4);
		CHECK_EQ(rig_get(r, RIG_STACK - 4, 4), vendors[n].slot);
		rig_enter(r, RIG_LONG);
		rig_put(r, RIG_STACK - 8, 8, ~0ull);
		CHECK_EQ(RIG_STEP(r, 0x0f, 0xa0), STEP_NEXT); /* push fs */
		CHECK_EQ(rig_get(r, RIG_STACK - 8, 8), SEL_DATA);
		CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK - 8);
		rig_free(r);
	}
}

TEST("POP of a segment register moves RSP only if the load succeeds")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	rig_put(r, RIG_STACK, 4, SEL_DATA3);
	CHECK_EQ(RIG_STEP(r, 0x07), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK + 4);
	CHECK_EQ(r->cpu->segment[SEG_ES].selector, SEL_DATA3);
	rig_put(r, RIG_STACK + 4, 4, SEL_TSS);
	CHECK_EQ(RIG_STEP(r, 0x07), STEP_FAULT);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK + 4);
	rig_put(r, RIG_STACK + 4, 4, SEL_DATA16); /* pop ss: the old stack's width counts */
	CHECK_EQ(RIG_STEP(r, 0x17), STEP_BREAK);
	CHECK_EQ(r->cpu->gpr[GPR_RSP], RIG_STACK + 8);
	CHECK_EQ(r->cpu->interruptibility, CPU_BLOCKED_BY_MOV_SS);
	CHECK_EQ(stack_mask(r->c), 0xffff);
	rig_free(r);
}

TEST("LDS and its kin load the offset only if the selector is good")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 6, 0x87654321 | (u64)SEL_DATA3 << 32);
	CHECK_EQ(RIG_STEP(r, 0xc4, 0x01), STEP_NEXT); /* les eax, [ecx] */
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0x87654321);
	CHECK_EQ(r->cpu->segment[SEG_ES].selector, SEL_DATA3);
	rig_put(r, RIG_DATA + 4, 2, SEL_EXECONLY);
	r->cpu->gpr[GPR_RAX] = 7;
	CHECK_EQ(RIG_STEP(r, 0xc4, 0x01), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(SEL_EXECONLY));
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 7);
	rig_enter(r, RIG_LONG);
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 8, 0xfedcba9876543210ull);
	rig_put(r, RIG_DATA + 8, 2, SEL_DATA);
	CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0xb5, 0x01), STEP_NEXT); /* lgs rax, [rcx] */
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xfedcba9876543210ull);
	rig_free(r);
}

/* ---- LLDT, LTR ---- */

struct table_case {
	const char *rule;
	u8 mode;
	u16 selector;
	u32 lldt, ltr; /* expected events */
};

static void set_system_cases(struct rig *r)
{
	rig_set_descriptor(r, 0xb0, RIG_LDT, 0xff, DESCRIPTOR_LDT);
	rig_set_descriptor(r, 0xc0, RIG_TSS_B, 0x67, DESCRIPTOR_TSS32_AVAILABLE);
	rig_set_descriptor(r, 0xd0, RIG_TSS_B, 0x67, SEGMENT_P | DESCRIPTOR_TSS16_AVAILABLE);
	rig_set_descriptor(r, 0xe0, RIG_LDT, 0xff, SEGMENT_P | DESCRIPTOR_LDT);
	rig_put(r, RIG_GDT + 0xe8, 8, 0x100ull << 32); /* type bits in the second half */
	rig_set_descriptor(r, 0xf0, RIG_TSS_B, 0x67, SEGMENT_P | DESCRIPTOR_TSS32_AVAILABLE);
	rig_put(r, RIG_GDT + 0xf8, 8, 0x01000000); /* base not canonical in 57 bits */
}

TEST("LLDT and LTR take what the GDT calls an LDT or an available TSS, at CPL 0 only")
{
	static const struct table_case cases[] = {
		{ "good LDT", RIG_PROTECTED32, SEL_LDT, OK, GP(SEL_LDT) },
		{ "good TSS", RIG_PROTECTED32, SEL_TSS_B, GP(SEL_TSS_B), OK },
		{ "busy TSS", RIG_PROTECTED32, SEL_TSS, GP(SEL_TSS), GP(SEL_TSS) },
		{ "null", RIG_PROTECTED32, 0, OK, GP(0) },
		{ "in the LDT", RIG_PROTECTED32, 0x0c, GP(0x0c), GP(0x0c) },
		{ "data", RIG_PROTECTED32, SEL_DATA, GP(SEL_DATA), GP(SEL_DATA) },
		{ "LDT not present", RIG_PROTECTED32, 0xb0, NP(0xb0), GP(0xb0) },
		{ "TSS not present", RIG_PROTECTED32, 0xc0, GP(0xc0), NP(0xc0) },
		{ "16-bit TSS", RIG_PROTECTED32, 0xd0, GP(0xd0), OK },
		{ "CPL 3", RIG_PROTECTED32_USER, SEL_LDT, GP(0), GP(0) },
		{ "long mode LDT", RIG_LONG, SEL_LDT, OK, GP(SEL_LDT) },
		{ "long mode TSS", RIG_LONG, SEL_TSS_B, GP(SEL_TSS_B), OK },
		{ "long mode 16-bit TSS", RIG_LONG, 0xd0, GP(0xd0), GP(0xd0) },
		{ "long mode upper type", RIG_LONG, 0xe0, GP(0xe0), GP(0xe0) },
		{ "long mode base not canonical", RIG_LONG, 0xf0, GP(0xf0), GP(0xf0) },
		{ "real mode", RIG_REAL, SEL_LDT, VECTOR_UD, VECTOR_UD },
		{ "virtual-8086 mode", RIG_V86, SEL_LDT, VECTOR_UD, VECTOR_UD },
	};
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		for (unsigned ltr = 0; ltr < 2; ltr++) {
			rig_enter(r, cases[n].mode);
			set_system_cases(r);
			r->cpu->gpr[GPR_RAX] = cases[n].selector;
			(void)RIG_STEP(r, 0x0f, 0x00, ltr ? 0xd8 : 0xd0);
			check_case(cases[n].rule, n, rig_event(r), ltr ? cases[n].ltr : cases[n].lldt);
		}
	}
	rig_free(r);
}

TEST("LTR marks the TSS busy in the table and in TR; a null LLDT makes LDTR unusable")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	rig_put(r, RIG_GDT + SEL_TSS_B + 8, 4, 0xffff8000); /* the base's upper half */
	r->cpu->gpr[GPR_RAX] = SEL_TSS_B;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x00, 0xd8), STEP_NEXT);
	CHECK_EQ(rig_descriptor_access(r, SEL_TSS_B), SEGMENT_P | DESCRIPTOR_TSS32_BUSY);
	CHECK_EQ(r->cpu->segment[SEG_TR].base, 0xffff800000000000ull | RIG_TSS_B);
	CHECK_EQ(r->cpu->segment[SEG_TR].attributes & 0xff, SEGMENT_P | DESCRIPTOR_TSS32_BUSY);
	r->cpu->gpr[GPR_RAX] = 0;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x00, 0xd0), STEP_NEXT);
	CHECK(r->cpu->segment[SEG_LDTR].attributes & SEGMENT_UNUSABLE);
	rig_free(r);
}

/* ---- LAR, LSL, VERR, VERW, ARPL ---- */

struct look_case {
	const char *rule;
	u8 mode;
	u16 selector;
	bool lar, lsl, verr, verw;
};

static bool look(struct rig *r, const struct look_case *k, const u8 *bytes, unsigned count)
{
	rig_enter(r, k->mode);
	fill_more(r);
	rig_set_gate(r, RIG_GDT + 0xc8, DESCRIPTOR_CALL_GATE32, 3, SEL_CODE, 0, 0);
	rig_set_gate(r, RIG_GDT + 0xd8, DESCRIPTOR_TASK_GATE, 3, SEL_TSS, 0, 0);
	rig_set_gate(r, RIG_GDT + 0xe0, DESCRIPTOR_INTERRUPT_GATE32, 3, SEL_CODE, 0, 0);
	rig_set_gate(r, RIG_GDT + 0xe8, DESCRIPTOR_CALL_GATE16, 3, SEL_CODE, 0, 0);
	rig_set_descriptor(r, 0xf0, 0, 0x2b, SEGMENT_P | DESCRIPTOR_TSS16_AVAILABLE);
	r->cpu->gpr[GPR_RCX] = k->selector;
	r->cpu->status = CPU_STATUS_CF;
	CHECK_EQ(rig_step(r, bytes, count), STEP_NEXT);
	CHECK(r->cpu->status & CPU_STATUS_CF);
	return r->cpu->status & CPU_STATUS_ZF;
}

TEST("LAR, LSL, VERR and VERW see what type and privilege let them see, and never fault for the rest")
{
	static const struct look_case cases[] = {
		{ "data", RIG_PROTECTED32, SEL_DATA, 1, 1, 1, 1 },
		{ "read-only data", RIG_PROTECTED32, SEL_READONLY, 1, 1, 1, 0 },
		{ "readable code", RIG_PROTECTED32, SEL_CODE, 1, 1, 1, 0 },
		{ "execute-only code", RIG_PROTECTED32, SEL_EXECONLY, 1, 1, 0, 0 },
		{ "not present", RIG_PROTECTED32, SEL_ABSENT, 1, 1, 1, 1 },
		{ "null", RIG_PROTECTED32, 0, 0, 0, 0, 0 },
		{ "beyond the table", RIG_PROTECTED32, RIG_GDT_BYTES, 0, 0, 0, 0 },
		{ "RPL above DPL", RIG_PROTECTED32, SEL_DATA | 3, 0, 0, 0, 0 },
		{ "CPL above DPL", RIG_PROTECTED32_USER, SEL_DATA, 0, 0, 0, 0 },
		{ "conforming, CPL above DPL", RIG_PROTECTED32_USER, SEL_CONFORMING, 1, 1, 1, 0 },
		{ "user data at CPL 3", RIG_PROTECTED32_USER, SEL_DATA3, 1, 1, 1, 1 },
		{ "busy TSS", RIG_PROTECTED32, SEL_TSS, 1, 1, 0, 0 },
		{ "available TSS", RIG_PROTECTED32, SEL_TSS_B, 1, 1, 0, 0 },
		{ "LDT", RIG_PROTECTED32, SEL_LDT, 1, 1, 0, 0 },
		{ "TSS of DPL 0 at CPL 3", RIG_PROTECTED32_USER, SEL_TSS, 0, 0, 0, 0 },
		{ "call gate", RIG_PROTECTED32, 0xc8, 1, 0, 0, 0 },
		{ "16-bit call gate", RIG_PROTECTED32, 0xe8, 1, 0, 0, 0 },
		{ "task gate", RIG_PROTECTED32, 0xd8, 1, 0, 0, 0 },
		{ "interrupt gate", RIG_PROTECTED32, 0xe0, 0, 0, 0, 0 },
		{ "16-bit TSS", RIG_PROTECTED32, 0xf0, 1, 1, 0, 0 },
		{ "long mode data", RIG_LONG, SEL_DATA, 1, 1, 1, 1 },
		{ "long mode TSS", RIG_LONG, SEL_TSS, 1, 1, 0, 0 },
		{ "long mode call gate", RIG_LONG, 0xc8, 1, 0, 0, 0 },
		{ "long mode 16-bit call gate", RIG_LONG, 0xe8, 0, 0, 0, 0 },
		{ "long mode task gate", RIG_LONG, 0xd8, 0, 0, 0, 0 },
		{ "long mode 16-bit TSS", RIG_LONG, 0xf0, 0, 0, 0, 0 },
	};
	static const u8 lar[] = { 0x0f, 0x02, 0xc1 }, lsl[] = { 0x0f, 0x03, 0xc1 };
	static const u8 verr[] = { 0x0f, 0x00, 0xe1 }, verw[] = { 0x0f, 0x00, 0xe9 };
	struct rig *r = rig_new("max-intel");

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		const struct look_case *k = &cases[n];

		check_case(k->rule, n, look(r, k, lar, sizeof(lar)), k->lar);
		check_case(k->rule, n, look(r, k, lsl, sizeof(lsl)), k->lsl);
		check_case(k->rule, n, look(r, k, verr, sizeof(verr)), k->verr);
		check_case(k->rule, n, look(r, k, verw, sizeof(verw)), k->verw);
	}
	rig_free(r);
}

TEST("LAR gives access rights in place, LSL the limit in bytes; a refusal leaves the register")
{
	struct rig *r = rig_new("max-intel");
	struct look_case k = { "", RIG_PROTECTED32, SEL_DATA3, 0, 0, 0, 0 };

	CHECK(look(r, &k, (const u8[]){ 0x0f, 0x02, 0xc1 }, 3));
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xcff300);
	CHECK(look(r, &k, (const u8[]){ 0x66, 0x0f, 0x02, 0xc1 }, 4));
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xf300);
	CHECK(look(r, &k, (const u8[]){ 0x0f, 0x03, 0xc1 }, 3));
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xffffffff);
	k.selector = SEL_TSS_B;
	CHECK(look(r, &k, (const u8[]){ 0x0f, 0x03, 0xc1 }, 3));
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0x67);
	r->cpu->gpr[GPR_RAX] = 0x5555;
	r->cpu->gpr[GPR_RCX] = 0;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x03, 0xc1), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0x5555);
	rig_free(r);
}

TEST("ARPL raises the RPL if it is below the source's, and says so in ZF")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	r->cpu->gpr[GPR_RAX] = 0xffff0008;
	r->cpu->gpr[GPR_RCX] = 3;
	CHECK_EQ(RIG_STEP(r, 0x63, 0xc8), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xffff000b);
	CHECK(r->cpu->status & CPU_STATUS_ZF);
	r->cpu->gpr[GPR_RCX] = 2;
	CHECK_EQ(RIG_STEP(r, 0x63, 0xc8), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], 0xffff000b);
	CHECK(!(r->cpu->status & CPU_STATUS_ZF));
	r->cpu->gpr[GPR_RDX] = RIG_DATA;
	rig_put(r, RIG_DATA, 4, 0x55550010);
	CHECK_EQ(RIG_STEP(r, 0x63, 0x0a), STEP_NEXT); /* arpl [edx], cx */
	CHECK_EQ(rig_get(r, RIG_DATA, 4), 0x55550012);
	rig_enter(r, RIG_V86);
	CHECK_EQ(RIG_STEP(r, 0x63, 0xc8), STEP_FAULT);
	CHECK_EQ(rig_event(r), VECTOR_UD);
	rig_free(r);
}

/* ---- tables, machine status word, bases ---- */

TEST("SGDT and LGDT move 16+32 bits, or 16+64 in 64-bit mode, where the base must be canonical")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_PROTECTED32);
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 8, ~0ull);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0x01), STEP_NEXT);
	CHECK_EQ(rig_get(r, RIG_DATA, 8), 0xffff000000000000ull | RIG_GDT << 16 | (RIG_GDT_BYTES - 1));
	rig_put(r, RIG_DATA, 6, 0xab123456789aull);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0x19), STEP_NEXT);
	CHECK_EQ(r->cpu->idtr.limit, 0x789a);
	CHECK_EQ(r->cpu->idtr.base, 0xab123456);
	CHECK_EQ(RIG_STEP(r, 0x66, 0x0f, 0x01, 0x19), STEP_NEXT); /* a 16-bit operand has a 24-bit base */
	CHECK_EQ(r->cpu->idtr.base, 0x123456);
	rig_enter(r, RIG_LONG);
	r->cpu->gpr[GPR_RCX] = RIG_DATA;
	rig_put(r, RIG_DATA, 2, 0x1ff);
	rig_put(r, RIG_DATA + 2, 8, 0xffff800000001000ull);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0x11), STEP_NEXT);
	CHECK_EQ(r->cpu->gdtr.base, 0xffff800000001000ull);
	rig_put(r, RIG_DATA + 2, 8, 0x0100000000001000ull);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0x11), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(r->cpu->gdtr.base, 0xffff800000001000ull);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0x01), STEP_NEXT);
	CHECK_EQ(rig_get(r, RIG_DATA + 2, 8), 0xffff800000001000ull);
	rig_enter(r, RIG_LONG_USER);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0x11), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	rig_free(r);
}

TEST("LMSW sets PE but cannot clear it; SMSW shows CR0")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_REAL);
	r->cpu->gpr[GPR_RAX] = CR0_PE | CR0_TS;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0xf0), STEP_BREAK);
	CHECK_EQ(r->cpu->cr0, CR0_ET | CR0_NE | CR0_PE | CR0_TS);
	r->cpu->gpr[GPR_RAX] = 0;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0xf0), STEP_BREAK);
	CHECK_EQ(r->cpu->cr0, CR0_ET | CR0_NE | CR0_PE);
	rig_enter(r, RIG_LONG);
	r->cpu->cr0 |= CR0_WP;
	r->cpu->gpr[GPR_RAX] = ~0ull;
	CHECK_EQ(RIG_STEP(r, 0x48, 0x0f, 0x01, 0xe0), STEP_NEXT);
	CHECK_EQ(r->cpu->gpr[GPR_RAX], r->cpu->cr0);
	rig_enter(r, RIG_PROTECTED32_USER);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0xf0), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	rig_free(r);
}

TEST("SWAPGS swaps at CPL 0 in 64-bit mode only")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG);
	r->cpu->segment[SEG_GS].base = 1;
	r->cpu->kernel_gs_base = 2;
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0xf8), STEP_NEXT);
	CHECK_EQ(r->cpu->segment[SEG_GS].base, 2);
	CHECK_EQ(r->cpu->kernel_gs_base, 1);
	rig_enter(r, RIG_LONG_USER);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0xf8), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	rig_enter(r, RIG_COMPAT);
	CHECK_EQ(RIG_STEP(r, 0x0f, 0x01, 0xf8), STEP_FAULT);
	CHECK_EQ(rig_event(r), VECTOR_UD);
	rig_free(r);
}

TEST("FS and GS base instructions need CR4.FSGSBASE and canonical values")
{
	struct rig *r = rig_new("max-intel");

	rig_enter(r, RIG_LONG_USER);
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x48, 0x0f, 0xae, 0xc0), STEP_FAULT);
	CHECK_EQ(rig_event(r), VECTOR_UD);
	r->cpu->cr4 |= CR4_FSGSBASE;
	r->cpu->gpr[GPR_RAX] = 0xffff800012345678ull;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x48, 0x0f, 0xae, 0xd0), STEP_NEXT); /* wrfsbase rax */
	CHECK_EQ(r->cpu->segment[SEG_FS].base, 0xffff800012345678ull);
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x0f, 0xae, 0xd8), STEP_NEXT); /* wrgsbase eax */
	CHECK_EQ(r->cpu->segment[SEG_GS].base, 0x12345678);
	r->cpu->gpr[GPR_RAX] = 0x0100000000000000ull;
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x48, 0x0f, 0xae, 0xd0), STEP_FAULT);
	CHECK_EQ(rig_event(r), GP(0));
	CHECK_EQ(RIG_STEP(r, 0xf3, 0x48, 0x0f, 0xae, 0xc3), STEP_NEXT); /* rdfsbase rbx */
	CHECK_EQ(r->cpu->gpr[GPR_RBX], 0xffff800012345678ull);
	rig_free(r);
}

/*
 * The instructions that make x86 hard to virtualize: unprivileged, yet showing or touching what belongs to the
 * operating system. Each is run as a small guest in every mode, at both ends of the privilege range, with CR4.UMIP off
 * and on, on both vendors' processors; the tables say what must come of it.
 *
 * An outcome is one letter for each mode, in the order of enum rig_mode: '.' the instruction completes and its result
 * is the one that the row's check knows, 'U' #UD, 'G' #GP(0), ' ' the mode is not tried.
 */
#include <stdio.h>

#include "../unit/rig.h"

#define OFFSET 0x2000u /* of the memory operand in its segment; [bx], [edi] or [rdi]: ModRM's r/m 7 */
#define MARK 0xa5a5a5a5a5a5a5a5ull
#define IOPL3 RFLAGS_IOPL

static unsigned passed, failed;

static void report(bool ok, const char *model, const char *name, enum rig_mode mode, const char *circumstances,
		   const char *what)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("FAILED: %s, %s, %s%s: %s\n", name, rig_mode_names[mode], model, circumstances, what);
}

/* ---- the guest ---- */

static unsigned data_linear(const struct rig *r)
{
	u64 base = cpu_in_64bit_mode(r->cpu) ? 0 : r->cpu->segment[SEG_DS].base;

	return (unsigned)(base + r->cpu->gpr[GPR_RDI]);
}

static unsigned stack_linear(const struct rig *r)
{
	u64 base = cpu_in_64bit_mode(r->cpu) ? 0 : r->cpu->segment[SEG_SS].base;

	return (unsigned)(base + r->cpu->gpr[GPR_RSP]);
}

static unsigned word_bytes(enum rig_mode mode)
{
	return mode <= RIG_PROTECTED16_USER ? 2 : mode <= RIG_COMPAT_USER ? 4 : 8;
}

static bool is_user(enum rig_mode mode)
{
	return mode == RIG_V86 || (mode > RIG_PROTECTED16 && mode % 2);
}

static bool is_flat(enum rig_mode mode)
{
	return mode >= RIG_PROTECTED32;
}

static void start(struct rig *r, enum rig_mode mode, u64 cr4, u64 rflags)
{
	rig_enter(r, mode);
	r->cpu->cr4 |= cr4;
	r->cpu->rflags |= rflags;
	r->cpu->gpr[GPR_RAX] = r->cpu->gpr[GPR_RDX] = MARK;
	r->cpu->gpr[GPR_RDI] = r->cpu->gpr[GPR_RBX] = is_flat(mode) ? RIG_DATA + OFFSET : OFFSET;
	rig_put(r, data_linear(r), 8, MARK);
	core_mode_changed(r->c);
}

/* Runs the instruction and the endless jump after it; returns the outcome's letter. */
static char run(struct rig *r, const u8 *bytes, unsigned count)
{
	static const u8 stay[] = { 0xeb, 0xfe };
	u8 code[INSN_MAX_LENGTH + sizeof(stay)];
	u64 next = r->cpu->rip + count;
	bool real = cpu_in_real_mode(r->cpu);

	memcpy(code, bytes, count);
	memcpy(code + count, stay, sizeof(stay));
	(void)rig_run(r, code, count + sizeof(stay), 1);
	if (r->cpu->rip == next)
		return '.';
	if (rig_handler(r) == VECTOR_UD)
		return 'U';
	if (rig_handler(r) == VECTOR_GP && (real || rig_get(r, stack_linear(r), 4) == 0))
		return 'G';
	return '?';
}

/* ---- what they show ---- */

typedef bool check_fn(struct rig *r, enum rig_mode mode);

static bool table_is(struct rig *r, enum rig_mode mode, const struct cpu_table *table)
{
	unsigned address = data_linear(r), bytes = mode >= RIG_LONG ? 8 : 4;

	return rig_get(r, address, 2) == table->limit && rig_get(r, address + 2, bytes) == table->base &&
	       rig_get(r, address + 2 + bytes, 2) == (mode >= RIG_LONG ? 0 : (u16)MARK);
}

static bool shows_gdt(struct rig *r, enum rig_mode mode)
{
	return table_is(r, mode, &r->cpu->gdtr);
}

static bool shows_idt(struct rig *r, enum rig_mode mode)
{
	return table_is(r, mode, &r->cpu->idtr);
}

/* A register result of the mode's operand size; 32 bits clear the upper half. */
static bool rax_is(const struct rig *r, enum rig_mode mode, u64 value)
{
	u64 kept = word_bytes(mode) == 2 ? MARK & ~0xffffull : 0;

	return r->cpu->gpr[GPR_RAX] == (kept | (value & byte_mask(mode >= RIG_LONG ? 4 : word_bytes(mode))));
}

static bool shows_ldt(struct rig *r, enum rig_mode mode)
{
	return rax_is(r, mode, SEL_LDT);
}

static bool shows_task(struct rig *r, enum rig_mode mode)
{
	return rax_is(r, mode, SEL_TSS);
}

static bool shows_cr0(struct rig *r, enum rig_mode mode)
{
	return rax_is(r, mode, r->cpu->cr0);
}

static bool stores_ldt(struct rig *r, enum rig_mode mode)
{
	(void)mode;
	return rig_get(r, data_linear(r), 4) == ((MARK & 0xffff0000) | SEL_LDT);
}

static bool stores_task(struct rig *r, enum rig_mode mode)
{
	(void)mode;
	return rig_get(r, data_linear(r), 4) == ((MARK & 0xffff0000) | SEL_TSS);
}

static bool stores_cr0(struct rig *r, enum rig_mode mode)
{
	(void)mode;
	return rig_get(r, data_linear(r), 4) == ((MARK & 0xffff0000) | (u16)r->cpu->cr0);
}

/* The privilege level shows in CS. */
static bool shows_cs(struct rig *r, enum rig_mode mode)
{
	return rax_is(r, mode, r->cpu->segment[SEG_CS].selector);
}

/* The image holds IOPL, NT and IF as they are, and neither VM nor RF. */
static bool pushes_flags(struct rig *r, enum rig_mode mode)
{
	unsigned bytes = word_bytes(mode);

	return rig_get(r, stack_linear(r), bytes) ==
	       (cpu_rflags(r->cpu) & ~(RFLAGS_VM | RFLAGS_RF) & byte_mask(bytes));
}

/* With CR4.VME and IOPL below 3 the program sees IOPL 3, and VIF for IF. */
static bool pushes_virtual_flags(struct rig *r, enum rig_mode mode)
{
	(void)mode;
	return rig_get(r, stack_linear(r), 2) == (RFLAGS_FIXED | RFLAGS_IOPL | RFLAGS_IF) &&
	       !(r->cpu->rflags & RFLAGS_IF);
}

static bool changes_nothing(struct rig *r, enum rig_mode mode)
{
	(void)mode;
	return r->cpu->gpr[GPR_RAX] == MARK && rig_get(r, data_linear(r), 8) == MARK;
}

struct sensitive {
	const char *name;
	u8 bytes[4], count;
	u64 cr4, rflags;
	const char *plain, *umip; /* outcomes */
	check_fn *check;
};

static const struct sensitive instructions[] = {
	{ "SGDT", { 0x0f, 0x01, 0x07 }, 3, 0, 0, "..........", ".G.G.G.G.G", shows_gdt },
	{ "SIDT", { 0x0f, 0x01, 0x0f }, 3, 0, 0, "..........", ".G.G.G.G.G", shows_idt },
	{ "SLDT register", { 0x0f, 0x00, 0xc0 }, 3, 0, 0, "UU........", "UU.G.G.G.G", shows_ldt },
	{ "SLDT memory", { 0x0f, 0x00, 0x07 }, 3, 0, 0, "UU........", "UU.G.G.G.G", stores_ldt },
	{ "STR register", { 0x0f, 0x00, 0xc8 }, 3, 0, 0, "UU........", "UU.G.G.G.G", shows_task },
	{ "STR memory", { 0x0f, 0x00, 0x0f }, 3, 0, 0, "UU........", "UU.G.G.G.G", stores_task },
	{ "SMSW register", { 0x0f, 0x01, 0xe0 }, 3, 0, 0, "..........", ".G.G.G.G.G", shows_cr0 },
	{ "SMSW memory", { 0x0f, 0x01, 0x27 }, 3, 0, 0, "..........", ".G.G.G.G.G", stores_cr0 },
	{ "MOV from CS", { 0x8c, 0xc8 }, 2, 0, 0, "..........", "..........", shows_cs },
	{ "PUSHF", { 0x9c }, 1, 0, RFLAGS_IF | RFLAGS_NT, ".G........", ".G........", pushes_flags },
	{ "PUSHF with IOPL 3", { 0x9c }, 1, 0, RFLAGS_IF | IOPL3, "..........", "..........", pushes_flags },
	{ "PUSHF with CR4.VME", { 0x9c }, 1, CR4_VME, RFLAGS_VIF, " .        ", " .        ", pushes_virtual_flags },
	{ "PUSHFD with CR4.VME", { 0x66, 0x9c }, 2, CR4_VME, RFLAGS_VIF, " G        ", " G        ", NULL },
	/* The privileged ones beside them, for contrast. */
	{ "LGDT", { 0x0f, 0x01, 0x17 }, 3, 0, 0, " G G G G G", " G G G G G", NULL },
	{ "LIDT", { 0x0f, 0x01, 0x1f }, 3, 0, 0, " G G G G G", " G G G G G", NULL },
	{ "LLDT", { 0x0f, 0x00, 0xd0 }, 3, 0, 0, "UU G G G G", "UU G G G G", NULL },
	{ "LTR", { 0x0f, 0x00, 0xd8 }, 3, 0, 0, "UU G G G G", "UU G G G G", NULL },
	{ "LMSW", { 0x0f, 0x01, 0xf0 }, 3, 0, 0, " G G G G G", " G G G G G", NULL },
	{ "CLI", { 0xfa }, 1, 0, 0, " G G G G G", " G G G G G", NULL },
	{ "HLT", { 0xf4 }, 1, 0, 0, " G G G G G", " G G G G G", changes_nothing },
};

static void try_instructions(struct rig *r, const char *model)
{
	for (unsigned n = 0; n < ARRAY_LENGTH(instructions); n++) {
		const struct sensitive *k = &instructions[n];

		for (unsigned m = 0; m < 2 * RIG_MODES; m++) {
			enum rig_mode mode = m / 2;
			char want = (m & 1 ? k->umip : k->plain)[mode];
			const char *umip = m & 1 ? ", UMIP" : "";
			char got;

			if (want == ' ')
				continue;
			start(r, mode, k->cr4 | (m & 1 ? CR4_UMIP : 0), k->rflags);
			got = run(r, k->bytes, k->count);
			report(got == want, model, k->name, mode, umip, "outcome");
			if (got == want && want == '.')
				report(!k->check || k->check(r, mode), model, k->name, mode, umip, "result");
			else if (got == want)
				report(r->cpu->gpr[GPR_RAX] == MARK, model, k->name, mode, umip, "a trace of it");
		}
	}
}

/* ---- POPF: silently less than it was asked for ---- */

/* IF and IOPL, asked for by a POPF of all ones but TF and NT; what is left of them depends on privilege alone. */
static void try_popf(struct rig *r, const char *model)
{
	static const u64 asked = RFLAGS_STATUS | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL;

	for (unsigned m = 0; m < 2 * RIG_MODES; m++) {
		enum rig_mode mode = m / 2;
		u64 iopl = m & 1 ? IOPL3 : 0, want = asked;
		const char *circumstances = iopl ? ", IOPL 3" : ", IOPL 0";
		bool refused = mode == RIG_V86 && !iopl;
		char got;

		start(r, mode, 0, iopl);
		rig_put(r, stack_linear(r), word_bytes(mode), asked);
		got = run(r, (const u8[]){ 0x9d }, 1);
		report(got == (refused ? 'G' : '.'), model, "POPF", mode, circumstances, "outcome");
		if (got != '.')
			continue;
		if (is_user(mode))
			want = iopl ? asked : asked & ~(RFLAGS_IF | RFLAGS_IOPL);
		report((cpu_rflags(r->cpu) & asked) == want, model, "POPF", mode, circumstances, "flags");
	}
}

/* CR4.VME gives a virtual-8086 program with IOPL below 3 a POPF that moves VIF. */
static void try_popf_vme(struct rig *r, const char *model)
{
	static const char name[] = "POPF with CR4.VME";
	static const struct { u64 image, pending; char want; u64 rflags; } cases[] = {
		{ RFLAGS_IF | RFLAGS_IOPL, 0, '.', RFLAGS_VIF },
		{ RFLAGS_IOPL, 0, '.', 0 },
		{ RFLAGS_IF, RFLAGS_VIP, 'G', RFLAGS_VIP },
		{ RFLAGS_TF, 0, 'G', 0 },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		start(r, RIG_V86, CR4_VME, cases[n].pending);
		rig_put(r, stack_linear(r), 2, cases[n].image);
		report(run(r, (const u8[]){ 0x9d }, 1) == cases[n].want, model, name, RIG_V86, "", "outcome");
		report((r->cpu->rflags & (RFLAGS_IF | RFLAGS_VIF | RFLAGS_VIP | RFLAGS_IOPL)) == cases[n].rflags, model,
		       name, RIG_V86, "", "flags");
	}
}

/* ---- LAR, LSL, VERR, VERW: what the descriptor tables show ---- */

struct look {
	const char *name;
	u8 bytes[3];
	u16 selector;
	bool kernel, user; /* ZF by privilege */
	u32 value;         /* LAR's or LSL's result, 0: none */
};

static const struct look looks[] = {
	{ "LAR of kernel code", { 0x0f, 0x02, 0xc2 }, SEL_CODE, true, false, 0xcf9b00 },
	{ "LAR of user data", { 0x0f, 0x02, 0xc2 }, SEL_DATA3, true, true, 0xcff300 },
	{ "LAR of the task", { 0x0f, 0x02, 0xc2 }, SEL_TSS, true, false, 0x008b00 },
	{ "LAR of null", { 0x0f, 0x02, 0xc2 }, 0, false, false, 0 },
	{ "LAR beyond the table", { 0x0f, 0x02, 0xc2 }, RIG_GDT_BYTES, false, false, 0 },
	{ "LSL of kernel code", { 0x0f, 0x03, 0xc2 }, SEL_CODE, true, false, 0xffffffff },
	{ "LSL of user data", { 0x0f, 0x03, 0xc2 }, SEL_DATA3, true, true, 0xffffffff },
	{ "LSL of the LDT", { 0x0f, 0x03, 0xc2 }, SEL_LDT, true, false, 0xff },
	{ "LSL of null", { 0x0f, 0x03, 0xc2 }, 0, false, false, 0 },
	{ "VERR of kernel data", { 0x0f, 0x00, 0xe2 }, SEL_DATA, true, false, 0 },
	{ "VERR of user code", { 0x0f, 0x00, 0xe2 }, SEL_CODE3, true, true, 0 },
	{ "VERR of conforming code", { 0x0f, 0x00, 0xe2 }, SEL_CONFORMING, true, true, 0 },
	{ "VERW of kernel data", { 0x0f, 0x00, 0xea }, SEL_DATA, true, false, 0 },
	{ "VERW of user data", { 0x0f, 0x00, 0xea }, SEL_DATA3, true, true, 0 },
	{ "VERW of user code", { 0x0f, 0x00, 0xea }, SEL_CODE3, false, false, 0 },
};

static void try_looks(struct rig *r, const char *model)
{
	for (unsigned n = 0; n < ARRAY_LENGTH(looks); n++) {
		const struct look *k = &looks[n];

		for (unsigned m = 0; m < 2 * RIG_MODES; m++) {
			enum rig_mode mode = m / 2;
			const char *umip = m & 1 ? ", UMIP" : "";
			bool paragraphs = mode == RIG_REAL || mode == RIG_V86;
			bool want = is_user(mode) ? k->user : k->kernel;
			u64 mask = byte_mask(word_bytes(mode)), value = k->value & mask;

			start(r, mode, m & 1 ? CR4_UMIP : 0, 0);
			r->cpu->gpr[GPR_RDX] = k->selector;
			report(run(r, k->bytes, 3) == (paragraphs ? 'U' : '.'), model, k->name, mode, umip, "outcome");
			if (paragraphs)
				continue;
			report(!!(r->cpu->status & CPU_STATUS_ZF) == want, model, k->name, mode, umip, "ZF");
			if (!want || !k->value)
				report(r->cpu->gpr[GPR_RAX] == MARK, model, k->name, mode, umip, "register untouched");
			else
				report((r->cpu->gpr[GPR_RAX] & mask) == value, model, k->name, mode, umip, "value");
		}
	}
}

/* ---- far transfers ---- */

#define TARGET 0x1234u

enum transfer { JUMP, CALL, RETURN, INTERRUPT_RETURN, INTERRUPT };

struct far {
	const char *name;
	u8 transfer, mode;
	u16 selector;
	u32 want; /* RIG_ERROR() of an exception; RIG_NO_EVENT: it arrives; a vector: its handler runs */
	u16 cs;   /* on arrival */
};

#define GP(error) RIG_ERROR(VECTOR_GP, error)
#define ARRIVES RIG_NO_EVENT
#define VECTOR_USER 0x80 /* its gate has DPL 3 */
#define VECTOR_KERNEL 0x81

static const struct far transfers[] = {
	{ "JMP FAR", JUMP, RIG_REAL, 0x1111, ARRIVES, 0x1111 },
	{ "JMP FAR", JUMP, RIG_V86, 0x1111, ARRIVES, 0x1111 },
	{ "JMP FAR to the kernel", JUMP, RIG_PROTECTED16, SEL_CODE, ARRIVES, SEL_CODE },
	{ "JMP FAR to the kernel", JUMP, RIG_PROTECTED16_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "JMP FAR to the kernel", JUMP, RIG_PROTECTED32, SEL_CODE, ARRIVES, SEL_CODE },
	{ "JMP FAR to the kernel", JUMP, RIG_PROTECTED32_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "JMP FAR to the user", JUMP, RIG_PROTECTED32_USER, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "JMP FAR to conforming code", JUMP, RIG_PROTECTED32_USER, SEL_CONFORMING, ARRIVES, SEL_CONFORMING | 3 },
	{ "JMP FAR to 64-bit code", JUMP, RIG_COMPAT, SEL_CODE64, ARRIVES, SEL_CODE64 },
	{ "JMP FAR to 64-bit code", JUMP, RIG_COMPAT_USER, SEL_CODE64_3, ARRIVES, SEL_CODE64_3 },
	{ "JMP FAR to the kernel", JUMP, RIG_COMPAT_USER, SEL_CODE64, GP(SEL_CODE64), 0 },
	{ "JMP FAR to 32-bit code", JUMP, RIG_LONG, SEL_CODE, ARRIVES, SEL_CODE },
	{ "JMP FAR to the kernel", JUMP, RIG_LONG_USER, SEL_CODE64, GP(SEL_CODE64), 0 },
	{ "JMP FAR to the task", JUMP, RIG_PROTECTED32_USER, SEL_TSS_B, GP(SEL_TSS_B), 0 },
	{ "JMP FAR to nothing", JUMP, RIG_LONG_USER, 0, GP(0), 0 },
	{ "CALL FAR", CALL, RIG_REAL, 0x1111, ARRIVES, 0x1111 },
	{ "CALL FAR", CALL, RIG_V86, 0x1111, ARRIVES, 0x1111 },
	{ "CALL FAR to the user", CALL, RIG_PROTECTED16_USER, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "CALL FAR to the kernel", CALL, RIG_PROTECTED32, SEL_CODE, ARRIVES, SEL_CODE },
	{ "CALL FAR to the kernel", CALL, RIG_PROTECTED32_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "CALL FAR to the kernel", CALL, RIG_COMPAT_USER, SEL_CODE64, GP(SEL_CODE64), 0 },
	{ "CALL FAR to the user", CALL, RIG_LONG_USER, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "CALL FAR to the kernel", CALL, RIG_LONG_USER, SEL_CODE64, GP(SEL_CODE64), 0 },
	{ "RET FAR", RETURN, RIG_REAL, 0x1111, ARRIVES, 0x1111 },
	{ "RET FAR", RETURN, RIG_V86, 0x1111, ARRIVES, 0x1111 },
	{ "RET FAR to the kernel", RETURN, RIG_PROTECTED16_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "RET FAR to the kernel", RETURN, RIG_PROTECTED32, SEL_CODE, ARRIVES, SEL_CODE },
	{ "RET FAR to the kernel", RETURN, RIG_PROTECTED32_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "RET FAR to the user", RETURN, RIG_PROTECTED32_USER, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "RET FAR to the user", RETURN, RIG_PROTECTED32, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "RET FAR to the kernel", RETURN, RIG_COMPAT_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "RET FAR to the user", RETURN, RIG_LONG, SEL_CODE64_3, ARRIVES, SEL_CODE64_3 },
	{ "RET FAR to the kernel", RETURN, RIG_LONG_USER, SEL_CODE64, GP(SEL_CODE64), 0 },
	{ "IRET", INTERRUPT_RETURN, RIG_REAL, 0x1111, ARRIVES, 0x1111 },
	{ "IRET", INTERRUPT_RETURN, RIG_V86, 0x1111, GP(0), 0 },
	{ "IRET to the kernel", INTERRUPT_RETURN, RIG_PROTECTED16_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "IRET to the kernel", INTERRUPT_RETURN, RIG_PROTECTED32_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "IRET to the user", INTERRUPT_RETURN, RIG_PROTECTED32_USER, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "IRET to the user", INTERRUPT_RETURN, RIG_PROTECTED32, SEL_CODE3, ARRIVES, SEL_CODE3 },
	{ "IRET to the kernel", INTERRUPT_RETURN, RIG_COMPAT_USER, SEL_CODE, GP(SEL_CODE), 0 },
	{ "IRET to the user", INTERRUPT_RETURN, RIG_LONG, SEL_CODE64_3, ARRIVES, SEL_CODE64_3 },
	{ "IRET to the kernel", INTERRUPT_RETURN, RIG_LONG_USER, SEL_CODE64, GP(SEL_CODE64), 0 },
	{ "INT 0x80", INTERRUPT, RIG_REAL, VECTOR_USER, VECTOR_USER, 0 },
	{ "INT 0x80", INTERRUPT, RIG_V86, VECTOR_USER, GP(0), 0 },
	{ "INT 0x80", INTERRUPT, RIG_PROTECTED16_USER, VECTOR_USER, VECTOR_USER, 0 },
	{ "INT 0x80", INTERRUPT, RIG_PROTECTED32_USER, VECTOR_USER, VECTOR_USER, 0 },
	{ "INT 0x80", INTERRUPT, RIG_COMPAT_USER, VECTOR_USER, VECTOR_USER, 0 },
	{ "INT 0x80", INTERRUPT, RIG_LONG_USER, VECTOR_USER, VECTOR_USER, 0 },
	{ "INT 0x81", INTERRUPT, RIG_PROTECTED16_USER, VECTOR_KERNEL, GP(VECTOR_KERNEL * 8 + 2), 0 },
	{ "INT 0x81", INTERRUPT, RIG_PROTECTED32_USER, VECTOR_KERNEL, GP(VECTOR_KERNEL * 8 + 2), 0 },
	{ "INT 0x81", INTERRUPT, RIG_PROTECTED32, VECTOR_KERNEL, VECTOR_KERNEL, 0 },
	{ "INT 0x81", INTERRUPT, RIG_COMPAT_USER, VECTOR_KERNEL, GP(VECTOR_KERNEL * 8 + 2), 0 },
	{ "INT 0x81", INTERRUPT, RIG_LONG_USER, VECTOR_KERNEL, GP(VECTOR_KERNEL * 8 + 2), 0 },
	{ "INT 0x81", INTERRUPT, RIG_LONG, VECTOR_KERNEL, VECTOR_KERNEL, 0 },
};

/* JMP and CALL go through memory, [bx], [edi] or [rdi], so that one encoding fits every mode. */
static unsigned prepare_transfer(struct rig *r, const struct far *k, u8 *code)
{
	unsigned bytes = word_bytes(k->mode), offset_bytes = bytes == 8 ? 4 : bytes;
	u16 ss = (k->selector & SELECTOR_RPL) == 3 ? SEL_DATA3 : SEL_DATA;
	const u64 frames[2][5] = {
		{ TARGET, k->selector, RIG_STACK1, ss }, { TARGET, k->selector, RFLAGS_IF, RIG_STACK1, ss },
	};
	const u64 *frame = frames[k->transfer == INTERRUPT_RETURN];
	u16 handler = k->mode >= RIG_COMPAT ? SEL_CODE64 : SEL_CODE;
	unsigned n = 0;

	if (bytes == 8 && (k->transfer == RETURN || k->transfer == INTERRUPT_RETURN))
		code[n++] = 0x48;
	switch (k->transfer) {
	case JUMP:
	case CALL:
		rig_put(r, data_linear(r), offset_bytes, TARGET);
		rig_put(r, data_linear(r) + offset_bytes, 2, k->selector);
		code[n++] = 0xff;
		code[n++] = k->transfer == JUMP ? 0x2f : 0x1f;
		return n;
	case RETURN:
	case INTERRUPT_RETURN:
		for (unsigned slot = 0; slot < 5; slot++)
			rig_put(r, stack_linear(r) + slot * bytes, bytes, frame[slot]);
		code[n++] = k->transfer == RETURN ? 0xcb : 0xcf;
		return n;
	default:
		rig_set_idt(r, VECTOR_USER, DESCRIPTOR_INTERRUPT_GATE32, 3, handler);
		code[n++] = 0xcd;
		code[n++] = (u8)k->selector;
		return n;
	}
}

static void try_transfers(struct rig *r, const char *model)
{
	for (unsigned n = 0; n < ARRAY_LENGTH(transfers); n++) {
		const struct far *k = &transfers[n];
		u8 code[4];
		unsigned count;
		bool real = k->mode == RIG_REAL;

		start(r, k->mode, 0, 0);
		count = prepare_transfer(r, k, code);
		if (k->transfer == INTERRUPT && real)
			rig_put(r, VECTOR_USER * 4, 4, RIG_HANDLER + VECTOR_USER * 16);
		(void)rig_run(r, code, count, 1);
		if (k->want == ARRIVES) {
			report(r->cpu->rip == TARGET && r->cpu->segment[SEG_CS].selector == k->cs, model, k->name,
			       k->mode, "", "arrival");
			/* The flags of the outside world do not change below IOPL. */
			report(!(r->cpu->rflags & RFLAGS_IF) || !is_user(k->mode), model, k->name, k->mode, "", "IF");
			continue;
		}
		report(rig_handler(r) == (k->want & 0xff), model, k->name, k->mode, "", "event");
		if (k->want > 0xff)
			report(rig_get(r, stack_linear(r), 4) == (k->want >> 16) - 1, model, k->name, k->mode, "",
			       "error code");
	}
}

int main(void)
{
	static const char *const models[] = { "max-intel", "max-amd" };

	for (unsigned n = 0; n < ARRAY_LENGTH(models); n++) {
		const char *model = models[n];
		struct rig *r = rig_new(model);

		try_instructions(r, model);
		try_popf(r, model);
		try_popf_vme(r, model);
		try_looks(r, model);
		try_transfers(r, model);
		rig_free(r);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed ? 1 : 0;
}

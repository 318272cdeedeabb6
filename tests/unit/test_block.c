/*
 * Decoded code: it must behave as if every instruction were fetched anew, when it is written to ("Self-Modifying Code",
 * "Handling Self- and Cross-Modifying Code"), mapped elsewhere or run in another mode. Each program ends in HLT.
 */
#include "core_bench.h"
#include "cpu/control.h"
#include "cpu/tlb.h"
#include "test.h"

#define CORE (bench.core[0])

enum { CODE = 0x40000000, FIRST = BENCH_DATA, SECOND = BENCH_DATA + 0x1000, THIRD = BENCH_DATA + 0x2000 };
enum { HLT = 0xf4, NOP = 0x90 };

#define MOV_EAX(n) 0xb8, (n), 0, 0, 0
#define INC_EAX 0xff, 0xc0
#define STORE_CL 0x88, 0x0b /* mov [rbx], cl */

/* Runs processor n from address until it halts; false: it does not. */
static bool runs_on(unsigned n, gva_t address)
{
	struct core *c = bench.core[n];

	bench_goto(n, address);
	c->cpu.activity = CPU_ACTIVE;
	return core_run(c, 100000) == CORE_EXIT_HALTED;
}

static bool runs(gva_t address)
{
	return runs_on(0, address);
}

static u32 eax(void)
{
	return (u32)BENCH_CPU->gpr[GPR_RAX];
}

/* Runs the program at address, which leaves a number in EAX. */
static u32 result(gva_t address)
{
	BENCH_CPU->gpr[GPR_RAX] = 0xbad;
	return runs(address) ? eax() : 0xbadbad;
}

static void start(void)
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(CODE, FIRST, PTE_ALL, 12);
	bench_map(CODE + 0x1000, SECOND, PTE_ALL, 12);
	bench_map(CODE + 0x2000, THIRD, PTE_ALL, 12);
}

/* ---- written by itself ---- */

TEST("an instruction that the one before has changed runs as changed")
{
	start();
	BENCH_CODE(FIRST, STORE_CL, MOV_EAX(1), HLT);
	BENCH_CPU->gpr[GPR_RBX] = CODE + 3;
	BENCH_CPU->gpr[GPR_RCX] = 7;
	CHECK_EQ(result(CODE), 7);
	BENCH_CPU->gpr[GPR_RCX] = 8;
	CHECK_EQ(result(CODE), 8);
	CHECK_EQ(result(CODE + 2), 8);
}

TEST("code that ran, changed by code of another page, runs as changed")
{
	start();
	BENCH_CODE(FIRST, MOV_EAX(1), HLT);
	BENCH_CODE(SECOND, STORE_CL, 0xe9, 0xf9, 0xef, 0xff, 0xff); /* ...; jmp CODE */
	BENCH_CPU->gpr[GPR_RBX] = CODE + 1;
	for (unsigned n = 0; n < 10; n++) {
		BENCH_CPU->gpr[GPR_RCX] = n + 20;
		CHECK_EQ(result(CODE + 0x1000), n + 20);
		CHECK_EQ(result(CODE), n + 20);
	}
}

TEST("a change through another mapping of the page counts as well")
{
	start();
	bench_map(CODE + 0x5000, FIRST, PTE_ALL, 12);
	BENCH_CODE(FIRST, STORE_CL, MOV_EAX(1), HLT);
	BENCH_CPU->gpr[GPR_RBX] = CODE + 0x5003;
	BENCH_CPU->gpr[GPR_RCX] = 7;
	CHECK_EQ(result(CODE), 7);
}

TEST("every kind of store counts: wide, string, read-modify-write, push, across pages, vector")
{
	static const struct { u8 code[8]; unsigned bytes; gva_t address; } stores[] = {
		{ { 0x48, 0x89, 0x0b }, 3, CODE + 0x1001 },             /* mov [rbx], rcx */
		{ { 0xaa }, 1, CODE + 0x1001 },                         /* stosb */
		{ { 0x51 }, 1, CODE + 0x1009 },                         /* push rcx */
		{ { 0x80, 0x33, 0x4 }, 3, CODE + 0x1001 },              /* xor byte [rbx], 4 */
		{ { 0x48, 0x89, 0x0b }, 3, CODE + 0xffb },              /* mov [rbx], rcx */
		{ { 0x0f, 0x11, 0x03 }, 3, CODE + 0x1001 },             /* movups [rbx], xmm0 */
		{ { 0x48, 0x87, 0x0b }, 3, CODE + 0x1001 },             /* xchg [rbx], rcx */
		{ { 0xf0, 0x48, 0x0f, 0xc1, 0x0b }, 5, CODE + 0x1001 }, /* lock xadd [rbx], rcx */
		{ { 0xdd, 0x1b }, 2, CODE + 0x1001 },                   /* fstp qword [rbx] */
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(stores); n++) {
		start();
		BENCH_CPU->cr4 |= CR4_OSFXSR;
		core_mode_changed(CORE);
		BENCH_CODE(SECOND, MOV_EAX(5), HLT);
		CHECK_EQ(result(CODE + 0x1000), 5);
		bench_code(FIRST, stores[n].code, stores[n].bytes);
		bench.ram[FIRST + stores[n].bytes] = HLT;
		BENCH_CPU->gpr[GPR_RBX] = BENCH_CPU->gpr[GPR_RDI] = BENCH_CPU->gpr[GPR_RSP] = stores[n].address;
		BENCH_CPU->gpr[GPR_RAX] = BENCH_CPU->gpr[GPR_RCX] = 0x0101010101010101ull;
		CHECK(runs(CODE));
		if (!CHECK(result(CODE + 0x1000) != 5))
			printf("    case %u\n", n);
	}
}

/* ---- written by others ---- */

TEST("what another processor writes runs here, also in a loop that is running")
{
	start();
	BENCH_CODE(FIRST, MOV_EAX(1), HLT);
	BENCH_CODE(SECOND, STORE_CL, HLT);
	CHECK_EQ(result(CODE), 1);
	CHECK_EQ(result(CODE), 1);
	bench.core[1]->cpu.gpr[GPR_RBX] = CODE + 1;
	for (unsigned n = 2; n < 10; n++) {
		bench.core[1]->cpu.gpr[GPR_RCX] = n;
		CHECK(runs_on(1, CODE + 0x1000));
		CHECK_EQ(result(CODE), n);
	}
	BENCH_CODE(FIRST, 0xeb, 0xfe, MOV_EAX(0x77), HLT); /* jmp here */
	tlb_flush_all(CORE);
	core_flush_blocks(CORE);
	bench_goto(0, CODE);
	BENCH_CPU->activity = CPU_ACTIVE;
	CHECK_EQ(core_run(CORE, 1000), CORE_EXIT_BUDGET);
	bench.core[1]->cpu.gpr[GPR_RCX] = 0;
	CHECK(runs_on(1, CODE + 0x1000));
	CHECK_EQ(core_run(CORE, 1000), CORE_EXIT_HALTED);
	CHECK_EQ(eax(), 0x77);
}

/* ---- mapped elsewhere ---- */

TEST("after INVLPG the code that is mapped now runs, on small, large and global pages")
{
	static const struct { unsigned shift; u64 flags; gva_t flush; } cases[] = {
		{ 12, 0, CODE }, { 12, PTE_G, CODE }, { 21, 0, CODE }, { 21, PTE_G, CODE }, { 21, 0, CODE + 0x1ff000 },
		{ 21, PTE_G, CODE + 0x1ff000 },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		bench_start("max-intel", BENCH_4LEVEL);
		CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PGE));
		bench_map(CODE, BENCH_DATA, PTE_ALL | cases[n].flags, cases[n].shift);
		BENCH_CODE(BENCH_DATA, MOV_EAX(1), HLT);
		BENCH_CODE(BENCH_DATA + 0x200000, MOV_EAX(2), HLT);
		CHECK_EQ(result(CODE), 1);
		bench_map(CODE, BENCH_DATA + 0x200000, PTE_ALL | cases[n].flags, cases[n].shift);
		/* Other pages push the translation out of the TLB: the decoded code must not outlive the INVLPG for that. */
		bench_map(CODE + TLB_ENTRIES * PAGE_SIZE, FIRST, PTE_ALL, 12);
		CHECK(linear_load(CORE, NULL, SEG_DS, CODE + TLB_ENTRIES * PAGE_SIZE, 8).ok);
		(void)result(CODE + TLB_ENTRIES * PAGE_SIZE);
		tlb_flush_page(CORE, cases[n].flush);
		if (!CHECK_EQ(result(CODE), 2))
			printf("    case %u\n", n);
	}
}

TEST("each address space runs its own code at the same address, and global code in all")
{
	u64 cr3, other;

	bench_start("max-intel", BENCH_4LEVEL);
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PGE));
	cr3 = BENCH_CPU->cr3;
	BENCH_CODE(FIRST, MOV_EAX(1), HLT);
	BENCH_CODE(SECOND, MOV_EAX(2), HLT);
	BENCH_CODE(THIRD, MOV_EAX(3), HLT);
	bench_map(CODE, FIRST, PTE_ALL, 12);
	bench_map(CODE + 0x1000, THIRD, PTE_ALL | PTE_G, 12);
	other = bench_new_space();
	bench_map(CODE, SECOND, PTE_ALL, 12);
	bench_map(CODE + 0x1000, THIRD, PTE_ALL | PTE_G, 12);
	for (unsigned n = 0; n < 10; n++) {
		CHECK(control_write_cr3(CORE, NULL, n & 1 ? other : cr3));
		CHECK_EQ(result(CODE), n & 1 ? 2 : 1);
		CHECK_EQ(result(CODE + 0x1000), 3);
	}
}

TEST("the same bytes at two addresses compute their own RIP-relative addresses")
{
	start();
	bench_map(CODE + 0x5000, FIRST, PTE_ALL, 12);
	BENCH_CODE(FIRST, NOP, 0x48, 0x8d, 0x05, 0, 0, 0, 0, HLT); /* lea rax, [rip] */
	CHECK_EQ(result(CODE), CODE + 8);
	CHECK_EQ(result(CODE + 0x5000), CODE + 0x5008);
	CHECK_EQ(result(CODE), CODE + 8);
}

TEST("when the page loses its right to be executed, and INVLPG says so, the fetch faults")
{
	start();
	BENCH_CODE(FIRST, MOV_EAX(1), HLT);
	CHECK_EQ(result(CODE), 1);
	bench_map(CODE, FIRST, PTE_ALL | PTE_NX, 12);
	tlb_flush_page(CORE, CODE);
	bench_goto(0, CODE);
	BENCH_CPU->activity = CPU_ACTIVE;
	CHECK_EQ(core_run(CORE, 10), CORE_EXIT_SHUTDOWN); /* there is no IDT */
	CHECK_EQ(BENCH_CPU->cr2, CODE);
}

/* ---- across pages ---- */

TEST("an instruction across two pages is made of both, whichever changes")
{
	static const u8 head[] = { 0xb8, 1, 2 }, tail[] = { 3, 0, HLT };

	start();
	bench_code(FIRST + 0xffd, head, sizeof(head));
	bench_code(SECOND, tail, sizeof(tail));
	bench_code(THIRD, tail, sizeof(tail));
	bench.ram[THIRD] = 9;
	CHECK_EQ(result(CODE + 0xffd), 0x030201);
	CHECK(linear_store(CORE, NULL, SEG_DS, CODE + 0x1000, 1, 4));
	CHECK_EQ(result(CODE + 0xffd), 0x040201);
	CHECK(linear_store(CORE, NULL, SEG_DS, CODE + 0xfff, 1, 5));
	CHECK_EQ(result(CODE + 0xffd), 0x040501);
	bench_map(CODE + 0x1000, THIRD, PTE_ALL, 12);
	tlb_flush_page(CORE, CODE + 0x1000);
	CHECK_EQ(result(CODE + 0xffd), 0x090501);
}

TEST("if its second page is absent, CR2 is where that begins; what ends with the first page does not need it")
{
	start();
	bench_map(CODE + 0x1000, SECOND, 0, 12);
	bench_code(FIRST + 0xffd, (const u8[]){ 0xb0, 1, HLT }, 3); /* mov al, 1 */
	CHECK_EQ(result(CODE + 0xffd) & 0xff, 1);
	bench_code(FIRST + 0xffd, (const u8[]){ 0xb8, 1, 2 }, 3);
	CHECK(linear_store(CORE, NULL, SEG_DS, CODE + 0xffd, 1, 0xb8));
	bench_goto(0, CODE + 0xffd);
	BENCH_CPU->activity = CPU_ACTIVE;
	CHECK_EQ(core_run(CORE, 10), CORE_EXIT_SHUTDOWN);
	CHECK_EQ(BENCH_CPU->cr2, CODE + 0x1000);
}

TEST("code runs on from one page into the next")
{
	start();
	memset(bench.ram + FIRST, NOP, 0x1000);
	BENCH_CODE(FIRST, MOV_EAX(0));
	bench_code(FIRST + 0xffe, (const u8[]){ INC_EAX }, 2);
	BENCH_CODE(SECOND, INC_EAX, HLT);
	CHECK_EQ(result(CODE), 2);
	CHECK(linear_store(CORE, NULL, SEG_DS, CODE + 0x1001, 1, 0xc8)); /* dec eax */
	CHECK_EQ(result(CODE), 0);
}

/* ---- elsewhere than in RAM ---- */

TEST("code in a device's memory is read each time")
{
	static const u8 code[] = { MOV_EAX(1), HLT };

	start();
	bench_map(CODE + 0x3000, BENCH_DEVICE, PTE_ALL, 12);
	memcpy(bench.device, code, sizeof(code));
	CHECK_EQ(result(CODE + 0x3000), 1);
	((u8 *)bench.device)[1] = 2;
	CHECK_EQ(result(CODE + 0x3000), 2);
}

TEST("code in ROM runs, and cannot be changed")
{
	start();
	bench_map(CODE + 0x3000, BENCH_ROM, PTE_ALL, 12);
	BENCH_CODE(BENCH_ROM, MOV_EAX(1), HLT);
	CHECK_EQ(result(CODE + 0x3000), 1);
	CHECK(linear_store(CORE, NULL, SEG_DS, CODE + 0x3001, 1, 2));
	CHECK_EQ(result(CODE + 0x3000), 1);
}

/* ---- in another mode ---- */

TEST("the same bytes are decoded anew in another mode")
{
	start();
	BENCH_CODE(FIRST, MOV_EAX(0), 0x48, 0xff, 0xc0, HLT); /* 64-bit: inc rax; 32-bit: dec eax; inc eax */
	CHECK_EQ(result(CODE), 1);
	BENCH_CPU->segment[SEG_CS].attributes ^= SEGMENT_L | SEGMENT_DB;
	core_mode_changed(CORE);
	CHECK_EQ(result(CODE), 0);
	BENCH_CPU->segment[SEG_CS].attributes ^= SEGMENT_L | SEGMENT_DB;
	core_mode_changed(CORE);
	CHECK_EQ(result(CODE), 1);
}

TEST("code decoded for the supervisor runs for the user only from user pages")
{
	start();
	bench_map(CODE, FIRST, PTE_P | PTE_W, 12);
	BENCH_CODE(FIRST, MOV_EAX(1), 0xeb, 0xf9); /* ...; jmp back */
	bench_goto(0, CODE);
	CHECK_EQ(core_run(CORE, 100), CORE_EXIT_BUDGET);
	BENCH_CPU->segment[SEG_SS].attributes |= 3u << SEGMENT_DPL_SHIFT;
	core_mode_changed(CORE);
	CHECK_EQ(core_run(CORE, 100), CORE_EXIT_SHUTDOWN);
}

/* ---- the cache ---- */

TEST("more code than the cache holds runs right, over and over")
{
	enum { BYTES = 0x200000, FILLED = BYTES - 16 };

	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(CODE, BENCH_DATA, PTE_ALL, 21);
	for (unsigned n = 0; n < FILLED; n += 2)
		bench_code(BENCH_DATA + n, (const u8[]){ INC_EAX }, 2);
	bench.ram[BENCH_DATA + FILLED] = HLT;
	for (unsigned n = 0; n < 2; n++) {
		BENCH_CPU->gpr[GPR_RAX] = 0;
		bench_goto(0, CODE);
		BENCH_CPU->activity = CPU_ACTIVE;
		CHECK_EQ(core_run(CORE, 10 * BYTES), CORE_EXIT_HALTED);
		CHECK_EQ(eax(), FILLED / 2);
	}
}

TEST("dropping everything while a block runs lets it finish its instruction and go on")
{
	start();
	BENCH_CODE(FIRST, MOV_EAX(1), 0x0f, 0x20, 0xd9, 0x0f, 0x22, 0xd9, INC_EAX, HLT); /* mov rcx, cr3; mov cr3, rcx */
	for (unsigned n = 0; n < 5; n++) {
		CHECK_EQ(result(CODE), 2);
		core_flush_blocks(CORE);
	}
}

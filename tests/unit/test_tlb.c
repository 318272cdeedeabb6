/*
 * Memory as accesses see it: what the TLB may keep and what must be forgotten ("Caching Translation Information"), and the
 * slow ways: page crossings, devices, ROM, alignment. Each rule both ways.
 */
#include "core_bench.h"
#include "cpu/control.h"
#include "cpu/tlb.h"
#include "test.h"

#define CORE (bench.core[0])

enum { PAGE = 0x40000000, OTHER = 0x40001000, FIRST = BENCH_DATA, SECOND = BENCH_DATA + 0x1000 };

static u64 load(gva_t address, unsigned bytes)
{
	u64 value = 0;

	BENCH_CPU->event.valid = false;
	switch (bytes) {
	case 1: value = linear_load(CORE, NULL, SEG_DS, address, 1).value; break;
	case 2: value = linear_load(CORE, NULL, SEG_DS, address, 2).value; break;
	case 4: value = linear_load(CORE, NULL, SEG_DS, address, 4).value; break;
	default: value = linear_load(CORE, NULL, SEG_DS, address, 8).value; break;
	}
	return value;
}

static bool store(gva_t address, unsigned bytes, u64 value)
{
	BENCH_CPU->event.valid = false;
	return bytes == 8 ? linear_store(CORE, NULL, SEG_DS, address, 8, value)
			  : linear_store(CORE, NULL, SEG_DS, address, 4, value);
}

static bool raised(unsigned vector)
{
	return BENCH_CPU->event.valid && BENCH_CPU->event.vector == vector;
}

static bool faulted(gva_t address, u32 error)
{
	return raised(VECTOR_PF) && BENCH_CPU->event.payload == address && BENCH_CPU->event.error_code == error;
}

/* PAGE leads to FIRST, which holds 1, and SECOND holds 2. */
static void start_space(u64 flags)
{
	bench_start("max-intel", BENCH_4LEVEL);
	*bench_word(FIRST) = 1;
	*bench_word(SECOND) = 2;
	bench_map(PAGE, FIRST, PTE_ALL | flags, 12);
	CHECK_EQ(load(PAGE, 8), 1);
}

static void remap(u64 flags)
{
	bench_set(bench_entry(PAGE, 1), SECOND | PTE_ALL | flags);
}

static void user(void)
{
	BENCH_CPU->segment[SEG_SS].attributes |= 3u << SEGMENT_DPL_SHIFT;
	core_mode_changed(CORE);
}

/* ---- what must be forgotten ---- */

TEST("a translation is kept until INVLPG of its page; another page's INVLPG leaves it")
{
	start_space(0);
	remap(0);
	tlb_flush_page(CORE, OTHER);
	CHECK_EQ(load(PAGE, 8), 1);
	tlb_flush_page(CORE, PAGE + 0x123);
	CHECK_EQ(load(PAGE, 8), 2);
}

TEST("an absent or too narrow translation is not kept: what software adds holds at once")
{
	start_space(0);
	CHECK_EQ(load(OTHER, 8), 0);
	CHECK(faulted(OTHER, 0));
	bench_map(OTHER, SECOND, PTE_P | PTE_W, 12);
	CHECK_EQ(load(OTHER, 8), 2);
	user();
	CHECK_EQ(load(OTHER, 8), 0);
	CHECK(faulted(OTHER, PF_ERROR_P | PF_ERROR_U));
	bench_map(OTHER, SECOND, PTE_ALL, 12);
	CHECK_EQ(load(OTHER, 8), 2);
}

/* "INVLPG": the translations of the page, of whatever size, that contains the address. */
TEST("INVLPG with any address in a large page forgets all of it")
{
	start_space(0);
	bench_map(0x80000000, BENCH_DATA, PTE_ALL, 21);
	CHECK_EQ(load(0x80000000, 8), 1);
	CHECK_EQ(load(0x80001000, 8), 2);
	bench_map(0x80000000, BENCH_DATA + 0x200000, PTE_ALL, 21);
	CHECK_EQ(load(0x80000000, 8), 1);
	tlb_flush_page(CORE, 0x801ff000);
	CHECK_EQ(load(0x80000000, 8), 0);
	CHECK_EQ(load(0x80001000, 8), 0);
	tlb_flush_page(CORE, 0x80200000);
	CHECK_EQ(load(PAGE, 8), 1);
}

TEST("MOV to CR3 forgets all but global translations, which CR4.PGE keeps")
{
	for (unsigned global = 0; global < 2; global++) {
		for (unsigned pge = 0; pge < 2; pge++) {
			bench_start("max-intel", BENCH_4LEVEL);
			CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | (pge ? CR4_PGE : 0)));
			*bench_word(FIRST) = 1;
			*bench_word(SECOND) = 2;
			bench_map(PAGE, FIRST, PTE_ALL | (global ? PTE_G : 0), 12);
			CHECK_EQ(load(PAGE, 8), 1);
			remap(global ? PTE_G : 0);
			CHECK(control_write_cr3(CORE, NULL, BENCH_CPU->cr3));
			CHECK_EQ(load(PAGE, 8), global && pge ? 1 : 2);
		}
	}
}

TEST("INVLPG and a change of CR4.PGE forget global translations")
{
	bench_start("max-intel", BENCH_4LEVEL);
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PGE));
	*bench_word(FIRST) = 1;
	*bench_word(SECOND) = 2;
	bench_map(PAGE, FIRST, PTE_ALL | PTE_G, 12);
	CHECK_EQ(load(PAGE, 8), 1);
	remap(PTE_G);
	tlb_flush_page(CORE, PAGE);
	CHECK_EQ(load(PAGE, 8), 2);
	bench_set(bench_entry(PAGE, 1), FIRST | PTE_ALL | PTE_G);
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 & ~CR4_PGE));
	CHECK_EQ(load(PAGE, 8), 1);
	remap(PTE_G);
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PGE));
	CHECK_EQ(load(PAGE, 8), 2);
}

TEST("a global translation serves every address space, and a private one its own only")
{
	u64 cr3, other;

	bench_start("max-intel", BENCH_4LEVEL);
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PGE));
	cr3 = BENCH_CPU->cr3;
	*bench_word(FIRST) = 1;
	*bench_word(SECOND) = 2;
	bench_map(PAGE, FIRST, PTE_ALL | PTE_G, 12);
	bench_map(OTHER, FIRST, PTE_ALL, 12);
	CHECK_EQ(load(PAGE, 8) + load(OTHER, 8), 2);
	other = bench_new_space();
	bench_map(OTHER, SECOND, PTE_ALL, 12);
	CHECK(control_write_cr3(CORE, NULL, other));
	CHECK_EQ(load(PAGE, 8), 1);
	CHECK_EQ(load(OTHER, 8), 2);
	CHECK(control_write_cr3(CORE, NULL, cr3));
	CHECK_EQ(load(OTHER, 8), 1);
}

/* "Process-Context Identifiers (PCIDs)": bit 63 of the source operand keeps the PCID's translations. */
TEST("PCIDs keep their translations apart; MOV to CR3 forgets its PCID's, or none with bit 63")
{
	u64 cr3;

	start_space(0);
	cr3 = BENCH_CPU->cr3;
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PCIDE));
	CHECK(control_write_cr3(CORE, NULL, cr3 | 1));
	CHECK_EQ(load(PAGE, 8), 1);
	remap(0);
	CHECK(control_write_cr3(CORE, NULL, cr3 | 2));
	CHECK(control_write_cr3(CORE, NULL, cr3 | 1 | CR3_NOFLUSH));
	CHECK_EQ(load(PAGE, 8), 1);
	CHECK(control_write_cr3(CORE, NULL, cr3 | 2));
	CHECK_EQ(load(PAGE, 8), 2);
	CHECK(control_write_cr3(CORE, NULL, cr3 | 1));
	CHECK_EQ(load(PAGE, 8), 2);
}

TEST("INVPCID of a context forgets that one, of the current one or another")
{
	u64 cr3;

	start_space(0);
	cr3 = BENCH_CPU->cr3;
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PCIDE));
	CHECK(control_write_cr3(CORE, NULL, cr3 | 1));
	CHECK_EQ(load(PAGE, 8), 1);
	remap(0);
	tlb_flush_pcid(CORE, 2);
	CHECK_EQ(load(PAGE, 8), 1);
	tlb_flush_pcid(CORE, 1);
	CHECK_EQ(load(PAGE, 8), 2);
	bench_set(bench_entry(PAGE, 1), FIRST | PTE_ALL);
	CHECK(control_write_cr3(CORE, NULL, cr3 | 2));
	tlb_flush_pcid(CORE, 1);
	CHECK(control_write_cr3(CORE, NULL, cr3 | 1 | CR3_NOFLUSH));
	CHECK_EQ(load(PAGE, 8), 1);
}

TEST("however often CR3 is loaded, address spaces are never mixed up")
{
	u64 cr3, other;
	bool right = true;

	bench_start("max-intel", BENCH_4LEVEL);
	cr3 = BENCH_CPU->cr3;
	*bench_word(FIRST) = 1;
	*bench_word(SECOND) = 2;
	bench_map(PAGE, FIRST, PTE_ALL, 12);
	other = bench_new_space();
	bench_map(PAGE, SECOND, PTE_ALL, 12);
	for (unsigned n = 0; n < 3 * TLB_CONTEXTS; n++) {
		right &= control_write_cr3(CORE, NULL, n & 1 ? other : cr3);
		right &= load(PAGE, 8) == (n & 1 ? 2 : 1);
	}
	CHECK(right);
}

TEST("changes of WP, SMEP, NXE, SMAP and protection keys hold at once")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(PAGE, FIRST, PTE_P | PTE_U | PTE_KEY(1), 12);
	CHECK(store(PAGE, 8, 5));
	CHECK(control_write_cr0(CORE, NULL, BENCH_CPU->cr0 | CR0_WP));
	CHECK(!store(PAGE, 8, 5));
	CHECK(control_write_cr0(CORE, NULL, BENCH_CPU->cr0 & ~CR0_WP));
	CHECK(store(PAGE, 8, 6));
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_SMAP));
	CHECK(!store(PAGE, 8, 7));
	BENCH_CPU->rflags |= RFLAGS_AC;
	core_mode_changed(CORE);
	CHECK(store(PAGE, 8, 8));
	BENCH_CPU->rflags &= ~RFLAGS_AC;
	core_mode_changed(CORE);
	CHECK(!store(PAGE, 8, 9));
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 & ~CR4_SMAP));
	BENCH_CPU->pkru = 4;
	CHECK(store(PAGE, 8, 10));
	CHECK(control_write_cr4(CORE, NULL, BENCH_CPU->cr4 | CR4_PKE));
	CHECK(!store(PAGE, 8, 11));
	CHECK_EQ(*bench_word(FIRST), 10);
}

/* ---- accessed and dirty ---- */

TEST("after reads have filled the TLB the first write still sets the dirty flag")
{
	start_space(0);
	CHECK_EQ(load(PAGE, 8), 1);
	CHECK_EQ(bench_get(bench_entry(PAGE, 1)) & (PTE_A | PTE_D), PTE_A);
	CHECK(store(PAGE, 8, 3));
	CHECK_EQ(bench_get(bench_entry(PAGE, 1)) & (PTE_A | PTE_D), PTE_A | PTE_D);
	CHECK_EQ(*bench_word(FIRST), 3);
}

/* ---- crossings ---- */

TEST("an access across two pages has its parts where the pages are")
{
	start_space(0);
	bench_map(OTHER, BENCH_DATA + 0x5000, PTE_ALL, 12);
	CHECK(store(OTHER - 3, 8, 0x8877665544332211ull));
	CHECK_EQ(bench.ram[FIRST + 0xffd] | bench.ram[FIRST + 0xfff] << 8, 0x3311);
	CHECK_EQ(*bench_word(BENCH_DATA + 0x5000), 0x8877665544ull);
	CHECK_EQ(load(OTHER - 3, 8), 0x8877665544332211ull);
	CHECK_EQ(load(OTHER - 1, 2), 0x4433);
}

TEST("if its second page faults, CR2 is where that begins, and nothing has been written")
{
	start_space(0);
	CHECK(!store(OTHER - 4, 8, ~0ull));
	CHECK(faulted(OTHER, PF_ERROR_W));
	CHECK_EQ(*bench_word(FIRST + 0xff8), 0);
	bench_map(OTHER, SECOND, PTE_P | PTE_U, 12);
	BENCH_CPU->cr0 |= CR0_WP;
	tlb_flush_all(CORE);
	CHECK(!store(OTHER - 4, 8, ~0ull));
	CHECK(faulted(OTHER, PF_ERROR_P | PF_ERROR_W));
	CHECK_EQ(*bench_word(FIRST + 0xff8), 0);
}

/* "Canonical Addressing": #GP, or #SS by way of SS. */
TEST("an address that is not canonical is #GP(0), for the stack #SS(0); its last byte counts")
{
	start_space(0);
	(void)load(0x0000800000000000ull, 1);
	CHECK(raised(VECTOR_GP));
	(void)load(0x00007ffffffffffdull, 4);
	CHECK(raised(VECTOR_GP));
	(void)load(0x00007ffffffffffcull, 4);
	CHECK(raised(VECTOR_PF));
	BENCH_CPU->event.valid = false;
	CHECK(!linear_load(CORE, NULL, SEG_SS, 0x0000800000000000ull, 8).ok);
	CHECK(raised(VECTOR_SS));
	bench_start("max-intel", BENCH_5LEVEL);
	(void)load(0x0000800000000000ull, 1);
	CHECK(raised(VECTOR_PF));
	(void)load(0x0100000000000000ull, 1);
	CHECK(raised(VECTOR_GP));
}

TEST("outside long mode linear addresses wrap at 4 GiB")
{
	bench_start("max-intel", BENCH_PAE);
	bench_map(0xfffff000, FIRST, PTE_ALL, 12);
	bench_map(0, SECOND, PTE_ALL, 12);
	CHECK(store(0xfffffffe, 4, 0x44332211));
	CHECK_EQ(bench.ram[FIRST + 0xffe] | bench.ram[SECOND + 1] << 8, 0x4411);
}

/* ---- devices and ROM ---- */

TEST("a device is accessed in naturally aligned pieces, each exactly once")
{
	start_space(0);
	bench_map(OTHER, BENCH_DEVICE, PTE_ALL, 12);
	bench.device[0] = 0x1122334455667788ull;
	CHECK_EQ(load(OTHER, 8), 0x1122334455667788ull);
	CHECK_EQ(bench.device_reads, 1);
	CHECK_EQ(load(OTHER + 1, 4), 0x44556677);
	CHECK_EQ(bench.device_reads, 4);
	CHECK(store(OTHER + 8, 8, 5));
	CHECK(store(OTHER + 8, 8, 5));
	CHECK_EQ(bench.device_writes, 2);
	CHECK(store(OTHER - 4, 8, 0xaabbccdd00000000ull));
	CHECK_EQ(bench.device_writes, 3);
	CHECK_EQ(bench.device[0], 0x11223344aabbccddull);
}

TEST("what nobody claims reads as ones; writes to ROM are dropped, and it can be read")
{
	start_space(0);
	bench_map(OTHER, 0xe0000000, PTE_ALL, 12);
	CHECK_EQ(load(OTHER, 4), 0xffffffff);
	bench_map(OTHER + 0x1000, BENCH_ROM, PTE_ALL, 12);
	*bench_word(BENCH_ROM) = 0x5a;
	CHECK(store(OTHER + 0x1000, 8, 1));
	CHECK(store(OTHER + 0x1000, 8, 1));
	CHECK_EQ(load(OTHER + 0x1000, 8), 0x5a);
}

/* ---- direct access ---- */

TEST("direct access is given to RAM that may be accessed so, up to its page's end, and to nothing else")
{
	unsigned bytes;

	start_space(0);
	bench_map(OTHER, BENCH_DEVICE, PTE_ALL, 12);
	bench_map(OTHER + 0x1000, BENCH_ROM, PTE_ALL, 12);
	bench_map(OTHER + 0x2000, SECOND, PTE_P, 12);
	BENCH_CPU->cr0 |= CR0_WP;
	CHECK(linear_host(CORE, PAGE + 0x10, ACCESS_READ, &bytes) == bench.ram + FIRST + 0x10);
	CHECK_EQ(bytes, 0xff0);
	CHECK(linear_host(CORE, PAGE + 0x10, ACCESS_WRITE, &bytes) == bench.ram + FIRST + 0x10);
	CHECK(!linear_host(CORE, OTHER, ACCESS_READ, &bytes));
	CHECK(linear_host(CORE, OTHER + 0x1000, ACCESS_READ, &bytes) == bench.ram + BENCH_ROM);
	CHECK(!linear_host(CORE, OTHER + 0x1000, ACCESS_WRITE, &bytes));
	CHECK(linear_host(CORE, OTHER + 0x2000, ACCESS_READ, &bytes) == bench.ram + SECOND);
	CHECK(!linear_host(CORE, OTHER + 0x2000, ACCESS_WRITE, &bytes));
	CHECK(!linear_host(CORE, OTHER + 0x3000, ACCESS_READ, &bytes));
	CHECK(!BENCH_CPU->event.valid);
}

/* ---- implicit supervisor accesses ---- */

/* "Access Rights": accesses to descriptor tables and the TSS are the supervisor's, whatever the CPL; SMAP ignores AC. */
TEST("system accesses are the supervisor's at any CPL, and under SMAP AC does not help them")
{
	start_space(0);
	bench_map(OTHER, SECOND, PTE_P | PTE_W, 12);
	user();
	CHECK_EQ(load(OTHER, 8), 0);
	CHECK(system_load(CORE, NULL, OTHER, 8).value == 2);
	CHECK(system_load(CORE, NULL, PAGE, 8).ok);
	BENCH_CPU->cr4 |= CR4_SMAP;
	BENCH_CPU->rflags |= RFLAGS_AC;
	core_mode_changed(CORE);
	tlb_flush_all(CORE);
	CHECK(!system_load(CORE, NULL, PAGE, 8).ok);
	CHECK(faulted(PAGE, PF_ERROR_P));
}

/* ---- "Alignment Checking" ---- */

TEST("at CPL 3 with CR0.AM and RFLAGS.AC a misaligned access is #AC(0), and with any of them missing it is not")
{
	start_space(0);
	user();
	BENCH_CPU->cr0 |= CR0_AM;
	BENCH_CPU->rflags |= RFLAGS_AC;
	core_mode_changed(CORE);
	(void)load(PAGE + 2, 4);
	CHECK(raised(VECTOR_AC) && BENCH_CPU->event.has_error_code);
	(void)load(PAGE + 2, 2);
	CHECK(!BENCH_CPU->event.valid);
	CHECK(!store(PAGE + 4, 8, 0));
	CHECK(raised(VECTOR_AC));
	BENCH_CPU->cr0 &= ~CR0_AM;
	core_mode_changed(CORE);
	(void)load(PAGE + 2, 4);
	CHECK(!BENCH_CPU->event.valid);
	BENCH_CPU->cr0 |= CR0_AM;
	BENCH_CPU->segment[SEG_SS].attributes &= ~(u32)SEGMENT_DPL;
	core_mode_changed(CORE);
	(void)load(PAGE + 2, 4);
	CHECK(!BENCH_CPU->event.valid);
}

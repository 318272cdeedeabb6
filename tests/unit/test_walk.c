/* Page walks in every format: where they lead, what they allow, what they report and what they set, each rule both ways. */
#include "core_bench.h"
#include "test.h"

static struct translation translation;

static bool walks(gva_t address, enum access access, enum tlb_mode mode)
{
	translation = (struct translation){ 0 };
	return walk_translate(bench.core[0], address, access, mode, &translation);
}

#define READS(address) walks((address), ACCESS_READ, TLB_SUPERVISOR)
#define WRITES(address) walks((address), ACCESS_WRITE, TLB_SUPERVISOR)
#define FETCHES(address) walks((address), ACCESS_EXECUTE, TLB_SUPERVISOR)
#define USER_READS(address) walks((address), ACCESS_READ, TLB_USER)
#define USER_WRITES(address) walks((address), ACCESS_WRITE, TLB_USER)

/* The error of a walk that must fail; ~0 if it succeeds. */
static u32 error(gva_t address, enum access access, enum tlb_mode mode)
{
	return walks(address, access, mode) ? ~0u : translation.error;
}

/* ---- where it leads ---- */

TEST("without paging addresses are physical, and everything is allowed")
{
	bench_start("max-intel", BENCH_NO_PAGING);
	CHECK(WRITES(0x12345678) && translation.gpa == 0x12345000);
	CHECK_EQ(translation.rights, RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE);
}

TEST("each format finds pages of each of its sizes")
{
	static const struct { enum bench_paging paging; unsigned shift; gva_t address; gpa_t to; } cases[] = {
		{ BENCH_32BIT, 12, 0xdeadb000, 0x5000 },        { BENCH_32BIT, 22, 0xc0000000, 0x400000 },
		{ BENCH_PAE, 12, 0xdeadb000, 0x123456000 },     { BENCH_PAE, 21, 0xc0200000, 0x123600000 },
		{ BENCH_4LEVEL, 12, 0xffffdeadbeef1000ull, 0x123456000 },
		{ BENCH_4LEVEL, 21, 0x00007fffffe00000ull, 0x123600000 },
		{ BENCH_4LEVEL, 30, 0xffff800040000000ull, 0x140000000 },
		{ BENCH_5LEVEL, 12, 0xff12345678abc000ull, 0x123456000 },
		{ BENCH_5LEVEL, 21, 0x00fffffffe000000ull, 0x123600000 },
		{ BENCH_5LEVEL, 30, 0xff80000040000000ull, 0x140000000 },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		gva_t last = cases[n].address + BIT(cases[n].shift) - PAGE_SIZE;

		bench_start("max-intel", cases[n].paging);
		bench_map(cases[n].address, cases[n].to, PTE_ALL, cases[n].shift);
		CHECK(READS(cases[n].address) && translation.gpa == cases[n].to);
		CHECK_EQ(translation.page_shift, cases[n].shift);
		CHECK(READS(last + 0x123) && translation.gpa == cases[n].to + BIT(cases[n].shift) - PAGE_SIZE);
		CHECK(!READS(last + PAGE_SIZE));
		CHECK(!READS(cases[n].address - PAGE_SIZE));
	}
}

/* "32-Bit Paging": without CR4.PSE a set PS bit is ignored. */
TEST("CR4.PSE is what makes a PS bit in a 32-bit directory mean a 4-MiB page")
{
	u64 *directory;

	bench_start("max-intel", BENCH_32BIT);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	directory = bench_entry(0x40000000, 2);
	bench_set(directory, bench_get(directory) | PTE_PS);
	CHECK(!READS(0x40000000) || translation.gpa != 0x5000);
	BENCH_CPU->cr4 &= ~CR4_PSE;
	CHECK(READS(0x40000000) && translation.gpa == 0x5000);
}

/* "Format of a 32-Bit Page-Directory Entry that Maps a 4-MByte Page": bits 20:13 are bits 39:32 of the address. */
TEST("PSE-36 gives 4-MiB pages addresses beyond 4 GiB, bit 21 is reserved, and so are bits beyond the width")
{
	bench_start("max-intel", BENCH_32BIT);
	bench_map(0x40000000, 0x400000 | 0xab << 13, PTE_ALL, 22);
	CHECK(READS(0x40001000) && translation.gpa == 0xab00401000ull);
	bench_map(0x40000000, 0x400000 | BIT(21), PTE_ALL, 22);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_RSVD);
	bench_start("pentium3", BENCH_32BIT); /* 36 bits */
	bench_map(0x40000000, 0x400000 | 0xf << 13, PTE_ALL, 22);
	CHECK(READS(0x40001000) && translation.gpa == 0xf00401000ull);
	bench_map(0x40000000, 0x400000 | 0x10 << 13, PTE_ALL, 22);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_RSVD);
}

/* "PAE Paging": the PDPTEs are registers, loaded with CR3. */
TEST("with PAE paging the walk begins at the PDPTE registers, not at memory")
{
	bench_start("max-intel", BENCH_PAE);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	bench_set(bench_entry(0x40000000, 3), 0);
	CHECK(READS(0x40000000) && translation.gpa == 0x5000);
	BENCH_CPU->pdpte[1] = 0;
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR), 0);
}

TEST("tables outside RAM are read as devices are, and ROM's entries get no accessed bit")
{
	u64 *directory;

	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0, PTE_ALL, 12);
	directory = bench_entry(0x40000000, 2);
	bench_set(directory, BENCH_DEVICE | PTE_ALL);
	bench.device[0] = 0x5000 | PTE_ALL;
	CHECK(READS(0x40000000) && translation.gpa == 0x5000);
	CHECK_EQ(bench.device_reads, 1);
	CHECK_EQ(bench.device_writes, 0);
	bench_set(directory, BENCH_ROM | PTE_ALL);
	*bench_word(BENCH_ROM) = 0x6000 | PTE_ALL;
	CHECK(WRITES(0x40000000) && translation.gpa == 0x6000);
	CHECK_EQ(*bench_word(BENCH_ROM), 0x6000 | PTE_ALL);
}

/* ---- what it allows ("Determination of Access Rights") ---- */

TEST("an absent entry at any level is a page fault with P = 0")
{
	for (unsigned level = 1; level <= 5; level++) {
		bench_start("max-intel", BENCH_5LEVEL);
		bench_map(0x40000000, 0x5000, PTE_ALL, 12);
		CHECK(READS(0x40000000));
		bench_set(bench_entry(0x40000000, level), bench_get(bench_entry(0x40000000, level)) & ~(u64)PTE_P);
		CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR), 0);
		CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_USER), PF_ERROR_W | PF_ERROR_U);
	}
}

TEST("a page is for user mode, or writable, only if every level says so; NX at any level suffices")
{
	for (unsigned level = 1; level <= 4; level++) {
		u64 *entry;

		bench_start("max-intel", BENCH_4LEVEL);
		BENCH_CPU->cr0 |= CR0_WP;
		bench_map(0x40000000, 0x5000, PTE_ALL, 12);
		entry = bench_entry(0x40000000, level);
		CHECK(USER_WRITES(0x40000000) && FETCHES(0x40000000));
		bench_set(entry, bench_get(entry) & ~(u64)PTE_U);
		CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_USER), PF_ERROR_P | PF_ERROR_U);
		CHECK(WRITES(0x40000000));
		bench_set(entry, (bench_get(entry) | PTE_U) & ~(u64)PTE_W);
		CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_USER), PF_ERROR_P | PF_ERROR_W | PF_ERROR_U);
		CHECK(USER_READS(0x40000000));
		bench_set(entry, bench_get(entry) | PTE_W | PTE_NX);
		CHECK_EQ(error(0x40000000, ACCESS_EXECUTE, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_I);
		CHECK(USER_WRITES(0x40000000));
	}
}

TEST("the supervisor writes to read-only pages unless CR0.WP")
{
	bench_start("max-intel", BENCH_32BIT);
	bench_map(0x40000000, 0x5000, PTE_P | PTE_U, 12);
	CHECK(WRITES(0x40000000));
	CHECK(!USER_WRITES(0x40000000));
	BENCH_CPU->cr0 |= CR0_WP;
	CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_W);
}

TEST("SMEP keeps the supervisor from fetching from user pages")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	bench_map(0x40001000, 0x6000, PTE_P, 12);
	CHECK(FETCHES(0x40000000));
	BENCH_CPU->cr4 |= CR4_SMEP;
	CHECK_EQ(error(0x40000000, ACCESS_EXECUTE, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_I);
	CHECK(READS(0x40000000) && FETCHES(0x40001000));
	CHECK(walks(0x40000000, ACCESS_EXECUTE, TLB_USER));
}

TEST("SMAP keeps the supervisor's data accesses off user pages")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	bench_map(0x40001000, 0x6000, PTE_P | PTE_W, 12);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR_SMAP), PF_ERROR_P);
	CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_SUPERVISOR_SMAP), PF_ERROR_P | PF_ERROR_W);
	CHECK(walks(0x40001000, ACCESS_WRITE, TLB_SUPERVISOR_SMAP));
	CHECK(WRITES(0x40000000) && USER_WRITES(0x40000000));
}

/* "Protection Keys": AD and WD of the page's key, for user pages, in long mode with CR4.PKE. */
TEST("a protection key's AD forbids data accesses to user pages, WD writes; the supervisor's only with CR0.WP")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL | PTE_KEY(3), 12);
	bench_map(0x40001000, 0x6000, PTE_P | PTE_W | PTE_KEY(3), 12);
	BENCH_CPU->pkru = 1u << 6;
	CHECK(USER_READS(0x40000000));
	BENCH_CPU->cr4 |= CR4_PKE;
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_USER), PF_ERROR_P | PF_ERROR_U | PF_ERROR_PK);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_PK);
	CHECK(FETCHES(0x40000000) && READS(0x40001000));
	BENCH_CPU->pkru = 2u << 6;
	CHECK(USER_READS(0x40000000) && WRITES(0x40000000));
	CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_USER), PF_ERROR_P | PF_ERROR_W | PF_ERROR_U | PF_ERROR_PK);
	BENCH_CPU->cr0 |= CR0_WP;
	CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_SUPERVISOR), PF_ERROR_P | PF_ERROR_W | PF_ERROR_PK);
	BENCH_CPU->pkru = ~(3u << 6);
	CHECK(USER_WRITES(0x40000000));
}

/* "Page-Fault Exceptions": bit 5 tells what the key says, also where other rights forbid the access too. */
TEST("the key's refusal is reported beside others, but not for an absent page")
{
	bench_start("max-intel", BENCH_4LEVEL);
	BENCH_CPU->cr4 |= CR4_PKE;
	BENCH_CPU->cr0 |= CR0_WP;
	BENCH_CPU->pkru = 1u << 2;
	bench_map(0x40000000, 0x5000, PTE_P | PTE_U | PTE_KEY(1), 12);
	CHECK_EQ(error(0x40000000, ACCESS_WRITE, TLB_USER), PF_ERROR_P | PF_ERROR_W | PF_ERROR_U | PF_ERROR_PK);
	bench_map(0x40000000, 0x5000, PTE_U | PTE_KEY(1), 12);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_USER), PF_ERROR_U);
	bench_map(0x40000000, 0x5000, PTE_P | PTE_KEY(1), 12);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_USER), PF_ERROR_P | PF_ERROR_U);
}

/* ---- reserved bits ("Reserved Bits", the formats' tables) ---- */

/* Sets bits in the entry of that level: are they reserved? Then the error code says so, whatever the access. */
static bool reserved(unsigned level, u64 bits)
{
	u64 *entry = bench_entry(0x40000000, level), before = bench_get(entry);
	bool refused;

	bench_set(entry, before | bits);
	refused = error(0x40000000, ACCESS_READ, TLB_SUPERVISOR) == (PF_ERROR_P | PF_ERROR_RSVD);
	bench_set(entry, before);
	return refused;
}

TEST("NX is reserved without EFER.NXE, and then fetches are not reported unless SMEP is on")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	for (unsigned level = 1; level <= 4; level++) {
		BENCH_CPU->efer |= EFER_NXE;
		CHECK(!reserved(level, PTE_NX));
		BENCH_CPU->efer &= ~EFER_NXE;
		CHECK(reserved(level, PTE_NX));
	}
	CHECK_EQ(error(0x50000000, ACCESS_EXECUTE, TLB_SUPERVISOR), 0);
	BENCH_CPU->cr4 |= CR4_SMEP;
	CHECK_EQ(error(0x50000000, ACCESS_EXECUTE, TLB_SUPERVISOR), PF_ERROR_I);
	BENCH_CPU->cr4 &= ~CR4_SMEP;
	BENCH_CPU->efer |= EFER_NXE;
	CHECK_EQ(error(0x50000000, ACCESS_EXECUTE, TLB_SUPERVISOR), PF_ERROR_I);
}

TEST("address bits beyond the processor's width are reserved; bits 62:52 are in PAE, not in long mode")
{
	bench_start("haswell", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	for (unsigned level = 1; level <= 4; level++) {
		CHECK(!reserved(level, BITS(62, 52)));
		CHECK(reserved(level, BIT(bench.core[0]->physical_bits)));
		CHECK(reserved(level, BIT(51)));
	}
	bench_start("haswell", BENCH_PAE);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	for (unsigned level = 1; level <= 2; level++) {
		CHECK(reserved(level, BIT(52)));
		CHECK(reserved(level, BIT(62)));
		CHECK(reserved(level, BIT(bench.core[0]->physical_bits)));
		CHECK(!reserved(level, PTE_NX));
	}
}

TEST("low address bits of large pages are reserved, except PAT's")
{
	static const struct { enum bench_paging paging; unsigned level; } cases[] = {
		{ BENCH_PAE, 2 }, { BENCH_4LEVEL, 2 }, { BENCH_4LEVEL, 3 }, { BENCH_5LEVEL, 3 },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		unsigned shift = PAGE_SHIFT + 9 * (cases[n].level - 1);

		bench_start("max-intel", cases[n].paging);
		bench_map(0x40000000, 0, PTE_ALL, shift);
		CHECK(!reserved(cases[n].level, BIT(12)));
		CHECK(reserved(cases[n].level, BIT(13)));
		CHECK(reserved(cases[n].level, BIT(shift - 1)));
		CHECK(!reserved(cases[n].level, BIT(shift)));
	}
}

TEST("PS is reserved in the top levels, and in a PDPTE without 1-GiB pages")
{
	bench_start("max-intel", BENCH_5LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	CHECK(reserved(4, PTE_PS));
	CHECK(reserved(5, PTE_PS));
	bench_start("max-intel,-pdpe1gb", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	CHECK(reserved(3, PTE_PS));
	CHECK(reserved(4, PTE_PS));
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x40000000, PTE_ALL, 30);
	CHECK(!reserved(3, 0));
}

TEST("nothing is reserved in an entry that is absent")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	BENCH_CPU->efer &= ~EFER_NXE;
	bench_set(bench_entry(0x40000000, 2), ~(u64)PTE_P);
	CHECK_EQ(error(0x40000000, ACCESS_READ, TLB_SUPERVISOR), 0);
}

/* ---- accessed and dirty flags ("Accessed and Dirty Flags") ---- */

TEST("a walk sets A in every entry it uses, and D in the last one when it writes")
{
	for (enum bench_paging paging = BENCH_32BIT; paging <= BENCH_5LEVEL; paging++) {
		unsigned top = paging == BENCH_32BIT || paging == BENCH_PAE ? 2 : paging == BENCH_4LEVEL ? 4 : 5;

		bench_start("max-intel", paging);
		bench_map(0x40000000, 0x5000, PTE_ALL, 12);
		CHECK(READS(0x40000000));
		for (unsigned level = 1; level <= top; level++)
			CHECK_EQ(bench_get(bench_entry(0x40000000, level)) & (PTE_A | PTE_D), PTE_A);
		CHECK(WRITES(0x40000000));
		for (unsigned level = 1; level <= top; level++)
			CHECK_EQ(bench_get(bench_entry(0x40000000, level)) & PTE_D, level == 1 ? PTE_D : 0);
	}
}

TEST("the right to write comes with the dirty flag, so that the first write is seen")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL, 12);
	CHECK(READS(0x40000000));
	CHECK(!(translation.rights & RIGHT_WRITE));
	CHECK(WRITES(0x40000000));
	CHECK(translation.rights & RIGHT_WRITE);
	CHECK(READS(0x40000000));
	CHECK(translation.rights & RIGHT_WRITE);
}

TEST("large pages have their flags in their own entry")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, BENCH_DATA, PTE_ALL, 21);
	CHECK(WRITES(0x40001000));
	CHECK_EQ(bench_get(bench_entry(0x40000000, 2)) & (PTE_A | PTE_D), PTE_A | PTE_D);
}

TEST("an access that is refused sets no dirty flag")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_P | PTE_U, 12);
	CHECK(!USER_WRITES(0x40000000));
	CHECK_EQ(bench_get(bench_entry(0x40000000, 1)) & PTE_D, 0);
}

/* ---- global pages ("Global Pages") ---- */

TEST("G in the last entry makes a page global with CR4.PGE")
{
	bench_start("max-intel", BENCH_4LEVEL);
	bench_map(0x40000000, 0x5000, PTE_ALL | PTE_G, 12);
	bench_map(0x40001000, 0x6000, PTE_ALL, 12);
	CHECK(READS(0x40000000) && !translation.global);
	BENCH_CPU->cr4 |= CR4_PGE;
	CHECK(READS(0x40000000) && translation.global);
	bench_set(bench_entry(0x40000000, 2), bench_get(bench_entry(0x40000000, 2)) | PTE_G);
	CHECK(READS(0x40001000) && !translation.global);
}

/*
 * Page walks and the TLB with any control registers, any page tables and any addresses.
 *
 * The input gives the registers, the words of the tables (most are bent so that they lead to RAM) and the accesses. What
 * must hold: a walk ends, gives what it was asked for or an error that fits it, gives the same again, and the TLB agrees.
 */
#include <string.h>

#include "base/assert.h"
#include "core_rig.h"
#include "cpu/tlb.h"
#include "driver.h"

#define TABLE_PAGES 8u
#define MAX_ACCESSES 64u

struct input {
	const uint8_t *bytes;
	size_t size, at;
};

static u64 take(struct input *in, unsigned bytes)
{
	u64 value = 0;

	while (bytes-- && in->at < in->size)
		value = value << 8 | in->bytes[in->at++];
	return value;
}

static void take_registers(struct core *c, struct input *in)
{
	struct cpu *cpu = &c->cpu;
	u64 bits = take(in, 4);

	cpu->cr0 = CR0_ET | CR0_PE | (bits & 7 ? CR0_PG : 0) | (bits & BIT(3) ? CR0_WP : 0);
	cpu->cr4 = (bits & BIT(4) ? CR4_PSE : 0) | (bits & BIT(5) ? CR4_PAE : 0) | (bits & BIT(6) ? CR4_PGE : 0) |
		   (bits & BIT(7) ? CR4_SMEP : 0) | (bits & BIT(8) ? CR4_SMAP : 0) | (bits & BIT(9) ? CR4_PKE : 0) |
		   (bits & BIT(10) ? CR4_LA57 : 0) | (bits & BIT(11) ? CR4_PCIDE : 0);
	cpu->efer = bits & BIT(12) ? EFER_NXE : 0;
	if (bits & BIT(13) && cpu->cr4 & CR4_PAE && cpu->cr0 & CR0_PG)
		cpu->efer |= EFER_LME | EFER_LMA;
	cpu->cr3 = take(in, 2) % TABLE_PAGES << PAGE_SHIFT | (bits >> 16 & 0xfff);
	cpu->pkru = (u32)take(in, 4);
	for (unsigned n = 0; n < 4; n++)
		cpu->pdpte[n] = take(in, 1) % TABLE_PAGES << PAGE_SHIFT | (take(in, 1) & 1);
	core_mode_changed(c);
	tlb_flush_all(c);
}

/* Words of the input, over and over. A word's top bits say whether it is taken as it is. */
static void fill_tables(struct input *in)
{
	u64 *words = (u64 *)(void *)rig_ram;
	size_t start = in->at;

	for (unsigned n = 0; n < TABLE_PAGES * PAGE_SIZE / 8; n++) {
		u64 word = take(in, 8);

		if (in->at >= in->size)
			in->at = start;
		if (word >> 61)
			word = (word & ~BITS(51, 13)) | (word >> 20) % (2 * TABLE_PAGES) << PAGE_SHIFT | (word & BIT(12));
		words[n] = word | (word >> 60 & 1);
	}
}

static void check_error(const struct core *c, enum access access, enum tlb_mode mode, u32 error)
{
	ASSERT(!!(error & PF_ERROR_W) == (access == ACCESS_WRITE));
	ASSERT(!!(error & PF_ERROR_U) == (mode == TLB_USER));
	ASSERT(!(error & PF_ERROR_I) || access == ACCESS_EXECUTE);
	ASSERT(!(error & PF_ERROR_RSVD) || error & PF_ERROR_P);
	ASSERT(!(error & PF_ERROR_PK) || (c->cpu.cr4 & CR4_PKE && access != ACCESS_EXECUTE && error & PF_ERROR_P));
}

static void check_translation(const struct core *c, enum access access, const struct translation *t)
{
	ASSERT(!(t->gpa & ~PAGE_MASK));
	ASSERT(!(c->cpu.cr0 & CR0_PG) || t->gpa >> 52 == 0);
	ASSERT(t->rights & BIT(access));
	ASSERT(t->page_shift == 12 || t->page_shift == 21 || t->page_shift == 22 || t->page_shift == 30);
	ASSERT(!t->global || c->cpu.cr4 & CR4_PGE);
}

static void try_access(struct core *c, gva_t address, enum access access, enum tlb_mode mode)
{
	struct translation first, again;
	const struct tlb_detail *detail;
	u32 error = 0;

	if (!walk_translate(c, address, access, mode, &first)) {
		check_error(c, access, mode, first.error);
		tlb_flush_page(c, address);
		ASSERT(!tlb_lookup(c, address, access, mode, &error) && error == first.error);
		return;
	}
	check_translation(c, access, &first);
	/* Accessed and dirty flags are set now; where tables are part of the tables, that may change the way. */
	if (!walk_translate(c, address, access, mode, &again) || again.gpa != first.gpa)
		return;
	tlb_flush_page(c, address);
	detail = tlb_lookup(c, address, access, mode, &error);
	if (!detail)
		return;
	ASSERT(detail->rights & BIT(access));
	ASSERT(detail->gpa == again.gpa && detail->page_shift == again.page_shift);
	ASSERT(!detail->host == (again.gpa >= RIG_RAM_BYTES));
	ASSERT(tlb_lookup(c, address, access, mode, &error) == detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size, 0 };
	struct core *c = rig_core(take(&in, 1) % RIG_MODELS, size);
	u64 addresses[4];

	take_registers(c, &in);
	for (unsigned n = 0; n < 4; n++)
		addresses[n] = take(&in, 8);
	fill_tables(&in);
	in.at = 0;
	for (unsigned n = 0; n < MAX_ACCESSES; n++) {
		u64 how = take(&in, 2);
		gva_t address = addresses[how % 4] ^ (how >> 4 & 0xff) << (how >> 12) * 4;

		if (!cpu_in_long_mode(&c->cpu))
			address = (u32)address;
		try_access(c, address, (enum access)(how / 4 % 3), (enum tlb_mode)(how / 16 % TLB_CHECKED));
	}
	return 0;
}

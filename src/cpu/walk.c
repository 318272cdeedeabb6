/*
 * Page walks: a linear address to a guest-physical one by the tables in guest memory ("Paging").
 *
 * The four formats differ in numbers only, so one loop walks them all: width of an entry, bits of index, levels, and where
 * a large page may stand.
 */
#include "cpu/walk.h"

#include "base/assert.h"

/* Bits of a paging-structure entry ("Format of a Page-Table Entry"). */
#define ENTRY_P BIT(0)
#define ENTRY_W BIT(1)
#define ENTRY_U BIT(2)
#define ENTRY_A BIT(5)
#define ENTRY_D BIT(6)
#define ENTRY_PS BIT(7)
#define ENTRY_G BIT(8)
#define ENTRY_PAT_LARGE BIT(12)
#define ENTRY_NX BIT(63)
#define ENTRY_KEY_LOW 59
#define ENTRY_KEY_HIGH 62

struct format {
	u8 levels;      /* including the page tables */
	u8 entry_bytes;
	u8 index_bits;
	bool long_mode; /* NX with EFER.NXE, protection keys, bits 62:52 ignored */
};

static const struct format format_32bit = { 2, 4, 10, false };
static const struct format format_pae = { 2, 8, 9, false }; /* below the PDPTE registers */
static const struct format format_4level = { 4, 8, 9, true };
static const struct format format_5level = { 5, 8, 9, true };

struct walk {
	struct core *c;
	const struct format *format;
	gva_t address;
	enum access access;
	enum tlb_mode mode;
	u64 allow; /* the AND of all levels' W and U */
	u64 deny;  /* the OR of all levels' NX */
	u32 error;
};

static const struct format *walk_format(const struct cpu *cpu)
{
	if (!(cpu->cr4 & CR4_PAE))
		return &format_32bit;
	if (!cpu_in_long_mode(cpu))
		return &format_pae;
	return cpu->cr4 & CR4_LA57 ? &format_5level : &format_4level;
}

static u32 access_error(const struct core *c, enum access access, enum tlb_mode mode)
{
	bool fetch_reported = (c->cpu.efer & EFER_NXE && c->cpu.cr4 & CR4_PAE) || c->cpu.cr4 & CR4_SMEP;

	return (access == ACCESS_WRITE ? PF_ERROR_W : 0) | (mode == TLB_USER ? PF_ERROR_U : 0) |
	       (access == ACCESS_EXECUTE && fetch_reported ? PF_ERROR_I : 0);
}

/* Reads an entry; one that is not in RAM is read as a device's register would be. */
static u64 entry_read(struct core *c, gpa_t gpa, unsigned bytes, u8 **host)
{
	struct core_page page;
	u64 entry = 0;

	c->environment->page(c->machine, gpa & PAGE_MASK, &page);
	*host = page.host && page.writable ? page.host + (gpa & ~PAGE_MASK) : NULL;
	if (!page.host)
		return c->environment->mmio_read(c->machine, c->processor, gpa, bytes);
	if (page.dirty)
		atomic_store_explicit(page.dirty, 1, memory_order_relaxed);
	if (bytes == 8)
		return atomic_load_explicit((_Atomic u64 *)(page.host + (gpa & ~PAGE_MASK)), memory_order_relaxed);
	entry = atomic_load_explicit((_Atomic u32 *)(page.host + (gpa & ~PAGE_MASK)), memory_order_relaxed);
	return entry;
}

/* Sets accessed or dirty atomically. false: another processor changed the entry meanwhile, so walk again. */
static bool entry_set(u8 *host, unsigned bytes, u64 entry, u64 bits)
{
	u32 entry32 = (u32)entry;

	if (!host || (entry & bits) == bits)
		return true;
	if (bytes == 8)
		return atomic_compare_exchange_strong((_Atomic u64 *)host, &entry, entry | bits);
	return atomic_compare_exchange_strong((_Atomic u32 *)host, &entry32, entry32 | (u32)bits);
}

static u64 reserved_bits(const struct walk *w, unsigned page_shift, bool large)
{
	const struct core *c = w->c;
	u64 reserved = 0;

	if (w->format->entry_bytes == 4) {
		/* PSE-36: bits 20:13 hold physical address bits 39:32. */
		unsigned extra = c->physical_bits > 40 ? 40 : c->physical_bits;

		if (!large)
			return 0;
		return extra < 40 ? BITS(21, 13 + (extra > 32 ? extra - 32 : 0)) : BIT(21);
	}
	if (c->physical_bits < 52)
		reserved |= BITS(51, c->physical_bits);
	if (!w->format->long_mode)
		reserved |= BITS(62, 52);
	if (!(c->cpu.efer & EFER_NXE))
		reserved |= ENTRY_NX;
	if (large)
		reserved |= BITS(page_shift - 1, 13);
	return reserved;
}

/* Is a set PS bit a large page at this level, ignored, or reserved? */
static bool level_has_large(const struct walk *w, unsigned level, bool *reserved)
{
	*reserved = false;
	if (w->format->entry_bytes == 4)
		return level == 2 && (w->c->cpu.cr4 & CR4_PSE);
	if (level == 2)
		return true;
	if (level == 3 && feature_has(&w->c->features, FEAT_PDPE1GB))
		return true;
	*reserved = level >= 3;
	return false;
}

/* Rights by "Determination of Access Rights" for the walk's mode; sets w->error if its own access is refused. */
static u8 walk_rights(struct walk *w, u64 leaf)
{
	const struct cpu *cpu = &w->c->cpu;
	bool user_page = w->allow & ENTRY_U, writable = w->allow & ENTRY_W;
	bool executable = !(w->deny & ENTRY_NX);
	u8 rights = 0, key_rights = RIGHT_READ | RIGHT_WRITE;

	if (w->mode == TLB_USER) {
		if (user_page)
			rights = RIGHT_READ | (writable ? RIGHT_WRITE : 0) | (executable ? RIGHT_EXECUTE : 0);
	} else {
		if (!(user_page && w->mode == TLB_SUPERVISOR_SMAP))
			rights = RIGHT_READ | (writable || !(cpu->cr0 & CR0_WP) ? RIGHT_WRITE : 0);
		if (executable && !(user_page && cpu->cr4 & CR4_SMEP))
			rights |= RIGHT_EXECUTE;
	}
	if (user_page && w->format->long_mode && cpu->cr4 & CR4_PKE) {
		unsigned key = (unsigned)bits_extract(leaf, ENTRY_KEY_HIGH, ENTRY_KEY_LOW);
		unsigned bits = cpu->pkru >> (2 * key) & 3;

		if (bits & 1)
			key_rights = 0;
		else if (bits & 2 && (w->mode == TLB_USER || cpu->cr0 & CR0_WP))
			key_rights = RIGHT_READ;
		/* Told even if the access is refused for other reasons too ("Page-Fault Exceptions"). */
		if (w->access != ACCESS_EXECUTE && !(key_rights & BIT(w->access)))
			w->error |= PF_ERROR_PK;
		rights &= key_rights | RIGHT_EXECUTE;
	}
	return rights;
}

static gpa_t leaf_address(const struct walk *w, u64 entry, unsigned page_shift)
{
	u64 frame;

	if (w->format->entry_bytes == 4 && page_shift == 22)
		frame = (entry & BITS(31, 22)) | bits_extract(entry, 20, 13) << 32;
	else
		frame = entry & BITS(51, page_shift);
	return (frame | (w->address & (BIT(page_shift) - 1))) & PAGE_MASK;
}

enum outcome { WALK_DONE, WALK_FAULT, WALK_AGAIN };

/* The last entry: rights, accessed and dirty. */
static enum outcome walk_leaf(struct walk *w, u64 entry, u8 *host, unsigned page_shift, struct translation *out)
{
	u8 rights = walk_rights(w, entry);
	u64 set = ENTRY_A | (w->access == ACCESS_WRITE ? ENTRY_D : 0);

	if (!(rights & BIT(w->access))) {
		w->error |= PF_ERROR_P;
		return WALK_FAULT;
	}
	if (!entry_set(host, w->format->entry_bytes, entry, set))
		return WALK_AGAIN;
	if (!((entry | set) & ENTRY_D))
		rights &= (u8)~RIGHT_WRITE;
	*out = (struct translation){
		.gpa = leaf_address(w, entry, page_shift),
		.rights = rights,
		.page_shift = (u8)page_shift,
		.global = entry & ENTRY_G && w->c->cpu.cr4 & CR4_PGE,
	};
	return WALK_DONE;
}

static enum outcome walk_levels(struct walk *w, gpa_t table, struct translation *out)
{
	for (unsigned level = w->format->levels; level; level--) {
		unsigned shift = PAGE_SHIFT + (level - 1) * w->format->index_bits;
		u64 index = w->address >> shift & (BIT(w->format->index_bits) - 1);
		bool large_reserved, may_be_large = level_has_large(w, level, &large_reserved);
		u8 *host;
		u64 entry = entry_read(w->c, table + index * w->format->entry_bytes, w->format->entry_bytes, &host);
		bool large = level > 1 && may_be_large && entry & ENTRY_PS;

		if (!(entry & ENTRY_P))
			return WALK_FAULT;
		if (entry & reserved_bits(w, shift, large) || (large_reserved && entry & ENTRY_PS)) {
			w->error |= PF_ERROR_P | PF_ERROR_RSVD;
			return WALK_FAULT;
		}
		w->allow &= entry;
		w->deny |= w->format->entry_bytes == 8 ? entry & ENTRY_NX : 0;
		if (level == 1 || large)
			return walk_leaf(w, entry, host, shift, out);
		if (!entry_set(host, w->format->entry_bytes, entry, ENTRY_A))
			return WALK_AGAIN;
		table = entry & (w->format->entry_bytes == 4 ? BITS(31, 12) : BITS(51, 12));
	}
	UNREACHABLE();
}

static enum outcome walk_once(struct walk *w, struct translation *out)
{
	const struct cpu *cpu = &w->c->cpu;
	gpa_t root = cpu->cr3 & BITS(51, 12);

	w->allow = ENTRY_W | ENTRY_U;
	w->deny = 0;
	w->error = access_error(w->c, w->access, w->mode);
	if (w->format == &format_32bit) {
		root = cpu->cr3 & BITS(31, 12);
	} else if (w->format == &format_pae) {
		u64 pdpte = cpu->pdpte[w->address >> 30 & 3];

		if (!(pdpte & ENTRY_P))
			return WALK_FAULT;
		root = pdpte & BITS(51, 12);
	}
	return walk_levels(w, root, out);
}

bool walk_translate(struct core *c, gva_t address, enum access access, enum tlb_mode mode, struct translation *out)
{
	struct walk w = { .c = c, .format = walk_format(&c->cpu), .address = address, .access = access, .mode = mode };
	enum outcome outcome;

	if (!(c->cpu.cr0 & CR0_PG)) {
		*out = (struct translation){
			.gpa = address & PAGE_MASK,
			.rights = RIGHT_READ | RIGHT_WRITE | RIGHT_EXECUTE,
			.page_shift = PAGE_SHIFT,
		};
		return true;
	}
	do
		outcome = walk_once(&w, out);
	while (outcome == WALK_AGAIN);
	out->error = w.error;
	return outcome == WALK_DONE;
}

/* The translation look-aside buffer: filling, flushing, address-space contexts. See tlb.h. */
#include "cpu/tlb.h"

#include "cpu/block.h"

static u16 current_pcid(const struct core *c)
{
	return c->cpu.cr4 & CR4_PCIDE ? c->cpu.cr3 & CR3_PCID : 0;
}

static void entry_invalidate(struct tlb_entry *entry)
{
	atomic_store_explicit(&entry->read, TLB_INVALID, memory_order_relaxed);
	atomic_store_explicit(&entry->write, TLB_INVALID, memory_order_relaxed);
	entry->execute = TLB_INVALID;
}

static void tlb_empty(struct core *c)
{
	struct tlb *tlb = c->tlbs;

	for (unsigned mode = 0; mode < TLB_MODES; mode++)
		for (unsigned i = 0; i < TLB_ENTRIES; i++)
			entry_invalidate(&tlb->entry[mode][i]);
	for (unsigned mode = 0; mode < TLB_CHECKED; mode++)
		for (unsigned i = 0; i < TLB_ENTRIES; i++)
			tlb->detail[mode][i].tag = TLB_INVALID;
	memset(tlb->context_of, 0, sizeof(tlb->context_of));
	tlb->context_last = 0;
	tlb->large = false;
	block_jumps_clear(c);
}

static void take_context(struct core *c, u16 pcid, bool fresh)
{
	struct tlb *tlb = c->tlbs;

	if (fresh || !tlb->context_of[pcid]) {
		if (tlb->context_last + 1u >= TLB_CONTEXTS)
			tlb_empty(c);
		tlb->context_of[pcid] = ++tlb->context_last;
	}
	c->tlb_context = tlb->context_of[pcid];
	block_key_changed(c);
}

void tlb_flush_all(struct core *c)
{
	tlb_empty(c);
	take_context(c, current_pcid(c), true);
}

void tlb_flush_context(struct core *c)
{
	take_context(c, current_pcid(c), true);
}

void tlb_flush_pcid(struct core *c, u16 pcid)
{
	if (pcid == current_pcid(c))
		tlb_flush_context(c);
	else
		c->tlbs->context_of[pcid] = 0;
}

void tlb_switch_context(struct core *c)
{
	take_context(c, current_pcid(c), false);
}

/* Every 4 KiB piece of a large page containing address. */
static void flush_large(struct core *c, gva_t address)
{
	struct tlb *tlb = c->tlbs;

	for (unsigned mode = 0; mode < TLB_CHECKED; mode++) {
		for (unsigned i = 0; i < TLB_ENTRIES; i++) {
			struct tlb_detail *detail = &tlb->detail[mode][i];

			if (detail->page_shift == PAGE_SHIFT || (detail->tag ^ address) >> detail->page_shift)
				continue;
			entry_invalidate(&tlb->entry[mode][i]);
			detail->tag = TLB_INVALID;
		}
	}
}

void tlb_flush_page(struct core *c, gva_t address)
{
	unsigned slot = address >> PAGE_SHIFT & (TLB_ENTRIES - 1);

	for (unsigned mode = 0; mode < TLB_CHECKED; mode++) {
		entry_invalidate(&c->tlbs->entry[mode][slot]);
		c->tlbs->detail[mode][slot].tag = TLB_INVALID;
	}
	if (c->tlbs->large)
		flush_large(c, address);
	block_jumps_clear_page(c, address);
}

/*
 * The direct paths are opened according to rights. The write path stays shut while the page holds decoded code; has_code is
 * looked at after opening it too, because another processor may decode from the page at this moment.
 */
static void entry_open(struct tlb_entry *entry, gva_t page, u64 tag, u8 rights, const struct core_page *ram)
{
	entry_invalidate(entry);
	if (!ram->host)
		return;
	entry->addend = (u64)(uintptr_t)ram->host - page;
	if (rights & RIGHT_READ)
		atomic_store_explicit(&entry->read, tag, memory_order_relaxed);
	if (rights & RIGHT_EXECUTE)
		entry->execute = tag;
	if (!(rights & RIGHT_WRITE) || !ram->writable)
		return;
	if (ram->dirty)
		atomic_store_explicit(ram->dirty, 1, memory_order_relaxed);
	atomic_store(&entry->write, tag);
	if (atomic_load(ram->has_code))
		atomic_store_explicit(&entry->write, TLB_INVALID, memory_order_relaxed);
}

static const struct tlb_detail *tlb_fill(struct core *c, gva_t address, enum tlb_mode mode, const struct translation *t)
{
	unsigned slot = address >> PAGE_SHIFT & (TLB_ENTRIES - 1);
	struct tlb_detail *detail = &c->tlbs->detail[mode][slot];
	gva_t page = address & PAGE_MASK;
	u64 tag = page | c->tlb_context;
	struct core_page ram;

	c->environment->page(c->machine, t->gpa, &ram);
	*detail = (struct tlb_detail){
		.gpa = t->gpa,
		.tag = tag,
		.host = ram.host,
		.rights = t->rights,
		.page_shift = t->page_shift,
		.global = t->global,
		.rom = ram.host && !ram.writable,
	};
	c->tlbs->large |= t->page_shift != PAGE_SHIFT;
	entry_open(&c->tlbs->entry[mode][slot], page, tag, t->rights, &ram);
	return detail;
}

/* An entry of a global page that another address space filled serves this one as well. */
static void entry_adopt(struct core *c, struct tlb_entry *entry, struct tlb_detail *detail, gva_t address)
{
	u64 old = detail->tag, tag = (address & PAGE_MASK) | c->tlb_context;
	u64 write = old;

	if (tag == old)
		return;
	detail->tag = tag;
	if (entry->execute == old)
		entry->execute = tag;
	if (atomic_load_explicit(&entry->read, memory_order_relaxed) == old)
		atomic_store_explicit(&entry->read, tag, memory_order_relaxed);
	/* tlb_protect() of another processor may take the write path away at any moment. */
	(void)atomic_compare_exchange_strong(&entry->write, &write, tag);
}

const struct tlb_detail *tlb_lookup(struct core *c, gva_t address, enum access access, enum tlb_mode mode, u32 *error)
{
	unsigned slot = address >> PAGE_SHIFT & (TLB_ENTRIES - 1);
	struct tlb_detail *detail = &c->tlbs->detail[mode][slot];
	struct translation t;

	if (detail->global && detail->tag != TLB_INVALID && !((detail->tag ^ address) & PAGE_MASK))
		entry_adopt(c, &c->tlbs->entry[mode][slot], detail, address);
	if (detail->tag == ((address & PAGE_MASK) | c->tlb_context) && detail->rights & BIT(access))
		return detail;
	if (!walk_translate(c, address, access, mode, &t)) {
		*error = t.error;
		return NULL;
	}
	return tlb_fill(c, address, mode, &t);
}

void tlb_protect(struct core *c, const u8 *host)
{
	for (unsigned mode = 0; mode < TLB_CHECKED; mode++) {
		for (unsigned i = 0; i < TLB_ENTRIES; i++) {
			struct tlb_entry *entry = &c->tlbs->entry[mode][i];
			u64 tag = atomic_load(&entry->write);

			if (tag != TLB_INVALID && (tag & PAGE_MASK) + entry->addend == (u64)(uintptr_t)host)
				atomic_compare_exchange_strong(&entry->write, &tag, TLB_INVALID);
		}
	}
}

void tlb_code_written(struct core *c, gva_t address, gpa_t page, enum tlb_mode mode)
{
	unsigned slot = address >> PAGE_SHIFT & (TLB_ENTRIES - 1);
	struct tlb_detail *detail = &c->tlbs->detail[mode][slot];
	struct core_page ram;

	c->environment->page(c->machine, page, &ram);
	/* The write must be visible before has_code is read: a processor that decodes sets it, then reads the bytes. */
	atomic_thread_fence(memory_order_seq_cst);
	if (!ram.host || !atomic_load(ram.has_code))
		return;
	atomic_store(ram.has_code, 0);
	atomic_fetch_add(ram.generation, 1);
	core_code_written(c, page);
	if (detail->tag == ((address & PAGE_MASK) | c->tlb_context))
		entry_open(&c->tlbs->entry[mode][slot], address & PAGE_MASK, detail->tag, detail->rights, &ram);
}

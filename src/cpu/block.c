/* The cache of decoded blocks: finding, building, dropping. See block.h. */
#include "cpu/block.h"

#include "base/assert.h"
#include "cpu/exec.h"
#include "cpu/tlb.h"

static enum step exec_block_end(struct core *c, const struct op *op)
{
	c->cpu.rip = op_rip(c, op);
	return STEP_NEXT;
}

/* Takes the place of ops that a write made stale while their block runs. */
static enum step exec_stale(struct core *c, const struct op *op)
{
	c->op = op;
	return STEP_RETRY;
}

enum step exec_invalid(struct core *c, const struct op *op)
{
	return core_raise_ud(c, op);
}

/* Over 15 bytes, or beyond CS.limit. */
static enum step exec_fetch_fault(struct core *c, const struct op *op)
{
	return core_raise_gp(c, op, 0);
}

/* ---- choosing handlers ---- */

typedef exec_fn *select_fn(const struct core *c, struct op *op);

enum family {
#define FAMILY(name) FAMILY_##name,
	EXEC_FAMILIES(FAMILY)
#undef FAMILY
	FAMILY_vmx, FAMILY_svm, FAMILY_COUNT
};

static select_fn *const selectors[FAMILY_COUNT] = {
#define FAMILY(name) [FAMILY_##name] = exec_select_##name,
	EXEC_FAMILIES(FAMILY)
#undef FAMILY
};

static const u8 family_of[INSN_OP_COUNT] = {
#define INSN(name, family, feature) [INSN_##name] = FAMILY_##family,
#include "insn/insn.def"
#undef INSN
};

/* Nothing after these is reached, so a block goes no further. */
static const bool family_ends_block[FAMILY_COUNT] = {
	[FAMILY_branch] = true, [FAMILY_far] = true, [FAMILY_io] = true, [FAMILY_vmx] = true, [FAMILY_svm] = true,
};

static enum op_address op_address_kind(const struct core *c, const struct insn *i)
{
	bool based = i->seg == SEG_FS || i->seg == SEG_GS;

	if ((c->block_mode & BLOCK_CODE_SIZE) != INSN_MODE_64 || i->addrsize != 8)
		return ADDRESS_GENERAL;
	if (based)
		return ADDRESS_BASE;
	return i->index == INSN_REG_NONE ? ADDRESS_FLAT : ADDRESS_INDEXED;
}

static u8 operand_offset(const struct insn_operand *operand)
{
	if (operand->kind == OPERAND_GPR8H)
		return (u8)(operand->reg * 8 + 1);
	return (u8)(operand->reg * 8);
}

static bool insn_needs_protected_mode(const struct insn *i)
{
	return i->prefixes & INSN_VEX;
}

static bool insn_is_present(const struct core *c, const struct insn *i)
{
	enum feature needed = insn_feature(i);

	return needed == FEAT_BASE || feature_has(&c->features, needed);
}

static exec_fn *op_select(struct core *c, struct op *op)
{
	select_fn *select = selectors[family_of[op->insn.op]];
	exec_fn *fn = NULL;

	if (select && insn_is_present(c, &op->insn) && !(c->block_mode & BLOCK_REAL && insn_needs_protected_mode(&op->insn)))
		fn = select(c, op);
	return fn ? fn : exec_invalid;
}

/* Completes an op whose insn is decoded; offset: from the block's first byte. */
static void op_prepare(struct core *c, struct op *op, unsigned index, unsigned offset)
{
	op->offset = (u16)offset;
	op->index = (u8)index;
	op->spare = 0;
	op->address = (u8)op_address_kind(c, &op->insn);
	op->dst = operand_offset(&op->insn.operand[0]);
	op->src = operand_offset(&op->insn.operand[1]);
	op->third = operand_offset(&op->insn.operand[2]);
	if (op->insn.base == INSN_REG_RIP)
		op->insn.disp += offset + op->insn.length;
	op->fn = op_select(c, op);
}

/* ---- fetching ---- */

/* Where the bytes of a block come from. */
struct fetch {
	u64 linear;
	gpa_t gpa;
	u8 *host;        /* NULL: a device's memory */
	unsigned bytes;  /* readable from there in the page, within CS.limit */
	bool limited;    /* CS.limit ends them, not the page */
	u8 page_shift;
	bool global;     /* the same in every address space */
};

/* NULL: raised. */
static const struct tlb_detail *fetch_translate(struct core *c, u64 linear)
{
	u32 error;
	const struct tlb_detail *detail = tlb_lookup(c, linear, ACCESS_EXECUTE, c->code_mode, &error);

	if (!detail)
		(void)core_raise_page_fault(c, NULL, linear, error);
	return detail;
}

static u64 code_linear(const struct core *c, u64 rip)
{
	if ((c->block_mode & BLOCK_CODE_SIZE) == INSN_MODE_64)
		return rip;
	return (u32)(c->cpu.segment[SEG_CS].base + rip);
}

u64 block_linear(const struct core *c)
{
	return code_linear(c, c->cpu.rip);
}

static bool fetch_begin(struct core *c, struct fetch *f)
{
	bool long_code = (c->block_mode & BLOCK_CODE_SIZE) == INSN_MODE_64;
	u32 limit = c->cpu.segment[SEG_CS].limit;
	const struct tlb_detail *detail;
	struct load canonical;

	f->linear = code_linear(c, c->cpu.rip);
	if (long_code) {
		canonical = segment_linear(c, NULL, SEG_CS, c->cpu.rip, 1, ACCESS_EXECUTE);
		if (!canonical.ok)
			return false;
	} else if (c->cpu.rip > limit) {
		(void)core_raise_gp(c, NULL, 0);
		return false;
	}
	detail = fetch_translate(c, f->linear);
	if (!detail)
		return false;
	f->gpa = detail->gpa + (f->linear & ~PAGE_MASK);
	f->host = detail->host ? detail->host + (f->linear & ~PAGE_MASK) : NULL;
	f->global = detail->global;
	f->page_shift = detail->page_shift;
	f->bytes = (unsigned)(PAGE_SIZE - (f->linear & ~PAGE_MASK));
	f->limited = !long_code && limit - c->cpu.rip < f->bytes - 1;
	if (f->limited)
		f->bytes = (unsigned)(limit - c->cpu.rip) + 1;
	return true;
}

/* ---- the arena ---- */

void block_jumps_clear(struct core *c)
{
	memset(&c->blocks->jump_small, 0, sizeof(c->blocks->jump_small));
	memset(&c->blocks->jump_large, 0, sizeof(c->blocks->jump_large));
	if (++c->blocks->epoch == JUMP_EPOCHS) {
		c->blocks->epoch = 0;
		core_flush_blocks(c);
		memset(c->blocks->jump, 0, sizeof(c->blocks->jump));
	}
	block_key_changed(c);
}

/* The word and the bit of the page of that size at address. */
static u64 *jump_page(struct core *c, gva_t address, unsigned page_shift, u64 *bit)
{
	struct jump_pages *pages = page_shift == PAGE_SHIFT ? &c->blocks->jump_small : &c->blocks->jump_large;
	u64 page = address >> page_shift;
	unsigned hash = (unsigned)((page ^ page >> JUMP_PAGE_BITS ^ page_shift) & ((1u << JUMP_PAGE_BITS) - 1));

	*bit = BIT(hash % 64);
	return &pages->bits[hash / 64];
}

static void jump_insert(struct core *c, const struct fetch *f, struct block *b)
{
	u64 bit, *word = jump_page(c, f->linear, f->page_shift, &bit);

	*word |= bit;
	*block_jump_slot(c, f->linear) =
		(struct jump_entry){ f->linear, f->global ? c->jump_key_global : c->jump_key, b };
}

void block_jumps_clear_page(struct core *c, gva_t address)
{
	static const u8 shifts[] = { 12, 21, 22, 30 };

	for (unsigned i = 0; i < ARRAY_LENGTH(shifts); i++) {
		u64 bit;

		if (*jump_page(c, address, shifts[i], &bit) & bit) {
			block_jumps_clear(c);
			return;
		}
	}
}

void block_key_changed(struct core *c)
{
	/* The top bit keeps an all-zero slot from matching. */
	c->jump_key_global =
		BIT(63) | c->blocks->epoch << JUMP_EPOCH_SHIFT | (u64)c->block_mode << 12 | (u64)c->code_mode << 24;
	c->jump_key = c->jump_key_global | c->tlb_context;
}

static void blocks_drop(struct core *c)
{
	c->blocks->flush_wanted = false;
	c->blocks->used = 0;
	memset(c->blocks->hash, 0, sizeof(c->blocks->hash));
	block_jumps_clear(c);
}

static void block_poison(struct core *c)
{
	struct block *b = c->block;

	if (!b)
		return;
	for (unsigned i = 0; i <= b->ops; i++)
		b->op[i].fn = exec_stale;
	/* A poisoned block must never be found again. */
	b->generation--;
}

void core_flush_blocks(struct core *c)
{
	block_poison(c);
	block_jumps_clear(c); /* the jump cache is looked at before the wish */
	c->blocks->flush_wanted = true;
}

void core_code_written(struct core *c, gpa_t page)
{
	if (c->block && ((c->block->gpa & PAGE_MASK) == page || c->block->gpa_next == page))
		block_poison(c);
}

static size_t block_bytes(unsigned ops)
{
	return sizeof(struct block) + (ops + 1) * sizeof(struct op);
}

static struct block *arena_reserve(struct core *c)
{
	if (c->blocks->flush_wanted || c->blocks->used + block_bytes(BLOCK_MAX_OPS) > BLOCK_ARENA_BYTES)
		blocks_drop(c);
	return (struct block *)(c->blocks->arena + c->blocks->used);
}

static struct block **hash_slot(const struct core *c, gpa_t gpa, u32 mode)
{
	u64 h = (gpa ^ (u64)mode << 7) * 0x9e3779b97f4a7c15ull;

	return &c->blocks->hash[h >> (64 - BLOCK_HASH_BITS)];
}

/* ---- building ---- */

/* Marks a page as holding decoded code, before its bytes are read. */
static void page_note_code(struct core *c, gpa_t gpa, _Atomic u32 **generation, u32 *now)
{
	struct core_page page;

	c->environment->page(c->machine, gpa & PAGE_MASK, &page);
	if (!page.host) {
		*generation = &c->blocks->device_generation;
		*now = 0;
		return;
	}
	*generation = page.generation;
	/* A write by another processor clears has_code and counts the generation: then the page is not protected any more. */
	do {
		if (!atomic_load(page.has_code)) {
			atomic_store(page.has_code, 1);
			c->environment->protect_code(c->machine, gpa & PAGE_MASK);
		}
		*now = atomic_load(page.generation);
	} while (!atomic_load(page.has_code));
}

static enum insn_status decode(const struct core *c, const u8 *bytes, unsigned available, struct insn *out)
{
	return insn_decode(bytes, available, (enum insn_mode)(c->block_mode & BLOCK_CODE_SIZE), c->amd, out);
}

/* The bytes at f, continued into the next page. false: raised. *available: how many there are, at most 15. */
static bool fetch_crossing(struct core *c, const struct fetch *f, struct block *b, u8 *bytes, unsigned *available)
{
	u64 next = f->linear + f->bytes;
	unsigned second = INSN_MAX_LENGTH - f->bytes;
	const struct tlb_detail *detail;
	gpa_t gpa;

	if ((c->block_mode & BLOCK_CODE_SIZE) != INSN_MODE_64) {
		u64 room = (u64)c->cpu.segment[SEG_CS].limit - c->cpu.rip + 1;

		next = (u32)next;
		second = (unsigned)min_u64(second, room - f->bytes);
	}
	detail = fetch_translate(c, next);
	if (!detail)
		return false;
	gpa = b->gpa_next = detail->gpa;
	page_note_code(c, gpa, &b->page_generation_next, &b->generation_next);
	if (detail->host)
		memcpy(bytes + f->bytes, detail->host, second);
	else
		for (unsigned i = 0; i < second; i++)
			bytes[f->bytes + i] = (u8)c->environment->mmio_read(c->machine, c->processor, gpa + i, 1);
	*available = f->bytes + second;
	return true;
}

static void fetch_bytes(struct core *c, const struct fetch *f, u8 *bytes, unsigned count)
{
	if (f->host) {
		memcpy(bytes, f->host, count);
		return;
	}
	for (unsigned i = 0; i < count; i++)
		bytes[i] = (u8)c->environment->mmio_read(c->machine, c->processor, f->gpa + i, 1);
}

/* A block of the one instruction at f, which may cross into the next page. false: the fetch faulted. */
static bool build_single(struct core *c, const struct fetch *f, struct block *b)
{
	u8 bytes[2 * INSN_MAX_LENGTH];
	struct op *op = &b->op[0];
	unsigned available = f->bytes < INSN_MAX_LENGTH ? f->bytes : INSN_MAX_LENGTH;
	enum insn_status status;

	fetch_bytes(c, f, bytes, available);
	status = decode(c, bytes, available, &op->insn);
	if (status == INSN_TRUNCATED && !f->limited) {
		if (!fetch_crossing(c, f, b, bytes, &available))
			return false;
		status = decode(c, bytes, available, &op->insn);
	}
	if (status == INSN_OK) {
		op_prepare(c, op, 0, 0);
	} else {
		op->insn.length = 0;
		op->offset = 0;
		op->index = 0;
		op->fn = status == INSN_INVALID ? exec_invalid : exec_fetch_fault;
	}
	b->ops = 1;
	b->bytes = op->insn.length;
	return true;
}

/* As many instructions as lie whole in the page at f, up to one that ends a block. */
static void build_run(struct core *c, const struct fetch *f, struct block *b)
{
	unsigned offset = 0, index = 0;

	while (index < BLOCK_MAX_OPS && offset < f->bytes) {
		struct op *op = &b->op[index];

		if (decode(c, f->host + offset, f->bytes - offset, &op->insn) != INSN_OK)
			break;
		op_prepare(c, op, index, offset);
		offset += op->insn.length;
		index++;
		if (op->fn == exec_invalid || family_ends_block[family_of[op->insn.op]])
			break;
	}
	b->ops = (u16)index;
	b->bytes = (u16)offset;
}

static void block_finish(struct block *b)
{
	struct op *end = &b->op[b->ops];

	end->fn = exec_block_end;
	end->offset = b->bytes;
	end->index = (u8)b->ops;
	end->insn.length = 0;
}

static void block_start(struct core *c, const struct fetch *f, struct block *b)
{
	memset(b->link, 0, sizeof(b->link));
	b->gpa = f->gpa;
	b->gpa_next = 0;
	b->mode = c->block_mode;
	b->page_generation_next = NULL;
	b->hash_next = NULL;
	page_note_code(c, f->gpa, &b->page_generation, &b->generation);
}

/* What block_find needs room for where nothing is cached: the stepped instruction, and code in devices' memory. */
static struct block *block_build_uncached(struct core *c, const struct fetch *f)
{
	struct block *b = c->blocks->single;

	block_start(c, f, b);
	if (!build_single(c, f, b))
		return NULL;
	block_finish(b);
	return b;
}

static struct block *block_build(struct core *c, const struct fetch *f)
{
	struct block *b = arena_reserve(c), **slot;

	block_start(c, f, b);
	build_run(c, f, b);
	if (!b->ops && !build_single(c, f, b))
		return NULL;
	block_finish(b);
	c->blocks->used += block_bytes(b->ops);
	slot = hash_slot(c, b->gpa, b->mode);
	b->hash_next = *slot;
	*slot = b;
	return b;
}

/* Is the second page of a crossing instruction still the one that was decoded? false with *faulted: its fetch faults. */
static bool crossing_holds(struct core *c, const struct fetch *f, const struct block *b, bool *faulted)
{
	const struct tlb_detail *detail;

	if (!b->page_generation_next)
		return true;
	detail = fetch_translate(c, code_linear(c, c->cpu.rip + f->bytes));
	*faulted = !detail;
	return detail && detail->gpa == b->gpa_next &&
	       atomic_load_explicit(b->page_generation_next, memory_order_relaxed) == b->generation_next;
}

static struct block *hash_find(struct core *c, const struct fetch *f, bool *faulted)
{
	struct block **link = hash_slot(c, f->gpa, c->block_mode);

	while (*link) {
		struct block *b = *link;

		if (b->gpa == f->gpa && b->mode == c->block_mode) {
			if (block_is_current(b) && b->bytes <= f->bytes + (b->page_generation_next ? INSN_MAX_LENGTH : 0) &&
			    crossing_holds(c, f, b, faulted))
				return b;
			if (*faulted)
				return NULL;
			*link = b->hash_next;
			continue;
		}
		link = &b->hash_next;
	}
	return NULL;
}

static struct block *find_slow(struct core *c, bool single)
{
	struct fetch f;
	struct block *b;
	bool faulted = false;

	if (c->blocks->flush_wanted)
		blocks_drop(c);
	if (!fetch_begin(c, &f))
		return NULL;
	if (single || !f.host)
		return block_build_uncached(c, &f);
	b = hash_find(c, &f, &faulted);
	if (!b && !faulted)
		b = block_build(c, &f);
	if (b && !b->page_generation_next && !f.limited)
		jump_insert(c, &f, b);
	return b;
}

struct block *block_find(struct core *c, bool single)
{
	u64 linear = code_linear(c, c->cpu.rip);
	const struct jump_entry *jump = block_jump_slot(c, linear);

	if (likely(!single && jump->rip == linear && (jump->key == c->jump_key_global || jump->key == c->jump_key) &&
		   block_is_current(jump->block))) {
		bool in_limit = c->block_mode & BLOCK_FLAT_CODE ||
				c->cpu.rip + jump->block->bytes - 1 <= c->cpu.segment[SEG_CS].limit;

		if (likely(in_limit))
			return jump->block;
	}
	return find_slow(c, single);
}

struct block *block_find_linked(struct core *c, struct block *b)
{
	u64 linear = code_linear(c, c->cpu.rip), epoch = c->blocks->epoch;
	struct block *to = block_find(c, false);
	const struct jump_entry *jump = block_jump_slot(c, linear);

	/*
	 * In a new epoch b itself may be gone. What stands in the jump cache may be linked: its key says when it ceases to
	 * hold.
	 */
	if (to && c->blocks->epoch == epoch && c->block_mode & BLOCK_FLAT_CODE && jump->block == to && jump->rip == linear &&
	    (jump->key == c->jump_key || jump->key == c->jump_key_global)) {
		b->link[1] = b->link[0];
		b->link[0] = (struct block_link){ linear, jump->key, to };
	}
	return to;
}

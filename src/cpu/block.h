/*
 * The cache of decoded blocks.
 *
 * A block is found in two steps: by linear address in the jump cache, which is valid for one address space and mode and costs
 * two comparisons; failing that by guest-physical address and mode, after a translation. A block is stale once its page's
 * generation has moved on (someone wrote to the page); stale blocks are never run and are rebuilt on demand.
 */
#ifndef CPU_BLOCK_H
#define CPU_BLOCK_H

#include "cpu/core.h"

#define BLOCK_ARENA_BYTES (12u << 20)

/* Which pages may have entries in the jump cache: a bit for each, shared by pages of the same hash. */
#define JUMP_PAGE_BITS 12

struct jump_pages { u64 bits[(1u << JUMP_PAGE_BITS) / 64]; };

struct block_cache {
	struct jump_entry jump[1u << JUMP_BITS];
	struct jump_pages jump_small, jump_large; /* 4-KiB pages, and larger ones */
	struct block *hash[1u << BLOCK_HASH_BITS];
	u8 *arena;
	size_t used;
	struct block *single; /* room for one block of one instruction that is not cached */
	_Atomic u32 device_generation; /* of devices' memory, where code is never cached and so never stale */
	u64 epoch;            /* part of every key: moving on empties the jump cache and unties every link */
	bool flush_wanted;    /* core_flush_blocks was called while a block was running */
};

#define JUMP_EPOCH_SHIFT 32
#define JUMP_EPOCHS BIT(30)

/* Linear address of the next instruction. */
u64 block_linear(const struct core *c);

/* The block at cpu.rip, built if need be; NULL: the fetch faulted and cpu.event is set. single: of one instruction. */
struct block *block_find(struct core *c, bool single);

/* block_find(), and a link from b to what it finds if that may be followed without looking again. */
struct block *block_find_linked(struct core *c, struct block *b);

/* Does the block at this linear address still hold? */
static inline bool block_is_current(const struct block *b)
{
	return atomic_load_explicit(b->page_generation, memory_order_relaxed) == b->generation;
}

static inline struct jump_entry *block_jump_slot(const struct core *c, u64 linear)
{
	return &c->blocks->jump[(linear ^ linear >> JUMP_BITS) & ((1u << JUMP_BITS) - 1)];
}

/* The block after b has run to its end: by b's links, else by block_find(). */
static inline struct block *block_next(struct core *c, struct block *b)
{
	u64 linear = c->cpu.rip;

	if (unlikely((c->block_mode & BLOCK_CODE_SIZE) != INSN_MODE_64))
		linear = block_linear(c);
	for (unsigned n = 0; n < BLOCK_LINKS; n++) {
		const struct block_link *link = &b->link[n];

		if (link->linear == linear && (link->key == c->jump_key || link->key == c->jump_key_global) &&
		    block_is_current(link->to))
			return link->to;
	}
	return block_find_linked(c, b);
}

void block_jumps_clear(struct core *c);
/* Drops at least the entries of the page at address, whatever its size. */
void block_jumps_clear_page(struct core *c, gva_t address);
/* Recomputes core.jump_key and jump_key_global from mode and address-space context. */
void block_key_changed(struct core *c);

#endif

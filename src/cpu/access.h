/*
 * Memory as an instruction sees it: operands, stack, strings, descriptor tables.
 *
 * The inline functions are the fast path, one TLB comparison and one host access; everything else (misses, page
 * crossings, MMIO, decoded code in the page, watchpoints, alignment checks, limits) goes through access.c. When an access
 * fails, its exception has been raised at op already: the handler just returns STEP_FAULT, and must not have changed
 * any state before. All of them take the op being executed; those on behalf of event delivery pass NULL.
 */
#ifndef CPU_ACCESS_H
#define CPU_ACCESS_H

#include "base/string.h"
#include "cpu/core.h"

struct load {
	u64 value;
	bool ok;
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXECUTE };

/* ---- slow paths (access.c) ---- */

/* A linear access of 1, 2, 4 or 8 bytes by the current CPL; seg tells #SS from #GP for a non-canonical address. */
MUST_USE struct load linear_load_slow(struct core *c, const struct op *op, enum segment seg, gva_t address,
				      unsigned size);
MUST_USE bool linear_store_slow(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size,
				u64 value);

/* The linear address of seg:offset for an access of size bytes, after limit, type and canonical checks; ok false: raised. */
MUST_USE struct load segment_linear(struct core *c, const struct op *op, enum segment seg, u64 offset, unsigned size,
				    enum access access);

/* ---- bulk and system accesses (access.c) ---- */

/* Linear accesses of any length up to 4096 bytes by the current CPL. All of it is checked before the first byte moves. */
MUST_USE bool linear_read(struct core *c, const struct op *op, enum segment seg, gva_t address, void *to, unsigned bytes);
MUST_USE bool linear_write(struct core *c, const struct op *op, enum segment seg, gva_t address, const void *from,
			   unsigned bytes);

/* Implicit supervisor accesses (descriptor tables, TSS): as CPL 0, whatever the CPL; AC is taken as 0 for SMAP. size 1-8. */
MUST_USE struct load system_load(struct core *c, const struct op *op, gva_t address, unsigned size);
MUST_USE bool system_store(struct core *c, const struct op *op, gva_t address, unsigned size, u64 value);

/* An access that a future PUSH or table write will make: faults now if it would then. */
MUST_USE bool linear_probe(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned bytes,
			   enum access access);
MUST_USE bool system_probe(struct core *c, const struct op *op, gva_t address, unsigned bytes, enum access access);

/*
 * The host address of address if the rest of its page may be accessed directly (RAM, present, permitted, for writes without
 * decoded code), else NULL. Raises nothing. *bytes: how many bytes remain in the page.
 */
u8 *linear_host(struct core *c, gva_t address, enum access access, unsigned *bytes);

/* ---- fast path ---- */

/* Does the access of `size` bytes at address hit with this tag? A page crossing changes the page part and misses. */
ALWAYS_INLINE bool tlb_hit(const struct core *c, u64 tag, gva_t address, unsigned size)
{
	return likely(tag == (((address + size - 1) & PAGE_MASK) | c->tlb_context));
}

ALWAYS_INLINE struct tlb_entry *tlb_slot(const struct core *c, gva_t address)
{
	return &c->tlb[address >> PAGE_SHIFT & (TLB_ENTRIES - 1)];
}

/* size must be a constant 1, 2, 4 or 8. */
ALWAYS_INLINE struct load linear_load(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size)
{
	const struct tlb_entry *entry = tlb_slot(c, address);
	u64 value = 0;

	if (unlikely(!tlb_hit(c, atomic_load_explicit(&entry->read, memory_order_relaxed), address, size)))
		return linear_load_slow(c, op, seg, address, size);
	memcpy(&value, (const void *)(address + entry->addend), size);
	return (struct load){ value, true };
}

ALWAYS_INLINE MUST_USE bool linear_store(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size,
					 u64 value)
{
	struct tlb_entry *entry = tlb_slot(c, address);

	if (unlikely(!tlb_hit(c, atomic_load_explicit(&entry->write, memory_order_relaxed), address, size)))
		return linear_store_slow(c, op, seg, address, size, value);
	memcpy((void *)(address + entry->addend), &value, size);
	return true;
}

/* The memory operand's offset in its segment, before the address size is applied. */
ALWAYS_INLINE u64 op_offset_raw(const struct core *c, const struct op *op)
{
	const struct insn *i = &op->insn;

	return c->cpu.gpr[i->base] + (c->cpu.gpr[i->index] << i->scale) + (u64)i->disp;
}

/* The effective address: what LEA computes. */
ALWAYS_INLINE u64 op_offset(const struct core *c, const struct op *op)
{
	return op_offset_raw(c, op) & byte_mask(op->insn.addrsize);
}

/* The linear address of the memory operand for an access of size bytes. */
ALWAYS_INLINE struct load op_linear(struct core *c, const struct op *op, unsigned size, enum access access)
{
	if (likely(op->address <= ADDRESS_INDEXED))
		return (struct load){ op_offset_raw(c, op), true };
	if (op->address == ADDRESS_BASE)
		return (struct load){ op_offset_raw(c, op) + c->cpu.segment[op->insn.seg].base, true };
	return segment_linear(c, op, (enum segment)op->insn.seg, op_offset(c, op), size, access);
}

/* The memory operand's value, zero-extended. size: constant 1, 2, 4 or 8. */
ALWAYS_INLINE struct load op_load(struct core *c, const struct op *op, unsigned size)
{
	struct load address = op_linear(c, op, size, ACCESS_READ);

	if (unlikely(!address.ok))
		return address;
	return linear_load(c, op, (enum segment)op->insn.seg, address.value, size);
}

ALWAYS_INLINE MUST_USE bool op_store(struct core *c, const struct op *op, unsigned size, u64 value)
{
	struct load address = op_linear(c, op, size, ACCESS_WRITE);

	return likely(address.ok) && linear_store(c, op, (enum segment)op->insn.seg, address.value, size, value);
}

/* The memory operand as `bytes` bytes (any size up to 4096). */
MUST_USE bool op_read(struct core *c, const struct op *op, void *to, unsigned bytes);
MUST_USE bool op_write(struct core *c, const struct op *op, const void *from, unsigned bytes);

/*
 * Read-modify-write of the memory operand: a pointer to its bytes, to be modified in place (with the host's LOCK prefix
 * if the guest used one), or NULL if an exception was raised. op_rmw_end() finishes it and cannot fail: where the
 * operand is not directly accessible the bytes are a copy (core.rmw.buffer) which it writes back.
 * Always call op_rmw_end, also if nothing was modified. size: 1, 2, 4, 8 or 16.
 */
MUST_USE void *op_rmw_slow(struct core *c, const struct op *op, gva_t address, unsigned size);
void op_rmw_finish(struct core *c, const struct op *op);

ALWAYS_INLINE MUST_USE void *linear_rmw(struct core *c, const struct op *op, gva_t address, unsigned size)
{
	struct tlb_entry *entry = tlb_slot(c, address);

	if (unlikely(!tlb_hit(c, atomic_load_explicit(&entry->write, memory_order_relaxed), address, size)))
		return op_rmw_slow(c, op, address, size);
	return (void *)(address + entry->addend);
}

ALWAYS_INLINE MUST_USE void *op_rmw(struct core *c, const struct op *op, unsigned size)
{
	struct load address = op_linear(c, op, size, ACCESS_WRITE);

	return likely(address.ok) ? linear_rmw(c, op, address.value, size) : NULL;
}

ALWAYS_INLINE void op_rmw_end(struct core *c, const struct op *op, const void *bytes)
{
	if (unlikely(bytes == c->rmw.buffer))
		op_rmw_finish(c, op);
}

/* ---- registers ---- */

ALWAYS_INLINE void *gpr_at(struct core *c, u8 byte_offset)
{
	return (u8 *)c->cpu.gpr + byte_offset;
}

/* size: constant 1, 2, 4 or 8. */
ALWAYS_INLINE u64 gpr_read(const struct core *c, u8 byte_offset, unsigned size)
{
	u64 value = 0;

	memcpy(&value, (const u8 *)c->cpu.gpr + byte_offset, size);
	return value;
}

/* A 32-bit write clears the upper half, narrower ones keep the rest. */
ALWAYS_INLINE void gpr_write(struct core *c, u8 byte_offset, unsigned size, u64 value)
{
	if (size == 4) {
		value = (u32)value;
		size = 8;
	}
	memcpy((u8 *)c->cpu.gpr + byte_offset, &value, size);
}

/* ---- stack (access.c): by SS.B and mode; they change RSP only when they succeed ---- */

/* The mask of RSP that stack accesses use: 16, 32 or 64 bits. */
u64 stack_mask(const struct core *c);
MUST_USE bool stack_push(struct core *c, const struct op *op, unsigned size, u64 value);
MUST_USE struct load stack_pop(struct core *c, const struct op *op, unsigned size);

#endif

/*
 * Handlers by operand form: the macros that make one C function for an operation, a size and a kind of operands.
 *
 * A handler with a memory operand comes twice from the same body: the quick one, whose operand hits in the TLB and
 * needs no segment checks, and the careful one to which it falls back by a tail call. So the quick one calls
 * nothing, needs no stack frame, and stays a dozen host instructions long.
 */
#ifndef CPU_FORMS_H
#define CPU_FORMS_H

#include "cpu/access.h"

/* Bytes of guest memory: of any alignment, aliasing anything, shared with other processors. */
typedef volatile u8 guest_u8;
typedef volatile u16 __attribute__((aligned(1), may_alias)) guest_u16;
typedef volatile u32 __attribute__((aligned(1), may_alias)) guest_u32;
typedef volatile u64 __attribute__((aligned(1), may_alias)) guest_u64;

/* X(size, type, ...) for the operand sizes. */
#define FOR_SIZES_248(X, ...) X(2, u16, __VA_ARGS__) X(4, u32, __VA_ARGS__) X(8, u64, __VA_ARGS__)
#define FOR_SIZES(X, ...) X(1, u8, __VA_ARGS__) FOR_SIZES_248(X, __VA_ARGS__)

/* Tables of handlers are indexed by the logarithm of the size. */
#define SIZE_INDEX(size) ((unsigned)__builtin_ctz(size))
#define SIZE_COUNT 4

/* Kinds of operands 0 and 1: R register, M memory, I immediate. */
enum form {
	FORM_R, FORM_M, FORM_RR, FORM_RI, FORM_RM, FORM_MR, FORM_MI,
	FORM_LOCK_M, FORM_LOCK_MR, FORM_LOCK_MI,
	FORM_COUNT
};

static inline enum form form_of(const struct insn *i)
{
	bool memory = i->operand[0].kind == OPERAND_MEM;
	bool lock = i->prefixes & INSN_LOCK;

	switch (i->operand[1].kind) {
	case OPERAND_GPR:
	case OPERAND_GPR8H:
		return !memory ? FORM_RR : lock ? FORM_LOCK_MR : FORM_MR;
	case OPERAND_IMM:
		return !memory ? FORM_RI : lock ? FORM_LOCK_MI : FORM_MI;
	case OPERAND_MEM:
		return FORM_RM;
	default:
		return !memory ? FORM_R : lock ? FORM_LOCK_M : FORM_M;
	}
}

/* The linear address of a memory operand that needs no checks, in *address; false: the careful handler is needed. */
ALWAYS_INLINE bool op_linear_quick(const struct core *c, const struct op *op, gva_t *address)
{
	const struct insn *i = &op->insn;

	*address = c->cpu.gpr[i->base] + (u64)i->disp;
	if (unlikely(op->address != ADDRESS_FLAT)) {
		if (op->address == ADDRESS_GENERAL)
			return false;
		*address += c->cpu.gpr[i->index] << i->scale;
		if (op->address == ADDRESS_BASE)
			*address += c->cpu.segment[i->seg].base;
	}
	return true;
}

/* The host address of the memory operand for reading size bytes, in *host; false: the careful handler is needed. */
ALWAYS_INLINE bool op_hit_read(const struct core *c, const struct op *op, unsigned size, void **host)
{
	gva_t address;
	const struct tlb_entry *entry;

	if (unlikely(!op_linear_quick(c, op, &address)))
		return false;
	entry = tlb_slot(c, address);
	*host = (void *)(address + entry->addend);
	return tlb_hit(c, atomic_load_explicit(&entry->read, memory_order_relaxed), address, size);
}

/* The same for writing. */
ALWAYS_INLINE bool op_hit_write(const struct core *c, const struct op *op, unsigned size, void **host)
{
	gva_t address;
	const struct tlb_entry *entry;

	if (unlikely(!op_linear_quick(c, op, &address)))
		return false;
	entry = tlb_slot(c, address);
	*host = (void *)(address + entry->addend);
	return tlb_hit(c, atomic_load_explicit(&entry->write, memory_order_relaxed), address, size);
}

#define EXEC_DEFINE(name) static enum step exec_##name(struct core *c, const struct op *op)
#define EXEC_DEFINE_CAREFUL(name) static NOINLINE enum step exec_##name##_careful(struct core *c, const struct op *op)

/*
 * Quick handlers load the next one's address first, so that a mispredicted jump to it is noticed early. (A careful one
 * may write to the code that runs, and must load it last.)
 */

/* No memory operand: the body, then the next instruction. */
#define EXEC_REGISTER(name, ...)                                                                                       \
	EXEC_DEFINE(name)                                                                                              \
	{                                                                                                              \
		exec_fn *next = op[1].fn;                                                                              \
                                                                                                                       \
		__VA_ARGS__                                                                                            \
		return next(c, op + 1);                                                                                \
	}

/* The body uses `m`, the memory operand's value. */
#define EXEC_READ(name, size, type, ...)                                                                               \
	EXEC_DEFINE_CAREFUL(name)                                                                                      \
	{                                                                                                              \
		struct load operand = op_load(c, op, size);                                                            \
		type m = (type)operand.value;                                                                          \
                                                                                                                       \
		if (!operand.ok)                                                                                       \
			return STEP_FAULT;                                                                             \
		__VA_ARGS__                                                                                            \
		EXEC_NEXT(c, op);                                                                                      \
	}                                                                                                              \
	EXEC_DEFINE(name)                                                                                              \
	{                                                                                                              \
		exec_fn *next = op[1].fn;                                                                              \
		void *operand;                                                                                         \
		type m;                                                                                                \
                                                                                                                       \
		if (unlikely(!op_hit_read(c, op, size, &operand)))                                                     \
			return exec_##name##_careful(c, op);                                                           \
		m = *(guest_##type *)operand;                                                                          \
		__VA_ARGS__                                                                                            \
		return next(c, op + 1);                                                                                \
	}

/* Stores an expression, which must have no effects, to the memory operand. */
#define EXEC_WRITE(name, size, type, expression)                                                                       \
	EXEC_DEFINE_CAREFUL(name)                                                                                      \
	{                                                                                                              \
		if (!op_store(c, op, size, (type)(expression)))                                                        \
			return STEP_FAULT;                                                                             \
		EXEC_NEXT(c, op);                                                                                      \
	}                                                                                                              \
	EXEC_DEFINE(name)                                                                                              \
	{                                                                                                              \
		exec_fn *next = op[1].fn;                                                                              \
		void *operand;                                                                                         \
                                                                                                                       \
		if (unlikely(!op_hit_write(c, op, size, &operand)))                                                    \
			return exec_##name##_careful(c, op);                                                           \
		*(guest_##type *)operand = (type)(expression);                                                         \
		return next(c, op + 1);                                                                                \
	}

/* The body modifies `*m`, the memory operand. */
#define EXEC_MODIFY(name, size, type, ...)                                                                             \
	EXEC_DEFINE_CAREFUL(name)                                                                                      \
	{                                                                                                              \
		void *operand = op_rmw(c, op, size);                                                                   \
		guest_##type *m = operand;                                                                             \
                                                                                                                       \
		if (!operand)                                                                                          \
			return STEP_FAULT;                                                                             \
		__VA_ARGS__                                                                                            \
		op_rmw_end(c, op, operand);                                                                            \
		EXEC_NEXT(c, op);                                                                                      \
	}                                                                                                              \
	EXEC_DEFINE(name)                                                                                              \
	{                                                                                                              \
		exec_fn *next = op[1].fn;                                                                              \
		void *operand;                                                                                         \
		guest_##type *m;                                                                                       \
                                                                                                                       \
		if (unlikely(!op_hit_write(c, op, size, &operand)))                                                    \
			return exec_##name##_careful(c, op);                                                           \
		m = operand;                                                                                           \
		__VA_ARGS__                                                                                            \
		return next(c, op + 1);                                                                                \
	}

#endif

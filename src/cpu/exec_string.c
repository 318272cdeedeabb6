/*
 * String instructions: MOVS, CMPS, STOS, LODS, SCAS, INS, OUTS, alone and repeated.
 *
 * An instruction is an element function, which moves one element and advances the index registers, and for some a bulk
 * function, which moves many within a page at once. The registers are right after each element, so a fault or an
 * interrupt in the middle just stops there and the instruction resumes later. The first element of every run goes
 * alone: it finds what faults and checks the segments' types, so that bulk functions look at limits only.
 */
#include "cpu/control.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/forms.h"
#include "cpu/io.h"

/* Moves one element. false: an exception was raised, and nothing has changed. */
typedef bool element_fn(struct core *c, const struct op *op);
/* Moves up to count elements, none if it cannot; returns how many. */
typedef u64 bulk_fn(struct core *c, const struct op *op, u64 count);

/* Elements, or bulk moves, before the run loop is let in. */
#define REP_PATIENCE 1024

/* ---- the index registers and the counter, by the address size ---- */

static u64 index_mask(const struct op *op)
{
	return byte_mask(op->insn.addrsize);
}

static u64 index_get(const struct core *c, const struct op *op, enum gpr reg)
{
	return c->cpu.gpr[reg] & index_mask(op);
}

static void index_set(struct core *c, const struct op *op, enum gpr reg, u64 value)
{
	u64 *gpr = &c->cpu.gpr[reg], mask = index_mask(op);

	*gpr = op->insn.addrsize == 2 ? (*gpr & ~mask) | (value & mask) : value & mask;
}

static void index_advance(struct core *c, const struct op *op, enum gpr reg, unsigned size)
{
	index_set(c, op, reg, c->cpu.rflags & RFLAGS_DF ? c->cpu.gpr[reg] - size : c->cpu.gpr[reg] + size);
}

/* ---- elements in memory: the source may have its segment overridden, the destination is in ES ---- */

static enum segment source_segment(const struct op *op)
{
	return (enum segment)op->insn.seg;
}

ALWAYS_INLINE struct load element_load(struct core *c, const struct op *op, enum segment seg, enum gpr reg,
				       unsigned size)
{
	struct load address = segment_linear(c, op, seg, index_get(c, op, reg), size, ACCESS_READ);

	return address.ok ? linear_load(c, op, seg, address.value, size) : address;
}

ALWAYS_INLINE bool element_store(struct core *c, const struct op *op, unsigned size, u64 value)
{
	struct load address = segment_linear(c, op, SEG_ES, index_get(c, op, GPR_RDI), size, ACCESS_WRITE);

	return address.ok && linear_store(c, op, SEG_ES, address.value, size, value);
}

#define ELEMENTS(size, type, unused)                                                                                   \
	ALWAYS_INLINE void compare_##size(struct core *c, type a, type b)                                              \
	{                                                                                                              \
		HOST_WRITES(c, "cmp %[b], %[a]", [a] "+r"(a), [b] "r"(b));                                             \
	}                                                                                                              \
	static bool movs_##size(struct core *c, const struct op *op)                                                   \
	{                                                                                                              \
		struct load value = element_load(c, op, source_segment(op), GPR_RSI, size);                            \
                                                                                                                       \
		if (!value.ok || !element_store(c, op, size, value.value))                                             \
			return false;                                                                                  \
		index_advance(c, op, GPR_RSI, size);                                                                   \
		index_advance(c, op, GPR_RDI, size);                                                                   \
		return true;                                                                                           \
	}                                                                                                              \
	static bool cmps_##size(struct core *c, const struct op *op)                                                   \
	{                                                                                                              \
		struct load a = element_load(c, op, source_segment(op), GPR_RSI, size), b = { 0, false };              \
                                                                                                                       \
		if (a.ok)                                                                                              \
			b = element_load(c, op, SEG_ES, GPR_RDI, size);                                                \
		if (!b.ok)                                                                                             \
			return false;                                                                                  \
		compare_##size(c, (type)a.value, (type)b.value);                                                       \
		index_advance(c, op, GPR_RSI, size);                                                                   \
		index_advance(c, op, GPR_RDI, size);                                                                   \
		return true;                                                                                           \
	}                                                                                                              \
	static bool stos_##size(struct core *c, const struct op *op)                                                   \
	{                                                                                                              \
		if (!element_store(c, op, size, c->cpu.gpr[GPR_RAX]))                                                  \
			return false;                                                                                  \
		index_advance(c, op, GPR_RDI, size);                                                                   \
		return true;                                                                                           \
	}                                                                                                              \
	static bool lods_##size(struct core *c, const struct op *op)                                                   \
	{                                                                                                              \
		struct load value = element_load(c, op, source_segment(op), GPR_RSI, size);                            \
                                                                                                                       \
		if (!value.ok)                                                                                         \
			return false;                                                                                  \
		gpr_write(c, GPR_RAX * 8, size, value.value);                                                          \
		index_advance(c, op, GPR_RSI, size);                                                                   \
		return true;                                                                                           \
	}                                                                                                              \
	static bool scas_##size(struct core *c, const struct op *op)                                                   \
	{                                                                                                              \
		struct load b = element_load(c, op, SEG_ES, GPR_RDI, size);                                            \
                                                                                                                       \
		if (!b.ok)                                                                                             \
			return false;                                                                                  \
		compare_##size(c, (type)c->cpu.gpr[GPR_RAX], (type)b.value);                                           \
		index_advance(c, op, GPR_RDI, size);                                                                   \
		return true;                                                                                           \
	}

FOR_SIZES(ELEMENTS, )

/* ---- elements of I/O ports ---- */

/* The port is read only when its value can be stored. */
#define PORT_ELEMENTS(size)                                                                                            \
	static bool ins_##size(struct core *c, const struct op *op)                                                    \
	{                                                                                                              \
		u16 port = (u16)c->cpu.gpr[GPR_RDX];                                                                   \
		struct load to;                                                                                        \
                                                                                                                       \
		if (!io_permitted(c, op, port, size))                                                                  \
			return false;                                                                                  \
		to = segment_linear(c, op, SEG_ES, index_get(c, op, GPR_RDI), size, ACCESS_WRITE);                     \
		if (!to.ok || !linear_probe(c, op, SEG_ES, to.value, size, ACCESS_WRITE) ||                            \
		    !linear_store(c, op, SEG_ES, to.value, size, io_read(c, op, port, size)))                          \
			return false;                                                                                  \
		index_advance(c, op, GPR_RDI, size);                                                                   \
		return true;                                                                                           \
	}                                                                                                              \
	static bool outs_##size(struct core *c, const struct op *op)                                                   \
	{                                                                                                              \
		u16 port = (u16)c->cpu.gpr[GPR_RDX];                                                                   \
		struct load value;                                                                                     \
                                                                                                                       \
		if (!io_permitted(c, op, port, size))                                                                  \
			return false;                                                                                  \
		value = element_load(c, op, source_segment(op), GPR_RSI, size);                                        \
		if (!value.ok)                                                                                         \
			return false;                                                                                  \
		io_write(c, op, port, size, (u32)value.value);                                                         \
		index_advance(c, op, GPR_RSI, size);                                                                   \
		return true;                                                                                           \
	}

PORT_ELEMENTS(1)
PORT_ELEMENTS(2)
PORT_ELEMENTS(4)

/* ---- bulk ---- */

/* Bytes up to the segment's limit from offset on; 0 where that is not simple. */
static u64 segment_room(const struct core *c, const struct op *op, enum segment seg, u64 offset)
{
	const struct cpu_segment *s = &c->cpu.segment[seg];

	if (op->insn.mode == INSN_MODE_64)
		return ~0ull;
	if (!(s->attributes & SEGMENT_TYPE_CODE) && s->attributes & SEGMENT_TYPE_EXPAND_DOWN)
		return 0;
	return offset <= s->limit ? s->limit - offset + 1 : 0;
}

/*
 * Where the bytes from seg:reg on are in host memory, and in *room how many of them are there: in the same page and
 * segment, without wrapping. NULL: they cannot be moved in bulk.
 */
static u8 *span_host(struct core *c, const struct op *op, enum segment seg, enum gpr reg, enum access access, u64 *room)
{
	u64 offset = index_get(c, op, reg), base = c->cpu.segment[seg].base;
	unsigned bytes;
	u8 *host;
	gva_t linear;

	if (op->insn.mode == INSN_MODE_64)
		linear = offset + (seg == SEG_FS || seg == SEG_GS ? base : 0);
	else
		linear = (u32)(base + offset);
	if (!control_is_canonical(c, linear))
		return NULL;
	host = linear_host(c, linear, access, &bytes);
	*room = min_u64(min_u64(bytes, segment_room(c, op, seg, offset)), index_mask(op) - offset + 1);
	return host;
}

static u64 elements_in(u64 room, unsigned size, u64 count)
{
	return min_u64(room / size, count);
}

/*
 * Forward, element by element: a destination that begins within the source repeats what lies between them. Only then
 * is it more than a memmove.
 */
#define BULK_MOVE(size, type, unused)                                                                                  \
	static void copy_##size(u8 *to, const u8 *from, u64 elements)                                                  \
	{                                                                                                              \
		for (u64 n = 0; n < elements * size; n += size)                                                        \
			*(guest_##type *)(to + n) = *(const guest_##type *)(from + n);                                 \
	}                                                                                                              \
	static u64 movs_bulk_##size(struct core *c, const struct op *op, u64 count)                                    \
	{                                                                                                              \
		u64 room_to, room_from, elements;                                                                      \
		u8 *from = span_host(c, op, source_segment(op), GPR_RSI, ACCESS_READ, &room_from), *to;                \
                                                                                                                       \
		if (!from)                                                                                             \
			return 0;                                                                                      \
		to = span_host(c, op, SEG_ES, GPR_RDI, ACCESS_WRITE, &room_to);                                        \
		if (!to)                                                                                               \
			return 0;                                                                                      \
		elements = elements_in(min_u64(room_from, room_to), size, count);                                      \
		if (to > from && to < from + elements * size)                                                          \
			copy_##size(to, from, elements);                                                               \
		else                                                                                                   \
			memmove(to, from, elements * size);                                                            \
		index_set(c, op, GPR_RSI, c->cpu.gpr[GPR_RSI] + elements * size);                                      \
		index_set(c, op, GPR_RDI, c->cpu.gpr[GPR_RDI] + elements * size);                                      \
		return elements;                                                                                       \
	}                                                                                                              \
	static u64 stos_bulk_##size(struct core *c, const struct op *op, u64 count)                                    \
	{                                                                                                              \
		u64 room, elements;                                                                                    \
		u8 *to = span_host(c, op, SEG_ES, GPR_RDI, ACCESS_WRITE, &room);                                       \
		type value = (type)c->cpu.gpr[GPR_RAX];                                                                \
                                                                                                                       \
		if (!to)                                                                                               \
			return 0;                                                                                      \
		elements = elements_in(room, size, count);                                                             \
		if (value == (type)((u8)value * (~0ull / 255)))                                                        \
			memset(to, (u8)value, elements * size);                                                        \
		else                                                                                                   \
			for (u64 n = 0; n < elements * size; n += size)                                                \
				*(guest_##type *)(to + n) = value;                                                     \
		index_set(c, op, GPR_RDI, c->cpu.gpr[GPR_RDI] + elements * size);                                      \
		return elements;                                                                                       \
	}

FOR_SIZES(BULK_MOVE, )

/*
 * Comparisons skip the elements that let the repetition go on. One that may end it is left to the element function, and
 * so is the span's last, for its flags are seen if the next one faults.
 */
static u64 elements_before_last(u64 room, unsigned size, u64 count)
{
	u64 elements = elements_in(room, size, count);

	return elements ? elements - 1 : 0;
}

static bool goes_on(const struct op *op, bool equal)
{
	return equal == !(op->insn.prefixes & INSN_REPNE);
}

#define BULK_COMPARE(size, type, unused)                                                                               \
	static u64 cmps_bulk_##size(struct core *c, const struct op *op, u64 count)                                    \
	{                                                                                                              \
		u64 room_a, room_b, elements, n = 0;                                                                   \
		const u8 *a = span_host(c, op, source_segment(op), GPR_RSI, ACCESS_READ, &room_a);                     \
		const u8 *b = span_host(c, op, SEG_ES, GPR_RDI, ACCESS_READ, &room_b);                                 \
                                                                                                                       \
		if (!a || !b)                                                                                          \
			return 0;                                                                                      \
		elements = elements_before_last(min_u64(room_a, room_b), size, count);                                 \
		while (n < elements &&                                                                                 \
		       goes_on(op, ((const guest_##type *)a)[n] == ((const guest_##type *)b)[n]))                      \
			n++;                                                                                           \
		index_set(c, op, GPR_RSI, c->cpu.gpr[GPR_RSI] + n * size);                                             \
		index_set(c, op, GPR_RDI, c->cpu.gpr[GPR_RDI] + n * size);                                             \
		return n;                                                                                              \
	}                                                                                                              \
	static u64 scas_bulk_##size(struct core *c, const struct op *op, u64 count)                                    \
	{                                                                                                              \
		u64 room, elements, n = 0;                                                                             \
		const u8 *b = span_host(c, op, SEG_ES, GPR_RDI, ACCESS_READ, &room);                                   \
                                                                                                                       \
		if (!b)                                                                                                \
			return 0;                                                                                      \
		elements = elements_before_last(room, size, count);                                                  \
		while (n < elements && goes_on(op, ((const guest_##type *)b)[n] == (type)c->cpu.gpr[GPR_RAX]))         \
			n++;                                                                                           \
		index_set(c, op, GPR_RDI, c->cpu.gpr[GPR_RDI] + n * size);                                             \
		return n;                                                                                              \
	}

FOR_SIZES(BULK_COMPARE, )

/* ---- repetition ---- */

/*
 * Stops between two elements. RF is set in what an interrupt pushes now, so that a breakpoint on the instruction does
 * not hit again ("Instruction-Breakpoint Exception Condition").
 */
static enum step rep_pause(struct core *c, const struct op *op)
{
	c->op = op;
	c->cpu.rip = op_rip(c, op);
	c->cpu.pending_debug |= c->debug_hits | (debug_steps_instructions(&c->cpu) ? DR6_BS : 0);
	c->cpu.rflags |= RFLAGS_RF;
	return STEP_RETRY;
}

/* Single-stepping and watchpoints trap after each element. */
static bool rep_must_pause(const struct core *c, unsigned moves)
{
	return moves >= REP_PATIENCE || c->debug_hits || debug_steps_instructions(&c->cpu) ||
	       atomic_load_explicit(&c->attention, memory_order_relaxed);
}

/*
 * comparing: the repetition also ends by ZF. A fault then puts the flags back to what they were before the instruction
 * on Intel's processors; on AMD's they are those of the last comparison.
 */
ALWAYS_INLINE enum step repeat(struct core *c, const struct op *op, element_fn *element, bulk_fn *bulk, bool comparing)
{
	u64 count = index_get(c, op, GPR_RCX), done = 0;
	u32 flags = status_get(c);
	bool alone = !bulk || c->cpu.rflags & (RFLAGS_DF | RFLAGS_TF);

	for (unsigned moves = 0; count; moves++) {
		/* After comparing in bulk the flags are not right yet. */
		if (moves && !(comparing && done) && rep_must_pause(c, moves))
			return rep_pause(c, op);
		done = moves && !alone ? bulk(c, op, count) : 0;
		if (!done && !element(c, op)) {
			if (!c->amd)
				status_set(c, flags);
			return STEP_FAULT;
		}
		count -= done ? done : 1;
		index_set(c, op, GPR_RCX, count);
		if (comparing && !done && !goes_on(op, status_get(c) & CPU_STATUS_ZF))
			break;
	}
	EXEC_NEXT(c, op);
}

#define STRING(size, name, bulk, comparing)                                                                            \
	static enum step exec_##name##_##size(struct core *c, const struct op *op)                                     \
	{                                                                                                              \
		if (!name##_##size(c, op))                                                                             \
			return STEP_FAULT;                                                                             \
		EXEC_NEXT(c, op);                                                                                      \
	}                                                                                                              \
	static enum step exec_rep_##name##_##size(struct core *c, const struct op *op)                                 \
	{                                                                                                              \
		return repeat(c, op, name##_##size, bulk, comparing);                                                  \
	}
#define STRING_CELL(size, name) [SIZE_INDEX(size)] = { exec_##name##_##size, exec_rep_##name##_##size },
#define STRING_ROW(name) { STRING_CELL(1, name) STRING_CELL(2, name) STRING_CELL(4, name) STRING_CELL(8, name) }

#define STRING_SIZE(size, type, unused)                                                                                \
	STRING(size, movs, movs_bulk_##size, false)                                                                    \
	STRING(size, cmps, cmps_bulk_##size, true)                                                                     \
	STRING(size, stos, stos_bulk_##size, false)                                                                    \
	STRING(size, lods, NULL, false)                                                                                \
	STRING(size, scas, scas_bulk_##size, true)

FOR_SIZES(STRING_SIZE, )

/* A device may have done anything: the run loop looks around after I/O. */
static enum step port_string(struct core *c, const struct op *op, element_fn *element)
{
	u64 count;

	if (!(op->insn.prefixes & (INSN_REPE | INSN_REPNE)))
		return element(c, op) ? exec_break(c, op) : STEP_FAULT;
	count = index_get(c, op, GPR_RCX);
	if (!count)
		EXEC_NEXT(c, op);
	if (!element(c, op))
		return STEP_FAULT;
	index_set(c, op, GPR_RCX, count - 1);
	return count > 1 ? rep_pause(c, op) : exec_break(c, op);
}

#define PORT_STRING(size, name)                                                                                        \
	static enum step exec_##name##_##size(struct core *c, const struct op *op)                                     \
	{                                                                                                              \
		return port_string(c, op, name##_##size);                                                              \
	}

PORT_STRING(1, ins)
PORT_STRING(2, ins)
PORT_STRING(4, ins)
PORT_STRING(1, outs)
PORT_STRING(2, outs)
PORT_STRING(4, outs)

static exec_fn *const memory_strings[][SIZE_COUNT][2] = {
	[INSN_MOVS - INSN_MOVS] = STRING_ROW(movs),
	[INSN_CMPS - INSN_MOVS] = STRING_ROW(cmps),
	[INSN_STOS - INSN_MOVS] = STRING_ROW(stos),
	[INSN_LODS - INSN_MOVS] = STRING_ROW(lods),
	[INSN_SCAS - INSN_MOVS] = STRING_ROW(scas),
};

static exec_fn *const port_strings[2][SIZE_COUNT] = {
	{ exec_ins_1, exec_ins_2, exec_ins_4, NULL },
	{ exec_outs_1, exec_outs_2, exec_outs_4, NULL },
};

exec_fn *exec_select_string(UNUSED const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	unsigned size = SIZE_INDEX(i->opsize);
	bool repeated = i->prefixes & (INSN_REPE | INSN_REPNE);

	if (i->op == INSN_INS || i->op == INSN_OUTS)
		return port_strings[i->op == INSN_OUTS][size];
	return memory_strings[i->op - INSN_MOVS][size][repeated];
}

/*
 * Segments: descriptors in memory, and their way into a segment register.
 *
 * "Prepare" functions make every check that the manual wants before a segment may be loaded and hand back the
 * register's new contents; they change nothing but the descriptor's accessed bit. So a far transfer prepares all that
 * it needs, and then commits with steps that cannot fail. Functions that return false have raised the exception at
 * op; with op NULL they act for event delivery or a task switch (see core_raise_error() about EXT).
 */
#ifndef CPU_SEGMENT_H
#define CPU_SEGMENT_H

#include "cpu/core.h"

/* "Error Code": the low bits of a selector error code. */
#define ERROR_EXT BIT(0)
#define ERROR_IDT BIT(1)

/* What an error code names of a selector: all but its RPL. */
#define SELECTOR_ERROR (SELECTOR_TI | SELECTOR_INDEX)

/* The attribute bits that a descriptor has. */
#define SEGMENT_DESCRIPTOR_ATTRIBUTES (BITS(15, 12) | BITS(7, 0))

/* Flat segments, as SYSCALL and SYSENTER make them, and what real and virtual-8086 mode have. */
#define SEGMENT_ATTRIBUTES_REAL (SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED)
#define SEGMENT_ATTRIBUTES_V86 (SEGMENT_ATTRIBUTES_REAL | SEGMENT_DPL)
#define SEGMENT_LIMIT_REAL 0xffffu
#define SEGMENT_LIMIT_FLAT 0xffffffffu

struct descriptor {
	gva_t address; /* where it stands */
	u64 low;
	u64 high; /* the second half of a long-mode system descriptor, else 0 */
};

/* An interrupt, trap, task or call gate. */
struct gate {
	u64 offset;
	u16 selector;
	u8 type; /* enum system_descriptor */
	u8 dpl;
	u8 parameters; /* call gates: how many stack slots are copied */
	u8 ist;        /* long mode: 1-7, 0 none */
	bool present;
};

/* Who wants to run a code segment: each has its own privilege rule. */
enum code_entry {
	CODE_DIRECT,    /* JMP or CALL to the segment itself */
	CODE_GATE_JUMP, /* JMP through a call gate */
	CODE_GATE_CALL, /* CALL, interrupt or exception through a gate: may go inward */
	CODE_RETURN,    /* RET, IRET or a task switch: the selector's RPL is the new CPL */
};

/* ---- attributes ---- */

static inline unsigned segment_dpl(u32 attributes)
{
	return bits_extract(attributes, 6, 5);
}

static inline bool segment_is_code(u32 attributes)
{
	return (attributes & (SEGMENT_S | SEGMENT_TYPE_CODE)) == (SEGMENT_S | SEGMENT_TYPE_CODE);
}

static inline bool segment_is_conforming(u32 attributes)
{
	return segment_is_code(attributes) && (attributes & SEGMENT_TYPE_CONFORMING);
}

static inline bool segment_is_writable(u32 attributes)
{
	return (attributes & (SEGMENT_S | SEGMENT_TYPE_CODE | SEGMENT_TYPE_WRITABLE)) ==
	       (SEGMENT_S | SEGMENT_TYPE_WRITABLE);
}

static inline bool segment_is_expand_down(u32 attributes)
{
	return (attributes & (SEGMENT_S | SEGMENT_TYPE_CODE | SEGMENT_TYPE_EXPAND_DOWN)) ==
	       (SEGMENT_S | SEGMENT_TYPE_EXPAND_DOWN);
}

static inline bool segment_is_readable(u32 attributes)
{
	return (attributes & SEGMENT_S) && (!(attributes & SEGMENT_TYPE_CODE) || (attributes & SEGMENT_TYPE_READABLE));
}

static inline bool selector_is_null(u16 selector)
{
	return !(selector & SELECTOR_ERROR);
}

/* Outside long mode linear addresses have 32 bits. */
static inline gva_t linear_wrap(const struct cpu *cpu, gva_t address)
{
	return cpu_in_long_mode(cpu) ? address : (u32)address;
}

/* The code segment would run in 64-bit mode. */
static inline bool segment_is_64bit(const struct cpu *cpu, const struct cpu_segment *cs)
{
	return cpu_in_long_mode(cpu) && (cs->attributes & SEGMENT_L);
}

/* True if the bytes at offset lie inside the segment, by its limit and direction. */
bool segment_contains(const struct cpu_segment *s, u64 offset, unsigned bytes);

/* ---- descriptors ---- */

/* Where the descriptor of `bytes` bytes would stand; false if that is outside its table. */
bool descriptor_find(const struct core *c, u16 selector, unsigned bytes, gva_t *address);

/* Reads 8 bytes of descriptor; outside the table: `bad`(selector). */
MUST_USE bool descriptor_read(struct core *c, const struct op *op, enum vector bad, u16 selector,
			      struct descriptor *out);

/* Long mode: reads the second half of a system descriptor, whose type field must be 0. */
MUST_USE bool descriptor_read_high(struct core *c, const struct op *op, enum vector bad, u16 selector,
				   struct descriptor *d);

/* Changes the descriptor's type in memory. */
MUST_USE bool descriptor_write_type(struct core *c, const struct op *op, const struct descriptor *d, unsigned type);

static inline u32 descriptor_attributes(const struct descriptor *d)
{
	return d->low >> 40 & SEGMENT_DESCRIPTOR_ATTRIBUTES;
}

/* Its enum system_descriptor, or 0 if it is a code or data segment (0 is no valid system type). */
static inline unsigned descriptor_system_type(const struct descriptor *d)
{
	u32 attributes = descriptor_attributes(d);

	return attributes & SEGMENT_S ? 0 : attributes & SEGMENT_TYPE;
}

u32 descriptor_limit(const struct descriptor *d);
struct cpu_segment descriptor_segment(const struct descriptor *d, u16 selector);
struct gate descriptor_gate(const struct descriptor *d);

/* ---- segment registers ---- */

/* DS, ES, FS, GS: null is allowed, and *out must be the register's present contents. */
MUST_USE bool segment_prepare_data(struct core *c, const struct op *op, enum vector bad, u16 selector,
				   struct cpu_segment *out);

/* SS for a stack at privilege level cpl. null_allowed: the selector may be null (64-bit mode, cpl below 3). */
MUST_USE bool segment_prepare_stack(struct core *c, const struct op *op, enum vector bad, u16 selector, unsigned cpl,
				    bool null_allowed, struct cpu_segment *out);

/* CS. The RPL of out->selector is the CPL that the code will have. */
MUST_USE bool segment_prepare_code(struct core *c, const struct op *op, enum vector bad, u16 selector,
				   enum code_entry entry, struct cpu_segment *out);

/* The instruction pointer rip lies in code segment cs, or #GP(0). */
MUST_USE bool segment_check_target(struct core *c, const struct op *op, const struct cpu_segment *cs, u64 rip);

/* Real mode and virtual-8086: the selector is a paragraph. Cannot fail. */
struct cpu_segment segment_real(const struct core *c, enum segment seg, u16 selector);

/* A null data segment register, or SS at privilege level cpl. */
struct cpu_segment segment_null(const struct core *c, const struct cpu_segment *old, u16 selector);
struct cpu_segment segment_null_stack(u16 selector, unsigned cpl);

/* What MOV, POP, LDS... do in every mode. SS loads need core_mode_changed() afterwards. */
MUST_USE bool segment_load(struct core *c, const struct op *op, enum segment seg, u16 selector);

/* After going outward to privilege level cpl: registers that it may not have become null. */
void segment_drop_privileged(struct core *c, unsigned cpl);

/* LLDT, and the LDTR part of a task switch, where bad is #TS (and a missing segment is #TS too). */
MUST_USE bool segment_prepare_ldt(struct core *c, const struct op *op, enum vector bad, u16 selector,
				  struct cpu_segment *out);

#endif

/*
 * Segments: see segment.h. The rules are those of "Protection" (Intel, volume 3) and "Segmented Virtual Memory"
 * (AMD, volume 2); where they let several checks fail at once the order is that of the instructions' pages.
 */
#include "cpu/segment.h"

#include "base/assert.h"
#include "cpu/access.h"
#include "cpu/control.h"

/* Byte 5 of a descriptor holds type, S, DPL and P. */
#define DESCRIPTOR_ACCESS_BYTE 5
#define DESCRIPTOR_HIGH_TYPE BITS(12, 8)

bool segment_contains(const struct cpu_segment *s, u64 offset, unsigned bytes)
{
	u64 last = offset + bytes - 1;

	if (!segment_is_expand_down(s->attributes))
		return last <= s->limit;
	return offset > s->limit && last <= (s->attributes & SEGMENT_DB ? SEGMENT_LIMIT_FLAT : SEGMENT_LIMIT_REAL);
}

bool descriptor_find(const struct core *c, u16 selector, unsigned bytes, gva_t *address)
{
	const struct cpu_segment *ldt = &c->cpu.segment[SEG_LDTR];
	unsigned offset = selector & SELECTOR_INDEX;
	bool local = selector & SELECTOR_TI;

	if (local && (ldt->attributes & SEGMENT_UNUSABLE))
		return false;
	*address = linear_wrap(&c->cpu, (local ? ldt->base : c->cpu.gdtr.base) + offset);
	return offset + bytes - 1 <= (local ? ldt->limit : c->cpu.gdtr.limit);
}

bool descriptor_read(struct core *c, const struct op *op, enum vector bad, u16 selector, struct descriptor *out)
{
	struct load low;

	if (!descriptor_find(c, selector, 8, &out->address)) {
		core_raise_error(c, op, bad, selector & SELECTOR_ERROR);
		return false;
	}
	low = system_load(c, op, out->address, 8);
	out->low = low.value;
	out->high = 0;
	return low.ok;
}

bool descriptor_read_high(struct core *c, const struct op *op, enum vector bad, u16 selector, struct descriptor *d)
{
	struct load high;
	gva_t address;

	if (descriptor_find(c, selector, 16, &address)) {
		high = system_load(c, op, address + 8, 8);
		d->high = high.value;
		if (!high.ok)
			return false;
		if (!(high.value >> 32 & DESCRIPTOR_HIGH_TYPE))
			return true;
	}
	core_raise_error(c, op, bad, selector & SELECTOR_ERROR);
	return false;
}

bool descriptor_write_type(struct core *c, const struct op *op, const struct descriptor *d, unsigned type)
{
	u8 access = (descriptor_attributes(d) & BITS(7, 0) & ~SEGMENT_TYPE) | type;

	return system_store(c, op, d->address + DESCRIPTOR_ACCESS_BYTE, 1, access);
}

u32 descriptor_limit(const struct descriptor *d)
{
	u32 limit = bits_extract(d->low, 15, 0) | bits_extract(d->low, 51, 48) << 16;

	return descriptor_attributes(d) & SEGMENT_G ? limit << PAGE_SHIFT | (PAGE_SIZE - 1) : limit;
}

struct cpu_segment descriptor_segment(const struct descriptor *d, u16 selector)
{
	return (struct cpu_segment){
		.base = bits_extract(d->low, 39, 16) | bits_extract(d->low, 63, 56) << 24 | d->high << 32,
		.limit = descriptor_limit(d),
		.attributes = descriptor_attributes(d),
		.selector = selector,
	};
}

struct gate descriptor_gate(const struct descriptor *d)
{
	u32 attributes = descriptor_attributes(d);
	bool wide = attributes & SEGMENT_TYPE_CODE; /* bit 3 of a gate's type: 32 or 64 bits */
	u64 offset = bits_extract(d->low, 15, 0);

	if (wide)
		offset |= bits_extract(d->low, 63, 48) << 16 | d->high << 32;
	return (struct gate){
		.offset = offset,
		.selector = d->low >> 16,
		.type = attributes & SEGMENT_TYPE,
		.dpl = segment_dpl(attributes),
		.parameters = bits_extract(d->low, 36, 32),
		.ist = bits_extract(d->low, 34, 32),
		.present = attributes & SEGMENT_P,
	};
}

/* Sets the accessed bit, in memory and in the copy, unless it is set already: descriptor tables may be read-only. */
static MUST_USE bool touch(struct core *c, const struct op *op, struct descriptor *d)
{
	u32 type = (descriptor_attributes(d) & SEGMENT_TYPE) | SEGMENT_TYPE_ACCESSED;

	if (d->low >> 40 & SEGMENT_TYPE_ACCESSED)
		return true;
	d->low |= SEGMENT_TYPE_ACCESSED << 40;
	return descriptor_write_type(c, op, d, type);
}

static MUST_USE bool refuse(struct core *c, const struct op *op, enum vector vector, u16 selector)
{
	core_raise_error(c, op, vector, selector & SELECTOR_ERROR);
	return false;
}

struct cpu_segment segment_null(const struct core *c, const struct cpu_segment *old, u16 selector)
{
	/* AMD keeps the old base and limit, which 64-bit mode can see ("Null Selector"); Intel clears them. */
	return (struct cpu_segment){
		.base = c->amd ? old->base : 0,
		.limit = c->amd ? old->limit : 0,
		.attributes = SEGMENT_UNUSABLE,
		.selector = selector,
	};
}

struct cpu_segment segment_null_stack(u16 selector, unsigned cpl)
{
	return (struct cpu_segment){
		.attributes = SEGMENT_UNUSABLE | cpl << SEGMENT_DPL_SHIFT,
		.selector = selector,
	};
}

bool segment_prepare_data(struct core *c, const struct op *op, enum vector bad, u16 selector, struct cpu_segment *out)
{
	unsigned rpl = selector & SELECTOR_RPL;
	struct descriptor d;
	u32 attributes;

	if (selector_is_null(selector)) {
		*out = segment_null(c, out, selector);
		return true;
	}
	if (!descriptor_read(c, op, bad, selector, &d))
		return false;
	attributes = descriptor_attributes(&d);
	if (!segment_is_readable(attributes))
		return refuse(c, op, bad, selector);
	if (!segment_is_conforming(attributes) && max_u64(rpl, cpu_cpl(&c->cpu)) > segment_dpl(attributes))
		return refuse(c, op, bad, selector);
	if (!(attributes & SEGMENT_P))
		return refuse(c, op, VECTOR_NP, selector);
	if (!touch(c, op, &d))
		return false;
	*out = descriptor_segment(&d, selector);
	return true;
}

bool segment_prepare_stack(struct core *c, const struct op *op, enum vector bad, u16 selector, unsigned cpl,
			   bool null_allowed, struct cpu_segment *out)
{
	struct descriptor d;
	u32 attributes;

	if (selector_is_null(selector)) {
		*out = segment_null_stack(selector, cpl);
		return null_allowed || refuse(c, op, bad, 0);
	}
	if (!descriptor_read(c, op, bad, selector, &d))
		return false;
	attributes = descriptor_attributes(&d);
	if ((selector & SELECTOR_RPL) != cpl || segment_dpl(attributes) != cpl || !segment_is_writable(attributes))
		return refuse(c, op, bad, selector);
	if (!(attributes & SEGMENT_P))
		return refuse(c, op, VECTOR_SS, selector);
	if (!touch(c, op, &d))
		return false;
	*out = descriptor_segment(&d, selector);
	return true;
}

/* "Privilege Level Checking When Transferring Program Control Between Code Segments". */
static bool code_allowed(unsigned cpl, unsigned rpl, u32 attributes, enum code_entry entry)
{
	unsigned dpl = segment_dpl(attributes);
	bool conforming = segment_is_conforming(attributes);

	switch (entry) {
	case CODE_DIRECT:
		return conforming ? dpl <= cpl : rpl <= cpl && dpl == cpl;
	case CODE_GATE_JUMP:
		return conforming ? dpl <= cpl : dpl == cpl;
	case CODE_GATE_CALL:
		return dpl <= cpl;
	case CODE_RETURN:
		return rpl >= cpl && (conforming ? dpl <= rpl : dpl == rpl);
	}
	UNREACHABLE();
}

/* Long mode: L and D exclude each other, and a 64-bit gate leads to 64-bit code only. */
static bool code_size_allowed(const struct core *c, u32 attributes, enum code_entry entry)
{
	bool gate = entry == CODE_GATE_JUMP || entry == CODE_GATE_CALL;

	if (!cpu_in_long_mode(&c->cpu))
		return true;
	if (!(attributes & SEGMENT_L))
		return !gate;
	return !(attributes & SEGMENT_DB);
}

bool segment_prepare_code(struct core *c, const struct op *op, enum vector bad, u16 selector, enum code_entry entry,
			  struct cpu_segment *out)
{
	unsigned rpl = selector & SELECTOR_RPL, cpl = cpu_cpl(&c->cpu);
	struct descriptor d;
	u32 attributes;

	if (selector_is_null(selector))
		return refuse(c, op, bad, 0);
	if (!descriptor_read(c, op, bad, selector, &d))
		return false;
	attributes = descriptor_attributes(&d);
	if (!segment_is_code(attributes) || !code_allowed(cpl, rpl, attributes, entry) ||
	    !code_size_allowed(c, attributes, entry))
		return refuse(c, op, bad, selector);
	if (!(attributes & SEGMENT_P))
		return refuse(c, op, VECTOR_NP, selector);
	if (!touch(c, op, &d))
		return false;
	if (entry == CODE_RETURN)
		cpl = rpl;
	else if (entry == CODE_GATE_CALL && !segment_is_conforming(attributes))
		cpl = segment_dpl(attributes);
	*out = descriptor_segment(&d, (selector & SELECTOR_ERROR) | cpl);
	return true;
}

bool segment_check_target(struct core *c, const struct op *op, const struct cpu_segment *cs, u64 rip)
{
	bool ok = segment_is_64bit(&c->cpu, cs) ? control_is_canonical(c, rip) : rip <= cs->limit;

	return ok || refuse(c, op, VECTOR_GP, 0);
}

struct cpu_segment segment_real(const struct core *c, enum segment seg, u16 selector)
{
	struct cpu_segment s = c->cpu.segment[seg];

	s.selector = selector;
	s.base = (u32)selector << 4;
	if (cpu_in_v86_mode(&c->cpu)) {
		s.limit = SEGMENT_LIMIT_REAL;
		s.attributes = SEGMENT_ATTRIBUTES_V86;
	} else if (s.attributes & SEGMENT_UNUSABLE) { /* null when protected mode was left */
		s.limit = SEGMENT_LIMIT_REAL;
		s.attributes = SEGMENT_ATTRIBUTES_REAL;
	}
	return s;
}

bool segment_load(struct core *c, const struct op *op, enum segment seg, u16 selector)
{
	struct cpu_segment *s = &c->cpu.segment[seg];
	unsigned cpl = cpu_cpl(&c->cpu);

	if (cpu_segments_are_real(&c->cpu)) {
		*s = segment_real(c, seg, selector);
		return true;
	}
	if (seg == SEG_SS) {
		/* "Stack Segment in 64-bit Mode": null with RPL = CPL, but never at CPL 3. */
		bool null_allowed = cpu_in_64bit_mode(&c->cpu) && cpl < 3 && (selector & SELECTOR_RPL) == cpl;
		struct cpu_segment ss;

		if (!segment_prepare_stack(c, op, VECTOR_GP, selector, cpl, null_allowed, &ss))
			return false;
		*s = ss;
		return true;
	}
	return segment_prepare_data(c, op, VECTOR_GP, selector, s);
}

void segment_drop_privileged(struct core *c, unsigned cpl)
{
	static const u8 data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned n = 0; n < ARRAY_LENGTH(data); n++) {
		struct cpu_segment *s = &c->cpu.segment[data[n]];
		bool null = s->attributes & SEGMENT_UNUSABLE;

		if (!null && (segment_is_conforming(s->attributes) || segment_dpl(s->attributes) >= cpl))
			continue;
		/* The base stays: in 64-bit mode FS and GS go on having one (it came through an MSR). */
		s->selector = 0;
		s->attributes |= SEGMENT_UNUSABLE;
	}
}

bool segment_prepare_ldt(struct core *c, const struct op *op, enum vector bad, u16 selector, struct cpu_segment *out)
{
	struct descriptor d;

	if (selector_is_null(selector)) {
		*out = segment_null(c, &c->cpu.segment[SEG_LDTR], selector);
		return true;
	}
	if (selector & SELECTOR_TI)
		return refuse(c, op, bad, selector);
	if (!descriptor_read(c, op, bad, selector, &d))
		return false;
	if (descriptor_system_type(&d) != DESCRIPTOR_LDT)
		return refuse(c, op, bad, selector);
	if (!(descriptor_attributes(&d) & SEGMENT_P))
		return refuse(c, op, bad == VECTOR_TS ? VECTOR_TS : VECTOR_NP, selector);
	if (cpu_in_long_mode(&c->cpu) && !descriptor_read_high(c, op, bad, selector, &d))
		return false;
	*out = descriptor_segment(&d, selector);
	return control_is_canonical_base(c, out->base) || refuse(c, op, bad, selector);
}

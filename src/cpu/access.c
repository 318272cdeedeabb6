/*
 * Memory accesses off the fast path: TLB misses, page crossings, devices, decoded code, watchpoints, alignment
 * checks; segment limits; the stack; bulk and system accesses. See access.h.
 *
 * Every access is first resolved to one or two spans, each within a page and permitted; only then do bytes move. So an
 * access that faults has changed nothing.
 */
#include "cpu/access.h"

#include "cpu/debug.h"
#include "cpu/frame.h"
#include "cpu/tlb.h"

/* A part of an access that lies within one page. */
struct span {
	gva_t address;
	gpa_t gpa;
	u8 *host; /* NULL: a device's */
	unsigned bytes;
	bool rom;
};

struct spans {
	struct span part[2];
	unsigned parts;
	enum tlb_mode mode;
};

static bool address_is_canonical(const struct core *c, gva_t address)
{
	unsigned bits = c->cpu.cr4 & CR4_LA57 ? 57 : 48;

	return (u64)((s64)(address << (64 - bits)) >> (64 - bits)) == address;
}

/* Linear addresses wrap at 4 GiB outside long mode. */
static gva_t address_wrap(const struct core *c, gva_t address)
{
	return cpu_in_long_mode(&c->cpu) ? address : (u32)address;
}

static bool span_resolve(struct core *c, const struct op *op, struct span *span, enum access access, enum tlb_mode mode)
{
	u32 error;
	const struct tlb_detail *detail = tlb_lookup(c, span->address, access, mode, &error);

	if (!detail) {
		(void)core_raise_page_fault(c, op, span->address, error);
		return false;
	}
	span->gpa = detail->gpa + (span->address & ~PAGE_MASK);
	span->host = detail->host ? detail->host + (span->address & ~PAGE_MASK) : NULL;
	span->rom = detail->rom;
	return true;
}

/* Checks the whole access and finds where its bytes are. false: raised. bytes: 1 to 4096. */
static bool access_resolve(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned bytes,
			   enum access access, enum tlb_mode mode, struct spans *out)
{
	unsigned first = (unsigned)min_u64(bytes, PAGE_SIZE - (address & ~PAGE_MASK));

	if (cpu_in_long_mode(&c->cpu) &&
	    (!address_is_canonical(c, address) || !address_is_canonical(c, address + bytes - 1))) {
		(void)core_raise_error(c, op, seg == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
		return false;
	}
	out->mode = mode;
	out->parts = first < bytes ? 2 : 1;
	out->part[0] = (struct span){ .address = address_wrap(c, address), .bytes = first };
	out->part[1] = (struct span){ .address = address_wrap(c, address + first), .bytes = bytes - first };
	for (unsigned i = 0; i < out->parts; i++)
		if (!span_resolve(c, op, &out->part[i], access, mode))
			return false;
	if (unlikely(c->watch) && op)
		debug_note_access(c, address, bytes, access);
	return true;
}

/* The largest naturally aligned piece at gpa, at most 8 bytes. */
static unsigned device_piece(gpa_t gpa, unsigned bytes)
{
	unsigned size = 8;

	while (size > bytes || gpa & (size - 1))
		size /= 2;
	return size;
}

static void device_read(struct core *c, const struct op *op, gpa_t gpa, u8 *to, unsigned bytes)
{
	c->op = op;
	for (unsigned done = 0; done < bytes;) {
		unsigned size = device_piece(gpa + done, bytes - done);
		u64 value = c->environment->mmio_read(c->machine, c->processor, gpa + done, size);

		memcpy(to + done, &value, size);
		done += size;
	}
}

static void device_write(struct core *c, const struct op *op, gpa_t gpa, const u8 *from, unsigned bytes)
{
	c->op = op;
	for (unsigned done = 0; done < bytes;) {
		unsigned size = device_piece(gpa + done, bytes - done);
		u64 value = 0;

		memcpy(&value, from + done, size);
		c->environment->mmio_write(c->machine, c->processor, gpa + done, size, value);
		done += size;
	}
}

/* Naturally sized host accesses are single ones, so that other processors never see half of a value. */
static void copy_whole(u8 *to, const u8 *from, unsigned bytes)
{
	switch (bytes) {
	case 1: *(volatile u8 *)to = *from; break;
	case 2: memcpy(to, from, 2); break;
	case 4: memcpy(to, from, 4); break;
	case 8: memcpy(to, from, 8); break;
	default: memcpy(to, from, bytes);
	}
}

static void spans_read(struct core *c, const struct op *op, const struct spans *spans, u8 *to)
{
	for (unsigned i = 0; i < spans->parts; i++) {
		const struct span *span = &spans->part[i];

		if (span->host)
			copy_whole(to, span->host, span->bytes);
		else
			device_read(c, op, span->gpa, to, span->bytes);
		to += span->bytes;
	}
}

static void spans_write(struct core *c, const struct op *op, const struct spans *spans, const u8 *from)
{
	for (unsigned i = 0; i < spans->parts; i++) {
		const struct span *span = &spans->part[i];

		if (!span->host) {
			device_write(c, op, span->gpa, from, span->bytes);
		} else if (!span->rom) {
			copy_whole(span->host, from, span->bytes);
			tlb_code_written(c, span->address, span->gpa & PAGE_MASK, spans->mode);
		}
		from += span->bytes;
	}
}

/* #AC for user-mode data accesses that are not aligned, when CR0.AM and RFLAGS.AC ask for it. */
static bool alignment_ok(struct core *c, const struct op *op, gva_t address, unsigned size)
{
	if (c->data_mode != TLB_USER || !(c->cpu.cr0 & CR0_AM) || !(c->cpu.rflags & RFLAGS_AC) || !(address & (size - 1)))
		return true;
	(void)core_raise_error(c, op, VECTOR_AC, 0);
	return false;
}

static struct load load_slow(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size,
			     enum tlb_mode mode)
{
	struct spans spans;
	u64 value = 0;

	if (!access_resolve(c, op, seg, address, size, ACCESS_READ, mode, &spans))
		return (struct load){ 0, false };
	spans_read(c, op, &spans, (u8 *)&value);
	return (struct load){ value, true };
}

static bool store_slow(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size, u64 value,
		       enum tlb_mode mode)
{
	struct spans spans;

	if (!access_resolve(c, op, seg, address, size, ACCESS_WRITE, mode, &spans))
		return false;
	spans_write(c, op, &spans, (const u8 *)&value);
	return true;
}

struct load linear_load_slow(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size)
{
	if (!alignment_ok(c, op, address, size))
		return (struct load){ 0, false };
	return load_slow(c, op, seg, address, size, c->data_mode);
}

bool linear_store_slow(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned size, u64 value)
{
	return alignment_ok(c, op, address, size) && store_slow(c, op, seg, address, size, value, c->data_mode);
}

/* ---- segments ("Limit Checking", "Type Checking") ---- */

static bool offset_in_limit(const struct cpu_segment *s, u64 offset, unsigned size)
{
	u64 last = offset + size - 1;
	bool expand_down = (s->attributes & (SEGMENT_S | SEGMENT_TYPE_CODE | SEGMENT_TYPE_EXPAND_DOWN)) ==
			   (SEGMENT_S | SEGMENT_TYPE_EXPAND_DOWN);

	if (!expand_down)
		return last <= s->limit;
	return offset > s->limit && last <= (s->attributes & SEGMENT_DB ? 0xffffffffull : 0xffffull);
}

static bool segment_permits(const struct cpu_segment *s, enum access access)
{
	bool code = s->attributes & SEGMENT_TYPE_CODE;

	if (s->attributes & SEGMENT_UNUSABLE)
		return false;
	if (access == ACCESS_WRITE)
		return !code && s->attributes & SEGMENT_TYPE_WRITABLE;
	return access == ACCESS_EXECUTE || !code || s->attributes & SEGMENT_TYPE_READABLE;
}

struct load segment_linear(struct core *c, const struct op *op, enum segment seg, u64 offset, unsigned size,
			   enum access access)
{
	const struct cpu_segment *s = &c->cpu.segment[seg];
	bool ok;
	u64 address;

	if (cpu_in_64bit_mode(&c->cpu)) {
		address = offset + (seg == SEG_FS || seg == SEG_GS ? s->base : 0);
		ok = address_is_canonical(c, address) && address_is_canonical(c, address + size - 1);
	} else {
		address = (u32)(s->base + offset);
		ok = offset_in_limit(s, offset, size) &&
		     (cpu_segments_are_real(&c->cpu) || segment_permits(s, access));
	}
	if (!ok)
		(void)core_raise_error(c, op, seg == SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
	return (struct load){ address, ok };
}

/* ---- bulk and system accesses ---- */

bool linear_read(struct core *c, const struct op *op, enum segment seg, gva_t address, void *to, unsigned bytes)
{
	struct spans spans;

	if (!access_resolve(c, op, seg, address, bytes, ACCESS_READ, c->data_mode, &spans))
		return false;
	spans_read(c, op, &spans, to);
	return true;
}

bool linear_write(struct core *c, const struct op *op, enum segment seg, gva_t address, const void *from, unsigned bytes)
{
	struct spans spans;

	if (!access_resolve(c, op, seg, address, bytes, ACCESS_WRITE, c->data_mode, &spans))
		return false;
	spans_write(c, op, &spans, from);
	return true;
}

static enum tlb_mode system_mode(const struct core *c)
{
	return c->cpu.cr4 & CR4_SMAP ? TLB_SUPERVISOR_SMAP : TLB_SUPERVISOR;
}

struct load system_load(struct core *c, const struct op *op, gva_t address, unsigned size)
{
	return load_slow(c, op, SEG_DS, address, size, system_mode(c));
}

bool system_store(struct core *c, const struct op *op, gva_t address, unsigned size, u64 value)
{
	return store_slow(c, op, SEG_DS, address, size, value, system_mode(c));
}

bool linear_probe(struct core *c, const struct op *op, enum segment seg, gva_t address, unsigned bytes, enum access access)
{
	struct spans spans;

	return access_resolve(c, op, seg, address, bytes, access, c->data_mode, &spans);
}

bool system_probe(struct core *c, const struct op *op, gva_t address, unsigned bytes, enum access access)
{
	struct spans spans;

	return access_resolve(c, op, SEG_DS, address, bytes, access, system_mode(c), &spans);
}

u8 *linear_host(struct core *c, gva_t address, enum access access, unsigned *bytes)
{
	struct tlb_entry *entry = tlb_slot(c, address);
	u64 tag = (address & PAGE_MASK) | c->tlb_context;
	u32 error;

	*bytes = (unsigned)(PAGE_SIZE - (address & ~PAGE_MASK));
	for (unsigned attempt = 0; attempt < 2; attempt++) {
		_Atomic u64 *path = access == ACCESS_WRITE ? &entry->write : &entry->read;

		if (atomic_load_explicit(path, memory_order_relaxed) == tag)
			return (u8 *)(uintptr_t)(address + entry->addend);
		if (c->tlb != c->tlbs->entry[c->data_mode] || !tlb_lookup(c, address, access, c->data_mode, &error))
			return NULL;
	}
	return NULL;
}

bool op_read(struct core *c, const struct op *op, void *to, unsigned bytes)
{
	struct load address = op_linear(c, op, bytes, ACCESS_READ);

	return address.ok && linear_read(c, op, (enum segment)op->insn.seg, address.value, to, bytes);
}

bool op_write(struct core *c, const struct op *op, const void *from, unsigned bytes)
{
	struct load address = op_linear(c, op, bytes, ACCESS_WRITE);

	return address.ok && linear_write(c, op, (enum segment)op->insn.seg, address.value, from, bytes);
}

void *op_rmw_slow(struct core *c, const struct op *op, gva_t address, unsigned size)
{
	struct spans spans;

	if (!alignment_ok(c, op, address, size) ||
	    !access_resolve(c, op, (enum segment)op->insn.seg, address, size, ACCESS_WRITE, c->data_mode, &spans))
		return NULL;
	/* RAM within a page is worked on in place, so that LOCK holds. The write follows at once: code there is stale now. */
	if (spans.parts == 1 && spans.part[0].host && !spans.part[0].rom) {
		tlb_code_written(c, address, spans.part[0].gpa & PAGE_MASK, spans.mode);
		return spans.part[0].host;
	}
	spans_read(c, op, &spans, c->rmw.buffer);
	c->rmw.address = address;
	c->rmw.size = size;
	return c->rmw.buffer;
}

void op_rmw_finish(struct core *c, const struct op *op)
{
	struct spans spans;

	/* Nothing was run since the check, so this finds the same translation. */
	if (access_resolve(c, op, (enum segment)op->insn.seg, c->rmw.address, c->rmw.size, ACCESS_WRITE, c->data_mode, &spans))
		spans_write(c, op, &spans, c->rmw.buffer);
}

/* ---- stack ---- */

u64 stack_mask(const struct core *c)
{
	if (cpu_in_64bit_mode(&c->cpu))
		return ~0ull;
	return c->cpu.segment[SEG_SS].attributes & SEGMENT_DB ? 0xffffffffull : 0xffffull;
}

bool stack_push(struct core *c, const struct op *op, unsigned size, u64 value)
{
	u64 mask = stack_mask(c), offset = (c->cpu.gpr[GPR_RSP] - size) & mask;
	struct load address = { offset, true };

	if (mask != ~0ull)
		address = segment_linear(c, op, SEG_SS, offset, size, ACCESS_WRITE);
	if (!address.ok || !linear_store_slow(c, op, SEG_SS, address.value, size, value))
		return false;
	stack_set_pointer(c, mask, offset);
	return true;
}

struct load stack_pop(struct core *c, const struct op *op, unsigned size)
{
	u64 mask = stack_mask(c), offset = c->cpu.gpr[GPR_RSP] & mask;
	struct load address = { offset, true }, value;

	if (mask != ~0ull)
		address = segment_linear(c, op, SEG_SS, offset, size, ACCESS_READ);
	if (!address.ok)
		return address;
	value = linear_load_slow(c, op, SEG_SS, address.value, size);
	if (value.ok)
		stack_set_pointer(c, mask, offset + size);
	return value;
}

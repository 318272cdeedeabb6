/*
 * Stacks during far transfers: see frame.h.
 *
 * Which rights a push has: on the current stack it is an ordinary access of the current program. On the stack of an
 * inner level it is a supervisor access made on the processor's own account, as of the TSS that named the stack; so the
 * page-fault error code says supervisor, and under SMAP a user page is refused whatever AC the outer program had set.
 */
#include "cpu/frame.h"

#include "cpu/access.h"
#include "cpu/control.h"

/* "Task-State Segment", "64-Bit Task State Segment" */
#define TSS16_STACK 2
#define TSS32_STACK 4
#define TSS64_STACK 4
#define TSS64_IST 36

struct frame frame_on_current(const struct core *c, unsigned slot_bytes, bool wide)
{
	struct frame f = { .ss = c->cpu.segment[SEG_SS], .rsp = c->cpu.gpr[GPR_RSP], .slot_bytes = slot_bytes };

	f.mask = wide ? ~0ull : stack_mask(c);
	return f;
}

struct frame frame_on_inner(const struct cpu_segment *ss, u64 rsp, unsigned slot_bytes, bool wide)
{
	return (struct frame){
		.ss = *ss,
		.rsp = rsp,
		.mask = stack_mask_of(ss, wide),
		.error = ss->selector & SELECTOR_ERROR,
		.slot_bytes = slot_bytes,
		.system = true,
	};
}

u64 stack_mask_of(const struct cpu_segment *ss, bool wide)
{
	if (wide)
		return ~0ull;
	return byte_mask(ss->attributes & SEGMENT_DB ? 4 : 2);
}

void stack_set_pointer(struct core *c, u64 mask, u64 value)
{
	u64 kept = mask == byte_mask(2) ? c->cpu.gpr[GPR_RSP] & ~mask : 0;

	c->cpu.gpr[GPR_RSP] = kept | (value & mask);
}

/* The linear address of the n-th slot; false: it is outside the stack. */
static bool slot_address(const struct core *c, const struct frame *f, unsigned n, gva_t *address)
{
	u64 offset = (f->rsp - (u64)(n + 1) * f->slot_bytes) & f->mask;

	if (f->mask == ~0ull) {
		*address = offset;
		return control_is_canonical(c, offset) && control_is_canonical(c, offset + f->slot_bytes - 1);
	}
	*address = (u32)(f->ss.base + offset);
	return segment_contains(&f->ss, offset, f->slot_bytes);
}

bool frame_write(struct core *c, const struct op *op, struct frame *f)
{
	gva_t address;

	for (unsigned n = 0; n < f->slots; n++) {
		if (!slot_address(c, f, n, &address)) {
			(void)core_raise_error(c, op, VECTOR_SS, f->error);
			return false;
		}
	}
	for (unsigned n = 0; n < f->slots; n++) {
		(void)slot_address(c, f, n, &address);
		if (f->system ? !system_store(c, op, address, f->slot_bytes, f->value[n])
			      : !linear_store(c, op, SEG_SS, address, f->slot_bytes, f->value[n]))
			return false;
	}
	f->rsp = f->rsp - (u64)f->slots * f->slot_bytes;
	return true;
}

void frame_commit(struct core *c, const struct frame *f)
{
	c->cpu.segment[SEG_SS] = f->ss;
	stack_set_pointer(c, f->mask, f->rsp);
}

struct load stack_peek(struct core *c, const struct op *op, u64 offset, unsigned size)
{
	struct load address = segment_linear(c, op, SEG_SS, (c->cpu.gpr[GPR_RSP] + offset) & stack_mask(c), size,
					     ACCESS_READ);

	return address.ok ? linear_load(c, op, SEG_SS, address.value, size) : address;
}

/* A field of the current TSS, which may be too small for it: #TS(TSS). */
static MUST_USE bool tss_contains(struct core *c, const struct op *op, unsigned offset, unsigned bytes)
{
	const struct cpu_segment *tss = &c->cpu.segment[SEG_TR];

	if (offset + bytes - 1 <= tss->limit)
		return true;
	(void)core_raise_error(c, op, VECTOR_TS, tss->selector & SELECTOR_ERROR);
	return false;
}

static struct load tss_load(struct core *c, const struct op *op, unsigned offset, unsigned bytes)
{
	return system_load(c, op, linear_wrap(&c->cpu, c->cpu.segment[SEG_TR].base + offset), bytes);
}

bool tss_stack(struct core *c, const struct op *op, unsigned cpl, u16 *ss, u32 *esp)
{
	bool is32 = c->cpu.segment[SEG_TR].attributes & SEGMENT_TYPE_CODE; /* bit 3 of the type: 32 bits */
	unsigned pointer_bytes = is32 ? 4 : 2;
	unsigned offset = is32 ? TSS32_STACK + cpl * 8 : TSS16_STACK + cpl * 4;
	struct load load;

	if (!tss_contains(c, op, offset, pointer_bytes + 2))
		return false;
	load = tss_load(c, op, offset, pointer_bytes);
	if (!load.ok)
		return false;
	*esp = (u32)load.value;
	load = tss_load(c, op, offset + pointer_bytes, 2);
	*ss = (u16)load.value;
	return load.ok;
}

bool tss_stack64(struct core *c, const struct op *op, unsigned cpl, unsigned ist, u64 *rsp)
{
	unsigned offset = ist ? TSS64_IST + (ist - 1) * 8 : TSS64_STACK + cpl * 8;
	struct load load;

	if (!tss_contains(c, op, offset, 8))
		return false;
	load = tss_load(c, op, offset, 8);
	*rsp = load.value;
	return load.ok;
}

/* The layout of the FXSAVE and XSAVE areas, and x87 state in it: see xsave.h. */
#include "cpu/xsave.h"

#include "cpu/x87.h"

#include "base/string.h"

#define X87_REGISTERS 8
#define XMM_BYTES 16u
#define ST_BYTES 10u
#define COMPONENTS 63u
#define FIRST_EXTENDED 2u

struct component {
	u8 number;
	u16 offset; /* in the standard format */
	u16 bytes;
};

/* No component is aligned to 64 bytes in the compacted format (sub-leaf i, ECX bit 1). */
static const struct component components[] = {
	{ 2, XSAVE_EXTENDED_OFFSET, 256 }, /* AVX: the upper halves of YMM0-YMM15 */
	{ 9, XSAVE_EXTENDED_OFFSET + 256, 8 }, /* PKRU */
};

_Static_assert(XSAVE_EXTENDED_OFFSET + 256 + 8 == XSAVE_MAX_BYTES, "the last component ends the area");

static const struct component *component_find(unsigned number)
{
	for (unsigned n = 0; n < ARRAY_LENGTH(components); n++)
		if (components[n].number == number)
			return &components[n];
	return NULL;
}

u32 xsave_component_bytes(unsigned component)
{
	const struct component *found = component_find(component);

	return found ? found->bytes : 0;
}

u32 xsave_component_offset(unsigned component)
{
	const struct component *found = component_find(component);

	return found ? found->offset : 0;
}

u32 xsave_compacted_offset(unsigned component, u64 held)
{
	u32 offset = XSAVE_EXTENDED_OFFSET;

	for (unsigned n = FIRST_EXTENDED; n < component; n++)
		if (held & BIT(n))
			offset += xsave_component_bytes(n);
	return offset;
}

u32 xsave_area_bytes(u64 held, bool compact)
{
	u32 bytes = XSAVE_EXTENDED_OFFSET;

	if (compact)
		return xsave_compacted_offset(COMPONENTS, held);
	for (unsigned n = 0; n < ARRAY_LENGTH(components); n++)
		if (held & BIT(components[n].number))
			bytes = components[n].offset + components[n].bytes;
	return bytes;
}

/* ---- what is in use ---- */

/* count: a multiple of 8 */
static bool bytes_are_zero(const u8 *bytes, unsigned count)
{
	u64 seen = 0, word;

	for (unsigned n = 0; n < count; n += sizeof(word)) {
		memcpy(&word, bytes + n, sizeof(word));
		seen |= word;
	}
	return !seen;
}

static bool x87_is_initial(const struct cpu_x87 *x87)
{
	return x87->fcw == X87_FCW_FNINIT && !x87->fsw && x87->empty == UINT8_MAX && !x87->fop && !x87->fip &&
	       !x87->fdp && !x87->fcs && !x87->fds && bytes_are_zero(x87->st[0], sizeof(x87->st));
}

u64 xsave_in_use(const struct core *c)
{
	const struct cpu *cpu = &c->cpu;
	u64 in_use = x87_is_initial(&cpu->x87) ? 0 : XCR0_X87;

	for (unsigned n = 0; n < ARRAY_LENGTH(cpu->vector.ymm); n++) {
		if (!bytes_are_zero(cpu->vector.ymm[n], XMM_BYTES))
			in_use |= XCR0_SSE;
		if (!bytes_are_zero(cpu->vector.ymm[n] + XMM_BYTES, XMM_BYTES))
			in_use |= XCR0_AVX;
	}
	return in_use | (cpu->pkru ? XCR0_PKRU : 0);
}

/* ---- x87 ---- */

/*
 * AMD's processors save the error pointers only while an exception waits, and without XSAVEERPTR restore them only
 * then.
 */
static bool pointers_are_saved(const struct core *c, u16 fsw)
{
	return !c->amd || (fsw & X87_FSW_ES);
}

static bool pointers_are_restored(const struct core *c, u16 fsw)
{
	return pointers_are_saved(c, fsw) || feature_has(&c->features, FEAT_XSAVEERPTR);
}

static unsigned x87_top(u16 fsw)
{
	return (unsigned)bits_extract(fsw, 13, 11);
}

void xsave_get_x87(const struct core *c, struct xsave_legacy *area, bool wide)
{
	const struct cpu_x87 *x87 = &c->cpu.x87;

	area->fcw = x87->fcw;
	area->fsw = x87->fsw;
	area->ftw = (u8)~x87->empty;
	area->reserved = 0;
	area->fop = 0;
	area->fip = 0;
	area->fdp = 0;
	if (pointers_are_saved(c, x87->fsw)) {
		area->fop = x87->fop;
		area->fip = wide ? x87->fip : (u32)x87->fip | (u64)x87->fcs << 32;
		area->fdp = wide ? x87->fdp : (u32)x87->fdp | (u64)x87->fds << 32;
	}
	memset(area->st, 0, sizeof(area->st));
	for (unsigned n = 0; n < X87_REGISTERS; n++)
		memcpy(area->st[n], x87->st[(x87_top(x87->fsw) + n) % X87_REGISTERS], ST_BYTES);
}

/* 64-bit pointers are kept as wide as linear addresses are. */
static u64 pointer_canonical(const struct core *c, u64 pointer)
{
	unsigned unused = 64 - c->linear_bits;

	return (u64)((s64)(pointer << unused) >> unused);
}

static void set_error_pointers(struct core *c, const struct xsave_legacy *area, bool wide)
{
	struct cpu_x87 *x87 = &c->cpu.x87;

	x87->fop = area->fop & BITS(10, 0);
	x87->fip = wide ? pointer_canonical(c, area->fip) : (u32)area->fip;
	x87->fdp = wide ? pointer_canonical(c, area->fdp) : (u32)area->fdp;
	x87->fcs = wide ? 0 : (u16)(area->fip >> 32);
	x87->fds = wide ? 0 : (u16)(area->fdp >> 32);
}

void xsave_set_x87(struct core *c, const struct xsave_legacy *area, bool wide)
{
	struct cpu_x87 *x87 = &c->cpu.x87;

	x87->fcw = (area->fcw & (u16)X87_FCW_DEFINED) | (u16)X87_FCW_RESERVED_ONE;
	x87->fsw = area->fsw;
	x87_summarize(x87); /* ES and B are not the area's to say */
	x87->empty = (u8)~area->ftw;
	if (pointers_are_restored(c, x87->fsw))
		set_error_pointers(c, area, wide);
	for (unsigned n = 0; n < X87_REGISTERS; n++)
		memcpy(x87->st[(x87_top(x87->fsw) + n) % X87_REGISTERS], area->st[n], ST_BYTES);
}

void xsave_init_x87(struct core *c)
{
	c->cpu.x87 = (struct cpu_x87){ .fcw = X87_FCW_FNINIT, .empty = UINT8_MAX };
}

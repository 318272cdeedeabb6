/*
 * The XSAVE family: XSAVE, XSAVEOPT, XSAVEC, XSAVES, XRSTOR, XRSTORS.
 *
 * "Operation of XSAVE" and its siblings under "Managing State Using the XSAVE Feature Set". The instructions differ in
 * which components they take, in the area's format, and in whether a component in its initial configuration is written.
 * The modified optimization is not done: writing what was not modified is always allowed.
 */
#include "cpu/exec_xsave.h"

#include "cpu/simd.h"
#include "cpu/tlb.h"

#define XSAVE_ALIGN 64u

enum xsave_form {
	XSAVE_COMPACTED = 1,  /* XSAVEC, XSAVES: the compacted format */
	XSAVE_INIT = 2,       /* all but XSAVE: leave out what is in its initial configuration */
	XSAVE_SUPERVISOR = 4, /* XSAVES, XRSTORS: components of IA32_XSS too; privileged */
};

/* The area being saved to or restored from. */
struct area {
	gva_t address;
	bool wide;       /* 64-bit FIP and FDP */
	bool compacted;
	u64 held;        /* XCOMP_BV without its top bit: the components that have a place in a compacted area */
	u8 image[XSAVE_MAX_BYTES] __attribute__((aligned(8)));
};

static struct xsave_legacy *area_legacy(struct area *a)
{
	return (struct xsave_legacy *)a->image;
}

static struct xsave_header *area_header(struct area *a)
{
	return (struct xsave_header *)(a->image + XSAVE_HEADER_OFFSET);
}

static u32 area_offset(const struct area *a, unsigned component)
{
	return a->compacted ? xsave_compacted_offset(component, a->held) : xsave_component_offset(component);
}

/* The components that EDX:EAX asks for and the system has enabled: RFBM. */
static u64 requested_components(const struct core *c, enum xsave_form form)
{
	u64 mask = c->cpu.gpr[GPR_RDX] << 32 | (u32)c->cpu.gpr[GPR_RAX];

	return mask & (c->cpu.xcr0 | (form & XSAVE_SUPERVISOR ? c->cpu.xss : 0));
}

/* All of an area must be accessible, whether or not all of it will be used; so nothing is written before a fault. */
static bool area_probe(struct core *c, const struct op *op, const struct area *a, unsigned bytes, enum access access)
{
	return linear_probe(c, op, (enum segment)op->insn.seg, a->address, bytes, access);
}

/* Checks that come before the area is looked at, and its address. */
static bool area_open(struct core *c, const struct op *op, enum xsave_form form, unsigned bytes, enum access access,
		      struct area *a)
{
	struct load address;

	if (!(c->cpu.cr4 & CR4_OSXSAVE)) {
		(void)core_raise_ud(c, op);
		return false;
	}
	if (form & XSAVE_SUPERVISOR && cpu_cpl(&c->cpu) != 0) {
		(void)core_raise_gp(c, op, 0);
		return false;
	}
	if (c->cpu.cr0 & CR0_TS) {
		(void)core_raise(c, op, VECTOR_NM);
		return false;
	}
	address = op_linear(c, op, bytes, access);
	a->address = address.value;
	a->wide = op->insn.opsize == sizeof(u64);
	return xsave_alignment_ok(c, op, address, XSAVE_ALIGN) && area_probe(c, op, a, bytes, access);
}

/* ---- saving ---- */

static bool write_part(struct core *c, const struct op *op, const struct area *a, unsigned offset, unsigned bytes)
{
	return linear_write(c, op, (enum segment)op->insn.seg, a->address + offset, a->image + offset, bytes);
}

static bool write_x87(struct core *c, const struct op *op, struct area *a)
{
	struct xsave_legacy *legacy = area_legacy(a);

	xsave_get_x87(c, legacy, a->wide);
	return write_part(c, op, a, 0, offsetof(struct xsave_legacy, mxcsr)) &&
	       write_part(c, op, a, offsetof(struct xsave_legacy, st), sizeof(legacy->st));
}

static bool write_mxcsr(struct core *c, const struct op *op, struct area *a)
{
	area_legacy(a)->mxcsr = simd_mxcsr_read(c);
	area_legacy(a)->mxcsr_mask = simd_mxcsr_mask(c);
	return write_part(c, op, a, offsetof(struct xsave_legacy, mxcsr), 2 * sizeof(u32));
}

static bool write_sse(struct core *c, const struct op *op, struct area *a)
{
	unsigned count = xsave_xmm_registers(c);

	for (unsigned n = 0; n < count; n++)
		memcpy(area_legacy(a)->xmm[n], c->cpu.vector.ymm[n], XSAVE_XMM_BYTES);
	return write_part(c, op, a, offsetof(struct xsave_legacy, xmm), count * XSAVE_XMM_BYTES);
}

static bool write_avx(struct core *c, const struct op *op, struct area *a)
{
	unsigned offset = area_offset(a, 2), count = xsave_xmm_registers(c);
	u8 *to = a->image + offset;

	for (unsigned n = 0; n < count; n++)
		memcpy(to + n * XSAVE_XMM_BYTES, c->cpu.vector.ymm[n] + XSAVE_XMM_BYTES, XSAVE_XMM_BYTES);
	return write_part(c, op, a, offset, count * XSAVE_XMM_BYTES);
}

static bool write_pkru(struct core *c, const struct op *op, struct area *a)
{
	unsigned offset = area_offset(a, 9);
	u64 pkru = c->cpu.pkru;

	memcpy(a->image + offset, &pkru, sizeof(pkru));
	return write_part(c, op, a, offset, sizeof(pkru));
}

static bool write_components(struct core *c, const struct op *op, struct area *a, u64 components, bool mxcsr)
{
	return (!(components & XCR0_X87) || write_x87(c, op, a)) && (!mxcsr || write_mxcsr(c, op, a)) &&
	       (!(components & XCR0_SSE) || write_sse(c, op, a)) && (!(components & XCR0_AVX) || write_avx(c, op, a)) &&
	       (!(components & XCR0_PKRU) || write_pkru(c, op, a));
}

/* XSAVE and XSAVEOPT keep the header's bits of components that were not asked for. */
static bool write_header_standard(struct core *c, const struct op *op, struct area *a, u64 requested, u64 in_use)
{
	struct xsave_header *header = area_header(a);

	if (!linear_read(c, op, (enum segment)op->insn.seg, a->address + XSAVE_HEADER_OFFSET, &header->xstate_bv,
			 sizeof(header->xstate_bv)))
		return false;
	header->xstate_bv = (header->xstate_bv & ~requested) | in_use;
	return write_part(c, op, a, XSAVE_HEADER_OFFSET, sizeof(header->xstate_bv));
}

static bool write_header(struct core *c, const struct op *op, struct area *a, u64 requested, u64 in_use)
{
	struct xsave_header *header = area_header(a);

	if (!a->compacted)
		return write_header_standard(c, op, a, requested, in_use);
	header->xstate_bv = in_use;
	header->xcomp_bv = a->held | XCOMP_BV_COMPACTED;
	return write_part(c, op, a, XSAVE_HEADER_OFFSET, offsetof(struct xsave_header, reserved));
}

static enum step save(struct core *c, const struct op *op, enum xsave_form form)
{
	u64 requested = requested_components(c, form), in_use, written;
	struct area a = { .compacted = form & XSAVE_COMPACTED, .held = requested };
	bool mxcsr;

	x87_spill(c);
	in_use = xsave_in_use(c) & requested;

	if (!area_open(c, op, form, xsave_area_bytes(requested, a.compacted), ACCESS_WRITE, &a))
		return STEP_FAULT;
	/* The compacted format counts MXCSR to SSE; the standard one stores it apart. */
	if (a.compacted && simd_mxcsr_read(c) != MXCSR_DEFAULT)
		in_use |= requested & XCR0_SSE;
	written = form & XSAVE_INIT ? in_use : requested;
	mxcsr = a.compacted ? written & XCR0_SSE : requested & (XCR0_SSE | XCR0_AVX);
	if (!write_components(c, op, &a, written, mxcsr) || !write_header(c, op, &a, requested, in_use))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

enum step exec_xsave(struct core *c, const struct op *op)
{
	return save(c, op, 0);
}

enum step exec_xsaveopt(struct core *c, const struct op *op)
{
	return save(c, op, XSAVE_INIT);
}

enum step exec_xsavec(struct core *c, const struct op *op)
{
	return save(c, op, XSAVE_INIT | XSAVE_COMPACTED);
}

enum step exec_xsaves(struct core *c, const struct op *op)
{
	return save(c, op, XSAVE_INIT | XSAVE_COMPACTED | XSAVE_SUPERVISOR);
}

/* ---- restoring ---- */

static bool read_part(struct core *c, const struct op *op, struct area *a, unsigned offset, unsigned bytes)
{
	return linear_read(c, op, (enum segment)op->insn.seg, a->address + offset, a->image + offset, bytes);
}

static bool reserved_words_are_zero(const struct xsave_header *header, unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		if (header->reserved[n])
			return false;
	return true;
}

/* "Standard Form of XRSTOR", "Compacted Form of XRSTOR", "Operation of XRSTORS": what raises #GP. */
static bool header_is_valid(const struct core *c, const struct xsave_header *header, enum xsave_form form)
{
	u64 enabled = c->cpu.xcr0 | (form & XSAVE_SUPERVISOR ? c->cpu.xss : 0);
	u64 held = header->xcomp_bv & ~XCOMP_BV_COMPACTED;

	if (header->xcomp_bv & XCOMP_BV_COMPACTED)
		return (form & XSAVE_SUPERVISOR || feature_has(&c->features, FEAT_XSAVEC)) && !(held & ~enabled) &&
		       !(header->xstate_bv & ~held) && reserved_words_are_zero(header, ARRAY_LENGTH(header->reserved));
	return !(form & XSAVE_SUPERVISOR) && !(header->xstate_bv & ~enabled) && !header->xcomp_bv &&
	       reserved_words_are_zero(header, 1);
}

/* Reads the components that are in the area; a component that is asked for and not there is initialized. */
static bool read_components(struct core *c, const struct op *op, struct area *a, u64 present)
{
	unsigned vectors = xsave_xmm_registers(c) * XSAVE_XMM_BYTES;

	return (!(present & XCR0_AVX) || read_part(c, op, a, area_offset(a, 2), vectors)) &&
	       (!(present & XCR0_PKRU) || read_part(c, op, a, area_offset(a, 9), xsave_component_bytes(9)));
}

/* The MXCSR that the restore leaves; the standard format has it outside of every component. */
static u32 restored_mxcsr(struct core *c, struct area *a, u64 requested, u64 present)
{
	if (!a->compacted)
		return requested & (XCR0_SSE | XCR0_AVX) ? area_legacy(a)->mxcsr : simd_mxcsr_read(c);
	if (!(requested & XCR0_SSE))
		return simd_mxcsr_read(c);
	return present & XCR0_SSE ? area_legacy(a)->mxcsr : MXCSR_DEFAULT;
}

static void set_vectors(struct core *c, unsigned half, const u8 *from)
{
	for (unsigned n = 0; n < xsave_xmm_registers(c); n++) {
		if (from)
			memcpy(c->cpu.vector.ymm[n] + half, from + n * XSAVE_XMM_BYTES, XSAVE_XMM_BYTES);
		else
			memset(c->cpu.vector.ymm[n] + half, 0, XSAVE_XMM_BYTES);
	}
}

static void set_pkru(struct core *c, u32 pkru)
{
	if (c->cpu.pkru == pkru)
		return;
	c->cpu.pkru = pkru;
	tlb_flush_all(c); /* cached translations hold what the old keys allowed */
}

static void set_components(struct core *c, struct area *a, u64 requested, u64 present)
{
	u32 pkru = 0;

	if (requested & present & XCR0_X87)
		xsave_set_x87(c, area_legacy(a), a->wide);
	else if (requested & XCR0_X87)
		xsave_init_x87(c);
	if (requested & XCR0_SSE)
		set_vectors(c, 0, present & XCR0_SSE ? area_legacy(a)->xmm[0] : NULL);
	if (requested & XCR0_AVX)
		set_vectors(c, XSAVE_XMM_BYTES, present & XCR0_AVX ? a->image + area_offset(a, 2) : NULL);
	if (requested & XCR0_PKRU) {
		if (present & XCR0_PKRU)
			memcpy(&pkru, a->image + area_offset(a, 9), sizeof(pkru));
		set_pkru(c, pkru);
	}
}

static enum step restore(struct core *c, const struct op *op, enum xsave_form form)
{
	u64 requested = requested_components(c, form), present;
	struct xsave_header *header;
	struct area a;
	u32 mxcsr;

	if (!area_open(c, op, form, XSAVE_EXTENDED_OFFSET, ACCESS_READ, &a) ||
	    !read_part(c, op, &a, 0, XSAVE_EXTENDED_OFFSET))
		return STEP_FAULT;
	header = area_header(&a);
	if (!header_is_valid(c, header, form))
		return core_raise_gp(c, op, 0);
	a.compacted = header->xcomp_bv & XCOMP_BV_COMPACTED;
	a.held = header->xcomp_bv & ~XCOMP_BV_COMPACTED;
	present = requested & header->xstate_bv;
	if (!a.compacted && !area_probe(c, op, &a, xsave_area_bytes(requested, false), ACCESS_READ))
		return STEP_FAULT;
	if (!read_components(c, op, &a, present))
		return STEP_FAULT;
	mxcsr = restored_mxcsr(c, &a, requested, present);
	if (mxcsr & ~simd_mxcsr_mask(c))
		return core_raise_gp(c, op, 0);
	x87_spill(c);
	simd_mxcsr_write(c, mxcsr);
	set_components(c, &a, requested, present);
	x87_mode_changed(c);
	EXEC_NEXT(c, op);
}

enum step exec_xrstor(struct core *c, const struct op *op)
{
	return restore(c, op, 0);
}

enum step exec_xrstors(struct core *c, const struct op *op)
{
	return restore(c, op, XSAVE_SUPERVISOR);
}

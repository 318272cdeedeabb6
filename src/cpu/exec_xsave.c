/*
 * FXSAVE, FXRSTOR, LDMXCSR, STMXCSR; the XSAVE family is in exec_xsave_area.c.
 *
 * What is saved is made up in a local image, and what is restored is read and checked whole before the
 * processor's state changes, so that a fault leaves everything as it was.
 */
#include "cpu/exec_xsave.h"

#include "cpu/access.h"
#include "cpu/simd.h"

#define FXSAVE_ALIGN 16u

bool xsave_alignment_ok(struct core *c, const struct op *op, struct load address, unsigned power_of_two)
{
	if (address.ok && address.value & (power_of_two - 1)) {
		(void)core_raise_gp(c, op, 0);
		address.ok = false;
	}
	return address.ok;
}

unsigned xsave_xmm_registers(const struct core *c)
{
	return cpu_in_64bit_mode(&c->cpu) ? 16 : 8;
}

/* ---- FXSAVE and FXRSTOR ---- */

/*
 * How much of the area they transfer: the XMM registers only if CR4.OSFXSR says so and EFER.FFXSR does not leave
 * them out.
 */
static unsigned fxsave_bytes(const struct core *c)
{
	bool fast = (c->cpu.efer & EFER_FFXSR) && cpu_in_64bit_mode(&c->cpu) && cpu_cpl(&c->cpu) == 0;

	if (!(c->cpu.cr4 & CR4_OSFXSR) || fast)
		return offsetof(struct xsave_legacy, xmm);
	return (unsigned)offsetof(struct xsave_legacy, xmm) + xsave_xmm_registers(c) * XSAVE_XMM_BYTES;
}

static struct load fxsave_address(struct core *c, const struct op *op, enum access access)
{
	enum segment seg = (enum segment)op->insn.seg;
	unsigned bytes = sizeof(struct xsave_legacy);
	struct load address = { 0, false };

	if (c->cpu.cr0 & (CR0_EM | CR0_TS)) {
		(void)core_raise(c, op, VECTOR_NM);
		return address;
	}
	address = op_linear(c, op, bytes, access);
	/* The whole area must be accessible, though its end is never used. */
	address.ok = xsave_alignment_ok(c, op, address, FXSAVE_ALIGN) &&
		     linear_probe(c, op, seg, address.value, bytes, access);
	return address;
}

static enum step exec_fxsave(struct core *c, const struct op *op)
{
	struct load address = fxsave_address(c, op, ACCESS_WRITE);
	unsigned bytes = fxsave_bytes(c);
	struct xsave_legacy area;

	if (!address.ok)
		return STEP_FAULT;
	x87_spill(c);
	xsave_get_x87(c, &area, op->insn.opsize == sizeof(u64));
	area.mxcsr = simd_mxcsr_read(c);
	area.mxcsr_mask = simd_mxcsr_mask(c);
	for (unsigned n = 0; n < ARRAY_LENGTH(area.xmm); n++)
		memcpy(area.xmm[n], c->cpu.vector.ymm[n], XSAVE_XMM_BYTES);
	if (!linear_write(c, op, (enum segment)op->insn.seg, address.value, &area, bytes))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step exec_fxrstor(struct core *c, const struct op *op)
{
	struct load address = fxsave_address(c, op, ACCESS_READ);
	unsigned bytes = fxsave_bytes(c), registers;
	struct xsave_legacy area;

	if (!address.ok || !linear_read(c, op, (enum segment)op->insn.seg, address.value, &area, bytes))
		return STEP_FAULT;
	if (c->cpu.cr4 & CR4_OSFXSR) {
		if (area.mxcsr & ~simd_mxcsr_mask(c))
			return core_raise_gp(c, op, 0);
		simd_mxcsr_write(c, area.mxcsr);
	}
	x87_spill(c);
	xsave_set_x87(c, &area, op->insn.opsize == sizeof(u64));
	x87_mode_changed(c);
	registers = (bytes - (unsigned)offsetof(struct xsave_legacy, xmm)) / XSAVE_XMM_BYTES;
	for (unsigned n = 0; n < registers; n++)
		memcpy(c->cpu.vector.ymm[n], area.xmm[n], XSAVE_XMM_BYTES);
	EXEC_NEXT(c, op);
}

/* ---- MXCSR ---- */

static enum step exec_ldmxcsr(struct core *c, const struct op *op)
{
	struct load value;

	if (!simd_permitted(c, op, simd_classes(&op->insn) & SIMD_AVX ? SIMD_AVX : SIMD_SSE))
		return STEP_FAULT;
	value = op_load(c, op, 4);
	if (!value.ok)
		return STEP_FAULT;
	if (value.value & ~(u64)simd_mxcsr_mask(c))
		return core_raise_gp(c, op, 0);
	simd_mxcsr_write(c, (u32)value.value);
	EXEC_NEXT(c, op);
}

static enum step exec_stmxcsr(struct core *c, const struct op *op)
{
	if (!simd_permitted(c, op, simd_classes(&op->insn) & SIMD_AVX ? SIMD_AVX : SIMD_SSE))
		return STEP_FAULT;
	if (!op_store(c, op, 4, simd_mxcsr_read(c)))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

exec_fn *exec_select_xsave(const struct core *c, struct op *op)
{
	(void)c;
	switch (op->insn.op) {
	case INSN_FXSAVE: return exec_fxsave;
	case INSN_FXRSTOR: return exec_fxrstor;
	case INSN_LDMXCSR:
	case INSN_VLDMXCSR: return exec_ldmxcsr;
	case INSN_STMXCSR:
	case INSN_VSTMXCSR: return exec_stmxcsr;
	case INSN_XSAVE: return exec_xsave;
	case INSN_XSAVEOPT: return exec_xsaveopt;
	case INSN_XSAVEC: return exec_xsavec;
	case INSN_XSAVES: return exec_xsaves;
	case INSN_XRSTOR: return exec_xrstor;
	case INSN_XRSTORS: return exec_xrstors;
	default: return NULL;
	}
}

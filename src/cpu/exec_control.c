/*
 * MOV to and from control and debug registers, CLTS, TLB invalidation, XCR0 and PKRU.
 *
 * Here are the checks that belong to the instructions: privilege, which registers exist, aliases. What a register
 * accepts is in control.c.
 */
#include "base/string.h"
#include "base/trace.h"
#include "cpu/access.h"
#include "cpu/control.h"
#include "cpu/exec_sys.h"
#include "cpu/tlb.h"
#include "cpu/x87.h"
#include "cpu/xsave.h"

/* The general register of a MOV to or from CR or DR is as wide as the mode, whatever the prefixes. */
static unsigned move_size(const struct op *op)
{
	return op->insn.mode == INSN_MODE_64 ? 8 : 4;
}

/* ---- control registers ---- */

static bool cr_exists(const struct core *c, const struct op *op, unsigned index)
{
	if (index == 8)
		return op->insn.mode == INSN_MODE_64 || feature_has(&c->features, FEAT_CR8_LEGACY);
	return index == 0 || (index >= 2 && index <= 4);
}

enum step exec_mov_from_cr(struct core *c, const struct op *op)
{
	unsigned index = op->insn.operand[1].reg;
	u64 value;

	if (!cr_exists(c, op, index))
		return core_raise_ud(c, op);
	if (!privileged(c, op))
		return STEP_FAULT;
	c->op = op;
	switch (index) {
	case 0: value = c->cpu.cr0; break;
	case 2: value = c->cpu.cr2; break;
	case 3: value = c->cpu.cr3; break;
	case 4: value = c->cpu.cr4; break;
	default: value = control_read_cr8(c);
	}
	gpr_write(c, op->dst, move_size(op), value);
	EXEC_NEXT(c, op);
}

static bool write_cr(struct core *c, const struct op *op, unsigned index, u64 value)
{
	switch (index) {
	case 0: return control_write_cr0(c, op, value);
	case 2: c->cpu.cr2 = value; return true;
	case 3: return control_write_cr3(c, op, value);
	case 4: return control_write_cr4(c, op, value);
	default: return control_write_cr8(c, op, value);
	}
}

enum step exec_mov_to_cr(struct core *c, const struct op *op)
{
	unsigned index = op->insn.operand[0].reg;

	if (!cr_exists(c, op, index))
		return core_raise_ud(c, op);
	if (!privileged(c, op))
		return STEP_FAULT;
	c->op = op;
	if (!write_cr(c, op, index, gpr_read(c, op->src, move_size(op))))
		return STEP_FAULT;
	TRACE(c->trace, CR, c->processor, index, gpr_read(c, op->src, move_size(op)), op_rip(c, op));
	return exec_break(c, op);
}

enum step exec_clts(struct core *c, const struct op *op)
{
	if (!privileged(c, op))
		return STEP_FAULT;
	c->cpu.cr0 &= ~CR0_TS;
	core_mode_changed(c);
	return exec_break(c, op);
}

/* ---- debug registers ---- */

/* The register meant by DR0-DR7 after aliasing ("Debug Registers DR4 and DR5"); false: an exception was raised. */
static bool dr_accessible(struct core *c, const struct op *op, unsigned *index)
{
	if (*index > 7 || ((*index == 4 || *index == 5) && c->cpu.cr4 & CR4_DE)) {
		(void)core_raise_ud(c, op);
		return false;
	}
	if (*index == 4 || *index == 5)
		*index += 2;
	if (!privileged(c, op))
		return false;
	if (c->cpu.dr7 & DR7_GD) {
		(void)core_raise(c, op, VECTOR_DB);
		c->cpu.event.payload = DR6_BD;
		return false;
	}
	return true;
}

enum step exec_mov_from_dr(struct core *c, const struct op *op)
{
	unsigned index = op->insn.operand[1].reg;

	if (!dr_accessible(c, op, &index))
		return STEP_FAULT;
	gpr_write(c, op->dst, move_size(op), control_read_dr(c, index));
	EXEC_NEXT(c, op);
}

enum step exec_mov_to_dr(struct core *c, const struct op *op)
{
	unsigned index = op->insn.operand[0].reg;

	if (!dr_accessible(c, op, &index))
		return STEP_FAULT;
	if (!control_write_dr(c, op, index, gpr_read(c, op->src, move_size(op))))
		return STEP_FAULT;
	return exec_break(c, op);
}

/* ---- TLB invalidation ---- */

/* INVLPG checks neither limits nor canonicality, so this is no ordinary operand address. */
static gva_t invlpg_address(const struct core *c, const struct op *op)
{
	enum segment seg = (enum segment)op->insn.seg;

	if (op->insn.mode == INSN_MODE_64)
		return op_offset(c, op) + (seg == SEG_FS || seg == SEG_GS ? c->cpu.segment[seg].base : 0);
	return (u32)(op_offset(c, op) + c->cpu.segment[seg].base);
}

enum step exec_invlpg(struct core *c, const struct op *op)
{
	if (!privileged(c, op))
		return STEP_FAULT;
	tlb_flush_page(c, invlpg_address(c, op));
	return exec_break(c, op); /* the next instruction may have lost its translation */
}

enum invpcid_type { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL, INVPCID_TYPES };

struct invpcid_descriptor {
	u64 pcid, address;
};

static bool invpcid_valid(const struct core *c, u64 type, const struct invpcid_descriptor *d)
{
	if (type >= INVPCID_TYPES || d->pcid & ~CR3_PCID)
		return false;
	if (type <= INVPCID_CONTEXT && d->pcid && !(c->cpu.cr4 & CR4_PCIDE))
		return false;
	return type != INVPCID_ADDRESS || control_is_canonical_base(c, d->address);
}

static void invpcid(struct core *c, enum invpcid_type type, const struct invpcid_descriptor *d)
{
	if (type == INVPCID_ADDRESS)
		tlb_flush_page(c, d->address);
	else if (type == INVPCID_CONTEXT)
		tlb_flush_pcid(c, (u16)d->pcid);
	else
		tlb_flush_all(c);
}

enum step exec_invpcid(struct core *c, const struct op *op)
{
	struct invpcid_descriptor d;
	u64 type;

	if (!privileged(c, op))
		return STEP_FAULT;
	type = gpr_read(c, op->dst, move_size(op));
	if (!op_read(c, op, &d, sizeof(d)))
		return STEP_FAULT;
	if (!invpcid_valid(c, type, &d))
		return core_raise_gp(c, op, 0);
	invpcid(c, (enum invpcid_type)type, &d);
	return exec_break(c, op);
}

/* ---- XCR0 and PKRU ---- */

#define XCR_XFEATURE_ENABLED 0
#define XCR_IN_USE 1

enum step exec_xgetbv(struct core *c, const struct op *op)
{
	u32 index = (u32)c->cpu.gpr[GPR_RCX];
	u64 value;

	if (!(c->cpu.cr4 & CR4_OSXSAVE))
		return core_raise_ud(c, op);
	if (index != XCR_XFEATURE_ENABLED && !(index == XCR_IN_USE && feature_has(&c->features, FEAT_XGETBV1)))
		return core_raise_gp(c, op, 0);
	x87_spill(c);
	value = index == XCR_IN_USE ? c->cpu.xcr0 & xsave_in_use(c) : c->cpu.xcr0;
	c->cpu.gpr[GPR_RAX] = (u32)value;
	c->cpu.gpr[GPR_RDX] = value >> 32;
	EXEC_NEXT(c, op);
}

enum step exec_xsetbv(struct core *c, const struct op *op)
{
	u64 value = c->cpu.gpr[GPR_RDX] << 32 | (u32)c->cpu.gpr[GPR_RAX];

	if (!(c->cpu.cr4 & CR4_OSXSAVE))
		return core_raise_ud(c, op);
	if (!privileged(c, op))
		return STEP_FAULT;
	if ((u32)c->cpu.gpr[GPR_RCX] != XCR_XFEATURE_ENABLED)
		return core_raise_gp(c, op, 0);
	if (!control_write_xcr0(c, op, value))
		return STEP_FAULT;
	return exec_break(c, op);
}

enum step exec_rdpkru(struct core *c, const struct op *op)
{
	if (!(c->cpu.cr4 & CR4_PKE))
		return core_raise_ud(c, op);
	if ((u32)c->cpu.gpr[GPR_RCX])
		return core_raise_gp(c, op, 0);
	c->cpu.gpr[GPR_RAX] = c->cpu.pkru;
	c->cpu.gpr[GPR_RDX] = 0;
	EXEC_NEXT(c, op);
}

enum step exec_wrpkru(struct core *c, const struct op *op)
{
	if (!(c->cpu.cr4 & CR4_PKE))
		return core_raise_ud(c, op);
	if ((u32)c->cpu.gpr[GPR_RCX] || (u32)c->cpu.gpr[GPR_RDX])
		return core_raise_gp(c, op, 0);
	if (c->cpu.pkru != (u32)c->cpu.gpr[GPR_RAX]) {
		c->cpu.pkru = (u32)c->cpu.gpr[GPR_RAX];
		tlb_flush_all(c); /* cached translations hold what the old keys allowed */
	}
	EXEC_NEXT(c, op);
}

/*
 * IN and OUT, and the permission that all port instructions need.
 *
 * A port access may change anything (an interrupt line, another processor, a reset), so c->op is set before it for
 * whoever asks for the time or the instruction count, and the block ends after it.
 */
#include "cpu/access.h"
#include "cpu/debug.h"
#include "cpu/exec.h"
#include "cpu/io.h"

/* ---- permission ("I/O Permission Bit Map") ---- */

#define TSS32_MAP_BASE 0x66 /* offset of the 16-bit bitmap base in a 32-bit or 64-bit TSS */
#define TSS32_MIN_LIMIT 103

static bool refuse(struct core *c, const struct op *op)
{
	(void)core_raise_gp(c, op, 0);
	return false;
}

static bool tss_has_map(const struct cpu_segment *tr)
{
	u32 type = tr->attributes & SEGMENT_TYPE;

	return !(tr->attributes & SEGMENT_UNUSABLE) && tr->limit >= TSS32_MIN_LIMIT &&
	       (type == DESCRIPTOR_TSS32_AVAILABLE || type == DESCRIPTOR_TSS32_BUSY);
}

/* The processor reads two bytes of the map, so that an access across a byte's end needs no second look. */
static bool bitmap_permits(struct core *c, const struct op *op, u16 port, unsigned size)
{
	const struct cpu_segment *tr = &c->cpu.segment[SEG_TR];
	struct load base, map;
	u32 at;

	if (!tss_has_map(tr))
		return refuse(c, op);
	base = system_load(c, op, tr->base + TSS32_MAP_BASE, 2);
	if (!base.ok)
		return false;
	at = (u32)base.value + port / 8u;
	if (at + 1 > tr->limit)
		return refuse(c, op);
	map = system_load(c, op, tr->base + at, 2);
	if (!map.ok)
		return false;
	return map.value >> port % 8u & (BIT(size) - 1) ? refuse(c, op) : true;
}

bool io_permitted(struct core *c, const struct op *op, u16 port, unsigned size)
{
	bool by_iopl = cpu_cpl(&c->cpu) <= bits_extract(c->cpu.rflags, 13, 12) && !cpu_in_v86_mode(&c->cpu);

	if (!cpu_in_real_mode(&c->cpu) && !by_iopl && !bitmap_permits(c, op, port, size))
		return false;
	if (unlikely(c->cpu.dr7 & DR7_ENABLE))
		debug_note_port(c, port, size);
	return true;
}

u32 io_read(struct core *c, const struct op *op, u16 port, unsigned size)
{
	c->op = op;
	return c->environment->port_read(c->machine, c->processor, port, size);
}

void io_write(struct core *c, const struct op *op, u16 port, unsigned size, u32 value)
{
	c->op = op;
	c->environment->port_write(c->machine, c->processor, port, size, value);
}

/* ---- instructions ---- */

static u16 port_operand(const struct core *c, const struct op *op, unsigned n)
{
	return op->insn.operand[n].kind == OPERAND_IMM ? (u8)op->insn.imm : (u16)c->cpu.gpr[GPR_RDX];
}

static enum step exec_in(struct core *c, const struct op *op)
{
	unsigned size = op->insn.operand[0].size;
	u16 port = port_operand(c, op, 1);

	if (!io_permitted(c, op, port, size))
		return STEP_FAULT;
	gpr_write(c, op->dst, size, io_read(c, op, port, size));
	return exec_break(c, op);
}

static enum step exec_out(struct core *c, const struct op *op)
{
	unsigned size = op->insn.operand[1].size;
	u16 port = port_operand(c, op, 0);

	if (!io_permitted(c, op, port, size))
		return STEP_FAULT;
	io_write(c, op, port, size, (u32)gpr_read(c, op->src, size));
	return exec_break(c, op);
}

exec_fn *exec_select_io(const struct core *c, struct op *op)
{
	(void)c;
	return op->insn.op == INSN_IN ? exec_in : exec_out;
}

/*
 * Vector instructions that touch memory element by element, where a mask says so: MASKMOV, VMASKMOV, VPMASKMOV,
 * gathers.
 *
 * The host's own cannot be used, because elements may lie in several pages and those that are masked off must not
 * be touched. A masked load or store checks everything before it changes anything; a gather keeps what it has
 * gathered when an element faults, and goes on there when it is executed again.
 */
#include "cpu/exec_simd.h"

#include "cpu/access.h"
#include "cpu/simd.h"

#define VECTOR_BYTES sizeof(((struct cpu_vector *)0)->ymm[0])
#define ELEMENT_SIGN 0x80 /* of an element's last byte */

static u8 *operand_vector(struct core *c, const struct insn_operand *operand)
{
	return operand->kind == OPERAND_MMX ? c->cpu.x87.st[operand->reg % 8] : c->cpu.vector.ymm[operand->reg];
}

static bool element_selected(const u8 *mask, unsigned n, unsigned size)
{
	return mask[n * size + size - 1] & ELEMENT_SIGN;
}

/* The linear address of an element at that offset, before the address size is applied. */
static struct load element_linear(struct core *c, const struct op *op, u64 offset, unsigned size, enum access access)
{
	const struct insn *i = &op->insn;

	if (op->address <= ADDRESS_INDEXED)
		return (struct load){ offset, true };
	if (op->address == ADDRESS_BASE)
		return (struct load){ offset + c->cpu.segment[i->seg].base, true };
	return segment_linear(c, op, (enum segment)i->seg, offset & byte_mask(i->addrsize), size, access);
}

/* size: 4 or 8 */
static bool element_load(struct core *c, const struct op *op, u64 offset, unsigned size, u8 *to)
{
	struct load address = element_linear(c, op, offset, size, ACCESS_READ), value;
	enum segment seg = (enum segment)op->insn.seg;

	if (!address.ok)
		return false;
	value = size == 4 ? linear_load(c, op, seg, address.value, 4) : linear_load(c, op, seg, address.value, 8);
	if (!value.ok)
		return false;
	memcpy(to, &value.value, size);
	return true;
}

/* Stores the selected elements, of `size` bytes (1, 4 or 8), at offset and following. */
static bool elements_store(struct core *c, const struct op *op, u64 offset, const u8 *data, const u8 *mask,
			   unsigned count, unsigned size)
{
	enum segment seg = (enum segment)op->insn.seg;
	gva_t address[VECTOR_BYTES];

	for (unsigned n = 0; n < count; n++) {
		struct load linear;

		if (!element_selected(mask, n, size))
			continue;
		linear = element_linear(c, op, offset + n * size, size, ACCESS_WRITE);
		if (!linear.ok || !linear_probe(c, op, seg, linear.value, size, ACCESS_WRITE))
			return false;
		address[n] = linear.value;
	}
	for (unsigned n = 0; n < count; n++) {
		u64 value = 0;

		if (!element_selected(mask, n, size))
			continue;
		memcpy(&value, data + n * size, size);
		if (!linear_store_slow(c, op, seg, address[n], size, value))
			return false;
	}
	return true;
}

/* ---- VMASKMOVPS, VMASKMOVPD, VPMASKMOVD, VPMASKMOVQ ---- */

static unsigned element_bytes(const struct insn *i)
{
	switch (i->op) {
	case INSN_VMASKMOVPD:
	case INSN_VPMASKMOVQ:
	case INSN_VGATHERDPD:
	case INSN_VGATHERQPD:
	case INSN_VPGATHERDQ:
	case INSN_VPGATHERQQ:
		return 8;
	default:
		return 4;
	}
}

static enum step exec_masked_load(struct core *c, const struct op *op)
{
	const struct insn *i = &op->insn;
	const u8 *mask = operand_vector(c, &i->operand[1]);
	unsigned size = element_bytes(i), count = i->vector_bytes / size;
	u8 result[VECTOR_BYTES] = { 0 };

	if (!simd_permitted(c, op, SIMD_AVX))
		return STEP_FAULT;
	for (unsigned n = 0; n < count; n++)
		if (element_selected(mask, n, size) &&
		    !element_load(c, op, op_offset_raw(c, op) + n * size, size, result + n * size))
			return STEP_FAULT;
	memcpy(operand_vector(c, &i->operand[0]), result, sizeof(result));
	EXEC_NEXT(c, op);
}

static enum step exec_masked_store(struct core *c, const struct op *op)
{
	const struct insn *i = &op->insn;
	unsigned size = element_bytes(i);

	if (!simd_permitted(c, op, SIMD_AVX) ||
	    !elements_store(c, op, op_offset_raw(c, op), operand_vector(c, &i->operand[2]),
			    operand_vector(c, &i->operand[1]), i->vector_bytes / size, size))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* ---- MASKMOVQ, MASKMOVDQU: bytes, to seg:rDI ---- */

static enum step exec_maskmov(struct core *c, const struct op *op)
{
	const struct insn *i = &op->insn;
	const u8 *data = operand_vector(c, &i->operand[0]), *mask = operand_vector(c, &i->operand[1]);
	unsigned bytes = i->operand[0].size;
	struct load address;

	if (!simd_permitted(c, op, simd_classes(i)))
		return STEP_FAULT;
	if (simd_uses_mmx(i))
		simd_mmx_transition(c); /* here it comes before the memory's faults */
	/* Whether bytes that are masked off can fault is the processor's choice; they do on many. */
	address = element_linear(c, op, c->cpu.gpr[GPR_RDI], bytes, ACCESS_WRITE);
	if (!address.ok || !linear_probe(c, op, (enum segment)i->seg, address.value, bytes, ACCESS_WRITE) ||
	    !elements_store(c, op, c->cpu.gpr[GPR_RDI], data, mask, bytes, 1))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* ---- gathers ---- */

static bool gather_index_is_quad(const struct insn *i)
{
	switch (i->op) {
	case INSN_VGATHERQPS:
	case INSN_VGATHERQPD:
	case INSN_VPGATHERQD:
	case INSN_VPGATHERQQ:
		return true;
	default:
		return false;
	}
}

static u64 gather_offset(const struct core *c, const struct insn *i, unsigned n)
{
	unsigned size = gather_index_is_quad(i) ? 8 : 4;
	u64 index = 0;

	memcpy(&index, c->cpu.vector.ymm[i->index] + n * size, size);
	return c->cpu.gpr[i->base] + (sign_extend(index, size) << i->scale) + (u64)i->disp;
}

static enum step exec_gather(struct core *c, const struct op *op)
{
	const struct insn *i = &op->insn;
	u8 *result = operand_vector(c, &i->operand[0]), *mask = operand_vector(c, &i->operand[2]);
	unsigned size = element_bytes(i), count = i->vector_bytes / (gather_index_is_quad(i) ? 8 : size);

	if (!simd_permitted(c, op, SIMD_AVX))
		return STEP_FAULT;
	for (unsigned n = 0; n < count; n++) {
		if (element_selected(mask, n, size) &&
		    !element_load(c, op, gather_offset(c, i, n), size, result + n * size))
			return STEP_FAULT;
		memset(mask + n * size, 0, size);
	}
	memset(result + count * size, 0, VECTOR_BYTES - count * size);
	memset(mask, 0, VECTOR_BYTES);
	EXEC_NEXT(c, op);
}

exec_fn *simd_select_masked(const struct insn *i)
{
	bool store = i->operand[0].kind == OPERAND_MEM;

	switch (i->op) {
	case INSN_MASKMOVQ:
	case INSN_MASKMOVDQU:
	case INSN_VMASKMOVDQU:
		return exec_maskmov;
	case INSN_VMASKMOVPS:
	case INSN_VMASKMOVPD:
	case INSN_VPMASKMOVD:
	case INSN_VPMASKMOVQ:
		return store ? exec_masked_store : exec_masked_load;
	case INSN_VGATHERDPS:
	case INSN_VGATHERDPD:
	case INSN_VGATHERQPS:
	case INSN_VGATHERQPD:
	case INSN_VPGATHERDD:
	case INSN_VPGATHERDQ:
	case INSN_VPGATHERQD:
	case INSN_VPGATHERQQ:
		return exec_gather;
	default:
		return NULL;
	}
}

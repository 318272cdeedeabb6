/*
 * Vector instructions: the selector, the memory operand, and what keeps an instruction from running.
 *
 * The handler of nearly every instruction is a stub made for it (simd_stub.h). Here are the C functions that stubs
 * jump to, and the few instructions that need no stub.
 */
#include "cpu/exec_simd.h"

#include "cpu/forms.h"
#include "cpu/simd.h"
#include "cpu/simd_traits.h"
#include "cpu/x87.h"

#define SIMD_ALL (SIMD_MMX | SIMD_SSE | SIMD_AVX)
#define XMM_BYTES 16u
#define X87_ALL_EMPTY UINT8_MAX

/* ---- may it run? ---- */

/* The exception of a blocked class, #UD before #NM. */
static enum vector blocked_vector(const struct core *c, u8 blocked)
{
	const struct cpu *cpu = &c->cpu;

	if (blocked & SIMD_AVX) {
		if (!(cpu->cr4 & CR4_OSXSAVE) || (~cpu->xcr0 & (XCR0_SSE | XCR0_AVX)))
			return VECTOR_UD;
	} else if (cpu->cr0 & CR0_EM || (blocked & SIMD_SSE && !(cpu->cr4 & CR4_OSFXSR))) {
		return VECTOR_UD;
	}
	return VECTOR_NM;
}

static bool x87_exception_pending(const struct core *c)
{
	return c->cpu.x87.fsw & X87_FSW_ES;
}

bool simd_permitted(struct core *c, const struct op *op, u8 classes)
{
	u8 blocked;

	/* MMX registers are the x87's: they must be in cpu.x87, where stubs look for them. */
	if (classes & SIMD_MMX)
		x87_spill(c);
	blocked = c->simd_blocked & classes & SIMD_ALL;
	if (unlikely(blocked)) {
		(void)core_raise(c, op, blocked_vector(c, blocked));
		return false;
	}
	if (unlikely(simd_uses_mmx(&op->insn) && x87_exception_pending(c))) {
		(void)core_raise(c, op, VECTOR_MF);
		return false;
	}
	return true;
}

/* Where a stub goes when it may not just run. */
static enum step simd_refuse(struct core *c, const struct op *op, simd_body_fn *body)
{
	if (!simd_permitted(c, op, simd_classes(&op->insn)))
		return STEP_FAULT;
	if (!(c->simd_blocked & SIMD_FLOAT & simd_classes(&op->insn)))
		return op->fn(c, op); /* only the x87 registers stood in the way */
	return simd_execute_unmasked(c, op, body);
}

/* ---- the memory operand ---- */

/* AMD's MXCSR.MM lets arithmetic read unaligned operands; aligned moves never. */
static bool misalignment_allowed(const struct core *c, const struct op *op)
{
	return (c->cpu.vector.mxcsr & MXCSR_MISALIGNED_MASK) && !(op->insn.prefixes & INSN_VEX) &&
	       !(simd_traits((enum insn_op)op->insn.op) & SIMD_TRAIT_ALIGNED);
}

static struct load operand_address(struct core *c, const struct op *op, enum access access)
{
	struct load address = op_linear(c, op, SIMD_OPERAND_BYTES(op), access);

	if (address.ok && (address.value & SIMD_ALIGN_MASK(op)) && !misalignment_allowed(c, op)) {
		(void)core_raise_gp(c, op, 0);
		address.ok = false;
	}
	return address;
}

bool simd_fetch_operand(struct core *c, const struct op *op)
{
	struct load address = operand_address(c, op, ACCESS_READ), value;
	enum segment seg = (enum segment)op->insn.seg;

	if (!address.ok)
		return false;
	if (SIMD_OPERAND_BYTES(op) > sizeof(value.value))
		return linear_read(c, op, seg, address.value, c->scratch, SIMD_OPERAND_BYTES(op));
	value = linear_load_slow(c, op, seg, address.value, SIMD_OPERAND_BYTES(op));
	memcpy(c->scratch, &value.value, sizeof(value.value));
	return value.ok;
}

struct load simd_probe_operand(struct core *c, const struct op *op)
{
	struct load address = operand_address(c, op, ACCESS_WRITE);
	enum segment seg = (enum segment)op->insn.seg;

	if (address.ok)
		address.ok = linear_probe(c, op, seg, address.value, SIMD_OPERAND_BYTES(op), ACCESS_WRITE);
	return address;
}

bool simd_store_operand(struct core *c, const struct op *op, gva_t address)
{
	enum segment seg = (enum segment)op->insn.seg;
	u64 value;

	if (SIMD_OPERAND_BYTES(op) > sizeof(value))
		return linear_write(c, op, seg, address, c->scratch, SIMD_OPERAND_BYTES(op));
	memcpy(&value, c->scratch, sizeof(value));
	return linear_store_slow(c, op, seg, address, SIMD_OPERAND_BYTES(op), value);
}

/* Where a body that is run on its own goes on: back. */
static enum step exec_return(struct core *c, const struct op *op)
{
	(void)c;
	(void)op;
	return STEP_NEXT;
}

void simd_run_body(struct core *c, simd_body_fn *body)
{
	static const struct op back[2] = { [1] = { .fn = exec_return } };

	(void)!body(c, back, c->scratch);
}

static NOINLINE enum step simd_load_careful(struct core *c, const struct op *op, simd_body_fn *body)
{
	if (!simd_fetch_operand(c, op))
		return STEP_FAULT;
	return body(c, op, c->scratch);
}

static NOINLINE enum step simd_store_careful(struct core *c, const struct op *op, simd_body_fn *body)
{
	struct load address = simd_probe_operand(c, op);

	if (!address.ok)
		return STEP_FAULT;
	simd_run_body(c, body);
	if (!simd_store_operand(c, op, address.value))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

static enum step simd_load(struct core *c, const struct op *op, simd_body_fn *body)
{
	void *host;

	if (unlikely(!op_hit_read(c, op, SIMD_OPERAND_BYTES(op), &host) || ((u64)host & SIMD_ALIGN_MASK(op))))
		return simd_load_careful(c, op, body);
	return body(c, op, host);
}

static enum step simd_store(struct core *c, const struct op *op, simd_body_fn *body)
{
	void *host;

	if (unlikely(!op_hit_write(c, op, SIMD_OPERAND_BYTES(op), &host) || ((u64)host & SIMD_ALIGN_MASK(op))))
		return simd_store_careful(c, op, body);
	return body(c, op, host);
}

/* ---- instructions without a stub ---- */

static enum step exec_emms(struct core *c, const struct op *op)
{
	if (!simd_permitted(c, op, SIMD_MMX))
		return STEP_FAULT;
	if (x87_exception_pending(c))
		return core_raise(c, op, VECTOR_MF);
	c->cpu.x87.empty = X87_ALL_EMPTY;
	c->cpu.x87.fsw &= (u16)~X87_FSW_TOP;
	EXEC_NEXT(c, op);
}

/* Outside 64-bit mode they reach only the registers that can be named there. */
static unsigned vector_registers(const struct op *op)
{
	return op->insn.mode == INSN_MODE_64 ? 16 : 8;
}

static enum step exec_vzeroupper(struct core *c, const struct op *op)
{
	if (!simd_permitted(c, op, SIMD_AVX))
		return STEP_FAULT;
	for (unsigned n = 0; n < vector_registers(op); n++)
		memset(c->cpu.vector.ymm[n] + XMM_BYTES, 0, XMM_BYTES);
	EXEC_NEXT(c, op);
}

static enum step exec_vzeroall(struct core *c, const struct op *op)
{
	if (!simd_permitted(c, op, SIMD_AVX))
		return STEP_FAULT;
	memset(c->cpu.vector.ymm, 0, vector_registers(op) * sizeof(c->cpu.vector.ymm[0]));
	EXEC_NEXT(c, op);
}

/* There is no room for a stub: all of them go, and the block is made again. */
enum step simd_exec_full(struct core *c, const struct op *op)
{
	c->op = op;
	c->cpu.rip = op_rip(c, op);
	simd_flush(c);
	return STEP_RETRY;
}

/* ---- selection ---- */

static u8 align_mask(const struct core *c, const struct insn *i, unsigned bytes)
{
	u16 traits = simd_traits((enum insn_op)i->op);

	if (traits & SIMD_TRAIT_ALIGNED)
		return (u8)(bytes - 1);
	if ((i->prefixes & INSN_VEX) || (traits & SIMD_TRAIT_UNALIGNED) || bytes < XMM_BYTES ||
	    (c->amd && (traits & SIMD_TRAIT_UNALIGNED_AMD)))
		return 0;
	return XMM_BYTES - 1;
}

static exec_fn *select_plain(const struct insn *i)
{
	switch (i->op) {
	case INSN_EMMS:
		return exec_emms;
	case INSN_VZEROUPPER:
		return exec_vzeroupper;
	case INSN_VZEROALL:
		return exec_vzeroall;
	default:
		return simd_select_masked(i);
	}
}

exec_fn *exec_select_simd(const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	bool store = i->operand[0].kind == OPERAND_MEM;
	struct simd_code code;
	exec_fn *plain;
	void *stub;

	for (unsigned n = 0; n < i->operands; n++) {
		if (i->operand[n].kind == OPERAND_MEM) {
			op->dst = i->operand[n].size;
			op->src = align_mask(c, i, op->dst);
		}
	}
	plain = select_plain(i);
	if (plain)
		return plain;
	simd_stub_make(i, store ? simd_store : simd_load, simd_refuse, &code);
	stub = simd_stub_place(c, code.byte, code.bytes);
	return stub ? (exec_fn *)stub : simd_exec_full;
}

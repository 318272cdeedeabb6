/*
 * The stack: PUSH, POP, all registers at once, flags, ENTER and LEAVE.
 *
 * 64-bit pushes and pops are most of what a long-mode program does here and have handlers of their own; the others go
 * through stack_push() and stack_pop(), which know about 16-bit and 32-bit stacks and their limits. A fault leaves
 * RSP alone.
 */
#include "cpu/exec.h"
#include "cpu/flags.h"
#include "cpu/forms.h"
#include "cpu/frame.h"

#define RSP(c) ((c)->cpu.gpr[GPR_RSP])

/* ---- PUSH ---- */

#define PUSH_64(name, value)                                                                                           \
	EXEC_DEFINE_CAREFUL(name)                                                                                      \
	{                                                                                                              \
		if (!linear_store_slow(c, op, SEG_SS, RSP(c) - 8, 8, value))                                           \
			return STEP_FAULT;                                                                             \
		RSP(c) -= 8;                                                                                           \
		EXEC_NEXT(c, op);                                                                                      \
	}                                                                                                              \
	EXEC_DEFINE(name)                                                                                              \
	{                                                                                                              \
		gva_t address = RSP(c) - 8;                                                                            \
		const struct tlb_entry *entry = tlb_slot(c, address);                                                  \
                                                                                                                       \
		if (unlikely(!tlb_hit(c, atomic_load_explicit(&entry->write, memory_order_relaxed), address, 8)))      \
			return exec_##name##_careful(c, op);                                                           \
		*(guest_u64 *)(address + entry->addend) = (value);                                                     \
		RSP(c) = address;                                                                                      \
		EXEC_NEXT(c, op);                                                                                      \
	}

PUSH_64(push_r_64, gpr_read(c, op->dst, 8))
PUSH_64(push_i_64, op->insn.imm)

/* The operand's value, read before RSP moves. */
static struct load push_operand(struct core *c, const struct op *op)
{
	switch (op->insn.operand[0].kind) {
	case OPERAND_IMM:
		return (struct load){ op->insn.imm, true };
	case OPERAND_MEM:
		switch (op->insn.opsize) {
		case 2: return op_load(c, op, 2);
		case 4: return op_load(c, op, 4);
		default: return op_load(c, op, 8);
		}
	default:
		return (struct load){ gpr_read(c, op->dst, 8), true };
	}
}

static enum step exec_push(struct core *c, const struct op *op)
{
	struct load value = push_operand(c, op);

	if (!value.ok || !stack_push(c, op, op->insn.opsize, value.value))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* ---- POP ---- */

EXEC_DEFINE_CAREFUL(pop_r_64)
{
	struct load value = linear_load_slow(c, op, SEG_SS, RSP(c), 8);

	if (!value.ok)
		return STEP_FAULT;
	RSP(c) += 8;
	gpr_write(c, op->dst, 8, value.value);
	EXEC_NEXT(c, op);
}

EXEC_DEFINE(pop_r_64)
{
	gva_t address = RSP(c);
	const struct tlb_entry *entry = tlb_slot(c, address);

	if (unlikely(!tlb_hit(c, atomic_load_explicit(&entry->read, memory_order_relaxed), address, 8)))
		return exec_pop_r_64_careful(c, op);
	RSP(c) = address + 8; /* before the register, which may be RSP */
	gpr_write(c, op->dst, 8, *(guest_u64 *)(address + entry->addend));
	EXEC_NEXT(c, op);
}

static void gpr_write_sized(struct core *c, u8 at, unsigned size, u64 value)
{
	switch (size) {
	case 2: gpr_write(c, at, 2, value); break;
	case 4: gpr_write(c, at, 4, value); break;
	default: gpr_write(c, at, 8, value);
	}
}

static bool op_store_sized(struct core *c, const struct op *op, unsigned size, u64 value)
{
	switch (size) {
	case 2: return op_store(c, op, 2, value);
	case 4: return op_store(c, op, 4, value);
	default: return op_store(c, op, 8, value);
	}
}

/* A memory destination's address is computed after RSP has moved. */
static enum step exec_pop(struct core *c, const struct op *op)
{
	u64 rsp = RSP(c);
	unsigned size = op->insn.opsize;
	struct load value = stack_pop(c, op, size);

	if (!value.ok)
		return STEP_FAULT;
	if (op->insn.operand[0].kind != OPERAND_MEM) {
		gpr_write_sized(c, op->dst, size, value.value);
	} else if (!op_store_sized(c, op, size, value.value)) {
		RSP(c) = rsp;
		return STEP_FAULT;
	}
	EXEC_NEXT(c, op);
}

/* ---- stack memory beside the top, for what moves several values or none ---- */

/* The linear address of the stack's `size` bytes at rsp. */
static struct load stack_linear(struct core *c, const struct op *op, u64 rsp, unsigned size, enum access access)
{
	return segment_linear(c, op, SEG_SS, rsp & stack_mask(c), size, access);
}

static struct load stack_load_at(struct core *c, const struct op *op, u64 rsp, unsigned size)
{
	struct load address = stack_linear(c, op, rsp, size, ACCESS_READ);

	return address.ok ? linear_load_slow(c, op, SEG_SS, address.value, size) : address;
}

static bool stack_store_at(struct core *c, const struct op *op, u64 rsp, unsigned size, u64 value)
{
	struct load address = stack_linear(c, op, rsp, size, ACCESS_WRITE);

	return address.ok && linear_store_slow(c, op, SEG_SS, address.value, size, value);
}

static bool stack_probe_at(struct core *c, const struct op *op, u64 rsp, unsigned size)
{
	struct load address = stack_linear(c, op, rsp, size, ACCESS_WRITE);

	return address.ok && linear_probe(c, op, SEG_SS, address.value, size, ACCESS_WRITE);
}

/* ---- PUSHA and POPA: from RAX down to RDI, and the reverse; POPA skips RSP ---- */

/* If one of the eight faults, those before it are done and RSP has not moved: so do processors, and it starts again. */

static enum step exec_pusha(struct core *c, const struct op *op)
{
	unsigned size = op->insn.opsize;
	u64 rsp = RSP(c);

	for (unsigned n = 1; n <= 8; n++)
		if (!stack_store_at(c, op, rsp - n * size, size, c->cpu.gpr[n - 1]))
			return STEP_FAULT;
	stack_set_pointer(c, stack_mask(c), rsp - 8 * size);
	EXEC_NEXT(c, op);
}

static enum step exec_popa(struct core *c, const struct op *op)
{
	unsigned size = op->insn.opsize;
	u64 rsp = RSP(c);

	for (unsigned n = 0; n < 8; n++) {
		struct load value = stack_load_at(c, op, rsp + n * size, size);

		if (!value.ok)
			return STEP_FAULT;
		if (n != 7 - GPR_RSP)
			gpr_write_sized(c, (u8)((7 - n) * 8), size, value.value);
	}
	stack_set_pointer(c, stack_mask(c), rsp + 8 * size);
	EXEC_NEXT(c, op);
}

/* ---- ENTER and LEAVE ---- */

#define ENTER_LEVELS 32

/*
 * The frame: old rBP, for nested levels the outer frames' pointers and this one's, then room for variables. rBP is
 * used by the stack's size, values by the operand's.
 */
static enum step exec_enter(struct core *c, const struct op *op)
{
	unsigned size = op->insn.opsize, level = op->insn.imm2 % ENTER_LEVELS;
	u64 frame = RSP(c) - size, top = frame, rbp = c->cpu.gpr[GPR_RBP];

	if (!stack_store_at(c, op, frame, size, rbp))
		return STEP_FAULT;
	for (unsigned n = 1; n < level; n++) {
		struct load outer = stack_load_at(c, op, rbp - n * size, size);

		top -= size;
		if (!outer.ok || !stack_store_at(c, op, top, size, outer.value))
			return STEP_FAULT;
	}
	if (level) {
		top -= size;
		if (!stack_store_at(c, op, top, size, (frame & stack_mask(c)) | (RSP(c) & ~stack_mask(c))))
			return STEP_FAULT;
	}
	top -= (u16)op->insn.imm;
	if (!stack_probe_at(c, op, top, size))
		return STEP_FAULT;
	gpr_write_sized(c, GPR_RBP * 8, size, (frame & stack_mask(c)) | (RSP(c) & ~stack_mask(c)));
	stack_set_pointer(c, stack_mask(c), top);
	EXEC_NEXT(c, op);
}

static enum step exec_leave(struct core *c, const struct op *op)
{
	unsigned size = op->insn.opsize;
	u64 rbp = c->cpu.gpr[GPR_RBP];
	struct load value = stack_load_at(c, op, rbp, size);

	if (!value.ok)
		return STEP_FAULT;
	stack_set_pointer(c, stack_mask(c), rbp + size);
	gpr_write_sized(c, GPR_RBP * 8, size, value.value);
	EXEC_NEXT(c, op);
}

EXEC_DEFINE(leave_64)
{
	gva_t address = c->cpu.gpr[GPR_RBP];
	const struct tlb_entry *entry = tlb_slot(c, address);

	if (unlikely(!tlb_hit(c, atomic_load_explicit(&entry->read, memory_order_relaxed), address, 8)))
		return exec_leave(c, op);
	RSP(c) = address + 8;
	c->cpu.gpr[GPR_RBP] = *(guest_u64 *)(address + entry->addend);
	EXEC_NEXT(c, op);
}

/* ---- PUSHF ---- */

static unsigned iopl(const struct core *c)
{
	return bits_extract(c->cpu.rflags, RFLAGS_IOPL_SHIFT + 1, RFLAGS_IOPL_SHIFT);
}

/* Below IOPL 3, flags may not be pushed or popped ("Virtual-8086 Mode"), */
static bool v86_restricted(const struct core *c)
{
	return cpu_in_v86_mode(&c->cpu) && iopl(c) < 3;
}

/* but for 16 bits of them with CR4.VME. */
static bool v86_may_use_flags(const struct core *c, const struct op *op)
{
	return c->cpu.cr4 & CR4_VME && op->insn.opsize == 2;
}

static enum step exec_pushf(struct core *c, const struct op *op)
{
	u64 flags = cpu_rflags(&c->cpu) & ~(RFLAGS_VM | RFLAGS_RF);

	if (v86_restricted(c)) {
		if (!v86_may_use_flags(c, op))
			return core_raise_gp(c, op, 0);
		flags = (flags & ~RFLAGS_IF) | RFLAGS_IOPL | (flags & RFLAGS_VIF ? RFLAGS_IF : 0);
	}
	if (!stack_push(c, op, op->insn.opsize, flags))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* ---- POPF ---- */

/* What every program may change. */
#define POPF_ALWAYS (RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID)

/* The flags that POPF changes now, by privilege and operand size. */
static u64 popf_mask(const struct core *c, const struct op *op)
{
	unsigned cpl = cpu_cpl(&c->cpu);
	u64 mask = POPF_ALWAYS;

	if (cpl == 0)
		mask |= RFLAGS_IOPL;
	if (cpl <= iopl(c))
		mask |= RFLAGS_IF;
	return mask & byte_mask(op->insn.opsize);
}

/* Replaces the flags in mask and clears RF; then goes on, or stops the block if the processor's behaviour changed. */
static enum step flags_replace(struct core *c, const struct op *op, u64 flags, u64 mask)
{
	u64 old = cpu_rflags(&c->cpu), now = (old & ~(mask | RFLAGS_RF)) | (flags & mask);
	u64 changed = old ^ now;

	cpu_set_rflags(&c->cpu, now);
	if (!(changed & (RFLAGS_TF | RFLAGS_IF | RFLAGS_AC)))
		EXEC_NEXT(c, op);
	if (changed & (RFLAGS_TF | RFLAGS_AC))
		core_mode_changed(c);
	return exec_break(c, op);
}

/* With CR4.VME: IF stands for VIF; to set it while an interrupt is pending, or to set TF, is the monitor's business. */
static enum step popf_vme(struct core *c, const struct op *op)
{
	u64 rsp = RSP(c), mask = POPF_ALWAYS & byte_mask(2);
	struct load popped = stack_pop(c, op, 2);
	u64 flags = popped.value;

	if (!popped.ok)
		return STEP_FAULT;
	if (flags & RFLAGS_TF || (flags & RFLAGS_IF && c->cpu.rflags & RFLAGS_VIP)) {
		RSP(c) = rsp;
		return core_raise_gp(c, op, 0);
	}
	flags |= flags & RFLAGS_IF ? RFLAGS_VIF : 0;
	return flags_replace(c, op, flags, mask | RFLAGS_VIF);
}

static enum step exec_popf(struct core *c, const struct op *op)
{
	struct load flags;

	if (v86_restricted(c))
		return v86_may_use_flags(c, op) ? popf_vme(c, op) : core_raise_gp(c, op, 0);
	flags = stack_pop(c, op, op->insn.opsize);
	if (!flags.ok)
		return STEP_FAULT;
	return flags_replace(c, op, flags.value, popf_mask(c, op));
}

/* ---- selection ---- */

exec_fn *exec_select_stack(UNUSED const struct core *c, struct op *op)
{
	const struct insn *i = &op->insn;
	bool wide = i->opsize == 8;

	switch (i->op) {
	case INSN_PUSH:
		if (!wide || i->operand[0].kind == OPERAND_MEM)
			return exec_push;
		return i->operand[0].kind == OPERAND_IMM ? exec_push_i_64 : exec_push_r_64;
	case INSN_POP: return wide && i->operand[0].kind != OPERAND_MEM ? exec_pop_r_64 : exec_pop;
	case INSN_PUSHA: return exec_pusha;
	case INSN_POPA: return exec_popa;
	case INSN_PUSHF: return exec_pushf;
	case INSN_POPF: return exec_popf;
	case INSN_ENTER: return exec_enter;
	case INSN_LEAVE: return wide ? exec_leave_64 : exec_leave;
	default: return NULL;
	}
}

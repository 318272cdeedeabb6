/*
 * The run loop: blocks one after another, and between them whatever the processor does at an instruction boundary.
 *
 * The order at a boundary is the manual's ("Priority Among Concurrent Events"): traps of the last instruction, NMI,
 * external interrupts, breakpoints on the next. Faults and software interrupts come back from blocks as
 * a step and are delivered here, the one place.
 */
#include "base/assert.h"
#include "cpu/block.h"
#include "cpu/debug.h"
#include "cpu/simd.h"
#include "cpu/x87.h"

#define SHADOW (CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS)

u64 core_retired(const struct core *c)
{
	/* Another thread may ask for the approximate count while the core runs: op is read once. */
	const struct op *op = __atomic_load_n(&c->op, __ATOMIC_RELAXED);

	return c->cpu.retired + (op ? op->index : 0);
}

void core_attention(struct core *c)
{
	atomic_store(&c->attention, 1);
}

void core_nmi(struct core *c)
{
	unsigned limit = c->cpu.interruptibility & CPU_BLOCKED_BY_NMI ? 1 : 2;

	if (c->cpu.nmis_pending < limit)
		c->cpu.nmis_pending++;
	core_attention(c);
}

static void retire(struct core *c, unsigned instructions)
{
	c->cpu.retired += instructions;
	c->budget -= instructions;
}

static bool event_raise(struct core *c, enum cpu_event_type type, u8 vector, u64 payload)
{
	c->cpu.event = (struct cpu_event){ .valid = true, .vector = vector, .type = type, .payload = payload };
	c->cpu.activity = CPU_ACTIVE;
	core_deliver_event(c);
	c->budget--;
	return true;
}

static bool take_debug_trap(struct core *c)
{
	u64 hits = c->cpu.pending_debug;

	if (!hits || c->cpu.interruptibility & CPU_BLOCKED_BY_MOV_SS)
		return false;
	c->cpu.pending_debug = 0;
	return event_raise(c, EVENT_EXCEPTION, VECTOR_DB, hits);
}

static bool take_nmi(struct core *c)
{
	if (!c->cpu.nmis_pending || c->cpu.interruptibility & (CPU_BLOCKED_BY_NMI | SHADOW))
		return false;
	c->cpu.nmis_pending--;
	return event_raise(c, EVENT_NMI, VECTOR_NMI, 0);
}

static bool take_interrupt(struct core *c)
{
	int vector;

	if (!(c->cpu.rflags & RFLAGS_IF) || c->cpu.interruptibility & SHADOW)
		return false;
	if (c->environment->interrupt_pending(c->machine, c->processor) < 0)
		return false;
	vector = c->environment->interrupt_acknowledge(c->machine, c->processor);
	return vector >= 0 && event_raise(c, EVENT_EXTERNAL, (u8)vector, 0);
}

static bool take_event(struct core *c)
{
	if (c->cpu.activity == CPU_SHUTDOWN || c->cpu.activity == CPU_WAIT_FOR_SIPI)
		return false;
	return take_debug_trap(c) || take_nmi(c) || take_interrupt(c);
}

/* VIF and VIP both set: the program's virtual interrupts are on and one waits, which is for its monitor to know. */
static bool virtual_interrupt_due(const struct cpu *cpu)
{
	if (!(cpu->rflags & RFLAGS_VIP) || !(cpu->rflags & RFLAGS_VIF))
		return false;
	return cpu_in_v86_mode(cpu) ? cpu->cr4 & CR4_VME : cpu_cpl(cpu) == 3 && cpu->cr4 & CR4_PVI;
}

/*
 * Single-stepping goes by the TF that an instruction found; only SYSCALL and SYSRET, by the one they loaded. A load of SS
 * does not trap: the data breakpoints that it hit wait out its shadow, its single step is lost.
 */
static bool step_traps(const struct core *c, const struct block *b, u64 found)
{
	const struct op *op = &b->op[0];
	u64 tf = op->insn.op == INSN_SYSCALL || op->insn.op == INSN_SYSRET ? c->cpu.rflags & RFLAGS_TF : found;

	if (!tf || c->cpu.interruptibility & CPU_BLOCKED_BY_MOV_SS)
		return false;
	/* With BTF, after taken branches only. One to the next instruction is taken for none. */
	return !(c->cpu.debugctl & DEBUGCTL_BTF) || c->cpu.rip != op_next_rip(c, op);
}

static bool needs_stepping(const struct core *c)
{
	return c->cpu.rflags & (RFLAGS_TF | RFLAGS_RF | RFLAGS_VIP) || c->cpu.interruptibility & SHADOW ||
	       c->cpu.pending_debug || c->cpu.dr7 & DR7_ENABLE;
}

/* Between two blocks. false: leave, with core.exit set. */
static bool boundary(struct core *c)
{
	bool called = atomic_exchange(&c->attention, 0);

	c->op = NULL;
	c->block = NULL;
	/* Events can follow each other for ever, with no instruction in between. */
	while (take_event(c) && !called && c->budget > 0)
		called = atomic_exchange(&c->attention, 0);
	c->slow = needs_stepping(c);
	if (c->cpu.activity == CPU_SHUTDOWN)
		c->exit = CORE_EXIT_SHUTDOWN;
	else if (c->cpu.activity != CPU_ACTIVE)
		c->exit = CORE_EXIT_HALTED;
	else if (called)
		c->exit = CORE_EXIT_ATTENTION;
	else if (c->budget <= 0)
		c->exit = CORE_EXIT_BUDGET;
	return c->exit == CORE_EXIT_NONE;
}

/* What a step means for the instruction pointer, the count and the pending event. */
static void step_finish(struct core *c, const struct block *b, enum step step)
{
	unsigned before = c->op ? c->op->index : 0;

	switch (step) {
	case STEP_NEXT:
		retire(c, b->ops);
		return;
	case STEP_BREAK:
		retire(c, before + 1);
		break;
	case STEP_RETRY:
		c->cpu.rip = op_rip(c, c->op);
		retire(c, before);
		c->budget--; /* no instruction retired, yet the budget must end */
		break;
	case STEP_TRAP:
	case STEP_FAULT:
		retire(c, before + (step == STEP_TRAP));
		c->op = NULL;
		c->block = NULL;
		c->cpu.interruptibility &= ~(u32)SHADOW;
		core_deliver_event(c);
		c->budget--;
		break;
	}
	c->op = NULL;
	c->block = NULL;
}

static enum step block_run(struct core *c, struct block *b)
{
	c->cpu.gpr[CPU_GPR_RIP] = c->cpu.rip;
	c->block = b;
	return b->op[0].fn(c, &b->op[0]);
}

/* One instruction with everything looked at: breakpoints, trap flag, shadow. */
static void run_stepped(struct core *c)
{
	u32 shadow = c->cpu.interruptibility & SHADOW;
	u64 trap = c->cpu.rflags & RFLAGS_TF;
	u64 hits = 0;
	struct block *b;
	enum step step = STEP_FAULT;

	/* After a load of SS, breakpoints on the next instruction are inhibited on Intel's processors only. */
	if (c->cpu.dr7 & DR7_ENABLE && !(c->cpu.rflags & RFLAGS_RF) && (c->amd || !(shadow & CPU_BLOCKED_BY_MOV_SS)))
		hits = debug_execution_hits(c, block_linear(c));
	if (hits) {
		event_raise(c, EVENT_EXCEPTION, VECTOR_DB, hits);
		return;
	}
	c->debug_hits = 0;
	c->op = NULL;
	if (virtual_interrupt_due(&c->cpu)) {
		step_finish(c, NULL, core_raise_gp(c, NULL, 0));
		return;
	}
	b = block_find(c, true);
	if (b) {
		c->cpu.rflags &= ~RFLAGS_RF;
		step = block_run(c, b);
	}
	if (step == STEP_NEXT || step == STEP_BREAK || step == STEP_TRAP) {
		/* The shadow lasts one instruction. Of two loads of SS in a row only the first makes one. */
		c->cpu.interruptibility &= ~shadow;
		c->cpu.pending_debug |= c->debug_hits | (step != STEP_TRAP && step_traps(c, b, trap) ? DR6_BS : 0);
	}
	if (step == STEP_TRAP && c->cpu.event.type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION) {
		/* INT1 is a debug exception itself: it brings along what else there is. */
		c->cpu.event.payload = c->cpu.pending_debug;
		c->cpu.pending_debug = 0;
	}
	step_finish(c, b, step);
}

/* Blocks one after another, until something other than the next block is due. */
static void run_blocks(struct core *c)
{
	struct block *b = block_find(c, false);

	while (likely(b)) {
		enum step step = block_run(c, b);

		if (unlikely(step != STEP_NEXT)) {
			step_finish(c, b, step);
			return;
		}
		retire(c, b->ops);
		if (unlikely(c->budget <= 0 || atomic_load_explicit(&c->attention, memory_order_relaxed)))
			return;
		b = block_next(c, b);
	}
	c->op = NULL;
	step_finish(c, b, STEP_FAULT);
}

enum core_exit core_run(struct core *c, u64 instructions)
{
	c->exit = CORE_EXIT_NONE;
	c->budget = (s64)min_u64(instructions, INT64_MAX / 2);
	simd_enter(c);
	while (boundary(c)) {
		if (unlikely(c->slow))
			run_stepped(c);
		else
			run_blocks(c);
	}
	x87_spill(c);
	simd_leave(c);
	return c->exit;
}

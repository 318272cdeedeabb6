/*
 * The interrupt flag and the alignment-check flag, and the instructions that wait.
 *
 * HLT and MWAIT both make the processor CPU_HALTED. After MWAIT monitor_armed is still set, after HLT it is not: so
 * the run loop tells who sleeps until an interrupt from who is also woken by a store to monitor_gpa. Nothing
 * watches stores, so the loop treats MWAIT as a short nap; the manual lets MWAIT end for any reason at any time.
 */
#include "cpu/access.h"
#include "cpu/exec_sys.h"
#include "cpu/tlb.h"
#include "x86/msr.h"

/* ---- flags ---- */

enum interrupt_flag { FLAG_IF, FLAG_VIF, FLAG_REFUSED };

/* Which flag STI and CLI change ("Virtual-8086 Mode Extensions", "Protected-Mode Virtual Interrupts"). */
static enum interrupt_flag interrupt_flag(const struct cpu *cpu)
{
	unsigned cpl = cpu_cpl(cpu);

	if (cpu_in_real_mode(cpu) || cpl <= bits_extract(cpu->rflags, 13, 12))
		return FLAG_IF;
	if (cpu_in_v86_mode(cpu))
		return cpu->cr4 & CR4_VME ? FLAG_VIF : FLAG_REFUSED;
	return cpl == 3 && cpu->cr4 & CR4_PVI ? FLAG_VIF : FLAG_REFUSED;
}

enum step exec_sti(struct core *c, const struct op *op)
{
	enum interrupt_flag flag = interrupt_flag(&c->cpu);

	if (flag == FLAG_REFUSED || (flag == FLAG_VIF && c->cpu.rflags & RFLAGS_VIP))
		return core_raise_gp(c, op, 0);
	if (flag == FLAG_VIF) {
		c->cpu.rflags |= RFLAGS_VIF;
		EXEC_NEXT(c, op);
	}
	if (c->cpu.rflags & RFLAGS_IF)
		EXEC_NEXT(c, op);
	c->cpu.rflags |= RFLAGS_IF;
	c->cpu.interruptibility |= CPU_BLOCKED_BY_STI;
	return exec_break(c, op);
}

/* Interrupts are sampled between blocks only, so clearing IF needs no look at the world. */
enum step exec_cli(struct core *c, const struct op *op)
{
	enum interrupt_flag flag = interrupt_flag(&c->cpu);

	if (flag == FLAG_REFUSED)
		return core_raise_gp(c, op, 0);
	c->cpu.rflags &= flag == FLAG_IF ? ~RFLAGS_IF : ~RFLAGS_VIF;
	EXEC_NEXT(c, op);
}

/* At CPL 0 AC steers SMAP only, which is no part of how code was decoded: the block goes on. */
enum step exec_stac(struct core *c, const struct op *op)
{
	if (cpu_cpl(&c->cpu))
		return core_raise_ud(c, op);
	c->cpu.rflags |= RFLAGS_AC;
	core_data_mode_changed(c);
	EXEC_NEXT(c, op);
}

enum step exec_clac(struct core *c, const struct op *op)
{
	if (cpu_cpl(&c->cpu))
		return core_raise_ud(c, op);
	c->cpu.rflags &= ~RFLAGS_AC;
	core_data_mode_changed(c);
	EXEC_NEXT(c, op);
}

/* ---- waiting ---- */

enum step exec_hlt(struct core *c, const struct op *op)
{
	if (!privileged(c, op))
		return STEP_FAULT;
	c->cpu.monitor_armed = false;
	c->cpu.activity = CPU_HALTED;
	return exec_break(c, op);
}

#define WAIT_INTERRUPT_BREAK BIT(0) /* ECX: an interrupt wakes even if IF is 0 */
#define WAITX_TIMER BIT(1)          /* ECX: EBX is a time limit */

/* MONITOR and MWAIT belong to CPL 0, and IA32_MISC_ENABLE can take them away. */
static bool monitor_available(const struct core *c)
{
	return cpu_cpl(&c->cpu) == 0 && (c->amd || c->cpu.misc_enable & MISC_ENABLE_MONITOR);
}

static enum step monitor(struct core *c, const struct op *op)
{
	enum segment seg = implied_segment(op);
	u64 offset = c->cpu.gpr[GPR_RAX] & byte_mask(op->insn.addrsize);
	const struct tlb_detail *page;
	struct load address;
	u32 error;

	if ((u32)c->cpu.gpr[GPR_RCX])
		return core_raise_gp(c, op, 0);
	address = segment_linear(c, op, seg, offset, 1, ACCESS_READ);
	if (!address.ok || !linear_load(c, op, seg, address.value, 1).ok)
		return STEP_FAULT;
	page = tlb_lookup(c, address.value, ACCESS_READ, c->data_mode, &error);
	c->cpu.monitor_armed = page != NULL;
	if (page)
		c->cpu.monitor_gpa = page->gpa | (address.value & ~PAGE_MASK);
	EXEC_NEXT(c, op);
}

static enum step wait(struct core *c, const struct op *op, u32 hints)
{
	if ((u32)c->cpu.gpr[GPR_RCX] & ~hints)
		return core_raise_gp(c, op, 0);
	if (!c->cpu.monitor_armed)
		EXEC_NEXT(c, op);
	c->cpu.activity = CPU_HALTED;
	return exec_break(c, op);
}

enum step exec_monitor(struct core *c, const struct op *op)
{
	return monitor_available(c) ? monitor(c, op) : core_raise_ud(c, op);
}

enum step exec_mwait(struct core *c, const struct op *op)
{
	return monitor_available(c) ? wait(c, op, WAIT_INTERRUPT_BREAK) : core_raise_ud(c, op);
}

enum step exec_monitorx(struct core *c, const struct op *op)
{
	return monitor(c, op);
}

enum step exec_mwaitx(struct core *c, const struct op *op)
{
	return wait(c, op, WAIT_INTERRUPT_BREAK | WAITX_TIMER);
}

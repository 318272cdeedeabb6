/*
 * The fast system calls. The vendors differ: Intel has SYSCALL in 64-bit mode only and lets SYSRET fault at
 * CPL 0; AMD has SYSCALL in every mode, SYSENTER outside long mode only, and checks nothing on the way back
 * ("SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT" of both manuals).
 */
#include "cpu/control.h"
#include "cpu/far.h"

#define FLAT_SEGMENT (SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_ACCESSED | SEGMENT_TYPE_WRITABLE | SEGMENT_G)
#define FLAT_DATA (FLAT_SEGMENT | SEGMENT_DB)
#define FLAT_CODE32 (FLAT_SEGMENT | SEGMENT_TYPE_CODE | SEGMENT_DB)
#define FLAT_CODE64 (FLAT_SEGMENT | SEGMENT_TYPE_CODE | SEGMENT_L)

/* Selectors relative to the one in the MSR. */
#define STAR_SYSCALL_CS 32 /* bit position in STAR */
#define STAR_SYSRET_CS 48
#define STEP_SS 8          /* SS follows CS */
#define STEP_SYSRET_CS64 16
#define STEP_SYSEXIT_CS32 16
#define STEP_SYSEXIT_CS64 32

static void load_flat(struct core *c, enum segment seg, u16 selector, unsigned cpl, u32 attributes)
{
	c->cpu.segment[seg] = (struct cpu_segment){
		.limit = SEGMENT_LIMIT_FLAT,
		.attributes = attributes | cpl << SEGMENT_DPL_SHIFT,
		.selector = (u16)((selector & SELECTOR_ERROR) | cpl),
	};
}

enum step exec_syscall(struct core *c, const struct op *op)
{
	bool wide = cpu_in_long_mode(&c->cpu), from64 = cpu_in_64bit_mode(&c->cpu);
	u16 selector = (u16)(c->cpu.star >> STAR_SYSCALL_CS);
	u64 rflags = cpu_rflags(&c->cpu), next = op_next_rip(c, op);

	if (!(c->cpu.efer & EFER_SCE) || (!from64 && !c->amd))
		return core_raise_ud(c, op);
	c->cpu.gpr[GPR_RCX] = from64 ? next : (u32)next;
	load_flat(c, SEG_CS, selector, 0, wide ? FLAT_CODE64 : FLAT_CODE32);
	load_flat(c, SEG_SS, (u16)(selector + STEP_SS), 0, FLAT_DATA);
	if (!wide) {
		c->cpu.rflags &= ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
		return far_done(c, op, (u32)c->cpu.star);
	}
	c->cpu.gpr[GPR_R11] = rflags & ~RFLAGS_RF;
	cpu_set_rflags(&c->cpu, rflags & ~(c->cpu.sfmask | RFLAGS_RF));
	return far_done(c, op, from64 ? c->cpu.lstar : c->cpu.cstar);
}

/* AMD loads only SS's selector; its other attributes stay as they are, even unusable. */
static void sysret_load_ss(struct core *c, u16 selector)
{
	struct cpu_segment *ss = &c->cpu.segment[SEG_SS];

	if (!c->amd) {
		load_flat(c, SEG_SS, selector, 3, FLAT_DATA);
		return;
	}
	ss->selector = selector | SELECTOR_RPL;
	ss->attributes |= SEGMENT_DPL;
}

enum step exec_sysret(struct core *c, const struct op *op)
{
	bool to64 = op->insn.opsize == 8;
	u16 selector = (u16)(c->cpu.star >> STAR_SYSRET_CS);
	u64 rip = to64 ? c->cpu.gpr[GPR_RCX] : (u32)c->cpu.gpr[GPR_RCX];

	if (!(c->cpu.efer & EFER_SCE) || (!cpu_in_64bit_mode(&c->cpu) && !c->amd))
		return core_raise_ud(c, op);
	if (cpu_in_real_mode(&c->cpu) || cpu_cpl(&c->cpu) != 0)
		return core_raise_gp(c, op, 0);
	/* On AMD's processors the fetch at CPL 3 faults instead. */
	if (!c->amd && !control_is_canonical(c, rip))
		return core_raise_gp(c, op, 0);
	load_flat(c, SEG_CS, to64 ? selector + STEP_SYSRET_CS64 : selector, 3, to64 ? FLAT_CODE64 : FLAT_CODE32);
	sysret_load_ss(c, (u16)(selector + STEP_SS));
	if (cpu_in_long_mode(&c->cpu))
		cpu_set_rflags(&c->cpu, c->cpu.gpr[GPR_R11] & ~(RFLAGS_RF | RFLAGS_VM));
	else
		c->cpu.rflags |= RFLAGS_IF;
	/* Unlike IRET, SYSRET traps at once if it sets TF: in the program, before its first instruction. */
	if (c->cpu.rflags & RFLAGS_TF)
		c->cpu.pending_debug |= DR6_BS;
	return far_done(c, op, rip);
}

/* #UD and #GP(0) common to SYSENTER and SYSEXIT; STEP_NEXT: go on. */
static enum step sysenter_check(struct core *c, const struct op *op)
{
	if (c->amd && cpu_in_long_mode(&c->cpu))
		return core_raise_ud(c, op);
	if (cpu_in_real_mode(&c->cpu) || selector_is_null((u16)c->cpu.sysenter_cs))
		return core_raise_gp(c, op, 0);
	return STEP_NEXT;
}

enum step exec_sysenter(struct core *c, const struct op *op)
{
	bool wide = cpu_in_long_mode(&c->cpu);
	u16 selector = (u16)c->cpu.sysenter_cs;

	if (sysenter_check(c, op) != STEP_NEXT)
		return STEP_FAULT;
	c->cpu.rflags &= ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
	load_flat(c, SEG_CS, selector, 0, wide ? FLAT_CODE64 : FLAT_CODE32);
	load_flat(c, SEG_SS, (u16)((selector & SELECTOR_ERROR) + STEP_SS), 0, FLAT_DATA);
	c->cpu.gpr[GPR_RSP] = wide ? c->cpu.sysenter_esp : (u32)c->cpu.sysenter_esp;
	return far_done(c, op, wide ? c->cpu.sysenter_eip : (u32)c->cpu.sysenter_eip);
}

enum step exec_sysexit(struct core *c, const struct op *op)
{
	bool to64 = op->insn.opsize == 8;
	u16 selector = (u16)(c->cpu.sysenter_cs & SELECTOR_ERROR);
	u64 rip = c->cpu.gpr[GPR_RDX], rsp = c->cpu.gpr[GPR_RCX];

	if (sysenter_check(c, op) != STEP_NEXT)
		return STEP_FAULT;
	if (cpu_cpl(&c->cpu) != 0)
		return core_raise_gp(c, op, 0);
	if (to64 && !(control_is_canonical(c, rip) && control_is_canonical(c, rsp)))
		return core_raise_gp(c, op, 0);
	selector += to64 ? STEP_SYSEXIT_CS64 : STEP_SYSEXIT_CS32;
	load_flat(c, SEG_CS, selector, 3, to64 ? FLAT_CODE64 : FLAT_CODE32);
	load_flat(c, SEG_SS, selector + STEP_SS, 3, FLAT_DATA);
	c->cpu.gpr[GPR_RSP] = to64 ? rsp : (u32)rsp;
	return far_done(c, op, to64 ? rip : (u32)rip);
}

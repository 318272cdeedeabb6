/*
 * The family sys: its selector, and the instructions that identify, time and configure the processor.
 *
 * Each handler has its privilege checks first and its work after them: intercepts of a virtual machine go in between.
 */
#include "base/trace.h"
#include "cpu/access.h"
#include "cpu/cpuid.h"
#include "cpu/exec.h"
#include "cpu/exec_sys.h"
#include "cpu/msr.h"

/* EDX:EAX, upper halves cleared. */
static void write_edx_eax(struct core *c, u64 value)
{
	c->cpu.gpr[GPR_RAX] = (u32)value;
	c->cpu.gpr[GPR_RDX] = value >> 32;
}

static enum step exec_cpuid(struct core *c, const struct op *op)
{
	u32 out[4];

	cpuid_read(c, (u32)c->cpu.gpr[GPR_RAX], (u32)c->cpu.gpr[GPR_RCX], out);
	c->cpu.gpr[GPR_RAX] = out[CPUID_EAX];
	c->cpu.gpr[GPR_RBX] = out[CPUID_EBX];
	c->cpu.gpr[GPR_RCX] = out[CPUID_ECX];
	c->cpu.gpr[GPR_RDX] = out[CPUID_EDX];
	EXEC_NEXT(c, op);
}

/* ---- time ---- */

static bool tsc_permitted(struct core *c, const struct op *op)
{
	return !(c->cpu.cr4 & CR4_TSD) || privileged(c, op);
}

static enum step exec_rdtsc(struct core *c, const struct op *op)
{
	if (!tsc_permitted(c, op))
		return STEP_FAULT;
	c->op = op;
	write_edx_eax(c, msr_tsc(c));
	EXEC_NEXT(c, op);
}

static enum step exec_rdtscp(struct core *c, const struct op *op)
{
	if (!tsc_permitted(c, op))
		return STEP_FAULT;
	c->op = op;
	write_edx_eax(c, msr_tsc(c));
	c->cpu.gpr[GPR_RCX] = (u32)c->cpu.tsc_aux;
	EXEC_NEXT(c, op);
}

static enum step exec_rdpid(struct core *c, const struct op *op)
{
	gpr_write(c, op->dst, op->insn.operand[0].size, c->cpu.tsc_aux);
	EXEC_NEXT(c, op);
}

#define AMD_COUNTERS 4

/* Intel's processors have no performance counter, whatever CR4.PCE allows; AMD's counters stand still. */
static enum step exec_rdpmc(struct core *c, const struct op *op)
{
	if (!c->amd || (u32)c->cpu.gpr[GPR_RCX] >= AMD_COUNTERS)
		return core_raise_gp(c, op, 0);
	if (!(c->cpu.cr4 & CR4_PCE) && !privileged(c, op))
		return STEP_FAULT;
	write_edx_eax(c, 0);
	EXEC_NEXT(c, op);
}

/* ---- model-specific registers ---- */

static enum step exec_rdmsr(struct core *c, const struct op *op)
{
	u64 value;

	if (!privileged(c, op))
		return STEP_FAULT;
	c->op = op;
	if (!msr_read(c, (u32)c->cpu.gpr[GPR_RCX], &value))
		return core_raise_gp(c, op, 0);
	TRACE(c->trace, MSR, c->processor, trace_text("read"), (u32)c->cpu.gpr[GPR_RCX], value, op_rip(c, op));
	write_edx_eax(c, value);
	EXEC_NEXT(c, op);
}

static enum step exec_wrmsr(struct core *c, const struct op *op)
{
	u32 msr = (u32)c->cpu.gpr[GPR_RCX];
	u64 value = c->cpu.gpr[GPR_RDX] << 32 | (u32)c->cpu.gpr[GPR_RAX];

	if (!privileged(c, op))
		return STEP_FAULT;
	c->op = op;
	if (!msr_write(c, msr, value))
		return core_raise_gp(c, op, 0);
	TRACE(c->trace, MSR, c->processor, trace_text("write"), msr, value, op_rip(c, op));
	return exec_break(c, op);
}

/* ---- random numbers ---- */

/* The generator never runs dry: CF is always 1, the other status flags 0. */
static enum step exec_rdrand(struct core *c, const struct op *op)
{
	c->op = op;
	gpr_write(c, op->dst, op->insn.operand[0].size, c->environment->random(c->machine));
	c->cpu.status = CPU_STATUS_CF;
	EXEC_NEXT(c, op);
}

/* ---- caches ---- */

/* Memory is always coherent: there is nothing to write back or to lose. */
static enum step exec_wbinvd(struct core *c, const struct op *op)
{
	if (!privileged(c, op))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

#define CLZERO_LINE 64

static enum step exec_clzero(struct core *c, const struct op *op)
{
	static const u8 zeros[CLZERO_LINE];
	enum segment seg = implied_segment(op);
	u64 offset = align_down(c->cpu.gpr[GPR_RAX] & byte_mask(op->insn.addrsize), CLZERO_LINE);
	struct load address = segment_linear(c, op, seg, offset, CLZERO_LINE, ACCESS_WRITE);

	if (!address.ok || !linear_write(c, op, seg, address.value, zeros, CLZERO_LINE))
		return STEP_FAULT;
	EXEC_NEXT(c, op);
}

/* ---- selection ---- */

exec_fn *exec_select_sys(const struct core *c, struct op *op)
{
	(void)c;
	switch (op->insn.op) {
	case INSN_MOV_CR: return op->insn.operand[0].kind == OPERAND_CR ? exec_mov_to_cr : exec_mov_from_cr;
	case INSN_MOV_DR: return op->insn.operand[0].kind == OPERAND_DR ? exec_mov_to_dr : exec_mov_from_dr;
	case INSN_CLTS: return exec_clts;
	case INSN_HLT: return exec_hlt;
	case INSN_INVLPG: return exec_invlpg;
	case INSN_INVPCID: return exec_invpcid;
	case INSN_INVD:
	case INSN_WBINVD:
	case INSN_WBNOINVD: return exec_wbinvd;
	case INSN_CPUID: return exec_cpuid;
	case INSN_RDTSC: return exec_rdtsc;
	case INSN_RDTSCP: return exec_rdtscp;
	case INSN_RDPMC: return exec_rdpmc;
	case INSN_RDMSR: return exec_rdmsr;
	case INSN_WRMSR: return exec_wrmsr;
	case INSN_MONITOR: return exec_monitor;
	case INSN_MWAIT: return exec_mwait;
	case INSN_MONITORX: return exec_monitorx;
	case INSN_MWAITX: return exec_mwaitx;
	case INSN_STI: return exec_sti;
	case INSN_CLI: return exec_cli;
	case INSN_CLAC: return exec_clac;
	case INSN_STAC: return exec_stac;
	case INSN_RDPKRU: return exec_rdpkru;
	case INSN_WRPKRU: return exec_wrpkru;
	case INSN_RDPID: return exec_rdpid;
	case INSN_RDRAND:
	case INSN_RDSEED: return exec_rdrand;
	case INSN_XGETBV: return exec_xgetbv;
	case INSN_XSETBV: return exec_xsetbv;
	case INSN_CLZERO: return exec_clzero;
	default: return NULL; /* UD0, UD1, UD2; RSM outside SMM; what is not implemented: UMONITOR and its kin */
	}
}

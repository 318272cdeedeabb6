/*
 * The complete architectural state of one logical processor.
 *
 * Plain data: no pointers, no host types, so that it can be saved, sent, compared and printed. What an engine
 * keeps beside it to go faster (TLB, decoded blocks) is in struct core (core.h) and can be dropped at any time.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "x86/feature.h"
#include "x86/regs.h"

struct cpu_segment {
	u64 base;
	u32 limit;      /* in bytes, granularity applied */
	u32 attributes; /* SEGMENT_*: the VMCS access-rights format */
	u16 selector;
};

struct cpu_table { /* GDTR, IDTR */
	u64 base;
	u16 limit;
};

/* Two more slots follow the general registers so that an address computation needs no branches. */
#define CPU_GPR_ZERO 16 /* always 0 */
#define CPU_GPR_RIP 17  /* linear-RIP base of the running block, for RIP-relative operands */
#define CPU_GPR_SLOTS 18

/*
 * Status flags between instructions, as LAHF and SETO leave them in AX: AH holds SF ZF AF PF CF in their RFLAGS
 * positions, AL holds OF in bit 0. Bits of AH that are no flags have no meaning. For the whole: cpu_rflags(),
 * cpu_set_rflags().
 */
#define CPU_STATUS_OF BIT(0)
#define CPU_STATUS_CF BIT(8)
#define CPU_STATUS_PF BIT(10)
#define CPU_STATUS_AF BIT(12)
#define CPU_STATUS_ZF BIT(14)
#define CPU_STATUS_SF BIT(15)

struct cpu_x87 {
	u16 fcw, fsw; /* fsw holds TOP */
	u16 fop;
	u8 empty;     /* bit i: physical register Ri is empty (the complement of FXSAVE's abridged tag) */
	u64 fip, fdp; /* 64-bit offsets, or 32-bit offsets with fcs and fds */
	u16 fcs, fds;
	u8 st[8][16]; /* physical registers R0-R7, 80 bits each; MMX registers alias their low 64 bits */
};

struct cpu_vector {
	u8 ymm[16][32] __attribute__((aligned(32)));
	u32 mxcsr;
};

/* Activity states ("Guest Non-Register State"). */
enum cpu_activity { CPU_ACTIVE, CPU_HALTED, CPU_SHUTDOWN, CPU_WAIT_FOR_SIPI };

/* Interruptibility ("Guest Non-Register State"). */
#define CPU_BLOCKED_BY_STI BIT(0)
#define CPU_BLOCKED_BY_MOV_SS BIT(1)
#define CPU_BLOCKED_BY_NMI BIT(3)

/* Event types in the encoding that VMCS and VMCB share ("VM-Entry Interruption-Information Field"). */
enum cpu_event_type {
	EVENT_EXTERNAL = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFTWARE_INTERRUPT = 4,
	EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
	EVENT_SOFTWARE_EXCEPTION = 6,            /* INT3, INTO */
};

/* An event on its way through the IDT. */
struct cpu_event {
	bool valid;
	u8 vector;
	u8 type; /* enum cpu_event_type */
	bool has_error_code;
	u32 error_code;
	u8 instruction_length; /* software events: RIP pushed is that of the next instruction */
	u64 payload;           /* #PF: the linear address for CR2; #DB: the bits to set in DR6 */
};

struct cpu_mtrr {
	u64 def_type, physbase[8], physmask[8];
	u64 fixed[11];
};

/* Machine-check error-reporting banks ("Machine-Check Architecture"); nothing here ever reports an error by itself. */
#define CPU_MC_BANKS 4

struct cpu_mc_bank {
	u64 ctl, status, addr, misc;
};

struct cpu {
	/* What every instruction touches comes first. */
	u64 gpr[CPU_GPR_SLOTS];
	u64 rip;
	u64 status;  /* the six status flags, see CPU_STATUS_* */
	u64 rflags;  /* all the others; status flag bits here are 0 */
	struct cpu_segment segment[SEG_COUNT];
	struct cpu_table gdtr, idtr;

	u64 cr0, cr2, cr3, cr4, cr8;
	u64 efer;
	u64 dr[4], dr6, dr7;
	u64 xcr0, xss;
	u64 pdpte[4]; /* PAE paging: loaded with CR3 ("PDPTE Registers") */
	u32 pkru;

	/* Model-specific registers by their manual names, reached through msr.def. */
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
	u64 sysenter_cs, sysenter_esp, sysenter_eip;
	u64 tsc_offset, tsc_adjust, tsc_aux;
	u64 apic_base, pat, misc_enable, feature_control, debugctl, spec_ctrl;
	u64 mcg_status, mcg_ctl;
	u64 syscfg, hwcr, nb_cfg, de_cfg; /* AMD */
	struct cpu_mc_bank mc_bank[CPU_MC_BANKS];
	struct cpu_mtrr mtrr;

	struct cpu_x87 x87;
	struct cpu_vector vector;

	u32 activity;          /* enum cpu_activity */
	u32 interruptibility;  /* CPU_BLOCKED_BY_* */
	u64 pending_debug;     /* DR6 bits of a #DB trap to take before the next instruction */
	u8 nmis_pending;       /* 0 to 2: one may come while another is on its way to its handler */
	struct cpu_event event; /* being delivered; valid only inside a step or while state is saved in between */

	u64 monitor_gpa; /* MONITOR's armed line */
	bool monitor_armed;

	u64 retired; /* instructions retired since reset: the instruction clock */
};

/* Full RFLAGS value. */
static inline u64 cpu_rflags(const struct cpu *cpu)
{
	return cpu->rflags | RFLAGS_FIXED | (cpu->status >> 8 & (RFLAGS_STATUS & ~RFLAGS_OF)) |
	       (cpu->status & CPU_STATUS_OF ? RFLAGS_OF : 0);
}

/* Sets every flag; the fixed bits are forced. */
static inline void cpu_set_rflags(struct cpu *cpu, u64 rflags)
{
	cpu->status = (rflags & 0xff) << 8 | (rflags & RFLAGS_OF ? CPU_STATUS_OF : 0);
	cpu->rflags = (rflags & RFLAGS_DEFINED & ~RFLAGS_STATUS) | RFLAGS_FIXED;
}

/* SS.DPL is the CPL in every mode ("Guest Register State": real mode 0, virtual-8086 3). */
static inline unsigned cpu_cpl(const struct cpu *cpu)
{
	return bits_extract(cpu->segment[SEG_SS].attributes, 6, 5);
}

static inline bool cpu_in_long_mode(const struct cpu *cpu)
{
	return cpu->efer & EFER_LMA;
}

static inline bool cpu_in_64bit_mode(const struct cpu *cpu)
{
	return cpu_in_long_mode(cpu) && (cpu->segment[SEG_CS].attributes & SEGMENT_L);
}

static inline bool cpu_in_real_mode(const struct cpu *cpu)
{
	return !(cpu->cr0 & CR0_PE);
}

static inline bool cpu_in_v86_mode(const struct cpu *cpu)
{
	return cpu->rflags & RFLAGS_VM;
}

/* Real mode or virtual-8086: selectors are paragraphs. */
static inline bool cpu_segments_are_real(const struct cpu *cpu)
{
	return cpu_in_real_mode(cpu) || cpu_in_v86_mode(cpu);
}

#endif

/*
 * Writes to the control, debug and extended control registers and EFER, with every rule about them.
 *
 * MOV CR, LMSW, CLTS, WRMSR and the task switch change the same registers and must obey the same rules ("Control
 * Registers", "Initializing IA-32e Mode", "Paging"), so the rules stand here once. Each writer either raises the
 * exception at op and returns false with nothing changed, or commits the value, flushes what the TLB must forget, calls
 * core_mode_changed() and returns true; the instruction then ends with exec_break(). None of them checks the CPL.
 */
#ifndef CPU_CONTROL_H
#define CPU_CONTROL_H

#include "cpu/core.h"

MUST_USE bool control_write_cr0(struct core *c, const struct op *op, u64 value);
/* MOV to CR3: bit 63 means "keep the TLB" if CR4.PCIDE = 1. */
MUST_USE bool control_write_cr3(struct core *c, const struct op *op, u64 value);
/* CR3 as a task switch loads it: like MOV, but without the meaning of bit 63. */
MUST_USE bool control_load_cr3(struct core *c, const struct op *op, u64 value);
MUST_USE bool control_write_cr4(struct core *c, const struct op *op, u64 value);
MUST_USE bool control_write_cr8(struct core *c, const struct op *op, u64 value);
/* EFER as WRMSR writes it; LMA in value is ignored. false: #GP(0) is due, and has not been raised. */
MUST_USE bool control_write_efer(struct core *c, u64 value);
MUST_USE bool control_write_xcr0(struct core *c, const struct op *op, u64 value);

/* LMSW: CR0's low four bits, PE can be set only. SMSW reads the low 16, 32 or 64 bits of cpu.cr0 as they are. */
MUST_USE bool control_write_msw(struct core *c, const struct op *op, u16 value);

u64 control_read_cr8(struct core *c);

/* DR0-DR3, DR6, DR7, after aliasing and the GD check. */
u64 control_read_dr(const struct core *c, unsigned index);
MUST_USE bool control_write_dr(struct core *c, const struct op *op, unsigned index, u64 value);

/* The bits of CR4 and EFER that this processor's features let software set. */
u64 control_cr4_allowed(const struct core *c);
u64 control_efer_allowed(const struct core *c);
/* The components of XCR0 and IA32_XSS that this processor has. */
u64 control_xcr0_allowed(const struct core *c);
u64 control_xss_allowed(const struct core *c);

/* Is it canonical for the current number of linear-address bits: 57 with CR4.LA57, else 48? */
bool control_is_canonical(const struct core *c, u64 address);

/*
 * The same for what registers may hold (bases of segments and descriptor tables, MSRs, INVPCID's address): canonical for
 * the most linear-address bits that the processor has, whatever CR4.LA57 says.
 */
bool control_is_canonical_base(const struct core *c, u64 address);

#endif

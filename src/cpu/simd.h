/*
 * The vector unit of a core: its hooks for the core's life, and the guest's MXCSR while it runs.
 *
 * A vector instruction is executed by the host's own: for each one that a block needs, a stub of a few host
 * instructions is made that loads the guest's registers, runs the very same operation and stores the result
 * (simd_stub.h). The stubs of a core lie in an arena that this file keeps. While a core runs, the host's MXCSR
 * holds the guest's rounding, denormal and flag bits, with every exception masked; so code that runs in between
 * (the environment's functions too) must do no floating-point arithmetic, or bracket it with simd_leave and
 * simd_enter.
 */
#ifndef CPU_SIMD_H
#define CPU_SIMD_H

#include "cpu/core.h"

#define MXCSR_DEFINED BITS(15, 0) /* on every processor with SSE2 */
#define MXCSR_FLAGS BITS(5, 0)
#define MXCSR_FLAGS_PRE_COMPUTATION BITS(2, 0) /* invalid, denormal, divide by zero */
#define MXCSR_UNDERFLOW BIT(4)
#define MXCSR_DAZ BIT(6)
#define MXCSR_MASKS BITS(12, 7)
#define MXCSR_MASKS_SHIFT 7
#define MXCSR_UNDERFLOW_MASK BIT(11)
#define MXCSR_FTZ BIT(15)
#define MXCSR_MISALIGNED_MASK BIT(17) /* AMD: "Misaligned Exception Mask (MM)" */
#define MXCSR_DEFAULT 0x1f80u         /* after RESET: all masked, round to nearest */

/* core.simd_blocked: the instructions of these classes must not take their quick path. */
#define SIMD_MMX BIT(0)   /* CR0.EM or CR0.TS; or the registers are live in the host's x87 */
#define SIMD_SSE BIT(1)   /* ... or CR4.OSFXSR clear */
#define SIMD_AVX BIT(2)   /* CR0.TS, or not enabled in CR4.OSXSAVE and XCR0 */
#define SIMD_FLOAT BIT(3) /* an exception is unmasked in MXCSR */

/* ---- life ---- */

/* Called once by core_init, and by core_finish. false: the host gives no memory for code. */
MUST_USE bool simd_create(struct core *c);
void simd_destroy(struct core *c);

/* Called by core_mode_changed: after CR0, CR4, XCR0 or MXCSR changed from outside. */
void simd_mode_changed(struct core *c);

/* Around core_run's work, on the thread that does it: the guest's MXCSR goes into the host's, and back. Not nested. */
void simd_enter(struct core *c);
void simd_leave(struct core *c);

/* ---- MXCSR ---- */

static inline u32 host_mxcsr_read(void)
{
	u32 value;

	__asm__ volatile("stmxcsr %0" : "=m"(value));
	return value;
}

static inline void host_mxcsr_write(u32 value)
{
	__asm__ volatile("ldmxcsr %0" : : "m"(value) : "memory");
}

/* The bits that may be set in MXCSR: MXCSR_MASK of the FXSAVE area. */
u32 simd_mxcsr_mask(const struct core *c);

/* The guest's MXCSR, with the flags that have gathered in the host's; cpu.vector.mxcsr is up to date afterwards. */
u32 simd_mxcsr_read(struct core *c);

/* value must have no bit outside simd_mxcsr_mask(). */
void simd_mxcsr_write(struct core *c, u32 value);

/* ---- stubs ---- */

/* The address to run a stub of these bytes at, shared with an equal one that exists; NULL if the arena is full. */
MUST_USE void *simd_stub_place(const struct core *c, const u8 *code, unsigned bytes);

/* Handler for an op whose stub found no room: everything is flushed, and the op decoded again. */
enum step simd_exec_full(struct core *c, const struct op *op) MUST_USE;

/* Forgets every stub, and every block since they point to stubs. No stub may be running. */
void simd_flush(struct core *c);

#endif

/*
 * The FXSAVE and XSAVE areas: what lies where, as plain data.
 *
 * "FXSAVE and FXRSTOR Instructions", "XSAVE Area", "Standard Format" and "Compacted Format". The user state
 * components are x87, SSE, AVX and PKRU; there is no supervisor component. Nothing here touches guest memory.
 */
#ifndef CPU_XSAVE_H
#define CPU_XSAVE_H

#include "cpu/core.h"

/* The legacy region, which is also the FXSAVE area. */
struct xsave_legacy {
	u16 fcw, fsw;
	u8 ftw; /* bit i: Ri is not empty */
	u8 reserved;
	u16 fop;
	u64 fip; /* 64 bits, or 32 and FCS in the upper half */
	u64 fdp; /* likewise with FDS */
	u32 mxcsr, mxcsr_mask;
	u8 st[8][16];   /* from the top of the stack, 10 bytes each */
	u8 xmm[16][16];
	u8 unused[96];  /* software's */
};

_Static_assert(sizeof(struct xsave_legacy) == 512, "the legacy region is 512 bytes");

struct xsave_header {
	u64 xstate_bv, xcomp_bv;
	u64 reserved[6];
};

#define XSAVE_HEADER_OFFSET 512u
#define XSAVE_EXTENDED_OFFSET 576u
#define XSAVE_MAX_BYTES 840u /* every component */
#define XCOMP_BV_COMPACTED BIT(63)

/* Component 2 and up: its bytes, 0 if there is no such component. ("CPUID leaf 0DH, sub-leaf i, EAX") */
u32 xsave_component_bytes(unsigned component);

/* Component 2 and up: its offset in the standard format, 0 if there is no such component. (EBX) */
u32 xsave_component_offset(unsigned component);

/* The offset of a component (2 and up) in an area of the compacted format that holds `components`. */
u32 xsave_compacted_offset(unsigned component, u64 components);

/*
 * The size of an area that holds `components` (bits as in XCR0; others are ignored) in the compacted or standard
 * format.
 */
u32 xsave_area_bytes(u64 components, bool compact);

/*
 * XINUSE: the components that are not in their initial configuration, of x87, SSE, AVX and PKRU. MXCSR does not
 * count.
 */
u64 xsave_in_use(const struct core *c);

/* ---- between the processor and the legacy region ---- */

/* wide: the form with 64-bit FIP and FDP. cpu.x87 must be up to date (x87_spill). */
void xsave_get_x87(const struct core *c, struct xsave_legacy *area, bool wide);
void xsave_set_x87(struct core *c, const struct xsave_legacy *area, bool wide);
void xsave_init_x87(struct core *c);

#endif

/* The x87 unit of a core: who holds the registers. See x87.h. */
#include "cpu/x87.h"

#include "base/string.h"
#include "cpu/simd.h"
#include "cpu/xsave.h"

#define FCW_MASKS BITS(5, 0)
#define FSW_EXCEPTIONS BITS(5, 0)

static void host_restore(const struct xsave_legacy *image)
{
	__asm__ volatile("fxrstor64 %0" : : "m"(*image) : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			 "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

/* Saves and leaves the host's x87 as the calling convention wants it. */
static void host_save(struct xsave_legacy *image)
{
	__asm__ volatile("fxsave64 %0\n\tfninit" : "=m"(*image) : : "memory");
}

static u64 unmasked(const struct cpu_x87 *x87)
{
	return ~x87->fcw & FCW_MASKS;
}

void x87_summarize(struct cpu_x87 *x87)
{
	bool pending = x87->fsw & unmasked(x87) & FSW_EXCEPTIONS;

	x87->fsw = (u16)((x87->fsw & ~(X87_FSW_ES | X87_FSW_B)) | (pending ? X87_FSW_ES | X87_FSW_B : 0));
}

/* The registers as an image that the host can load. The host's pointers and MXCSR stay out of it. */
static void image_make(const struct core *c, struct xsave_legacy *image)
{
	memset(image, 0, sizeof(*image));
	xsave_get_x87(c, image, true);
	image->fip = 0;
	image->fdp = 0;
	image->fop = 0;
	image->mxcsr = host_mxcsr_read();
}

/* Registers, tags and status from an image; control word and pointers are the guest's own. */
static void image_take(struct core *c, const struct xsave_legacy *image)
{
	struct cpu_x87 *x87 = &c->cpu.x87;
	struct cpu_x87 kept = *x87;

	xsave_set_x87(c, image, true);
	x87->fcw = kept.fcw;
	x87->fop = kept.fop;
	x87->fip = kept.fip;
	x87->fdp = kept.fdp;
	x87->fcs = kept.fcs;
	x87->fds = kept.fds;
	x87_summarize(x87);
}

static void x87_load(struct core *c)
{
	struct xsave_legacy image;

	image_make(c, &image);
	host_restore(&image);
	c->x87_live = true;
	core_mode_changed(c);
}

void x87_spill(struct core *c)
{
	struct xsave_legacy image;

	if (!c->x87_live)
		return;
	host_save(&image);
	c->x87_live = false;
	image_take(c, &image);
	core_mode_changed(c);
}

void x87_mode_changed(struct core *c)
{
	u64 blocked = 0;

	if (c->cpu.cr0 & (CR0_EM | CR0_TS))
		blocked |= X87_UNAVAILABLE;
	if (!c->x87_live)
		blocked |= X87_NOT_LIVE;
	if (unmasked(&c->cpu.x87))
		blocked |= X87_UNMASKED;
	c->x87_blocked = (u8)blocked;
}

bool x87_check(struct core *c, const struct op *op, bool waits)
{
	if (c->cpu.cr0 & (CR0_EM | CR0_TS)) {
		(void)core_raise(c, op, VECTOR_NM);
		return false;
	}
	if (waits && !c->x87_live && c->cpu.x87.fsw & X87_FSW_ES) {
		(void)core_raise(c, op, VECTOR_MF);
		return false;
	}
	return true;
}

enum x87_run x87_prepare(struct core *c, const struct op *op)
{
	if (!x87_check(c, op, true))
		return X87_RUN_FAULT;
	if (unmasked(&c->cpu.x87)) {
		x87_spill(c);
		return X87_RUN_ALONE;
	}
	if (!c->x87_live)
		x87_load(c);
	return X87_RUN_LIVE;
}

u32 x87_run_alone(struct core *c, x87_code_fn *code, void *memory)
{
	struct xsave_legacy image;
	u32 status;

	image_make(c, &image);
	host_restore(&image);
	status = code(memory, (u32)c->cpu.status);
	/* Exceptions that the instruction left pending are in the image now; FNINIT forgets them before the host can wait. */
	host_save(&image);
	image_take(c, &image);
	return status;
}

/*
 * FXSAVE, FXRSTOR and the XSAVE family against the host's own: random state, areas, headers, component masks and
 * addresses; registers, memory and faults must agree.
 *
 * Every component is kept out of its initial configuration before a save, because which components the processor
 * knows to be initial is its own choice. `xsave [trials [seed]]`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/xsave.h"
#include "guest.h"
#include "native.h"

#define MAX_REPORTS 40

static const struct form {
	const char *name;
	u8 bytes[4];
	unsigned length;
	bool save, extended;
} forms[] = {
	{ "fxsave", { 0x0f, 0xae, 0x03 }, 3, true, false },
	{ "fxsave64", { 0x48, 0x0f, 0xae, 0x03 }, 4, true, false },
	{ "fxrstor", { 0x0f, 0xae, 0x0b }, 3, false, false },
	{ "fxrstor64", { 0x48, 0x0f, 0xae, 0x0b }, 4, false, false },
	{ "xsave", { 0x0f, 0xae, 0x23 }, 3, true, true },
	{ "xsave64", { 0x48, 0x0f, 0xae, 0x23 }, 4, true, true },
	{ "xsaveopt", { 0x0f, 0xae, 0x33 }, 3, true, true },
	{ "xsaveopt64", { 0x48, 0x0f, 0xae, 0x33 }, 4, true, true },
	{ "xsavec", { 0x0f, 0xc7, 0x23 }, 3, true, true },
	{ "xsavec64", { 0x48, 0x0f, 0xc7, 0x23 }, 4, true, true },
	{ "xrstor", { 0x0f, 0xae, 0x2b }, 3, false, true },
	{ "xrstor64", { 0x48, 0x0f, 0xae, 0x2b }, 4, false, true },
	{ "ldmxcsr", { 0x0f, 0xae, 0x13 }, 3, false, false },
	{ "stmxcsr", { 0x0f, 0xae, 0x1b }, 3, true, false },
};

static unsigned long passed, failed;
static u8 initial_data[GUEST_DATA_BYTES], native_data[GUEST_DATA_BYTES];
static u64 random_state = 88172645463325252ull;

static u64 rnd(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 2685821657736338717ull;
}

static unsigned below(unsigned n)
{
	return (unsigned)((rnd() >> 20) % n);
}

static void random_bytes(void *to, size_t bytes)
{
	for (size_t n = 0; n < bytes; n++)
		((u8 *)to)[n] = (u8)rnd();
}

static u64 random_target(void)
{
	switch (below(8)) {
	case 0: return GUEST_DATA + below(GUEST_DATA_BYTES - 1024);
	case 1: return GUEST_DATA + GUEST_DATA_BYTES - 64 * (1 + below(16));
	case 2: return GUEST_DATA + PAGE_SIZE - 64 * below(16);
	default: return GUEST_DATA + 64 * below(GUEST_DATA_BYTES / 64 - 16);
	}
}

static u32 random_mxcsr(void)
{
	return below(8) ? (u32)rnd() & 0xffff : (u32)rnd() & (below(2) ? 0x3ffff : ~0u);
}

static void random_header(struct xsave_header *header)
{
	memset(header, 0, sizeof(*header));
	header->xstate_bv = below(8);
	if (below(2)) {
		header->xcomp_bv = XCOMP_BV_COMPACTED | below(8) | (below(4) ? header->xstate_bv : 0);
		if (!below(16))
			header->xcomp_bv |= BIT(40);
	} else if (!below(16)) {
		header->xcomp_bv = BIT(below(62));
	}
	if (!below(16))
		header->xstate_bv |= BIT(20 + below(42)); /* not what the host may have enabled */
	if (!below(16))
		header->reserved[below(6)] = BIT(below(64));
}

/* An area that the restoring instructions mostly accept, at target. */
static void random_area(u64 target)
{
	u8 image[XSAVE_MAX_BYTES];
	struct xsave_legacy *legacy = (struct xsave_legacy *)image;

	random_bytes(image, sizeof(image));
	legacy->mxcsr = random_mxcsr();
	legacy->fip &= 0x7fffffffffff; /* how wide they are is the processor's choice */
	legacy->fdp &= 0x7fffffffffff;
	random_header((struct xsave_header *)(image + XSAVE_HEADER_OFFSET));
	for (unsigned n = 0; n < sizeof(image); n++)
		if (target + n >= GUEST_DATA && target + n < GUEST_DATA + GUEST_DATA_BYTES)
			initial_data[target + n - GUEST_DATA] = image[n];
}

static void random_registers(struct native_state *state, u64 target)
{
	memset(state, 0, sizeof(*state));
	random_bytes(state->ymm, sizeof(state->ymm));
	random_bytes(state->gpr, sizeof(state->gpr));
	random_bytes(state->fx.st, sizeof(state->fx.st));
	for (unsigned n = 0; n < 8; n++)
		memset(state->fx.st[n] + 10, 0, 6);
	state->gpr[GPR_RAX] = below(8);
	state->gpr[GPR_RDX] = 0;
	state->gpr[GPR_RBX] = target;
	state->fx.fcw = 0x37f;
	state->fx.fsw = (u16)(rnd() & 0x7f7f);
	state->fx.ftw = (u8)rnd();
	state->fx.fop = (u16)(rnd() & 0x7ff);
	state->fx.fip = rnd() & 0x7fffffffffff;
	state->fx.fdp = rnd() & 0x7fffffffffff;
	state->fx.mxcsr = 0x1f80 | (rnd() & 0xe07f);
	state->rflags = 0x202;
}

/* AMD's processors do not show the error pointers unless an exception waits. */
static bool pointers_differ(const struct native_state *want, const struct native_state *got)
{
	if (guest->amd && !(want->fx.fsw & X87_FSW_ES))
		return false;
	return want->fx.fop != got->fx.fop || want->fx.fip != got->fx.fip || want->fx.fdp != got->fx.fdp;
}

static const char *difference(const struct native_state *want, const struct native_state *got)
{
	static char text[160];
	const struct native_fx *w = &want->fx, *g = &got->fx;

	if (want->fault != got->fault) {
		snprintf(text, sizeof(text), "fault %d, want %d", got->fault, want->fault);
		return text;
	}
	for (unsigned n = 0; n < GUEST_DATA_BYTES; n++)
		if (native_data[n] != ((u8 *)GUEST_DATA)[n]) {
			snprintf(text, sizeof(text), "memory at area offset %" PRId64 ": %#x, want %#x",
				 (s64)(GUEST_DATA + n - want->gpr[GPR_RBX]), ((u8 *)GUEST_DATA)[n], native_data[n]);
			return text;
		}
	for (unsigned n = 0; n < 16; n++)
		if (memcmp(want->ymm[n], got->ymm[n], 32)) {
			snprintf(text, sizeof(text), "ymm%u", n);
			return text;
		}
	if (w->mxcsr != g->mxcsr) {
		snprintf(text, sizeof(text), "mxcsr %#x, want %#x", g->mxcsr, w->mxcsr);
		return text;
	}
	if (w->fsw != g->fsw || w->fcw != g->fcw || w->ftw != g->ftw || pointers_differ(want, got)) {
		snprintf(text, sizeof(text), "x87 %x %x %x %x %#" PRIx64 " %#" PRIx64 ", want %x %x %x %x %#" PRIx64
			 " %#" PRIx64, g->fcw, g->fsw, g->ftw, g->fop, g->fip, g->fdp, w->fcw, w->fsw, w->ftw, w->fop,
			 w->fip, w->fdp);
		return text;
	}
	for (unsigned n = 0; n < 8; n++)
		if (memcmp(w->st[n], g->st[n], 10))
			return "st";
	return NULL;
}

static void trial(const struct form *form)
{
	struct native_state before, native, soft;
	u64 target = random_target();
	const char *what;

	random_registers(&before, target);
	random_area(target);
	native = soft = before;
	memcpy((void *)GUEST_DATA, initial_data, sizeof(initial_data));
	native_run(&native, form->bytes, form->length);
	memcpy(native_data, (void *)GUEST_DATA, sizeof(native_data));
	memcpy((void *)GUEST_DATA, initial_data, sizeof(initial_data));
	guest_run(&soft, form->bytes, form->length);
	what = difference(&native, &soft);
	if (!what) {
		passed++;
	} else if (++failed <= MAX_REPORTS) {
		const u64 *header = (const u64 *)(initial_data + target - GUEST_DATA + XSAVE_HEADER_OFFSET);

		printf("  %s, mask %" PRIu64 ", header %#" PRIx64 " %#" PRIx64 ": %s\n", form->name,
		       before.gpr[GPR_RAX], header[0], header[1], what);
	}
}

int main(int argc, char **argv)
{
	unsigned trials = argc > 1 ? (unsigned)atoi(argv[1]) : 1000;

	if (!native_start() || !guest_start()) {
		printf("skipped: this host cannot execute the instructions itself\n");
		return 0;
	}
	if (argc > 2)
		random_state ^= strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ull;
	random_bytes(initial_data, sizeof(initial_data));
	for (unsigned n = 0; n < trials; n++)
		for (unsigned f = 0; f < sizeof(forms) / sizeof(forms[0]); f++)
			trial(&forms[f]);
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed ? 1 : 0;
}

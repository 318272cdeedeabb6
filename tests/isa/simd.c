/*
 * Every vector instruction against the host's own: random registers, operands, addresses, rounding and exception
 * masks; results, flags, MXCSR, x87 state, memory and faults must agree. First in 64-bit mode, then with the guest in
 * compatibility mode and the host still in 64-bit mode, with encodings that mean the same in both.
 *
 * The instructions are found by trying every opcode of every map with every mandatory prefix, VEX.L and VEX.W, and
 * asking the decoder which of them belong to the vector families. `simd [trials [seed]]`; `simd time` measures instead.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "native.h"

#define MAX_REPORTS 40

struct encoding {
	bool vex;
	u8 map; /* 1: 0F, 2: 0F38, 3: 0F3A */
	u8 pp, opcode, l, w;
};

static const bool is_vector_op[INSN_OP_COUNT] = {
#define FAMILY_simd true
#define FAMILY_alu false
#define FAMILY_mov false
#define FAMILY_shift false
#define FAMILY_muldiv false
#define FAMILY_bit false
#define FAMILY_string false
#define FAMILY_stack false
#define FAMILY_branch false
#define FAMILY_far false
#define FAMILY_seg false
#define FAMILY_sys false
#define FAMILY_io false
#define FAMILY_x87 false
#define FAMILY_xsave false
#define FAMILY_vmx false
#define FAMILY_svm false
#define INSN(name, family, feature) [INSN_##name] = FAMILY_##family,
#include "insn/insn.def"
#undef INSN
};

static enum insn_mode mode = INSN_MODE_64;
static unsigned op_trials[INSN_OP_COUNT];
static unsigned long passed, failed;
static u8 initial_data[GUEST_DATA_BYTES];

/* ---- random ---- */

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

/* Numbers that floating-point instructions find special, of both widths. */
static u64 special_number(void)
{
	static const u64 doubles[] = {
		0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000,
		0x7ff8000000000000, 0x7ff0000000000001, 0xfff8dead00000000, 1, 0x000fffffffffffff, 0x0010000000000000,
		0x7fefffffffffffff, 0x41dfffffffc00000, 0x41e0000000000000, 0x43e0000000000000, 0x3ff8000000000000,
		0x3fe0000000000000, 0x0020000000000000, 0x8010000000000001, 0x4024000000000000, 0x3ca0000000000000,
	};
	static const u32 floats[] = {
		0, 1u << 31, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffc0dead, 1,
		0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0x5f000000, 0x3fc00000, 0x3f000000, 0x01000000,
		0x80800001, 0x41200000, 0x33800000, 0x4effffff,
	};

	if (below(2))
		return doubles[below(ARRAY_LENGTH(doubles))];
	return (u64)floats[below(ARRAY_LENGTH(floats))] << 32 | floats[below(ARRAY_LENGTH(floats))];
}

static void random_bytes(void *to, size_t bytes)
{
	unsigned kind = below(4);

	for (size_t n = 0; n < bytes; n += 8) {
		u64 value = kind == 0 ? rnd() : kind == 1 || below(2) ? special_number() : rnd();

		if (kind == 3)
			value &= 0x0f0f0f0f0f0f0f0f; /* small counts and text */
		memcpy((u8 *)to + n, &value, 8);
	}
}

static void random_state_make(struct native_state *state)
{
	memset(state, 0, sizeof(*state));
	for (unsigned n = 0; n < 16; n++) {
		random_bytes(state->ymm[n], 32);
		state->gpr[n] = below(2) ? rnd() : special_number();
		if (!below(4))
			state->gpr[n] = below(40); /* string lengths */
	}
	random_bytes(state->fx.st, sizeof(state->fx.st));
	for (unsigned n = 0; n < 8; n++)
		memset(state->fx.st[n] + 10, 0, 6);
	state->fx.fcw = 0x37f;
	state->fx.fsw = (u16)(below(8) << 11);
	state->fx.ftw = (u8)rnd();
	if (!below(16)) { /* an unmasked x87 exception waits */
		state->fx.fcw = 0x37e;
		state->fx.fsw |= 0x8081;
	}
	state->fx.mxcsr = 0x1f80 | (rnd() & 0xe07f);
	if (!below(3))
		state->fx.mxcsr = rnd() & 0xffff;
	if (below(3))
		state->fx.mxcsr &= ~0x3fu;
	state->rflags = 0x202 | (rnd() & 0x8d5);
	state->fault = -1;
}

/* ---- making instructions ---- */

/* reg: ModRM.reg, which some opcodes continue in. Returns the length, with room for two bytes of immediates. */
static unsigned encode(const struct encoding *e, bool memory, unsigned reg, u8 *out)
{
	static const u8 prefix[] = { 0, 0x66, 0xf3, 0xf2 };
	unsigned n = 0, r = below(2), x = below(2), b = below(2), modrm = reg << 3 | below(8), sib = below(256);
	bool wide = mode == INSN_MODE_64;

	if (e->vex) {
		out[n++] = 0xc4;
		out[n++] = (u8)((wide ? r << 7 | x << 6 | b << 5 : 0xe0) | e->map);
		out[n++] = (u8)(e->w << 7 | (below(4) ? below(16) | (wide ? 0 : 8) : 15) << 3 | e->l << 2 | e->pp);
	} else {
		if (e->pp)
			out[n++] = prefix[e->pp];
		if (wide && (e->w || below(2)))
			out[n++] = (u8)(0x40 | e->w << 3 | r << 2 | x << 1 | b);
		out[n++] = 0x0f;
		if (e->map > 1)
			out[n++] = e->map == 2 ? 0x38 : 0x3a;
	}
	if (memory && !below(3))
		modrm = (modrm & ~7u) | 4; /* a SIB byte, which gathers need */
	out[n++] = e->opcode;
	out[n++] = (u8)(modrm | (memory ? 0x80 : 0xc0));
	if (memory && (modrm & 7) == 4)
		out[n++] = (u8)sib;
	if (memory) {
		u32 disp = below(2) ? below(256) : 0u - below(256);

		memcpy(out + n, &disp, 4);
		n += 4;
	}
	out[n++] = (u8)(rnd() & (wide ? 0xff : 0x7f)); /* the top bit may be a register number's, ignored there */
	out[n++] = (u8)rnd();
	return n;
}

static u64 random_target(void)
{
	u64 end = GUEST_DATA + GUEST_DATA_BYTES;

	switch (below(10)) {
	case 0: return end - below(34);
	case 1: return end - 8 * (1 + below(6));
	case 2: return GUEST_DATA - below(17);
	case 3: return GUEST_DATA + PAGE_SIZE - below(32);
	case 4:
	case 5: return GUEST_DATA + below(GUEST_DATA_BYTES - 64);
	default: return GUEST_DATA + 64 * below(GUEST_DATA_BYTES / 64);
	}
}

static bool is_gather(const struct insn *i)
{
	return i->op >= INSN_VGATHERDPS && i->op <= INSN_VPGATHERQQ;
}

/* Gathers get indexes that mostly stay within the data. */
static void aim_gather(const struct insn *i, struct native_state *state)
{
	for (unsigned n = 0; n < 8; n++) {
		s32 index = (s32)below(below(8) ? 200 : 3000) - 100;

		if (i->op == INSN_VGATHERDPS || i->op == INSN_VGATHERDPD || i->op == INSN_VPGATHERDD ||
		    i->op == INSN_VPGATHERDQ)
			memcpy(state->ymm[i->index] + n * 4, &index, 4);
		else if (n < 4)
			memcpy(state->ymm[i->index] + n * 8, &(s64){ index }, 8);
	}
}

/* Sets the address registers so that the operand lies at target. false: these registers cannot. */
static bool aim(const struct insn *i, struct native_state *state, u64 target)
{
	state->gpr[GPR_RDI] = target; /* MASKMOV */
	if (!insn_has_memory_operand(i))
		return true;
	if (i->base >= GPR_COUNT || (i->index == i->base && !is_gather(i)))
		return false;
	target -= (u64)i->disp;
	if (is_gather(i)) {
		aim_gather(i, state);
	} else if (i->index < GPR_COUNT) {
		state->gpr[i->index] = below(64);
		target -= state->gpr[i->index] << i->scale;
	}
	state->gpr[i->base] = target;
	return true;
}

/* ---- comparing ---- */

/* Beside an unmasked exception not every flag is exact (exec_simd_float.c). */
static u32 mxcsr_ignored(const struct insn *i, const struct native_state *want)
{
	if (want->fault != VECTOR_XM)
		return 0;
	if (i->op == INSN_DPPS || i->op == INSN_DPPD || i->op == INSN_VDPPS || i->op == INSN_VDPPD)
		return 0x3f;
	return want->fx.mxcsr & ~(want->fx.mxcsr >> 7) & 0x18 ? 0x20 : 0;
}

static const char *difference(const struct insn *i, const struct native_state *want, const struct native_state *got,
			      const u8 *want_data)
{
	static char text[128];

	if (want->fault != got->fault) {
		snprintf(text, sizeof(text), "fault %d, want %d", got->fault, want->fault);
		return text;
	}
	if (want->fault == VECTOR_PF && (want->fault_address ^ got->fault_address) & PAGE_MASK)
		return "fault address";
	for (unsigned n = 0; n < 16; n++) {
		if (memcmp(want->ymm[n], got->ymm[n], 32)) {
			snprintf(text, sizeof(text), "ymm%u", n);
			return text;
		}
		if (want->gpr[n] != got->gpr[n]) {
			snprintf(text, sizeof(text), "gpr %u: %#" PRIx64 ", want %#" PRIx64, n, got->gpr[n],
				 want->gpr[n]);
			return text;
		}
	}
	if ((want->fx.mxcsr ^ got->fx.mxcsr) & ~mxcsr_ignored(i, want)) {
		snprintf(text, sizeof(text), "mxcsr %#x, want %#x", got->fx.mxcsr, want->fx.mxcsr);
		return text;
	}
	if ((want->rflags ^ got->rflags) & RFLAGS_STATUS) {
		snprintf(text, sizeof(text), "rflags %#" PRIx64 ", want %#" PRIx64, got->rflags, want->rflags);
		return text;
	}
	if (want->fx.fsw != got->fx.fsw || want->fx.fcw != got->fx.fcw || want->fx.ftw != got->fx.ftw) {
		snprintf(text, sizeof(text), "x87 fsw %#x ftw %#x, want %#x %#x", got->fx.fsw, got->fx.ftw,
			 want->fx.fsw, want->fx.ftw);
		return text;
	}
	for (unsigned n = 0; n < 8; n++)
		if (memcmp(want->fx.st[n], got->fx.st[n], 10))
			return "st";
	return memcmp(want_data, (void *)GUEST_DATA, GUEST_DATA_BYTES) ? "memory" : NULL;
}

static void report(const struct insn *i, const u8 *bytes, const struct native_state *before, const char *what)
{
	if (failed > MAX_REPORTS)
		return;
	printf("  %s:", insn_op_name((enum insn_op)i->op));
	for (unsigned n = 0; n < i->length; n++)
		printf(" %02x", bytes[n]);
	printf("  (mxcsr %#x): %s\n", before->fx.mxcsr, what);
}

static void trial(const struct insn *i, const u8 *bytes)
{
	static u8 native_data[GUEST_DATA_BYTES];
	struct native_state before, native, soft;
	const char *what;

	random_state_make(&before);
	if (!aim(i, &before, random_target()))
		return;
	native = soft = before;
	memcpy((void *)GUEST_DATA, initial_data, sizeof(initial_data));
	native_run(&native, bytes, i->length);
	memcpy(native_data, (void *)GUEST_DATA, sizeof(native_data));
	memcpy((void *)GUEST_DATA, initial_data, sizeof(initial_data));
	guest_run(&soft, bytes, i->length);
	op_trials[i->op]++;
	what = difference(i, &native, &soft, native_data);
	if (!what) {
		passed++;
		return;
	}
	failed++;
	report(i, bytes, &before, what);
}

/* ---- all of them ---- */

/* Those two reach fewer registers in compatibility mode, where the host is not. */
static bool is_comparable(const struct insn *i)
{
	return is_vector_op[i->op] && (mode == INSN_MODE_64 || (i->op != INSN_VZEROALL && i->op != INSN_VZEROUPPER));
}

static void test_encoding(const struct encoding *e, unsigned trials)
{
	u8 bytes[16];
	struct insn i;

	for (unsigned n = 0; n < 2 * trials; n++) {
		memset(bytes, 0, sizeof(bytes));
		encode(e, n & 1, n / 2 % 8, bytes);
		if (insn_decode(bytes, INSN_MAX_LENGTH, mode, guest->amd, &i) == INSN_OK && is_comparable(&i))
			trial(&i, bytes);
	}
}

static void test_all(unsigned trials)
{
	struct encoding e;

	for (unsigned vex = 0; vex < 2; vex++)
		for (e.map = 1; e.map <= 3; e.map++)
			for (unsigned opcode = 0; opcode < 256; opcode++)
				for (unsigned bits = 0; bits < 16; bits++) {
					e.vex = vex;
					e.opcode = (u8)opcode;
					e.pp = bits & 3;
					e.w = bits >> 2 & 1;
					e.l = bits >> 3 & 1;
					if ((vex || !e.l) && (mode == INSN_MODE_64 || !e.w))
						test_encoding(&e, trials);
				}
}

static void report_untried(void)
{
	for (unsigned op = 0; op < INSN_OP_COUNT; op++)
		if (is_vector_op[op] && !op_trials[op]) {
			printf("  %s: never tried\n", insn_op_name((enum insn_op)op));
			failed++;
		}
}

static void time_all(void)
{
	static const struct { const char *text; u8 bytes[9]; unsigned length; } loops[] = {
		{ "paddb xmm1, xmm2", { 0x66, 0x0f, 0xfc, 0xca }, 4 },
		{ "paddb xmm1, xmm1", { 0x66, 0x0f, 0xfc, 0xc9 }, 4 },
		{ "mulpd xmm1, xmm2", { 0x66, 0x0f, 0x59, 0xca }, 4 },
		{ "mulpd xmm1, [rbx]", { 0x66, 0x0f, 0x59, 0x0b }, 4 },
		{ "addsd xmm1, xmm2", { 0xf2, 0x0f, 0x58, 0xca }, 4 },
		{ "vpaddd ymm1, ymm2, ymm3", { 0xc5, 0xed, 0xfe, 0xcb }, 4 },
		{ "vpaddd ymm1, ymm1, ymm3", { 0xc5, 0xf5, 0xfe, 0xcb }, 4 },
		{ "vfmadd231pd ymm1, ymm2, ymm3", { 0xc4, 0xe2, 0xed, 0xb8, 0xcb }, 5 },
		{ "movdqu xmm1, [rbx]", { 0xf3, 0x0f, 0x6f, 0x0b }, 4 },
		{ "movdqu [rbx], xmm1", { 0xf3, 0x0f, 0x7f, 0x0b }, 4 },
		{ "vmovdqu ymm1, [rbx]", { 0xc5, 0xfe, 0x6f, 0x0b }, 4 },
		{ "vmovdqu [rbx], ymm1", { 0xc5, 0xfe, 0x7f, 0x0b }, 4 },
		{ "paddb mm1, mm2", { 0x0f, 0xfc, 0xca }, 3 },
		{ "pmovmskb eax, xmm1", { 0x66, 0x0f, 0xd7, 0xc1 }, 4 },
		{ "vzeroupper", { 0xc5, 0xf8, 0x77 }, 3 },
		{ "stmxcsr [rbx]", { 0x0f, 0xae, 0x1b }, 3 },
		{ "fxsave64 [rbx]", { 0x48, 0x0f, 0xae, 0x03 }, 4 },
		{ "xsave64 [rbx]", { 0x48, 0x0f, 0xae, 0x23 }, 4 },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(loops); n++) {
		struct native_state state;
		double nanoseconds;

		random_state_make(&state);
		memset(state.ymm, 0, sizeof(state.ymm));
		state.fx.mxcsr = 0x1f80;
		state.fx.fcw = 0x37f;
		state.fx.fsw = 0;
		state.gpr[GPR_RBX] = GUEST_DATA;
		state.gpr[GPR_RDX] = 0;
		state.gpr[GPR_RAX] = 7;
		nanoseconds = guest_time(&state, loops[n].bytes, loops[n].length, 24, 1000);
		for (unsigned repeat = 0; repeat < 20; repeat++) {
			double again = guest_time(&state, loops[n].bytes, loops[n].length, 24, 10000);

			nanoseconds = again < nanoseconds ? again : nanoseconds;
		}
		printf("%-32s %6.2f ns\n", loops[n].text, nanoseconds);
	}
}

int main(int argc, char **argv)
{
	bool timing = argc > 1 && !strcmp(argv[1], "time");
	unsigned trials = argc > 1 ? (unsigned)atoi(argv[1]) : 20;

	if (!native_start() || !guest_start()) {
		printf("skipped: this host cannot execute the instructions itself\n");
		return 0;
	}
	if (argc > 2)
		random_state ^= strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15ull;
	random_bytes(initial_data, sizeof(initial_data));
	if (timing) {
		time_all();
		return 0;
	}
	test_all(trials);
	report_untried();
	mode = INSN_MODE_32;
	guest_set_compatibility(true);
	test_all(trials / 2);
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed ? 1 : 0;
}

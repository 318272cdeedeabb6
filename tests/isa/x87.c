/*
 * Every x87 instruction against the host's own: registers, tags, status and control words, flags, memory and faults must
 * agree, for special and random numbers, full and empty stacks, every rounding and precision, and exceptions masked and
 * not. Instructions run alone and several in a row, because registers stay in the host's between them.
 *
 * The opcodes are found by trying all of D8 to DF and WAIT, and asking the decoder. The last instruction's pointers are not
 * the host's, which keeps them for unmasked exceptions only; they are checked by rule. `x87 [trials [seed]]`.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assemble.h"
#include "guest.h"
#include "native.h"

#define MAX_REPORTS 10
#define MAX_INSTRUCTIONS 6
#define OPERAND_BYTES 128 /* FNSAVE's area is 108 */
#define FCW_DEFAULT 0x37f

struct program {
	u8 bytes[MAX_INSTRUCTIONS * INSN_MAX_LENGTH];
	unsigned length, count;
	struct insn insn[MAX_INSTRUCTIONS];
};

static unsigned op_trials[INSN_OP_COUNT];
static unsigned long passed, failed;
static u8 initial_data[GUEST_DATA_BYTES];

/* ---- numbers ---- */

static void random_extended(u8 to[10])
{
	static const u16 exponents[] = {
		0, 0, 1, 0x7fff, 0x7fff, 0x7ffe, 0x3fff, 0x3ffe, 0x4000, 0x3ffd, 0x403e, 0x403d, 0x401e, 0x400e, 0x3fbf,
		0x3fc0, 0x3f80, 0x3f81, 0x407e, 0x407f, 0x3c00, 0x3c01, 0x43fe, 0x43ff, 0x3f6a, 0x3bcd, 0x4005,
	};
	static const u64 significands[] = {
		0, 1, BIT(63), BIT(63) | 1, BITS(63, 62), ~0ull, ~0ull >> 1, BIT(62), BITS(63, 40), BITS(63, 11),
		BITS(63, 10), BITS(63, 39), 0xc90fdaa22168c235, 0xa000000000000000,
	};
	u16 exponent = exponents[random_below(ARRAY_LENGTH(exponents))];
	u64 significand = significands[random_below(ARRAY_LENGTH(significands))];

	if (!random_below(3))
		exponent = (u16)(0x3fff - 70 + random_below(140));
	if (!random_below(8))
		exponent = random_u64() & 0x7fff;
	if (!random_below(2))
		significand = random_u64() | BIT(63);
	if (!random_below(12))
		significand = random_u64(); /* maybe an unnormal */
	exponent |= random_below(2) ? BIT(15) : 0;
	memcpy(to, &significand, 8);
	memcpy(to + 8, &exponent, 2);
}

static u64 random_double(void)
{
	static const u64 doubles[] = {
		0, 0x3ff0000000000000, 0x7ff0000000000000, 0x7ff8000000000000, 0x7ff0000000000001, 0x7ff8dead00000000, 1,
		0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41dfffffffc00000, 0x43e0000000000000,
		0x3ff8000000000000, 0x3fe0000000000000, 0x4024000000000000, 0x3ca0000000000000, 0x400921fb54442d18,
	};

	return random_below(3) ? doubles[random_below(ARRAY_LENGTH(doubles))] | random_u64() << 63 : random_u64();
}

static u32 random_float(void)
{
	static const u32 floats[] = {
		0, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x7fc0dead, 1, 0x007fffff, 0x00800000, 0x7f7fffff,
		0x4f000000, 0x5f000000, 0x3fc00000, 0x3f000000, 0x01000000, 0x41200000, 0x33800000,
	};
	u32 sign = (u32)random_u64() << 31;

	return random_below(3) ? floats[random_below(ARRAY_LENGTH(floats))] | sign : (u32)random_u64();
}

/* Packed decimals, sometimes with digits that are none. */
static void random_decimal(u8 to[10])
{
	for (unsigned n = 0; n < 9; n++)
		to[n] = (u8)(random_below(10) << 4 | random_below(10));
	to[9] = random_below(2) ? 0x80 : 0;
	if (!random_below(8))
		to[random_below(10)] = (u8)random_u64();
}

/* Something at the operand's place that the instruction might mean. */
static void random_operand(u8 *at)
{
	u64 wide = random_u64();

	for (unsigned n = 0; n < OPERAND_BYTES; n += 8, wide = random_u64())
		memcpy(at + n, &wide, 8);
	switch (random_below(6)) {
	case 0:
		wide = random_double();
		memcpy(at, &wide, 8);
		break;
	case 1: memcpy(at, &(u32){ random_float() }, 4); break;
	case 2: random_extended(at); break;
	case 3: random_decimal(at); break;
	case 4: /* small integers, and the most negative */
		wide = random_below(2) ? BIT(63) : random_below(2) ? BIT(31) | BIT(15) : random_below(100);
		memcpy(at, &wide, 8);
		break;
	}
}

/* ---- states ---- */

static void random_control(struct native_fx *fx)
{
	fx->fcw = 0x40 | 0x3f;
	fx->fcw |= (u16)(random_below(4) << 8 | random_below(4) << 10); /* precision, reserved one too, and rounding */
	if (!random_below(3))
		fx->fcw &= (u16)(~0x3fu | random_u64());
	fx->fsw = (u16)(random_below(8) << 11 | (random_u64() & 0x4700));
	if (random_below(2))
		fx->fsw |= random_u64() & 0x7f;
	if (random_below(4))
		fx->fsw &= (u16)(fx->fcw | ~0x3fu); /* nothing is pending */
	if (fx->fsw & ~fx->fcw & 0x3f)
		fx->fsw |= 0x8080;
	switch (random_below(4)) {
	case 0: fx->ftw = (u8)random_u64(); break;
	case 1: fx->ftw = (u8)(0xff << random_below(8)); break;
	case 2: fx->ftw = random_below(4) ? 0xff : 0; break;
	default: fx->ftw = (u8)~(1u << random_below(8)); break;
	}
}

static void random_state_make(struct native_state *state)
{
	memset(state, 0, sizeof(*state));
	for (unsigned n = 0; n < 16; n++)
		state->gpr[n] = random_u64();
	for (unsigned n = 0; n < 8; n++)
		random_extended(state->fx.st[n]);
	random_control(&state->fx);
	state->fx.mxcsr = 0x1f80;
	state->rflags = 0x202 | (random_u64() & RFLAGS_STATUS);
	state->fault = -1;
}

/* Mostly within the data; sometimes across its end, or across its two pages. */
static u64 random_target(void)
{
	switch (random_below(12)) {
	case 0: return GUEST_DATA + GUEST_DATA_BYTES - random_below(110);
	case 1: return GUEST_DATA + PAGE_SIZE - random_below(110);
	default: return GUEST_DATA + random_below(GUEST_DATA_BYTES - OPERAND_BYTES);
	}
}

/* ---- programs ---- */

static bool is_x87(const struct insn *i)
{
	return i->op >= INSN_FADD && i->op <= INSN_FWAIT;
}

/* opcode 9B is WAIT and has no ModRM; else modrm's r/m is replaced by [rdi] if it means memory. false: no such instruction. */
static bool append(struct program *p, u8 opcode, u8 modrm)
{
	u8 *at = p->bytes + p->length;
	unsigned n = 0;

	if (opcode != 0x9b && modrm < 0xc0 && !random_below(8))
		at[n++] = 0x66; /* the short layouts of FNSTENV and FNSAVE */
	at[n++] = opcode;
	if (opcode != 0x9b)
		at[n++] = modrm < 0xc0 ? (u8)((modrm & 0x38) | 7) : modrm;
	if (insn_decode(at, n, INSN_MODE_64, guest->amd, &p->insn[p->count]) != INSN_OK || !is_x87(&p->insn[p->count]))
		return false;
	p->length += n;
	p->count++;
	return true;
}

static void append_random(struct program *p)
{
	while (!append(p, (u8)(0xd8 + random_below(8)), (u8)random_u64()))
		;
}

/* May it load again what it saved, the last instruction's pointers too? */
static bool loads_pointers(const struct program *p)
{
	bool saved = false;

	for (unsigned n = 0; n < p->count; n++) {
		enum insn_op op = (enum insn_op)p->insn[n].op;

		if (saved && insn_has_memory_operand(&p->insn[n]))
			return true;
		saved |= op == INSN_FNSTENV || op == INSN_FNSAVE;
	}
	return false;
}

/* ---- comparing ---- */

/* FNSTENV and FNSAVE: where in their area the last instruction's pointers are, which the host does not keep. */
static bool has_pointers(const struct insn *i, unsigned *from, unsigned *to)
{
	bool wide = i->opsize != 2;

	*from = wide ? 12 : 6;
	*to = wide ? 28 : 14;
	return i->op == INSN_FNSTENV || i->op == INSN_FNSAVE;
}

static void forget_pointers(const struct program *p, u64 target, u8 *data)
{
	unsigned from, to;

	for (unsigned n = 0; n < p->count; n++) {
		if (!has_pointers(&p->insn[n], &from, &to))
			continue;
		for (u64 at = target + from; at < target + to; at++)
			if (at >= GUEST_DATA && at < GUEST_DATA + GUEST_DATA_BYTES)
				data[at - GUEST_DATA] = 0;
	}
}

static const char *difference(const struct native_state *want, const struct native_state *got)
{
	static char text[160];
	unsigned at;

	if (want->fault != got->fault) {
		snprintf(text, sizeof(text), "fault %d, want %d", got->fault, want->fault);
		return text;
	}
	for (unsigned n = 0; n < 16; n++)
		if (want->gpr[n] != got->gpr[n])
			return "general registers";
	if ((want->rflags ^ got->rflags) & RFLAGS_STATUS)
		return "flags";
	if (want->fx.fsw != got->fx.fsw || want->fx.fcw != got->fx.fcw || want->fx.ftw != got->fx.ftw) {
		snprintf(text, sizeof(text), "fcw %#x fsw %#x ftw %#x, want %#x %#x %#x", got->fx.fcw, got->fx.fsw,
			 got->fx.ftw, want->fx.fcw, want->fx.fsw, want->fx.ftw);
		return text;
	}
	for (at = 0; at < 8; at++) {
		if (memcmp(want->fx.st[at], got->fx.st[at], 10)) {
			snprintf(text, sizeof(text), "st%u", at);
			return text;
		}
	}
	return NULL;
}

/* "x87 FPU Instruction and Data (Operand) Pointers": control instructions keep them; FNINIT and FNSAVE clear them. */
static const char *pointers_wrong(const struct insn *i, const struct native_state *before, const struct native_state *after,
				  u64 target)
{
	bool legacy = i->op == INSN_FNOP && i->opcode == 0xdb; /* FENI, FDISI, FSETPM */
	bool control = (i->op >= INSN_FNCLEX && i->op <= INSN_FWAIT) || legacy;
	bool clears = i->op == INSN_FNINIT || i->op == INSN_FNSAVE, loads = i->op == INSN_FLDENV || i->op == INSN_FRSTOR;
	u64 fip = control ? (clears ? 0 : before->fx.fip) : GUEST_CODE;
	u64 fdp = control || !insn_has_memory_operand(i) ? (clears ? 0 : before->fx.fdp) : target;

	if (loads || after->fault >= 0)
		return NULL;
	return after->fx.fip != fip ? "instruction pointer" : after->fx.fdp != fdp ? "operand pointer" : NULL;
}

static void report(const struct program *p, const struct native_state *before, const char *what)
{
	if (failed > MAX_REPORTS)
		return;
	printf(" ");
	for (unsigned n = 0; n < p->count; n++)
		printf(" %s", insn_op_name((enum insn_op)p->insn[n].op));
	printf(":");
	for (unsigned n = 0; n < p->length; n++)
		printf(" %02x", p->bytes[n]);
	printf("  (fcw %#x fsw %#x ftw %#x): %s\n", before->fx.fcw, before->fx.fsw, before->fx.ftw, what);
}

static void trial(const struct program *p)
{
	static u8 native_data[GUEST_DATA_BYTES], soft_data[GUEST_DATA_BYTES];
	struct native_state before, native, soft;
	u64 target = random_target();
	const char *what;

	random_state_make(&before);
	before.gpr[GPR_RDI] = target;
	for (unsigned n = 0; n < p->count; n++)
		op_trials[p->insn[n].op]++;
	if (target + OPERAND_BYTES <= GUEST_DATA + GUEST_DATA_BYTES)
		random_operand(initial_data + (target - GUEST_DATA));
	native = soft = before;
	memcpy((void *)GUEST_DATA, initial_data, sizeof(initial_data));
	native_run(&native, p->bytes, p->length);
	memcpy(native_data, (void *)GUEST_DATA, sizeof(native_data));
	memcpy((void *)GUEST_DATA, initial_data, sizeof(initial_data));
	guest_run(&soft, p->bytes, p->length);
	memcpy(soft_data, (void *)GUEST_DATA, sizeof(soft_data));
	forget_pointers(p, target, native_data);
	forget_pointers(p, target, soft_data);
	what = difference(&native, &soft);
	if (!what && memcmp(native_data, soft_data, sizeof(native_data)))
		what = "memory";
	if (!what && p->count == 1)
		what = pointers_wrong(&p->insn[0], &before, &soft, target);
	if (!what) {
		passed++;
		return;
	}
	failed++;
	report(p, &before, what);
}

/* ---- all of them ---- */

static void test_alone(unsigned trials)
{
	for (unsigned opcode = 0xd8; opcode <= 0xe0; opcode++) {
		for (unsigned modrm = 0; modrm < 256; modrm++) {
			for (unsigned n = 0; n < trials; n++) {
				struct program p = { 0 };

				if (append(&p, opcode == 0xe0 ? 0x9b : (u8)opcode, (u8)modrm))
					trial(&p);
			}
		}
	}
}

static void test_rows(unsigned trials)
{
	for (unsigned n = 0; n < trials; n++) {
		struct program p = { 0 };

		for (unsigned count = 2 + random_below(MAX_INSTRUCTIONS - 1); count; count--)
			append_random(&p);
		if (!loads_pointers(&p))
			trial(&p);
	}
}

static void report_untried(void)
{
	for (unsigned op = INSN_FADD; op <= INSN_FWAIT; op++) {
		if (op_trials[op])
			continue;
		printf("  %s: never tried\n", insn_op_name((enum insn_op)op));
		failed++;
	}
}

int main(int argc, char **argv)
{
	unsigned trials = argc > 1 ? (unsigned)atoi(argv[1]) : 40;

	if (!native_start() || !guest_start()) {
		printf("skipped: this host cannot execute the instructions itself\n");
		return 0;
	}
	random_seed(argc > 2 ? strtoull(argv[2], NULL, 0) : 1);
	test_alone(trials);
	test_rows(trials * 1000);
	report_untried();
	printf("%lu passed, %lu failed\n", passed, failed);
	return failed ? 1 : 0;
}

/*
 * The interpreter against the host's own processor.
 *
 *   differential [-n CASES] [-s SEED] [-c CASE] [-v FAILURES_SHOWN]
 *
 * Each case is a sequence of instructions, made at random from the rows of *.def, with random registers, flags and
 * memory. It runs on the host's CPU (native.h) and on the interpreter (guest.h); registers, flags, memory and the
 * exception, if there was one, must be the same. A case depends on the seed and its number only; a failing one is cut
 * down to the instruction that makes the difference. Some cases are 32-bit code in compatibility mode.
 */
#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "assemble.h"
#include "guest.h"
#include "insn/insn.h"

#define MAX_LENGTH 8 /* instructions in a case */
#define MAX_BYTES 1024

/* What a row needs. */
#define ALONE 1u    /* no other instructions in the case: it may change registers that serve as pointers */
#define SMALL 2u    /* small numbers in registers */
#define STRING 4u   /* RSI and RDI point to data, RCX is a small count, DF is random */
#define DIVIDEND 8u /* often rDX:rAX is small enough that a quotient fits */
#define MATCHING 16u /* often rDX:rAX equals what is in memory */
#define COUNTER 32u /* RCX is often 0, 1 or 2 */
#define STACK 64u   /* RSP is well inside the data */
#define LONG 128u   /* 64-bit mode only */
#define COMPATIBILITY 256u /* 32-bit code only */

struct row {
	const char *encoding;
	u64 undefined;
	enum feature feature;
	unsigned attributes;
};

static const struct row rows[] = {
#define CASE(encoding, undefined, feature, attributes) { encoding, undefined, FEAT_##feature, attributes },
#include "integer.def"
#undef CASE
};

static const struct row *usable[ARRAY_LENGTH(rows)];
static unsigned usable_count;
static bool compatibility_works;

struct sequence {
	u8 bytes[MAX_BYTES];
	unsigned length; /* instructions (rows) */
	unsigned end[MAX_LENGTH];
	u64 undefined[MAX_LENGTH]; /* flags of each, which only a fault can leave to be seen */
	unsigned attributes;
	bool compatibility;
};

static struct {
	u64 seed, passed, failed;
	unsigned show;
} total = { .seed = 1, .show = 10 };

/* ---- the host's features ---- */

enum { NONE, EAX, EBX, ECX, EDX };

static bool host_has(enum feature wanted)
{
	static const struct { u32 leaf, subleaf, reg, bit; } features[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, subleaf, reg, bit) [FEAT_##id] = { leaf, subleaf, reg, bit },
#include "x86/feature.def"
#undef FEATURE
	};
	u32 r[5] = { 0 };

	if (wanted == FEAT_BASE)
		return true;
	if (!__get_cpuid_count(features[wanted].leaf, features[wanted].subleaf, &r[EAX], &r[EBX], &r[ECX], &r[EDX]))
		return false;
	return r[features[wanted].reg] >> features[wanted].bit & 1;
}

/* Some kernels have no segment for 32-bit code. */
static bool host_runs_compatibility_code(void)
{
	struct native_state state = { .compatibility = true, .rflags = RFLAGS_FIXED };

	state.fx.fcw = 0x37f;
	state.fx.mxcsr = 0x1f80;
	native_run(&state, (const u8[]){ 0x40 }, 1); /* inc eax, or a REX prefix */
	return state.fault < 0 && state.gpr[GPR_RAX] == 1;
}

static void find_usable_rows(void)
{
	compatibility_works = host_runs_compatibility_code();
	for (unsigned n = 0; n < ARRAY_LENGTH(rows); n++)
		if (host_has(rows[n].feature))
			usable[usable_count++] = &rows[n];
}

/* ---- making a case ---- */

/* Flags that the manual leaves undefined must not reach the next instruction: pushf; and dword [rsp], ~flags; popf. */
static unsigned clear_flags(u8 *at, u64 flags)
{
	u32 mask = (u32)~flags;

	memcpy(at, (const u8[]){ 0x9c, 0x81, 0x24, 0x24 }, 4);
	memcpy(at + 4, &mask, 4);
	at[8] = 0x9d;
	return 9;
}

static const struct row *pick_row(bool alone, bool compatibility)
{
	unsigned unwanted = (alone ? 0 : ALONE) | (compatibility ? LONG : COMPATIBILITY);
	const struct row *row;

	do
		row = usable[random_below(usable_count)];
	while (row->attributes & unwanted);
	return row;
}

static void make_sequence(struct sequence *s)
{
	unsigned length = random_below(2) ? 1 : 2 + random_below(MAX_LENGTH - 1), at = 0;
	struct assemble_rules rules = {
		.any_register = length == 1 && random_below(4) == 0,
		.compatibility = compatibility_works && random_below(3) == 0,
	};

	memset(s, 0, sizeof(*s));
	s->compatibility = rules.compatibility;
	for (unsigned n = 0; n < length; n++) {
		const struct row *row = pick_row(length == 1, s->compatibility);

		if (row->attributes & SMALL)
			rules.any_register = false;
		at += assemble(row->encoding, &rules, s->bytes + at);
		if (row->undefined)
			at += clear_flags(s->bytes + at, row->undefined);
		s->end[n] = at;
		s->undefined[n] = row->undefined;
		s->attributes |= row->attributes;
	}
	s->length = length;
}

static u64 random_value(void)
{
	static const u64 corners[] = { 0, 1, ~0ull, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
				       0xffffffff, INT64_MAX, 1ull << 63, 9, 0x99 };

	switch (random_below(5)) {
	case 0: return corners[random_below(ARRAY_LENGTH(corners))];
	case 1: return random_below(300);
	case 2: return (u64)-(s64)random_below(300);
	default: return random_u64();
	}
}

/* An address in the data: mostly well inside, sometimes at an edge, aligned or not. */
static u64 random_pointer(void)
{
	u64 middle = GUEST_DATA + 1024 + random_below(GUEST_DATA_BYTES - 2048);

	switch (random_below(16)) {
	case 0: return GUEST_DATA + random_below(16);
	case 1: return GUEST_DATA + GUEST_DATA_BYTES - random_below(16);
	case 2: return random_below(64) ? GUEST_DATA + PAGE_SIZE - random_below(16) : random_u64();
	default: return random_below(2) ? middle : middle & ~63ull;
	}
}

static void keep_low_halves(struct native_state *state)
{
	for (unsigned n = 0; n < 16; n++)
		state->gpr[n] = n < 8 ? (u32)state->gpr[n] : 0;
}

static void random_registers(struct native_state *state, unsigned attributes)
{
	u64 *gpr = state->gpr;
	unsigned index_registers = state->compatibility ? INDEX_REGISTERS_32 : INDEX_REGISTERS;

	for (unsigned n = 0; n < 16; n++) {
		gpr[n] = attributes & SMALL ? random_below(4000) - 2000ull : random_value();
		if (POINTER_REGISTERS >> n & 1)
			gpr[n] = random_pointer();
		if (index_registers >> n & 1)
			gpr[n] = random_below(64) - 32ull;
	}
	if (attributes & STRING) {
		gpr[GPR_RSI] = random_pointer();
		gpr[GPR_RDI] = random_below(3) ? random_pointer() : gpr[GPR_RSI] + random_below(32) - 16;
		gpr[GPR_RCX] = random_below(4) ? random_below(40) : random_below(2000);
	}
	if (attributes & DIVIDEND && random_below(4))
		gpr[GPR_RDX] = random_below(2) ? random_below(4) : (u64)((s64)gpr[GPR_RAX] >> 63);
	if (attributes & STACK)
		gpr[GPR_RSP] = GUEST_DATA + GUEST_DATA_BYTES / 2;
	if (attributes & COUNTER && random_below(2))
		gpr[GPR_RCX] = random_below(3);
	if (state->compatibility)
		keep_low_halves(state);
}

/* Memory: random, or of one byte repeated, which the accumulator may then match. */
static void random_memory(struct native_state *state, unsigned attributes)
{
	u64 *data = (u64 *)GUEST_DATA, value = random_below(256) * (~0ull / 255);
	bool uniform = attributes & MATCHING ? random_below(2) : attributes & STRING && random_below(2);

	for (unsigned n = 0; n < GUEST_DATA_BYTES / 8; n++)
		data[n] = uniform ? value : random_u64();
	if (!uniform)
		return;
	state->gpr[GPR_RAX] = state->gpr[GPR_RDX] = state->compatibility ? (u32)value : value;
	data[random_below(GUEST_DATA_BYTES / 8)] ^= random_u64();
}

static void random_vectors(struct native_state *state)
{
	struct native_fx *fx = &state->fx;

	fx->fcw = (u16)(0x37f & ~(random_below(2) ? 3 << 8 : 0)) | (u16)(random_below(4) << 10);
	fx->fsw = (u16)(random_below(8) << 11 | random_below(2) << 14 | random_below(8) << 8);
	fx->ftw = (u8)random_u64();
	fx->mxcsr = 0x1f80 | random_below(4) << 13;
	for (unsigned n = 0; n < 8; n++) {
		memcpy(fx->st[n], &(u64){ random_u64() | 1ull << 63 }, 8);
		memcpy(fx->st[n] + 8, &(u16){ (u16)(0x3fff + random_below(80) - 40) }, 2);
	}
	for (unsigned n = 0; n < sizeof(state->ymm) / 8; n++)
		memcpy((u8 *)state->ymm + n * 8, &(u64){ random_value() }, 8);
}

static void make_state(struct native_state *state, const struct sequence *s)
{
	memset(state, 0, sizeof(*state));
	state->compatibility = s->compatibility;
	random_registers(state, s->attributes);
	random_vectors(state);
	random_memory(state, s->attributes);
	state->rflags = RFLAGS_FIXED | RFLAGS_IF | (random_u64() & RFLAGS_STATUS);
	if (s->attributes & STRING && random_below(3) == 0)
		state->rflags |= RFLAGS_DF;
}

/* ---- comparing ---- */

struct outcome {
	struct native_state state;
	u8 data[GUEST_DATA_BYTES];
};

struct trial {
	struct native_state before;
	u8 data[GUEST_DATA_BYTES];
	struct outcome guest, native;
};

static u64 flags_mask(const struct sequence *s, unsigned length, int fault)
{
	u64 mask = RFLAGS_STATUS | RFLAGS_DF | RFLAGS_ID;

	if (fault >= 0)
		for (unsigned n = 0; n < length; n++)
			mask &= ~s->undefined[n];
	return mask;
}

/* FOP, FIP and FDP are kept in too many ways to compare. */
static bool same_vectors(const struct native_state *a, const struct native_state *b)
{
	bool same = a->fx.fcw == b->fx.fcw && a->fx.fsw == b->fx.fsw && a->fx.ftw == b->fx.ftw &&
		    a->fx.mxcsr == b->fx.mxcsr && !memcmp(a->ymm, b->ymm, sizeof(a->ymm));

	for (unsigned n = 0; n < 8; n++)
		same &= !memcmp(a->fx.st[n], b->fx.st[n], 10);
	return same;
}

/* Where both operands of CMPS fault, processors report either. */
static bool same_fault(const struct native_state *a, const struct native_state *b, unsigned attributes)
{
	return a->fault == b->fault &&
	       (a->fault != VECTOR_PF || attributes & STRING || a->fault_address == b->fault_address);
}

static bool same_outcome(const struct trial *t, u64 flags, unsigned attributes)
{
	const struct native_state *a = &t->guest.state, *b = &t->native.state;

	return !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && !((a->rflags ^ b->rflags) & flags) &&
	       same_fault(a, b, attributes) && same_vectors(a, b) &&
	       !memcmp(t->guest.data, t->native.data, GUEST_DATA_BYTES);
}

/* Runs the first `length` instructions on both. */
static bool run(struct trial *t, const struct sequence *s, unsigned length)
{
	unsigned bytes = s->end[length - 1];

	memcpy((void *)GUEST_DATA, t->data, GUEST_DATA_BYTES);
	t->guest.state = t->before;
	guest_set_compatibility(s->compatibility);
	guest_run(&t->guest.state, s->bytes, bytes);
	memcpy(t->guest.data, (void *)GUEST_DATA, GUEST_DATA_BYTES);
	memcpy((void *)GUEST_DATA, t->data, GUEST_DATA_BYTES);
	t->native.state = t->before;
	native_run(&t->native.state, s->bytes, bytes);
	memcpy(t->native.data, (void *)GUEST_DATA, GUEST_DATA_BYTES);
	if (s->compatibility) {
		keep_low_halves(&t->guest.state);
		keep_low_halves(&t->native.state);
	}
	return same_outcome(t, flags_mask(s, length, t->native.state.fault), s->attributes);
}

/* ---- reporting ---- */

static void print_code(const struct sequence *s, unsigned bytes)
{
	for (unsigned at = 0; at < bytes;) {
		struct insn i;
		char text[128] = "?";
		enum insn_mode mode = s->compatibility ? INSN_MODE_32 : INSN_MODE_64;
		enum insn_status status = insn_decode(s->bytes + at, bytes - at, mode, false, &i);
		unsigned length = status == INSN_OK ? i.length : 1;

		if (status == INSN_OK)
			insn_format(&i, GUEST_CODE + at, text, sizeof(text));
		printf("   ");
		for (unsigned n = 0; n < length; n++)
			printf(" %02x", s->bytes[at + n]);
		printf("%*s %s\n", length < 12 ? (int)(12 - length) * 3 : 0, "", text);
		at += length;
	}
}

static void print_bytes(const char *name, unsigned n, const u8 *guest_bytes, const u8 *native_bytes, unsigned count)
{
	if (!memcmp(guest_bytes, native_bytes, count))
		return;
	printf("    %s%u: ", name, n);
	for (unsigned b = count; b--;)
		printf("%02x", guest_bytes[b]);
	printf(", want ");
	for (unsigned b = count; b--;)
		printf("%02x", native_bytes[b]);
	printf("\n");
}

static void print_memory(const struct trial *t)
{
	for (unsigned n = 0; n < GUEST_DATA_BYTES; n++) {
		if (t->guest.data[n] == t->native.data[n])
			continue;
		printf("    memory at %#llx: %02x, want %02x, was %02x\n", (unsigned long long)(GUEST_DATA + n), t->guest.data[n],
		       t->native.data[n], t->data[n]);
		return;
	}
}

static void print_difference(const struct trial *t, u64 flags)
{
	static const char *const names[] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					     "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
	const struct native_state *a = &t->guest.state, *b = &t->native.state;

	for (unsigned n = 0; n < 16; n++) {
		printf("    %s %-4s %016llx", a->gpr[n] == b->gpr[n] ? " " : "*", names[n],
		       (unsigned long long)t->before.gpr[n]);
		if (a->gpr[n] != b->gpr[n])
			printf(" -> %016llx, want %016llx", (unsigned long long)a->gpr[n], (unsigned long long)b->gpr[n]);
		printf("\n");
	}
	printf("    flags %llx -> %llx, want %llx, of %llx\n", (unsigned long long)t->before.rflags,
	       (unsigned long long)a->rflags, (unsigned long long)b->rflags, (unsigned long long)flags);
	if (a->fault != b->fault || a->fault_address != b->fault_address)
		printf("    exception %d at %#llx, want %d at %#llx\n", a->fault, (unsigned long long)a->fault_address,
		       b->fault, (unsigned long long)b->fault_address);
	printf("    fcw %04x fsw %04x ftw %02x mxcsr %04x -> %04x %04x %02x %04x, want %04x %04x %02x %04x\n",
	       t->before.fx.fcw, t->before.fx.fsw, t->before.fx.ftw, t->before.fx.mxcsr, a->fx.fcw, a->fx.fsw, a->fx.ftw,
	       a->fx.mxcsr, b->fx.fcw, b->fx.fsw, b->fx.ftw, b->fx.mxcsr);
	for (unsigned n = 0; n < 8; n++)
		print_bytes("st", n, a->fx.st[n], b->fx.st[n], 10);
	for (unsigned n = 0; n < 16; n++)
		print_bytes("ymm", n, a->ymm[n], b->ymm[n], 32);
	print_memory(t);
}

static void report(struct trial *t, const struct sequence *s, u64 number)
{
	unsigned length = 1;

	total.failed++;
	if (total.failed > total.show)
		return;
	while (length < s->length && run(t, s, length))
		length++;
	printf("FAILED: case %llu of seed %llu (-s %llu -c %llu)\n", (unsigned long long)number,
	       (unsigned long long)total.seed, (unsigned long long)total.seed, (unsigned long long)number);
	(void)run(t, s, length);
	print_code(s, s->end[length - 1]);
	print_difference(t, flags_mask(s, length, t->native.state.fault));
}

static void run_case(u64 number)
{
	static struct trial trial;
	struct sequence sequence;

	random_seed(total.seed << 40 ^ number);
	make_sequence(&sequence);
	make_state(&trial.before, &sequence);
	memcpy(trial.data, (void *)GUEST_DATA, GUEST_DATA_BYTES);
	if (run(&trial, &sequence, sequence.length))
		total.passed++;
	else
		report(&trial, &sequence, number);
}

int main(int count, char **arguments)
{
	u64 cases = 100000, only = ~0ull;
	int option;

	while ((option = getopt(count, arguments, "n:s:c:v:")) != -1) {
		switch (option) {
		case 'n': cases = strtoull(optarg, NULL, 0); break;
		case 's': total.seed = strtoull(optarg, NULL, 0); break;
		case 'c': only = strtoull(optarg, NULL, 0); break;
		case 'v': total.show = (unsigned)strtoul(optarg, NULL, 0); break;
		default: fprintf(stderr, "usage: %s [-n CASES] [-s SEED] [-c CASE] [-v FAILURES]\n", arguments[0]); return 2;
		}
	}
	if (!native_start() || !guest_start()) {
		printf("skipped: this host cannot run it\n");
		return 0;
	}
	find_usable_rows();
	if (only != ~0ull)
		run_case(only);
	else
		for (u64 n = 0; n < cases; n++)
			run_case(n);
	printf("%llu passed, %llu failed\n", (unsigned long long)total.passed, (unsigned long long)total.failed);
	return total.failed ? 1 : 0;
}

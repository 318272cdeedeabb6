/*
 * The arena of stubs, the checks that are made once per mode instead of once per instruction, and MXCSR.
 *
 * Stubs are kept by their bytes: two instructions that need the same host code share it. The arena is never
 * collected piece by piece; when it is full all of it goes, with all blocks. Its bookkeeping lies at its start.
 */
#include "cpu/simd.h"

#include "base/string.h"
#include "host/code.h"

#define ARENA_BYTES (1u << 20)
#define ARENA_HASH 4096u
#define STUB_ALIGN 16u

/* Before each stub in the arena. */
struct stub_header {
	u32 next; /* offset in the arena of the next header in this bucket; 0: none */
	u32 bytes;
};

struct simd_cache {
	u8 *code; /* where the arena can be executed; this struct is where it can be written */
	u32 used;
	u32 host_mxcsr; /* between simd_enter and simd_leave: what the host had before */
	bool live;      /* the host's MXCSR holds the guest's */
	u32 bucket[ARENA_HASH];
};

static void arena_clear(struct simd_cache *simd)
{
	memset(simd->bucket, 0, sizeof(simd->bucket));
	simd->used = (u32)align_up(sizeof(*simd), STUB_ALIGN);
}

bool simd_create(struct core *c)
{
	void *writable, *code = host_code_allocate(ARENA_BYTES, &writable);

	if (!code)
		return false;
	c->simd = writable;
	c->simd->code = code;
	arena_clear(c->simd);
	return true;
}

void simd_destroy(struct core *c)
{
	if (c->simd)
		host_code_free(c->simd->code, c->simd, ARENA_BYTES);
	c->simd = NULL;
}

/* ---- stubs ---- */

static u32 *stub_bucket(struct simd_cache *simd, const u8 *code, unsigned bytes)
{
	u32 hash = 2166136261u; /* FNV-1a */

	for (unsigned i = 0; i < bytes; i++)
		hash = (hash ^ code[i]) * 16777619u;
	return &simd->bucket[(hash ^ hash >> 16) % ARENA_HASH];
}

void *simd_stub_place(const struct core *c, const u8 *code, unsigned bytes)
{
	struct simd_cache *simd = c->simd;
	u8 *arena = (u8 *)simd;
	u32 *bucket = stub_bucket(simd, code, bytes);
	u32 start = (u32)align_up(simd->used + sizeof(struct stub_header), STUB_ALIGN);
	struct stub_header *header;

	for (u32 at = *bucket; at; at = header->next) {
		header = (struct stub_header *)(arena + at);
		if (header->bytes == bytes && !memcmp(header + 1, code, bytes))
			return simd->code + at + sizeof(*header);
	}
	if (start + bytes > ARENA_BYTES)
		return NULL;
	header = (struct stub_header *)(arena + start) - 1;
	*header = (struct stub_header){ .next = *bucket, .bytes = bytes };
	memcpy(header + 1, code, bytes);
	*bucket = start - (u32)sizeof(*header);
	simd->used = start + bytes;
	return simd->code + start;
}

void simd_flush(struct core *c)
{
	core_flush_blocks(c);
	arena_clear(c->simd);
	host_code_synchronize();
}

/* ---- what the mode allows ---- */

void simd_mode_changed(struct core *c)
{
	const struct cpu *cpu = &c->cpu;
	bool avx = (cpu->cr4 & CR4_OSXSAVE) && (~cpu->xcr0 & (XCR0_SSE | XCR0_AVX)) == 0;
	u64 blocked = 0;

	if (cpu->cr0 & (CR0_EM | CR0_TS))
		blocked |= SIMD_MMX | SIMD_SSE;
	if (!(cpu->cr4 & CR4_OSFXSR))
		blocked |= SIMD_SSE;
	if (!avx || (cpu->cr0 & CR0_TS))
		blocked |= SIMD_AVX;
	if (c->x87_live)
		blocked |= SIMD_MMX;
	if (~cpu->vector.mxcsr & MXCSR_MASKS)
		blocked |= SIMD_FLOAT;
	c->simd_blocked = (u8)blocked;
}

/* ---- MXCSR ---- */

/* What the host's MXCSR holds for the guest: no exception may reach the host. */
static u32 mxcsr_for_host(u32 guest)
{
	return (guest & ~(u32)MXCSR_MISALIGNED_MASK) | (u32)MXCSR_MASKS;
}

u32 simd_mxcsr_mask(const struct core *c)
{
	return (u32)MXCSR_DEFINED | (feature_has(&c->features, FEAT_MISALIGNSSE) ? (u32)MXCSR_MISALIGNED_MASK : 0);
}

u32 simd_mxcsr_read(struct core *c)
{
	if (c->simd->live)
		c->cpu.vector.mxcsr |= host_mxcsr_read() & (u32)MXCSR_FLAGS;
	return c->cpu.vector.mxcsr;
}

void simd_mxcsr_write(struct core *c, u32 value)
{
	c->cpu.vector.mxcsr = value;
	if (c->simd->live)
		host_mxcsr_write(mxcsr_for_host(value));
	simd_mode_changed(c);
}

void simd_enter(struct core *c)
{
	c->simd->host_mxcsr = host_mxcsr_read();
	c->simd->live = true;
	host_mxcsr_write(mxcsr_for_host(c->cpu.vector.mxcsr));
}

void simd_leave(struct core *c)
{
	(void)simd_mxcsr_read(c);
	c->simd->live = false;
	host_mxcsr_write(c->simd->host_mxcsr);
}

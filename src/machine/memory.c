/*
 * Guest RAM: see memory.h.
 *
 * The host mapping holds the low part and then the high part without a gap; the guest sees the PCI hole between them.
 * So a range is contiguous in the host exactly if it lies in one of the two parts.
 */
#include "machine/memory.h"

#include "base/bits.h"
#include "base/string.h"
#include "x86/regs.h"

void memory_init(struct memory *memory, u8 *host, u64 bytes, _Atomic u32 *generation, _Atomic u8 *has_code)
{
	*memory = (struct memory){
		.host = host,
		.bytes = bytes,
		.low_bytes = min_u64(bytes, MEMORY_LOW_LIMIT),
		.generation = generation,
		.has_code = has_code,
	};
}

u8 *memory_at(const struct memory *memory, gpa_t gpa, u64 bytes)
{
	u64 high_bytes = memory->bytes - memory->low_bytes;

	if (gpa < memory->low_bytes)
		return bytes <= memory->low_bytes - gpa ? memory->host + gpa : NULL;
	if (gpa < MEMORY_HIGH_BASE || gpa - MEMORY_HIGH_BASE >= high_bytes)
		return NULL;
	gpa -= MEMORY_HIGH_BASE;
	return bytes <= high_bytes - gpa ? memory->host + memory->low_bytes + gpa : NULL;
}

u64 memory_page_index(const struct memory *memory, const u8 *host)
{
	return (u64)(host - memory->host) >> PAGE_SHIFT;
}

bool memory_read(const struct memory *memory, gpa_t gpa, void *to, u64 bytes)
{
	const u8 *from = memory_at(memory, gpa, bytes);

	if (!from)
		return false;
	memcpy(to, from, bytes);
	return true;
}

bool memory_write(struct memory *memory, gpa_t gpa, const void *from, u64 bytes)
{
	u8 *to = memory_at(memory, gpa, bytes);

	if (!to)
		return false;
	memcpy(to, from, bytes);
	memory_written(memory, gpa, bytes);
	return true;
}

void memory_written(struct memory *memory, gpa_t gpa, u64 bytes)
{
	const u8 *host = memory_at(memory, gpa, bytes);
	u64 index, last;

	if (!host || !bytes)
		return;
	index = memory_page_index(memory, host);
	last = memory_page_index(memory, host + bytes - 1);
	for (gpa_t page = gpa & PAGE_MASK; index <= last; index++, page += PAGE_SIZE) {
		if (memory->dirty)
			atomic_store_explicit(&memory->dirty[index], 1, memory_order_relaxed);
		/* The data is there already: whoever sees the new generation decodes the new bytes. */
		if (!atomic_load_explicit(&memory->has_code[index], memory_order_acquire))
			continue;
		atomic_fetch_add_explicit(&memory->generation[index], 1, memory_order_release);
		if (memory->code_written)
			memory->code_written(memory->context, page);
	}
}

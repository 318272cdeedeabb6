/*
 * Guest RAM and ROM: guest-physical addresses to host memory.
 *
 * RAM is one shared mapping, low part below the PCI hole, the rest from 4 GiB. Devices reach guest memory only through the
 * bounded functions here, so that no ring or pointer of a guest's can lead outside.
 */
#ifndef MACHINE_MEMORY_H
#define MACHINE_MEMORY_H

#include <stdatomic.h>

#include "base/compiler.h"
#include "base/types.h"

#define MEMORY_LOW_LIMIT 0xc0000000ull /* RAM below ends here at the latest; the PCI hole up to 4 GiB follows */
#define MEMORY_HIGH_BASE 0x100000000ull
#define MEMORY_ROM_BASE 0xc0000ull     /* C0000-FFFFF reads as RAM that firmware tables may live in */

struct memory {
	u8 *host;           /* the whole mapping: low part, then high part */
	u64 bytes;          /* page multiple */
	u64 low_bytes;      /* of which below 4 GiB */
	_Atomic u32 *generation; /* one per page: see struct core_page */
	_Atomic u8 *has_code;
	_Atomic u8 *dirty;  /* one per page, or NULL */
	void (*code_written)(void *context, gpa_t page); /* decoded code is stale; NULL: nobody asks */
	void *context;
};

/* host: a mapping of bytes bytes. The arrays have one element per page, zeroed. */
void memory_init(struct memory *memory, u8 *host, u64 bytes, _Atomic u32 *generation, _Atomic u8 *has_code);

/* Host address of gpa if [gpa, gpa + bytes) is all RAM and contiguous, else NULL. */
u8 *memory_at(const struct memory *memory, gpa_t gpa, u64 bytes);
/* Index into the per-page arrays of a RAM page. */
u64 memory_page_index(const struct memory *memory, const u8 *host);

/*
 * Copies by a device (DMA). false if any byte is not RAM: then nothing was copied. Writes note dirty pages and decoded code.
 */
MUST_USE bool memory_read(const struct memory *memory, gpa_t gpa, void *to, u64 bytes);
MUST_USE bool memory_write(struct memory *memory, gpa_t gpa, const void *from, u64 bytes);
/* After a device wrote through memory_at()'s pointer: note dirty pages and decoded code. */
void memory_written(struct memory *memory, gpa_t gpa, u64 bytes);

#endif

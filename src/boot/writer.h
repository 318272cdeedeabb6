/* Appending little-endian numbers to a buffer of fixed size; too much is noted, not written. */
#ifndef BOOT_WRITER_H
#define BOOT_WRITER_H

#include "base/string.h"
#include "base/types.h"

struct writer {
	u8 *bytes;
	size_t used, size;
	bool overflow;
};

static inline void write_bytes(struct writer *w, const void *bytes, size_t count)
{
	if (count > w->size - w->used) {
		w->overflow = true;
		return;
	}
	memcpy(w->bytes + w->used, bytes, count);
	w->used += count;
}

/* The low `bytes` bytes of value, 1 to 8. */
static inline void write_number(struct writer *w, u64 value, unsigned bytes)
{
	write_bytes(w, &value, bytes);
}

#endif

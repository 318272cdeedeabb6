/*
 * Bounded reading of hostile bytes. Every access of a loader to an image goes through these two, so that no offset or
 * length in an image can lead outside it.
 */
#ifndef BOOT_BLOB_H
#define BOOT_BLOB_H

#include "base/string.h"
#include "boot/boot.h"

/* Whether [offset, offset + size) lies inside. */
static inline bool blob_holds(struct boot_blob blob, u64 offset, u64 size)
{
	return offset <= blob.size && size <= blob.size - offset;
}

/*
 * Copies size bytes at offset out, of which there may be no alignment; false, and nothing copied, if they are not all
 * there.
 */
MUST_USE static inline bool blob_read(struct boot_blob blob, u64 offset, void *to, u64 size)
{
	if (!blob_holds(blob, offset, size))
		return false;
	memcpy(to, blob.bytes + offset, size);
	return true;
}

#endif

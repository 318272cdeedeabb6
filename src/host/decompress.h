/*
 * Unpacking what Linux packs its kernel with. A service of the host's, whose libraries do it: on metal, where there are
 * none, the kernel unpacks itself.
 */
#ifndef HOST_DECOMPRESS_H
#define HOST_DECOMPRESS_H

#include "host/host.h"

/* Whether it starts like something that host_decompress() can unpack. */
bool host_decompress_known(const u8 *in, u64 bytes);

/*
 * Unpacks one gzip, xz, lzma, zstd or lz4 stream (the legacy frame that Linux uses), told apart by its first bytes;
 * bytes after its end are ignored. limit: the most that it may unpack to. The result is to be freed with host_free().
 * false: unknown, damaged or too large.
 */
MUST_USE bool host_decompress(const u8 *in, u64 bytes, u64 limit, u8 **out, u64 *out_bytes, struct host_error *error);

#endif

/*
 * Unpacking what Linux packs its kernel with. A service of the host's, whose libraries do it: on metal, where there are none, the
 * kernel unpacks itself.
 */
#ifndef HOST_DECOMPRESS_H
#define HOST_DECOMPRESS_H

#include "host/host.h"

/* No kernel is larger unpacked; what claims to be is refused. */
#define HOST_DECOMPRESS_LIMIT (1ull << 30)

/* Whether it starts like something that host_decompress() can unpack. */
bool host_decompress_known(const u8 *in, u64 bytes);

/*
 * Unpacks one gzip, xz, lzma, zstd or lz4 stream (the legacy frame that Linux uses), told apart by its first bytes;
 * bytes after its end are ignored. The result is to be freed with host_free(). false: unknown, damaged or too large.
 */
MUST_USE bool host_decompress(const u8 *in, u64 bytes, u8 **out, u64 *out_bytes, struct host_error *error);

#endif

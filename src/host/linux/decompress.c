/*
 * Unpacking with the distribution's libraries: zlib, liblzma, libzstd and liblz4.
 *
 * Every format runs the same way: the library writes into a buffer that doubles when it is full, up to the caller's
 * limit, until it says that the stream has ended.
 */
#include "host/decompress.h"

#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/bits.h"

#define FIRST_OUTPUT_BYTES (1ull << 20)
#define LZMA_MEMORY_BYTES (256ull << 20) /* for its dictionary; kernels are packed with at most 128 MiB */
#define INPUT_LIMIT (1ull << 31)         /* some of the libraries count in 32 bits */

struct unpacking {
	const u8 *in;
	u64 in_bytes, limit;
	u8 *out;
	u64 out_bytes, out_size; /* written, allocated */
	struct host_error *error;
};

/*
 * Makes room for as many bytes as wanted, or as the limit leaves. Returns how many there are, 0 with the error set if
 * there can be none.
 */
static u64 make_room(struct unpacking *u, u64 wanted)
{
	u64 size = u->out_size;
	u8 *out;

	while (size - u->out_bytes < wanted && size < u->limit)
		size = min_u64(size ? 2 * size : FIRST_OUTPUT_BYTES, u->limit);
	if (size == u->out_bytes) {
		host_error_set(u->error, "kernel: unpacked it is larger than %llu MiB; use more memory",
			       (unsigned long long)u->limit >> 20);
		return 0;
	}
	if (size > u->out_size) {
		out = realloc(u->out, size);
		if (!out) {
			host_error_set(u->error, "out of memory while unpacking the kernel");
			return 0;
		}
		u->out = out;
		u->out_size = size;
	}
	return size - u->out_bytes;
}

static bool unpack_gzip(struct unpacking *u)
{
	z_stream stream = { .next_in = (Bytef *)u->in, .avail_in = (uInt)u->in_bytes };
	int status = inflateInit2(&stream, 15 + 16); /* the largest window, gzip header */

	while (status == Z_OK) {
		u64 room = make_room(u, 1);

		if (!room)
			break;
		stream.next_out = u->out + u->out_bytes;
		room = min_u64(room, INT32_MAX); /* zlib counts in 32 bits */
		stream.avail_out = (uInt)room;
		status = inflate(&stream, Z_NO_FLUSH);
		u->out_bytes += room - stream.avail_out;
	}
	inflateEnd(&stream);
	return status == Z_STREAM_END;
}

static bool run_lzma(struct unpacking *u, lzma_stream *stream, lzma_ret status)
{
	stream->next_in = u->in;
	stream->avail_in = u->in_bytes;
	while (status == LZMA_OK) {
		u64 room = make_room(u, 1);

		if (!room)
			break;
		stream->next_out = u->out + u->out_bytes;
		stream->avail_out = room;
		status = lzma_code(stream, LZMA_RUN);
		u->out_bytes += room - stream->avail_out;
	}
	lzma_end(stream);
	return status == LZMA_STREAM_END;
}

static bool unpack_xz(struct unpacking *u)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	return run_lzma(u, &stream, lzma_stream_decoder(&stream, LZMA_MEMORY_BYTES, 0));
}

static bool unpack_lzma(struct unpacking *u)
{
	lzma_stream stream = LZMA_STREAM_INIT;

	return run_lzma(u, &stream, lzma_alone_decoder(&stream, LZMA_MEMORY_BYTES));
}

static bool unpack_zstd(struct unpacking *u)
{
	ZSTD_DStream *stream = ZSTD_createDStream();
	ZSTD_inBuffer in = { u->in, u->in_bytes, 0 };
	size_t status = 1; /* 0 at the end of the frame */

	while (stream && status && make_room(u, 1)) {
		ZSTD_outBuffer out = { u->out, u->out_size, u->out_bytes };
		size_t before = in.pos;

		status = ZSTD_decompressStream(stream, &out, &in);
		/* A truncated stream makes no progress and reports no error. */
		if (ZSTD_isError(status) || (status && in.pos == before && out.pos == u->out_bytes))
			break;
		u->out_bytes = out.pos;
	}
	ZSTD_freeDStream(stream);
	return !status;
}

/*
 * The legacy frame: a magic number, then blocks of up to 8 MiB unpacked, each after its packed size. What ends it is
 * the end of the data, or bytes that are no size: Linux appends the unpacked size.
 */
#define LZ4_MAGIC_BYTES 4u
#define LZ4_BLOCK_BYTES (8u << 20)

static bool unpack_lz4(struct unpacking *u)
{
	u64 at = LZ4_MAGIC_BYTES, left, room;
	u32 packed;
	int unpacked;

	for (;;) {
		left = u->in_bytes - at;
		if (left < sizeof(packed))
			break;
		memcpy(&packed, u->in + at, sizeof(packed));
		if (!packed || packed > left - sizeof(packed))
			break;
		room = make_room(u, LZ4_BLOCK_BYTES);
		if (!room)
			return false;
		unpacked = LZ4_decompress_safe((const char *)u->in + at + sizeof(packed), (char *)u->out + u->out_bytes,
					       (int)packed, (int)min_u64(room, LZ4_BLOCK_BYTES));
		if (unpacked < 0)
			return false;
		u->out_bytes += (u64)unpacked;
		at += sizeof(packed) + packed;
	}
	return u->out_bytes && left <= sizeof(packed);
}

static const struct format {
	const char *name;
	u8 magic[6];
	u8 magic_bytes;
	bool (*unpack)(struct unpacking *u);
} formats[] = {
	{ "gzip", { 0x1f, 0x8b, 8 }, 3, unpack_gzip },
	{ "xz", { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_xz },
	{ "lzma", { 0x5d, 0, 0 }, 3, unpack_lzma },
	{ "zstd", { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	{ "lz4", { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
};

static const struct format *find_format(const u8 *in, u64 bytes)
{
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++) {
		const struct format *format = &formats[i];

		if (bytes >= format->magic_bytes && !memcmp(in, format->magic, format->magic_bytes))
			return format;
	}
	return NULL;
}

bool host_decompress_known(const u8 *in, u64 bytes)
{
	return find_format(in, bytes);
}

bool host_decompress(const u8 *in, u64 bytes, u64 limit, u8 **out, u64 *out_bytes, struct host_error *error)
{
	const struct format *format = find_format(in, bytes);
	struct unpacking u = { .in = in, .in_bytes = bytes, .limit = limit, .error = error };

	if (!format || bytes > INPUT_LIMIT) {
		host_error_set(error, "kernel: compressed in an unknown format");
		return false;
	}
	host_error_set(error, "kernel: its compressed part (%s) is damaged; get it again", format->name);
	if (!format->unpack(&u)) {
		free(u.out);
		return false;
	}
	*out = u.out;
	*out_bytes = u.out_bytes;
	return true;
}

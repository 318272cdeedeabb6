/*
 * "initramfs buffer format": cpio archives in the newc format, one after the other, packed or not. See initrd.h.
 */
#include "boot/initrd.h"

#include "base/bits.h"
#include "boot/blob.h"
#include "host/decompress.h"

/* What unpacks to more than this is left to the kernel. */
#define UNPACK_LIMIT (1ull << 30)

#define CPIO_HEADER_BYTES 110u
#define CPIO_FIELD_DIGITS 8u
#define CPIO_MAGIC_BYTES 6u
#define CPIO_ALIGNMENT 4u
#define CPIO_TRAILER "TRAILER!!!"
enum cpio_field { CPIO_FILE_SIZE = 6, CPIO_NAME_SIZE = 11 };

static bool starts_with(struct boot_blob blob, u64 offset, const char *magic, u64 bytes)
{
	return blob_holds(blob, offset, bytes) && !memcmp(blob.bytes + offset, magic, bytes);
}

static bool is_cpio(struct boot_blob blob, u64 offset)
{
	return starts_with(blob, offset, "070701", CPIO_MAGIC_BYTES) || starts_with(blob, offset, "070702", CPIO_MAGIC_BYTES);
}

/* File systems that old kernels take as a RAM disk, and compressions that only the kernel unpacks. */
static bool is_other(struct boot_blob blob)
{
	static const struct { const char *magic; u8 bytes; u16 offset; } known[] = {
		{ "\x53\xef", 2, 0x438 }, { "hsqs", 4, 0 }, { "\x45\x3d\xcd\x28", 4, 0 }, { "-rom1fs-", 8, 0 },
		{ "BZh", 3, 0 }, { "\x89LZO", 4, 0 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
		if (starts_with(blob, known[i].offset, known[i].magic, known[i].bytes))
			return true;
	return false;
}

/* A field of hexadecimal digits; false: something else stands there. */
static bool read_field(const u8 *header, enum cpio_field field, u64 *value)
{
	const u8 *digit = header + CPIO_MAGIC_BYTES + field * CPIO_FIELD_DIGITS;

	*value = 0;
	for (unsigned i = 0; i < CPIO_FIELD_DIGITS; i++, digit++) {
		u8 lower = *digit | 0x20;

		if (*digit >= '0' && *digit <= '9')
			*value = *value << 4 | (u64)(*digit - '0');
		else if (lower >= 'a' && lower <= 'f')
			*value = *value << 4 | (u64)(lower - 'a' + 10);
		else
			return false;
	}
	return true;
}

/* One archive, from *offset to behind its trailer. */
static bool walk_cpio(struct boot_blob blob, u64 *offset)
{
	u8 header[CPIO_HEADER_BYTES];
	u64 file, name, at;

	while (is_cpio(blob, *offset)) {
		if (!blob_read(blob, *offset, header, sizeof(header)) || !read_field(header, CPIO_FILE_SIZE, &file) ||
		    !read_field(header, CPIO_NAME_SIZE, &name))
			return false;
		at = *offset + CPIO_HEADER_BYTES;
		if (name == sizeof(CPIO_TRAILER) && starts_with(blob, at, CPIO_TRAILER, sizeof(CPIO_TRAILER))) {
			*offset = align_up(at + name, CPIO_ALIGNMENT);
			return true;
		}
		at = align_up(at + name, CPIO_ALIGNMENT);
		if (!blob_holds(blob, at, file))
			return false;
		*offset = align_up(at + file, CPIO_ALIGNMENT);
	}
	return false;
}

enum finding { FINDING_GOOD, FINDING_CUT, FINDING_DAMAGED, FINDING_UNKNOWN };

static enum finding look(struct boot_blob blob, bool packed);

static enum finding look_packed(struct boot_blob rest)
{
	struct boot_blob content;
	struct host_error ignored;
	enum finding finding;
	u8 *bytes;

	if (!host_decompress(rest.bytes, rest.size, UNPACK_LIMIT, &bytes, &content.size, &ignored))
		return FINDING_DAMAGED;
	content.bytes = bytes;
	finding = look(content, true);
	host_free(bytes);
	return finding;
}

static enum finding look(struct boot_blob blob, bool packed)
{
	u64 offset = 0;

	if (is_other(blob))
		return FINDING_GOOD;
	while (offset < blob.size) {
		struct boot_blob rest = { blob.bytes + offset, blob.size - offset };

		if (!*rest.bytes)
			offset++;
		else if (is_cpio(rest, 0)) {
			if (!walk_cpio(blob, &offset))
				return FINDING_CUT;
		} else if (!packed && host_decompress_known(rest.bytes, rest.size)) {
			return look_packed(rest);
		} else {
			return offset && is_other(rest) ? FINDING_GOOD : FINDING_UNKNOWN;
		}
	}
	return FINDING_GOOD;
}

bool initrd_check(struct boot_blob initrd, const char *name, struct host_error *error)
{
	static const char *const texts[] = {
		[FINDING_CUT] = "a cpio archive that is cut off or damaged; make it again",
		[FINDING_DAMAGED] = "its compressed part is cut off or damaged; get it again",
		[FINDING_UNKNOWN] = "no initial RAM disk: neither a cpio archive (`find . | cpio -o -H newc`), compressed or "
				    "not, nor a file system",
	};
	enum finding finding = look(initrd, false);

	if (finding == FINDING_GOOD)
		return true;
	host_error_set(error, "initrd '%s': %s", name, texts[finding]);
	return false;
}

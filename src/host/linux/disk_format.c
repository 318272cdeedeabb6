/* Formats of disk images, by their magic numbers. See disk_format.h. */
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/types.h"
#include "host/linux/disk_format.h"

#define HEAD_BYTES 128

const char *disk_format_name(int fd)
{
	static const struct { const char *name, *magic; u8 bytes, offset; } formats[] = {
		{ "qcow2", "QFI\xfb", 4, 0 }, { "vmdk", "KDMV", 4, 0 },    { "vhdx", "vhdxfile", 8, 0 },
		{ "vpc", "conectix", 8, 0 },  { "qed", "QED\0", 4, 0 },    { "vdi", "\x7f\x10\xda\xbe", 4, 64 },
	};
	u8 head[HEAD_BYTES] = { 0 };

	if (pread(fd, head, sizeof(head), 0) <= 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_LENGTH(formats); i++)
		if (!memcmp(head + formats[i].offset, formats[i].magic, formats[i].bytes))
			return formats[i].name;
	return NULL;
}

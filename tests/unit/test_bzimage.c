/* Linux images: the boot protocol's promises to a kernel, and images that are not what they say. */
#include "boot/linux.h"

#include <lz4.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "boot_rig.h"

#define SETUP_SECTORS 3u
#define CODE ((SETUP_SECTORS + 1) * 512u) /* offset of the protected-mode part */
#define PAYLOAD_OFFSET 0x300u
#define IMAGE_BYTES 0x8000u
#define PREFERRED 0x400000u
#define INIT_SIZE 0x200000u

/* The kernel's own header, as offsets in the image and in the parameter block alike. */
enum header_field {
	SETUP_SECTS = 0x1f1, SYSSIZE = 0x1f4, BOOT_FLAG = 0x1fe, JUMP = 0x200, MAGIC = 0x202, VERSION = 0x206,
	LOADER = 0x210, LOADFLAGS = 0x211, RAMDISK_IMAGE = 0x218, RAMDISK_SIZE = 0x21c, CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c, RELOCATABLE = 0x234, XLOADFLAGS = 0x236, CMDLINE_SIZE = 0x238,
	PAYLOAD_OFFSET_FIELD = 0x248, PAYLOAD_LENGTH = 0x24c, PREF_ADDRESS = 0x258, INIT_SIZE_FIELD = 0x260,
};

/* An image of a 64-bit kernel of protocol 2.15 with nothing in it. */
static struct boot_rig *image(void)
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);

	memset(rig->image + CODE, 0x90, IMAGE_BYTES - CODE);
	rig_put(rig, SETUP_SECTS, SETUP_SECTORS, 1);
	rig_put(rig, SYSSIZE, (IMAGE_BYTES - CODE) / 16, 4);
	rig_put(rig, BOOT_FLAG, 0xaa55, 2);
	rig_put(rig, JUMP, 0x6aeb, 2);
	rig_put(rig, MAGIC, 0x53726448, 4);
	rig_put(rig, VERSION, 0x20f, 2);
	rig_put(rig, LOADFLAGS, 1, 1);
	rig_put(rig, INITRD_ADDR_MAX, 0x7fffffff, 4);
	rig_put(rig, RELOCATABLE, 1, 1);
	rig_put(rig, XLOADFLAGS, 1, 2);
	rig_put(rig, CMDLINE_SIZE, 64, 4);
	rig_put(rig, PREF_ADDRESS, PREFERRED, 8);
	rig_put(rig, INIT_SIZE_FIELD, INIT_SIZE, 4);
	return rig;
}

#define VMLINUX_BYTES 0x2000u
#define VMLINUX_ENTRY 0x40u

/* A vmlinux: one segment of recognisable bytes. To be freed. */
static u8 *vmlinux(void)
{
	struct boot_rig elf = { .image = calloc(1, VMLINUX_BYTES) };
	struct rig_segment segment = { 1, 0x1000, 0xffffffff80000000 + PREFERRED, PREFERRED, 0x1000, 0x3000 };

	rig_put_elf64(&elf, PREFERRED + VMLINUX_ENTRY, &segment, 1);
	for (unsigned i = 0; i < 0x1000; i++)
		elf.image[0x1000 + i] = (u8)(i * 7 + (i >> 8));
	return elf.image;
}

static u8 *vmlinux32(void)
{
	struct boot_rig elf = { .image = calloc(1, VMLINUX_BYTES) };
	struct rig_segment segment = { 1, 0x1000, 0xc0000000 + PREFERRED, PREFERRED, 0x1000, 0x3000 };

	rig_put_elf32(&elf, PREFERRED + VMLINUX_ENTRY, &segment);
	return elf.image;
}

typedef size_t pack_fn(u8 *out, size_t room, const u8 *in, size_t bytes);

static size_t pack_gzip(u8 *out, size_t room, const u8 *in, size_t bytes)
{
	z_stream stream = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)bytes, .next_out = out,
			    .avail_out = (uInt)room };

	deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return room - stream.avail_out;
}

static size_t pack_xz(u8 *out, size_t room, const u8 *in, size_t bytes)
{
	size_t used = 0;

	return lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, NULL, in, bytes, out, &used, room) == LZMA_OK ? used : 0;
}

static size_t pack_lzma(u8 *out, size_t room, const u8 *in, size_t bytes)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_options_lzma options;
	size_t used;

	lzma_lzma_preset(&options, 6);
	if (lzma_alone_encoder(&stream, &options) != LZMA_OK)
		return 0;
	stream.next_in = in;
	stream.avail_in = bytes;
	stream.next_out = out;
	stream.avail_out = room;
	used = lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END ? room - stream.avail_out : 0;
	lzma_end(&stream);
	return used;
}

static size_t pack_zstd(u8 *out, size_t room, const u8 *in, size_t bytes)
{
	return ZSTD_compress(out, room, in, bytes, 19);
}

static size_t pack_lz4(u8 *out, size_t room, const u8 *in, size_t bytes)
{
	static const u8 magic[4] = { 0x02, 0x21, 0x4c, 0x18 };
	u32 packed = (u32)LZ4_compress_default((const char *)in, (char *)out + 8, (int)bytes, (int)room - 8);

	memcpy(out, magic, sizeof(magic));
	memcpy(out + 4, &packed, sizeof(packed));
	return packed + 8;
}

/* The image with a packed vmlinux inside, and its unpacked size after it, as Linux's build leaves it. */
static struct boot_rig *packed(pack_fn *pack, u8 *kernel)
{
	struct boot_rig *rig = image();
	size_t bytes = pack(rig->image + CODE + PAYLOAD_OFFSET, IMAGE_BYTES - CODE - PAYLOAD_OFFSET - 4, kernel,
			    VMLINUX_BYTES);

	free(kernel);
	rig_put(rig, CODE + PAYLOAD_OFFSET + bytes, VMLINUX_BYTES, 4);
	rig_put(rig, PAYLOAD_OFFSET_FIELD, PAYLOAD_OFFSET, 4);
	rig_put(rig, PAYLOAD_LENGTH, bytes + 4, 4);
	return rig;
}

static struct boot_rig *packed_image(pack_fn *pack)
{
	return packed(pack, vmlinux());
}

static u64 params(const struct boot_rig *rig, u64 offset, unsigned bytes)
{
	return rig_get(rig, PLACE_PARAMETERS + offset, bytes);
}

TEST("a 64-bit kernel's payload is unpacked and entered as vmlinux, whatever packed it")
{
	pack_fn *packers[] = { pack_gzip, pack_xz, pack_lzma, pack_zstd, pack_lz4 };

	for (unsigned i = 0; i < ARRAY_LENGTH(packers); i++) {
		struct boot_rig *rig = packed_image(packers[i]);

		CHECK_EQ(boot_identify(rig->config.kernel), BOOT_LINUX);
		if (!CHECK(rig_load(rig)))
			printf("  packer %u: %s\n", i, rig->error.text);
		rig_check_long_mode(rig, PREFERRED + VMLINUX_ENTRY);
		CHECK_EQ(rig->cpu.gpr[GPR_RSI], PLACE_PARAMETERS);
		CHECK_EQ(rig_get(rig, PREFERRED + 0x123, 1), (u8)(0x123 * 7 + 1));
		CHECK_EQ(rig_get(rig, PREFERRED + 0x1000, 8), 0);
		rig_destroy(rig);
	}
}

TEST("a damaged payload is refused with its format's name")
{
	struct { pack_fn *pack; const char *name;
	} packers[] = {
		{ pack_gzip, "gzip" }, { pack_xz, "xz" },   { pack_lzma, "lzma" },
		{ pack_zstd, "zstd" }, { pack_lz4, "lz4" },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(packers); i++) {
		struct boot_rig *rig = packed_image(packers[i].pack);

		rig_put(rig, PAYLOAD_LENGTH, 40, 4);
		CHECK(rig_refuses(rig, packers[i].name));
		rig_destroy(rig);
	}
}

TEST("a payload in an unknown format is left to the kernel's own decompressor, by the 64-bit protocol")
{
	struct boot_rig *rig = image();

	rig_put(rig, PAYLOAD_OFFSET_FIELD, PAYLOAD_OFFSET, 4);
	rig_put(rig, PAYLOAD_LENGTH, 0x100, 4);
	CHECK(rig_load(rig));
	rig_check_long_mode(rig, PREFERRED + 0x200);
	CHECK_EQ(rig_get(rig, PREFERRED + IMAGE_BYTES - CODE - 1, 1), 0x90);
	CHECK_EQ(rig->cpu.gpr[GPR_RSI], PLACE_PARAMETERS);
	rig_destroy(rig);
}

TEST("a 32-bit kernel's payload is unpacked too, and entered in protected mode")
{
	struct boot_rig *rig = packed(pack_xz, vmlinux32());

	rig_put(rig, XLOADFLAGS, 0, 2);
	CHECK(rig_load(rig));
	rig_check_protected_mode(rig, PREFERRED + VMLINUX_ENTRY);
	CHECK_EQ(rig->cpu.gpr[GPR_RSI], PLACE_PARAMETERS);
	rig_destroy(rig);
}

TEST("a kernel starts with 5-level paging if it and the processors have it and no5lvl does not forbid it")
{
	struct boot_rig *rig = packed_image(pack_gzip);

	feature_set(&rig->config.features, FEAT_LA57, true);
	CHECK(rig_load(rig));
	CHECK_EQ(rig->cpu.cr4, CR4_PAE);
	rig_put(rig, XLOADFLAGS, 0x61, 2);
	CHECK(rig_load(rig));
	CHECK_EQ(rig->cpu.cr4, CR4_PAE | CR4_LA57);
	rig_check_long_mode(rig, PREFERRED + VMLINUX_ENTRY);
	rig->config.cmdline = "quiet no5lvl";
	CHECK(rig_load(rig));
	CHECK_EQ(rig->cpu.cr4, CR4_PAE);
	rig->config.cmdline = "quiet xno5lvl no5lvlx";
	CHECK(rig_load(rig));
	CHECK_EQ(rig->cpu.cr4, CR4_PAE | CR4_LA57);
	feature_set(&rig->config.features, FEAT_LA57, false);
	CHECK(rig_load(rig));
	CHECK_EQ(rig->cpu.cr4, CR4_PAE);
	rig_destroy(rig);
}

TEST("a 64-bit kernel is refused on processors that have no 64-bit mode")
{
	struct boot_rig *rig = packed_image(pack_gzip);

	feature_set(&rig->config.features, FEAT_LM, false);
	CHECK(rig_refuses(rig, "another model"));
	rig_destroy(rig);
}

TEST("a kernel without a 64-bit entry point that cannot be unpacked starts at 1 MiB by the 32-bit protocol")
{
	struct boot_rig *rig = image();

	rig_put(rig, XLOADFLAGS, 0, 2);
	rig_put(rig, RELOCATABLE, 0, 1);
	CHECK(rig_load(rig));
	rig_check_protected_mode(rig, 0x100000);
	CHECK_EQ(rig->cpu.gpr[GPR_RSI], PLACE_PARAMETERS);
	CHECK_EQ(rig->cpu.gpr[GPR_RBP] | rig->cpu.gpr[GPR_RDI] | rig->cpu.gpr[GPR_RBX], 0);
	rig_destroy(rig);
}

TEST("a zImage of an old protocol goes to 4 KiB, its command line to where kernels looked then")
{
	struct boot_rig *rig = image();

	rig_put(rig, VERSION, 0x201, 2);
	rig_put(rig, LOADFLAGS, 0, 1);
	rig_put(rig, SETUP_SECTS, 0, 1); /* means 4 */
	CHECK(rig_load(rig));
	rig_check_protected_mode(rig, 0x1000);
	CHECK_EQ(params(rig, 0x20, 2), 0xa33f);
	CHECK(rig_text_is(rig, PLACE_PARAMETERS + params(rig, 0x22, 2), "quiet"));
	CHECK_EQ(params(rig, 2, 2), (RIG_MEMORY_BYTES >> 10) - 1024);
	rig_destroy(rig);
}

TEST("the parameter block holds the kernel's header, the loader's fields and the memory map")
{
	struct boot_rig *rig = packed_image(pack_zstd);
	u64 end = 0;

	rig_put(rig, LOADFLAGS, 3, 1); /* KASLR_FLAG must not survive */
	rig->config.rsdp = 0xe0000;
	CHECK(rig_load(rig));
	CHECK_EQ(params(rig, VERSION, 2), 0x20f);
	CHECK_EQ(params(rig, PREF_ADDRESS, 8), PREFERRED);
	CHECK_EQ(params(rig, LOADER, 1), 0xff);
	CHECK_EQ(params(rig, LOADFLAGS, 1), 1);
	CHECK_EQ(params(rig, 0x70, 8), 0xe0000);
	CHECK_EQ(params(rig, 0x1ef, 1), 0);
	CHECK(rig_text_is(rig, params(rig, CMD_LINE_PTR, 4), "quiet"));
	CHECK_EQ(params(rig, RAMDISK_SIZE, 4), 0);
	for (unsigned i = 0; i < params(rig, 0x1e8, 1); i++) {
		u64 entry = 0x2d0 + 20 * i;

		CHECK(params(rig, entry, 8) >= end);
		end = params(rig, entry, 8) + params(rig, entry + 8, 8);
		CHECK(params(rig, entry + 16, 4) == 1 || params(rig, entry + 16, 4) == 2);
	}
	CHECK_EQ(params(rig, 0x2d0 + 8, 8), 0x9fc00);
	rig_destroy(rig);
}

TEST("the initrd goes as high as memory and initrd_addr_max allow, clear of the kernel")
{
	static const u8 initrd[0x1800] = { 0x55 };
	struct boot_rig *rig = packed_image(pack_gzip);

	rig->config.initrd = (struct boot_blob){ initrd, sizeof(initrd) };
	CHECK(rig_load(rig));
	CHECK_EQ(params(rig, RAMDISK_IMAGE, 4), RIG_MEMORY_BYTES - 0x2000);
	CHECK_EQ(params(rig, RAMDISK_SIZE, 4), sizeof(initrd));
	CHECK_EQ(rig_get(rig, RIG_MEMORY_BYTES - 0x2000, 1), 0x55);
	rig_put(rig, INITRD_ADDR_MAX, 0xffffff, 4);
	CHECK(rig_load(rig));
	CHECK_EQ(params(rig, RAMDISK_IMAGE, 4), 0x1000000 - 0x2000);
	/* Only below the kernel is there room. */
	rig_put(rig, INITRD_ADDR_MAX, PREFERRED + INIT_SIZE - 1, 4);
	CHECK(rig_load(rig));
	CHECK_EQ(params(rig, RAMDISK_IMAGE, 4), PREFERRED - 0x2000);
	rig_put(rig, INITRD_ADDR_MAX, 0x1fff, 4);
	CHECK(rig_refuses(rig, "initrd"));
	rig_destroy(rig);
}

TEST("an initrd larger than the room beside the kernel is refused")
{
	struct boot_rig *rig = packed_image(pack_gzip);
	u8 *initrd = calloc(1, RIG_MEMORY_BYTES);

	rig->config.initrd = (struct boot_blob){ initrd, RIG_MEMORY_BYTES - PREFERRED };
	CHECK(rig_refuses(rig, "use more memory"));
	rig->config.initrd.size = RIG_MEMORY_BYTES;
	CHECK(rig_refuses(rig, "use more memory"));
	free(initrd);
	rig_destroy(rig);
}

TEST("a command line longer than the kernel takes is refused, one of exactly that length is not")
{
	struct boot_rig *rig = packed_image(pack_gzip);
	char line[66];

	memset(line, 'a', sizeof(line));
	line[65] = 0;
	rig->config.cmdline = line;
	CHECK(rig_refuses(rig, "65 characters"));
	line[64] = 0;
	CHECK(rig_load(rig));
	rig_destroy(rig);
}

static const char *cmdline_with_tsc(struct boot_rig *rig, const char *cmdline)
{
	rig->config.cmdline = cmdline;
	rig->config.tsc_khz = 1000000;
	CHECK(rig_load(rig));
	return (const char *)memory_at(&rig->memory, params(rig, CMD_LINE_PTR, 4), 64);
}

TEST("the kernel is told of a time-stamp counter that CPUID does not describe, unless told or out of room")
{
	struct boot_rig *rig = packed_image(pack_gzip);
	const char *filled = "01234567890123456789012345";

	CHECK(!strcmp(cmdline_with_tsc(rig, "quiet"), "quiet tsc=reliable tsc_early_khz=1000000"));
	CHECK(!strcmp(cmdline_with_tsc(rig, "notsc xtsc=1"), "notsc xtsc=1 tsc=reliable tsc_early_khz=1000000"));
	CHECK(!strcmp(cmdline_with_tsc(rig, "tsc=unstable"), "tsc=unstable"));
	CHECK(!strcmp(cmdline_with_tsc(rig, "quiet tsc_early_khz=5"), "quiet tsc_early_khz=5"));
	CHECK_EQ(strlen(cmdline_with_tsc(rig, filled)), 61);
	rig_put(rig, CMDLINE_SIZE, 60, 4);
	CHECK(!strcmp(cmdline_with_tsc(rig, filled), filled));
	rig_destroy(rig);
}

TEST("a Linux kernel takes no modules")
{
	struct boot_rig *rig = packed_image(pack_gzip);

	rig->config.modules[0] = (struct boot_module){ { rig->image, 4 }, "" };
	rig->config.module_count = 1;
	CHECK(rig_refuses(rig, "initrd"));
	rig_destroy(rig);
}

TEST("an image cut off anywhere is refused")
{
	for (u64 size = 0; size < IMAGE_BYTES - 0x40; size += size < CODE ? 7 : 0x333) {
		struct boot_rig *rig = packed_image(pack_gzip);

		rig->config.kernel.size = size;
		CHECK(!rig_load(rig));
		CHECK(rig->error.text[0]);
		rig_destroy(rig);
	}
}

static bool refused_with(u64 offset, u64 value, unsigned bytes, const char *text)
{
	struct boot_rig *rig = packed_image(pack_gzip);
	bool refused;

	rig_put(rig, offset, value, bytes);
	refused = rig_refuses(rig, text);
	rig_destroy(rig);
	return refused;
}

TEST("numbers in a Linux image that cannot be true are refused")
{
	CHECK(refused_with(VERSION, 0x1ff, 2, "2.00"));
	CHECK(refused_with(SETUP_SECTS, 255, 1, "truncated"));
	CHECK(refused_with(SYSSIZE, 0xffffffff, 4, "truncated"));
	CHECK(refused_with(PAYLOAD_OFFSET_FIELD, 0xffffffff, 4, "not all there"));
	CHECK(refused_with(PAYLOAD_LENGTH, IMAGE_BYTES, 4, "not all there"));
}

TEST("a kernel whose load address is outside memory is refused")
{
	struct boot_rig *rig = image();

	rig_put(rig, PREF_ADDRESS, 0x123456789abcdef0, 8);
	CHECK(rig_refuses(rig, "fit"));
	rig_put(rig, PREF_ADDRESS, RIG_MEMORY_BYTES - 0x1000, 8);
	CHECK(rig_refuses(rig, "fit"));
	rig_put(rig, PREF_ADDRESS, PLACE_AREA_BASE, 8);
	CHECK(rig_refuses(rig, "overlap"));
	rig_destroy(rig);
}

TEST("a payload that unpacks to more than memory is refused")
{
	struct boot_rig *rig = image();
	size_t bytes = RIG_MEMORY_BYTES + 1;
	u8 *zeroes = calloc(1, bytes);
	size_t packed =
		pack_zstd(rig->image + CODE + PAYLOAD_OFFSET, IMAGE_BYTES - CODE - PAYLOAD_OFFSET, zeroes, bytes);

	free(zeroes);
	rig_put(rig, PAYLOAD_OFFSET_FIELD, PAYLOAD_OFFSET, 4);
	rig_put(rig, PAYLOAD_LENGTH, packed, 4);
	CHECK(rig_refuses(rig, "larger than 32 MiB"));
	rig_destroy(rig);
}

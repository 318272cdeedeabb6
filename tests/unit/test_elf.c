/* ELF kernels: segments, entry points, PVH, and files that are not what they say. */
#include "boot/elf.h"

#include "boot_rig.h"

#define CODE 0x1000u /* offset of the segment's bytes in the file */
#define LOAD_AT 0x200000u
#define IMAGE_BYTES 0x2000u

static const struct rig_segment code_segment = { ELF_SEGMENT_LOAD, CODE, LOAD_AT, LOAD_AT, 0x800, 0x1800 };

static struct boot_rig *plain_elf(void)
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);

	rig_put_elf64(rig, LOAD_AT + 0x10, &code_segment, 1);
	memset(rig->image + CODE, 0xcc, 0x800);
	return rig;
}

/* With a note in front of the code that names a PVH entry point. */
static struct boot_rig *pvh_elf(u32 entry)
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);
	struct rig_segment segments[] = { code_segment, { ELF_SEGMENT_NOTE, 0x800, 0, 0, 0x40, 0x40 } };

	rig_put_elf64(rig, LOAD_AT + 0x10, segments, 2);
	/* Another note first: of the same type, but not Xen's. */
	rig_put(rig, 0x800, 4, 4);
	rig_put(rig, 0x804, 3, 4);
	rig_put(rig, 0x808, 18, 4);
	memcpy(rig->image + 0x80c, "GNU", 4);
	rig_put(rig, 0x814, 4, 4);
	rig_put(rig, 0x818, 4, 4);
	rig_put(rig, 0x81c, 18, 4);
	memcpy(rig->image + 0x820, "Xen", 4);
	rig_put(rig, 0x824, entry, 4);
	return rig;
}

TEST("an ELF segment is loaded at its physical address, and what the file does not give is zero")
{
	struct boot_rig *rig = plain_elf();

	memset(memory_at(&rig->memory, LOAD_AT, 0x2000), 0xff, 0x2000);
	CHECK(rig_load(rig));
	CHECK_EQ(rig_get(rig, LOAD_AT, 8), 0xcccccccccccccccc);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x7ff, 1), 0xcc);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x800, 8), 0);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x17ff, 1), 0);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x1800, 1), 0xff);
	rig_destroy(rig);
}

TEST("a 64-bit ELF file without a PVH note starts in 64-bit mode with Linux's parameters in RSI")
{
	struct boot_rig *rig = plain_elf();

	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_ELF);
	CHECK(rig_load(rig));
	rig_check_long_mode(rig, LOAD_AT + 0x10);
	CHECK_EQ(rig->cpu.gpr[GPR_RSI], PLACE_PARAMETERS);
	CHECK_EQ(rig_get(rig, PLACE_PARAMETERS + 0x202, 4), 0x53726448);
	CHECK(rig_text_is(rig, rig_get(rig, PLACE_PARAMETERS + 0x228, 4), "quiet"));
	rig_destroy(rig);
}

TEST("a 32-bit ELF file without a PVH note starts in protected mode with Linux's parameters in ESI")
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);

	rig_put_elf32(rig, LOAD_AT, &code_segment);
	CHECK(rig_load(rig));
	rig_check_protected_mode(rig, LOAD_AT);
	CHECK_EQ(rig->cpu.gpr[GPR_RSI], PLACE_PARAMETERS);
	rig_destroy(rig);
}

TEST("an entry point given as a virtual address becomes a physical one")
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);
	struct rig_segment segment = code_segment;

	segment.virtual_address = 0xffffffff80000000 + LOAD_AT;
	rig_put_elf64(rig, segment.virtual_address + 0x20, &segment, 1);
	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_VMLINUX);
	CHECK(rig_load(rig));
	CHECK_EQ(rig->cpu.rip, LOAD_AT + 0x20);
	rig_destroy(rig);
}

TEST("a PVH note starts the kernel in protected mode with start information in EBX")
{
	struct boot_rig *rig = pvh_elf(LOAD_AT + 0x44);
	u64 info = PLACE_PARAMETERS;

	rig->config.rsdp = 0xe0000;
	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_PVH);
	CHECK(rig_load(rig));
	rig_check_protected_mode(rig, LOAD_AT + 0x44);
	CHECK_EQ(rig->cpu.gpr[GPR_RBX], info);
	CHECK_EQ(rig_get(rig, info, 4), 0x336ec578);
	CHECK_EQ(rig_get(rig, info + 4, 4), 1);
	CHECK_EQ(rig_get(rig, info + 12, 4), 0);
	CHECK(rig_text_is(rig, rig_get(rig, info + 24, 8), "quiet"));
	CHECK_EQ(rig_get(rig, info + 32, 8), 0xe0000);
	CHECK(rig_get(rig, info + 48, 4) >= 4);
	CHECK_EQ(rig_get(rig, rig_get(rig, info + 40, 8) + 16, 4), 1);
	rig_destroy(rig);
}

TEST("PVH modules are the initrd and then the others, at page boundaries behind the kernel")
{
	static const u8 initrd[5000] = { 1 }, module[3] = { 2, 3, 4 };
	struct boot_rig *rig = pvh_elf(LOAD_AT);
	u64 list, first, second;

	rig->config.initrd = (struct boot_blob){ initrd, sizeof(initrd) };
	rig->config.modules[0] = (struct boot_module){ { module, sizeof(module) }, "two words" };
	rig->config.module_count = 1;
	CHECK(rig_load(rig));
	CHECK_EQ(rig_get(rig, PLACE_PARAMETERS + 12, 4), 2);
	list = rig_get(rig, PLACE_PARAMETERS + 16, 8);
	first = rig_get(rig, list, 8);
	second = rig_get(rig, list + 32, 8);
	CHECK_EQ(first, LOAD_AT + 0x2000);
	CHECK_EQ(rig_get(rig, list + 8, 8), sizeof(initrd));
	CHECK_EQ(rig_get(rig, first, 1), 1);
	CHECK_EQ(second, first + 0x2000);
	CHECK_EQ(rig_get(rig, second, 3), 0x040302);
	CHECK(rig_text_is(rig, rig_get(rig, list + 32 + 16, 8), "two words"));
	rig_destroy(rig);
}

TEST("an ELF file cut off anywhere is refused, or lacks nothing that is loaded")
{
	for (u64 size = 0; size < CODE + 0x800; size += size < 0x100 ? 1 : 0xff) {
		struct boot_rig *rig = plain_elf();

		rig->config.kernel.size = size;
		CHECK(!rig_load(rig));
		CHECK(rig->error.text[0]);
		rig_destroy(rig);
	}
}

/* Loads the plain ELF file with one number changed. */
static bool refused_with(u64 offset, u64 value, unsigned bytes, const char *text)
{
	struct boot_rig *rig = plain_elf();
	bool refused;

	rig_put(rig, offset, value, bytes);
	refused = rig_refuses(rig, text);
	rig_destroy(rig);
	return refused;
}

#define FIELD(offset) (RIG_ELF64_HEADER_BYTES + (offset))

TEST("numbers in an ELF file that cannot be true are refused")
{
	CHECK(refused_with(18, 40, 2, "not for x86"));
	CHECK(refused_with(5, 2, 1, "not for x86"));
	CHECK(refused_with(4, 7, 1, "not for x86"));
	CHECK(refused_with(16, 1, 2, "not an executable"));
	CHECK(refused_with(54, 8, 2, "program headers"));
	CHECK(refused_with(56, 0xffff, 2, "program headers"));
	CHECK(refused_with(32, ~0ull - 8, 8, "program headers"));
	CHECK(refused_with(FIELD(8), ~0ull - 0x100, 8, "segment 0"));
	CHECK(refused_with(FIELD(32), 0x1801, 8, "segment 0"));
	CHECK(refused_with(FIELD(24), ~0ull - 0x100, 8, "fit"));
	CHECK(refused_with(FIELD(24), RIG_MEMORY_BYTES - 0x1000, 8, "fit"));
	CHECK(refused_with(FIELD(40), ~0ull, 8, "fit"));
	CHECK(refused_with(FIELD(24), PLACE_AREA_BASE - 0x1000, 8, "overlap"));
	CHECK(refused_with(FIELD(24), PLACE_EXTENDED_BASE - 1, 8, "overlap"));
	CHECK(refused_with(24, 0x123456789a, 8, "entry point"));
}

TEST("segments that overlap until they exceed memory are refused")
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);
	struct rig_segment segments[8];

	for (unsigned i = 0; i < 8; i++)
		segments[i] =
			(struct rig_segment){ ELF_SEGMENT_LOAD, CODE, LOAD_AT, LOAD_AT, 0x10, RIG_MEMORY_BYTES / 4 };
	rig_put_elf64(rig, LOAD_AT, segments, 8);
	CHECK(rig_refuses(rig, "overlap"));
	rig_destroy(rig);
}

TEST("a note whose lengths lead outside is not found")
{
	struct boot_rig *rig = pvh_elf(LOAD_AT);

	rig_put(rig, 0x804, 0xfffffff0, 4);
	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_ELF);
	rig_put(rig, 0x804, 3, 4);
	rig_put(rig, 0x814, 0xffffffff, 4);
	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_ELF);
	rig_destroy(rig);
}

TEST("a PVH entry point outside memory is refused")
{
	struct boot_rig *rig = pvh_elf(0xfffffff0);

	CHECK(rig_refuses(rig, "entry point"));
	rig_destroy(rig);
}

TEST("what is no kernel image is refused by name, and an empty one says so")
{
	struct boot_rig *rig = rig_create(0x1000);

	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_UNKNOWN);
	CHECK(rig_refuses(rig, "kernel: not a kernel image"));
	rig->config.kernel.size = 0;
	CHECK(rig_refuses(rig, "empty"));
	rig_destroy(rig);
}

/* Multiboot 1 kernels ("Multiboot Specification version 0.6.96"). */
#include "boot/multiboot.h"

#include "boot_rig.h"

#define IMAGE_BYTES 0x4000u
#define HEADER_AT 0x40u
#define LOAD_AT 0x200000u
#define ENTRY (LOAD_AT + 0x80)
#define HAS_ADDRESSES 0x10000u

static void put_header(struct boot_rig *rig, u64 at, u32 flags)
{
	rig_put(rig, at, 0x1badb002, 4);
	rig_put(rig, at + 4, flags, 4);
	rig_put(rig, at + 8, -(0x1badb002u + flags), 4);
}

/* A flat image whose header gives the addresses. 0 for an end: not given. */
static struct boot_rig *flat(u32 load_end, u32 bss_end)
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);

	memset(rig->image, 0x90, IMAGE_BYTES);
	put_header(rig, HEADER_AT, HAS_ADDRESSES | 3);
	rig_put(rig, HEADER_AT + 12, LOAD_AT + HEADER_AT, 4);
	rig_put(rig, HEADER_AT + 16, LOAD_AT, 4);
	rig_put(rig, HEADER_AT + 20, load_end, 4);
	rig_put(rig, HEADER_AT + 24, bss_end, 4);
	rig_put(rig, HEADER_AT + 28, ENTRY, 4);
	return rig;
}

TEST("a flat image goes where its header says, with zeroes up to the end of its BSS")
{
	struct boot_rig *rig = flat(LOAD_AT + 0x1000, LOAD_AT + 0x3000);

	memset(memory_at(&rig->memory, LOAD_AT, 0x4000), 0xff, 0x4000);
	CHECK_EQ(boot_identify(rig->config.kernel), BOOT_MULTIBOOT);
	CHECK(rig_load(rig));
	CHECK_EQ(rig_get(rig, LOAD_AT + HEADER_AT, 4), 0x1badb002);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0xfff, 1), 0x90);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x1000, 1), 0);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x2fff, 1), 0);
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x3000, 1), 0xff);
	rig_destroy(rig);
}

TEST("a load end of 0 means the whole file, and an address later in the file skips what is before it")
{
	struct boot_rig *rig = flat(0, 0);

	CHECK(rig_load(rig));
	CHECK_EQ(rig_get(rig, LOAD_AT + IMAGE_BYTES - 1, 1), 0x90);
	CHECK_EQ(rig_get(rig, LOAD_AT + IMAGE_BYTES, 1), 0);
	rig_put(rig, HEADER_AT + 16, LOAD_AT + HEADER_AT, 4);
	CHECK(rig_load(rig));
	CHECK_EQ(rig_get(rig, LOAD_AT + HEADER_AT, 4), 0x1badb002);
	rig_destroy(rig);
}

TEST("a Multiboot kernel starts in protected mode, magic in EAX and information in EBX")
{
	struct boot_rig *rig = flat(0, 0);
	u64 info = PLACE_PARAMETERS, map, end;

	CHECK(rig_load(rig));
	rig_check_protected_mode(rig, ENTRY);
	CHECK_EQ(rig->cpu.gpr[GPR_RAX], 0x2badb002);
	CHECK_EQ(rig->cpu.gpr[GPR_RBX], info);
	CHECK_EQ(rig_get(rig, info, 4), 0x24d); /* memory, command line, modules, map, loader name */
	CHECK_EQ(rig_get(rig, info + 4, 4), 639);
	CHECK_EQ(rig_get(rig, info + 8, 4), (RIG_MEMORY_BYTES >> 10) - 1024);
	CHECK(rig_text_is(rig, rig_get(rig, info + 16, 4), "kernel quiet"));
	CHECK(rig_text_is(rig, rig_get(rig, info + 64, 4), "Subring"));
	map = rig_get(rig, info + 48, 4);
	end = map + rig_get(rig, info + 44, 4);
	CHECK_EQ(rig_get(rig, map, 4), 20);
	CHECK_EQ(rig_get(rig, map + 12, 8), 0x9fc00);
	for (; map < end; map += rig_get(rig, map, 4) + 4) {
		if (rig_get(rig, map + 4, 8) != PLACE_EXTENDED_BASE)
			continue;
		CHECK_EQ(rig_get(rig, map + 12, 8), RIG_MEMORY_BYTES - PLACE_EXTENDED_BASE);
		CHECK_EQ(rig_get(rig, map + 20, 4), 1);
	}
	CHECK_EQ(map, end);
	rig_destroy(rig);
}

TEST("an ELF kernel with a Multiboot header is loaded as ELF, 32 or 64 bits")
{
	static const struct rig_segment segment = { 1, 0x1000, 0xc0000000 + LOAD_AT, LOAD_AT, 0x1000, 0x1000 };

	for (int is64 = 0; is64 < 2; is64++) {
		struct boot_rig *rig = rig_create(IMAGE_BYTES);

		if (is64)
			rig_put_elf64(rig, LOAD_AT + 8, &segment, 1);
		else
			rig_put_elf32(rig, LOAD_AT + 8, &segment);
		put_header(rig, 0x1000, 0);
		CHECK_EQ(boot_identify(rig->config.kernel), BOOT_MULTIBOOT);
		CHECK(rig_load(rig));
		rig_check_protected_mode(rig, LOAD_AT + 8);
		rig_destroy(rig);
	}
}

TEST("modules follow the kernel at page boundaries, with their strings, the initrd first")
{
	static const u8 initrd[4096] = { 7 }, module[10] = { 8 };
	struct boot_rig *rig = flat(LOAD_AT + 0x1000, LOAD_AT + 0x1001);
	u64 list;

	rig->config.initrd = (struct boot_blob){ initrd, sizeof(initrd) };
	rig->config.modules[0] = (struct boot_module){ { module, sizeof(module) }, "mod.bin a b" };
	rig->config.modules[1] = (struct boot_module){ { module, 0 }, "empty" };
	rig->config.module_count = 2;
	CHECK(rig_load(rig));
	CHECK_EQ(rig_get(rig, PLACE_PARAMETERS + 20, 4), 3);
	list = rig_get(rig, PLACE_PARAMETERS + 24, 4);
	CHECK_EQ(rig_get(rig, list, 4), LOAD_AT + 0x2000);
	CHECK_EQ(rig_get(rig, list + 4, 4), LOAD_AT + 0x3000);
	CHECK_EQ(rig_get(rig, list + 16, 4), LOAD_AT + 0x3000);
	CHECK_EQ(rig_get(rig, list + 20, 4), LOAD_AT + 0x300a);
	CHECK(rig_text_is(rig, rig_get(rig, list + 24, 4), "mod.bin a b"));
	CHECK_EQ(rig_get(rig, LOAD_AT + 0x3000, 1), 8);
	CHECK_EQ(rig_get(rig, list + 32, 4), rig_get(rig, list + 36, 4));
	CHECK(rig_text_is(rig, rig_get(rig, list + 40, 4), "empty"));
	rig_destroy(rig);
}

TEST("a header counts only if it is aligned, whole, right in its sum, and within the first 8192 bytes")
{
	struct boot_rig *rig = rig_create(IMAGE_BYTES);

	put_header(rig, 8192 - 12, 0);
	CHECK(multiboot_is(rig->config.kernel));
	rig_put(rig, 8192 - 4, 0, 4);
	CHECK(!multiboot_is(rig->config.kernel));
	put_header(rig, 8192, 0);
	CHECK(!multiboot_is(rig->config.kernel));
	put_header(rig, 0x102, 0);
	CHECK(!multiboot_is(rig->config.kernel));
	put_header(rig, 0x200, 0);
	rig->config.kernel.size = 0x200 + 11;
	CHECK(!multiboot_is(rig->config.kernel));
	rig->config.kernel.size = 0x200 + 12;
	CHECK(multiboot_is(rig->config.kernel));
	rig_destroy(rig);
}

static bool refused_with(u64 offset, u32 value, const char *text)
{
	struct boot_rig *rig = flat(LOAD_AT + 0x1000, LOAD_AT + 0x2000);
	bool refused;

	rig_put(rig, HEADER_AT + offset, value, 4);
	refused = rig_refuses(rig, text);
	rig_destroy(rig);
	return refused;
}

TEST("addresses that contradict each other, or lead outside file or memory, are refused")
{
	CHECK(refused_with(12, LOAD_AT - 1, "contradict"));
	CHECK(refused_with(12, LOAD_AT + HEADER_AT + 1, "contradict"));
	CHECK(refused_with(20, LOAD_AT - 1, "contradict"));
	CHECK(refused_with(24, LOAD_AT + 0xfff, "contradict"));
	CHECK(refused_with(20, LOAD_AT + IMAGE_BYTES + 1, "contradict"));
	CHECK(refused_with(24, 0xffffffff, "fit"));
	CHECK(refused_with(28, 0xfffffff0, "entry point"));
}

TEST("a file that ends before what its header loads is refused as truncated")
{
	struct boot_rig *rig = flat(LOAD_AT + 0x2000, LOAD_AT + 0x3000);

	rig->config.kernel.size = 0x1fff;
	CHECK(rig_refuses(rig, "truncated"));
	rig_destroy(rig);
}

TEST("a required feature that no specification defines is refused, an optional one is not")
{
	struct boot_rig *rig = flat(0, 0);

	put_header(rig, HEADER_AT, HAS_ADDRESSES | 0x100);
	CHECK(rig_refuses(rig, "features 0x100"));
	put_header(rig, HEADER_AT, HAS_ADDRESSES | 0x20000);
	CHECK(rig_load(rig));
	rig_destroy(rig);
}

TEST("command lines that do not fit are refused")
{
	struct boot_rig *rig = flat(0, 0);
	static char line[BOOT_MAX_CMDLINE + 1];

	memset(line, 'x', sizeof(line) - 1);
	rig->config.cmdline = line;
	CHECK(rig_refuses(rig, "longer"));
	rig->config.cmdline = "";
	rig->config.module_count = BOOT_MAX_MODULES;
	for (unsigned i = 0; i < BOOT_MAX_MODULES; i++)
		rig->config.modules[i] = (struct boot_module){ { 0 }, line };
	CHECK(rig_refuses(rig, "module"));
	rig_destroy(rig);
}

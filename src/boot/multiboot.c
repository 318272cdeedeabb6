/*
 * Multiboot 1 kernels, ELF or flat ("Multiboot Specification version 0.6.96").
 *
 * Where the specification leaves a choice, what boot loaders in use do is done: the command line starts with the
 * kernel's name, modules follow the kernel at page boundaries, and information that a kernel asks for and a machine
 * without firmware does not have (video modes) is left out rather than the boot refused.
 */
#include "boot/multiboot.h"

#include "base/bits.h"
#include "base/format.h"
#include "base/string.h"
#include "boot/blob.h"
#include "boot/elf.h"
#include "boot/memory_map.h"
#include "boot/modules.h"
#include "boot/place.h"
#include "boot/start.h"

#define HEADER_MAGIC 0x1badb002u
#define HEADER_SEARCH_BYTES 8192u
#define HEADER_ALIGNMENT 4u
#define LOADER_MAGIC 0x2badb002u
#define LOADER_NAME "Subring"

/* "The Multiboot header": flags. */
#define WANTS_VIDEO BIT(2)
#define WANTS_UNKNOWN BITS(15, 3)
#define HAS_ADDRESSES BIT(16)

/* "Boot information format": flags. */
#define INFO_MEMORY BIT(0)
#define INFO_CMDLINE BIT(2)
#define INFO_MODULES BIT(3)
#define INFO_MMAP BIT(6)
#define INFO_LOADER_NAME BIT(9)

struct multiboot_header {
	u32 magic, flags, checksum;
	u32 header_addr, load_addr, load_end_addr, bss_end_addr, entry_addr; /* with HAS_ADDRESSES */
} PACKED;

struct multiboot_info {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	u32 drives_length, drives_addr, config_table, boot_loader_name, apm_table;
};

struct multiboot_module {
	u32 start, end, string, reserved;
};

struct multiboot_mmap {
	u32 size; /* of what follows */
	u64 base, bytes;
	u32 type;
} PACKED;

/* Finds the header; its offset, too. */
static bool find_header(struct boot_blob kernel, struct multiboot_header *header, u64 *offset)
{
	u64 end = min_u64(kernel.size, HEADER_SEARCH_BYTES);

	*header = (struct multiboot_header){ 0 };
	for (*offset = 0; *offset < end; *offset += HEADER_ALIGNMENT) {
		if (!blob_read(kernel, *offset, header, offsetof(struct multiboot_header, header_addr)))
			return false;
		if (header->magic != HEADER_MAGIC || header->magic + header->flags + header->checksum)
			continue;
		return !(header->flags & HAS_ADDRESSES) || blob_read(kernel, *offset, header, sizeof(*header));
	}
	return false;
}

bool multiboot_is(struct boot_blob kernel)
{
	struct multiboot_header header;
	u64 offset;

	return find_header(kernel, &header, &offset);
}

/* "The address fields of Multiboot header": the image is flat. */
static bool load_flat(struct memory *memory, struct boot_blob kernel, const struct multiboot_header *header, u64 offset,
		      gpa_t *end, struct host_error *error)
{
	u64 before = (u64)header->header_addr - header->load_addr, start = offset - before, file_bytes, memory_bytes;

	if (header->header_addr < header->load_addr || before > offset ||
	    (header->load_end_addr && header->load_end_addr < header->load_addr) ||
	    (header->bss_end_addr && header->bss_end_addr < header->load_end_addr)) {
		host_error_set(error, "kernel: the addresses in its Multiboot header contradict each other");
		return false;
	}
	file_bytes = header->load_end_addr ? header->load_end_addr - header->load_addr : kernel.size - start;
	if (!blob_holds(kernel, start, file_bytes)) {
		host_error_set(error, "kernel: truncated: its Multiboot header speaks of %llu bytes, the file has %llu",
			       (unsigned long long)(start + file_bytes), (unsigned long long)kernel.size);
		return false;
	}
	memory_bytes = file_bytes;
	if (header->bss_end_addr)
		memory_bytes = max_u64(file_bytes,
				       (u64)header->bss_end_addr - min_u64(header->load_addr, header->bss_end_addr));
	*end = header->load_addr + memory_bytes;
	return place_image(memory, header->load_addr, kernel.bytes + start, file_bytes, memory_bytes, "kernel", error);
}

static bool load_image(struct memory *memory, struct boot_blob kernel, gpa_t *entry, gpa_t *end,
		       struct host_error *error)
{
	struct multiboot_header header;
	struct elf_image elf;
	u64 offset;

	if (!find_header(kernel, &header, &offset)) {
		host_error_set(error, "kernel: no Multiboot header");
		return false;
	}
	if (header.flags & WANTS_UNKNOWN) {
		host_error_set(error, "kernel: its Multiboot header requires features %#x, which nobody has defined",
			       (unsigned)(header.flags & WANTS_UNKNOWN));
		return false;
	}
	if (header.flags & HAS_ADDRESSES) {
		*entry = header.entry_addr;
		return load_flat(memory, kernel, &header, offset, end, error);
	}
	if (!elf_open(kernel, &elf, error) || !elf_load(&elf, memory, entry, end, error))
		return false;
	if (*end > MEMORY_HIGH_BASE) {
		host_error_set(error,
			       "kernel: a Multiboot kernel must lie below 4 GiB, but this one is loaded up to %#llx",
			       (unsigned long long)*end);
		return false;
	}
	return true;
}

/* A string, its address into *at. */
static bool place_text(struct memory *memory, struct place_strings *strings, const char *text, u32 *at,
		       struct host_error *error)
{
	*at = (u32)place_string(memory, strings, text, strlen(text) + 1, "command line", error);
	return *at;
}

static bool place_cmdline(struct memory *memory, const struct boot_config *config, struct place_strings *strings,
			  u32 *at, struct host_error *error)
{
	char cmdline[BOOT_MAX_CMDLINE];
	size_t length = format(cmdline, sizeof(cmdline), "%s %s", config->kernel_name, config->cmdline);

	if (length >= sizeof(cmdline)) {
		host_error_set(error, "the command line is longer than %u bytes; shorten it", BOOT_MAX_CMDLINE - 1);
		return false;
	}
	return place_text(memory, strings, cmdline, at, error);
}

static bool place_modules(struct memory *memory, const struct boot_config *config, gpa_t end,
			  struct place_strings *strings, struct multiboot_info *info, struct host_error *error)
{
	struct placed_module placed[BOOT_MAX_MODULES + 1];
	struct multiboot_module list[BOOT_MAX_MODULES + 1];

	if (!modules_place(memory, config, end, strings, placed, &info->mods_count, error))
		return false;
	for (u32 i = 0; i < info->mods_count; i++)
		list[i] = (struct multiboot_module){ (u32)placed[i].start, (u32)placed[i].end, (u32)placed[i].cmdline,
						     0 };
	info->mods_addr =
		(u32)place_string(memory, strings, list, info->mods_count * sizeof(list[0]), "modules", error);
	return info->mods_addr;
}

static bool place_map(struct memory *memory, struct place_strings *strings, struct multiboot_info *info,
		      struct host_error *error)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	struct multiboot_mmap mmap[MEMORY_MAP_MAX];
	unsigned count = memory_map_fill(memory, map);

	for (unsigned i = 0; i < count; i++)
		mmap[i] = (struct multiboot_mmap){ sizeof(mmap[i]) - sizeof(mmap[i].size), map[i].base, map[i].bytes,
						   map[i].type };
	info->mem_lower = (u32)(PLACE_EBDA >> 10);
	info->mem_upper = (u32)((memory->low_bytes - PLACE_EXTENDED_BASE) >> 10);
	info->mmap_length = (u32)(count * sizeof(mmap[0]));
	info->mmap_addr = (u32)place_string(memory, strings, mmap, info->mmap_length, "memory map", error);
	return info->mmap_addr;
}

bool multiboot_load(struct memory *memory, const struct boot_config *config, struct cpu *cpu, struct host_error *error)
{
	struct multiboot_info info = { .flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP |
						INFO_LOADER_NAME };
	struct place_strings strings = place_strings_start();
	gpa_t entry, end;

	if (!load_image(memory, config->kernel, &entry, &end, error) ||
	    !place_cmdline(memory, config, &strings, &info.cmdline, error) ||
	    !place_modules(memory, config, end, &strings, &info, error) ||
	    !place_map(memory, &strings, &info, error) ||
	    !place_text(memory, &strings, LOADER_NAME, &info.boot_loader_name, error) ||
	    !place_bytes(memory, PLACE_PARAMETERS, &info, sizeof(info), "boot information", error) ||
	    !start_protected_mode(memory, cpu, entry, error))
		return false;
	cpu->gpr[GPR_RAX] = LOADER_MAGIC;
	cpu->gpr[GPR_RBX] = PLACE_PARAMETERS;
	return true;
}

/*
 * Linux's parameter block: what a boot loader owes the kernel beyond its own bytes.
 *
 * The initial RAM disk goes as high as kernel and memory allow, as the protocol recommends, so that the kernel has room
 * to grow from where it starts.
 */
#include "boot/linux.h"

#include "base/bits.h"
#include "base/format.h"
#include "base/string.h"
#include "boot/memory_map.h"
#include "boot/place.h"
#include "x86/regs.h"

enum { PROTOCOL_2_02 = 0x202, PROTOCOL_2_03 = 0x203, PROTOCOL_2_06 = 0x206, PROTOCOL_2_15 = 0x20f };

#define LOADER_UNREGISTERED 0xffu
#define CMD_LINE_MAGIC 0xa33fu
#define DEFAULT_INITRD_ADDR_MAX 0x37ffffffu /* before protocol 2.03 */
#define DEFAULT_CMDLINE_BYTES 255u          /* before protocol 2.06, without the final zero */

struct linux_setup_header linux_header_for_elf(void)
{
	return (struct linux_setup_header){
		.boot_flag = LINUX_BOOT_FLAG,
		.header = LINUX_HEADER_MAGIC,
		.version = PROTOCOL_2_15,
		.loadflags = LINUX_LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.cmdline_size = BOOT_MAX_CMDLINE - 1,
	};
}

/* Returns where it is, 0 if it cannot be. */
static gpa_t place_initrd(struct memory *memory, const struct boot_config *config,
			  const struct linux_setup_header *header, struct linux_extent kernel, struct host_error *error)
{
	u64 limit =
		header->version >= PROTOCOL_2_03 ? (u64)header->initrd_addr_max + 1 : DEFAULT_INITRD_ADDR_MAX + 1ull;
	u64 size = config->initrd.size;
	gpa_t at;

	limit = min_u64(limit, memory->low_bytes);
	at = size <= limit ? align_down(limit - size, PAGE_SIZE) : 0;
	/* Above the kernel, or between low memory and a kernel that sits high. */
	if (at < kernel.end && at + size > kernel.start)
		at = size <= kernel.start ? align_down(kernel.start - size, PAGE_SIZE) : 0;
	if (at < PLACE_EXTENDED_BASE) {
		host_error_set(error,
			       "initrd: %llu KiB find no room beside the kernel in %llu MiB of memory; use more memory",
			       (unsigned long long)size >> 10, (unsigned long long)memory->bytes >> 20);
		return 0;
	}
	return place_bytes(memory, at, config->initrd.bytes, size, "initrd", error) ? at : 0;
}

bool linux_cmdline_names(const char *cmdline, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = cmdline; *at; at++) {
		bool starts = at == cmdline || at[-1] == ' ';

		if (starts && !strncmp(at, name, length) && (!at[length] || at[length] == ' ' || at[length] == '='))
			return true;
	}
	return false;
}

/*
 * Tells the kernel about the time-stamp counter what CPUID does not, unless the user had a word in it ("The kernel's
 * command-line parameters": tsc=reliable is for virtual machines). Otherwise Linux measures its frequency against the
 * PIT, and then has a watchdog compare it with the count of timer ticks. All our timers follow one clock, but a
 * processor that the host keeps waiting misses ticks, and Linux blames the counter: it falls back to slower clocks.
 */
static void add_tsc(char *cmdline, size_t room, u32 tsc_khz)
{
	size_t length = strlen(cmdline);
	char words[64];

	if (!tsc_khz || linux_cmdline_names(cmdline, "tsc") || linux_cmdline_names(cmdline, "tsc_early_khz"))
		return;
	if (length + format(words, sizeof(words), " tsc=reliable tsc_early_khz=%u", tsc_khz) <= room)
		memcpy(cmdline + length, words, strlen(words) + 1);
}

/* Returns where it is, 0 if it cannot be. */
static gpa_t place_cmdline(struct memory *memory, const struct boot_config *config,
			   const struct linux_setup_header *header, struct host_error *error)
{
	struct place_strings strings = place_strings_start();
	u64 room =
		header->version >= PROTOCOL_2_06 && header->cmdline_size ? header->cmdline_size : DEFAULT_CMDLINE_BYTES;
	u64 length = strlen(config->cmdline);
	char cmdline[BOOT_MAX_CMDLINE];

	room = min_u64(room, sizeof(cmdline) - 1);
	if (length > room) {
		host_error_set(error, "the command line has %llu characters, but this kernel takes %llu; shorten it",
			       (unsigned long long)length, (unsigned long long)room);
		return 0;
	}
	memcpy(cmdline, config->cmdline, length + 1);
	add_tsc(cmdline, room, config->tsc_khz);
	return place_string(memory, &strings, cmdline, strlen(cmdline) + 1, "command line", error);
}

static void fill_memory(struct linux_boot_params *params, const struct memory *memory)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	u64 extended_kib = (memory->low_bytes - PLACE_EXTENDED_BASE) >> 10;

	params->e820_entries = (u8)memory_map_fill(memory, map);
	for (unsigned i = 0; i < params->e820_entries; i++)
		params->e820_table[i] = (struct linux_e820_entry){ map[i].base, map[i].bytes, map[i].type };
	params->alt_mem_k = (u32)extended_kib;
	params->ext_mem_k = (u16)min_u64(extended_kib, 0xffff);
}

bool linux_place_parameters(struct memory *memory, const struct boot_config *config,
			    const struct linux_setup_header *header, struct linux_extent kernel,
			    struct host_error *error)
{
	struct linux_boot_params params = { .header = *header, .acpi_rsdp_addr = config->rsdp };
	gpa_t cmdline = place_cmdline(memory, config, header, error), initrd = 0;

	if (!cmdline)
		return false;
	if (config->initrd.size) {
		initrd = place_initrd(memory, config, header, kernel, error);
		if (!initrd)
			return false;
	}
	if (config->module_count) {
		host_error_set(error, "modules are for Multiboot and PVH kernels; give a Linux kernel an initrd");
		return false;
	}
	params.header.type_of_loader = LOADER_UNREGISTERED;
	params.header.loadflags &= (u8)~LINUX_KASLR_FLAG;
	params.header.ramdisk_image = (u32)initrd;
	params.header.ramdisk_size = (u32)config->initrd.size;
	if (header->version >= PROTOCOL_2_02) {
		params.header.cmd_line_ptr = (u32)cmdline;
	} else {
		params.cmd_line_magic = CMD_LINE_MAGIC;
		params.cmd_line_offset = (u16)(cmdline - PLACE_PARAMETERS);
	}
	fill_memory(&params, memory);
	return place_bytes(memory, PLACE_PARAMETERS, &params, sizeof(params), "boot parameters", error);
}

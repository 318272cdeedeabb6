/*
 * PVH: an ELF kernel with a 32-bit entry point named in a note ("x86/HVM direct boot ABI", public header start_info.h).
 */
#include "boot/pvh.h"

#include "base/bits.h"
#include "base/string.h"
#include "boot/memory_map.h"
#include "boot/modules.h"
#include "boot/place.h"
#include "boot/start.h"

#define NOTE_NAME "Xen"
#define NOTE_PHYS32_ENTRY 18u

#define START_MAGIC 0x336ec578u
#define START_VERSION 1u /* has the memory map */

struct pvh_start_info {
	u32 magic, version, flags, module_count;
	u64 modules, cmdline, rsdp, memory_map;
	u32 memory_map_entries, reserved;
};

struct pvh_module {
	u64 start, bytes, cmdline, reserved;
};

struct pvh_memory_map_entry {
	u64 base, bytes;
	u32 type, reserved;
};

bool pvh_find_entry(const struct elf_image *image, u32 *entry)
{
	struct boot_blob descriptor;

	if (!elf_find_note(image, NOTE_NAME, NOTE_PHYS32_ENTRY, &descriptor) || descriptor.size < sizeof(*entry))
		return false;
	memcpy(entry, descriptor.bytes, sizeof(*entry));
	return true;
}

static bool place_modules(struct memory *memory, const struct boot_config *config, gpa_t end,
			  struct place_strings *strings, struct pvh_start_info *start, struct host_error *error)
{
	struct placed_module placed[BOOT_MAX_MODULES + 1];
	struct pvh_module list[BOOT_MAX_MODULES + 1];

	if (!modules_place(memory, config, end, strings, placed, &start->module_count, error))
		return false;
	for (u32 i = 0; i < start->module_count; i++)
		list[i] = (struct pvh_module){ placed[i].start, placed[i].end - placed[i].start, placed[i].cmdline, 0 };
	start->modules = place_string(memory, strings, list, start->module_count * sizeof(list[0]), "modules", error);
	return start->modules;
}

static bool place_map(struct memory *memory, struct place_strings *strings, struct pvh_start_info *start,
		      struct host_error *error)
{
	struct memory_map_entry map[MEMORY_MAP_MAX];
	struct pvh_memory_map_entry list[MEMORY_MAP_MAX];

	start->memory_map_entries = memory_map_fill(memory, map);
	for (u32 i = 0; i < start->memory_map_entries; i++)
		list[i] = (struct pvh_memory_map_entry){ map[i].base, map[i].bytes, map[i].type, 0 };
	start->memory_map = place_string(memory, strings, list, start->memory_map_entries * sizeof(list[0]),
					 "memory map", error);
	return start->memory_map;
}

bool pvh_load(struct memory *memory, const struct boot_config *config, const struct elf_image *image, u32 entry,
	      struct cpu *cpu, struct host_error *error)
{
	struct pvh_start_info start = { .magic = START_MAGIC, .version = START_VERSION, .rsdp = config->rsdp };
	struct place_strings strings = place_strings_start();
	gpa_t header_entry, end;

	if (!elf_load(image, memory, &header_entry, &end, error))
		return false;
	start.cmdline =
		place_string(memory, &strings, config->cmdline, strlen(config->cmdline) + 1, "command line", error);
	if (!start.cmdline || !place_modules(memory, config, end, &strings, &start, error) ||
	    !place_map(memory, &strings, &start, error) ||
	    !place_bytes(memory, PLACE_PARAMETERS, &start, sizeof(start), "start information", error) ||
	    !start_protected_mode(memory, cpu, entry, error))
		return false;
	cpu->gpr[GPR_RBX] = PLACE_PARAMETERS;
	return true;
}

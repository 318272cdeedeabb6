/* The memory map: RAM as it is, and what firmware and chipset keep for themselves. */
#include "boot/memory_map.h"

#include "boot/place.h"
#include "machine/layout.h"

unsigned memory_map_fill(const struct memory *memory, struct memory_map_entry map[MEMORY_MAP_MAX])
{
	u64 high_bytes = memory->bytes - memory->low_bytes;
	unsigned count = 0;

	map[count++] = (struct memory_map_entry){ 0, PLACE_EBDA, MEMORY_MAP_RAM };
	map[count++] = (struct memory_map_entry){ PLACE_EBDA, PLACE_LOW_END - PLACE_EBDA, MEMORY_MAP_RESERVED };
	/* The ACPI tables are in here: see acpi.h. */
	map[count++] = (struct memory_map_entry){ PLACE_BIOS, PLACE_EXTENDED_BASE - PLACE_BIOS, MEMORY_MAP_RESERVED };
	map[count++] = (struct memory_map_entry){ PLACE_EXTENDED_BASE, memory->low_bytes - PLACE_EXTENDED_BASE,
						  MEMORY_MAP_RAM };
	map[count++] = (struct memory_map_entry){ LAYOUT_ECAM_BASE, LAYOUT_ECAM_BYTES, MEMORY_MAP_RESERVED };
	if (high_bytes)
		map[count++] = (struct memory_map_entry){ MEMORY_HIGH_BASE, high_bytes, MEMORY_MAP_RAM };
	return count;
}

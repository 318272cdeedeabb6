/*
 * The memory map as firmware would report it ("INT 15H, E820H - Query System Address Map"): Linux, PVH and Multiboot
 * kernels each get it in their own format.
 */
#ifndef BOOT_MEMORY_MAP_H
#define BOOT_MEMORY_MAP_H

#include "machine/memory.h"

enum memory_map_type { MEMORY_MAP_RAM = 1, MEMORY_MAP_RESERVED = 2 };

struct memory_map_entry {
	u64 base, bytes;
	u32 type; /* enum memory_map_type */
};

#define MEMORY_MAP_MAX 8

/* Fills in the entries, sorted by address; returns how many. */
unsigned memory_map_fill(const struct memory *memory, struct memory_map_entry map[MEMORY_MAP_MAX]);

#endif

/*
 * Modules: files that a kernel gets beside itself, for Multiboot and PVH. An initrd in the configuration is the first.
 */
#ifndef BOOT_MODULES_H
#define BOOT_MODULES_H

#include "boot/place.h"

struct placed_module {
	gpa_t start, end; /* page-aligned start */
	gpa_t cmdline;
};

/* Places them one after the other from the first page at `at`. Returns how many in *count. */
MUST_USE bool modules_place(struct memory *memory, const struct boot_config *config, gpa_t at,
			    struct place_strings *strings, struct placed_module placed[BOOT_MAX_MODULES + 1],
			    u32 *count, struct host_error *error);

#endif

/* ELF kernels: those with a PVH entry point ("x86/HVM direct boot ABI"), Linux's vmlinux, and any other executable. */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H

#include "boot/boot.h"
#include "boot/elf.h"

bool pvh_find_entry(const struct elf_image *image, u32 *entry);
MUST_USE bool pvh_load(struct memory *memory, const struct boot_config *config, const struct elf_image *image,
		       u32 entry, struct cpu *cpu, struct host_error *error);

#endif

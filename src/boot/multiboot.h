/* Kernels for the Multiboot Specification, version 0.6.96 ("Multiboot 1"). */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include "boot/boot.h"

bool multiboot_is(struct boot_blob kernel);
MUST_USE bool multiboot_load(struct memory *memory, const struct boot_config *config, struct cpu *cpu,
			     struct host_error *error);

#endif

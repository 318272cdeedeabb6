/* The states in which boot protocols start a processor. */
#ifndef BOOT_START_H
#define BOOT_START_H

#include "boot/boot.h"

/*
 * Flat 32-bit protected mode, paging off, interrupts off: what the Linux 32-bit boot protocol, Multiboot and PVH ask
 * for. The caller then sets the general registers. Selectors are those of Linux: code 0x10, data 0x18. false: the entry
 * point is not in memory.
 */
MUST_USE bool start_protected_mode(struct memory *memory, struct cpu *cpu, u64 entry, struct host_error *error);

enum start_paging { START_4_LEVELS, START_5_LEVELS };

/*
 * 64-bit mode, the low 4 GiB identity-mapped: the Linux "64-bit Boot Protocol". false: also if the processors have no
 * such mode.
 */
MUST_USE bool start_long_mode(struct memory *memory, const struct feature_set *features, struct cpu *cpu, u64 entry,
			      enum start_paging paging, struct host_error *error);

#endif

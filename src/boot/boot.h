/*
 * Kernel images to a machine about to run them: no firmware, the loader leaves memory and processor as a boot loader
 * would.
 *
 * Images arrive as bytes and are hostile until proved otherwise: every offset and length in them is checked against the
 * bytes there are, and what is wrong comes back as one line. Known formats, tried in this order: Linux bzImage and
 * zImage ("The Linux/x86 Boot Protocol"), Multiboot version 1, ELF (PVH entry note, or a Linux vmlinux, or any other
 * executable).
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "base/compiler.h"
#include "base/types.h"
#include "cpu/cpu.h"
#include "host/host.h"
#include "machine/memory.h"
#include "x86/feature.h"

#define BOOT_MAX_MODULES 64u
#define BOOT_MAX_CMDLINE 4096u /* bytes, with the final zero */

struct boot_blob {
	const u8 *bytes;
	u64 size;
};

struct boot_module {
	struct boot_blob blob;
	const char *cmdline; /* name and arguments, never NULL */
};

enum boot_format { BOOT_UNKNOWN, BOOT_LINUX, BOOT_MULTIBOOT, BOOT_PVH, BOOT_VMLINUX, BOOT_ELF };

struct boot_config {
	struct boot_blob kernel;
	const char *kernel_name; /* for messages, and the first word of a Multiboot command line */
	struct boot_blob initrd; /* size 0: none. For Multiboot and PVH it is the first module */
	const char *cmdline;     /* never NULL */
	struct boot_module modules[BOOT_MAX_MODULES]; /* Multiboot and PVH */
	unsigned module_count;

	/* The machine fills in what follows. */
	struct feature_set features; /* the processors' */
	u32 tsc_khz;                 /* the time-stamp counter's frequency if CPUID does not tell it, else 0 */
	gpa_t rsdp;                  /* ACPI root pointer, 0: none */
};

/*
 * What the image looks like, without loading it. BOOT_LINUX is what "add console=ttyS0" asks for, as is BOOT_VMLINUX.
 */
enum boot_format boot_identify(struct boot_blob kernel);

/*
 * Puts the kernel and what it needs into memory, and the state in which it starts into *cpu (which arrives in its reset
 * state). false: error says what is wrong and with what; memory may be half-written.
 */
MUST_USE bool boot_load(struct memory *memory, const struct boot_config *config, struct cpu *cpu,
			struct host_error *error);

#endif

/* Which loader is for which image: see boot.h. */
#include "boot/boot.h"

#include "boot/elf.h"
#include "boot/linux.h"
#include "boot/multiboot.h"
#include "boot/place.h"
#include "boot/pvh.h"
#include "boot/start.h"

/* Linux links its kernels this far above where they are loaded: __START_KERNEL_map, or PAGE_OFFSET on 32 bits. */
#define LINUX_OFFSET_64 0xffffffff80000000ull
#define LINUX_OFFSET_32 0xc0000000ull

static enum boot_format identify_elf(struct boot_blob kernel)
{
	struct host_error error;
	struct elf_image image;
	u32 entry;

	if (!elf_open(kernel, &image, &error))
		return BOOT_ELF; /* loading says what is wrong with it */
	if (pvh_find_entry(&image, &entry))
		return BOOT_PVH;
	for (u32 i = 0; i < image.program_header_count; i++) {
		struct elf_segment s = elf_segment(&image, i);
		u64 offset = s.virtual_address - s.physical_address;

		if (s.type == ELF_SEGMENT_LOAD)
			return offset == (image.is64 ? LINUX_OFFSET_64 : LINUX_OFFSET_32) ? BOOT_VMLINUX : BOOT_ELF;
	}
	return BOOT_ELF;
}

enum boot_format boot_identify(struct boot_blob kernel)
{
	if (bzimage_is(kernel))
		return BOOT_LINUX;
	if (multiboot_is(kernel))
		return BOOT_MULTIBOOT;
	return elf_is(kernel) ? identify_elf(kernel) : BOOT_UNKNOWN;
}

/* An executable of which nothing more is known starts as Linux's vmlinux does, with its parameter block in RSI. */
static bool load_plain_elf(struct memory *memory, const struct boot_config *config, const struct elf_image *image,
			   struct cpu *cpu, struct host_error *error)
{
	struct linux_setup_header header = linux_header_for_elf();
	gpa_t entry, end;

	if (elf_is_program(image)) {
		host_error_set(error, "%s: not a kernel but a program that needs an operating system to run it",
			       config->kernel_name);
		return false;
	}
	if (!elf_load(image, memory, &entry, &end, error) ||
	    !linux_place_parameters(memory, config, &header, (struct linux_extent){ 0, end }, error))
		return false;
	if (!(image->is64 ? start_long_mode(memory, &config->features, cpu, entry, START_4_LEVELS, error) :
			    start_protected_mode(memory, cpu, entry, error)))
		return false;
	cpu->gpr[GPR_RSI] = PLACE_PARAMETERS;
	return true;
}

static bool load_elf(struct memory *memory, const struct boot_config *config, struct cpu *cpu, struct host_error *error)
{
	struct elf_image image;
	u32 entry;

	if (!elf_open(config->kernel, &image, error))
		return false;
	if (pvh_find_entry(&image, &entry))
		return pvh_load(memory, config, &image, entry, cpu, error);
	return load_plain_elf(memory, config, &image, cpu, error);
}

bool boot_load(struct memory *memory, const struct boot_config *config, struct cpu *cpu, struct host_error *error)
{
	switch (boot_identify(config->kernel)) {
	case BOOT_LINUX:
		return bzimage_load(memory, config, cpu, error);
	case BOOT_MULTIBOOT:
		return multiboot_load(memory, config, cpu, error);
	case BOOT_PVH:
	case BOOT_VMLINUX:
	case BOOT_ELF:
		return load_elf(memory, config, cpu, error);
	case BOOT_UNKNOWN:
		break;
	}
	host_error_set(error,
		       config->kernel.size ? "%s: not a kernel image: neither a Linux bzImage nor Multiboot nor ELF"
					   : "%s: the kernel image is empty",
		       config->kernel_name);
	return false;
}

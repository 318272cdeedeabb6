/*
 * Linux's parameter block ("The Linux/x86 Boot Protocol", "Zero Page"), and filling it in for a kernel that is entered
 * past its real-mode code.
 */
#ifndef BOOT_LINUX_H
#define BOOT_LINUX_H

#include "base/compiler.h"
#include "boot/boot.h"

#define LINUX_SETUP_HEADER_OFFSET 0x1f1u
#define LINUX_BOOT_FLAG 0xaa55u
#define LINUX_HEADER_MAGIC 0x53726448u /* "HdrS" */

#define LINUX_LOADED_HIGH BIT(0)      /* loadflags: the kernel proper goes to 1 MiB, not 64 KiB */
#define LINUX_KASLR_FLAG BIT(1)
#define LINUX_XLF_KERNEL_64 BIT(0)    /* xloadflags: there is a 64-bit entry point */
#define LINUX_XLF_CAN_BE_LOADED_ABOVE_4G BIT(1)
#define LINUX_XLF_5LEVEL_ENABLED BIT(6)

/* Names as in the protocol's table. */
struct linux_setup_header {
	u8 setup_sects;
	u16 root_flags;
	u32 syssize;
	u16 ram_size, vid_mode, root_dev, boot_flag;
	u8 jump, header_bytes; /* a two-byte jump over the header: its offset is the header's length from 0x202 */
	u32 header;
	u16 version;
	u32 realmode_swtch;
	u16 start_sys_seg, kernel_version;
	u8 type_of_loader, loadflags;
	u16 setup_move_size;
	u32 code32_start, ramdisk_image, ramdisk_size, bootsect_kludge;
	u16 heap_end_ptr;
	u8 ext_loader_ver, ext_loader_type;
	u32 cmd_line_ptr, initrd_addr_max, kernel_alignment;
	u8 relocatable_kernel, min_alignment;
	u16 xloadflags;
	u32 cmdline_size, hardware_subarch;
	u64 hardware_subarch_data;
	u32 payload_offset, payload_length;
	u64 setup_data, pref_address;
	u32 init_size, handover_offset, kernel_info_offset;
} PACKED;

_Static_assert(sizeof(struct linux_setup_header) == 0x26c - LINUX_SETUP_HEADER_OFFSET, "the protocol's layout");

struct linux_e820_entry {
	u64 base, bytes;
	u32 type;
} PACKED;

#define LINUX_E820_MAX 128

struct linux_boot_params {
	u16 screen_start, ext_mem_k; /* the latter, and the two below, are what kernels before protocol 2.02 read */
	u8 screen_info[0x1c];
	u16 cmd_line_magic, cmd_line_offset;
	u8 more_screen_info[0x4c];
	u64 acpi_rsdp_addr;
	u8 legacy_tables[0x48];
	u32 ext_ramdisk_image, ext_ramdisk_size, ext_cmd_line_ptr;
	u8 firmware_info[0x114];
	u32 alt_mem_k, scratch;
	u8 e820_entries, eddbuf_entries, edd_mbr_sig_buf_entries, kbd_status, secure_boot, pad[2], sentinel, pad2;
	struct linux_setup_header header;
	u8 pad3[0x2d0 - 0x26c];
	struct linux_e820_entry e820_table[LINUX_E820_MAX];
	u8 rest[0x1000 - 0xcd0];
} PACKED;

_Static_assert(offsetof(struct linux_boot_params, cmd_line_magic) == 0x20, "the protocol's layout");
_Static_assert(offsetof(struct linux_boot_params, acpi_rsdp_addr) == 0x70, "the protocol's layout");
_Static_assert(offsetof(struct linux_boot_params, ext_ramdisk_image) == 0xc0, "the protocol's layout");
_Static_assert(offsetof(struct linux_boot_params, alt_mem_k) == 0x1e0, "the protocol's layout");
_Static_assert(offsetof(struct linux_boot_params, sentinel) == 0x1ef, "the protocol's layout");
_Static_assert(offsetof(struct linux_boot_params, header) == LINUX_SETUP_HEADER_OFFSET, "the protocol's layout");
_Static_assert(offsetof(struct linux_boot_params, e820_table) == 0x2d0, "the protocol's layout");
_Static_assert(sizeof(struct linux_boot_params) == 0x1000, "the zero page is one page");

/* Where the kernel's code, data, BSS and early heap are: the initial RAM disk goes elsewhere. */
struct linux_extent {
	gpa_t start, end;
};

/*
 * Places command line, initial RAM disk and the parameter block with the memory map. header: the kernel's own, or what
 * linux_header_for_elf() gives. The block's address is PLACE_PARAMETERS, for RSI.
 */
MUST_USE bool linux_place_parameters(struct memory *memory, const struct boot_config *config,
				     const struct linux_setup_header *header, struct linux_extent kernel,
				     struct host_error *error);

/* Whether a word of the command line is the name, or starts with name and "=". */
bool linux_cmdline_names(const char *cmdline, const char *name);

/* A header for a kernel that comes without one: as the newest protocol's, everything allowed. */
struct linux_setup_header linux_header_for_elf(void);

/* bzimage.c: bzImage and zImage. */
bool bzimage_is(struct boot_blob kernel);
MUST_USE bool bzimage_load(struct memory *memory, const struct boot_config *config, struct cpu *cpu,
			   struct host_error *error);

#endif

/* ELF executables, 32 and 64 bits, little-endian, for x86: reading the headers and loading the segments. */
#ifndef BOOT_ELF_H
#define BOOT_ELF_H

#include "boot/boot.h"

struct elf_image {
	struct boot_blob blob;
	bool is64; /* ELFCLASS64 */
	u64 entry;
	u64 program_headers; /* offset */
	u32 program_header_bytes, program_header_count;
};

/* A program header, widened. */
struct elf_segment {
	u32 type;
	u64 offset, virtual_address, physical_address, file_bytes, memory_bytes;
};

#define ELF_SEGMENT_LOAD 1
#define ELF_SEGMENT_INTERPRETER 3
#define ELF_SEGMENT_NOTE 4

bool elf_is(struct boot_blob blob);
/* Checks everything in the header; false with one line if the image cannot be loaded here. */
MUST_USE bool elf_open(struct boot_blob blob, struct elf_image *image, struct host_error *error);
/* index < program_header_count. */
struct elf_segment elf_segment(const struct elf_image *image, u32 index);

/*
 * Loads every PT_LOAD segment at its physical address. *end: the first page boundary above all of them; *entry:
 * the physical address of the entry point, also where the header gives a virtual one.
 */
MUST_USE bool elf_load(const struct elf_image *image, struct memory *memory, gpa_t *entry, gpa_t *end,
		       struct host_error *error);

/* It asks for a program interpreter: a program for an operating system, not a kernel. */
bool elf_is_program(const struct elf_image *image);

/* The note's descriptor; false if there is none of that name and type. */
bool elf_find_note(const struct elf_image *image, const char *name, u32 type, struct boot_blob *descriptor);

#endif

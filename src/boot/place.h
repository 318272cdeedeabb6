/*
 * Where a loader puts things, and how it gets them there.
 *
 * What the loader itself leaves for a kernel (descriptor table, page tables, parameter blocks, command lines) lies in
 * one area of low memory, ordinary RAM in the memory map: a kernel takes what it needs before it uses the area
 * otherwise. It starts where boot loaders have always put Linux's parameter block, and ends below the highest low
 * pages, in which Linux's decompressor puts its trampoline.
 */
#ifndef BOOT_PLACE_H
#define BOOT_PLACE_H

#include "boot/boot.h"

#define PLACE_AREA_BASE 0x90000ull
#define PLACE_PARAMETERS 0x90000ull  /* Linux boot_params, or PVH or Multiboot information: one page */
#define PLACE_PAGE_TABLES 0x91000ull /* seven pages: see start.c */
#define PLACE_GDT 0x98000ull
#define PLACE_STACK 0x99000ull       /* grows down to the GDT */
#define PLACE_STRINGS 0x99000ull     /* command lines, module lists, memory maps */
#define PLACE_AREA_END 0x9d000ull

#define PLACE_EBDA 0x9fc00ull /* extended BIOS data area: 1 KiB, the end of low RAM */
#define PLACE_LOW_END 0xa0000ull
#define PLACE_BIOS 0xe0000ull
#define PLACE_EXTENDED_BASE 0x100000ull

/* Copies into RAM. what: for the message, "kernel segment". */
MUST_USE bool place_bytes(struct memory *memory, gpa_t at, const void *bytes, u64 size, const char *what,
			  struct host_error *error);
/* Fills with zeroes. */
MUST_USE bool place_zeroes(struct memory *memory, gpa_t at, u64 size, const char *what, struct host_error *error);

/*
 * The same for a part of an image, which must not touch the loader's own area nor the firmware's above it: memory_size
 * bytes, of which the first `size` are given and the rest are zero.
 */
MUST_USE bool place_image(struct memory *memory, gpa_t at, const void *bytes, u64 size, u64 memory_size,
			  const char *what, struct host_error *error);

/* Bump allocation of small things in PLACE_STRINGS, each 8-byte aligned. */
struct place_strings {
	gpa_t next;
};

static inline struct place_strings place_strings_start(void)
{
	return (struct place_strings){ PLACE_STRINGS };
}

/* Returns where the bytes now are, or 0 with the error set. */
gpa_t place_string(struct memory *memory, struct place_strings *strings, const void *bytes, u64 size,
		   const char *what, struct host_error *error);

#endif

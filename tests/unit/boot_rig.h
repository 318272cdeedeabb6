/* What the boot loaders' tests share: guest memory, a configuration, and images put together byte by byte. */
#ifndef TESTS_UNIT_BOOT_RIG_H
#define TESTS_UNIT_BOOT_RIG_H

#include <stdlib.h>
#include <string.h>

#include "boot/boot.h"
#include "boot/place.h"
#include "test.h"
#include "x86/regs.h"

#define RIG_MEMORY_BYTES (32ull << 20)

struct boot_rig {
	struct memory memory;
	struct boot_config config;
	struct cpu cpu;
	struct host_error error;
	u8 *image; /* being put together; config.kernel points to it */
};

static inline struct boot_rig *rig_create(size_t image_bytes)
{
	struct boot_rig *rig = calloc(1, sizeof(*rig));
	u64 pages = RIG_MEMORY_BYTES / PAGE_SIZE;

	memory_init(&rig->memory, calloc(1, RIG_MEMORY_BYTES), RIG_MEMORY_BYTES,
		    calloc(pages, sizeof(_Atomic u32)), calloc(pages, sizeof(_Atomic u8)));
	rig->image = calloc(1, image_bytes ? image_bytes : 1);
	rig->config.kernel = (struct boot_blob){ rig->image, image_bytes };
	rig->config.kernel_name = "kernel";
	rig->config.cmdline = "quiet";
	feature_set(&rig->config.features, FEAT_LM, true);
	return rig;
}

static inline void rig_destroy(struct boot_rig *rig)
{
	free(rig->memory.host);
	free((void *)rig->memory.generation);
	free((void *)rig->memory.has_code);
	free(rig->image);
	free(rig);
}

static inline bool rig_load(struct boot_rig *rig)
{
	memset(&rig->cpu, 0, sizeof(rig->cpu));
	rig->error.text[0] = 0;
	return boot_load(&rig->memory, &rig->config, &rig->cpu, &rig->error);
}

/* Whether loading is refused with one line that contains the text. */
static inline bool rig_refuses(struct boot_rig *rig, const char *text)
{
	bool refused = !rig_load(rig) && strstr(rig->error.text, text) && !strchr(rig->error.text, '\n');

	if (!refused)
		printf("  said: '%s'\n", rig->error.text);
	return refused;
}

/* The low `bytes` bytes of a number, little-endian, into the image or out of guest memory. */
static inline void rig_put(struct boot_rig *rig, u64 offset, u64 value, unsigned bytes)
{
	memcpy(rig->image + offset, &value, bytes);
}

static inline u64 rig_get(const struct boot_rig *rig, gpa_t gpa, unsigned bytes)
{
	u64 value = 0;

	if (!CHECK(memory_read(&rig->memory, gpa, &value, bytes)))
		return 0;
	return value;
}

static inline bool rig_text_is(const struct boot_rig *rig, gpa_t gpa, const char *text)
{
	const char *at = (const char *)memory_at(&rig->memory, gpa, strlen(text) + 1);

	return at && !strcmp(at, text);
}

/* ---- ELF ---- */

struct rig_segment {
	u32 type;
	u64 offset, virtual_address, physical_address, file_bytes, memory_bytes;
};

#define RIG_ELF64_HEADER_BYTES 64u
#define RIG_ELF64_SEGMENT_BYTES 56u
#define RIG_ELF32_HEADER_BYTES 52u
#define RIG_ELF32_SEGMENT_BYTES 32u

static inline void rig_put_elf_identity(struct boot_rig *rig, bool is64)
{
	memcpy(rig->image, "\177ELF", 4);
	rig_put(rig, 4, is64 ? 2 : 1, 1);
	rig_put(rig, 5, 1, 1);             /* little-endian */
	rig_put(rig, 6, 1, 1);
	rig_put(rig, 16, 2, 2);            /* executable */
	rig_put(rig, 18, is64 ? 62 : 3, 2);
	rig_put(rig, 20, 1, 4);
}

/* Headers of an ELF64 executable at the image's start. */
static inline void rig_put_elf64(struct boot_rig *rig, u64 entry, const struct rig_segment *segments, unsigned count)
{
	rig_put_elf_identity(rig, true);
	rig_put(rig, 24, entry, 8);
	rig_put(rig, 32, RIG_ELF64_HEADER_BYTES, 8);
	rig_put(rig, 52, RIG_ELF64_HEADER_BYTES, 2);
	rig_put(rig, 54, RIG_ELF64_SEGMENT_BYTES, 2);
	rig_put(rig, 56, count, 2);
	for (unsigned i = 0; i < count; i++) {
		u64 at = RIG_ELF64_HEADER_BYTES + i * RIG_ELF64_SEGMENT_BYTES;

		rig_put(rig, at, segments[i].type, 4);
		rig_put(rig, at + 8, segments[i].offset, 8);
		rig_put(rig, at + 16, segments[i].virtual_address, 8);
		rig_put(rig, at + 24, segments[i].physical_address, 8);
		rig_put(rig, at + 32, segments[i].file_bytes, 8);
		rig_put(rig, at + 40, segments[i].memory_bytes, 8);
	}
}

static inline void rig_put_elf32(struct boot_rig *rig, u32 entry, const struct rig_segment *segment)
{
	u64 at = RIG_ELF32_HEADER_BYTES;

	rig_put_elf_identity(rig, false);
	rig_put(rig, 24, entry, 4);
	rig_put(rig, 28, RIG_ELF32_HEADER_BYTES, 4);
	rig_put(rig, 40, RIG_ELF32_HEADER_BYTES, 2);
	rig_put(rig, 42, RIG_ELF32_SEGMENT_BYTES, 2);
	rig_put(rig, 44, 1, 2);
	rig_put(rig, at, segment->type, 4);
	rig_put(rig, at + 4, segment->offset, 4);
	rig_put(rig, at + 8, segment->virtual_address, 4);
	rig_put(rig, at + 12, segment->physical_address, 4);
	rig_put(rig, at + 16, segment->file_bytes, 4);
	rig_put(rig, at + 20, segment->memory_bytes, 4);
}

/* ---- start states ---- */

static inline void rig_check_protected_mode(const struct boot_rig *rig, u64 entry)
{
	const struct cpu *cpu = &rig->cpu;

	CHECK_EQ(cpu->rip, entry);
	CHECK_EQ(cpu->cr0 & (CR0_PE | CR0_PG), CR0_PE);
	CHECK_EQ(cpu->efer, 0);
	CHECK(!(cpu_rflags(cpu) & (RFLAGS_IF | RFLAGS_VM)));
	CHECK_EQ(cpu->segment[SEG_CS].attributes, 0xc09b);
	CHECK_EQ(cpu->segment[SEG_SS].attributes, 0xc093);
	CHECK_EQ(cpu->segment[SEG_CS].limit, 0xffffffff);
	CHECK_EQ(cpu->segment[SEG_DS].base, 0);
	CHECK_EQ(rig_get(rig, cpu->gdtr.base + 0x10, 8), 0x00cf9b000000ffff);
	CHECK_EQ(rig_get(rig, cpu->gdtr.base + 0x18, 8), 0x00cf93000000ffff);
}

static inline void rig_check_long_mode(const struct boot_rig *rig, u64 entry)
{
	const struct cpu *cpu = &rig->cpu;
	u64 pml4 = cpu->cr4 & CR4_LA57 ? rig_get(rig, cpu->cr3, 8) & PAGE_MASK : cpu->cr3, pml4e = rig_get(rig, pml4, 8);

	CHECK_EQ(cpu->rip, entry);
	CHECK_EQ(cpu->cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	CHECK_EQ(cpu->cr4 & ~CR4_LA57, CR4_PAE);
	CHECK_EQ(cpu->efer, EFER_LME | EFER_LMA);
	CHECK(cpu_in_64bit_mode(cpu));
	CHECK_EQ(cpu->segment[SEG_CS].selector, 0x10);
	CHECK_EQ(cpu->segment[SEG_DS].selector, 0x18);
	CHECK_EQ(rig_get(rig, cpu->gdtr.base + 0x10, 8), 0x00af9b000000ffff);
	for (u64 gib = 0; gib < 4; gib++) {
		u64 pdpte = rig_get(rig, (pml4e & PAGE_MASK) + gib * 8, 8);

		CHECK_EQ(pdpte & 0xfff, 3);
		for (u64 page = 0; page < 512; page++)
			CHECK_EQ(rig_get(rig, (pdpte & PAGE_MASK) + page * 8, 8), gib << 30 | page << 21 | 0x83);
	}
}

#endif

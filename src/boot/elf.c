/*
 * ELF ("Tool Interface Standard, Executable and Linking Format"): what a loader needs of it, bounded at every step.
 */
#include "boot/elf.h"

#include "base/bits.h"
#include "base/string.h"
#include "boot/blob.h"
#include "boot/place.h"

#define ELF_MAGIC "\177ELF"
#define ELF_MAGIC_BYTES 4u
#define NOTE_ALIGNMENT 4u

enum elf_class { ELFCLASS32 = 1, ELFCLASS64 = 2 };
enum { ELFDATA2LSB = 1, ET_EXEC = 2, ET_DYN = 3, EM_386 = 3, EM_X86_64 = 62 };

/* The start that both classes share. */
struct elf_identity {
	u8 magic[ELF_MAGIC_BYTES], class, data, version, pad[9];
	u16 type, machine;
	u32 object_version;
} PACKED;

struct elf32_header {
	struct elf_identity identity;
	u32 entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} PACKED;

struct elf64_header {
	struct elf_identity identity;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} PACKED;

struct elf32_program_header {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
} PACKED;

struct elf64_program_header {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
} PACKED;

struct elf_note {
	u32 name_bytes, descriptor_bytes, type;
} PACKED;

bool elf_is(struct boot_blob blob)
{
	return blob_holds(blob, 0, ELF_MAGIC_BYTES) && !memcmp(blob.bytes, ELF_MAGIC, ELF_MAGIC_BYTES);
}

/* Reads the header of the image's class. */
static bool read_header(struct elf_image *image)
{
	struct elf64_header header64;
	struct elf32_header header32;

	if (image->is64) {
		if (!blob_read(image->blob, 0, &header64, sizeof(header64)))
			return false;
		image->entry = header64.entry;
		image->program_headers = header64.phoff;
		image->program_header_bytes = header64.phentsize;
		image->program_header_count = header64.phnum;
	} else {
		if (!blob_read(image->blob, 0, &header32, sizeof(header32)))
			return false;
		image->entry = header32.entry;
		image->program_headers = header32.phoff;
		image->program_header_bytes = header32.phentsize;
		image->program_header_count = header32.phnum;
	}
	return true;
}

bool elf_open(struct boot_blob blob, struct elf_image *image, struct host_error *error)
{
	struct elf_identity identity;
	size_t entry_bytes;

	*image = (struct elf_image){ .blob = blob };
	if (!elf_is(blob) || !blob_read(blob, 0, &identity, sizeof(identity))) {
		host_error_set(error, "kernel: not a whole ELF file");
		return false;
	}
	image->is64 = identity.class == ELFCLASS64;
	if ((!image->is64 && identity.class != ELFCLASS32) || identity.data != ELFDATA2LSB ||
	    (identity.machine != EM_386 && identity.machine != EM_X86_64)) {
		host_error_set(error, "kernel: an ELF file, but not for x86");
		return false;
	}
	if (identity.type != ET_EXEC && identity.type != ET_DYN) {
		host_error_set(error, "kernel: an ELF file, but not an executable; link it first");
		return false;
	}
	entry_bytes = image->is64 ? sizeof(struct elf64_program_header) : sizeof(struct elf32_program_header);
	if (!read_header(image) || image->program_header_bytes < entry_bytes ||
	    !blob_holds(blob, image->program_headers,
			(u64)image->program_header_bytes * image->program_header_count)) {
		host_error_set(error, "kernel: a truncated or damaged ELF file: its program headers are not all there");
		return false;
	}
	return true;
}

struct elf_segment elf_segment(const struct elf_image *image, u32 index)
{
	const u8 *at = image->blob.bytes + image->program_headers + (u64)index * image->program_header_bytes;
	struct elf64_program_header header64;
	struct elf32_program_header header32;

	if (image->is64) {
		memcpy(&header64, at, sizeof(header64));
		return (struct elf_segment){ header64.type, header64.offset, header64.vaddr, header64.paddr,
					     header64.filesz, header64.memsz };
	}
	memcpy(&header32, at, sizeof(header32));
	return (struct elf_segment){ header32.type, header32.offset, header32.vaddr, header32.paddr, header32.filesz,
				     header32.memsz };
}

static bool contains(u64 base, u64 bytes, u64 address)
{
	return address >= base && address - base < bytes;
}

/*
 * The entry point is physical in kernels that start with paging off, and virtual in what ordinary linker scripts make.
 */
static gpa_t entry_physical(const struct elf_image *image)
{
	gpa_t translated = image->entry;

	for (u32 i = 0; i < image->program_header_count; i++) {
		struct elf_segment s = elf_segment(image, i);

		if (s.type != ELF_SEGMENT_LOAD)
			continue;
		if (contains(s.physical_address, s.memory_bytes, image->entry))
			return image->entry;
		if (contains(s.virtual_address, s.memory_bytes, image->entry))
			translated = image->entry - s.virtual_address + s.physical_address;
	}
	return translated;
}

bool elf_load(const struct elf_image *image, struct memory *memory, gpa_t *entry, gpa_t *end, struct host_error *error)
{
	u64 total = 0;

	*end = 0;
	for (u32 i = 0; i < image->program_header_count; i++) {
		struct elf_segment s = elf_segment(image, i);

		if (s.type != ELF_SEGMENT_LOAD || !s.memory_bytes)
			continue;
		if (s.file_bytes > s.memory_bytes || !blob_holds(image->blob, s.offset, s.file_bytes)) {
			host_error_set(error, "kernel: a truncated or damaged ELF file: segment %u is not all there",
				       i);
			return false;
		}
		if (!place_image(memory, s.physical_address, image->blob.bytes + s.offset, s.file_bytes,
				 s.memory_bytes, "kernel segment", error))
			return false;
		/* Overlapping segments could otherwise make us copy for hours. */
		total += s.memory_bytes;
		if (total > memory->bytes) {
			host_error_set(error, "kernel: a damaged ELF file: its segments overlap");
			return false;
		}
		*end = max_u64(*end, align_up(s.physical_address + s.memory_bytes, PAGE_SIZE));
	}
	*entry = entry_physical(image);
	return true;
}

bool elf_is_program(const struct elf_image *image)
{
	for (u32 i = 0; i < image->program_header_count; i++)
		if (elf_segment(image, i).type == ELF_SEGMENT_INTERPRETER)
			return true;
	return false;
}

/* Looks through one PT_NOTE segment. */
static bool find_note_in(struct boot_blob notes, const char *name, u32 type, struct boot_blob *descriptor)
{
	u64 name_bytes = strlen(name) + 1, offset = 0;
	struct elf_note note;

	while (blob_read(notes, offset, &note, sizeof(note))) {
		u64 name_at = offset + sizeof(note);
		u64 descriptor_at = name_at + align_up(note.name_bytes, NOTE_ALIGNMENT);

		if (!blob_holds(notes, descriptor_at, note.descriptor_bytes))
			return false;
		if (note.type == type && note.name_bytes == name_bytes &&
		    !memcmp(notes.bytes + name_at, name, name_bytes)) {
			*descriptor = (struct boot_blob){ notes.bytes + descriptor_at, note.descriptor_bytes };
			return true;
		}
		offset = descriptor_at + align_up(note.descriptor_bytes, NOTE_ALIGNMENT);
	}
	return false;
}

bool elf_find_note(const struct elf_image *image, const char *name, u32 type, struct boot_blob *descriptor)
{
	for (u32 i = 0; i < image->program_header_count; i++) {
		struct elf_segment s = elf_segment(image, i);

		if (s.type != ELF_SEGMENT_NOTE || !blob_holds(image->blob, s.offset, s.file_bytes))
			continue;
		if (find_note_in((struct boot_blob){ image->blob.bytes + s.offset, s.file_bytes }, name, type,
				 descriptor))
			return true;
	}
	return false;
}

/*
 * Linux's bzImage, and the older zImage ("The Linux/x86 Boot Protocol").
 *
 * The kernel's compressed payload is unpacked here, on the host, in a fraction of the time the guest would take: what
 * comes out is the vmlinux, loaded where it was linked and entered as the kernel's own decompressor would enter it,
 * with 5-level paging if kernel and processors have it. (So the kernel stays at its link address: no KASLR.) A payload
 * that we cannot unpack is left to the decompressor in the image, by the 64-bit or the 32-bit protocol.
 */
#include "base/bits.h"
#include "boot/blob.h"
#include "boot/elf.h"
#include "boot/linux.h"
#include "boot/place.h"
#include "boot/start.h"
#include "host/decompress.h"

enum {
	PROTOCOL_2_00 = 0x200,
	PROTOCOL_2_04 = 0x204,
	PROTOCOL_2_08 = 0x208,
	PROTOCOL_2_10 = 0x20a,
	PROTOCOL_2_12 = 0x20c
};

#define SECTOR_BYTES 512u
#define DEFAULT_SETUP_SECTORS 4u
#define SYSSIZE_UNIT 16u
#define HEADER_LENGTH_BASE 0x202u  /* the header's length is counted from here */
#define ENTRY_64_OFFSET 0x200u     /* "64-bit Boot Protocol": the entry point, from the kernel's load address */
#define BZIMAGE_LOAD 0x100000ull
#define ZIMAGE_LOAD 0x1000ull      /* where a zImage's real-mode code would move the kernel */
#define DEFAULT_INIT_SIZE_FACTOR 4u /* room to decompress where the header does not say: times the image */

struct bzimage {
	struct linux_setup_header header;
	struct boot_blob code; /* the protected-mode part */
};

bool bzimage_is(struct boot_blob kernel)
{
	struct linux_setup_header header;

	return blob_read(kernel, LINUX_SETUP_HEADER_OFFSET, &header,
			 HEADER_LENGTH_BASE + 4 - LINUX_SETUP_HEADER_OFFSET) &&
	       header.boot_flag == LINUX_BOOT_FLAG && header.header == LINUX_HEADER_MAGIC;
}

/* Takes the image apart. Older headers are shorter: what they lack reads as zero. */
static bool bzimage_open(struct boot_blob kernel, struct bzimage *image, struct host_error *error)
{
	u64 header_end, setup_bytes, code_bytes = 0;

	*image = (struct bzimage){ 0 };
	if (!blob_holds(kernel, 0, HEADER_LENGTH_BASE)) {
		host_error_set(error, "kernel: a truncated Linux image");
		return false;
	}
	header_end = HEADER_LENGTH_BASE + kernel.bytes[HEADER_LENGTH_BASE - 1];
	header_end = min_u64(header_end, LINUX_SETUP_HEADER_OFFSET + sizeof(image->header));
	if (!blob_read(kernel, LINUX_SETUP_HEADER_OFFSET, &image->header, header_end - LINUX_SETUP_HEADER_OFFSET)) {
		host_error_set(error, "kernel: a truncated Linux image: its setup header is not all there");
		return false;
	}
	if (image->header.version < PROTOCOL_2_00) {
		host_error_set(error, "kernel: a Linux image older than boot protocol 2.00 (Linux 1.3.73)");
		return false;
	}
	if (!image->header.setup_sects)
		image->header.setup_sects = DEFAULT_SETUP_SECTORS;
	setup_bytes = (image->header.setup_sects + 1ull) * SECTOR_BYTES;
	/* syssize counts padding, which some kernels' files leave out. */
	if (image->header.version >= PROTOCOL_2_04)
		code_bytes = (u64)image->header.syssize * SYSSIZE_UNIT;
	code_bytes -= min_u64(code_bytes, 2 * SYSSIZE_UNIT);
	if (setup_bytes >= kernel.size || code_bytes > kernel.size - setup_bytes) {
		host_error_set(
			error,
			"kernel: a truncated Linux image: %llu bytes where its header speaks of %llu; get it again",
			(unsigned long long)kernel.size, (unsigned long long)(setup_bytes + code_bytes));
		return false;
	}
	image->code = (struct boot_blob){ kernel.bytes + setup_bytes, kernel.size - setup_bytes };
	return true;
}

static bool is_64bit(const struct bzimage *image)
{
	return image->header.version >= PROTOCOL_2_12 && (image->header.xloadflags & LINUX_XLF_KERNEL_64);
}

/*
 * Unpacks the compressed kernel inside. true with *vmlinux empty: the header does not say where it is, or it is in a
 * format that is not known here. To be freed with host_free().
 */
static bool unpack(const struct bzimage *image, u64 limit, struct boot_blob *vmlinux, struct host_error *error)
{
	const struct linux_setup_header *header = &image->header;
	struct boot_blob packed;
	u8 *unpacked;

	*vmlinux = (struct boot_blob){ 0 };
	if (header->version < PROTOCOL_2_08)
		return true;
	if (!blob_holds(image->code, header->payload_offset, header->payload_length)) {
		host_error_set(error,
			       "kernel: a damaged Linux image: its compressed kernel is not all there; get it again");
		return false;
	}
	packed = (struct boot_blob){ image->code.bytes + header->payload_offset, header->payload_length };
	if (!host_decompress_known(packed.bytes, packed.size))
		return true;
	if (!host_decompress(packed.bytes, packed.size, limit, &unpacked, &vmlinux->size, error))
		return false;
	vmlinux->bytes = unpacked;
	return true;
}

/* As the decompressor chooses. */
static enum start_paging wanted_paging(const struct boot_config *config, const struct linux_setup_header *header)
{
	bool wanted = header->version >= PROTOCOL_2_12 && header->xloadflags & LINUX_XLF_5LEVEL_ENABLED &&
		      feature_has(&config->features, FEAT_LA57) && !linux_cmdline_names(config->cmdline, "no5lvl");

	return wanted ? START_5_LEVELS : START_4_LEVELS;
}

/* Loads the unpacked kernel. */
static bool load_vmlinux(struct memory *memory, const struct boot_config *config, const struct bzimage *image,
			 struct boot_blob vmlinux, struct cpu *cpu, struct host_error *error)
{
	const struct linux_setup_header *header = &image->header;
	struct elf_image elf;
	struct linux_extent extent = { .start = header->pref_address };
	gpa_t entry;

	if (!elf_open(vmlinux, &elf, error) || !elf_load(&elf, memory, &entry, &extent.end, error))
		return false;
	/* init_size counts what the kernel uses before it reads the memory map. */
	extent.end = max_u64(extent.end, min_u64(header->pref_address, MEMORY_HIGH_BASE) + header->init_size);
	if (!linux_place_parameters(memory, config, header, extent, error))
		return false;
	if (!elf.is64)
		return start_protected_mode(memory, cpu, entry, error);
	return start_long_mode(memory, &config->features, cpu, entry, wanted_paging(config, header), error);
}

/* Loads the image as it is; it unpacks itself. */
static bool load_compressed(struct memory *memory, const struct boot_config *config, const struct bzimage *image,
			    struct cpu *cpu, struct host_error *error)
{
	const struct linux_setup_header *header = &image->header;
	bool high = header->loadflags & LINUX_LOADED_HIGH;
	gpa_t at = high ? BZIMAGE_LOAD : ZIMAGE_LOAD;
	u64 room = image->code.size * DEFAULT_INIT_SIZE_FACTOR;

	if (header->version >= PROTOCOL_2_10) {
		room = header->init_size;
		if (header->relocatable_kernel)
			at = header->pref_address;
	}
	if (!place_image(memory, at, image->code.bytes, image->code.size, image->code.size, "kernel", error) ||
	    !linux_place_parameters(memory, config, header,
				    (struct linux_extent){ at, at + max_u64(room, image->code.size) }, error))
		return false;
	if (!is_64bit(image))
		return start_protected_mode(memory, cpu, at, error);
	return start_long_mode(memory, &config->features, cpu, at + ENTRY_64_OFFSET, START_4_LEVELS, error);
}

bool bzimage_load(struct memory *memory, const struct boot_config *config, struct cpu *cpu, struct host_error *error)
{
	struct boot_blob vmlinux;
	struct bzimage image;
	bool loaded;

	if (!bzimage_open(config->kernel, &image, error) || !unpack(&image, memory->bytes, &vmlinux, error))
		return false;
	if (elf_is(vmlinux))
		loaded = load_vmlinux(memory, config, &image, vmlinux, cpu, error);
	else
		loaded = load_compressed(memory, config, &image, cpu, error);
	host_free((void *)vmlinux.bytes);
	if (loaded)
		cpu->gpr[GPR_RSI] = PLACE_PARAMETERS;
	return loaded;
}

/*
 * The states in which boot protocols start a processor: descriptor table, page tables and registers.
 *
 * The segment registers say the same as the descriptors in memory that their selectors name, so that a kernel that
 * reloads one gets what it had.
 */
#include "boot/start.h"

#include "base/bits.h"
#include "base/string.h"
#include "boot/place.h"

enum { GDT_CODE = 2, GDT_DATA = 3, GDT_TSS = 4, GDT_ENTRIES = 6 };
#define SELECTOR(index) ((u16)((index) << 3))

#define FLAT_LIMIT 0xffffffffu
#define TSS_LIMIT 0x67u
#define CODE_TYPE (SEGMENT_TYPE_CODE | SEGMENT_TYPE_READABLE | SEGMENT_TYPE_ACCESSED)
#define DATA_TYPE (SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED)
#define FLAT (SEGMENT_S | SEGMENT_P | SEGMENT_G)

#define PAGE_PRESENT_WRITABLE (BIT(0) | BIT(1))
#define PAGE_LARGE BIT(7)
#define PAGE_TABLE_ENTRIES (PAGE_SIZE / sizeof(u64))
#define LARGE_PAGE_BYTES (2ull << 20)
#define MAPPED_DIRECTORIES 4u /* of 1 GiB each */

static const struct cpu_segment code32 = { .selector = SELECTOR(GDT_CODE), .limit = FLAT_LIMIT,
					   .attributes = CODE_TYPE | FLAT | SEGMENT_DB };
static const struct cpu_segment code64 = { .selector = SELECTOR(GDT_CODE), .limit = FLAT_LIMIT,
					   .attributes = CODE_TYPE | FLAT | SEGMENT_L };
static const struct cpu_segment data = { .selector = SELECTOR(GDT_DATA), .limit = FLAT_LIMIT,
					 .attributes = DATA_TYPE | FLAT | SEGMENT_DB };
static const struct cpu_segment tss = { .selector = SELECTOR(GDT_TSS), .limit = TSS_LIMIT,
					.attributes = DESCRIPTOR_TSS32_BUSY | SEGMENT_P };

/* "Segment Descriptor" layout; the base is 0 in all of ours. */
static u64 descriptor(const struct cpu_segment *segment)
{
	u64 limit = segment->attributes & SEGMENT_G ? segment->limit >> PAGE_SHIFT : segment->limit;

	return bits_extract(limit, 15, 0) | bits_extract(limit, 19, 16) << 48 |
	       (u64)(segment->attributes & (BITS(7, 0) | BITS(15, 12))) << 40;
}

static bool start_flat(struct memory *memory, struct cpu *cpu, const struct cpu_segment *code, u64 entry,
		       struct host_error *error)
{
	u64 gdt[GDT_ENTRIES] = { [GDT_CODE] = descriptor(code), [GDT_DATA] = descriptor(&data),
				 [GDT_TSS] = descriptor(&tss) };
	static const enum segment data_segments[] = { SEG_DS, SEG_ES, SEG_SS, SEG_FS, SEG_GS };

	if (!memory_at(memory, entry, 1)) {
		host_error_set(error, "kernel: its entry point %#llx is not in memory", (unsigned long long)entry);
		return false;
	}
	if (!place_bytes(memory, PLACE_GDT, gdt, sizeof(gdt), "descriptor table", error))
		return false;
	cpu->gdtr = (struct cpu_table){ .base = PLACE_GDT, .limit = sizeof(gdt) - 1 };
	cpu->segment[SEG_CS] = *code;
	cpu->segment[SEG_TR] = tss;
	for (unsigned i = 0; i < ARRAY_LENGTH(data_segments); i++)
		cpu->segment[data_segments[i]] = data;
	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[GPR_RSP] = PLACE_STACK;
	cpu->rip = entry;
	cpu_set_rflags(cpu, RFLAGS_FIXED);
	cpu->cr0 = CR0_PE | CR0_ET;
	cpu->activity = CPU_ACTIVE;
	return true;
}

bool start_protected_mode(struct memory *memory, struct cpu *cpu, u64 entry, struct host_error *error)
{
	if (entry >= MEMORY_HIGH_BASE) {
		host_error_set(error, "kernel: its 32-bit entry point %#llx is above 4 GiB", (unsigned long long)entry);
		return false;
	}
	return start_flat(memory, cpu, &code32, entry, error);
}

/* A PML5 page if wanted, one PML4 page, one directory-pointer page and a directory of 2 MiB pages for each GiB. */
static bool place_page_tables(struct memory *memory, enum start_paging paging, gpa_t *root, struct host_error *error)
{
	static const gpa_t pml5 = PLACE_PAGE_TABLES, pml4 = pml5 + PAGE_SIZE, pointers = pml4 + PAGE_SIZE,
			   directories = pointers + PAGE_SIZE;
	u64 entry = pml4 | PAGE_PRESENT_WRITABLE, table[PAGE_TABLE_ENTRIES];

	if (!place_zeroes(memory, pml5, directories - pml5, "page tables", error) ||
	    !place_bytes(memory, pml5, &entry, sizeof(entry), "page tables", error))
		return false;
	entry = pointers | PAGE_PRESENT_WRITABLE;
	if (!place_bytes(memory, pml4, &entry, sizeof(entry), "page tables", error))
		return false;
	*root = paging == START_5_LEVELS ? pml5 : pml4;
	for (unsigned i = 0; i < MAPPED_DIRECTORIES; i++) {
		gpa_t directory = directories + i * PAGE_SIZE;

		for (unsigned j = 0; j < PAGE_TABLE_ENTRIES; j++)
			table[j] = (i * PAGE_TABLE_ENTRIES + j) * LARGE_PAGE_BYTES | PAGE_PRESENT_WRITABLE | PAGE_LARGE;
		entry = directory | PAGE_PRESENT_WRITABLE;
		if (!place_bytes(memory, directory, table, sizeof(table), "page tables", error) ||
		    !place_bytes(memory, pointers + i * sizeof(entry), &entry, sizeof(entry), "page tables", error))
			return false;
	}
	return true;
}

bool start_long_mode(struct memory *memory, const struct feature_set *features, struct cpu *cpu, u64 entry,
		     enum start_paging paging, struct host_error *error)
{
	gpa_t root;

	if (!feature_has(features, FEAT_LM)) {
		host_error_set(error, "kernel: it needs a 64-bit processor; choose another model");
		return false;
	}
	if (!place_page_tables(memory, paging, &root, error) || !start_flat(memory, cpu, &code64, entry, error))
		return false;
	cpu->cr0 |= CR0_PG;
	cpu->cr3 = root;
	cpu->cr4 = CR4_PAE | (paging == START_5_LEVELS ? CR4_LA57 : 0);
	cpu->efer = EFER_LME | EFER_LMA;
	return true;
}

/*
 * Two processors that share 8 MiB of RAM, with page tables of any format: for tests of translation, of the TLB and of
 * decoded code.
 *
 * Both run at CPL 0 with flat segments, in the widest mode that the paging format has. Nothing is mapped until a test
 * does, and there is no IDT: an exception ends in a shutdown. There is one device page, whose reads and writes are
 * counted, and one page of ROM.
 */
#ifndef TESTS_UNIT_CORE_BENCH_H
#define TESTS_UNIT_CORE_BENCH_H

#include "cpu/access.h"
#include "cpu/walk.h"

#define BENCH_RAM_BYTES 0x800000u
#define BENCH_CPUS 2

/* Physical addresses. */
#define BENCH_TABLES 0x100000u  /* page tables, up to BENCH_TABLES_END */
#define BENCH_TABLES_END 0x180000u
#define BENCH_DATA 0x400000u    /* free for tests, 4 MiB aligned */
#define BENCH_ROM 0x7ff000u
#define BENCH_DEVICE 0xd0000000ull

enum bench_paging { BENCH_NO_PAGING, BENCH_32BIT, BENCH_PAE, BENCH_4LEVEL, BENCH_5LEVEL };

/* Bits of page-table entries, as the tests name them. */
enum {
	PTE_P = 1 << 0, PTE_W = 1 << 1, PTE_U = 1 << 2, PTE_A = 1 << 5, PTE_D = 1 << 6, PTE_PS = 1 << 7, PTE_G = 1 << 8,
	PTE_ALL = PTE_P | PTE_W | PTE_U,
};
#define PTE_NX BIT(63)
#define PTE_KEY(key) ((u64)(key) << 59)

struct bench {
	struct core *core[BENCH_CPUS];
	u8 *ram;
	u64 device[PAGE_SIZE / 8];
	unsigned device_reads, device_writes;
	enum bench_paging paging;
};

extern struct bench bench;
/* Processor 0. */
#define BENCH_CPU (&bench.core[0]->cpu)

/* Fresh processors of the model ("max-intel,-smap"), RAM cleared, empty page tables of that format. */
void bench_start(const char *model, enum bench_paging paging);

/*
 * Maps the page of 1 << page_shift bytes at address: flags go into its entry as they are, PTE_ALL into those above.
 * Returns the entry.
 */
u64 *bench_map(gva_t address, gpa_t to, u64 flags, unsigned page_shift);

/* The entry of that level (1: page table) that translates address; it must exist. 4 bytes long in the 32-bit format. */
u64 *bench_entry(gva_t address, unsigned level);
u64 bench_get(const u64 *entry);
void bench_set(u64 *entry, u64 value);

/* A new, empty address space: its CR3. bench_map() and bench_entry() then mean it, until bench_use(). */
u64 bench_new_space(void);
void bench_use(u64 cr3);

/* Puts code at a physical address, and processor n at a linear one. */
void bench_code(gpa_t address, const u8 *bytes, unsigned count);
void bench_goto(unsigned n, gva_t address);
#define BENCH_CODE(address, ...) \
	bench_code((address), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

static inline u64 *bench_word(gpa_t address)
{
	return (u64 *)(void *)(bench.ram + address);
}

#endif

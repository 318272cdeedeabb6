/* Two processors with page tables to try things on: see core_bench.h. */
#include "core_bench.h"

#include <stdlib.h>

#include "base/assert.h"
#include "cpu/tlb.h"
#include "x86/model.h"

struct bench bench;

static struct { _Atomic u32 generation; _Atomic u8 has_code, dirty; } pages[BENCH_RAM_BYTES >> PAGE_SHIFT];
static gpa_t tables_end;
static u64 space;

/* ---- the machine ---- */

static void page(void *machine, gpa_t address, struct core_page *out)
{
	(void)machine;
	*out = (struct core_page){ 0 };
	if (address >= BENCH_RAM_BYTES)
		return;
	*out = (struct core_page){
		.host = bench.ram + address, .writable = address != BENCH_ROM,
		.generation = &pages[address >> PAGE_SHIFT].generation,
		.has_code = &pages[address >> PAGE_SHIFT].has_code, .dirty = &pages[address >> PAGE_SHIFT].dirty,
	};
}

static u64 mmio_read(void *machine, unsigned processor, gpa_t address, unsigned size)
{
	u64 value = ~0ull;

	(void)machine, (void)processor;
	if ((address & PAGE_MASK) == BENCH_DEVICE) {
		memcpy(&value, (u8 *)bench.device + (address & ~PAGE_MASK), size);
		bench.device_reads++;
	}
	return value & byte_mask(size);
}

static void mmio_write(void *machine, unsigned processor, gpa_t address, unsigned size, u64 value)
{
	(void)machine, (void)processor;
	if ((address & PAGE_MASK) != BENCH_DEVICE)
		return;
	memcpy((u8 *)bench.device + (address & ~PAGE_MASK), &value, size);
	bench.device_writes++;
}

static int no_interrupt(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return -1;
}

static void protect_code(void *machine, gpa_t address)
{
	(void)machine;
	for (unsigned n = 0; n < BENCH_CPUS && address < BENCH_RAM_BYTES; n++)
		tlb_protect(bench.core[n], bench.ram + address);
}

static const struct core_environment environment = {
	.page = page, .mmio_read = mmio_read, .mmio_write = mmio_write,
	.interrupt_pending = no_interrupt, .interrupt_acknowledge = no_interrupt, .protect_code = protect_code,
};

/* ---- page tables ---- */

struct format { unsigned levels, entry_bytes, index_bits; };

static const struct format formats[] = {
	[BENCH_32BIT] = { 2, 4, 10 }, [BENCH_PAE] = { 3, 8, 9 }, [BENCH_4LEVEL] = { 4, 8, 9 }, [BENCH_5LEVEL] = { 5, 8, 9 },
};

u64 bench_get(const u64 *entry)
{
	return bench.paging == BENCH_32BIT ? *(const u32 *)entry : *entry;
}

void bench_set(u64 *entry, u64 value)
{
	memcpy(entry, &value, formats[bench.paging].entry_bytes);
}

static gpa_t table_new(void)
{
	gpa_t table = tables_end;

	tables_end += PAGE_SIZE;
	ASSERT(tables_end <= BENCH_TABLES_END);
	memset(bench.ram + table, 0, PAGE_SIZE);
	return table;
}

static u64 *table_entry(gpa_t table, gva_t address, unsigned level)
{
	const struct format *f = &formats[bench.paging];
	u64 index = address >> (PAGE_SHIFT + (level - 1) * f->index_bits) & (BIT(f->index_bits) - 1);

	if (bench.paging == BENCH_PAE && level == 3)
		index &= 3;
	return (u64 *)(void *)(bench.ram + table + index * f->entry_bytes);
}

static u64 *entry_at(gva_t address, unsigned level, bool make)
{
	gpa_t table = space;

	for (unsigned l = formats[bench.paging].levels; l > level; l--) {
		u64 *entry = table_entry(table, address, l);
		/* PDPTEs have no W and U. */
		u64 flags = bench.paging == BENCH_PAE && l == 3 ? PTE_P : PTE_ALL;

		if (!(bench_get(entry) & PTE_P)) {
			ASSERT(make);
			bench_set(entry, table_new() | flags);
		}
		table = bench_get(entry) & BITS(31, 12);
	}
	return table_entry(table, address, level);
}

static void pdptes_load(void)
{
	for (unsigned n = 0; n < BENCH_CPUS; n++)
		memcpy(bench.core[n]->cpu.pdpte, bench.ram + space, sizeof(bench.core[n]->cpu.pdpte));
}

u64 *bench_map(gva_t address, gpa_t to, u64 flags, unsigned page_shift)
{
	unsigned level = 1 + (page_shift - PAGE_SHIFT) / formats[bench.paging].index_bits;
	u64 *entry = entry_at(address, level, true);

	bench_set(entry, to | flags | (level > 1 ? PTE_PS : 0));
	if (bench.paging == BENCH_PAE)
		pdptes_load();
	return entry;
}

u64 *bench_entry(gva_t address, unsigned level)
{
	return entry_at(address, level, false);
}

u64 bench_new_space(void)
{
	space = table_new();
	return space;
}

void bench_use(u64 cr3)
{
	space = cr3;
}

/* ---- life ---- */

#define FLAT_DATA (SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED | SEGMENT_DB)
#define FLAT_CODE (FLAT_DATA | SEGMENT_TYPE_CODE)

static void enter(struct core *c)
{
	struct cpu *cpu = &c->cpu;
	bool wide = bench.paging >= BENCH_4LEVEL;

	for (unsigned s = 0; s <= SEG_GS; s++)
		cpu->segment[s] = (struct cpu_segment){ .limit = UINT32_MAX, .attributes = FLAT_DATA };
	cpu->segment[SEG_CS].attributes = wide ? (FLAT_CODE & ~SEGMENT_DB) | SEGMENT_L : FLAT_CODE;
	cpu->cr0 = CR0_ET | CR0_PE | (bench.paging ? CR0_PG : 0);
	cpu->cr3 = space;
	cpu->cr4 = bench.paging >= BENCH_PAE ? CR4_PAE : CR4_PSE;
	cpu->cr4 |= bench.paging == BENCH_5LEVEL ? CR4_LA57 : 0;
	cpu->efer = (wide ? EFER_LME | EFER_LMA : 0) | (bench.paging >= BENCH_PAE ? EFER_NXE : 0);
	cpu->idtr.limit = 0; /* every exception ends in a shutdown */
	cpu->activity = CPU_ACTIVE;
	core_mode_changed(c);
	tlb_flush_all(c);
}

static struct core *core_new(unsigned n, const struct cpu_model *model, const struct feature_set *features)
{
	void *memory = aligned_alloc(PAGE_SIZE, core_memory_bytes());
	struct core *c;

	ASSERT(memory);
	memset(memory, 0, core_memory_bytes());
	c = core_init(memory, n, &environment, NULL, model, features);
	ASSERT(c);
	return c;
}

void bench_start(const char *spec, enum bench_paging paging)
{
	const struct cpu_model *model;
	struct feature_set features;
	char error[128], notes[256];

	if (!bench.ram)
		bench.ram = aligned_alloc(PAGE_SIZE, BENCH_RAM_BYTES);
	ASSERT(bench.ram && model_parse(spec, &model, &features, error, sizeof(error), notes, sizeof(notes)));
	memset(bench.ram, 0, BENCH_RAM_BYTES);
	memset(pages, 0, sizeof(pages));
	memset(bench.device, 0, sizeof(bench.device));
	bench.device_reads = bench.device_writes = 0;
	bench.paging = paging;
	tables_end = BENCH_TABLES;
	space = paging ? table_new() : 0;
	for (unsigned n = 0; n < BENCH_CPUS; n++) {
		if (bench.core[n]) {
			core_finish(bench.core[n]);
			free(bench.core[n]);
		}
		bench.core[n] = core_new(n, model, &features);
		enter(bench.core[n]);
	}
}

void bench_code(gpa_t address, const u8 *bytes, unsigned count)
{
	ASSERT(address + count <= BENCH_RAM_BYTES);
	memcpy(bench.ram + address, bytes, count);
}

void bench_goto(unsigned n, gva_t address)
{
	bench.core[n]->cpu.rip = address;
}

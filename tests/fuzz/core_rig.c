/* A processor with a little RAM for fuzz targets: see core_rig.h. */
#include "core_rig.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/tlb.h"
#include "x86/model.h"

u8 *rig_ram;

static const char *const models[RIG_MODELS] = { "max-intel", "max-amd", "486", "core2-novt", "pentium3" };
static struct core *cores[RIG_MODELS], *current;
static struct { _Atomic u32 generation; _Atomic u8 has_code, dirty; } pages[RIG_RAM_BYTES >> PAGE_SHIFT];
static u64 state;

static u64 mix(u64 z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	return z ^ z >> 31;
}

u64 rig_random(void)
{
	return mix(state += 0x9e3779b97f4a7c15ull);
}

/* ---- the machine ---- */

/* The last page is ROM. */
static void page(void *machine, gpa_t address, struct core_page *out)
{
	(void)machine;
	*out = (struct core_page){ 0 };
	if (address >= RIG_RAM_BYTES || address & ~PAGE_MASK)
		return;
	*out = (struct core_page){
		.host = rig_ram + address, .writable = address < RIG_RAM_BYTES - PAGE_SIZE,
		.generation = &pages[address >> PAGE_SHIFT].generation,
		.has_code = &pages[address >> PAGE_SHIFT].has_code, .dirty = &pages[address >> PAGE_SHIFT].dirty,
	};
}

static u64 mmio_read(void *machine, unsigned processor, gpa_t address, unsigned size)
{
	(void)machine, (void)processor;
	/* The same each time, so that page tables may lie there. */
	return mix(address * 0x9e3779b97f4a7c15ull) & byte_mask(size);
}

static void mmio_write(void *machine, unsigned processor, gpa_t address, unsigned size, u64 value)
{
	(void)machine, (void)processor, (void)address, (void)size, (void)value;
}

static u32 port_read(void *machine, unsigned processor, u16 port, unsigned size)
{
	(void)machine, (void)processor, (void)port;
	return (u32)(rig_random() & byte_mask(size));
}

static void port_write(void *machine, unsigned processor, u16 port, unsigned size, u32 value)
{
	(void)machine, (void)processor, (void)port, (void)size, (void)value;
}

static int interrupt(void *machine, unsigned processor)
{
	u64 random = rig_random();

	(void)machine, (void)processor;
	return random % 16 ? -1 : (int)(random >> 8 & 0xff);
}

static bool apic_msr_read(void *machine, unsigned processor, u32 msr, u64 *value)
{
	(void)machine, (void)processor, (void)msr;
	*value = rig_random();
	return *value & 1;
}

static bool apic_msr_write(void *machine, unsigned processor, u32 msr, u64 value)
{
	(void)machine, (void)processor, (void)msr, (void)value;
	return rig_random() & 1;
}

static u64 task_priority(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return rig_random() & 15;
}

static void set_task_priority(void *machine, unsigned processor, u64 cr8)
{
	(void)machine, (void)processor, (void)cr8;
}

static u64 tsc(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return rig_random();
}

static u64 random_number(void *machine)
{
	(void)machine;
	return rig_random();
}

static void protect_code(void *machine, gpa_t address)
{
	(void)machine;
	if (address < RIG_RAM_BYTES)
		tlb_protect(current, rig_ram + address);
}

static const struct core_environment environment = {
	.page = page, .mmio_read = mmio_read, .mmio_write = mmio_write, .port_read = port_read, .port_write = port_write,
	.interrupt_pending = interrupt, .interrupt_acknowledge = interrupt, .apic_msr_read = apic_msr_read,
	.apic_msr_write = apic_msr_write, .task_priority = task_priority, .set_task_priority = set_task_priority,
	.tsc = tsc, .random = random_number, .protect_code = protect_code,
};

/* ---- life ---- */

static struct core *core_new(const char *name)
{
	const struct cpu_model *model = model_find(name);
	void *memory = aligned_alloc(PAGE_SIZE, core_memory_bytes());

	if (!model || !memory)
		abort();
	memset(memory, 0, core_memory_bytes());
	return core_init(memory, 0, &environment, NULL, model, &model->features);
}

struct core *rig_core(unsigned model, u64 seed)
{
	state = seed;
	if (!rig_ram)
		rig_ram = aligned_alloc(PAGE_SIZE, RIG_RAM_BYTES);
	if (!cores[model])
		cores[model] = core_new(models[model]);
	if (!rig_ram || !cores[model])
		abort();
	memset(rig_ram, 0, RIG_RAM_BYTES);
	memset(pages, 0, sizeof(pages));
	current = cores[model];
	core_reset(current, false);
	return current;
}

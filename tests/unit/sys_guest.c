/* The core to try system instructions on: see sys_guest.h. */
#include "sys_guest.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/block.h"
#include "cpu/tlb.h"
#include "x86/model.h"

struct core *guest;
struct sys_guest_world world;
u8 sys_guest_ram[SYS_GUEST_RAM_BYTES] __attribute__((aligned(4096)));

#define PTE_PRESENT_WRITABLE_USER 7u
#define PTE_LARGE 0x80u
#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0

static _Atomic u32 generation;
static _Atomic u8 has_code;

/* ---- the machine ---- */

static void page(void *machine, gpa_t address, struct core_page *out)
{
	(void)machine;
	*out = (struct core_page){ 0 };
	if (address < SYS_GUEST_RAM_BYTES)
		*out = (struct core_page){ .host = sys_guest_ram + address, .writable = true,
					   .generation = &generation, .has_code = &has_code };
}

static u64 mmio_read(void *machine, unsigned processor, gpa_t address, unsigned size)
{
	(void)machine, (void)processor, (void)address, (void)size;
	return ~0ull;
}

static void mmio_write(void *machine, unsigned processor, gpa_t address, unsigned size, u64 value)
{
	(void)machine, (void)processor, (void)address, (void)size, (void)value;
}

static u32 port_read(void *machine, unsigned processor, u16 port, unsigned size)
{
	(void)machine, (void)processor;
	world.port = port;
	world.port_size = size;
	world.port_accesses++;
	return world.port_value;
}

static void port_write(void *machine, unsigned processor, u16 port, unsigned size, u32 value)
{
	(void)port_read(machine, processor, port, size);
	world.port_value = value;
}

static int no_interrupt(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return -1;
}

static bool apic_msr_read(void *machine, unsigned processor, u32 msr, u64 *value)
{
	(void)machine, (void)processor;
	world.x2apic_msr = msr;
	*value = msr == MSR_APIC_BASE ? world.apic_base : msr == MSR_TSC_DEADLINE ? world.tsc_deadline : 0;
	return true;
}

static bool apic_msr_write(void *machine, unsigned processor, u32 msr, u64 value)
{
	(void)machine, (void)processor;
	if (msr == MSR_APIC_BASE && value & 0xff)
		return false;
	if (msr == MSR_APIC_BASE)
		world.apic_base = value;
	if (msr == MSR_TSC_DEADLINE) {
		world.tsc_deadline = value;
		world.deadline_writes++;
	}
	world.x2apic_msr = msr;
	return true;
}

static u64 task_priority(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return world.task_priority;
}

static void set_task_priority(void *machine, unsigned processor, u64 cr8)
{
	(void)machine, (void)processor;
	world.task_priority = cr8;
}

static u64 tsc(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return world.tsc;
}

static u64 random_number(void *machine)
{
	(void)machine;
	return world.random;
}

static void protect_code(void *machine, gpa_t address)
{
	(void)machine, (void)address;
}

static const struct core_environment environment = {
	.page = page, .mmio_read = mmio_read, .mmio_write = mmio_write,
	.port_read = port_read, .port_write = port_write,
	.interrupt_pending = no_interrupt, .interrupt_acknowledge = no_interrupt,
	.apic_msr_read = apic_msr_read, .apic_msr_write = apic_msr_write,
	.task_priority = task_priority, .set_task_priority = set_task_priority,
	.tsc = tsc, .random = random_number, .protect_code = protect_code,
};

/* ---- modes ---- */

#define SEGMENT_DATA (SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED)
#define SEGMENT_CODE (SEGMENT_DATA | SEGMENT_TYPE_CODE)

static void set_segments(u32 code, u32 data, u32 limit, unsigned cpl)
{
	u32 dpl = cpl << SEGMENT_DPL_SHIFT;

	for (unsigned n = 0; n <= SEG_GS; n++)
		guest->cpu.segment[n] = (struct cpu_segment){ .limit = limit, .attributes = data | dpl };
	guest->cpu.segment[SEG_CS].attributes = code | dpl;
	guest->cpu.segment[SEG_TR] = (struct cpu_segment){ .base = SYS_GUEST_TSS, .limit = 0x67, .selector = 24,
							   .attributes = SEGMENT_P | DESCRIPTOR_TSS32_BUSY };
}

static void set_paging(void)
{
	*sys_guest_word(SYS_GUEST_PML4) = SYS_GUEST_PDPT | PTE_PRESENT_WRITABLE_USER;
	*sys_guest_word(SYS_GUEST_PDPT) = SYS_GUEST_PD | PTE_PRESENT_WRITABLE_USER;
	*sys_guest_word(SYS_GUEST_PD) = PTE_LARGE | PTE_PRESENT_WRITABLE_USER;
	guest->cpu.cr3 = SYS_GUEST_PML4;
	guest->cpu.cr4 |= CR4_PAE;
	guest->cpu.cr0 |= CR0_PG;
	guest->cpu.efer |= EFER_LME | EFER_LMA;
}

void sys_guest_set_mode(enum sys_guest_mode mode)
{
	struct cpu *cpu = &guest->cpu;
	bool wide = mode == MODE_LONG || mode == MODE_LONG_USER, large = mode >= MODE_PROTECTED;
	unsigned cpl = mode == MODE_V86 || mode == MODE_PROTECTED_USER || mode == MODE_LONG_USER ? 3 : 0;
	u32 size = wide ? SEGMENT_L : large ? SEGMENT_DB : 0;

	cpu->cr0 = CR0_ET | (mode == MODE_REAL ? 0 : CR0_PE);
	cpu->cr4 = cpu->efer = cpu->cr3 = 0;
	cpu_set_rflags(cpu, mode == MODE_V86 ? RFLAGS_VM : 0);
	set_segments(SEGMENT_CODE | size, SEGMENT_DATA | (large ? SEGMENT_DB : 0), large ? ~0u : 0xffff, cpl);
	if (mode >= MODE_LONG)
		set_paging();
	core_mode_changed(guest);
	tlb_flush_all(guest);
}

void sys_guest_start(const char *spec, enum sys_guest_mode mode)
{
	static void *memory;
	const struct cpu_model *model;
	struct feature_set features;
	char error[128], notes[256];

	if (guest)
		core_finish(guest);
	free(memory);
	memory = aligned_alloc(PAGE_SIZE, core_memory_bytes());
	memset(memory, 0, core_memory_bytes());
	memset(sys_guest_ram, 0, sizeof(sys_guest_ram));
	world = (struct sys_guest_world){ .tsc = 1000, .random = 0x1122334455667788ull };
	if (!model_parse(spec, &model, &features, error, sizeof(error), notes, sizeof(notes)))
		abort();
	guest = core_init(memory, 0, &environment, NULL, model, &features);
	if (!guest)
		abort();
	guest->processors = 1;
	world.apic_base = guest->cpu.apic_base;
	sys_guest_set_mode(mode);
}

/* ---- running ---- */

enum step sys_guest_run(const u8 *bytes, size_t count)
{
	struct block *b;
	enum step step;

	memcpy(sys_guest_ram + SYS_GUEST_CODE, bytes, count);
	core_flush_blocks(guest);
	guest->cpu.rip = SYS_GUEST_CODE;
	guest->cpu.event = (struct cpu_event){ 0 };
	b = block_find(guest, true);
	if (!b)
		return STEP_FAULT;
	guest->cpu.gpr[CPU_GPR_RIP] = guest->cpu.rip;
	guest->block = b;
	step = b->op[0].fn(guest, &b->op[0]);
	guest->block = NULL;
	guest->op = NULL;
	return step;
}

bool sys_guest_raised(enum step step, enum vector vector)
{
	return step == STEP_FAULT && guest->cpu.event.vector == vector && guest->cpu.event.error_code == 0;
}

bool sys_guest_completed(enum step step)
{
	return step == STEP_NEXT || step == STEP_BREAK;
}

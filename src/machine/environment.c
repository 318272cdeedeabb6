/*
 * The processors' way out: what struct core_environment asks is answered here, the same for all engines.
 *
 * Devices are reached with the bus lock held. Guest RAM, the clock and the pending interrupt are read without it.
 */
#include "base/bits.h"
#include "base/trace.h"
#include "machine/private.h"
#include "x86/regs.h"

#define VIDEO_BASE 0xa0000ull /* up to MEMORY_ROM_BASE: where a VGA would be; there is none, and no RAM either */

static void page(void *context, gpa_t gpa, struct core_page *out)
{
	struct machine *machine = context;
	struct memory *memory = &machine->board.memory;
	u8 *host = memory_at(memory, gpa, PAGE_SIZE);
	u64 index;

	*out = (struct core_page){ 0 };
	if (!host || (gpa >= VIDEO_BASE && gpa < MEMORY_ROM_BASE))
		return;
	index = memory_page_index(memory, host);
	*out = (struct core_page){
		.host = host,
		.writable = true,
		.generation = &memory->generation[index],
		.has_code = &memory->has_code[index],
		.dirty = memory->dirty ? &memory->dirty[index] : NULL,
	};
}

/* Each processor sees its own local APIC at the address it chose. */
static bool is_lapic(const struct lapic *lapic, gpa_t address)
{
	return lapic_page(lapic) == (address & PAGE_MASK);
}

static u64 mmio_read(void *context, unsigned processor, gpa_t address, unsigned size)
{
	struct machine *machine = context;
	struct board *board = &machine->board;
	struct lapic *lapic = &board->lapics[processor];
	u64 value;

	bus_lock(&board->bus);
	value = is_lapic(lapic, address) ? lapic_mmio_read(lapic, address & ~PAGE_MASK, size) :
					   bus_read(&board->bus, BUS_MEMORY, address, size);
	bus_unlock(&board->bus);
	TRACE(machine->config.trace, MMIO, processor, trace_text("read"), address, size, value);
	return value;
}

static void mmio_write(void *context, unsigned processor, gpa_t address, unsigned size, u64 value)
{
	struct machine *machine = context;
	struct board *board = &machine->board;
	struct lapic *lapic = &board->lapics[processor];

	TRACE(machine->config.trace, MMIO, processor, trace_text("write"), address, size, value);
	bus_lock(&board->bus);
	if (is_lapic(lapic, address))
		lapic_mmio_write(lapic, address & ~PAGE_MASK, size, value);
	else
		bus_write(&board->bus, BUS_MEMORY, address, size, value);
	bus_unlock(&board->bus);
}

static u32 port_read(void *context, unsigned processor, u16 port, unsigned size)
{
	struct machine *machine = context;
	struct bus *bus = &machine->board.bus;
	u32 value;

	bus_lock(bus);
	value = (u32)bus_read(bus, BUS_PORT, port, size);
	bus_unlock(bus);
	TRACE(machine->config.trace, IO, processor, trace_text("read"), port, size, value);
	return value;
}

static void port_write(void *context, unsigned processor, u16 port, unsigned size, u32 value)
{
	struct machine *machine = context;
	struct bus *bus = &machine->board.bus;

	TRACE(machine->config.trace, IO, processor, trace_text("write"), port, size, value);
	bus_lock(bus);
	bus_write(bus, BUS_PORT, port, size, value);
	bus_unlock(bus);
}

static int interrupt_pending(void *context, unsigned processor)
{
	struct machine *machine = context;

	return lapic_pending(&machine->board.lapics[processor]);
}

static int interrupt_acknowledge(void *context, unsigned processor)
{
	struct machine *machine = context;
	struct board *board = &machine->board;
	int vector;

	bus_lock(&board->bus);
	vector = lapic_acknowledge(&board->lapics[processor]);
	bus_unlock(&board->bus);
	return vector;
}

static bool apic_msr_read(void *context, unsigned processor, u32 msr, u64 *value)
{
	struct machine *machine = context;
	struct board *board = &machine->board;
	bool ok;

	bus_lock(&board->bus);
	ok = lapic_msr_read(&board->lapics[processor], msr, value);
	bus_unlock(&board->bus);
	return ok;
}

static bool apic_msr_write(void *context, unsigned processor, u32 msr, u64 value)
{
	struct machine *machine = context;
	struct board *board = &machine->board;
	bool ok;

	bus_lock(&board->bus);
	ok = lapic_msr_write(&board->lapics[processor], msr, value);
	bus_unlock(&board->bus);
	return ok;
}

static u64 task_priority(void *context, unsigned processor)
{
	struct machine *machine = context;
	struct board *board = &machine->board;
	u64 cr8;

	bus_lock(&board->bus);
	cr8 = lapic_cr8(&board->lapics[processor]);
	bus_unlock(&board->bus);
	return cr8;
}

static void set_task_priority(void *context, unsigned processor, u64 cr8)
{
	struct machine *machine = context;
	struct board *board = &machine->board;

	bus_lock(&board->bus);
	lapic_set_cr8(&board->lapics[processor], cr8);
	bus_unlock(&board->bus);
}

static u64 tsc(void *context, unsigned processor)
{
	struct machine *machine = context;

	(void)processor;
	return clock_now(&machine->board.clock);
}

/*
 * Random bits: the host's, or repeatable ones with the instructions clock. The generator is a counter in steps of the
 * golden ratio, each value mixed by multiplication and shifts; the seed only has to be different to give another
 * sequence.
 */
u64 machine_random(void *context)
{
	struct machine *machine = context;
	u64 value;

	if (machine->config.clock == CLOCK_HOST)
		return host_random();
	machine->random += 0x9e3779b97f4a7c15ull;
	value = machine->random;
	value = (value ^ value >> 32) * 0xd6e8feb86659fd93ull;
	value = (value ^ value >> 32) * 0xd6e8feb86659fd93ull;
	return value ^ value >> 32;
}

static void protect_code(void *context, gpa_t gpa)
{
	struct machine *machine = context;

	/* Processors may decode while the engine is still being created: then there is nobody else to tell. */
	if (machine->engine)
		machine->config.engine->protect_code(machine->engine, gpa);
}

const struct core_environment machine_environment = {
	.page = page,
	.mmio_read = mmio_read,
	.mmio_write = mmio_write,
	.port_read = port_read,
	.port_write = port_write,
	.interrupt_pending = interrupt_pending,
	.interrupt_acknowledge = interrupt_acknowledge,
	.apic_msr_read = apic_msr_read,
	.apic_msr_write = apic_msr_write,
	.task_priority = task_priority,
	.set_task_priority = set_task_priority,
	.tsc = tsc,
	.random = machine_random,
	.protect_code = protect_code,
};

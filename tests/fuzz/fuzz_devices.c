/*
 * Every chip of the board, its registers hit with whatever the input says: ports and memory through the bus, APIC
 * registers and MSRs, interrupt wires, interrupt messages, serial input, passing time, acknowledges, resets,
 * snapshots.
 *
 * Eight bytes of input are one action. Besides the sanitizers, what must always hold is checked after each.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"
#include "board_double.h"
#include "dev/acpi_pm.h"
#include "dev/debug_exit.h"
#include "dev/i8042.h"
#include "dev/isa_irq.h"
#include "dev/lapic.h"
#include "dev/pit.h"
#include "dev/port92.h"
#include "dev/reset_control.h"
#include "dev/rtc.h"
#include "dev/uart.h"
#include "driver.h"
#include "host_double.h"
#include "machine/bus.h"
#include "machine/layout.h"

#define CPUS 3u
#define DEBUG_EXIT_PORT 0xf4u
#define ACTION_BYTES 8u

struct board_state {
	struct lapic_state lapics[CPUS];
	struct lapic_bus_state lapic_bus;
	struct ioapic_state ioapic;
	struct pic_state pic;
	struct pit_state pit;
	struct rtc_state rtc;
	struct uart_state uart;
	struct i8042_state i8042;
	struct acpi_pm_state pm;
};

static struct board {
	struct clock clock;
	struct bus bus;
	struct lapic lapics[CPUS];
	struct lapic_bus lapic_bus;
	struct ioapic ioapic;
	struct pic pic;
	struct isa_irqs isa;
	struct pit pit;
	struct rtc rtc;
	struct uart uart;
	struct i8042 i8042;
	struct acpi_pm pm;
	struct port92 port92;
	struct reset_control reset_control;
	struct debug_exit debug_exit;
	struct host_stream stream;
	struct bus_region regions[20];
	unsigned region_count;
	struct board_state saved;
} board;

static void ignore_cpu(void *machine, unsigned cpu) { (void)machine; (void)cpu; }
static void ignore_startup(void *machine, unsigned cpu, u8 vector) { (void)machine; (void)cpu; (void)vector; }
static void ignore(void *machine) { (void)machine; }
static void ignore_value(void *machine, u32 value) { (void)machine; (void)value; }
static u64 tsc(void *machine, unsigned cpu) { (void)machine; return clock_now(&board.clock) + cpu * 1000; }
static int extint(void *machine) { (void)machine; return pic_acknowledge(&board.pic); }
static void eoi(void *machine, u8 vector) { (void)machine; ioapic_eoi(&board.ioapic, vector); }

static const struct lapic_hooks hooks = {
	.kick = ignore_cpu, .init = ignore_cpu, .startup = ignore_startup, .nmi = ignore_cpu, .smi = ignore_cpu,
	.tsc = tsc, .extint = extint, .eoi = eoi,
};

static void place(const struct bus_ops *ops, void *device, enum bus_space space, u64 base, u64 size)
{
	struct bus_region *region = &board.regions[board.region_count++];

	*region = (struct bus_region){ .ops = ops, .device = device, .space = space, .base = base, .size = size };
	ASSERT(bus_add(&board.bus, region));
}

static void place_all(void)
{
	place(&pic_master_ops, &board.pic, BUS_PORT, PIC_MASTER_PORT, 2);
	place(&pic_slave_ops, &board.pic, BUS_PORT, PIC_SLAVE_PORT, 2);
	place(&pic_elcr_ops, &board.pic, BUS_PORT, PIC_ELCR_PORT, 2);
	place(&pit_ops, &board.pit, BUS_PORT, PIT_PORT, 4);
	place(&pit_speaker_ops, &board.pit, BUS_PORT, PIT_SPEAKER_PORT, 1);
	place(&i8042_data_ops, &board.i8042, BUS_PORT, I8042_DATA_PORT, 1);
	place(&i8042_command_ops, &board.i8042, BUS_PORT, I8042_COMMAND_PORT, 1);
	place(&rtc_ops, &board.rtc, BUS_PORT, RTC_PORT, 2);
	place(&port92_ops, &board.port92, BUS_PORT, PORT92_PORT, 1);
	place(&acpi_smi_command_ops, &board.pm, BUS_PORT, ACPI_SMI_COMMAND_PORT, 1);
	place(&debug_exit_ops, &board.debug_exit, BUS_PORT, DEBUG_EXIT_PORT, DEBUG_EXIT_PORTS);
	place(&uart_ops, &board.uart, BUS_PORT, UART_COM1_PORT, UART_PORTS);
	place(&acpi_pm_ops, &board.pm, BUS_PORT, ACPI_PM_PORT, ACPI_PM_PORTS);
	place(&reset_control_ops, &board.reset_control, BUS_PORT, LAYOUT_RESET_PORT, 1);
	place(&ioapic_ops, &board.ioapic, BUS_MEMORY, LAYOUT_IOAPIC_BASE, LAYOUT_IOAPIC_BYTES);
}

static void setup(void)
{
	static const struct lapic_model model = { .x2apic = true, .tsc_deadline = true, .physical_bits = 40 };

	memset(&board, 0, sizeof(board));
	board_clock_init(&board.clock, 1700000000ull * CLOCK_NS_PER_SECOND);
	bus_init(&board.bus, NULL);
	board.isa = (struct isa_irqs){ .pic = &board.pic, .ioapic = &board.ioapic };
	lapic_bus_init(&board.lapic_bus, board.lapics, CPUS, &model, &board.clock, &hooks, NULL);
	ioapic_init(&board.ioapic, lapic_bus_sink(&board.lapic_bus));
	pic_init(&board.pic, lapic_bus_lint(&board.lapic_bus, 0));
	pit_init(&board.pit, &board.clock, isa_irq_line(&board.isa, ISA_TIMER_IRQ));
	rtc_init(&board.rtc, &board.clock, isa_irq_line(&board.isa, RTC_IRQ), 1 << 30, 0);
	uart_init(&board.uart, &board.stream, isa_irq_line(&board.isa, UART_COM1_IRQ));
	i8042_init(&board.i8042, isa_irq_line(&board.isa, I8042_KEYBOARD_IRQ),
		   isa_irq_line(&board.isa, I8042_MOUSE_IRQ), ignore, NULL);
	acpi_pm_init(&board.pm, &board.clock, isa_irq_line(&board.isa, ACPI_SCI_IRQ), ignore, NULL);
	port92_init(&board.port92, ignore, NULL);
	reset_control_init(&board.reset_control, ignore, NULL);
	debug_exit_init(&board.debug_exit, ignore_value, NULL);
	lapic_set_virtual_wire(&board.lapics[0]);
	place_all();
}

static void save(struct board_state *to)
{
	for (unsigned i = 0; i < CPUS; i++)
		to->lapics[i] = board.lapics[i].state;
	to->lapic_bus = board.lapic_bus.state;
	to->ioapic = board.ioapic.state;
	to->pic = board.pic.state;
	to->pit = board.pit.state;
	to->rtc = board.rtc.state;
	to->uart = board.uart.state;
	to->i8042 = board.i8042.state;
	to->pm = board.pm.state;
}

/* States first, as a snapshot does; then everybody drives his wires and arms his timers. */
static void restore(const struct board_state *from)
{
	for (unsigned i = 0; i < CPUS; i++)
		board.lapics[i].state = from->lapics[i];
	board.lapic_bus.state = from->lapic_bus;
	board.ioapic.state = from->ioapic;
	board.pic.state = from->pic;
	board.pit.state = from->pit;
	board.rtc.state = from->rtc;
	board.uart.state = from->uart;
	board.i8042.state = from->i8042;
	board.pm.state = from->pm;
	pit_restored(&board.pit);
	rtc_restored(&board.rtc);
	uart_restored(&board.uart);
	i8042_restored(&board.i8042);
	acpi_pm_restored(&board.pm);
	pic_restored(&board.pic);
	for (unsigned i = 0; i < CPUS; i++)
		lapic_restored(&board.lapics[i]);
}

static void reset(void)
{
	lapic_bus_reset(&board.lapic_bus);
	ioapic_reset(&board.ioapic);
	pic_reset(&board.pic);
	pit_reset(&board.pit);
	rtc_reset(&board.rtc);
	uart_reset(&board.uart);
	i8042_reset(&board.i8042);
	acpi_pm_reset(&board.pm);
	port92_reset(&board.port92);
	reset_control_reset(&board.reset_control);
}

static void check(void)
{
	for (unsigned i = 0; i < CPUS; i++) {
		int pending = lapic_pending(&board.lapics[i]);

		ASSERT(pending >= LAPIC_NONE && pending <= LAPIC_EXTINT);
		ASSERT(!(board.lapics[i].state.irr[0] & BITS(15, 0)));
		ASSERT(board.lapics[i].timer.deadline == CLOCK_NEVER ||
		       board.lapics[i].state.timer_deadline != CLOCK_NEVER);
	}
	ASSERT(board.uart.state.count <= UART_FIFO_BYTES && board.uart.state.first < UART_FIFO_BYTES);
	ASSERT(board.i8042.state.keyboard.count <= PS2_ANSWER_BYTES);
	ASSERT(board.i8042.state.mouse.count <= PS2_ANSWER_BYTES);
	ASSERT(board.stream.count <= sizeof(board.stream.written));
}

enum action { READ, WRITE, PAGE_READ, PAGE_WRITE, MSR_READ, MSR_WRITE, WIRE, MESSAGE, TYPE, PASS, ACKNOWLEDGE, PRIORITY,
	      BUTTON, RESET, SNAPSHOT, STORED, ACTIONS };

/* Mostly what makes sense: registers are at multiples of 16, and of the base MSR it is the mode that matters. */
static u64 page_offset(const u8 *a)
{
	return (u64)a[2] << 4 | (a[3] >> 4 == 0xf ? a[4] & 0xf : 0);
}

static u64 msr_value(u32 msr, const u8 *a, u32 value)
{
	if (msr == LAPIC_MSR_BASE && a[3] & 0x80)
		return LAYOUT_LAPIC_BASE | (value & 3) << 10;
	return a[3] & 0x80 ? (u64)value << 32 | value : a[3] & 0x40 ? (u64)a[3] << 32 | value : value;
}

static void act_on_lapic(enum action action, const u8 *a, u32 value)
{
	struct lapic *l = &board.lapics[a[1] % CPUS];
	u32 msr = a[3] & 1 ? LAPIC_MSR_X2APIC + a[2] % 0x40 : a[3] & 2 ? LAPIC_MSR_TSC_DEADLINE : LAPIC_MSR_BASE;
	u64 offset = page_offset(a), read;

	switch (action) {
	case PAGE_READ: lapic_mmio_read(l, offset, 1u << (a[3] & 3)); break;
	case PAGE_WRITE: lapic_mmio_write(l, offset, 1u << (a[3] & 3), value); break;
	case MSR_READ:
		if (!lapic_msr_read(l, msr, &read))
			return;
		break;
	case MSR_WRITE:
		if (!lapic_msr_write(l, msr, msr_value(msr, a, value)))
			return;
		break;
	case ACKNOWLEDGE: ASSERT(lapic_acknowledge(l) < LAPIC_EXTINT); break;
	case PRIORITY: lapic_set_cr8(l, value); break;
	default: break;
	}
}

static void act(const u8 *a)
{
	enum action action = (enum action)(a[0] % ACTIONS);
	const struct bus_region *region = &board.regions[a[1] % board.region_count];
	u64 offset = region->space == BUS_MEMORY ? page_offset(a) & byte_mask(1) : a[2];
	u64 address = region->base + offset % region->size;
	unsigned size = 1u << (a[3] & 3);
	u32 value = (u32)a[4] | (u32)a[5] << 8 | (u32)a[6] << 16 | (u32)a[7] << 24;
	struct irq_line line = { 0 };

	switch (action) {
	case READ: bus_read(&board.bus, region->space, address, size); break;
	case WRITE: bus_write(&board.bus, region->space, address, size, value); break;
	case WIRE:
		line = a[3] & 1 ? isa_irq_line(&board.isa, a[1] & 15) :
		       a[3] & 2 ? lapic_bus_lint(&board.lapic_bus, a[1]) : ioapic_line(&board.ioapic, a[1]);
		irq_set(&line, a[2] & 1);
		break;
	case MESSAGE:
		line.target = &board.lapic_bus;
		lapic_bus_sink(&board.lapic_bus).send(line.target, LAYOUT_LAPIC_BASE | (u64)a[1] << 12 | a[2], value);
		break;
	case TYPE: host_double_type(&board.stream, (const char *)a, ACTION_BYTES); break;
	case PASS:
		clock_skip_to(&board.clock, clock_now(&board.clock) + ((u64)value >> (a[3] & 31)));
		clock_expire(&board.clock);
		break;
	case BUTTON: acpi_pm_press_power_button(&board.pm); break;
	case RESET:
		if (!(value & 0x3f))
			reset();
		break;
	case SNAPSHOT: save(&board.saved); break;
	case STORED:
		save(&board.saved);
		restore(&board.saved);
		break;
	default: act_on_lapic(action, a, value); break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	setup();
	for (; size >= ACTION_BYTES; data += ACTION_BYTES, size -= ACTION_BYTES) {
		act(data);
		check();
	}
	return 0;
}

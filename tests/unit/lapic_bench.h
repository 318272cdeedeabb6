/* Local APICs on the bench: four of them, and what they told the machine. Static, for one test program each. */
#ifndef TESTS_UNIT_LAPIC_BENCH_H
#define TESTS_UNIT_LAPIC_BENCH_H

#include <string.h>

#include "board_double.h"
#include "dev/lapic.h"

#define CPUS 4u

/* Register offsets in the page; the MSR of each is 800H + offset / 16. */
enum {
	ID = 0x20, VERSION = 0x30, TPR = 0x80, APR = 0x90, PPR = 0xa0, EOI = 0xb0, RRD = 0xc0, LDR = 0xd0,
	DFR = 0xe0, SVR = 0xf0,
	ISR = 0x100, TMR = 0x180, IRR = 0x200, ESR = 0x280, CMCI = 0x2f0, ICR = 0x300, ICR_HIGH = 0x310, TIMER = 0x320,
	THERMAL = 0x330, PERFORMANCE = 0x340, LINT0 = 0x350, LINT1 = 0x360, ERROR = 0x370,
	INITIAL = 0x380, CURRENT = 0x390, DIVIDE = 0x3e0, SELF_IPI = 0x3f0,
};

#define MASKED BIT(16)
#define LEVEL BIT(15)
#define ASSERT_LEVEL BIT(14)
#define LOGICAL BIT(11)
#define NMI_MODE (4u << 8)
#define EXTINT_MODE (7u << 8)
#define PERIODIC BIT(17)
#define DEADLINE BIT(18)
#define DIVIDE_BY_1 0xbu
#define DIVIDE_BY_2 0u
#define DIVIDE_BY_16 3u
#define X2APIC_MODE (LAPIC_BASE_EN | LAPIC_BASE_EXTD)

static struct lapic lapics[CPUS];
static struct lapic_bus bus;
static struct clock clock;
static struct msi_sink sink;
static struct {
	unsigned kicks, inits, startups, nmis, smis;
	u8 startup_vector;
} told[CPUS];
static u64 tsc_offset;
static int extint_vector;
static unsigned eois;
static u8 last_eoi;

static void kick(void *machine UNUSED, unsigned cpu) { told[cpu].kicks++; }
static void init(void *machine UNUSED, unsigned cpu) { told[cpu].inits++; }
static void nmi(void *machine UNUSED, unsigned cpu) { told[cpu].nmis++; }
static void smi(void *machine UNUSED, unsigned cpu) { told[cpu].smis++; }
static u64 tsc(void *machine UNUSED, unsigned cpu UNUSED) { return clock_now(&clock) + tsc_offset; }

static void startup(void *machine UNUSED, unsigned cpu, u8 vector)
{
	told[cpu].startups++;
	told[cpu].startup_vector = vector;
}

/* The 8259A drops its request when it is acknowledged. */
static int extint(void *machine UNUSED)
{
	struct irq_line intr = lapic_bus_lint(&bus, 0);

	irq_set(&intr, false);
	return extint_vector;
}

static void eoi_message(void *machine UNUSED, u8 vector)
{
	eois++;
	last_eoi = vector;
}

static const struct lapic_hooks hooks = {
	.kick = kick, .init = init, .startup = startup, .nmi = nmi, .smi = smi, .tsc = tsc, .extint = extint,
	.eoi = eoi_message,
};

static inline u32 get(unsigned cpu, u64 offset)
{
	return (u32)lapic_mmio_read(&lapics[cpu], offset, 4);
}

static inline void set(unsigned cpu, u64 offset, u32 value)
{
	lapic_mmio_write(&lapics[cpu], offset, 4, value);
}

static inline bool get_msr(unsigned cpu, u32 offset, u64 *value)
{
	return lapic_msr_read(&lapics[cpu], LAPIC_MSR_X2APIC + offset / 16, value);
}

static inline bool set_msr(unsigned cpu, u32 offset, u64 value)
{
	return lapic_msr_write(&lapics[cpu], LAPIC_MSR_X2APIC + offset / 16, value);
}

/* Is the vector's bit set in ISR, TMR or IRR? */
static inline bool in(unsigned cpu, u64 set_offset, u8 vector)
{
	return get(cpu, set_offset + vector / 32 * 16) >> vector % 32 & 1;
}

/* Powers on with all APICs software-enabled. */
static inline void setup(void)
{
	const struct lapic_model model = { .x2apic = true, .tsc_deadline = true, .physical_bits = 40 };

	board_clock_init(&clock, 0);
	memset(told, 0, sizeof(told));
	tsc_offset = 0;
	eois = 0;
	lapic_bus_init(&bus, lapics, CPUS, &model, &clock, &hooks, NULL);
	sink = lapic_bus_sink(&bus);
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		set(cpu, SVR, 0x1ff);
}

static inline bool set_base(unsigned cpu, u64 mode)
{
	u64 base;

	return lapic_msr_read(&lapics[cpu], LAPIC_MSR_BASE, &base) &&
	       lapic_msr_write(&lapics[cpu], LAPIC_MSR_BASE, (base & ~X2APIC_MODE) | mode);
}

static inline void setup_x2apic(void)
{
	setup();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		if (!set_base(cpu, X2APIC_MODE))
			told[cpu].kicks = ~0u;
}

static inline void msi(u64 address_bits, u32 data)
{
	sink.send(sink.target, 0xfee00000 | address_bits, data);
}

static inline void ipi(unsigned from, u8 destination, u32 low)
{
	set(from, ICR_HIGH, (u32)destination << 24);
	set(from, ICR, low);
}

#endif

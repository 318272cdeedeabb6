/*
 * ACPI fixed hardware: see acpi_pm.h.
 *
 * Going to sleep means S5 here, the only sleeping state that the tables name; any other type wakes up at once.
 */
#include "dev/acpi_pm.h"

#include "base/bits.h"

#define STATUS_TIMER BIT(0)
#define STATUS_POWER_BUTTON BIT(8)
#define STATUS_WAKE BIT(15)
#define STATUS_DEFINED (BIT(15) | BIT(10) | BIT(9) | BIT(8) | BIT(5) | BIT(4) | BIT(0))
#define ENABLE_DEFINED (BIT(10) | BIT(9) | BIT(8) | BIT(5) | BIT(0))
#define CONTROL_SCI_ENABLE BIT(0)
#define CONTROL_BUS_MASTER BIT(1)
#define CONTROL_SLEEP_TYPE BITS(12, 10)
#define CONTROL_SLEEP_ENABLE BIT(13)
#define CONTROL_WRITABLE (CONTROL_BUS_MASTER | CONTROL_SLEEP_TYPE)
#define TIMER_MSB_SHIFT 31

enum { OFFSET_STATUS = 0, OFFSET_ENABLE = 2, OFFSET_CONTROL = 4 };

static u64 count(const struct acpi_pm *pm)
{
	return (u64)((unsigned __int128)clock_now(pm->clock) * ACPI_PM_TIMER_HZ / CLOCK_NS_PER_SECOND);
}

/* TMR_STS notes that the timer's most significant bit has changed. */
static void catch_up(struct acpi_pm *pm)
{
	u64 now = count(pm);

	if (now >> TIMER_MSB_SHIFT != pm->state.seen >> TIMER_MSB_SHIFT)
		pm->state.status |= STATUS_TIMER;
	pm->state.seen = now;
}

static void update(struct acpi_pm *pm)
{
	u64 deadline = CLOCK_NEVER, next;

	irq_set(&pm->sci, (pm->state.control & CONTROL_SCI_ENABLE) && (pm->state.status & pm->state.enable));
	if ((pm->state.enable & STATUS_TIMER) && !(pm->state.status & STATUS_TIMER)) {
		next = ((pm->state.seen >> TIMER_MSB_SHIFT) + 1) << TIMER_MSB_SHIFT;
		deadline = (u64)(((unsigned __int128)next * CLOCK_NS_PER_SECOND + ACPI_PM_TIMER_HZ - 1) /
				 ACPI_PM_TIMER_HZ);
	}
	timer_set(pm->clock, &pm->timer, deadline);
}

static void expire(void *device)
{
	struct acpi_pm *pm = device;

	catch_up(pm);
	update(pm);
}

static u64 read(void *device, u64 offset, unsigned size UNUSED)
{
	struct acpi_pm *pm = device;
	const struct acpi_pm_state *s = &pm->state;

	catch_up(pm);
	if (offset >= ACPI_PM_TIMER)
		return (u32)s->seen >> 8 * (offset - ACPI_PM_TIMER);
	return (s->status | (u64)s->enable << 16 | (u64)s->control << 32) >> 8 * offset;
}

static void sleep(struct acpi_pm *pm)
{
	if (bits_extract(pm->state.control, 12, 10) == ACPI_SLEEP_TYPE_S5)
		pm->power_off(pm->machine);
	else
		pm->state.status |= STATUS_WAKE;
}

/* One byte of one of the 16-bit registers; status bits are cleared by writing ones. */
static void write_byte(struct acpi_pm *pm, u64 offset, u8 byte)
{
	struct acpi_pm_state *s = &pm->state;
	unsigned shift = 8 * (offset & 1);
	u16 value = (u16)(byte << shift), lane = (u16)(byte_mask(1) << shift);

	switch (offset & ~1ull) {
	case OFFSET_STATUS:
		s->status &= (u16)~(value & STATUS_DEFINED);
		break;
	case OFFSET_ENABLE:
		s->enable = (s->enable & (u16)~lane) | (value & ENABLE_DEFINED);
		break;
	case OFFSET_CONTROL:
		s->control = (s->control & (u16)~(lane & CONTROL_WRITABLE)) | (value & CONTROL_WRITABLE);
		if (value & CONTROL_SLEEP_ENABLE)
			sleep(pm);
		break;
	default:
		break;
	}
}

static void write(void *device, u64 offset, unsigned size, u64 value)
{
	struct acpi_pm *pm = device;

	catch_up(pm);
	for (unsigned i = 0; i < size; i++)
		write_byte(pm, offset + i, (u8)(value >> 8 * i));
	update(pm);
}

static u64 read_command(void *device UNUSED, u64 offset UNUSED, unsigned size UNUSED)
{
	return 0;
}

/* "ACPI_ENABLE", "ACPI_DISABLE" of the FADT: what the system management code would do. */
static void write_command(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct acpi_pm *pm = device;

	if (value == ACPI_SMI_ENABLE)
		pm->state.control |= CONTROL_SCI_ENABLE;
	else if (value == ACPI_SMI_DISABLE)
		pm->state.control &= (u16)~CONTROL_SCI_ENABLE;
	update(pm);
}

const struct bus_ops acpi_pm_ops = { .name = "acpi-pm", .read = read, .write = write };
const struct bus_ops acpi_smi_command_ops = {
	.name = "smi-command", .widest = 1, .read = read_command, .write = write_command,
};

void acpi_pm_press_power_button(struct acpi_pm *pm)
{
	pm->state.status |= STATUS_POWER_BUTTON;
	update(pm);
}

void acpi_pm_reset(struct acpi_pm *pm)
{
	pm->state = (struct acpi_pm_state){ .control = CONTROL_SCI_ENABLE, .seen = count(pm) };
	update(pm);
}

void acpi_pm_init(struct acpi_pm *pm, struct clock *clock, struct irq_line sci, void (*power_off)(void *machine),
		  void *machine)
{
	*pm = (struct acpi_pm){ .clock = clock, .sci = sci, .power_off = power_off, .machine = machine };
	pm->timer = (struct timer){ .expire = expire, .device = pm, .deadline = CLOCK_NEVER };
	acpi_pm_reset(pm);
}

void acpi_pm_restored(struct acpi_pm *pm)
{
	update(pm);
}

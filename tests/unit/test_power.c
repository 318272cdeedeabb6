/* What ends or restarts a machine: ACPI fixed hardware, the reset register, port 92H, the debug-exit port. */
#include "base/bits.h"
#include "board_double.h"
#include "dev/acpi_pm.h"
#include "dev/debug_exit.h"
#include "dev/port92.h"
#include "dev/reset_control.h"
#include "test.h"

enum { STATUS = 0, ENABLE = 2, CONTROL = 4, TIMER = 8 };

#define TIMER_BIT 0x0001u
#define POWER_BUTTON 0x0100u
#define WAKE 0x8000u
#define SLEEP_ENABLE 0x2000u
#define SLEEP_TYPE(type) ((type) << 10)

static struct clock clock;
static struct acpi_pm pm;
static struct wire sci;
static unsigned events;
static u32 value_seen;

static void happen(void *machine)
{
	(void)machine;
	events++;
}

static void exit_with(void *machine, u32 value)
{
	(void)machine;
	events++;
	value_seen = value;
}

static void setup(void)
{
	sci = (struct wire){ 0 };
	events = 0;
	board_clock_init(&clock, 0);
	acpi_pm_init(&pm, &clock, wire_end(&sci), happen, NULL);
}

static u32 in(u64 offset, unsigned size)
{
	return (u32)(acpi_pm_ops.read(&pm, offset, size) & byte_mask(size));
}

static void out(u64 offset, unsigned size, u32 value)
{
	acpi_pm_ops.write(&pm, offset, size, value);
}

/* "Power Management Timer": 3.579545 MHz, here 32 bits. */
TEST("the timer runs at 3.579545 MHz, wraps at 32 bits, and reads in parts")
{
	setup();
	board_advance(&clock, CLOCK_NS_PER_SECOND);
	CHECK_EQ(in(TIMER, 4), 3579545);
	CHECK_EQ(in(TIMER, 2), 3579545 & 0xffff);
	CHECK_EQ(in(TIMER + 2, 2), 3579545 >> 16);
	board_advance(&clock, 1199 * CLOCK_NS_PER_SECOND);
	CHECK_EQ(in(TIMER, 4), 1200ull * 3579545 - BIT(32));
}

TEST("a change of the timer's top bit sets TMR_STS, and interrupts if enabled")
{
	setup();
	out(ENABLE, 2, TIMER_BIT);
	board_advance(&clock, 599 * CLOCK_NS_PER_SECOND);
	CHECK(!sci.level);
	board_advance(&clock, CLOCK_NS_PER_SECOND);
	CHECK(sci.level);
	CHECK_EQ(in(STATUS, 2), TIMER_BIT);
	out(STATUS, 2, TIMER_BIT);
	CHECK(!sci.level);
	CHECK_EQ(in(STATUS, 2), 0);
	out(ENABLE, 2, 0);
	board_advance(&clock, 600 * CLOCK_NS_PER_SECOND);
	CHECK(!sci.level);
	CHECK_EQ(in(STATUS, 2), TIMER_BIT);
}

TEST("the power button interrupts if enabled, until its status bit is written as one")
{
	setup();
	acpi_pm_press_power_button(&pm);
	CHECK(!sci.level);
	CHECK_EQ(in(STATUS, 2), POWER_BUTTON);
	out(ENABLE, 2, POWER_BUTTON);
	CHECK(sci.level);
	out(STATUS, 2, TIMER_BIT);
	CHECK(sci.level);
	out(STATUS, 2, POWER_BUTTON);
	CHECK(!sci.level);
}

TEST("event registers work by byte, word and doubleword")
{
	setup();
	acpi_pm_press_power_button(&pm);
	out(ENABLE + 1, 1, POWER_BUTTON >> 8);
	CHECK_EQ(in(STATUS, 4), POWER_BUTTON << 16 | POWER_BUTTON);
	out(STATUS, 4, POWER_BUTTON << 16 | POWER_BUTTON);
	CHECK_EQ(in(STATUS, 4), POWER_BUTTON << 16);
}

TEST("a write of one byte leaves the next alone, and one event's bit leaves the others")
{
	setup();
	acpi_pm_press_power_button(&pm);
	board_advance(&clock, 600 * CLOCK_NS_PER_SECOND);
	CHECK_EQ(in(STATUS, 2), POWER_BUTTON | TIMER_BIT);
	out(STATUS, 1, POWER_BUTTON | TIMER_BIT);
	CHECK_EQ(in(STATUS, 2), POWER_BUTTON);
	out(CONTROL, 2, SLEEP_TYPE(1) | SLEEP_ENABLE);
	CHECK_EQ(in(STATUS, 2), POWER_BUTTON | WAKE);
	acpi_pm_press_power_button(&pm);
	CHECK_EQ(in(STATUS, 2), POWER_BUTTON | WAKE);
	acpi_smi_command_ops.write(&pm, 0, 1, ACPI_SMI_ENABLE);
	CHECK_EQ(in(CONTROL, 2), SLEEP_TYPE(1) | 1);
}

TEST("an enabled timer event that has not been cleared arms nothing")
{
	setup();
	out(ENABLE, 2, TIMER_BIT);
	CHECK(clock_deadline(&clock) != CLOCK_NEVER);
	board_advance(&clock, 600 * CLOCK_NS_PER_SECOND);
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
	out(STATUS, 2, TIMER_BIT);
	CHECK(clock_deadline(&clock) != CLOCK_NEVER);
	out(ENABLE, 2, 0);
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
}

/* "Sleeping States": SLP_EN with the type that \_S5 names. */
TEST("SLP_EN with the S5 type powers off; the type alone does not; another type wakes at once")
{
	setup();
	out(CONTROL, 2, SLEEP_TYPE(ACPI_SLEEP_TYPE_S5));
	CHECK_EQ(events, 0);
	out(CONTROL, 2, SLEEP_TYPE(ACPI_SLEEP_TYPE_S5) | SLEEP_ENABLE);
	CHECK_EQ(events, 1);
	CHECK_EQ(in(CONTROL, 2) & SLEEP_ENABLE, 0);
	CHECK_EQ(in(STATUS, 2) & WAKE, 0);
	out(CONTROL, 2, SLEEP_TYPE(1) | SLEEP_ENABLE);
	CHECK_EQ(events, 1);
	CHECK_EQ(in(STATUS, 2) & WAKE, WAKE);
}

TEST("the machine starts in ACPI mode; the SMI command port leaves and enters it, and SCI needs it")
{
	setup();
	CHECK_EQ(in(CONTROL, 2) & 1, 1);
	out(ENABLE, 2, POWER_BUTTON);
	acpi_pm_press_power_button(&pm);
	acpi_smi_command_ops.write(&pm, 0, 1, ACPI_SMI_DISABLE);
	CHECK_EQ(in(CONTROL, 2) & 1, 0);
	CHECK(!sci.level);
	out(CONTROL, 2, 1);
	CHECK_EQ(in(CONTROL, 2) & 1, 0);
	acpi_smi_command_ops.write(&pm, 0, 1, ACPI_SMI_ENABLE);
	CHECK_EQ(in(CONTROL, 2) & 1, 1);
	CHECK(sci.level);
}

TEST("reset clears events, and a copied state drives SCI again")
{
	struct acpi_pm_state saved;

	setup();
	out(ENABLE, 2, POWER_BUTTON);
	acpi_pm_press_power_button(&pm);
	saved = pm.state;
	acpi_pm_reset(&pm);
	CHECK(!sci.level);
	CHECK_EQ(in(STATUS, 4), 0);
	pm.state = saved;
	acpi_pm_restored(&pm);
	CHECK(sci.level);
}

TEST("the reset register resets when RST_CPU rises, not when it stays or falls")
{
	struct reset_control rc;

	events = 0;
	reset_control_init(&rc, happen, NULL);
	reset_control_ops.write(&rc, 0, 1, 2);
	CHECK_EQ(events, 0);
	reset_control_ops.write(&rc, 0, 1, RESET_CONTROL_VALUE);
	CHECK_EQ(events, 1);
	CHECK_EQ(reset_control_ops.read(&rc, 0, 1), 6);
	reset_control_ops.write(&rc, 0, 1, 0xff);
	CHECK_EQ(events, 1);
	CHECK_EQ(reset_control_ops.read(&rc, 0, 1), 0x0e);
	reset_control_reset(&rc);
	CHECK_EQ(reset_control_ops.read(&rc, 0, 1), 0);
}

TEST("port 92H resets when bit 0 rises, and keeps A20's bit, which is on after reset")
{
	struct port92 port;

	events = 0;
	port92_init(&port, happen, NULL);
	CHECK_EQ(port92_ops.read(&port, 0, 1), 2);
	port92_ops.write(&port, 0, 1, 0xfe);
	CHECK_EQ(port92_ops.read(&port, 0, 1), 2);
	CHECK_EQ(events, 0);
	port92_ops.write(&port, 0, 1, 1);
	port92_ops.write(&port, 0, 1, 1);
	CHECK_EQ(events, 1);
	port92_reset(&port);
	CHECK_EQ(port92_ops.read(&port, 0, 1), 2);
}

TEST("the debug-exit port hands the number written to the machine, and reads as 0")
{
	struct debug_exit port;

	events = 0;
	debug_exit_init(&port, exit_with, NULL);
	debug_exit_ops.write(&port, 0, 4, 0x31);
	CHECK_EQ(events, 1);
	CHECK_EQ(value_seen, 0x31);
	CHECK_EQ(debug_exit_ops.read(&port, 0, 1), 0);
}

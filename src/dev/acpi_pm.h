/*
 * ACPI fixed hardware: PM1a event and control registers, the power management timer, and the port that hands the
 * hardware over ("ACPI Hardware Specification", "Fixed Hardware Registers").
 *
 * ACPI mode is on from reset, as the FADT says; a program that uses the SMI command port can still turn it off and
 * on. There are no general-purpose events.
 */
#ifndef DEV_ACPI_PM_H
#define DEV_ACPI_PM_H

#include "machine/bus.h"
#include "machine/clock.h"
#include "machine/irq.h"

#define ACPI_PM_PORT 0x600u
#define ACPI_PM_PORTS 12u
#define ACPI_PM_EVENT 0u   /* from ACPI_PM_PORT: 4 bytes */
#define ACPI_PM_CONTROL 4u /* 2 bytes */
#define ACPI_PM_TIMER 8u   /* 4 bytes: 32 bits, TMR_VAL_EXT */
#define ACPI_PM_TIMER_HZ 3579545ull
#define ACPI_SMI_COMMAND_PORT 0xb2u /* 1 port */
#define ACPI_SMI_ENABLE 0xa1u
#define ACPI_SMI_DISABLE 0xa0u
#define ACPI_SCI_IRQ 9u
#define ACPI_SLEEP_TYPE_S5 5u

struct acpi_pm_state {
	u16 status, enable, control;
	u64 seen; /* timer count up to which TMR_STS is known */
};

struct acpi_pm {
	struct acpi_pm_state state;
	struct clock *clock;
	struct irq_line sci; /* a level */
	struct timer timer;
	void (*power_off)(void *machine);
	void *machine;
};

extern const struct bus_ops acpi_pm_ops, acpi_smi_command_ops; /* device: struct acpi_pm */

void acpi_pm_init(struct acpi_pm *pm, struct clock *clock, struct irq_line sci, void (*power_off)(void *machine),
		  void *machine);
void acpi_pm_reset(struct acpi_pm *pm);
/* After state was overwritten from a snapshot. */
void acpi_pm_restored(struct acpi_pm *pm);
/* Someone presses the power button: the guest's operating system may shut down. */
void acpi_pm_press_power_button(struct acpi_pm *pm);

#endif

/*
 * ACPI tables: how an operating system learns of processors, interrupt wiring, PCI and power management on a machine
 * whose firmware is this file ("Advanced Configuration and Power Interface Specification").
 */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "base/compiler.h"
#include "host/host.h"
#include "machine/memory.h"

/* What the tables say that is not in layout.h. Ports are I/O ports. */
struct acpi_config {
	unsigned processors; /* APIC ids 0 and up */
	u16 pm_event_port;   /* PM1a event block, 4 bytes */
	u16 pm_control_port; /* PM1a control block, 2 bytes */
	u16 pm_timer_port;   /* 32 bits, 3.579545 MHz */
	u8 sci_irq;          /* level-triggered */
	u8 sleep_type_s5;    /* SLP_TYP that powers off */
	u8 reset_value;      /* to LAYOUT_RESET_PORT */
	u8 ioapic_id;
	bool keyboard_controller; /* an i8042 with keyboard and mouse */
};

/*
 * Writes the tables into the firmware area below 1 MiB, which they fit for any number of processors that a machine can
 * have. Returns the address of the RSDP, 0 with the error set if they do not fit.
 */
gpa_t acpi_place_tables(struct memory *memory, const struct acpi_config *config, struct host_error *error);

/* The DSDT's AML into the buffer, without a table header; returns the bytes, 0 if there are too few. */
size_t acpi_compose_dsdt(const struct acpi_config *config, u8 *buffer, size_t size);

#endif

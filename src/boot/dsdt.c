/*
 * The DSDT: the devices that cannot be found by probing, and how PCI interrupts reach the IOAPIC. All of it is static
 * data; there is no method in it that could run wild in a guest's interpreter.
 */
#include "base/bits.h"
#include "boot/acpi.h"
#include "boot/aml.h"
#include "machine/layout.h"

#define PCI_SLOTS 32u
#define PCI_INTERRUPT_PINS 4u
#define PCI_ANY_FUNCTION 0xffffu
#define PORT_SPACE_BYTES 0x10000u
#define VGA_BASE 0xa0000u
#define VGA_BYTES 0x20000u

/* ISA resources of the devices on every PC. */
#define COM1_PORT 0x3f8u
#define COM1_IRQ 4u
#define RTC_PORT 0x70u
#define RTC_IRQ 8u
#define KEYBOARD_DATA_PORT 0x60u
#define KEYBOARD_STATUS_PORT 0x64u
#define KEYBOARD_IRQ 1u
#define MOUSE_IRQ 12u

static void name_eisa_id(struct aml *aml, const char *name, const char *id)
{
	aml_name(aml, name);
	aml_eisa_id(aml, id);
}

static void name_integer(struct aml *aml, const char *name, u64 value)
{
	aml_name(aml, name);
	aml_integer(aml, value);
}

/* "\_Sx (System States)": what to write to SLP_TYP, for the two control blocks. */
static void write_sleep_state(struct aml *aml, const struct acpi_config *config)
{
	aml_name(aml, "\\_S5_");
	aml_open_package(aml, 4);
	aml_integer(aml, config->sleep_type_s5);
	for (unsigned i = 0; i < 3; i++)
		aml_integer(aml, 0);
	aml_close(aml);
}

/* "_PRT (PCI Routing Table)": straight to IOAPIC pins, as dev/pci.h has them. */
static void write_routing(struct aml *aml)
{
	aml_name(aml, "_PRT");
	aml_open_package(aml, PCI_SLOTS * PCI_INTERRUPT_PINS);
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		for (unsigned pin = 0; pin < PCI_INTERRUPT_PINS; pin++) {
			aml_open_package(aml, 4);
			aml_integer(aml, slot << 16 | PCI_ANY_FUNCTION);
			aml_integer(aml, pin);
			aml_integer(aml, 0);
			aml_integer(aml, LAYOUT_PCI_GSI_BASE + (slot + pin) % LAYOUT_PCI_GSIS);
			aml_close(aml);
		}
	}
	aml_close(aml);
}

static void write_host_bridge(struct aml *aml)
{
	u64 after_config = LAYOUT_PCI_CONFIG_PORT + LAYOUT_PCI_CONFIG_PORTS;

	aml_open_device(aml, "PCI0");
	name_eisa_id(aml, "_HID", "PNP0A08");
	name_eisa_id(aml, "_CID", "PNP0A03");
	name_integer(aml, "_UID", 0);
	name_integer(aml, "_SEG", 0);
	name_integer(aml, "_BBN", 0);
	aml_name(aml, "_CRS");
	aml_open_resources(aml);
	aml_bus_window(aml, (struct aml_range){ 0, 1 });
	aml_io(aml, LAYOUT_PCI_CONFIG_PORT, LAYOUT_PCI_CONFIG_PORTS);
	aml_port_window(aml, (struct aml_range){ 0, LAYOUT_PCI_CONFIG_PORT });
	aml_port_window(aml, (struct aml_range){ after_config, PORT_SPACE_BYTES - after_config });
	aml_memory_window(aml, (struct aml_range){ VGA_BASE, VGA_BYTES });
	aml_memory_window(aml, (struct aml_range){ LAYOUT_PCI_MEMORY_BASE, LAYOUT_PCI_MEMORY_BYTES });
	aml_close_resources(aml);
	write_routing(aml);
	aml_close(aml);
}

/*
 * "System Resources": keeps an operating system from giving these addresses to a device; Linux uses ECAM only if they
 * are here.
 */
static void write_motherboard(struct aml *aml, const struct acpi_config *config)
{
	aml_open_device(aml, "MBRD");
	name_eisa_id(aml, "_HID", "PNP0C02");
	aml_name(aml, "_CRS");
	aml_open_resources(aml);
	aml_memory_fixed(aml, (struct aml_range){ LAYOUT_ECAM_BASE, LAYOUT_ECAM_BYTES });
	aml_memory_fixed(aml, (struct aml_range){ LAYOUT_IOAPIC_BASE, LAYOUT_IOAPIC_BYTES });
	aml_memory_fixed(aml, (struct aml_range){ LAYOUT_LAPIC_BASE, LAYOUT_LAPIC_BYTES });
	aml_io(aml, config->pm_event_port, 4);
	aml_io(aml, config->pm_control_port, 2);
	aml_io(aml, config->pm_timer_port, 4);
	aml_close_resources(aml);
	aml_close(aml);
}

static void write_isa_devices(struct aml *aml, const struct acpi_config *config)
{
	aml_open_device(aml, "COM1");
	name_eisa_id(aml, "_HID", "PNP0501");
	name_integer(aml, "_UID", 1);
	aml_name(aml, "_CRS");
	aml_open_resources(aml);
	aml_io(aml, COM1_PORT, 8);
	aml_irq(aml, COM1_IRQ);
	aml_close_resources(aml);
	aml_close(aml);

	aml_open_device(aml, "RTC_");
	name_eisa_id(aml, "_HID", "PNP0B00");
	aml_name(aml, "_CRS");
	aml_open_resources(aml);
	aml_io(aml, RTC_PORT, 2);
	aml_irq(aml, RTC_IRQ);
	aml_close_resources(aml);
	aml_close(aml);

	if (!config->keyboard_controller)
		return;
	aml_open_device(aml, "KBD_");
	name_eisa_id(aml, "_HID", "PNP0303");
	aml_name(aml, "_CRS");
	aml_open_resources(aml);
	aml_io(aml, KEYBOARD_DATA_PORT, 1);
	aml_io(aml, KEYBOARD_STATUS_PORT, 1);
	aml_irq(aml, KEYBOARD_IRQ);
	aml_close_resources(aml);
	aml_close(aml);

	aml_open_device(aml, "MOU_");
	name_eisa_id(aml, "_HID", "PNP0F13");
	aml_name(aml, "_CRS");
	aml_open_resources(aml);
	aml_irq(aml, MOUSE_IRQ);
	aml_close_resources(aml);
	aml_close(aml);
}

size_t acpi_compose_dsdt(const struct acpi_config *config, u8 *buffer, size_t size)
{
	struct aml aml;

	aml_start(&aml, buffer, size);
	write_sleep_state(&aml, config);
	aml_open_scope(&aml, "\\_SB_");
	write_host_bridge(&aml);
	write_motherboard(&aml, config);
	write_isa_devices(&aml, config);
	aml_close(&aml);
	return aml.out.overflow ? 0 : aml.out.used;
}

/*
 * The PCI host: how an access finds a function's configuration space, and where the BARs go.
 *
 * Both ways in lead to the same functions: "Configuration Mechanism #1" (CONFIG_ADDRESS and CONFIG_DATA) and the "PCI
 * Express Enhanced Configuration Access Mechanism". BARs are placed for the whole bus at once, because one that moves
 * away may uncover another.
 */
#include "dev/pci.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/string.h"

#define CONFIG_ADDRESS_ENABLE BIT(31)
#define CONFIG_ADDRESS_WRITABLE (CONFIG_ADDRESS_ENABLE | BITS(23, 2))
#define CONFIG_ADDRESS_BYTES 4u
#define RESET_CONTROL_OFFSET (LAYOUT_RESET_PORT - LAYOUT_PCI_CONFIG_PORT)

#define PCI_FUNCTIONS_PER_DEVICE 8u
#define MEMORY_BAR_SPACING 0x1000u /* so that a guest can map each one by itself */

/* Intel's Q35 memory controller hub. */
static const struct pci_identity host_bridge = {
	.vendor = 0x8086,
	.device = 0x29c0,
	.subsystem_vendor = 0x1af4,
	.subsystem = 0x1100,
	.class_code = 0x060000,
};

static struct pci_function *function_at(const struct pci_host *host, unsigned bus, unsigned device, unsigned function)
{
	return bus == 0 && function == 0 ? host->functions[device] : NULL;
}

/* ---- configuration mechanism #1 ---- */

static struct pci_function *selected(const struct pci_host *host)
{
	u32 address = host->state.config_address;

	if (!(address & CONFIG_ADDRESS_ENABLE))
		return NULL;
	return function_at(host, (unsigned)bits_extract(address, 23, 16), (unsigned)bits_extract(address, 15, 11),
			   (unsigned)bits_extract(address, 10, 8));
}

static unsigned selected_offset(const struct pci_host *host, u64 port)
{
	return (unsigned)(bits_extract(host->state.config_address, 7, 2) << 2 | (port - CONFIG_ADDRESS_BYTES));
}

static u64 ports_read(void *device, u64 offset, unsigned size)
{
	struct pci_host *host = device;
	struct pci_function *function;

	if (offset == 0 && size == CONFIG_ADDRESS_BYTES)
		return host->state.config_address;
	if (offset == RESET_CONTROL_OFFSET && size == 1)
		return reset_control_ops.read(&host->reset_control, 0, size);
	if (offset < CONFIG_ADDRESS_BYTES)
		return ~0ull;
	function = selected(host);
	return function ? pci_config_read(function, selected_offset(host, offset), size) : ~0ull;
}

static void ports_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pci_host *host = device;
	struct pci_function *function;

	if (offset == 0 && size == CONFIG_ADDRESS_BYTES)
		host->state.config_address = (u32)(value & CONFIG_ADDRESS_WRITABLE);
	else if (offset == RESET_CONTROL_OFFSET && size == 1)
		reset_control_ops.write(&host->reset_control, 0, size, value);
	if (offset < CONFIG_ADDRESS_BYTES)
		return;
	function = selected(host);
	if (function)
		pci_config_write(function, selected_offset(host, offset), size, value);
}

static const struct bus_ops ports_ops = {
	.name = "PCI configuration ports",
	.read = ports_read,
	.write = ports_write,
	.widest = 4,
};

/* ---- ECAM ---- */

static struct pci_function *ecam_function(const struct pci_host *host, u64 offset)
{
	return function_at(host, (unsigned)bits_extract(offset, 27, 20), (unsigned)bits_extract(offset, 19, 15),
			   (unsigned)bits_extract(offset, 14, 12));
}

static u64 ecam_read(void *device, u64 offset, unsigned size)
{
	struct pci_function *function = ecam_function(device, offset);

	return function ? pci_config_read(function, offset % PCI_EXTENDED_CONFIG_BYTES, size) : ~0ull;
}

static void ecam_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pci_function *function = ecam_function(device, offset);

	if (function)
		pci_config_write(function, offset % PCI_EXTENDED_CONFIG_BYTES, size, value);
}

static const struct bus_ops ecam_ops = {
	.name = "PCI configuration memory",
	.read = ecam_read,
	.write = ecam_write,
	.widest = 4,
};

/* ---- the bus ---- */

static void reset_machine(void *context)
{
	struct pci_host *host = context;

	if (host->reset)
		host->reset(host->reset_target);
}

bool pci_host_init(struct pci_host *host, struct bus *bus, struct msi_sink msi)
{
	*host = (struct pci_host){ .bus = bus, .msi = msi };
	host->ports = (struct bus_region){
		.ops = &ports_ops,
		.device = host,
		.space = BUS_PORT,
		.base = LAYOUT_PCI_CONFIG_PORT,
		.size = LAYOUT_PCI_CONFIG_PORTS,
	};
	host->ecam = (struct bus_region){
		.ops = &ecam_ops,
		.device = host,
		.space = BUS_MEMORY,
		.base = LAYOUT_ECAM_BASE,
		.size = LAYOUT_ECAM_BYTES,
	};
	reset_control_init(&host->reset_control, reset_machine, host);
	pci_function_init(&host->bridge, &host_bridge, NULL, NULL);
	return pci_attach(host, &host->bridge) && bus_add(bus, &host->ports) && bus_add(bus, &host->ecam);
}

bool pci_attach(struct pci_host *host, struct pci_function *function)
{
	for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
		if (!host->functions[slot]) {
			host->functions[slot] = function;
			function->host = host;
			function->slot = slot;
			return true;
		}
	}
	return false;
}

/* The next piece of a window, aligned to its size; false if none is left. */
static bool take(u64 *next, u64 end, u64 bytes, u64 spacing, u64 *base)
{
	*base = align_up(*next, max_u64(bytes, spacing));
	if (*base > end || bytes > end - *base)
		return false;
	*next = *base + bytes;
	return true;
}

bool pci_assign_resources(struct pci_host *host)
{
	u64 memory = LAYOUT_PCI_MEMORY_BASE, port = LAYOUT_PCI_PORT_BASE, base;

	for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
		struct pci_function *function = host->functions[slot];

		for (unsigned i = 0; function && i < PCI_BARS; i++) {
			const struct pci_bar *bar = &function->bars[i];
			bool io = bar->region.space == BUS_PORT;

			if (!bar->bytes)
				continue;
			if (!(io ? take(&port, LAYOUT_PCI_PORT_BASE + LAYOUT_PCI_PORT_BYTES, bar->bytes, 1, &base)
				 : take(&memory, LAYOUT_PCI_MEMORY_BASE + LAYOUT_PCI_MEMORY_BYTES, bar->bytes,
					MEMORY_BAR_SPACING, &base)))
				return false;
			pci_config_write(function, PCI_BASE_ADDRESS_0 + 4 * i, 4, base);
			pci_config_write(function, PCI_COMMAND, 2, pci_config_get(function, PCI_COMMAND, 2) |
					 (io ? PCI_COMMAND_IO_SPACE : PCI_COMMAND_MEMORY_SPACE));
		}
	}
	return true;
}

void pci_place_bars(struct pci_host *host)
{
	u64 base;

	/* First away with what moves, so that the order of the moves does not matter. */
	for (unsigned i = 0; i < PCI_DEVICES * PCI_BARS; i++) {
		struct pci_function *function = host->functions[i / PCI_BARS];
		struct pci_bar *bar = function ? &function->bars[i % PCI_BARS] : NULL;

		if (!bar || !bar->placed)
			continue;
		if (pci_bar_decoded(function, i % PCI_BARS, &base) && base == bar->region.base)
			continue;
		bus_remove(host->bus, &bar->region);
		bar->placed = false;
	}
	for (unsigned i = 0; i < PCI_DEVICES * PCI_BARS; i++) {
		struct pci_function *function = host->functions[i / PCI_BARS];
		struct pci_bar *bar = function ? &function->bars[i % PCI_BARS] : NULL;

		if (!bar || bar->placed || !pci_bar_decoded(function, i % PCI_BARS, &base))
			continue;
		bar->region.base = base;
		bar->region.size = bar->bytes;
		bar->placed = bus_add(host->bus, &bar->region);
	}
}

void pci_reset(struct pci_host *host)
{
	host->state = (struct pci_host_state){ 0 };
	reset_control_reset(&host->reset_control);
	for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
		if (host->functions[slot])
			pci_function_reset(host->functions[slot]);
	}
	pci_place_bars(host);
}

bool pci_busy(const struct pci_host *host)
{
	for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
		const struct pci_function *function = host->functions[slot];

		if (function && function->ops && function->ops->busy && function->ops->busy(function->device))
			return true;
	}
	return false;
}

void pci_restored(struct pci_host *host)
{
	pci_place_bars(host);
	for (unsigned slot = 0; slot < PCI_DEVICES; slot++) {
		if (host->functions[slot])
			pci_update_intx(host->functions[slot]);
	}
}

/*
 * A PCI function's configuration space: bytes, with a mask of those bits that software may change.
 *
 * A write changes the masked bits and then the rest of the function follows: BARs move, the interrupt wire is gated,
 * MSI-X sends what it held back. So sizing a BAR needs no code: its low bits are not in the mask.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "base/string.h"
#include "dev/pci.h"

#define PORT_SPACE_BITS 0xffffu /* "upper 16 bits may be hardwired to zero" where ports are 16 bits wide */
#define MEMORY_BAR_LEAST 16u
#define IO_BAR_LEAST 4u

u32 pci_config_get(const struct pci_function *function, unsigned offset, unsigned size)
{
	u32 value = 0;

	memcpy(&value, function->state.config + offset, size);
	return value;
}

void pci_config_set(struct pci_function *function, unsigned offset, unsigned size, u32 value)
{
	memcpy(function->state.config + offset, &value, size);
}

static void set_writable(struct pci_function *function, unsigned offset, unsigned size, u32 mask)
{
	memcpy(function->writable + offset, &mask, size);
}

void pci_function_init(struct pci_function *function, const struct pci_identity *identity,
		       const struct pci_function_ops *ops, void *device)
{
	*function = (struct pci_function){ .ops = ops, .device = device, .capabilities_end = PCI_HEADER_END };
	pci_config_set(function, PCI_VENDOR_ID, 2, identity->vendor);
	pci_config_set(function, PCI_DEVICE_ID, 2, identity->device);
	pci_config_set(function, PCI_SUBSYSTEM_VENDOR_ID, 2, identity->subsystem_vendor);
	pci_config_set(function, PCI_SUBSYSTEM_ID, 2, identity->subsystem);
	pci_config_set(function, PCI_REVISION_ID, 1, identity->revision);
	pci_config_set(function, PCI_CLASS_CODE, 3, identity->class_code);
	pci_config_set(function, PCI_INTERRUPT_LINE, 1, PCI_INTERRUPT_LINE_NONE);
	set_writable(function, PCI_COMMAND, 2, PCI_COMMAND_BUS_MASTER | PCI_COMMAND_PARITY_ERROR_RESPONSE |
		     PCI_COMMAND_SERR_ENABLE | PCI_COMMAND_INTERRUPT_DISABLE);
	set_writable(function, PCI_CACHE_LINE_SIZE, 1, 0xff);
	set_writable(function, PCI_LATENCY_TIMER, 1, 0xff);
	set_writable(function, PCI_INTERRUPT_LINE, 1, 0xff);
}

void pci_add_bar(struct pci_function *function, unsigned index, enum bus_space space, u64 bytes,
		 const struct bus_ops *ops, void *device)
{
	unsigned offset = PCI_BASE_ADDRESS_0 + 4 * index;
	bool io = space == BUS_PORT;

	ASSERT(index < PCI_BARS && !function->bars[index].bytes);
	ASSERT(is_power_of_two(bytes) && bytes >= (io ? IO_BAR_LEAST : MEMORY_BAR_LEAST));
	function->bars[index] = (struct pci_bar){
		.region = { .ops = ops, .device = device, .space = space },
		.bytes = bytes,
	};
	pci_config_set(function, offset, 4, io ? PCI_BAR_IO : 0);
	set_writable(function, offset, 4, (u32)~(bytes - 1) & (io ? PORT_SPACE_BITS : ~0u));
	function->writable[PCI_COMMAND] |= io ? PCI_COMMAND_IO_SPACE : PCI_COMMAND_MEMORY_SPACE;
}

unsigned pci_add_capability(struct pci_function *function, u8 id, unsigned bytes)
{
	unsigned offset = function->capabilities_end;
	unsigned link = function->last_capability ? function->last_capability + PCI_CAPABILITY_NEXT
						  : PCI_CAPABILITIES_POINTER;

	ASSERT(offset + bytes <= PCI_CONFIG_BYTES);
	pci_config_set(function, link, 1, offset);
	pci_config_set(function, offset, 1, id);
	function->state.config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES_LIST;
	function->last_capability = offset;
	function->capabilities_end = (unsigned)align_up(offset + bytes, 4);
	return offset;
}

void pci_use_intx(struct pci_function *function)
{
	pci_config_set(function, PCI_INTERRUPT_PIN, 1, 1);
}

void pci_function_reset(struct pci_function *function)
{
	/* Every writable bit is zero at power-on, but for the interrupt line's. */
	for (unsigned i = 0; i < PCI_CONFIG_BYTES; i++)
		function->state.config[i] &= (u8)~function->writable[i];
	pci_config_set(function, PCI_INTERRUPT_LINE, 1, PCI_INTERRUPT_LINE_NONE);
	pci_msix_reset(function);
	pci_set_intx(function, false);
	if (function->ops && function->ops->reset)
		function->ops->reset(function->device);
}

u64 pci_config_read(struct pci_function *function, unsigned offset, unsigned size)
{
	u64 value = 0;

	/* No extended capabilities: the rest of the extended space is zero. */
	if (offset >= PCI_CONFIG_BYTES)
		return 0;
	size = (unsigned)min_u64(size, PCI_CONFIG_BYTES - offset);
	if (function->ops && function->ops->config_reading)
		function->ops->config_reading(function->device, offset, size);
	memcpy(&value, function->state.config + offset, size);
	return value;
}

static bool touches(unsigned offset, unsigned size, unsigned start, unsigned bytes)
{
	return offset < start + bytes && start < offset + size;
}

void pci_config_write(struct pci_function *function, unsigned offset, unsigned size, u64 value)
{
	bool mastered = pci_bus_master(function);

	if (offset >= PCI_CONFIG_BYTES)
		return;
	size = (unsigned)min_u64(size, PCI_CONFIG_BYTES - offset);
	for (unsigned i = 0; i < size; i++) {
		u8 mask = function->writable[offset + i], *byte = &function->state.config[offset + i];

		*byte = (u8)((*byte & ~mask) | ((value >> 8 * i) & mask));
	}
	if (touches(offset, size, PCI_COMMAND, 2) || touches(offset, size, PCI_BASE_ADDRESS_0, 4 * PCI_BARS))
		pci_place_bars(function->host);
	pci_msix_update(function);
	pci_update_intx(function);
	if (!mastered && pci_bus_master(function) && function->ops && function->ops->mastering)
		function->ops->mastering(function->device);
	if (function->ops && function->ops->config_written)
		function->ops->config_written(function->device, offset, size);
}

bool pci_bus_master(const struct pci_function *function)
{
	return function->state.config[PCI_COMMAND] & PCI_COMMAND_BUS_MASTER;
}

bool pci_bar_decoded(const struct pci_function *function, unsigned index, u64 *base)
{
	const struct pci_bar *bar = &function->bars[index];
	bool io = bar->region.space == BUS_PORT;
	u32 value = pci_config_get(function, PCI_BASE_ADDRESS_0 + 4 * index, 4);

	*base = value & ~(io ? PCI_BAR_IO_FLAGS : PCI_BAR_MEMORY_FLAGS);
	return bar->bytes && *base &&
	       (function->state.config[PCI_COMMAND] & (io ? PCI_COMMAND_IO_SPACE : PCI_COMMAND_MEMORY_SPACE));
}

void pci_set_intx(struct pci_function *function, bool level)
{
	function->state.intx = level;
	pci_update_intx(function);
}

void pci_update_intx(struct pci_function *function)
{
	struct pci_host *host = function->host;
	u32 command = pci_config_get(function, PCI_COMMAND, 2);
	unsigned pin = function->state.config[PCI_INTERRUPT_PIN];
	bool level = function->state.intx && !(command & PCI_COMMAND_INTERRUPT_DISABLE) && !pci_msix_enabled(function);
	unsigned wire;

	function->state.config[PCI_STATUS] &= (u8)~PCI_STATUS_INTERRUPT;
	if (function->state.intx)
		function->state.config[PCI_STATUS] |= PCI_STATUS_INTERRUPT;
	if (!pin || !host)
		return;
	/* A wire is shared: it is asserted as long as anyone asserts it. */
	wire = (function->slot + pin - 1) % LAYOUT_PCI_GSIS;
	if (level)
		host->asserted[wire] |= 1u << function->slot;
	else
		host->asserted[wire] &= ~(1u << function->slot);
	irq_set(&host->wires[wire], host->asserted[wire] != 0);
}

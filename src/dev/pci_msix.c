/*
 * "MSI-X Capability and Table Structures": a function's interrupts as messages, each with its own mask.
 *
 * The capability lies in configuration space, the table and the pending bits in a BAR. A message that may not go now
 * (the vector or the function masked, or no bus mastering) is remembered as pending and goes when it may.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "base/string.h"
#include "dev/pci.h"

#define MSIX_CAPABILITY_BYTES 12u
#define MSIX_MESSAGE_CONTROL 2u
#define MSIX_TABLE_OFFSET 4u
#define MSIX_PBA_OFFSET 8u
#define MSIX_FUNCTION_MASK 0x4000u
#define MSIX_ENABLE 0x8000u
#define MSIX_VECTOR_MASKED 1u
#define MSIX_ADDRESS_RESERVED 3ull /* "must be zero" */

#define MSIX_BAR_BYTES 0x1000u
#define MSIX_BAR_PBA 0x800u
#define MSIX_TABLE_BYTES(function) ((function)->msix_vectors * sizeof(struct pci_msix_entry))

static u32 message_control(const struct pci_function *function)
{
	return function->msix ? pci_config_get(function, function->msix + MSIX_MESSAGE_CONTROL, 2) : 0;
}

bool pci_msix_enabled(const struct pci_function *function)
{
	return message_control(function) & MSIX_ENABLE;
}

void pci_msix_send(struct pci_function *function, unsigned vector)
{
	if (vector >= function->msix_vectors || !pci_msix_enabled(function))
		return;
	function->state.msix_pending |= BIT(vector);
	pci_msix_update(function);
}

void pci_msix_update(struct pci_function *function)
{
	const struct msi_sink *sink = function->host ? &function->host->msi : NULL;

	if (!function->state.msix_pending || (message_control(function) & (MSIX_ENABLE | MSIX_FUNCTION_MASK)) !=
	    MSIX_ENABLE || !pci_bus_master(function) || !sink || !sink->send)
		return;
	for (unsigned vector = 0; vector < function->msix_vectors; vector++) {
		const struct pci_msix_entry *entry = &function->state.msix[vector];

		if (!(function->state.msix_pending & BIT(vector)) || (entry->vector_control & MSIX_VECTOR_MASKED))
			continue;
		function->state.msix_pending &= ~BIT(vector);
		sink->send(sink->target, entry->address, entry->data);
	}
}

void pci_msix_reset(struct pci_function *function)
{
	function->state.msix_pending = 0;
	for (unsigned vector = 0; vector < PCI_MSIX_VECTORS; vector++)
		function->state.msix[vector] = (struct pci_msix_entry){ .vector_control = MSIX_VECTOR_MASKED };
}

static u64 table_read(void *device, u64 offset, unsigned size)
{
	const struct pci_function *function = device;
	u64 value = 0;

	if (offset + size <= MSIX_TABLE_BYTES(function))
		memcpy(&value, (const u8 *)function->state.msix + offset, size);
	else if (offset >= MSIX_BAR_PBA && offset + size <= MSIX_BAR_PBA + sizeof(u64))
		value = function->state.msix_pending >> 8 * (offset - MSIX_BAR_PBA);
	return value;
}

/* "Accesses to the table": aligned DWORDs or QWORDs; nothing is defined for others, and nothing happens. */
static void table_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct pci_function *function = device;
	struct pci_msix_entry *entry;

	if (size < 4 || offset % size || offset + size > MSIX_TABLE_BYTES(function))
		return;
	memcpy((u8 *)function->state.msix + offset, &value, size);
	entry = &function->state.msix[offset / sizeof(*entry)];
	entry->address &= ~MSIX_ADDRESS_RESERVED;
	entry->vector_control &= MSIX_VECTOR_MASKED;
	pci_msix_update(function);
}

static const struct bus_ops table_ops = {
	.name = "MSI-X table",
	.read = table_read,
	.write = table_write,
};

void pci_add_msix(struct pci_function *function, unsigned bar, unsigned vectors)
{
	ASSERT(vectors >= 1 && vectors <= PCI_MSIX_VECTORS);
	function->msix_vectors = vectors;
	function->msix = pci_add_capability(function, PCI_CAPABILITY_MSIX, MSIX_CAPABILITY_BYTES);
	pci_config_set(function, function->msix + MSIX_MESSAGE_CONTROL, 2, vectors - 1);
	pci_config_set(function, function->msix + MSIX_TABLE_OFFSET, 4, bar);
	pci_config_set(function, function->msix + MSIX_PBA_OFFSET, 4, MSIX_BAR_PBA | bar);
	function->writable[function->msix + MSIX_MESSAGE_CONTROL + 1] = (MSIX_ENABLE | MSIX_FUNCTION_MASK) >> 8;
	pci_add_bar(function, bar, BUS_MEMORY, MSIX_BAR_BYTES, &table_ops, function);
	pci_msix_reset(function);
}

/* PCI: configuration space both ways, BARs, interrupt wires, MSI-X. */
#include <string.h>

#include "dev/virtio_rng.h"
#include "test.h"
#include "virtio_driver.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define ENABLE 0x80000000u
#define SLOT 1u

static struct bench bench;
static struct pci_function function;
static u64 last_offset, last_value;

static u64 scratch_read(void *device, u64 offset, unsigned size)
{
	(void)device;
	(void)size;
	return 0x100 + offset;
}

static void scratch_write(void *device, u64 offset, unsigned size, u64 value)
{
	(void)device;
	(void)size;
	last_offset = offset;
	last_value = value;
}

static const struct bus_ops scratch_ops = { .name = "scratch", .read = scratch_read, .write = scratch_write };
static const struct pci_identity identity = { 0x1234, 0x5678, 0x9abc, 0xdef0, 0x0a0b0c, 7 };

/* A function with a memory BAR, an I/O BAR and four MSI-X vectors, at device 1. */
static void setup(void)
{
	bench_init(&bench);
	pci_function_init(&function, &identity, NULL, NULL);
	pci_use_intx(&function);
	pci_add_bar(&function, 0, BUS_MEMORY, 0x2000, &scratch_ops, NULL);
	pci_add_bar(&function, 1, BUS_PORT, 0x20, &scratch_ops, NULL);
	pci_add_msix(&function, 2, 4);
	CHECK(pci_attach(&bench.pci, &function));
	CHECK(pci_assign_resources(&bench.pci));
}

static u32 port_config_read(unsigned slot, unsigned offset, unsigned size)
{
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 4, ENABLE | slot << 11 | (offset & 0xfc));
	return (u32)bench_read(&bench, BUS_PORT, CONFIG_DATA + (offset & 3), size);
}

TEST("both configuration mechanisms reach the same registers")
{
	setup();
	CHECK_EQ(port_config_read(0, 0, 4), 0x29c08086);
	CHECK_EQ(bench_config_read(&bench, 0, 0, 4), 0x29c08086);
	CHECK_EQ(port_config_read(SLOT, PCI_DEVICE_ID, 2), 0x5678);
	CHECK_EQ(port_config_read(SLOT, PCI_REVISION_ID, 4), 0x0a0b0c07);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_CLASS_CODE + 2, 1), 0x0a);
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 4, ENABLE | SLOT << 11 | PCI_INTERRUPT_LINE);
	bench_write(&bench, BUS_PORT, CONFIG_DATA, 1, 0x55);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_INTERRUPT_LINE, 1), 0x55);
	bench_destroy(&bench);
}

TEST("absent devices, functions and buses read as all ones")
{
	setup();
	CHECK_EQ(port_config_read(5, 0, 4), 0xffffffff);
	CHECK_EQ(bench_config_read(&bench, 5, 0, 4), 0xffffffff);
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 4, ENABLE | SLOT << 11 | 1 << 8);
	CHECK_EQ(bench_read(&bench, BUS_PORT, CONFIG_DATA, 4), 0xffffffff);
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 4, ENABLE | 1 << 16);
	CHECK_EQ(bench_read(&bench, BUS_PORT, CONFIG_DATA, 4), 0xffffffff);
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 4, 0);
	CHECK_EQ(bench_read(&bench, BUS_PORT, CONFIG_DATA, 4), 0xffffffff);
	bench_destroy(&bench);
}

TEST("CONFIG_ADDRESS is a dword: narrower accesses are other ports, and CF9 is the reset control")
{
	setup();
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 4, 0xffffffff);
	CHECK_EQ(bench_read(&bench, BUS_PORT, CONFIG_ADDRESS, 4), 0x80fffffc);
	bench_write(&bench, BUS_PORT, CONFIG_ADDRESS, 2, 0);
	CHECK_EQ(bench_read(&bench, BUS_PORT, CONFIG_ADDRESS, 4), 0x80fffffc);
	CHECK_EQ(bench_read(&bench, BUS_PORT, CONFIG_ADDRESS, 1), 0xff);
	bench_write(&bench, BUS_PORT, LAYOUT_RESET_PORT, 1, 2);
	CHECK_EQ(bench.resets, 0);
	CHECK_EQ(bench_read(&bench, BUS_PORT, LAYOUT_RESET_PORT, 1), 2);
	bench_write(&bench, BUS_PORT, LAYOUT_RESET_PORT, 1, 6);
	CHECK_EQ(bench.resets, 1);
	bench_write(&bench, BUS_PORT, LAYOUT_RESET_PORT, 1, 6);
	CHECK_EQ(bench.resets, 1);
	bench_destroy(&bench);
}

TEST("identity, header type, BAR flags and capabilities are read-only")
{
	u8 before[PCI_CONFIG_BYTES];

	setup();
	memcpy(before, function.state.config, sizeof(before));
	for (unsigned i = 0; i < PCI_CONFIG_BYTES; i += 4) {
		if (i != PCI_COMMAND && (i < PCI_BASE_ADDRESS_0 || i >= PCI_BASE_ADDRESS_0 + 4 * PCI_BARS))
			bench_config_write(&bench, SLOT, i, 4, ~bench_config_read(&bench, SLOT, i, 4));
	}
	before[PCI_CACHE_LINE_SIZE] ^= 0xff;
	before[PCI_LATENCY_TIMER] ^= 0xff;
	before[PCI_INTERRUPT_LINE] ^= 0xff;
	before[function.msix + 3] ^= 0xc0;
	CHECK(!memcmp(before, function.state.config, sizeof(before)));
	bench_config_write(&bench, SLOT, 0x400, 4, 1);
	CHECK_EQ(bench_config_read(&bench, SLOT, 0x400, 4), 0);
	bench_destroy(&bench);
}

TEST("writing all ones to a BAR reads back its size")
{
	setup();
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, 0);
	for (unsigned i = 0; i < PCI_BARS; i++)
		bench_config_write(&bench, SLOT, PCI_BASE_ADDRESS_0 + 4 * i, 4, 0xffffffff);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0, 4), 0xffffe000);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0 + 4, 4), 0xffe1);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0 + 8, 4), 0xfffff000);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0 + 12, 4), 0);
	bench_destroy(&bench);
}

TEST("power-on resources lie in their windows and are decoded")
{
	u64 memory, port;

	setup();
	memory = bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0, 4);
	port = bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0 + 4, 4) & ~PCI_BAR_IO_FLAGS;
	CHECK_EQ(memory, LAYOUT_PCI_MEMORY_BASE);
	CHECK_EQ(port, LAYOUT_PCI_PORT_BASE);
	CHECK_EQ(bench_config_read(&bench, SLOT, PCI_COMMAND, 2), PCI_COMMAND_IO_SPACE | PCI_COMMAND_MEMORY_SPACE);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, memory + 8, 4), 0x108);
	bench_write(&bench, BUS_PORT, port + 4, 2, 0xbeef);
	CHECK_EQ(last_offset, 4);
	CHECK_EQ(last_value, 0xbeef);
	bench_destroy(&bench);
}

TEST("a BAR moves, and decodes only while the command register says so")
{
	setup();
	bench_config_write(&bench, SLOT, PCI_BASE_ADDRESS_0, 4, 0xd8000000);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, 0xd8000010, 4), 0x110);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, LAYOUT_PCI_MEMORY_BASE, 4), 0xffffffff);
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, PCI_COMMAND_IO_SPACE);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, 0xd8000010, 4), 0xffffffff);
	CHECK_EQ(bench_read(&bench, BUS_PORT, LAYOUT_PCI_PORT_BASE, 2), 0x100);
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, 0xd8000010, 4), 0x110);
	CHECK_EQ(bench_read(&bench, BUS_PORT, LAYOUT_PCI_PORT_BASE, 2), 0xffff);
	bench_destroy(&bench);
}

TEST("a BAR put over another device waits until there is room, and that device stays")
{
	setup();
	bench_config_write(&bench, SLOT, PCI_BASE_ADDRESS_0, 4, LAYOUT_ECAM_BASE);
	CHECK_EQ(bench_config_read(&bench, 0, 0, 4), 0x29c08086);
	bench_config_write(&bench, SLOT, PCI_BASE_ADDRESS_0, 4, 0xd0010000);
	bench_config_write(&bench, SLOT, PCI_BASE_ADDRESS_0 + 8, 4, 0xd0011000);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, 0xd0011000, 4), 0x1100);
	bench_config_write(&bench, SLOT, PCI_BASE_ADDRESS_0, 4, 0xd0020000);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, 0xd0011000 + 12, 4), 1);
	bench_destroy(&bench);
}

TEST("a reset brings configuration space back to power-on")
{
	struct pci_function_state before;

	setup();
	pci_reset(&bench.pci);
	before = function.state;
	CHECK(pci_assign_resources(&bench.pci));
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, 0xffff);
	bench_config_write(&bench, SLOT, function.msix + 2, 2, 0xffff);
	pci_set_intx(&function, true);
	pci_reset(&bench.pci);
	CHECK(!memcmp(before.config, function.state.config, sizeof(before.config)));
	CHECK(!bench.wire[SLOT]);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, LAYOUT_PCI_MEMORY_BASE, 4), 0xffffffff);
	bench_destroy(&bench);
}

TEST("an interrupt wire follows the function, the disable bit and MSI-X")
{
	setup();
	pci_set_intx(&function, true);
	CHECK(bench.wire[SLOT]);
	CHECK(bench_config_read(&bench, SLOT, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, PCI_COMMAND_INTERRUPT_DISABLE);
	CHECK(!bench.wire[SLOT]);
	CHECK(bench_config_read(&bench, SLOT, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, 0);
	CHECK(bench.wire[SLOT]);
	bench_config_write(&bench, SLOT, function.msix + 2, 2, 0x8000);
	CHECK(!bench.wire[SLOT]);
	bench_config_write(&bench, SLOT, function.msix + 2, 2, 0);
	pci_set_intx(&function, false);
	CHECK(!bench.wire[SLOT]);
	CHECK(!(bench_config_read(&bench, SLOT, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT));
	bench_destroy(&bench);
}

TEST("a shared wire stays asserted until the last one lets go")
{
	static struct pci_function others[LAYOUT_PCI_GSIS];

	setup();
	for (unsigned i = 0; i < LAYOUT_PCI_GSIS; i++) {
		pci_function_init(&others[i], &identity, NULL, NULL);
		pci_use_intx(&others[i]);
		CHECK(pci_attach(&bench.pci, &others[i]));
	}
	CHECK_EQ(others[LAYOUT_PCI_GSIS - 1].slot, SLOT + LAYOUT_PCI_GSIS);
	pci_set_intx(&function, true);
	pci_set_intx(&others[LAYOUT_PCI_GSIS - 1], true);
	pci_set_intx(&function, false);
	CHECK(bench.wire[SLOT]);
	pci_set_intx(&others[LAYOUT_PCI_GSIS - 1], false);
	CHECK(!bench.wire[SLOT]);
	bench_destroy(&bench);
}

static u64 msix_table(void)
{
	return bench_config_read(&bench, SLOT, PCI_BASE_ADDRESS_0 + 8, 4);
}

static void msix_setup(void)
{
	setup();
	for (unsigned i = 0; i < 4; i++) {
		bench_write(&bench, BUS_MEMORY, msix_table() + 16 * i, 8, 0xfee01003);
		bench_write(&bench, BUS_MEMORY, msix_table() + 16 * i + 8, 4, 0x30 + i);
		bench_write(&bench, BUS_MEMORY, msix_table() + 16 * i + 12, 4, 0);
	}
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE | PCI_COMMAND_BUS_MASTER);
	bench_config_write(&bench, SLOT, function.msix + 2, 2, 0x8000);
}

TEST("an MSI-X vector sends its message; one that is not there sends nothing")
{
	msix_setup();
	CHECK_EQ(bench_config_read(&bench, SLOT, function.msix + 2, 2) & 0x7ff, 3);
	pci_msix_send(&function, 2);
	pci_msix_send(&function, 4);
	pci_msix_send(&function, 0xffff);
	CHECK_EQ(bench.message_count, 1);
	CHECK_EQ(bench.messages[0].address, 0xfee01000);
	CHECK_EQ(bench.messages[0].data, 0x32);
	bench_destroy(&bench);
}

TEST("a masked vector is pending, and sends once when unmasked")
{
	msix_setup();
	bench_write(&bench, BUS_MEMORY, msix_table() + 16 + 12, 4, 0xffffffff);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, msix_table() + 16 + 12, 4), 1);
	pci_msix_send(&function, 1);
	pci_msix_send(&function, 1);
	CHECK_EQ(bench.message_count, 0);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, msix_table() + 0x800, 8), 2);
	bench_write(&bench, BUS_MEMORY, msix_table() + 16 + 12, 4, 0);
	CHECK_EQ(bench.message_count, 1);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, msix_table() + 0x800, 8), 0);
	bench_destroy(&bench);
}

TEST("the function mask and missing bus mastering hold messages back")
{
	msix_setup();
	bench_config_write(&bench, SLOT, function.msix + 2, 2, 0xc000);
	pci_msix_send(&function, 0);
	CHECK_EQ(bench.message_count, 0);
	bench_config_write(&bench, SLOT, function.msix + 2, 2, 0x8000);
	CHECK_EQ(bench.message_count, 1);
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE);
	pci_msix_send(&function, 3);
	CHECK_EQ(bench.message_count, 1);
	bench_config_write(&bench, SLOT, PCI_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE | PCI_COMMAND_BUS_MASTER);
	CHECK_EQ(bench.message_count, 2);
	CHECK_EQ(bench.messages[1].data, 0x33);
	bench_destroy(&bench);
}

TEST("MSI-X registers ignore narrow and misplaced accesses")
{
	msix_setup();
	bench_write(&bench, BUS_MEMORY, msix_table() + 8, 1, 0xff);
	bench_write(&bench, BUS_MEMORY, msix_table() + 6, 4, 0xffffffff);
	bench_write(&bench, BUS_MEMORY, msix_table() + 64, 8, ~0ull);
	bench_write(&bench, BUS_MEMORY, msix_table() + 0x800, 8, ~0ull);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, msix_table() + 8, 4), 0x30);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, msix_table() + 64, 8), 0);
	CHECK_EQ(bench_read(&bench, BUS_MEMORY, msix_table() + 0x800, 8), 0);
	bench_destroy(&bench);
}

/* The driver's side of virtio, for tests: see virtio_driver.h. */
#include "virtio_driver.h"

#include <stdlib.h>
#include <string.h>

#include "host_double.h"

#define RINGS_BASE 0x10000u
#define RINGS_STRIDE 0x1000u
#define AVAILABLE_OFFSET 0x800u
#define USED_OFFSET 0xa00u
#define MSIX_DATA_BASE 0x40u

static void set_wire(void *target, unsigned pin, bool level)
{
	((struct bench *)target)->wire[pin - LAYOUT_PCI_GSI_BASE] = level;
}

static void take_message(void *target, u64 address, u32 data)
{
	struct bench *bench = target;

	if (bench->message_count < BENCH_MESSAGES)
		bench->messages[bench->message_count] = (struct bench_message){ address, data };
	bench->message_count++;
}

static void reset_asked(void *target)
{
	((struct bench *)target)->resets++;
}

void bench_init(struct bench *bench)
{
	memset(bench, 0, sizeof(*bench));
	bench->ram = aligned_alloc(4096, BENCH_MEMORY_BYTES);
	memset(bench->ram, 0, BENCH_MEMORY_BYTES);
	bus_init(&bench->bus, NULL);
	memory_init(&bench->memory, bench->ram, BENCH_MEMORY_BYTES, bench->generation, bench->has_code);
	bench->memory.dirty = bench->dirty;
	if (!pci_host_init(&bench->pci, &bench->bus, (struct msi_sink){ .send = take_message, .target = bench }))
		abort();
	bench->pci.reset = reset_asked;
	bench->pci.reset_target = bench;
	for (unsigned i = 0; i < LAYOUT_PCI_GSIS; i++)
		bench->pci.wires[i] = (struct irq_line){ set_wire, bench, LAYOUT_PCI_GSI_BASE + i };
}

void bench_destroy(struct bench *bench)
{
	if (host_double_locks)
		abort(); /* a device kept the bus lock */
	free(bench->ram);
}

u64 bench_read(struct bench *bench, enum bus_space space, u64 address, unsigned size)
{
	u64 value;

	bus_lock(&bench->bus);
	value = bus_read(&bench->bus, space, address, size);
	bus_unlock(&bench->bus);
	return value;
}

void bench_write(struct bench *bench, enum bus_space space, u64 address, unsigned size, u64 value)
{
	bus_lock(&bench->bus);
	bus_write(&bench->bus, space, address, size, value);
	bus_unlock(&bench->bus);
}

u32 bench_config_read(struct bench *bench, unsigned slot, unsigned offset, unsigned size)
{
	return (u32)bench_read(bench, BUS_MEMORY, LAYOUT_ECAM_BASE + (slot << 15) + offset, size);
}

void bench_config_write(struct bench *bench, unsigned slot, unsigned offset, unsigned size, u32 value)
{
	bench_write(bench, BUS_MEMORY, LAYOUT_ECAM_BASE + (slot << 15) + offset, size, value);
}

/* ---- the device ---- */

void driver_attach(struct driver *driver, struct bench *bench, struct virtio *virtio)
{
	u32 command;

	memset(driver, 0, sizeof(*driver));
	driver->bench = bench;
	if (!pci_attach(&bench->pci, &virtio->pci) || !pci_assign_resources(&bench->pci))
		abort();
	driver->slot = virtio->pci.slot;
	driver->registers = bench_config_read(bench, driver->slot, PCI_BASE_ADDRESS_0, 4) & ~PCI_BAR_MEMORY_FLAGS;
	driver->msix_table = bench_config_read(bench, driver->slot, PCI_BASE_ADDRESS_0 + 4, 4) & ~PCI_BAR_MEMORY_FLAGS;
	command = bench_config_read(bench, driver->slot, PCI_COMMAND, 2);
	bench_config_write(bench, driver->slot, PCI_COMMAND, 2, command | PCI_COMMAND_BUS_MASTER);
}

u64 driver_get(struct driver *driver, u64 offset, unsigned size)
{
	return bench_read(driver->bench, BUS_MEMORY, driver->registers + offset, size);
}

void driver_set(struct driver *driver, u64 offset, unsigned size, u64 value)
{
	bench_write(driver->bench, BUS_MEMORY, driver->registers + offset, size, value);
}

u8 driver_status(struct driver *driver)
{
	return (u8)driver_get(driver, DRIVER_STATUS, 1);
}

u64 driver_config(struct driver *driver, u64 offset, unsigned size)
{
	return driver_get(driver, VIRTIO_PAGE_DEVICE * VIRTIO_PAGE_BYTES + offset, size);
}

u64 driver_offered(struct driver *driver)
{
	u64 low, high;

	driver_set(driver, DRIVER_DEVICE_FEATURE_SELECT, 4, 0);
	low = driver_get(driver, DRIVER_DEVICE_FEATURE, 4);
	driver_set(driver, DRIVER_DEVICE_FEATURE_SELECT, 4, 1);
	high = driver_get(driver, DRIVER_DEVICE_FEATURE, 4);
	return high << 32 | low;
}

u8 driver_negotiate(struct driver *driver, u64 features)
{
	memset(driver->avail_index, 0, sizeof(driver->avail_index));
	memset(driver->used_seen, 0, sizeof(driver->used_seen));
	memset(driver->bench->ram + RINGS_BASE, 0, RINGS_STRIDE * DRIVER_QUEUES);
	driver->features = features;
	driver_set(driver, DRIVER_STATUS, 1, 0);
	driver_set(driver, DRIVER_STATUS, 1, VIRTIO_STATUS_ACKNOWLEDGE);
	driver_set(driver, DRIVER_STATUS, 1, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		driver_set(driver, DRIVER_DRIVER_FEATURE_SELECT, 4, i);
		driver_set(driver, DRIVER_DRIVER_FEATURE, 4, (u32)(features >> 32 * i));
	}
	driver_set(driver, DRIVER_STATUS, 1, driver_status(driver) | VIRTIO_STATUS_FEATURES_OK);
	return driver_status(driver);
}

gpa_t driver_table(unsigned queue)
{
	return RINGS_BASE + queue * RINGS_STRIDE;
}

gpa_t driver_available(unsigned queue)
{
	return driver_table(queue) + AVAILABLE_OFFSET;
}

gpa_t driver_used_ring(unsigned queue)
{
	return driver_table(queue) + USED_OFFSET;
}

void driver_enable_queue(struct driver *driver, unsigned queue, unsigned size)
{
	driver_set(driver, DRIVER_QUEUE_SELECT, 2, queue);
	driver_set(driver, DRIVER_QUEUE_SIZE, 2, size);
	driver_set(driver, DRIVER_QUEUE_VECTOR, 2, queue + 1);
	driver_set(driver, DRIVER_QUEUE_DESC, 8, driver_table(queue));
	driver_set(driver, DRIVER_QUEUE_DRIVER, 4, driver_available(queue));
	driver_set(driver, DRIVER_QUEUE_DRIVER + 4, 4, 0);
	driver_set(driver, DRIVER_QUEUE_DEVICE, 8, driver_used_ring(queue));
	driver_set(driver, DRIVER_QUEUE_ENABLE, 2, 1);
}

void driver_enable_msix(struct driver *driver, unsigned vectors)
{
	struct bench *bench = driver->bench;
	unsigned at = bench_config_read(bench, driver->slot, PCI_CAPABILITIES_POINTER, 1);

	while (at && bench_config_read(bench, driver->slot, at, 1) != PCI_CAPABILITY_MSIX)
		at = bench_config_read(bench, driver->slot, at + PCI_CAPABILITY_NEXT, 1);
	for (unsigned i = 0; i < vectors; i++) {
		bench_write(bench, BUS_MEMORY, driver->msix_table + 16 * i, 8, LAYOUT_LAPIC_BASE);
		bench_write(bench, BUS_MEMORY, driver->msix_table + 16 * i + 8, 8, MSIX_DATA_BASE + i);
	}
	bench_config_write(bench, driver->slot, at + 2, 2, 0x8000);
}

void driver_start(struct driver *driver, u64 features, unsigned queues)
{
	driver_negotiate(driver, features);
	for (unsigned i = 0; i < queues; i++)
		driver_enable_queue(driver, i, DRIVER_QUEUE_SIZE_USED);
	driver_set(driver, DRIVER_STATUS, 1, DRIVER_STATUS_READY);
}

/* ---- rings ---- */

void driver_describe(struct driver *driver, unsigned queue, unsigned index, struct driver_descriptor descriptor)
{
	memcpy(driver->bench->ram + driver_table(queue) + sizeof(descriptor) * index, &descriptor, sizeof(descriptor));
}

u16 driver_load16(struct driver *driver, gpa_t gpa)
{
	u16 value;

	memcpy(&value, driver->bench->ram + gpa, sizeof(value));
	return value;
}

void driver_store16(struct driver *driver, gpa_t gpa, u16 value)
{
	memcpy(driver->bench->ram + gpa, &value, sizeof(value));
}

void driver_offer(struct driver *driver, unsigned queue, u16 head)
{
	u16 index = driver->avail_index[queue]++;

	driver_store16(driver, driver_available(queue) + 4 + 2 * (index % DRIVER_QUEUE_SIZE_USED), head);
	driver_store16(driver, driver_available(queue) + 2, driver->avail_index[queue]);
}

void driver_kick(struct driver *driver, unsigned queue)
{
	driver_set(driver, VIRTIO_PAGE_NOTIFY * VIRTIO_PAGE_BYTES + queue * VIRTIO_NOTIFY_MULTIPLIER, 2, queue);
}

bool driver_collect(struct driver *driver, unsigned queue, struct driver_used *used)
{
	gpa_t ring = driver_used_ring(queue);
	u16 index = driver->used_seen[queue];

	if (driver_load16(driver, ring + 2) == index)
		return false;
	memcpy(used, driver->bench->ram + ring + 4 + sizeof(*used) * (index % DRIVER_QUEUE_SIZE_USED), sizeof(*used));
	driver->used_seen[queue]++;
	return true;
}

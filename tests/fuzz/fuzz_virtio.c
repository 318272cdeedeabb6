/*
 * Virtio under a hostile driver: the input's bytes become register accesses, descriptors, ring contents and what the
 * host does meanwhile.
 *
 * Random bytes alone seldom get past initialisation, so some operations do a legal step (start a device, describe a
 * buffer, offer a chain) with details from the input; the others do anything. Whatever happens, no byte outside guest
 * memory may be touched, the devices must come to rest, and after a reset they must work again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_console.h"
#include "dev/virtio_net.h"
#include "dev/virtio_rng.h"
#include "disk_double.h"
#include "driver.h"
#include "host_double.h"
#include "virtio_driver.h"

#define DEVICES 4u
#define BLK 0u
#define NET 1u
#define CONSOLE 2u
#define RNG 3u
#define BUFFERS 0x40000u /* where described buffers lie, mostly */
#define INDIRECT_TABLE 0x3f000u
#define SMALL_AREA 0x20000u

struct input {
	const uint8_t *next;
	size_t left;
};

struct world {
	struct bench bench;
	struct host_disk disk;
	struct host_net net;
	struct host_stream stream;
	struct virtio_blk blk;
	struct virtio_net net_device;
	struct virtio_console console;
	struct virtio_rng rng;
	struct driver drivers[DEVICES];
};

static u64 take(struct input *input, unsigned bytes)
{
	u64 value = 0;

	if (bytes > input->left)
		bytes = (unsigned)input->left;
	memcpy(&value, input->next, bytes);
	input->next += bytes;
	input->left -= bytes;
	return value;
}

static u64 random_source(void *source)
{
	return ++*(u64 *)source;
}

static void build(struct world *world, u64 *random)
{
	static const u8 mac[VIRTIO_NET_MAC_BYTES] = { 2 };
	struct bench *bench = &world->bench;

	bench_init(bench);
	disk_double_init(&world->disk);
	memset(&world->net, 0, sizeof(world->net));
	memset(&world->stream, 0, sizeof(world->stream));
	virtio_blk_init(&world->blk, &bench->bus, &bench->memory, &world->disk, DRIVER_QUEUES, "fuzz");
	virtio_net_init(&world->net_device, &bench->memory, &world->net, mac);
	virtio_console_init(&world->console, &bench->memory, &world->stream);
	virtio_rng_init(&world->rng, &bench->memory, random_source, random);
	driver_attach(&world->drivers[BLK], bench, &world->blk.virtio);
	driver_attach(&world->drivers[NET], bench, &world->net_device.virtio);
	driver_attach(&world->drivers[CONSOLE], bench, &world->console.virtio);
	driver_attach(&world->drivers[RNG], bench, &world->rng.virtio);
}

/* ---- operations; each takes its details from the input ---- */

static void start(struct world *world, struct driver *driver, struct input *input)
{
	(void)world;
	driver_start(driver, driver_offered(driver) & (take(input, 8) | BIT(VIRTIO_F_VERSION_1)), DRIVER_QUEUES);
	driver_enable_msix(driver, DRIVER_QUEUES + 1);
}

static void describe(struct world *world, struct driver *driver, struct input *input)
{
	struct driver_descriptor descriptor = { .address = BUFFERS + (take(input, 2) & ~15ull) };
	unsigned queue = (unsigned)take(input, 1) % DRIVER_QUEUES, index = (unsigned)take(input, 1) % 20;

	(void)world;
	descriptor.bytes = (u32)take(input, 2);
	descriptor.flags = (u16)take(input, 1);
	descriptor.next = (u16)take(input, 1) % 18;
	driver_describe(driver, queue, index, descriptor);
}

/*
 * A whole request: readable header and data, writable data and status, each in a descriptor of its own, in the queue's
 * table or an indirect one. The header is one that the disk would understand.
 */
static void request(struct world *world, struct driver *driver, struct input *input)
{
	unsigned queue = (unsigned)take(input, 1) % DRIVER_QUEUES, shape = (unsigned)take(input, 1);
	u32 header[8] = { (u32)take(input, 1) % 16, 0, (u32)take(input, 1) % 72, 0, (u32)take(input, 1) % 72, 0,
			  (u32)take(input, 1) % 72, (u32)take(input, 1) % 4 };
	u32 sizes[] = { 16, shape & 1 ? 16 : (u32)take(input, 1) * 64, (u32)take(input, 1) * 64, 1 };
	struct driver_descriptor table[4];
	unsigned count = 0;

	memcpy(world->bench.ram + BUFFERS, header, sizeof(header));
	for (unsigned i = 0; i < 4; i++) {
		if (shape & 2u << i || !sizes[i])
			continue;
		table[count] = (struct driver_descriptor){ BUFFERS + 16 * i * i * i, sizes[i],
							   i >= 2 ? DRIVER_WRITE : 0, (u16)(count + 1) };
		table[count++].flags |= DRIVER_NEXT;
	}
	if (!count)
		return;
	table[count - 1].flags &= (u16)~DRIVER_NEXT;
	if (shape & 0x40) {
		memcpy(world->bench.ram + INDIRECT_TABLE, table, sizeof(table));
		table[0] = (struct driver_descriptor){ INDIRECT_TABLE, 16 * count, DRIVER_INDIRECT, 0 };
		count = 1;
	}
	for (unsigned i = 0; i < count; i++)
		driver_describe(driver, queue, i, table[i]);
	driver_offer(driver, queue, 0);
	driver_kick(driver, queue);
}

static void offer(struct world *world, struct driver *driver, struct input *input)
{
	unsigned queue = (unsigned)take(input, 1) % DRIVER_QUEUES;

	(void)world;
	driver_offer(driver, queue, (u16)take(input, 1) % 18);
	driver_kick(driver, queue);
}

static void write_memory(struct world *world, struct driver *driver, struct input *input)
{
	u64 at = take(input, 2) * 2 % SMALL_AREA + 0x10000, bytes = take(input, 1) % 64;

	(void)driver;
	for (u64 i = 0; i < bytes; i++)
		world->bench.ram[at + i] = (u8)take(input, 1);
}

/* A field of the common configuration, by its own width. */
static void set_field(struct world *world, struct driver *driver, struct input *input)
{
	static const struct { u8 at, bytes; } fields[] = {
		{ DRIVER_DEVICE_FEATURE_SELECT, 4 }, { DRIVER_DRIVER_FEATURE_SELECT, 4 }, { DRIVER_DRIVER_FEATURE, 4 },
		{ DRIVER_CONFIG_VECTOR, 2 }, { DRIVER_STATUS, 1 }, { DRIVER_QUEUE_SELECT, 2 }, { DRIVER_QUEUE_SIZE, 2 },
		{ DRIVER_QUEUE_VECTOR, 2 }, { DRIVER_QUEUE_ENABLE, 2 }, { DRIVER_QUEUE_DESC, 8 },
		{ DRIVER_QUEUE_DRIVER, 4 }, { DRIVER_QUEUE_DEVICE, 8 }, { DRIVER_QUEUE_RESET, 2 },
	};
	unsigned field = (unsigned)take(input, 1) % (sizeof(fields) / sizeof(fields[0]));

	(void)world;
	driver_get(driver, fields[field].at, fields[field].bytes);
	driver_set(driver, fields[field].at, fields[field].bytes, take(input, 1 + field % 3));
}

/* Any access to any page of the registers, or the MSI-X table. */
static void access_register(struct world *world, struct driver *driver, struct input *input)
{
	unsigned kind = (unsigned)take(input, 1), bytes = 1u << (kind & 3);
	u64 page = (kind >> 2) % VIRTIO_PAGES * VIRTIO_PAGE_BYTES;
	u64 offset = page + take(input, kind & 0x10 ? 2 : 1) % VIRTIO_PAGE_BYTES;

	if (kind & 0x20)
		driver_get(driver, offset, bytes);
	else
		driver_set(driver, offset, bytes, take(input, bytes));
	if (kind & 0x40)
		bench_write(&world->bench, BUS_MEMORY, driver->msix_table + offset % VIRTIO_PAGE_BYTES, bytes,
			    take(input, bytes));
}

static void access_config(struct world *world, struct driver *driver, struct input *input)
{
	unsigned offset = (unsigned)take(input, 1), bytes = 1u << (take(input, 1) & 3);

	bench_config_read(&world->bench, driver->slot, offset, bytes);
	bench_config_write(&world->bench, driver->slot, offset, bytes, (u32)take(input, bytes));
}

static void host_acts(struct world *world, struct driver *driver, struct input *input)
{
	static const u8 frame[HOST_NET_FRAME_BYTES];
	unsigned what = (unsigned)take(input, 1);

	(void)driver;
	world->disk.fail = what & 0x80;
	if ((what & 3) == 0)
		disk_double_complete(&world->disk);
	if ((what & 3) == 1)
		disk_double_complete_newest(&world->disk);
	bus_lock(&world->bench.bus);
	if ((what & 3) == 2)
		world->net.receive(world->net.device, frame, 1 + take(input, 2) % HOST_NET_FRAME_BYTES);
	if ((what & 3) == 3)
		host_double_type(&world->stream, (const char *)frame, 1 + take(input, 1));
	if (what & 4)
		virtio_net_set_link(&world->net_device, what & 8);
	bus_unlock(&world->bench.bus);
}

static void (*const operations[])(struct world *world, struct driver *driver, struct input *input) = {
	start, describe, request, offer, write_memory, set_field, access_register, access_config, host_acts,
};

#define OPERATIONS (sizeof(operations) / sizeof(operations[0]))

/* ---- afterwards ---- */

/* Whatever was done to it, a reset makes a device that fills a buffer as if nothing had happened. */
static void check_works(struct driver *driver)
{
	struct driver_used used;

	driver_start(driver, BIT(VIRTIO_F_VERSION_1), 1);
	driver_describe(driver, 0, 0, (struct driver_descriptor){ BUFFERS, 8, DRIVER_WRITE, 0 });
	driver_offer(driver, 0, 0);
	driver_kick(driver, 0);
	if (driver_status(driver) != DRIVER_STATUS_READY || !driver_collect(driver, 0, &used) || used.bytes != 8)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct input input = { data, size };
	u64 random = 0;

	build(&world, &random);
	for (unsigned i = 0; i < DEVICES; i++)
		driver_start(&world.drivers[i], driver_offered(&world.drivers[i]), DRIVER_QUEUES);
	while (input.left) {
		u8 choice = (u8)take(&input, 1);

		operations[choice % OPERATIONS](&world, &world.drivers[choice / OPERATIONS % DEVICES], &input);
	}
	disk_double_complete_all(&world.disk);
	if (pci_busy(&world.bench.pci))
		abort();
	bus_lock(&world.bench.bus);
	pci_reset(&world.bench.pci);
	if (!pci_assign_resources(&world.bench.pci))
		abort();
	bus_unlock(&world.bench.bus);
	bench_config_write(&world.bench, world.drivers[RNG].slot, PCI_COMMAND, 2,
			   PCI_COMMAND_MEMORY_SPACE | PCI_COMMAND_BUS_MASTER);
	check_works(&world.drivers[RNG]);
	bench_destroy(&world.bench);
	return 0;
}

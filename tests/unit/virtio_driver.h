/*
 * The driver's side of virtio, for tests: a small machine with one PCI bus, and what a guest's driver does to find a
 * device, set it up, lay out rings and read what came back. Everything goes through the bus and guest memory, as a
 * guest's accesses do, so that a test can also do what no driver should.
 */
#ifndef TESTS_UNIT_VIRTIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_DRIVER_H

#include "dev/pci.h"
#include "dev/virtio.h"
#include "machine/memory.h"

#define BENCH_MEMORY_BYTES 0x100000u
#define BENCH_PAGES (BENCH_MEMORY_BYTES / 4096)
#define BENCH_MESSAGES 64

struct bench_message {
	u64 address;
	u32 data;
};

struct bench {
	struct bus bus;
	struct memory memory;
	struct pci_host pci;
	bool wire[LAYOUT_PCI_GSIS];
	struct bench_message messages[BENCH_MESSAGES];
	unsigned message_count;
	unsigned resets;
	u8 *ram;
	_Atomic u32 generation[BENCH_PAGES];
	_Atomic u8 has_code[BENCH_PAGES], dirty[BENCH_PAGES];
};

void bench_init(struct bench *bench);
void bench_destroy(struct bench *bench);
u64 bench_read(struct bench *bench, enum bus_space space, u64 address, unsigned size);
void bench_write(struct bench *bench, enum bus_space space, u64 address, unsigned size, u64 value);
/* Configuration space of a device through ECAM. */
u32 bench_config_read(struct bench *bench, unsigned slot, unsigned offset, unsigned size);
void bench_config_write(struct bench *bench, unsigned slot, unsigned offset, unsigned size, u32 value);

/* Offsets of "struct virtio_pci_common_cfg". */
enum driver_register {
	DRIVER_DEVICE_FEATURE_SELECT = 0,
	DRIVER_DEVICE_FEATURE = 4,
	DRIVER_DRIVER_FEATURE_SELECT = 8,
	DRIVER_DRIVER_FEATURE = 12,
	DRIVER_CONFIG_VECTOR = 16,
	DRIVER_NUM_QUEUES = 18,
	DRIVER_STATUS = 20,
	DRIVER_GENERATION = 21,
	DRIVER_QUEUE_SELECT = 22,
	DRIVER_QUEUE_SIZE = 24,
	DRIVER_QUEUE_VECTOR = 26,
	DRIVER_QUEUE_ENABLE = 28,
	DRIVER_QUEUE_NOTIFY_OFF = 30,
	DRIVER_QUEUE_DESC = 32,
	DRIVER_QUEUE_DRIVER = 40,
	DRIVER_QUEUE_DEVICE = 48,
	DRIVER_QUEUE_RESET = 58,
};

#define DRIVER_QUEUE_SIZE_USED 16u
#define DRIVER_QUEUES 4u
#define DRIVER_STATUS_READY                                                                                            \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK)

struct driver {
	struct bench *bench;
	unsigned slot;
	u64 registers;  /* where BAR 0 is */
	u64 msix_table; /* and BAR 1 */
	u64 features;   /* as accepted */
	u16 avail_index[DRIVER_QUEUES], used_seen[DRIVER_QUEUES];
};

/* One descriptor of the queue's table. */
struct driver_descriptor {
	u64 address;
	u32 bytes;
	u16 flags, next;
};
#define DRIVER_NEXT 1u
#define DRIVER_WRITE 2u
#define DRIVER_INDIRECT 4u

struct driver_used {
	u32 id, bytes;
};

/* Puts the device on the bus, assigns resources, enables bus mastering. */
void driver_attach(struct driver *driver, struct bench *bench, struct virtio *virtio);
u64 driver_get(struct driver *driver, u64 offset, unsigned size);
void driver_set(struct driver *driver, u64 offset, unsigned size, u64 value);
u8 driver_status(struct driver *driver);
u64 driver_config(struct driver *driver, u64 offset, unsigned size);
u64 driver_offered(struct driver *driver);

/* Reset, acknowledge, negotiate; returns the status after FEATURES_OK was asked for. */
u8 driver_negotiate(struct driver *driver, u64 features);
/* The places of the test's rings: queue's table, available ring, used ring. Each queue has 4 KiB apart. */
gpa_t driver_table(unsigned queue);
gpa_t driver_available(unsigned queue);
gpa_t driver_used_ring(unsigned queue);
void driver_enable_queue(struct driver *driver, unsigned queue, unsigned size);
/* All of it: negotiation, `queues` queues of DRIVER_QUEUE_SIZE_USED with vectors, DRIVER_OK. */
void driver_start(struct driver *driver, u64 features, unsigned queues);
void driver_enable_msix(struct driver *driver, unsigned vectors);

void driver_describe(struct driver *driver, unsigned queue, unsigned index, struct driver_descriptor descriptor);
/* Puts a chain's head into the available ring. */
void driver_offer(struct driver *driver, unsigned queue, u16 head);
void driver_kick(struct driver *driver, unsigned queue);
/* The next used element; false: none. */
bool driver_collect(struct driver *driver, unsigned queue, struct driver_used *used);
u16 driver_load16(struct driver *driver, gpa_t gpa);
void driver_store16(struct driver *driver, gpa_t gpa, u16 value);

#endif

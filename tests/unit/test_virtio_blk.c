/* The virtio disk, driven as a driver does: requests legal and otherwise, errors, resets in mid-flight. */
#include <string.h>

#include "base/bits.h"
#include "dev/virtio_blk.h"
#include "disk_double.h"
#include "test.h"
#include "virtio_driver.h"

#define V1 BIT(VIRTIO_F_VERSION_1)
#define HEADER 0x40000u
#define DATA 0x41000u
#define STATUS 0x48000u
#define SECTORS (DISK_DOUBLE_BYTES / 512)
#define UNSET 0xee

enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };
enum { OK = 0, IOERR = 1, UNSUPP = 2 };

static struct bench bench;
static struct driver driver;
static struct virtio_blk blk;
static struct host_disk disk;

static void setup_with(bool read_only, u64 features, unsigned queues)
{
	bench_init(&bench);
	disk_double_init(&disk);
	disk.read_only = read_only;
	for (unsigned i = 0; i < sizeof(disk.bytes); i++)
		disk.bytes[i] = (u8)(i * 7 + i / 512);
	virtio_blk_init(&blk, &bench.bus, &bench.memory, &disk, queues, "serial-0123456789-and-more");
	driver_attach(&driver, &bench, &blk.virtio);
	driver_start(&driver, features, queues);
	driver_enable_msix(&driver, queues + 1);
}

static void setup(void)
{
	setup_with(false, V1, 1);
}

static void describe(unsigned index, u64 address, u32 bytes, u16 flags)
{
	driver_describe(&driver, 0, index, (struct driver_descriptor){ address, bytes, flags, (u16)(index + 1) });
}

static void set_header(unsigned number, u32 type, u64 sector)
{
	struct { u32 type, reserved; u64 sector; } header = { type, 0, sector };

	memcpy(bench.ram + HEADER + 16 * number, &header, sizeof(header));
	bench.ram[STATUS + number] = UNSET;
}

/* Offers header, data and status as descriptors 3 * number and the next two. Each request has 4 KiB of data space. */
static void submit(unsigned number, u32 type, u64 sector, u32 bytes)
{
	bool device_writes = type == IN || type == GET_ID;

	set_header(number, type, sector);
	describe(3 * number, HEADER + 16 * number, 16, DRIVER_NEXT);
	describe(3 * number + 1, DATA + 0x1000 * number, bytes, DRIVER_NEXT | (device_writes ? DRIVER_WRITE : 0));
	describe(3 * number + 2, STATUS + number, 1, DRIVER_WRITE);
	driver_offer(&driver, 0, (u16)(3 * number));
	driver_kick(&driver, 0);
}

/* One request from start to end; gives its status. */
static u8 request(u32 type, u64 sector, u32 bytes, struct driver_used *used)
{
	submit(0, type, sector, bytes);
	disk_double_complete_all(&disk);
	if (!CHECK(driver_collect(&driver, 0, used)))
		return UNSET;
	return bench.ram[STATUS];
}

TEST("the configuration tells size, limits and queues")
{
	setup_with(false, V1, 4);
	CHECK_EQ(bench_config_read(&bench, driver.slot, PCI_DEVICE_ID, 2), 0x1042);
	CHECK_EQ(driver_config(&driver, 0, 8), SECTORS);
	CHECK_EQ(driver_config(&driver, 12, 4), VIRTQUEUE_SIZE_MAX - 2);
	CHECK_EQ(driver_config(&driver, 20, 4), 512);
	CHECK_EQ(driver_config(&driver, 34, 2), 4);
	CHECK_EQ(driver_get(&driver, DRIVER_NUM_QUEUES, 2), 4);
	CHECK_EQ(driver_config(&driver, VIRTIO_CONFIG_BYTES, 4), 0);
	bench_destroy(&bench);
}

TEST("a read brings sectors into memory, and its used length counts data and status")
{
	struct driver_used used;

	setup();
	CHECK_EQ(request(IN, 3, 1024, &used), OK);
	CHECK_EQ(used.bytes, 1025);
	CHECK(!memcmp(bench.ram + DATA, disk.bytes + 3 * 512, 1024));
	CHECK_EQ(bench.message_count, 1);
	CHECK(bench.dirty[DATA / 4096]);
	bench_destroy(&bench);
}

TEST("a write changes the disk, and its used length is the status")
{
	struct driver_used used;

	setup();
	memset(bench.ram + DATA, 0xa5, 512);
	CHECK_EQ(request(OUT, SECTORS - 1, 512, &used), OK);
	CHECK_EQ(used.bytes, 1);
	CHECK(!memcmp(bench.ram + DATA, disk.bytes + sizeof(disk.bytes) - 512, 512));
	bench_destroy(&bench);
}

TEST("a read notes the code it overwrote")
{
	struct driver_used used;

	setup();
	bench.has_code[DATA / 4096] = 1;
	CHECK_EQ(request(IN, 0, 512, &used), OK);
	CHECK_EQ(bench.generation[DATA / 4096], 1);
	bench_destroy(&bench);
}

TEST("how a request is cut into descriptors does not matter")
{
	struct driver_used used;

	setup();
	set_header(0, IN, 1);
	describe(0, HEADER, 5, DRIVER_NEXT);
	describe(1, HEADER + 5, 11, DRIVER_NEXT);
	describe(2, DATA, 100, DRIVER_NEXT | DRIVER_WRITE);
	describe(3, DATA + 200, 413, DRIVER_WRITE);
	driver_offer(&driver, 0, 0);
	driver_kick(&driver, 0);
	disk_double_complete_all(&disk);
	CHECK(driver_collect(&driver, 0, &used));
	CHECK_EQ(used.bytes, 513);
	CHECK(!memcmp(bench.ram + DATA, disk.bytes + 512, 100));
	CHECK(!memcmp(bench.ram + DATA + 200, disk.bytes + 612, 412));
	CHECK_EQ(bench.ram[DATA + 612], OK);
	set_header(0, OUT, 5);
	memcpy(bench.ram + HEADER + 16, bench.ram + DATA + 200, 512);
	describe(0, HEADER, 400, DRIVER_NEXT);
	describe(1, HEADER + 400, 128, DRIVER_NEXT);
	describe(2, STATUS, 1, DRIVER_WRITE);
	driver_offer(&driver, 0, 0);
	driver_kick(&driver, 0);
	disk_double_complete_all(&disk);
	CHECK_EQ(bench.ram[STATUS], OK);
	CHECK(!memcmp(disk.bytes + 5 * 512, bench.ram + DATA + 200, 512));
	bench_destroy(&bench);
}

TEST("a request beyond the disk, or not of whole sectors, gets an I/O error and reaches no disk")
{
	static const struct { u64 sector; u32 bytes; } bad[] = {
		{ SECTORS, 512 }, { SECTORS - 1, 1024 }, { 0xffffffffffffffff, 512 }, { 0x0100000000000000, 512 },
		{ 0, 511 },	  { 0, 513 },
	};
	struct driver_used used;

	setup();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK_EQ(request(IN, bad[i].sector, bad[i].bytes, &used), IOERR);
		CHECK_EQ(used.bytes, 0);
		CHECK_EQ(request(OUT, bad[i].sector, bad[i].bytes, &used), IOERR);
		CHECK_EQ(used.bytes, 1);
	}
	CHECK_EQ(disk.submitted, 0);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("a request that fails on the host gets an I/O error")
{
	struct driver_used used;

	setup();
	disk.fail = true;
	CHECK_EQ(request(IN, 0, 512, &used), IOERR);
	CHECK_EQ(used.bytes, 0);
	CHECK_EQ(request(OUT, 0, 512, &used), IOERR);
	CHECK_EQ(disk.submitted, 2);
	disk.fail = false;
	CHECK_EQ(request(IN, 0, 512, &used), OK);
	bench_destroy(&bench);
}

TEST("a flush reaches the disk before it is answered")
{
	struct driver_used used;

	setup();
	set_header(0, FLUSH, 0);
	describe(0, HEADER, 16, DRIVER_NEXT);
	describe(1, STATUS, 1, DRIVER_WRITE);
	driver_offer(&driver, 0, 0);
	driver_kick(&driver, 0);
	CHECK(!driver_collect(&driver, 0, &used));
	disk_double_complete_all(&disk);
	CHECK(driver_collect(&driver, 0, &used));
	CHECK_EQ(used.bytes, 1);
	CHECK_EQ(disk.flushes, 1);
	CHECK_EQ(bench.ram[STATUS], OK);
	bench_destroy(&bench);
}

TEST("get id gives twenty bytes at most")
{
	struct driver_used used;

	setup();
	CHECK_EQ(request(GET_ID, 0, 20, &used), OK);
	CHECK_EQ(used.bytes, 21);
	CHECK(!memcmp(bench.ram + DATA, "serial-0123456789-and-more", 20));
	memset(bench.ram + DATA, UNSET, 32);
	CHECK_EQ(request(GET_ID, 0, 6, &used), OK);
	CHECK(!memcmp(bench.ram + DATA, "serial\xee", 7));
	CHECK_EQ(request(GET_ID, 0, 32, &used), OK);
	CHECK_EQ(used.bytes, 20);
	CHECK_EQ(bench.ram[DATA + 20], UNSET);
	bench_destroy(&bench);
}

static u8 range_request(u32 type, u64 sector, u32 sectors, u32 flags, u32 bytes)
{
	struct { u64 sector; u32 sectors, flags; } range = { sector, sectors, flags };
	struct driver_used used;

	memcpy(bench.ram + DATA, &range, sizeof(range));
	return request(type, 0, bytes, &used);
}

TEST("discard and write zeroes take one range within the disk")
{
	static const u8 zeroes[1024];

	setup();
	CHECK_EQ(range_request(WRITE_ZEROES, 2, 2, 1, 16), OK);
	CHECK(!memcmp(disk.bytes + 1024, zeroes, 1024));
	CHECK(disk.bytes[1023] && disk.bytes[2049]);
	CHECK_EQ(range_request(DISCARD, 0, SECTORS, 0, 16), OK);
	CHECK_EQ(disk.discards, 1);
	CHECK_EQ(disk.zeroed, 1);
	CHECK_EQ(range_request(DISCARD, 1, SECTORS, 0, 16), IOERR);
	CHECK_EQ(range_request(DISCARD, 0xffffffffffffffff, 2, 0, 16), IOERR);
	CHECK_EQ(range_request(WRITE_ZEROES, 0, 0xffffffff, 0, 16), IOERR);
	CHECK_EQ(range_request(DISCARD, 0, 1, 0, 8), IOERR);
	CHECK_EQ(range_request(DISCARD, 0, 1, 0, 32), IOERR);
	CHECK_EQ(range_request(DISCARD, 0, 1, 1, 16), UNSUPP);
	CHECK_EQ(range_request(WRITE_ZEROES, 0, 1, 2, 16), UNSUPP);
	CHECK_EQ(disk.submitted, 2);
	bench_destroy(&bench);
}

TEST("an unknown request is unsupported")
{
	struct driver_used used;

	setup();
	CHECK_EQ(request(2, 0, 512, &used), UNSUPP);
	CHECK_EQ(request(0x80000000, 0, 512, &used), UNSUPP);
	bench_destroy(&bench);
}

TEST("a read-only disk says so and refuses what would change it")
{
	struct driver_used used;

	setup_with(true, V1 | BIT(5), 1);
	CHECK(driver_offered(&driver) & BIT(5));
	CHECK(!(driver_offered(&driver) & (BIT(13) | BIT(14))));
	CHECK_EQ(request(OUT, 0, 512, &used), IOERR);
	CHECK_EQ(range_request(DISCARD, 0, 1, 0, 16), IOERR);
	CHECK_EQ(range_request(WRITE_ZEROES, 0, 1, 0, 16), IOERR);
	CHECK_EQ(disk.submitted, 0);
	CHECK_EQ(request(IN, 0, 512, &used), OK);
	bench_destroy(&bench);
}

TEST("requests may complete in any order")
{
	struct driver_used used;

	setup();
	submit(0, IN, 0, 512);
	submit(1, IN, 1, 512);
	submit(2, IN, 2, 512);
	CHECK(disk_double_complete_newest(&disk));
	CHECK(driver_collect(&driver, 0, &used));
	CHECK_EQ(used.id, 6);
	CHECK(!driver_collect(&driver, 0, &used));
	disk_double_complete_all(&disk);
	CHECK(driver_collect(&driver, 0, &used));
	CHECK_EQ(used.id, 0);
	CHECK(driver_collect(&driver, 0, &used));
	CHECK_EQ(used.id, 3);
	CHECK(!memcmp(bench.ram + DATA + 0x1000, disk.bytes + 512, 512));
	bench_destroy(&bench);
}

TEST("a header or status without room makes the device need a reset")
{
	setup();
	describe(0, HEADER, 15, DRIVER_NEXT);
	describe(1, STATUS, 1, DRIVER_WRITE);
	driver_offer(&driver, 0, 0);
	driver_kick(&driver, 0);
	CHECK(driver_status(&driver) & VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	driver_start(&driver, V1, 1);
	describe(0, HEADER, 16 + 512, 0);
	driver_offer(&driver, 0, 0);
	driver_kick(&driver, 0);
	CHECK(driver_status(&driver) & VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	CHECK_EQ(disk.submitted, 0);
	bench_destroy(&bench);
}

TEST("a reset lasts until the host is done with every request, and what comes late is not answered")
{
	struct driver_used used;

	setup();
	submit(0, IN, 0, 512);
	CHECK(pci_busy(&bench.pci));
	driver_set(&driver, DRIVER_STATUS, 1, 0);
	CHECK(driver_status(&driver) != 0);
	submit(1, IN, 1, 512);
	CHECK_EQ(disk.submitted, 1);
	CHECK(disk_double_complete(&disk));
	CHECK_EQ(driver_status(&driver), 0);
	CHECK(!pci_busy(&bench.pci));
	CHECK(!driver_collect(&driver, 0, &used));
	CHECK_EQ(bench.ram[STATUS], UNSET);
	driver_start(&driver, V1, 1);
	CHECK_EQ(request(IN, 2, 512, &used), OK);
	bench_destroy(&bench);
}

TEST("a queue reset waits likewise, and leaves the other queue alone")
{
	struct driver_used used;

	setup_with(false, V1 | BIT(VIRTIO_F_RING_RESET), 2);
	submit(0, IN, 0, 512);
	driver_set(&driver, DRIVER_QUEUE_SELECT, 2, 0);
	driver_set(&driver, DRIVER_QUEUE_RESET, 2, 1);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_RESET, 2), 1);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 0);
	CHECK(disk_double_complete(&disk));
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_RESET, 2), 0);
	CHECK(!driver_collect(&driver, 0, &used));
	driver_set(&driver, DRIVER_QUEUE_SELECT, 2, 1);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 1);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("more requests than the pool holds wait for their turn, from every queue")
{
	struct driver_used used;
	unsigned answered = 0;

	setup_with(false, V1, 8);
	set_header(0, IN, 0);
	/* A full ring on each of several queues, all of the same three descriptors. */
	for (unsigned queue = 0; queue < DRIVER_QUEUES; queue++) {
		driver_describe(&driver, queue, 0, (struct driver_descriptor){ HEADER, 16, DRIVER_NEXT, 1 });
		driver_describe(&driver, queue, 1,
				(struct driver_descriptor){ DATA, 512, DRIVER_NEXT | DRIVER_WRITE, 2 });
		driver_describe(&driver, queue, 2, (struct driver_descriptor){ STATUS, 1, DRIVER_WRITE, 0 });
		for (unsigned i = 0; i < DRIVER_QUEUE_SIZE_USED; i++)
			driver_offer(&driver, queue, 0);
		driver_kick(&driver, queue);
	}
	CHECK_EQ(disk.submitted, VIRTIO_BLK_REQUESTS);
	for (unsigned i = 0; i < DRIVER_QUEUE_SIZE_USED; i++) {
		driver_offer(&driver, 0, 0);
		driver_kick(&driver, 0);
		CHECK(disk_double_complete(&disk));
	}
	disk_double_complete_all(&disk);
	for (unsigned queue = 0; queue < DRIVER_QUEUES; queue++) {
		while (driver_collect(&driver, queue, &used))
			answered++;
	}
	CHECK_EQ(answered, DRIVER_QUEUE_SIZE_USED * (DRIVER_QUEUES + 1));
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

/*
 * Virtio's common part, driven through the entropy device: status and features, queues, and what becomes of rings and
 * descriptor chains that break the rules.
 */
#include <string.h>

#include "base/bits.h"
#include "dev/virtio_rng.h"
#include "test.h"
#include "virtio_driver.h"

#define V1 BIT(VIRTIO_F_VERSION_1)
#define WITH_INDIRECT (V1 | BIT(VIRTIO_F_INDIRECT_DESC))
#define WITH_EVENT_IDX (V1 | BIT(VIRTIO_F_EVENT_IDX))
#define BUFFER 0x40000u
#define INDIRECT_TABLE 0x50000u
#define QUEUE 0u
#define NEEDS_RESET VIRTIO_STATUS_DEVICE_NEEDS_RESET
#define WIRE 1u /* of device 1 */

static struct bench bench;
static struct driver driver;
static struct virtio_rng rng;

static u64 pattern(void *source)
{
	(void)source;
	return 0x1122334455667788;
}

static void setup(u64 features)
{
	bench_init(&bench);
	virtio_rng_init(&rng, &bench.memory, pattern, NULL);
	driver_attach(&driver, &bench, &rng.virtio);
	driver_start(&driver, features, 1);
}

static void describe(unsigned index, u64 address, u32 bytes, u16 flags, u16 next)
{
	driver_describe(&driver, QUEUE, index, (struct driver_descriptor){ address, bytes, flags, next });
}

static void describe_indirect(unsigned index, u64 address, u32 bytes, u16 flags, u16 next)
{
	struct driver_descriptor descriptor = { address, bytes, flags, next };

	memcpy(bench.ram + INDIRECT_TABLE + sizeof(descriptor) * index, &descriptor, sizeof(descriptor));
}

static void offer_and_kick(u16 head)
{
	driver_offer(&driver, QUEUE, head);
	driver_kick(&driver, QUEUE);
}

/* The chain at descriptor 0 must make the device need a reset, and change nothing else. */
static void check_refused(void)
{
	struct driver_used used;

	memset(bench.dirty, 0, sizeof(bench.dirty));
	offer_and_kick(0);
	CHECK(driver_status(&driver) & NEEDS_RESET);
	CHECK(!driver_collect(&driver, QUEUE, &used));
	for (unsigned i = 0; i < BENCH_PAGES; i++)
		CHECK(!bench.dirty[i] || i == driver_used_ring(QUEUE) / 4096);
	bench_destroy(&bench);
}

/* ---- initialisation ---- */

TEST("a virtio device has the ids, capabilities and registers of a modern one")
{
	unsigned seen = 0;

	setup(V1);
	CHECK_EQ(bench_config_read(&bench, driver.slot, 0, 4), 0x10441af4);
	CHECK_EQ(bench_config_read(&bench, driver.slot, PCI_REVISION_ID, 1), 1);
	for (unsigned at = bench_config_read(&bench, driver.slot, PCI_CAPABILITIES_POINTER, 1); at;
	     at = bench_config_read(&bench, driver.slot, at + 1, 1)) {
		if (bench_config_read(&bench, driver.slot, at, 1) == PCI_CAPABILITY_VENDOR)
			seen |= 1u << bench_config_read(&bench, driver.slot, at + 3, 1);
	}
	CHECK_EQ(seen, 0x3e);
	CHECK_EQ(driver_get(&driver, DRIVER_NUM_QUEUES, 2), 1);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("FEATURES_OK is refused without VERSION_1 and with a feature that was not offered")
{
	setup(V1);
	CHECK(!(driver_negotiate(&driver, 0) & VIRTIO_STATUS_FEATURES_OK));
	CHECK(!(driver_negotiate(&driver, V1 | BIT(5)) & VIRTIO_STATUS_FEATURES_OK));
	CHECK(!(driver_negotiate(&driver, V1 | BIT(63)) & VIRTIO_STATUS_FEATURES_OK));
	driver_set(&driver, DRIVER_STATUS, 1, DRIVER_STATUS_READY);
	CHECK(!(driver_status(&driver) & VIRTIO_STATUS_DRIVER_OK));
	CHECK(driver_negotiate(&driver, driver_offered(&driver)) & VIRTIO_STATUS_FEATURES_OK);
	bench_destroy(&bench);
}

TEST("features are settled by FEATURES_OK, and status bits are cleared only by a reset")
{
	setup(V1);
	driver_set(&driver, DRIVER_DRIVER_FEATURE_SELECT, 4, 0);
	driver_set(&driver, DRIVER_DRIVER_FEATURE, 4, 0xffffffff);
	CHECK_EQ(driver_get(&driver, DRIVER_DRIVER_FEATURE, 4), 0);
	driver_set(&driver, DRIVER_DRIVER_FEATURE_SELECT, 4, 7);
	CHECK_EQ(driver_get(&driver, DRIVER_DRIVER_FEATURE, 4), 0);
	driver_set(&driver, DRIVER_STATUS, 1, VIRTIO_STATUS_ACKNOWLEDGE);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	driver_set(&driver, DRIVER_STATUS, 1, 0);
	CHECK_EQ(driver_status(&driver), 0);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 0);
	bench_destroy(&bench);
}

TEST("a queue takes sizes that are powers of two up to its maximum, until it is enabled")
{
	setup(V1);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SIZE, 2), DRIVER_QUEUE_SIZE_USED);
	driver_set(&driver, DRIVER_QUEUE_SIZE, 2, 8);
	driver_set(&driver, DRIVER_QUEUE_DESC, 8, 0);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SIZE, 2), DRIVER_QUEUE_SIZE_USED);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_DESC, 8), driver_table(QUEUE));
	driver_set(&driver, DRIVER_STATUS, 1, 0);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SIZE, 2), VIRTQUEUE_SIZE_MAX);
	driver_set(&driver, DRIVER_QUEUE_SIZE, 2, 0);
	driver_set(&driver, DRIVER_QUEUE_SIZE, 2, 24);
	driver_set(&driver, DRIVER_QUEUE_SIZE, 2, 2 * VIRTQUEUE_SIZE_MAX);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SIZE, 2), VIRTQUEUE_SIZE_MAX);
	bench_destroy(&bench);
}

TEST("a queue that is not there has size 0 and swallows everything")
{
	setup(V1);
	driver_enable_queue(&driver, 1, 16);
	driver_enable_queue(&driver, 0xffff, 16);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SIZE, 2), 0);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 0);
	driver_kick(&driver, 1);
	driver_set(&driver, VIRTIO_PAGES * VIRTIO_PAGE_BYTES - 2, 2, 0);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("rings outside memory or misaligned make the device need a reset, which a reset cures")
{
	static const struct { unsigned reg; u64 address; } bad[] = {
		{ DRIVER_QUEUE_DESC, BENCH_MEMORY_BYTES - 16 },
		{ DRIVER_QUEUE_DESC, 0xfffffffffffffff0 },
		{ DRIVER_QUEUE_DESC, 8 },
		{ DRIVER_QUEUE_DRIVER, BENCH_MEMORY_BYTES },
		{ DRIVER_QUEUE_DRIVER, 1 },
		{ DRIVER_QUEUE_DEVICE, BENCH_MEMORY_BYTES - 4 },
		{ DRIVER_QUEUE_DEVICE, 2 },
	};

	setup(V1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		driver_negotiate(&driver, V1);
		driver_set(&driver, DRIVER_QUEUE_SELECT, 2, 0);
		driver_set(&driver, DRIVER_QUEUE_DESC, 8, driver_table(QUEUE));
		driver_set(&driver, DRIVER_QUEUE_DRIVER, 8, driver_available(QUEUE));
		driver_set(&driver, DRIVER_QUEUE_DEVICE, 8, driver_used_ring(QUEUE));
		driver_set(&driver, bad[i].reg, 8, bad[i].address);
		driver_set(&driver, DRIVER_QUEUE_ENABLE, 2, 1);
		CHECK(driver_status(&driver) & NEEDS_RESET);
		CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 0);
	}
	driver_start(&driver, V1, 1);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

/* ---- legal chains ---- */

TEST("a chain's segments are filled one after the other and the used length counts them")
{
	struct driver_used used;

	setup(V1);
	describe(3, BUFFER, 3, DRIVER_WRITE | DRIVER_NEXT, 5);
	describe(5, BUFFER + 100, 7, DRIVER_WRITE, 0);
	offer_and_kick(3);
	CHECK(driver_collect(&driver, QUEUE, &used));
	CHECK_EQ(used.id, 3);
	CHECK_EQ(used.bytes, 10);
	CHECK(!memcmp(bench.ram + BUFFER, "\x88\x77\x66\x00", 4));
	CHECK(!memcmp(bench.ram + BUFFER + 100, "\x55\x44\x33\x22\x11\x88\x77\x00", 8));
	CHECK(bench.dirty[BUFFER / 4096]);
	CHECK(!driver_collect(&driver, QUEUE, &used));
	bench_destroy(&bench);
}

TEST("the rings wrap, through 65536 chains and more")
{
	struct driver_used used;

	setup(WITH_EVENT_IDX);
	describe(1, BUFFER, 8, DRIVER_WRITE, 0);
	for (unsigned i = 0; i < 70000; i++) {
		offer_and_kick(1);
		if (!driver_collect(&driver, QUEUE, &used) || used.id != 1 || used.bytes != 8)
			break;
	}
	CHECK_EQ(driver.used_seen[QUEUE], (u16)70000);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("an indirect table stands for its chain, also at the end of direct descriptors")
{
	struct driver_used used;

	setup(WITH_INDIRECT);
	describe(0, BUFFER, 4, DRIVER_WRITE | DRIVER_NEXT, 1);
	describe(1, INDIRECT_TABLE, 3 * 16, DRIVER_INDIRECT, 0);
	describe_indirect(0, BUFFER + 0x10, 4, DRIVER_WRITE | DRIVER_NEXT, 2);
	describe_indirect(2, BUFFER + 0x20, 4, DRIVER_WRITE, 0);
	offer_and_kick(0);
	CHECK(driver_collect(&driver, QUEUE, &used));
	CHECK_EQ(used.id, 0);
	CHECK_EQ(used.bytes, 12);
	CHECK_EQ(bench.ram[BUFFER + 0x23], 0x55);
	bench_destroy(&bench);
}

/* ---- hostile chains ---- */

TEST("a head beyond the table is refused")
{
	setup(V1);
	driver_offer(&driver, QUEUE, DRIVER_QUEUE_SIZE_USED);
	driver_kick(&driver, QUEUE);
	CHECK(driver_status(&driver) & NEEDS_RESET);
	bench_destroy(&bench);
}

TEST("an available index more than a queue ahead is refused")
{
	setup(V1);
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	driver_store16(&driver, driver_available(QUEUE) + 2, DRIVER_QUEUE_SIZE_USED + 1);
	driver_kick(&driver, QUEUE);
	CHECK(driver_status(&driver) & NEEDS_RESET);
	bench_destroy(&bench);
}

TEST("a loop of descriptors is refused")
{
	setup(V1);
	describe(0, BUFFER, 8, DRIVER_WRITE | DRIVER_NEXT, 1);
	describe(1, BUFFER, 8, DRIVER_WRITE | DRIVER_NEXT, 0);
	check_refused();
}

TEST("a next descriptor beyond the table is refused")
{
	setup(V1);
	describe(0, BUFFER, 8, DRIVER_WRITE | DRIVER_NEXT, DRIVER_QUEUE_SIZE_USED);
	check_refused();
}

TEST("a readable descriptor behind a writable one is refused")
{
	setup(V1);
	describe(0, BUFFER, 8, DRIVER_WRITE | DRIVER_NEXT, 1);
	describe(1, BUFFER, 8, 0, 0);
	check_refused();
}

TEST("a buffer of no bytes is refused")
{
	setup(V1);
	describe(0, BUFFER, 0, DRIVER_WRITE, 0);
	check_refused();
}

TEST("a buffer that leaves memory is refused")
{
	static const struct { u64 address; u32 bytes; } bad[] = {
		{ BENCH_MEMORY_BYTES - 4, 8 },	     { BENCH_MEMORY_BYTES, 1 },	     { 0xfffffffffffffff8, 16 },
		{ 0xffffffffffffffff, 0xffffffff }, { 0x1000, 0xffffffff },	     { LAYOUT_ECAM_BASE, 4 },
		{ 0x100000000, 8 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(V1);
		describe(0, bad[i].address, bad[i].bytes, DRIVER_WRITE, 0);
		check_refused();
	}
}

TEST("an indirect table needs its feature")
{
	setup(V1);
	describe(0, INDIRECT_TABLE, 16, DRIVER_INDIRECT, 0);
	describe_indirect(0, BUFFER, 8, DRIVER_WRITE, 0);
	check_refused();
}

TEST("an indirect table inside an indirect table is refused")
{
	setup(WITH_INDIRECT);
	describe(0, INDIRECT_TABLE, 32, DRIVER_INDIRECT, 0);
	describe_indirect(0, INDIRECT_TABLE, 32, DRIVER_INDIRECT, 0);
	check_refused();
}

TEST("an indirect descriptor with a next one is refused")
{
	setup(WITH_INDIRECT);
	describe(0, INDIRECT_TABLE, 16, DRIVER_INDIRECT | DRIVER_NEXT, 1);
	describe(1, BUFFER, 8, DRIVER_WRITE, 0);
	describe_indirect(0, BUFFER, 8, DRIVER_WRITE, 0);
	check_refused();
}

TEST("an indirect table of no or broken descriptors, or outside memory, is refused")
{
	static const struct { u64 address; u32 bytes; } bad[] = {
		{ INDIRECT_TABLE, 0 }, { INDIRECT_TABLE, 15 }, { INDIRECT_TABLE, 17 }, { BENCH_MEMORY_BYTES, 16 },
		{ 0xfffffffffffffff0, 32 },
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		setup(WITH_INDIRECT);
		describe(0, bad[i].address, bad[i].bytes, DRIVER_INDIRECT, 0);
		describe_indirect(0, BUFFER, 8, DRIVER_WRITE, 0);
		check_refused();
	}
}

TEST("a loop inside an indirect table, and one longer than any chain, are refused")
{
	setup(WITH_INDIRECT);
	describe(0, INDIRECT_TABLE, 32, DRIVER_INDIRECT, 0);
	describe_indirect(0, BUFFER, 8, DRIVER_WRITE | DRIVER_NEXT, 1);
	describe_indirect(1, BUFFER, 8, DRIVER_WRITE | DRIVER_NEXT, 0);
	check_refused();
	setup(WITH_INDIRECT);
	describe(0, INDIRECT_TABLE, 16 * (VIRTQUEUE_SIZE_MAX + 1), DRIVER_INDIRECT, 0);
	for (unsigned i = 0; i <= VIRTQUEUE_SIZE_MAX; i++)
		describe_indirect(i, BUFFER, 1, DRIVER_WRITE | (i < VIRTQUEUE_SIZE_MAX ? DRIVER_NEXT : 0),
				  (u16)(i + 1));
	check_refused();
}

TEST("a device that needs a reset says so by an interrupt, works no more, and works again after a reset")
{
	struct driver_used used;

	setup(V1);
	describe(0, BUFFER, 0, DRIVER_WRITE, 0);
	describe(1, BUFFER, 8, DRIVER_WRITE, 0);
	offer_and_kick(0);
	CHECK(bench.wire[WIRE]);
	CHECK_EQ(driver_get(&driver, VIRTIO_PAGE_ISR * VIRTIO_PAGE_BYTES, 1), 2);
	CHECK(!bench.wire[WIRE]);
	offer_and_kick(1);
	CHECK(!driver_collect(&driver, QUEUE, &used));
	driver_start(&driver, V1, 1);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	describe(1, BUFFER, 8, DRIVER_WRITE, 0);
	offer_and_kick(1);
	CHECK(driver_collect(&driver, QUEUE, &used));
	bench_destroy(&bench);
}

/* ---- notifications ---- */

TEST("without MSI-X a used buffer sets the ISR and the wire, and reading the ISR clears both")
{
	setup(V1);
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	offer_and_kick(0);
	CHECK(bench.wire[WIRE]);
	CHECK_EQ(driver_get(&driver, VIRTIO_PAGE_ISR * VIRTIO_PAGE_BYTES, 1), 1);
	CHECK_EQ(driver_get(&driver, VIRTIO_PAGE_ISR * VIRTIO_PAGE_BYTES, 1), 0);
	CHECK(!bench.wire[WIRE]);
	CHECK_EQ(bench.message_count, 0);
	bench_destroy(&bench);
}

TEST("with MSI-X a used buffer sends the queue's vector; NO_VECTOR and vectors that are not there send none")
{
	setup(V1);
	driver_enable_msix(&driver, 2);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_VECTOR, 2), 1);
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	offer_and_kick(0);
	CHECK_EQ(bench.message_count, 1);
	CHECK_EQ(bench.messages[0].data, 0x41);
	CHECK(!bench.wire[WIRE]);
	driver_set(&driver, DRIVER_QUEUE_VECTOR, 2, 2);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_VECTOR, 2), VIRTIO_MSI_NO_VECTOR);
	offer_and_kick(0);
	CHECK_EQ(bench.message_count, 1);
	bench_destroy(&bench);
}

TEST("NO_INTERRUPT in the available ring keeps the device quiet")
{
	setup(V1);
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	driver_store16(&driver, driver_available(QUEUE), 1);
	offer_and_kick(0);
	CHECK(!bench.wire[WIRE]);
	driver_store16(&driver, driver_available(QUEUE), 0);
	offer_and_kick(0);
	CHECK(bench.wire[WIRE]);
	bench_destroy(&bench);
}

TEST("with EVENT_IDX the device interrupts at the entry the driver names, and names the one it wants to hear of")
{
	gpa_t used_event, avail_event;

	setup(WITH_EVENT_IDX);
	driver_enable_msix(&driver, 2);
	used_event = driver_available(QUEUE) + 4 + 2 * DRIVER_QUEUE_SIZE_USED;
	avail_event = driver_used_ring(QUEUE) + 4 + 8 * DRIVER_QUEUE_SIZE_USED;
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	driver_store16(&driver, used_event, 2);
	offer_and_kick(0);
	CHECK_EQ(driver_load16(&driver, avail_event), 1);
	offer_and_kick(0);
	CHECK_EQ(bench.message_count, 0);
	offer_and_kick(0);
	CHECK_EQ(bench.message_count, 1);
	offer_and_kick(0);
	CHECK_EQ(bench.message_count, 1);
	CHECK_EQ(driver_load16(&driver, avail_event), 4);
	bench_destroy(&bench);
}

/* ---- the rest of the transport ---- */

TEST("nothing is taken before DRIVER_OK, and what waits is taken then")
{
	struct driver_used used;

	setup(V1);
	driver_negotiate(&driver, V1);
	driver_enable_queue(&driver, QUEUE, DRIVER_QUEUE_SIZE_USED);
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	offer_and_kick(0);
	CHECK(!driver_collect(&driver, QUEUE, &used));
	driver_set(&driver, DRIVER_STATUS, 1, DRIVER_STATUS_READY);
	CHECK(driver_collect(&driver, QUEUE, &used));
	bench_destroy(&bench);
}

TEST("without bus mastering the device touches no memory, and goes on when it comes back")
{
	struct driver_used used;

	setup(V1);
	bench_config_write(&bench, driver.slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE);
	describe(0, BUFFER, 8, DRIVER_WRITE, 0);
	offer_and_kick(0);
	CHECK(!driver_collect(&driver, QUEUE, &used));
	bench_config_write(&bench, driver.slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE | PCI_COMMAND_BUS_MASTER);
	CHECK(driver_collect(&driver, QUEUE, &used));
	bench_destroy(&bench);
}

TEST("one queue can be reset by itself, if that was negotiated")
{
	setup(V1);
	driver_set(&driver, DRIVER_QUEUE_RESET, 2, 1);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 1);
	driver_start(&driver, V1 | BIT(VIRTIO_F_RING_RESET), 1);
	driver_set(&driver, DRIVER_QUEUE_RESET, 2, 1);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_RESET, 2), 0);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_ENABLE, 2), 0);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SIZE, 2), VIRTQUEUE_SIZE_MAX);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("the window in configuration space reaches the registers, and only them")
{
	unsigned at;

	setup(V1);
	at = rng.virtio.pci_window;
	bench_config_write(&bench, driver.slot, at + 4, 1, 0);
	bench_config_write(&bench, driver.slot, at + 8, 4, DRIVER_STATUS);
	bench_config_write(&bench, driver.slot, at + 12, 4, 1);
	CHECK_EQ(bench_config_read(&bench, driver.slot, at + 16, 1), DRIVER_STATUS_READY);
	bench_config_write(&bench, driver.slot, at + 16, 1, 0);
	CHECK_EQ(driver_status(&driver), 0);
	driver_start(&driver, V1, 1);
	bench_config_write(&bench, driver.slot, at + 4, 1, 5);
	bench_config_write(&bench, driver.slot, at + 16, 1, 0);
	bench_config_write(&bench, driver.slot, at + 4, 1, 0);
	bench_config_write(&bench, driver.slot, at + 12, 4, 3);
	bench_config_write(&bench, driver.slot, at + 16, 4, 0);
	bench_config_write(&bench, driver.slot, at + 12, 4, 1);
	bench_config_write(&bench, driver.slot, at + 8, 4, 0xffffffff);
	bench_config_write(&bench, driver.slot, at + 16, 4, 0);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	bench_destroy(&bench);
}

TEST("a register answers only to an access of its own width")
{
	setup(V1);
	driver_set(&driver, DRIVER_STATUS, 4, 0);
	driver_set(&driver, DRIVER_QUEUE_SELECT, 4, 5);
	driver_set(&driver, DRIVER_STATUS + 1, 1, 0);
	CHECK_EQ(driver_status(&driver), DRIVER_STATUS_READY);
	CHECK_EQ(driver_get(&driver, DRIVER_QUEUE_SELECT, 2), 0);
	CHECK_EQ(driver_get(&driver, 0x800, 8), 0);
	bench_destroy(&bench);
}

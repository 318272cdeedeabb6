/* The virtio network device, driven as a driver does: frames both ways, merged buffers, back-pressure. */
#include <string.h>

#include "base/bits.h"
#include "dev/virtio_net.h"
#include "disk_double.h"
#include "test.h"
#include "virtio_driver.h"

#define V1 BIT(VIRTIO_F_VERSION_1)
#define MERGEABLE (V1 | BIT(15))
#define HEADER_BYTES 12u
#define BUFFER 0x40000u
#define RECEIVE 0u
#define TRANSMIT 1u

static struct bench bench;
static struct driver driver;
static struct virtio_net device;
static struct host_net net;
static u8 frame[2000];

static void setup(u64 features)
{
	static const u8 mac[] = { 2, 3, 4, 5, 6, 7 };

	bench_init(&bench);
	memset(&net, 0, sizeof(net));
	for (unsigned i = 0; i < sizeof(frame); i++)
		frame[i] = (u8)(i * 5 + i / 256);
	virtio_net_init(&device, &bench.memory, &net, mac);
	driver_attach(&driver, &bench, &device.virtio);
	driver_start(&driver, features, 2);
	driver_enable_msix(&driver, 3);
}

static void offer(unsigned queue, unsigned index, u64 address, u32 bytes)
{
	driver_describe(&driver, queue, index,
			(struct driver_descriptor){ address, bytes, queue == RECEIVE ? DRIVER_WRITE : 0, 0 });
	driver_offer(&driver, queue, (u16)index);
	driver_kick(&driver, queue);
}

static bool arrive(size_t bytes)
{
	bool taken;

	bus_lock(&bench.bus);
	taken = net.receive(net.device, frame, bytes);
	bus_unlock(&bench.bus);
	return taken;
}

TEST("the configuration tells the address and that the link is up")
{
	setup(V1);
	CHECK_EQ(bench_config_read(&bench, driver.slot, PCI_DEVICE_ID, 2), 0x1041);
	CHECK_EQ(driver_config(&driver, 0, 4), 0x05040302);
	CHECK_EQ(driver_config(&driver, 4, 2), 0x0706);
	CHECK_EQ(driver_config(&driver, 6, 2), 1);
	bench_destroy(&bench);
}

TEST("a link that goes down changes generation and configuration, and interrupts")
{
	u64 generation;

	setup(V1);
	driver_set(&driver, DRIVER_CONFIG_VECTOR, 2, 0);
	generation = driver_get(&driver, DRIVER_GENERATION, 1);
	bus_lock(&bench.bus);
	virtio_net_set_link(&device, false);
	bus_unlock(&bench.bus);
	CHECK(driver_get(&driver, DRIVER_GENERATION, 1) != generation);
	CHECK_EQ(driver_config(&driver, 6, 2), 0);
	CHECK_EQ(bench.message_count, 1);
	CHECK_EQ(bench.messages[0].data, 0x40);
	bench_destroy(&bench);
}

TEST("a frame goes out without its header, however it is cut")
{
	struct driver_used used;

	setup(V1);
	memcpy(bench.ram + BUFFER + HEADER_BYTES, frame, 60);
	offer(TRANSMIT, 0, BUFFER, HEADER_BYTES + 60);
	CHECK_EQ(net.sent_count, 1);
	CHECK_EQ(net.sent_bytes, 60);
	CHECK(!memcmp(net.sent, frame, 60));
	CHECK(driver_collect(&driver, TRANSMIT, &used));
	CHECK_EQ(used.bytes, 0);
	memcpy(bench.ram + BUFFER + 0x100, frame, 1514);
	driver_describe(&driver, TRANSMIT, 1, (struct driver_descriptor){ BUFFER, HEADER_BYTES, DRIVER_NEXT, 2 });
	driver_describe(&driver, TRANSMIT, 2, (struct driver_descriptor){ BUFFER + 0x100, 14, DRIVER_NEXT, 3 });
	driver_describe(&driver, TRANSMIT, 3, (struct driver_descriptor){ BUFFER + 0x10e, 1500, 0, 0 });
	driver_offer(&driver, TRANSMIT, 1);
	driver_kick(&driver, TRANSMIT);
	CHECK_EQ(net.sent_bytes, 1514);
	CHECK(!memcmp(net.sent, frame, 1514));
	bench_destroy(&bench);
}

TEST("what is no frame is not sent, but given back")
{
	struct driver_used used;

	setup(V1);
	offer(TRANSMIT, 0, BUFFER, HEADER_BYTES);
	offer(TRANSMIT, 1, BUFFER, 3);
	offer(TRANSMIT, 2, BUFFER, HEADER_BYTES + HOST_NET_FRAME_BYTES + 1);
	CHECK_EQ(net.sent_count, 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK(driver_collect(&driver, TRANSMIT, &used));
	offer(TRANSMIT, 3, BUFFER, HEADER_BYTES + HOST_NET_FRAME_BYTES);
	CHECK_EQ(net.sent_bytes, HOST_NET_FRAME_BYTES);
	bench_destroy(&bench);
}

TEST("a frame comes in behind a header that says one buffer")
{
	struct driver_used used;

	setup(V1);
	offer(RECEIVE, 0, BUFFER, 1526);
	CHECK(arrive(60));
	CHECK(driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(used.bytes, HEADER_BYTES + 60);
	CHECK(!memcmp(bench.ram + BUFFER, "\0\0\0\0\0\0\0\0\0\0\1\0", HEADER_BYTES));
	CHECK(!memcmp(bench.ram + BUFFER + HEADER_BYTES, frame, 60));
	CHECK_EQ(bench.message_count, 1);
	bench_destroy(&bench);
}

TEST("with MRG_RXBUF a frame is spread over buffers and the first header counts them")
{
	struct driver_used used;
	static const u32 lengths[] = { 512, 512, 512, 12 };

	setup(MERGEABLE);
	for (unsigned i = 0; i < 5; i++)
		offer(RECEIVE, i, BUFFER + 0x1000 * i, 512);
	CHECK(arrive(1536));
	for (unsigned i = 0; i < 4; i++) {
		CHECK(driver_collect(&driver, RECEIVE, &used));
		CHECK_EQ(used.id, i);
		CHECK_EQ(used.bytes, lengths[i]);
	}
	CHECK(!driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(driver_load16(&driver, BUFFER + 10), 4);
	CHECK(!memcmp(bench.ram + BUFFER + HEADER_BYTES, frame, 500));
	CHECK(!memcmp(bench.ram + BUFFER + 0x1000, frame + 500, 512));
	CHECK(!memcmp(bench.ram + BUFFER + 0x3000, frame + 1524, 12));
	bench_destroy(&bench);
}

TEST("a frame without room is held back until there is, and no buffer is lost")
{
	struct driver_used used;

	setup(MERGEABLE);
	CHECK(!arrive(60));
	offer(RECEIVE, 0, BUFFER, 256);
	CHECK_EQ(net.resumed, 1);
	CHECK(!arrive(400));
	CHECK(!driver_collect(&driver, RECEIVE, &used));
	offer(RECEIVE, 1, BUFFER + 0x1000, 256);
	CHECK_EQ(net.resumed, 2);
	CHECK(arrive(400));
	CHECK(driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(used.id, 0);
	CHECK(driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(used.id, 1);
	CHECK_EQ(used.bytes, 400 + HEADER_BYTES - 256);
	offer(RECEIVE, 2, BUFFER, 256);
	CHECK_EQ(net.resumed, 2);
	bench_destroy(&bench);
}

TEST("without MRG_RXBUF a frame too large for its buffer is lost, not the buffer")
{
	struct driver_used used;

	setup(V1);
	offer(RECEIVE, 0, BUFFER, 100);
	CHECK(arrive(1000));
	CHECK(!driver_collect(&driver, RECEIVE, &used));
	CHECK(arrive(88));
	CHECK(driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(used.id, 0);
	CHECK_EQ(used.bytes, 100);
	bench_destroy(&bench);
}

TEST("with nobody listening a frame is lost")
{
	setup(V1);
	driver_set(&driver, DRIVER_STATUS, 1, 0);
	CHECK(arrive(60));
	bench_destroy(&bench);
}

TEST("a receive buffer without room for a header, or that is not writable, makes the device need a reset")
{
	setup(V1);
	offer(RECEIVE, 0, BUFFER, HEADER_BYTES - 1);
	arrive(60);
	CHECK(driver_status(&driver) & VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	CHECK(arrive(60));
	driver_start(&driver, V1, 2);
	driver_describe(&driver, RECEIVE, 0, (struct driver_descriptor){ BUFFER, 2000, 0, 0 });
	driver_offer(&driver, RECEIVE, 0);
	arrive(60);
	CHECK(driver_status(&driver) & VIRTIO_STATUS_DEVICE_NEEDS_RESET);
	bench_destroy(&bench);
}

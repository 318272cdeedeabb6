/* The virtio console, driven as a driver does: bytes both ways, room, the terminal's size. */
#include <string.h>

#include "base/bits.h"
#include "dev/virtio_console.h"
#include "host_double.h"
#include "test.h"
#include "virtio_driver.h"

#define V1 BIT(VIRTIO_F_VERSION_1)
#define BUFFER 0x40000u
#define RECEIVE 0u
#define TRANSMIT 1u

static struct bench bench;
static struct driver driver;
static struct virtio_console console;
static struct host_stream stream;

static void setup(void)
{
	bench_init(&bench);
	memset(&stream, 0, sizeof(stream));
	virtio_console_init(&console, &bench.memory, &stream);
	driver_attach(&driver, &bench, &console.virtio);
	driver_start(&driver, V1 | BIT(0), 2);
	driver_enable_msix(&driver, 3);
}

static void offer(unsigned queue, unsigned index, u64 address, u32 bytes)
{
	driver_describe(&driver, queue, index,
			(struct driver_descriptor){ address, bytes, queue == RECEIVE ? DRIVER_WRITE : 0, 0 });
	driver_offer(&driver, queue, (u16)index);
	driver_kick(&driver, queue);
}

static size_t type(const char *text)
{
	size_t taken;

	bus_lock(&bench.bus);
	taken = host_double_type(&stream, text, strlen(text));
	bus_unlock(&bench.bus);
	return taken;
}

TEST("what the driver writes goes to the stream, whatever its length")
{
	struct driver_used used;

	setup();
	for (unsigned i = 0; i < 1000; i++)
		bench.ram[BUFFER + i] = (u8)(i * 3);
	offer(TRANSMIT, 0, BUFFER, 1000);
	CHECK_EQ(stream.count, 1000);
	CHECK(!memcmp(stream.written, bench.ram + BUFFER, 1000));
	CHECK(driver_collect(&driver, TRANSMIT, &used));
	CHECK_EQ(used.bytes, 0);
	offer(TRANSMIT, 1, BUFFER, 1);
	CHECK_EQ(stream.count, 1001);
	bench_destroy(&bench);
}

TEST("the stream gives no more than the driver's buffers hold, and is asked again when there are more")
{
	struct driver_used used;

	setup();
	CHECK_EQ(type("early"), 0);
	offer(RECEIVE, 0, BUFFER, 4);
	CHECK_EQ(stream.resumed, 2); /* once at DRIVER_OK, once now */
	CHECK_EQ(type("hello"), 4);
	CHECK(driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(used.bytes, 4);
	CHECK(!memcmp(bench.ram + BUFFER, "hell", 4));
	CHECK_EQ(type("o"), 0);
	offer(RECEIVE, 1, BUFFER, 64);
	CHECK_EQ(type("o"), 1);
	CHECK(driver_collect(&driver, RECEIVE, &used));
	CHECK_EQ(used.id, 1);
	CHECK_EQ(used.bytes, 1);
	CHECK_EQ(bench.message_count, 2);
	bench_destroy(&bench);
}

TEST("the terminal's size shows in the configuration, and a change interrupts")
{
	setup();
	CHECK_EQ(driver_config(&driver, 0, 4), 0);
	driver_set(&driver, DRIVER_CONFIG_VECTOR, 2, 0);
	bus_lock(&bench.bus);
	virtio_console_set_size(&console, 132, 43);
	bus_unlock(&bench.bus);
	CHECK_EQ(driver_config(&driver, 0, 2), 132);
	CHECK_EQ(driver_config(&driver, 2, 2), 43);
	CHECK_EQ(bench.message_count, 1);
	bench_destroy(&bench);
}

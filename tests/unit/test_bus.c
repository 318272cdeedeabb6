/* The bus: placing regions, finding them, cutting accesses. */
#include <string.h>

#include "host_double.h"
#include "machine/bus.h"
#include "test.h"

/* A device that remembers its last accesses and reads as its own offsets, one per byte. */
struct recorder {
	unsigned reads, writes, size;
	u64 offset, value;
};

static u64 recorder_read(void *device, u64 offset, unsigned size)
{
	struct recorder *r = device;
	u64 value = 0;

	r->reads++;
	r->offset = offset;
	r->size = size;
	for (unsigned i = 0; i < size; i++)
		value |= (offset + i) << 8 * i;
	return value;
}

static void recorder_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct recorder *r = device;

	r->writes++;
	r->offset = offset;
	r->size = size;
	r->value = value;
}

static const struct bus_ops wide = { .name = "wide", .read = recorder_read, .write = recorder_write };
static const struct bus_ops narrow = { .name = "narrow", .widest = 1, .read = recorder_read, .write = recorder_write };
static const struct bus_ops words = { .name = "words", .widest = 2, .read = recorder_read, .write = recorder_write };

static struct bus bus;
static struct recorder a, b;
static struct bus_region region_a, region_b;

static void setup(const struct bus_ops *ops_a, u64 size_a)
{
	bus_init(&bus, NULL);
	memset(&a, 0, sizeof(a));
	memset(&b, 0, sizeof(b));
	region_a = (struct bus_region){ .ops = ops_a, .device = &a, .space = BUS_PORT, .base = 0x100, .size = size_a };
	region_b = (struct bus_region){ .ops = &wide, .device = &b, .space = BUS_PORT, .base = 0x110, .size = 8 };
	CHECK(bus_add(&bus, &region_a));
	CHECK(bus_add(&bus, &region_b));
}

TEST("an access reaches the device with its offset and size, and its neighbour does not see it")
{
	setup(&wide, 16);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x104, 4), 0x07060504);
	CHECK_EQ(a.offset, 4);
	CHECK_EQ(a.size, 4);
	CHECK_EQ(b.reads, 0);
	bus_write(&bus, BUS_PORT, 0x110, 2, 0xabcd);
	CHECK_EQ(b.value, 0xabcd);
	CHECK_EQ(b.offset, 0);
	CHECK_EQ(a.writes, 0);
}

TEST("nobody's address reads as all ones of the access's size, and writes to it vanish")
{
	setup(&wide, 16);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x80, 1), 0xff);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x80, 4), 0xffffffff);
	CHECK_EQ(bus_read(&bus, BUS_MEMORY, 0x100, 8), ~0ull);
	bus_write(&bus, BUS_PORT, 0x80, 4, 1);
	CHECK_EQ(a.writes + b.writes, 0);
}

TEST("ports and memory are two spaces")
{
	struct bus_region memory = { .ops = &wide, .device = &b, .space = BUS_MEMORY, .base = 0x100, .size = 16 };

	setup(&wide, 16);
	CHECK(bus_add(&bus, &memory));
	bus_write(&bus, BUS_MEMORY, 0x100, 1, 1);
	CHECK_EQ(a.writes, 0);
	CHECK_EQ(b.writes, 1);
}

TEST("a region that would overlap another, is empty or wraps around is refused; one that touches is not")
{
	struct bus_region overlap = { .ops = &wide, .device = &b, .space = BUS_PORT, .base = 0x10f, .size = 1 };
	struct bus_region around = { .ops = &wide, .device = &b, .space = BUS_PORT, .base = 0x80, .size = 0x200 };
	struct bus_region empty = { .ops = &wide, .device = &b, .space = BUS_PORT, .base = 0x80, .size = 0 };
	struct bus_region wraps = { .ops = &wide, .device = &b, .space = BUS_PORT, .base = ~0ull, .size = 2 };
	struct bus_region touches = { .ops = &wide, .device = &b, .space = BUS_PORT, .base = 0xff, .size = 1 };
	struct bus_region top = { .ops = &wide, .device = &b, .space = BUS_PORT, .base = ~0ull, .size = 1 };

	setup(&wide, 16);
	CHECK(!bus_add(&bus, &overlap));
	CHECK(!bus_add(&bus, &around));
	CHECK(!bus_add(&bus, &empty));
	CHECK(!bus_add(&bus, &wraps));
	CHECK(bus_add(&bus, &touches));
	CHECK(bus_add(&bus, &top));
	CHECK_EQ(bus_read(&bus, BUS_PORT, ~0ull, 1), 0);
}

TEST("a removed region is nobody's again, and can come back elsewhere")
{
	setup(&wide, 16);
	bus_remove(&bus, &region_a);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x100, 1), 0xff);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x110, 1), 0);
	region_a.base = 0x200;
	CHECK(bus_add(&bus, &region_a));
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x203, 1), 3);
}

TEST("an access wider than the device arrives in pieces of the device's width, low address first")
{
	setup(&narrow, 16);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x104, 4), 0x07060504);
	CHECK_EQ(a.reads, 4);
	CHECK_EQ(a.size, 1);
	bus_write(&bus, BUS_PORT, 0x100, 2, 0x1234);
	CHECK_EQ(a.writes, 2);
	CHECK_EQ(a.offset, 1);
	CHECK_EQ(a.value, 0x12);
	setup(&words, 16);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x104, 4), 0x07060504);
	CHECK_EQ(a.reads, 2);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x104, 1), 4);
	CHECK_EQ(a.size, 1);
}

TEST("an access across a region's end is cut, each byte to its own device, and the gap reads as ones")
{
	setup(&wide, 15);
	CHECK_EQ(bus_read(&bus, BUS_PORT, 0x10d, 4), 0x00ff0e0d);
	bus_write(&bus, BUS_PORT, 0x10e, 4, 0x44332211);
	CHECK_EQ(a.value, 0x11);
	CHECK_EQ(b.value, 0x44);
	CHECK_EQ(b.offset, 1);
}

TEST("a device never sees bits above the access's size, nor does a processor")
{
	setup(&wide, 16);
	bus_write(&bus, BUS_PORT, 0x100, 1, 0xffff);
	CHECK_EQ(a.value, 0xff);
}

TEST("bus_lock and bus_unlock take and give back the lock")
{
	setup(&wide, 16);
	bus_lock(&bus);
	CHECK_EQ(host_double_locks, 1);
	bus_unlock(&bus);
	CHECK_EQ(host_double_locks, 0);
}

/* Guest RAM: bounds, the hole, and what a device's write leaves noted. */
#include <string.h>

#include "machine/memory.h"
#include "test.h"

#define PAGES 8u
#define PAGE 4096u

static u8 ram[PAGES * PAGE];
static _Atomic u32 generation[PAGES];
static _Atomic u8 has_code[PAGES], dirty[PAGES];
static struct memory memory;
static gpa_t written[PAGES];
static unsigned writes;

static void note_code(void *context, gpa_t page)
{
	(void)context;
	written[writes++ % PAGES] = page;
}

static void setup(void)
{
	memset(ram, 0, sizeof(ram));
	memset((void *)generation, 0, sizeof(generation));
	memset((void *)has_code, 0, sizeof(has_code));
	memset((void *)dirty, 0, sizeof(dirty));
	writes = 0;
	memory_init(&memory, ram, sizeof(ram), generation, has_code);
	memory.code_written = note_code;
}

/* As if three pages were above the hole. */
static void setup_split(void)
{
	setup();
	memory.low_bytes = 5 * PAGE;
}

TEST("RAM below the hole is all low, and at most up to the hole")
{
	setup();
	CHECK_EQ(memory.low_bytes, sizeof(ram));
	memory_init(&memory, ram, MEMORY_LOW_LIMIT + PAGE, generation, has_code);
	CHECK_EQ(memory.low_bytes, MEMORY_LOW_LIMIT);
}

TEST("a range is RAM exactly if its last byte is too")
{
	setup();
	CHECK(memory_at(&memory, 0, sizeof(ram)) == ram);
	CHECK(memory_at(&memory, sizeof(ram) - 1, 1) == ram + sizeof(ram) - 1);
	CHECK(!memory_at(&memory, sizeof(ram) - 1, 2));
	CHECK(!memory_at(&memory, sizeof(ram), 1));
	CHECK(!memory_at(&memory, 1, ~0ull));
	CHECK(!memory_at(&memory, ~0ull, 2));
}

TEST("the high part begins at 4 GiB, follows the low part in the host, and no range crosses the hole")
{
	setup_split();
	CHECK(memory_at(&memory, MEMORY_HIGH_BASE, 3 * PAGE) == ram + 5 * PAGE);
	CHECK(!memory_at(&memory, MEMORY_HIGH_BASE, 3 * PAGE + 1));
	CHECK(!memory_at(&memory, MEMORY_HIGH_BASE - 1, 2));
	CHECK(!memory_at(&memory, 5 * PAGE - 1, 2));
	CHECK(!memory_at(&memory, 5 * PAGE, 1));
	CHECK_EQ(memory_page_index(&memory, memory_at(&memory, MEMORY_HIGH_BASE + PAGE + 5, 1)), 6);
}

TEST("a copy that fits is done, and one that does not fit moves no byte")
{
	u8 buffer[16];

	setup_split();
	memset(buffer, 7, sizeof(buffer));
	CHECK(memory_write(&memory, 5 * PAGE - 16, buffer, 16));
	CHECK_EQ(ram[5 * PAGE - 1], 7);
	memset(buffer, 9, sizeof(buffer));
	CHECK(!memory_write(&memory, 5 * PAGE - 15, buffer, 16));
	CHECK_EQ(ram[5 * PAGE - 1], 7);
	CHECK(!memory_read(&memory, 5 * PAGE - 15, buffer, 16));
	CHECK_EQ(buffer[0], 9);
	CHECK(memory_read(&memory, 5 * PAGE - 16, buffer, 16));
	CHECK_EQ(buffer[15], 7);
}

TEST("a write to pages with decoded code counts their generation and says so; other pages stay as they are")
{
	u8 buffer[2 * PAGE] = { 0 };

	setup_split();
	has_code[4] = 1;
	has_code[6] = 1;
	CHECK(memory_write(&memory, 3 * PAGE + 1, buffer, PAGE));
	CHECK_EQ(generation[3], 0);
	CHECK_EQ(generation[4], 1);
	CHECK_EQ(writes, 1);
	CHECK_EQ(written[0], 4 * PAGE);
	CHECK(memory_write(&memory, MEMORY_HIGH_BASE + PAGE + 8, buffer, 1));
	CHECK_EQ(generation[6], 1);
	CHECK_EQ(written[1], MEMORY_HIGH_BASE + PAGE);
	CHECK(memory_write(&memory, 3 * PAGE, buffer, PAGE));
	CHECK_EQ(writes, 2);
}

TEST("a write notes every page it touches as dirty, a read and an empty write none")
{
	u8 buffer[PAGE] = { 0 };

	setup();
	memory.dirty = dirty;
	CHECK(memory_read(&memory, 0, buffer, PAGE));
	CHECK(memory_write(&memory, PAGE, buffer, 0));
	CHECK_EQ(dirty[0] + dirty[1], 0);
	CHECK(memory_write(&memory, 2 * PAGE - 1, buffer, 2));
	CHECK_EQ(dirty[0] + dirty[3], 0);
	CHECK_EQ(dirty[1] + dirty[2], 2);
}

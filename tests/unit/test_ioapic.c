/* IOAPIC: registers, edges, levels, Remote IRR, and the messages it sends. */
#include "base/bits.h"
#include "dev/ioapic.h"
#include "test.h"

enum { SELECT = 0, WINDOW = 0x10, EOI_REGISTER = 0x40 };

#define MASKED BIT(16)
#define LEVEL BIT(15)
#define REMOTE_IRR BIT(14)
#define LOGICAL BIT(11)
#define NMI_MODE (4u << 8)
#define ASSERT_LEVEL BIT(14)

static struct ioapic io;
static unsigned sent;
static u64 address;
static u32 data;

static void take(void *target, u64 to, u32 what)
{
	(void)target;
	sent++;
	address = to;
	data = what;
}

static void setup(void)
{
	sent = 0;
	ioapic_init(&io, (struct msi_sink){ .send = take });
}

static u32 get(u8 index)
{
	ioapic_ops.write(&io, SELECT, 4, index);
	return (u32)ioapic_ops.read(&io, WINDOW, 4);
}

static void set(u8 index, u32 value)
{
	ioapic_ops.write(&io, SELECT, 4, index);
	ioapic_ops.write(&io, WINDOW, 4, value);
}

static void route(unsigned pin, u32 low, u32 high)
{
	set((u8)(0x11 + 2 * pin), high);
	set((u8)(0x10 + 2 * pin), low);
}

static void line(unsigned pin, bool level)
{
	struct irq_line end = ioapic_line(&io, pin);

	irq_set(&end, level);
}

/* "IOAPIC Version Register", "I/O Redirection Table Registers": reset leaves every entry masked. */
TEST("version 20H, 24 entries, all masked after reset; unknown indexes read 0")
{
	setup();
	CHECK_EQ(get(1), 0x00170020);
	for (u8 pin = 0; pin < 24; pin++) {
		CHECK_EQ(get((u8)(0x10 + 2 * pin)), MASKED);
		CHECK_EQ(get((u8)(0x11 + 2 * pin)), 0);
	}
	CHECK_EQ(get(0x40), 0);
	set(0x40, ~0u);
	CHECK_EQ(get(0x0f), 0);
}

TEST("the ID is four writable bits, and arbitration shows it")
{
	setup();
	set(0, ~0u);
	CHECK_EQ(get(0), 0x0f000000);
	CHECK_EQ(get(2), 0x0f000000);
}

TEST("Remote IRR and delivery status are read-only, the rest of an entry keeps what is written")
{
	setup();
	set(0x10, 0xffffffff);
	CHECK_EQ(get(0x10), 0x0001afff);
	set(0x11, 0xff000000);
	CHECK_EQ(get(0x11), 0xff000000);
	CHECK_EQ(sent, 0);
}

TEST("a rising edge sends the entry's vector, mode and destination; the falling edge nothing")
{
	setup();
	route(4, 0x31, 0x05000000);
	line(4, true);
	CHECK_EQ(sent, 1);
	CHECK_EQ(address, 0xfee05000);
	CHECK_EQ(data, 0x31 | ASSERT_LEVEL);
	line(4, true);
	line(4, false);
	CHECK_EQ(sent, 1);
	route(4, 0x31 | LOGICAL | 1u << 8, 0x03000000);
	line(4, true);
	CHECK_EQ(address, 0xfee03004);
	CHECK_EQ(data, 0x131 | ASSERT_LEVEL);
}

TEST("an edge on a masked pin is lost: unmasking does not bring it back")
{
	setup();
	route(4, 0x31 | MASKED, 0);
	line(4, true);
	route(4, 0x31, 0);
	CHECK_EQ(sent, 0);
	line(4, false);
	line(4, true);
	CHECK_EQ(sent, 1);
}

TEST("a level sends once and waits for EOI; after it, again only if the line is still up")
{
	setup();
	route(10, 0x51 | LEVEL, 0);
	line(10, true);
	CHECK_EQ(sent, 1);
	CHECK_EQ(data, 0x51 | LEVEL | ASSERT_LEVEL);
	CHECK_EQ(get(0x24), 0x51 | LEVEL | REMOTE_IRR);
	line(10, false);
	line(10, true);
	CHECK_EQ(sent, 1);
	ioapic_eoi(&io, 0x52);
	CHECK_EQ(sent, 1);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sent, 2);
	line(10, false);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sent, 2);
	CHECK_EQ(get(0x24), 0x51 | LEVEL);
}

TEST("a level on a masked pin is sent when it is unmasked, if the line is still up")
{
	setup();
	route(10, 0x51 | LEVEL | MASKED, 0);
	line(10, true);
	CHECK_EQ(sent, 0);
	route(10, 0x51 | LEVEL, 0);
	CHECK_EQ(sent, 1);
	setup();
	line(10, true);
	line(10, false);
	route(10, 0x51 | LEVEL, 0);
	CHECK_EQ(sent, 0);
}

TEST("masking while Remote IRR is set holds the next one back until unmasked")
{
	setup();
	route(10, 0x51 | LEVEL, 0);
	line(10, true);
	set(0x24, 0x51 | LEVEL | MASKED);
	CHECK_EQ(get(0x24), 0x51 | LEVEL | MASKED | REMOTE_IRR);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sent, 1);
	set(0x24, 0x51 | LEVEL);
	CHECK_EQ(sent, 2);
}

TEST("switching an entry to edge clears its Remote IRR")
{
	setup();
	route(10, 0x51 | LEVEL, 0);
	line(10, true);
	set(0x24, 0x51 | MASKED);
	CHECK_EQ(get(0x24), 0x51 | MASKED);
	set(0x24, 0x51 | LEVEL);
	CHECK_EQ(sent, 2);
}

TEST("the EOI register ends the level-triggered interrupts of its vector, and no others")
{
	setup();
	route(10, 0x51 | LEVEL, 0);
	route(11, 0x52 | LEVEL, 0);
	line(10, true);
	line(11, true);
	ioapic_ops.write(&io, EOI_REGISTER, 4, 0x51);
	CHECK_EQ(sent, 3);
	CHECK_EQ(data & 0xff, 0x51);
}

TEST("two level pins that share a vector are both ended")
{
	setup();
	route(10, 0x51 | LEVEL, 0);
	route(11, 0x51 | LEVEL, 0);
	line(10, true);
	line(11, true);
	ioapic_eoi(&io, 0x51);
	CHECK_EQ(sent, 4);
}

TEST("NMI and ExtINT are edges even if the entry says level")
{
	setup();
	route(3, NMI_MODE | LEVEL, 0);
	line(3, true);
	CHECK_EQ(sent, 1);
	CHECK_EQ(data, NMI_MODE | ASSERT_LEVEL);
	line(3, false);
	line(3, true);
	CHECK_EQ(sent, 2);
}

TEST("reset masks everything but does not move the wires")
{
	setup();
	line(10, true);
	ioapic_reset(&io);
	CHECK_EQ(get(0x24), MASKED);
	route(10, 0x51 | LEVEL, 0);
	CHECK_EQ(sent, 1);
}

/* The 8254: modes, reading and latching, gates, BCD, channel 0's interrupt, and port 61H. */
#include "base/bits.h"
#include "board_double.h"
#include "dev/pit.h"
#include "test.h"

enum { LOW_BYTE = 0x10, HIGH_BYTE = 0x20, BOTH = 0x30 };
enum { SPEAKER_OUT = 0x20 };

#define CONTROL 3u
#define STATUS_NULL 0x40u
#define STATUS_OUT 0x80u

static struct clock clock;
static struct pit pit;
static struct wire irq;

static void setup(void)
{
	irq = (struct wire){ 0 };
	board_clock_init(&clock, 0);
	pit_init(&pit, &clock, wire_end(&irq));
}

/* Lets whole ticks pass; the bench's clock always stands where a tick has just begun. */
static void ticks(u64 count)
{
	u64 now = clock_now(&clock), tick = (u64)((unsigned __int128)now * PIT_HZ / CLOCK_NS_PER_SECOND) + count;

	board_advance(&clock, (u64)(((unsigned __int128)tick * CLOCK_NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ) - now);
}

static void out(unsigned port, u8 value)
{
	pit_ops.write(&pit, port, 1, value);
}

static u8 in(unsigned port)
{
	return (u8)pit_ops.read(&pit, port, 1);
}

static void program(unsigned channel, unsigned mode, u16 count)
{
	out(CONTROL, (u8)(channel << 6 | BOTH | mode << 1));
	out(channel, (u8)count);
	out(channel, (u8)(count >> 8));
}

static u16 count(unsigned channel)
{
	u8 low;

	out(CONTROL, (u8)(channel << 6));
	low = in(channel);
	return (u16)(low | in(channel) << 8);
}

static void speaker(u8 value)
{
	pit_speaker_ops.write(&pit, 0, 1, value);
}

static bool out2(void)
{
	return pit_speaker_ops.read(&pit, 0, 1) & SPEAKER_OUT;
}

static u8 status(unsigned channel)
{
	out(CONTROL, (u8)(0xe0 | BIT(channel + 1)));
	return in(channel);
}

/* ---- "Mode 0: Interrupt on Terminal Count" ---- */

TEST("mode 0: OUT goes low with the control word and high once when the count is over, and the count wraps")
{
	setup();
	program(0, 0, 1000);
	CHECK(!irq.level);
	ticks(400);
	CHECK_EQ(count(0), 600);
	ticks(599);
	CHECK(!irq.level);
	ticks(1);
	CHECK(irq.level);
	ticks(10);
	CHECK_EQ(count(0), 65526);
	ticks(70000);
	CHECK_EQ(irq.rises, 1);
	out(CONTROL, BOTH);
	CHECK(!irq.level);
}

TEST("mode 0: the first byte of a new count stops the old one, the second starts the new one")
{
	setup();
	program(0, 0, 1000);
	ticks(900);
	out(0, 0x10);
	ticks(500);
	CHECK(!irq.level);
	out(0, 0x00);
	ticks(15);
	CHECK(!irq.level);
	ticks(1);
	CHECK(irq.level);
}

TEST("a count of 0 is 65536, in BCD 10000")
{
	setup();
	program(0, 0, 0);
	ticks(65535);
	CHECK(!irq.level);
	ticks(1);
	CHECK(irq.level);
	out(CONTROL, BOTH | 1);
	out(0, 0);
	out(0, 0);
	ticks(9999);
	CHECK(!irq.level);
	ticks(1);
	CHECK(irq.level);
}

/* ---- mode 2: rate generator; mode 3: square wave ---- */

TEST("mode 2: an edge every period, the count running from N to 1")
{
	setup();
	program(0, 2, 1000);
	irq.rises = 0;
	ticks(999);
	CHECK_EQ(count(0), 1);
	CHECK_EQ(irq.rises, 0);
	ticks(1);
	CHECK_EQ(irq.rises, 1);
	CHECK_EQ(count(0), 1000);
	ticks(5000);
	CHECK_EQ(irq.rises, 6);
}

TEST("mode 2: a new count takes over at the end of the period, and null count tells until then")
{
	setup();
	program(0, 2, 1000);
	ticks(500);
	irq.rises = 0;
	out(0, 100);
	out(0, 0);
	CHECK(status(0) & STATUS_NULL);
	ticks(499);
	CHECK_EQ(irq.rises, 0);
	ticks(1);
	CHECK_EQ(irq.rises, 1);
	CHECK(!(status(0) & STATUS_NULL));
	ticks(100);
	CHECK_EQ(irq.rises, 2);
}

TEST("mode 3: high for the longer half, low for the other, one edge a period, counting by two")
{
	setup();
	speaker(1);
	program(2, 3, 7);
	CHECK_EQ(count(2), 6);
	ticks(1);
	CHECK_EQ(count(2), 4);
	ticks(2);
	CHECK(out2());
	ticks(1);
	CHECK(!out2());
	ticks(2);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
	program(0, 3, 1000);
	irq.rises = 0;
	ticks(10000);
	CHECK_EQ(irq.rises, 10);
}

TEST("mode 3: a new count takes over at the end of the half")
{
	setup();
	speaker(1);
	program(2, 3, 100);
	ticks(10);
	out(2, 20);
	out(2, 0);
	ticks(39);
	CHECK(out2());
	ticks(1);
	CHECK(!out2());
	ticks(9);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
	ticks(10);
	CHECK(!out2());
}

TEST("mode 3: a new count written in the low half begins with its high half")
{
	setup();
	speaker(1);
	program(2, 3, 100);
	ticks(60);
	out(2, 20);
	out(2, 0);
	ticks(39);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
	ticks(9);
	CHECK(out2());
	ticks(1);
	CHECK(!out2());
}

TEST("modes 6 and 7 are modes 2 and 3")
{
	setup();
	out(CONTROL, BOTH | 6 << 1);
	CHECK_EQ(status(0) & 0xe, 2 << 1);
	out(CONTROL, BOTH | 7 << 1);
	CHECK_EQ(status(0) & 0xe, 3 << 1);
}

TEST("periods that passed unseen make one edge, and the phase is kept")
{
	setup();
	program(0, 2, 1000);
	irq.rises = 0;
	clock_skip_to(&clock, CLOCK_NS_PER_SECOND);
	clock_expire(&clock);
	CHECK_EQ(irq.rises, 1);
	CHECK_EQ(count(0), 1000 - PIT_HZ % 1000);
}

/* ---- modes 1, 4 and 5 ---- */

TEST("mode 1: only a rising gate starts the pulse, and restarts it")
{
	setup();
	program(2, 1, 50);
	ticks(100);
	CHECK(out2());
	speaker(1);
	CHECK(!out2());
	ticks(49);
	CHECK(!out2());
	speaker(0);
	speaker(1);
	ticks(49);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
}

TEST("mode 1: a count written during the pulse is for the next one")
{
	setup();
	program(2, 1, 50);
	speaker(1);
	out(2, 5);
	out(2, 0);
	ticks(49);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
	speaker(0);
	speaker(1);
	ticks(5);
	CHECK(out2());
}

TEST("mode 4: a strobe one tick long, once, and an interrupt at its end")
{
	setup();
	speaker(1);
	program(2, 4, 50);
	ticks(49);
	CHECK(out2());
	ticks(1);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
	ticks(70000);
	CHECK(out2());
	program(0, 4, 50);
	irq.rises = 0;
	ticks(51);
	CHECK_EQ(irq.rises, 1);
	ticks(70000);
	CHECK_EQ(irq.rises, 1);
}

TEST("mode 5: the strobe comes after a rising gate")
{
	setup();
	program(2, 5, 50);
	ticks(50);
	CHECK(out2());
	speaker(1);
	ticks(50);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
}

/* ---- "Gate Pin Operations Summary" ---- */

TEST("a low gate halts mode 0, which goes on where it was")
{
	setup();
	speaker(1);
	program(2, 0, 100);
	ticks(40);
	speaker(0);
	ticks(1000);
	CHECK_EQ(count(2), 60);
	speaker(1);
	ticks(59);
	CHECK(!out2());
	ticks(1);
	CHECK(out2());
}

TEST("a low gate forces modes 2 and 3 high, and its rise starts the period over")
{
	setup();
	speaker(1);
	program(2, 3, 100);
	ticks(60);
	CHECK(!out2());
	speaker(0);
	CHECK(out2());
	ticks(77);
	speaker(1);
	ticks(49);
	CHECK(out2());
	ticks(1);
	CHECK(!out2());
}

/* ---- reading ---- */

TEST("a latched count stands still until it is read, and a second latch changes nothing")
{
	setup();
	program(0, 2, 1000);
	ticks(100);
	out(CONTROL, 0);
	ticks(100);
	out(CONTROL, 0);
	CHECK_EQ(in(0), 900 & 0xff);
	CHECK_EQ(in(0), 900 >> 8);
	CHECK_EQ(in(0), 800 & 0xff);
	CHECK_EQ(in(0), 800 >> 8);
}

TEST("one-byte access reads and writes that byte only, the other being 0")
{
	setup();
	out(CONTROL, LOW_BYTE | 2 << 1);
	out(0, 200);
	ticks(50);
	CHECK_EQ(in(0), 150);
	CHECK_EQ(in(0), 150);
	out(CONTROL, HIGH_BYTE | 2 << 1);
	out(0, 2);
	ticks(1);
	CHECK_EQ(in(0), 1);
}

TEST("BCD counts in decimal")
{
	setup();
	out(CONTROL, BOTH | 2 << 1 | 1);
	out(0, 0x00);
	out(0, 0x10);
	ticks(1);
	out(CONTROL, 0);
	CHECK_EQ(in(0), 0x99);
	CHECK_EQ(in(0), 0x09);
	ticks(1000);
	out(CONTROL, 0);
	CHECK_EQ(in(0), 0x99);
	CHECK_EQ(in(0), 0x09);
}

/* "Read-Back Command". */
TEST("read-back latches status and counts of several channels; status is read first")
{
	setup();
	program(0, 2, 1000);
	program(1, 3, 500);
	ticks(100);
	out(CONTROL, 0xc6);
	ticks(100);
	CHECK_EQ(in(0), STATUS_OUT | BOTH | 2 << 1);
	CHECK_EQ(in(0), 900 & 0xff);
	CHECK_EQ(in(0), 900 >> 8);
	CHECK_EQ(in(1), STATUS_OUT | BOTH | 3 << 1);
	CHECK_EQ(in(1), 300 & 0xff);
	CHECK_EQ(in(1), 300 >> 8);
	CHECK_EQ(in(0), 800 & 0xff);
}

TEST("null count is set from the control word until a count counts")
{
	setup();
	out(CONTROL, BOTH);
	CHECK(status(0) & STATUS_NULL);
	out(0, 10);
	CHECK(status(0) & STATUS_NULL);
	out(0, 0);
	CHECK(!(status(0) & STATUS_NULL));
	CHECK(!(status(0) & STATUS_OUT));
	ticks(10);
	CHECK(status(0) & STATUS_OUT);
}

TEST("the control port reads as ones")
{
	setup();
	CHECK_EQ(in(CONTROL), 0xff);
}

/* ---- port 61H ---- */

TEST("port 61H keeps its low four bits, and the refresh bit toggles with time")
{
	u64 before;

	setup();
	speaker(0xff);
	CHECK_EQ(pit_speaker_ops.read(&pit, 0, 1) & 0xcf, 0x0f);
	before = pit_speaker_ops.read(&pit, 0, 1) & 0x10;
	board_advance(&clock, 15085);
	CHECK(before != (pit_speaker_ops.read(&pit, 0, 1) & 0x10));
}

TEST("nothing counts after reset, and no timer is armed")
{
	setup();
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
	program(0, 2, 100);
	CHECK(clock_deadline(&clock) != CLOCK_NEVER);
	pit_reset(&pit);
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
	CHECK(!irq.level);
}

TEST("a state copied back goes on with its interrupts")
{
	struct pit_state saved;

	setup();
	program(0, 2, 1000);
	ticks(400);
	saved = pit.state;
	pit_reset(&pit);
	pit.state = saved;
	pit_restored(&pit);
	irq.rises = 0;
	ticks(600);
	CHECK_EQ(irq.rises, 1);
}

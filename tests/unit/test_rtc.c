/* The real-time clock: calendar, formats, setting, interrupts, and what firmware leaves in CMOS. */
#include "base/bits.h"
#include "board_double.h"
#include "dev/calendar.h"
#include "dev/rtc.h"
#include "test.h"

enum { SECOND, SECOND_ALARM, MINUTE, MINUTE_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR, A, B, C, D };
enum { CENTURY = 0x32 };

#define UIP 0x80u
#define SET 0x80u
#define PIE 0x40u
#define AIE 0x20u
#define UIE 0x10u
#define BINARY 0x04u
#define H24 0x02u
#define IRQF 0x80u
#define ANY 0xc0u
#define SECOND_NS CLOCK_NS_PER_SECOND
/* Thursday 2024-02-29 23:59:58 UTC */
#define LEAP_DAY 1709251198ull

static struct clock clock;
static struct rtc rtc;
static struct wire irq;

static void setup_at(u64 seconds)
{
	irq = (struct wire){ 0 };
	board_clock_init(&clock, seconds * SECOND_NS);
	rtc_init(&rtc, &clock, wire_end(&irq), 3ull << 30, 1ull << 30);
}

static void setup(void)
{
	setup_at(LEAP_DAY);
}

static u8 get(u8 index)
{
	rtc_ops.write(&rtc, 0, 1, index);
	return (u8)rtc_ops.read(&rtc, 1, 1);
}

static void set(u8 index, u8 value)
{
	rtc_ops.write(&rtc, 0, 1, index);
	rtc_ops.write(&rtc, 1, 1, value);
}

static void seconds(u64 count)
{
	board_advance(&clock, count * SECOND_NS);
}

/* ---- calendar ---- */

TEST("dates and seconds convert both ways, through leap years and across 1970")
{
	static const struct {
		s64 seconds;
		struct calendar date;
	} known[] = {
		{ 0, { 1970, 1, 1, 0, 0, 0, 4 } },
		{ -1, { 1969, 12, 31, 23, 59, 59, 3 } },
		{ 951782400, { 2000, 2, 29, 0, 0, 0, 2 } },
		{ 951868800, { 2000, 3, 1, 0, 0, 0, 3 } },
		{ 4107542400, { 2100, 3, 1, 0, 0, 0, 1 } },
		{ LEAP_DAY, { 2024, 2, 29, 23, 59, 58, 4 } },
		{ 253402300799, { 9999, 12, 31, 23, 59, 59, 5 } },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		struct calendar date = calendar_from_seconds(known[i].seconds);

		CHECK_EQ(calendar_to_seconds(&known[i].date), known[i].seconds);
		CHECK_EQ(date.year, known[i].date.year);
		CHECK_EQ(date.month, known[i].date.month);
		CHECK_EQ(date.day, known[i].date.day);
		CHECK_EQ(date.hour * 3600 + date.minute * 60 + date.second,
			 known[i].date.hour * 3600 + known[i].date.minute * 60 + known[i].date.second);
		CHECK_EQ(date.weekday, known[i].date.weekday);
	}
	for (s64 day = -100000; day < 100000; day += 13) {
		struct calendar date = calendar_from_seconds(day * 86400);

		CHECK_EQ(calendar_to_seconds(&date), day * 86400);
	}
}

/* ---- time ---- */

TEST("the time starts at the wall's, in BCD and 24 hours, and carries into the next month and weekday")
{
	setup();
	CHECK_EQ(get(SECOND), 0x58);
	CHECK_EQ(get(MINUTE), 0x59);
	CHECK_EQ(get(HOUR), 0x23);
	CHECK_EQ(get(WEEKDAY), 5);
	CHECK_EQ(get(DAY), 0x29);
	CHECK_EQ(get(MONTH), 2);
	CHECK_EQ(get(YEAR), 0x24);
	CHECK_EQ(get(CENTURY), 0x20);
	seconds(2);
	CHECK_EQ(get(SECOND), 0);
	CHECK_EQ(get(HOUR), 0);
	CHECK_EQ(get(WEEKDAY), 6);
	CHECK_EQ(get(DAY), 1);
	CHECK_EQ(get(MONTH), 3);
}

/* "Register B": DM and 24/12. */
TEST("binary mode and 12-hour mode show the same time in their own way")
{
	setup();
	set(B, BINARY | H24);
	CHECK_EQ(get(HOUR), 23);
	CHECK_EQ(get(SECOND), 58);
	set(B, BINARY);
	CHECK_EQ(get(HOUR), 0x80 | 11);
	set(B, 0);
	CHECK_EQ(get(HOUR), 0x80 | 0x11);
	seconds(2);
	CHECK_EQ(get(HOUR), 0x12);
	seconds(12 * 3600);
	CHECK_EQ(get(HOUR), 0x92);
}

TEST("while SET is on the registers stand still and take a new time, which begins when it goes off")
{
	setup();
	set(B, H24 | SET);
	seconds(5);
	CHECK_EQ(get(SECOND), 0x58);
	set(YEAR, 0x99);
	set(CENTURY, 0x19);
	set(MONTH, 0x12);
	set(DAY, 0x31);
	set(SECOND, 0x59);
	set(B, H24);
	seconds(1);
	CHECK_EQ(get(YEAR), 0);
	CHECK_EQ(get(CENTURY), 0x20);
	CHECK_EQ(get(DAY), 1);
	CHECK_EQ(get(SECOND), 0);
}

TEST("a time register written without SET counts at once")
{
	setup();
	set(HOUR, 0x05);
	CHECK_EQ(get(HOUR), 0x05);
	seconds(2);
	CHECK_EQ(get(HOUR), 0x06);
	CHECK_EQ(get(DAY), 0x29);
}

TEST("the weekday is the program's: it counts on from what was written")
{
	setup();
	set(WEEKDAY, 1);
	CHECK_EQ(get(WEEKDAY), 1);
	seconds(2);
	CHECK_EQ(get(WEEKDAY), 2);
}

/* "Divider Control": 11x holds the chain; the first update is half a second after it is released. */
TEST("a held divider stops the time, and its release starts half a second before the next one")
{
	setup();
	board_advance(&clock, SECOND_NS / 4);
	set(A, 0x70);
	seconds(10);
	CHECK_EQ(get(SECOND), 0x58);
	set(A, 0x26);
	board_advance(&clock, SECOND_NS / 2 - 40000);
	CHECK_EQ(get(SECOND), 0x58);
	board_advance(&clock, 80000);
	CHECK_EQ(get(SECOND), 0x59);
}

/* "Update Cycle": UIP goes up 244 us before. */
TEST("UIP is set just before an update and at no other time, and never while SET is on")
{
	setup();
	CHECK(!(get(A) & UIP));
	board_advance(&clock, SECOND_NS - 250000);
	CHECK(!(get(A) & UIP));
	board_advance(&clock, 10000);
	CHECK(get(A) & UIP);
	set(B, H24 | SET);
	CHECK(!(get(A) & UIP));
	set(B, H24);
	CHECK(get(A) & UIP);
	board_advance(&clock, 245000);
	CHECK(!(get(A) & UIP));
	CHECK_EQ(get(SECOND), 0x59);
}

TEST("any numbers a program writes become some time without harm")
{
	setup();
	for (unsigned mode = 0; mode < 4; mode++) {
		set(B, (u8)(SET | mode << 1));
		for (u8 index = 0; index < A; index++)
			set(index, 0xff);
		set(CENTURY, 0xff);
		set(MONTH, mode & 1 ? 0 : 0xff);
		set(B, (u8)(mode << 1 | AIE | UIE | PIE));
		seconds(2);
		get(SECOND);
		get(C);
	}
}

/* ---- interrupts ---- */

TEST("the update interrupt comes every second, and reading C ends it and clears the flags")
{
	setup();
	get(C);
	set(B, H24 | UIE);
	board_advance(&clock, SECOND_NS - 100000);
	CHECK(!irq.level);
	board_advance(&clock, 200000);
	CHECK(irq.level);
	CHECK_EQ(get(C) & (IRQF | UIE | AIE), IRQF | UIE);
	CHECK(!irq.level);
	CHECK_EQ(get(C) & (IRQF | UIE), 0);
	seconds(1);
	CHECK_EQ(irq.rises, 2);
}

TEST("until C is read no further interrupt comes")
{
	setup();
	set(B, H24 | UIE);
	seconds(5);
	CHECK_EQ(irq.rises, 1);
}

TEST("flags are set without their enables, but no interrupt; enabling a set one interrupts at once")
{
	setup();
	seconds(1);
	CHECK(!irq.level);
	set(B, H24 | UIE);
	CHECK(irq.level);
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
	CHECK_EQ(get(C) & (IRQF | UIE), IRQF | UIE);
}

/* "Periodic Interrupt Rate and Square Wave Output Frequency", 32.768 kHz time base. */
TEST("the periodic rates are 32768 Hz shifted down, codes 1 and 2 being 256 and 128 Hz, code 0 none")
{
	static const unsigned hz[16] = { 0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2 };

	for (u8 rate = 0; rate < 16; rate++) {
		unsigned count = 0;

		setup();
		set(A, 0x20 | rate);
		set(B, H24 | PIE);
		while (clock_deadline(&clock) <= SECOND_NS) {
			clock_skip_to(&clock, clock_deadline(&clock));
			clock_expire(&clock);
			CHECK(get(C) & PIE);
			count++;
		}
		CHECK_EQ(count, hz[rate]);
	}
}

TEST("the alarm sounds at its time, once a day")
{
	setup();
	set(HOUR_ALARM, 0x00);
	set(MINUTE_ALARM, 0x01);
	set(SECOND_ALARM, 0x30);
	get(C);
	set(B, H24 | AIE);
	seconds(91);
	CHECK_EQ(irq.rises, 0);
	seconds(1);
	CHECK_EQ(irq.rises, 1);
	CHECK(get(C) & AIE);
	seconds(86399);
	CHECK_EQ(irq.rises, 1);
	seconds(1);
	CHECK_EQ(irq.rises, 2);
}

TEST("a \"don't care\" alarm byte matches anything: every minute at second 15")
{
	setup();
	set(HOUR_ALARM, ANY);
	set(MINUTE_ALARM, ANY);
	set(SECOND_ALARM, 0x15);
	set(B, H24 | AIE);
	for (unsigned i = 0; i < 3; i++) {
		seconds(60);
		CHECK_EQ(irq.rises, i + 1);
		get(C);
	}
}

TEST("an alarm time that no clock shows never sounds and arms no timer")
{
	setup();
	set(HOUR_ALARM, ANY);
	set(MINUTE_ALARM, ANY);
	set(SECOND_ALARM, 0x6a);
	set(B, H24 | AIE);
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
	seconds(100);
	CHECK(!(get(C) & AIE));
}

TEST("while SET is on no update and no alarm happens, but the periodic interrupt goes on")
{
	setup();
	set(HOUR_ALARM, ANY);
	set(MINUTE_ALARM, ANY);
	set(SECOND_ALARM, ANY);
	set(B, H24 | SET);
	get(C);
	seconds(3);
	CHECK_EQ(get(C) & (PIE | AIE | UIE), PIE);
}

TEST("SET turns the update interrupt's enable off")
{
	setup();
	set(B, H24 | UIE | SET);
	CHECK_EQ(get(B), H24 | SET);
}

TEST("C and D are read-only, and D says that the battery is good")
{
	setup();
	get(C);
	set(C, 0xff);
	set(D, 0);
	CHECK_EQ(get(C), 0);
	CHECK_EQ(get(D), 0x80);
}

TEST("reset turns interrupts off and keeps time, format and memory")
{
	setup();
	set(RTC_SHUTDOWN_STATUS, 0x0a);
	set(B, BINARY | H24 | UIE);
	seconds(1);
	rtc_ops.write(&rtc, 0, 1, 0x80);
	rtc_reset(&rtc);
	CHECK(!rtc.state.nmi_masked);
	CHECK(!irq.level);
	CHECK_EQ(get(B), BINARY | H24);
	CHECK_EQ(get(SECOND), 59);
	CHECK_EQ(get(RTC_SHUTDOWN_STATUS), 0x0a);
}

/* ---- CMOS ---- */

TEST("CMOS tells the memory sizes: 640 KiB, above 1 MiB, above 16 MiB, above 4 GiB; and its checksum is right")
{
	unsigned sum = 0;

	setup();
	CHECK_EQ(get(0x15) | get(0x16) << 8, 640);
	CHECK_EQ(get(0x17) | get(0x18) << 8, 0xffff);
	CHECK_EQ(get(0x34) | get(0x35) << 8, ((3u << 30) - (16u << 20)) >> 16);
	CHECK_EQ(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, (1u << 30) >> 16);
	for (u8 i = 0x10; i < 0x2e; i++)
		sum += get(i);
	CHECK_EQ(get(0x2e) << 8 | get(0x2f), sum);
}

TEST("bit 7 of the index port masks NMI and is no part of the index; the port itself reads as ones")
{
	setup();
	rtc_ops.write(&rtc, 0, 1, 0x80 | RTC_SHUTDOWN_STATUS);
	CHECK(rtc.state.nmi_masked);
	rtc_ops.write(&rtc, 1, 1, 5);
	CHECK_EQ(get(RTC_SHUTDOWN_STATUS), 5);
	CHECK(!rtc.state.nmi_masked);
	CHECK_EQ(rtc_ops.read(&rtc, 0, 1), 0xff);
}

TEST("a state copied back goes on with its interrupts")
{
	struct rtc_state saved;

	setup();
	set(B, H24 | UIE);
	saved = rtc.state;
	rtc_reset(&rtc);
	rtc.state = saved;
	rtc_restored(&rtc);
	seconds(1);
	CHECK_EQ(irq.rises, 1);
}

/*
 * MC146818A: see rtc.h.
 *
 * Between accesses nothing runs. note_events() works out what has happened since the last time (periodic ticks,
 * alarms, updates) and sets the flags of register C; a timer is armed only for the next event whose interrupt is
 * enabled.
 */
#include "dev/rtc.h"

#include "base/bits.h"
#include "base/string.h"
#include "dev/calendar.h"

#define HZ 32768
#define HZ_SHIFT 15
#define TIME_NEVER INT64_MAX

enum {
	REG_SECOND, REG_SECOND_ALARM, REG_MINUTE, REG_MINUTE_ALARM, REG_HOUR, REG_HOUR_ALARM,
	REG_WEEKDAY, REG_DAY, REG_MONTH, REG_YEAR, REG_A, REG_B, REG_C, REG_D,
	CMOS_EQUIPMENT = 0x14, CMOS_BASE_LOW = 0x15, CMOS_EXTENDED_LOW = 0x17, CMOS_CHECKED_FIRST = 0x10,
	CMOS_CHECKSUM = 0x2e, CMOS_EXTENDED2_LOW = 0x30, CMOS_CENTURY = 0x32, CMOS_ABOVE_16M_LOW = 0x34,
	CMOS_ABOVE_4G_LOW = 0x5b,
};

#define A_UIP BIT(7)
#define A_DIVIDER BITS(6, 4)
#define A_DIVIDER_RESET (BIT(6) | BIT(5)) /* 11x: the divider is held */
#define A_32768HZ BIT(5)
#define A_RATE BITS(3, 0)
#define A_RATE_1024HZ 6u
#define B_SET BIT(7)
#define B_24_HOURS BIT(1)
#define B_BINARY BIT(2)
#define B_SQUARE_WAVE BIT(3)
#define C_IRQF BIT(7)
#define FLAG_PERIODIC BIT(6) /* PF in C, PIE in B; likewise below */
#define FLAG_ALARM BIT(5)
#define FLAG_UPDATE BIT(4)
#define FLAGS (FLAG_PERIODIC | FLAG_ALARM | FLAG_UPDATE)
#define D_VALID BIT(7)
#define HOUR_PM BIT(7)
#define ALARM_ANY 0xc0u
#define UPDATE_SOON 8 /* ticks before an update that UIP is set: 244 us */

#define INDEX_MASK 0x7fu
#define INDEX_NMI BIT(7)

/* ---- time ---- */

static s64 clock_ticks(const struct rtc *rtc)
{
	return (s64)((unsigned __int128)clock_now(rtc->clock) * HZ / CLOCK_NS_PER_SECOND);
}

static bool divider_held(const struct rtc *rtc)
{
	return (rtc->state.ram[REG_A] & A_DIVIDER_RESET) == A_DIVIDER_RESET;
}

static bool standing(const struct rtc *rtc)
{
	return (rtc->state.ram[REG_B] & B_SET) || divider_held(rtc);
}

static s64 time_now(const struct rtc *rtc)
{
	return divider_held(rtc) ? rtc->state.stopped_at : clock_ticks(rtc) + rtc->state.offset;
}

/* ---- the registers' number format ---- */

static u8 encode(const struct rtc *rtc, unsigned value)
{
	return (u8)(rtc->state.ram[REG_B] & B_BINARY ? value : value / 10 % 10 << 4 | value % 10);
}

static unsigned decode(const struct rtc *rtc, u8 value)
{
	return rtc->state.ram[REG_B] & B_BINARY ? value : (value >> 4) * 10u + (value & 0xf);
}

static u8 encode_hour(const struct rtc *rtc, unsigned hour)
{
	if (rtc->state.ram[REG_B] & B_24_HOURS)
		return encode(rtc, hour);
	return encode(rtc, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *rtc, u8 value)
{
	if (rtc->state.ram[REG_B] & B_24_HOURS)
		return decode(rtc, value);
	return decode(rtc, value & (u8)~HOUR_PM) % 12 + (value & HOUR_PM ? 12 : 0);
}

static void time_to_registers(struct rtc *rtc)
{
	u8 *ram = rtc->state.ram;
	struct calendar date = calendar_from_seconds(time_now(rtc) >> HZ_SHIFT);

	ram[REG_SECOND] = encode(rtc, date.second);
	ram[REG_MINUTE] = encode(rtc, date.minute);
	ram[REG_HOUR] = encode_hour(rtc, date.hour);
	ram[REG_WEEKDAY] = encode(rtc, (date.weekday + rtc->state.weekday_shift) % 7 + 1);
	ram[REG_DAY] = encode(rtc, date.day);
	ram[REG_MONTH] = encode(rtc, date.month);
	ram[REG_YEAR] = encode(rtc, date.year % 100);
	ram[CMOS_CENTURY] = encode(rtc, date.year / 100);
}

/* The fraction of the second goes on as it was. */
static void registers_to_time(struct rtc *rtc)
{
	const u8 *ram = rtc->state.ram;
	struct calendar date = {
		.year = decode(rtc, ram[CMOS_CENTURY]) * 100 + decode(rtc, ram[REG_YEAR]),
		.month = decode(rtc, ram[REG_MONTH]),
		.day = decode(rtc, ram[REG_DAY]),
		.hour = decode_hour(rtc, ram[REG_HOUR]),
		.minute = decode(rtc, ram[REG_MINUTE]),
		.second = decode(rtc, ram[REG_SECOND]),
	};
	s64 seconds = calendar_to_seconds(&date);
	s64 time = seconds * HZ + (time_now(rtc) & (HZ - 1));

	rtc->state.weekday_shift = (u8)((decode(rtc, ram[REG_WEEKDAY]) + 6 + 7 -
					 calendar_from_seconds(seconds).weekday) % 7);
	rtc->state.stopped_at = time;
	rtc->state.offset = time - clock_ticks(rtc);
	rtc->state.seen = time;
}

/* ---- events ---- */

/*
 * log2 of the periodic interrupt's period in ticks, or -1: "Periodic Interrupt Rate and Square Wave Output
 * Frequency".
 */
static int period_shift(const struct rtc *rtc)
{
	int rate = rtc->state.ram[REG_A] & A_RATE;

	if (!rate || divider_held(rtc))
		return -1;
	return rate <= 2 ? rate + 6 : rate - 1;
}

static bool alarm_matches(u8 alarm, u8 value)
{
	return (alarm & ALARM_ANY) == ALARM_ANY || alarm == value;
}

/* Can any value below `limit` match? A program may have written what no clock shows. */
static bool alarm_possible(const struct rtc *rtc, u8 alarm, unsigned limit, u8 (*show)(const struct rtc *, unsigned))
{
	for (unsigned value = 0; value < limit; value++)
		if (alarm_matches(alarm, show(rtc, value)))
			return true;
	return false;
}

/* The first second after `after` at which the alarm sounds, in ticks; TIME_NEVER. */
static s64 next_alarm(const struct rtc *rtc, s64 after)
{
	const u8 *ram = rtc->state.ram;
	s64 second = (after >> HZ_SHIFT) + 1;

	if (!alarm_possible(rtc, ram[REG_SECOND_ALARM], 60, encode) ||
	    !alarm_possible(rtc, ram[REG_MINUTE_ALARM], 60, encode) ||
	    !alarm_possible(rtc, ram[REG_HOUR_ALARM], 24, encode_hour))
		return TIME_NEVER;
	for (;;) {
		struct calendar date = calendar_from_seconds(second);

		if (!alarm_matches(ram[REG_HOUR_ALARM], encode_hour(rtc, date.hour)))
			second += 3600 - (s64)(date.minute * 60 + date.second);
		else if (!alarm_matches(ram[REG_MINUTE_ALARM], encode(rtc, date.minute)))
			second += 60 - (s64)date.second;
		else if (!alarm_matches(ram[REG_SECOND_ALARM], encode(rtc, date.second)))
			second++;
		else
			return second * HZ;
	}
}

static s64 earlier(s64 a, s64 b)
{
	return a < b ? a : b;
}

/* The first tick after `after` at which something enabled happens. */
static s64 next_event(const struct rtc *rtc, s64 after)
{
	u8 enabled = rtc->state.ram[REG_B] & FLAGS & (u8)~rtc->state.ram[REG_C];
	int shift = period_shift(rtc);
	s64 event = TIME_NEVER;

	if ((enabled & FLAG_PERIODIC) && shift >= 0)
		event = ((after >> shift) + 1) * (1 << shift);
	if (standing(rtc))
		return event;
	if (enabled & FLAG_UPDATE)
		event = earlier(event, ((after >> HZ_SHIFT) + 1) * HZ);
	if (enabled & FLAG_ALARM)
		event = earlier(event, next_alarm(rtc, after));
	return event;
}

static void drive(struct rtc *rtc)
{
	u8 *c = &rtc->state.ram[REG_C];

	*c &= FLAGS;
	if (*c & rtc->state.ram[REG_B])
		*c |= C_IRQF;
	irq_set(&rtc->irq, *c & C_IRQF);
}

static void note_events(struct rtc *rtc)
{
	s64 now = time_now(rtc), seen = rtc->state.seen;
	int shift = period_shift(rtc);
	u8 flags = 0;

	rtc->state.seen = now;
	if (now <= seen)
		return;
	if (shift >= 0 && now >> shift != seen >> shift)
		flags |= FLAG_PERIODIC;
	if (!standing(rtc) && now >> HZ_SHIFT != seen >> HZ_SHIFT) {
		flags |= FLAG_UPDATE;
		if (next_alarm(rtc, seen) <= now)
			flags |= FLAG_ALARM;
	}
	rtc->state.ram[REG_C] |= flags;
	drive(rtc);
}

static void arm(struct rtc *rtc)
{
	s64 event = next_event(rtc, rtc->state.seen);
	u64 deadline = CLOCK_NEVER, ticks;

	if (event != TIME_NEVER) {
		ticks = (u64)(event - rtc->state.offset);
		deadline = (u64)(((unsigned __int128)ticks * CLOCK_NS_PER_SECOND + HZ - 1) / HZ);
	}
	timer_set(rtc->clock, &rtc->timer, deadline);
}

static void expire(void *device)
{
	struct rtc *rtc = device;

	note_events(rtc);
	arm(rtc);
}

/* ---- registers ---- */

static bool is_time(unsigned index)
{
	return index == CMOS_CENTURY || index == REG_SECOND || index == REG_MINUTE || index == REG_HOUR ||
	       (index >= REG_WEEKDAY && index <= REG_YEAR);
}

static u8 read_c(struct rtc *rtc)
{
	u8 value;

	note_events(rtc);
	value = rtc->state.ram[REG_C];
	rtc->state.ram[REG_C] = 0;
	drive(rtc);
	arm(rtc);
	return value;
}

static bool update_in_progress(const struct rtc *rtc)
{
	return !standing(rtc) && (time_now(rtc) & (HZ - 1)) >= HZ - UPDATE_SOON;
}

static u8 read_register(struct rtc *rtc, unsigned index)
{
	if (is_time(index) && !standing(rtc))
		time_to_registers(rtc);
	switch (index) {
	case REG_A: return rtc->state.ram[REG_A] | (update_in_progress(rtc) ? A_UIP : 0);
	case REG_C: return read_c(rtc);
	case REG_D: return D_VALID;
	default: return rtc->state.ram[index];
	}
}

/* "Divider Control": when the hold ends, the first update comes half a second later. */
static void write_a(struct rtc *rtc, u8 value)
{
	bool was_held = divider_held(rtc);
	s64 now = time_now(rtc);

	if (!standing(rtc))
		time_to_registers(rtc);
	rtc->state.ram[REG_A] = value & (u8)~A_UIP;
	if (divider_held(rtc) == was_held)
		return;
	if (was_held) {
		now = (now & ~(s64)(HZ - 1)) + HZ / 2;
		rtc->state.offset = now - clock_ticks(rtc);
	}
	rtc->state.stopped_at = now;
	rtc->state.seen = now;
}

/* While SET is on the registers are the program's; what they hold when it goes off is the time. SET clears UIE. */
static void write_b(struct rtc *rtc, u8 value)
{
	bool was_standing = standing(rtc);

	if (!was_standing)
		time_to_registers(rtc);
	if (value & B_SET)
		value &= (u8)~FLAG_UPDATE;
	rtc->state.ram[REG_B] = value;
	if (was_standing && !standing(rtc))
		registers_to_time(rtc);
}

static void write_register(struct rtc *rtc, unsigned index, u8 value)
{
	note_events(rtc);
	if (is_time(index)) {
		if (!standing(rtc))
			time_to_registers(rtc);
		rtc->state.ram[index] = value;
		if (!(rtc->state.ram[REG_B] & B_SET))
			registers_to_time(rtc);
	} else if (index == REG_A) {
		write_a(rtc, value);
	} else if (index == REG_B) {
		write_b(rtc, value);
	} else if (index != REG_C && index != REG_D) {
		rtc->state.ram[index] = value;
	}
	drive(rtc);
	arm(rtc);
}

static u64 read(void *device, u64 offset, unsigned size UNUSED)
{
	struct rtc *rtc = device;

	return offset ? read_register(rtc, rtc->state.index) : byte_mask(1);
}

static void write(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	struct rtc *rtc = device;

	if (offset) {
		write_register(rtc, rtc->state.index, (u8)value);
		return;
	}
	rtc->state.index = value & INDEX_MASK;
	rtc->state.nmi_masked = value & INDEX_NMI;
}

const struct bus_ops rtc_ops = { .name = "rtc", .widest = 1, .read = read, .write = write };

/* ---- life ---- */

static void put(struct rtc *rtc, unsigned index, unsigned bytes, u64 value)
{
	for (unsigned i = 0; i < bytes; i++)
		rtc->state.ram[index + i] = (u8)(value >> 8 * i);
}

/* What firmware leaves in CMOS: sizes in KiB, in 64 KiB above 16 MiB, each as large as its field can say. */
static void fill_cmos(struct rtc *rtc, u64 low_bytes, u64 high_bytes)
{
	u64 above_1m = low_bytes > (1 << 20) ? (low_bytes >> 10) - 1024 : 0;
	u64 above_16m = low_bytes > (16 << 20) ? (low_bytes >> 16) - 256 : 0;
	unsigned sum = 0;

	put(rtc, CMOS_EQUIPMENT, 1, BIT(1)); /* a coprocessor */
	put(rtc, CMOS_BASE_LOW, 2, min_u64(low_bytes >> 10, 640));
	put(rtc, CMOS_EXTENDED_LOW, 2, min_u64(above_1m, 0xffff));
	put(rtc, CMOS_EXTENDED2_LOW, 2, min_u64(above_1m, 0xffff));
	put(rtc, CMOS_ABOVE_16M_LOW, 2, min_u64(above_16m, 0xffff));
	put(rtc, CMOS_ABOVE_4G_LOW, 3, min_u64(high_bytes >> 16, 0xffffff));
	for (unsigned i = CMOS_CHECKED_FIRST; i < CMOS_CHECKSUM; i++)
		sum += rtc->state.ram[i];
	rtc->state.ram[CMOS_CHECKSUM] = (u8)(sum >> 8);
	rtc->state.ram[CMOS_CHECKSUM + 1] = (u8)sum;
}

void rtc_reset(struct rtc *rtc)
{
	note_events(rtc);
	rtc->state.index = 0;
	rtc->state.nmi_masked = false;
	rtc->state.ram[REG_B] &= (u8)~(FLAGS | B_SQUARE_WAVE);
	rtc->state.ram[REG_C] = 0;
	drive(rtc);
	arm(rtc);
}

void rtc_init(struct rtc *rtc, struct clock *clock, struct irq_line irq, u64 low_bytes, u64 high_bytes)
{
	*rtc = (struct rtc){ .clock = clock, .irq = irq };
	rtc->timer = (struct timer){ .expire = expire, .device = rtc, .deadline = CLOCK_NEVER };
	rtc->state.offset = (s64)((unsigned __int128)clock->wall_at_zero * HZ / CLOCK_NS_PER_SECOND);
	rtc->state.seen = time_now(rtc);
	rtc->state.ram[REG_A] = A_32768HZ | A_RATE_1024HZ;
	rtc->state.ram[REG_B] = B_24_HOURS;
	fill_cmos(rtc, low_bytes, high_bytes);
	rtc_reset(rtc);
}

void rtc_restored(struct rtc *rtc)
{
	drive(rtc);
	arm(rtc);
}

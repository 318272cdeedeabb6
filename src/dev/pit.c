/*
 * 8254: see pit.h.
 *
 * Nothing ticks. What a channel counts and outputs is computed from when its count was loaded; only channel 0, whose
 * output is an interrupt, arms a timer, for its next rising edge. In the repeating modes the line rests high and
 * pulses low at that edge, which is all that an interrupt controller can tell.
 */
#include "dev/pit.h"

#include "base/bits.h"

#define CONTROL_PORT 3u
#define CONTROL_BCD BIT(0)
#define READ_BACK 3u
#define READ_BACK_NO_STATUS BIT(4)
#define READ_BACK_NO_COUNT BIT(5)
#define STATUS_OUT BIT(7)
#define STATUS_NULL BIT(6)

#define SPEAKER_GATE BIT(0)
#define SPEAKER_WRITABLE BITS(3, 0)
#define SPEAKER_REFRESH BIT(4)
#define SPEAKER_OUT BIT(5)
#define REFRESH_NS 15085u

enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };
enum { MODE_TERMINAL_COUNT, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_STROBE, MODE_TRIGGERED_STROBE };

/* ---- time ---- */

static u64 now_ticks(const struct pit *pit)
{
	return (u64)((unsigned __int128)clock_now(pit->clock) * PIT_HZ / CLOCK_NS_PER_SECOND);
}

/* The first nanosecond at which now_ticks() gives tick. */
static u64 tick_ns(u64 tick)
{
	return (u64)(((unsigned __int128)tick * CLOCK_NS_PER_SECOND + PIT_HZ - 1) / PIT_HZ);
}

static u64 elapsed(const struct pit_channel_state *ch, u64 now)
{
	if (!ch->counting)
		return 0;
	return ch->paused ? ch->elapsed : now - ch->start;
}

static bool repeats(const struct pit_channel_state *ch)
{
	return ch->mode == MODE_RATE || ch->mode == MODE_SQUARE;
}

static bool triggered_by_gate(const struct pit_channel_state *ch)
{
	return ch->mode == MODE_ONE_SHOT || ch->mode == MODE_TRIGGERED_STROBE;
}

/* The high part of a square wave. */
static u32 high_half(u32 count)
{
	return (count + 1) / 2;
}

/* "Mode Definitions": the OUT pin. */
static bool output(const struct pit_channel_state *ch, u64 now)
{
	u64 e = elapsed(ch, now);

	if (!ch->counting)
		return ch->mode != MODE_TERMINAL_COUNT;
	switch (ch->mode) {
	case MODE_TERMINAL_COUNT:
	case MODE_ONE_SHOT: return e >= ch->count;
	case MODE_RATE: return ch->paused || e % ch->count != ch->count - 1;
	case MODE_SQUARE: return ch->paused || e % ch->count < high_half(ch->count);
	default: return e != ch->count;
	}
}

/* Rising edges of OUT since the count was loaded. */
static u64 edges(const struct pit_channel_state *ch, u64 now)
{
	u64 e = elapsed(ch, now);

	if (!ch->counting)
		return 0;
	switch (ch->mode) {
	case MODE_TERMINAL_COUNT:
	case MODE_ONE_SHOT: return e >= ch->count;
	case MODE_RATE:
	case MODE_SQUARE: return e / ch->count;
	default: return e > ch->count;
	}
}

/* The counting element as a program reads it, not yet in BCD. A square wave counts down by two. */
static u32 counting_element(const struct pit_channel_state *ch, u64 now)
{
	u64 e = elapsed(ch, now), phase;
	u32 modulus = ch->bcd ? 10000 : 65536;

	if (!ch->counting)
		return ch->count;
	switch (ch->mode) {
	case MODE_RATE:
		return ch->count - (u32)(e % ch->count);
	case MODE_SQUARE:
		phase = e % ch->count;
		if (phase >= high_half(ch->count))
			phase -= high_half(ch->count);
		return (ch->count & ~1u) - 2 * (u32)phase;
	default:
		return (u32)((ch->count + modulus - e % modulus) % modulus);
	}
}

static u16 to_bcd(u32 value)
{
	return (u16)(value % 10 | value / 10 % 10 << 4 | value / 100 % 10 << 8 | value / 1000 % 10 << 12);
}

static u32 from_bcd(u16 value)
{
	return (value & 0xfu) + (value >> 4 & 0xfu) * 10 + (value >> 8 & 0xfu) * 100 + (value >> 12) * 1000u;
}

static u16 readable(const struct pit_channel_state *ch, u64 now)
{
	u32 value = counting_element(ch, now);

	return ch->bcd ? to_bcd(value) : (u16)value;
}

/* ---- channel 0's interrupt ---- */

static bool irq_level(const struct pit_channel_state *ch, u64 now)
{
	return repeats(ch) || output(ch, now);
}

static void drive(struct pit *pit, u64 until)
{
	const struct pit_channel_state *ch = &pit->state.channel[0];

	if (edges(ch, until) != edges(ch, pit->state.seen))
		irq_set(&pit->irq, false);
	irq_set(&pit->irq, irq_level(ch, until));
	pit->state.seen = until;
}

/* A new count takes over at the end of the cycle, of a square wave at the end of the half: the other half begins. */
static void take_next(struct pit_channel_state *ch)
{
	bool middle = ch->mode == MODE_SQUARE && (ch->switches - ch->start) % ch->count == high_half(ch->count);

	ch->start = ch->switches - (middle ? high_half(ch->next) : 0);
	ch->count = ch->next;
	ch->next = 0;
	ch->null_count = false;
}

/* Brings all channels, and channel 0's interrupt, up to now. */
static void catch_up(struct pit *pit, u64 now)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		struct pit_channel_state *ch = &pit->state.channel[i];

		if (!ch->next || !repeats(ch) || ch->paused || ch->switches > now)
			continue;
		if (i == 0)
			drive(pit, ch->switches);
		take_next(ch);
	}
	drive(pit, now);
}

/* After catch_up() and a change: the line shows it at once, and the timer is set for the next rising edge. */
static void settle(struct pit *pit, u64 now)
{
	const struct pit_channel_state *ch = &pit->state.channel[0];
	u64 e = elapsed(ch, now), tick = CLOCK_NEVER;

	irq_set(&pit->irq, irq_level(ch, now));
	if (ch->counting && !ch->paused) {
		if (repeats(ch))
			tick = ch->start + (e / ch->count + 1) * ch->count;
		else if (!edges(ch, now))
			tick = ch->start + ch->count + (ch->mode >= MODE_STROBE);
		if (ch->next && repeats(ch))
			tick = min_u64(tick, ch->switches);
	}
	timer_set(pit->clock, &pit->timer, tick == CLOCK_NEVER ? CLOCK_NEVER : tick_ns(tick));
}

static void expire(void *device)
{
	struct pit *pit = device;
	u64 now = now_ticks(pit);

	catch_up(pit, now);
	settle(pit, now);
}

/* ---- counts and gates ---- */

static void start(struct pit_channel_state *ch, u64 now)
{
	if (ch->next)
		ch->count = ch->next;
	ch->next = 0;
	ch->counting = true;
	ch->null_count = false;
	ch->start = now;
	ch->elapsed = 0;
	ch->paused = !ch->gate && !triggered_by_gate(ch);
}

static void load(struct pit_channel_state *ch, u64 now, u16 written)
{
	u32 count = ch->bcd ? from_bcd(written) : written;
	u64 phase;

	if (!count)
		count = ch->bcd ? 10000 : 65536;
	ch->null_count = true;
	ch->next = count;
	if (triggered_by_gate(ch)) {
		if (!ch->counting)
			ch->count = count;
		return;
	}
	if (!repeats(ch) || !ch->counting) {
		start(ch, now);
		return;
	}
	phase = elapsed(ch, now) % ch->count;
	ch->switches = now - phase + ch->count;
	if (ch->mode == MODE_SQUARE && phase < high_half(ch->count))
		ch->switches = now - phase + high_half(ch->count);
}

/* "Gate Pin Operations Summary". */
static void set_gate(struct pit_channel_state *ch, u64 now, bool gate)
{
	if (gate == ch->gate)
		return;
	ch->gate = gate;
	if (triggered_by_gate(ch)) {
		if (gate && ch->count)
			start(ch, now);
	} else if (!gate) {
		ch->elapsed = elapsed(ch, now);
		ch->paused = true;
	} else if (ch->counting && repeats(ch)) {
		start(ch, now);
	} else {
		ch->start = now - ch->elapsed;
		ch->paused = false;
	}
}

/* ---- registers ---- */

static void latch_count(struct pit_channel_state *ch, u64 now)
{
	if (ch->latched_bytes)
		return;
	ch->latch = readable(ch, now);
	ch->latched_bytes = ch->access == ACCESS_BOTH ? 2 : 1;
	ch->low_read = false;
}

static void latch_status(struct pit_channel_state *ch, u64 now)
{
	if (ch->status_latched)
		return;
	ch->status_latched = true;
	ch->status = (u8)((output(ch, now) ? STATUS_OUT : 0) | (ch->null_count ? STATUS_NULL : 0) |
			  ch->access << 4 | ch->mode << 1 | (ch->bcd ? CONTROL_BCD : 0));
}

static void read_back(struct pit *pit, u64 now, u8 command)
{
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		if (!(command & BIT(i + 1)))
			continue;
		if (!(command & READ_BACK_NO_COUNT))
			latch_count(&pit->state.channel[i], now);
		if (!(command & READ_BACK_NO_STATUS))
			latch_status(&pit->state.channel[i], now);
	}
}

static void write_control(struct pit *pit, u64 now, u8 value)
{
	struct pit_channel_state *ch;
	unsigned mode = (unsigned)bits_extract(value, 3, 1);

	if (value >> 6 == READ_BACK) {
		read_back(pit, now, value);
		return;
	}
	ch = &pit->state.channel[value >> 6];
	if (bits_extract(value, 5, 4) == ACCESS_LATCH) {
		latch_count(ch, now);
		return;
	}
	*ch = (struct pit_channel_state){
		/* The third bit is "don't care" in modes 2 and 3. */
		.mode = (u8)(mode > MODE_TRIGGERED_STROBE ? mode & 3 : mode),
		.access = (u8)bits_extract(value, 5, 4),
		.bcd = value & CONTROL_BCD,
		.gate = ch->gate,
		.null_count = true,
	};
}

/* Mode 0 stops, output low, with the first byte of two. */
static void write_count(struct pit_channel_state *ch, u64 now, u8 value)
{
	switch (ch->access) {
	case ACCESS_LOW:
		load(ch, now, value);
		break;
	case ACCESS_HIGH:
		load(ch, now, (u16)(value << 8));
		break;
	default:
		if (ch->low_written) {
			ch->low_written = false;
			load(ch, now, (u16)(value << 8 | ch->low));
			break;
		}
		ch->low_written = true;
		ch->low = value;
		if (ch->mode == MODE_TERMINAL_COUNT)
			ch->counting = false;
		break;
	}
}

static u8 read_count(struct pit_channel_state *ch, u64 now)
{
	u16 value = ch->latched_bytes ? ch->latch : readable(ch, now);
	bool high = ch->access == ACCESS_HIGH || (ch->access == ACCESS_BOTH && ch->low_read);

	if (ch->status_latched) {
		ch->status_latched = false;
		return ch->status;
	}
	if (ch->latched_bytes)
		ch->latched_bytes--;
	if (ch->access == ACCESS_BOTH)
		ch->low_read = !ch->low_read;
	return (u8)(high ? value >> 8 : value);
}

static u64 read(void *device, u64 offset, unsigned size UNUSED)
{
	struct pit *pit = device;
	u64 now = now_ticks(pit);

	if (offset >= PIT_CHANNELS)
		return byte_mask(1);
	catch_up(pit, now);
	return read_count(&pit->state.channel[offset], now);
}

static void write(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	struct pit *pit = device;
	u64 now = now_ticks(pit);

	catch_up(pit, now);
	if (offset == CONTROL_PORT)
		write_control(pit, now, (u8)value);
	else
		write_count(&pit->state.channel[offset], now, (u8)value);
	settle(pit, now);
}

static u64 read_speaker(void *device, u64 offset UNUSED, unsigned size UNUSED)
{
	struct pit *pit = device;
	u64 now = now_ticks(pit);

	catch_up(pit, now);
	return pit->state.speaker | (clock_now(pit->clock) / REFRESH_NS & 1 ? SPEAKER_REFRESH : 0) |
	       (output(&pit->state.channel[2], now) ? SPEAKER_OUT : 0);
}

static void write_speaker(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct pit *pit = device;
	u64 now = now_ticks(pit);

	catch_up(pit, now);
	pit->state.speaker = (u8)(value & SPEAKER_WRITABLE);
	set_gate(&pit->state.channel[2], now, value & SPEAKER_GATE);
}

const struct bus_ops pit_ops = { .name = "pit", .widest = 1, .read = read, .write = write };
const struct bus_ops pit_speaker_ops = {
	.name = "port-61h", .widest = 1, .read = read_speaker, .write = write_speaker,
};

/* The chip powers up undefined: here nothing counts and channel 0's output is low. */
void pit_reset(struct pit *pit)
{
	u64 now = now_ticks(pit);

	pit->state = (struct pit_state){ .seen = now };
	for (unsigned i = 0; i < PIT_CHANNELS; i++) {
		pit->state.channel[i].access = ACCESS_BOTH;
		pit->state.channel[i].gate = i != 2;
	}
	settle(pit, now);
}

void pit_init(struct pit *pit, struct clock *clock, struct irq_line irq)
{
	*pit = (struct pit){ .clock = clock, .irq = irq };
	pit->timer = (struct timer){ .expire = expire, .device = pit, .deadline = CLOCK_NEVER };
	pit_reset(pit);
}

void pit_restored(struct pit *pit)
{
	settle(pit, now_ticks(pit));
}

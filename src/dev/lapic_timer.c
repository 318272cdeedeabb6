/*
 * The local APIC's timer ("APIC Timer"): one-shot, periodic and TSC-deadline.
 *
 * It counts a bus clock of 1 GHz through the divider, so a tick is as many nanoseconds as the divisor says. The count
 * itself is never stored: it is what is left until the deadline.
 */
#include "dev/lapic_parts.h"

/* "Divide Configuration Register": bits 0, 1 and 3 hold the power of two less one; all ones mean 1. */
static u64 tick_ns(const struct lapic *l)
{
	u32 code = (l->state.divide & 3) | (l->state.divide >> 1 & 4);

	return 1ull << ((code + 1) & 7);
}

enum lvt_timer_mode lapic_timer_mode(const struct lapic *l)
{
	return (enum lvt_timer_mode)bits_extract(l->state.lvt[LVT_TIMER], 18, 17);
}

static void set_deadline(struct lapic *l, u64 deadline)
{
	l->state.timer_deadline = deadline;
	timer_set(l->bus->clock, &l->timer, deadline);
}

void lapic_timer_rearm(struct lapic *l)
{
	timer_set(l->bus->clock, &l->timer, l->state.timer_deadline);
}

void lapic_timer_stop(struct lapic *l)
{
	set_deadline(l, CLOCK_NEVER);
}

/* Periods that were missed are dropped, not made up for, and the timer keeps its phase. */
static u64 next_period(const struct lapic *l)
{
	u64 period = l->state.initial_count * tick_ns(l);
	u64 now = clock_now(l->bus->clock);
	u64 due = l->state.timer_deadline;

	return now - due < period ? due + period : now + period - (now - due) % period;
}

static void expire(void *device)
{
	struct lapic *l = device;

	switch (lapic_timer_mode(l)) {
	case TIMER_PERIODIC:
		set_deadline(l, next_period(l));
		break;
	case TIMER_TSC_DEADLINE:
		l->state.tsc_deadline = 0;
		l->state.timer_deadline = CLOCK_NEVER;
		break;
	case TIMER_ONE_SHOT:
	case TIMER_RESERVED:
		l->state.timer_deadline = CLOCK_NEVER;
		break;
	}
	lapic_local_interrupt(l, LVT_TIMER);
}

void lapic_timer_init(struct lapic *l)
{
	l->timer = (struct timer){ .expire = expire, .device = l, .deadline = CLOCK_NEVER };
	l->state.timer_deadline = CLOCK_NEVER;
}

u32 lapic_timer_current(const struct lapic *l)
{
	u64 now = clock_now(l->bus->clock);
	u64 deadline = l->state.timer_deadline;

	if (deadline == CLOCK_NEVER || deadline <= now || lapic_timer_mode(l) == TIMER_TSC_DEADLINE)
		return 0;
	return (u32)((deadline - now + tick_ns(l) - 1) / tick_ns(l));
}

void lapic_timer_set_initial(struct lapic *l, u32 count)
{
	if (lapic_timer_mode(l) == TIMER_TSC_DEADLINE)
		return;
	l->state.initial_count = count;
	set_deadline(l, count ? clock_now(l->bus->clock) + count * tick_ns(l) : CLOCK_NEVER);
}

/* A running count goes on from where it is, at the new pace. */
void lapic_timer_set_divide(struct lapic *l, u32 value)
{
	u64 left = lapic_timer_current(l);

	l->state.divide = value;
	if (left)
		set_deadline(l, clock_now(l->bus->clock) + left * tick_ns(l));
}

/* "TSC-Deadline Mode": entering or leaving it disarms the timer. */
void lapic_timer_set_lvt(struct lapic *l, u32 value)
{
	bool by_deadline = lapic_timer_mode(l) == TIMER_TSC_DEADLINE;

	l->state.lvt[LVT_TIMER] = value;
	if (by_deadline == (lapic_timer_mode(l) == TIMER_TSC_DEADLINE))
		return;
	l->state.tsc_deadline = 0;
	l->state.initial_count = 0;
	lapic_timer_stop(l);
}

void lapic_timer_set_tsc_deadline(struct lapic *l, u64 deadline)
{
	u64 tsc, now, left;

	if (lapic_timer_mode(l) != TIMER_TSC_DEADLINE)
		return;
	l->state.tsc_deadline = deadline;
	if (!deadline) {
		lapic_timer_stop(l);
		return;
	}
	tsc = l->bus->hooks->tsc(l->bus->machine, l->processor);
	if (deadline <= tsc) {
		lapic_timer_stop(l);
		expire(l);
		return;
	}
	now = clock_now(l->bus->clock);
	left = deadline - tsc;
	set_deadline(l, left < CLOCK_NEVER - now ? now + left : CLOCK_NEVER);
}

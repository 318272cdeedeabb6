/*
 * The clock and its timers: see clock.h.
 *
 * The list of timers is short (one per chip and processor), so insertion walks it. A device that arms a timer for
 * the past from within its own expiry gets the next round, so that no guest can keep clock_expire() busy forever.
 */
#include "machine/clock.h"

#include "base/assert.h"
#include "host/host.h"

void clock_init(struct clock *clock, enum clock_kind kind, u64 wall_at_zero)
{
	*clock = (struct clock){ .kind = kind, .wall_at_zero = wall_at_zero };
	if (kind == CLOCK_HOST)
		clock->origin = host_time_ns();
}

u64 clock_now(const struct clock *clock)
{
	if (clock->kind == CLOCK_HOST)
		return host_time_ns() - clock->origin;
	return (clock->retired ? clock->retired(clock->source) : 0) + clock->skipped;
}

u64 clock_deadline(const struct clock *clock)
{
	return clock->timers ? clock->timers->deadline : CLOCK_NEVER;
}

static void unlink_timer(struct clock *clock, struct timer *timer)
{
	struct timer **at = &clock->timers;

	while (*at && *at != timer)
		at = &(*at)->next;
	if (*at)
		*at = timer->next;
	timer->next = NULL;
	timer->deadline = CLOCK_NEVER;
}

void timer_set(struct clock *clock, struct timer *timer, u64 deadline)
{
	u64 before = clock_deadline(clock);
	struct timer **at = &clock->timers;

	unlink_timer(clock, timer);
	if (deadline == CLOCK_NEVER)
		return;
	if (deadline <= clock->expiring)
		deadline = clock->expiring + 1;
	while (*at && (*at)->deadline <= deadline)
		at = &(*at)->next;
	timer->deadline = deadline;
	timer->next = *at;
	*at = timer;
	if (deadline < before && clock->changed)
		clock->changed(clock->waiter);
}

void clock_expire(struct clock *clock)
{
	u64 now = clock_now(clock);

	clock->expiring = now;
	while (clock->timers && clock->timers->deadline <= now) {
		struct timer *timer = clock->timers;

		unlink_timer(clock, timer);
		timer->expire(timer->device);
	}
	clock->expiring = 0;
}

void clock_skip_to(struct clock *clock, u64 time)
{
	u64 now = clock_now(clock);

	ASSERT(clock->kind == CLOCK_INSTRUCTIONS && time >= now);
	clock->skipped += time - now;
}

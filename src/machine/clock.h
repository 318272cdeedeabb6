/*
 * The machine's one clock: every time a guest can see comes from here.
 *
 * `host` follows the host's monotonic time; `instructions` is derived from the count of retired instructions (one each
 * nanosecond) plus the time skipped while every processor slept, so that a run repeats exactly. Times are
 * nanoseconds since power-on. Timers run with the bus lock held.
 */
#ifndef MACHINE_CLOCK_H
#define MACHINE_CLOCK_H

#include "base/types.h"

#define CLOCK_NEVER (~0ull)
#define CLOCK_NS_PER_SECOND 1000000000ull
/* The guest's time-stamp counter ticks once a nanosecond. */
#define CLOCK_TSC_HZ 1000000000ull

enum clock_kind { CLOCK_HOST, CLOCK_INSTRUCTIONS };

struct clock;

struct timer {
	void (*expire)(void *device);
	void *device;
	u64 deadline; /* ns; CLOCK_NEVER: not armed. Set by timer_set only */
	struct timer *next;
};

struct clock {
	enum clock_kind kind;
	u64 origin;                      /* host: host time at power-on, less the time already elapsed */
	u64 (*retired)(void *source);    /* instructions: the processors' count */
	void *source;
	u64 skipped;                     /* instructions: ns skipped in idle */
	struct timer *timers;            /* sorted by deadline */
	u64 expiring;                    /* in clock_expire: the time it began; what is armed meanwhile comes later */
	void (*changed)(void *waiter);   /* called when the earliest deadline moved forward */
	void *waiter;
	u64 wall_at_zero;                /* UTC nanoseconds since 1970 at power-on, for the RTC */
};

void clock_init(struct clock *clock, enum clock_kind kind, u64 wall_at_zero);
u64 clock_now(const struct clock *clock);
/* Arms or re-arms; a deadline in the past expires at the next clock_expire. CLOCK_NEVER disarms. */
void timer_set(struct clock *clock, struct timer *timer, u64 deadline);
/* The earliest deadline, or CLOCK_NEVER. */
u64 clock_deadline(const struct clock *clock);
/* Runs every timer whose deadline has come. */
void clock_expire(struct clock *clock);
/* instructions: jumps to the given time, which must not be in the past. */
void clock_skip_to(struct clock *clock, u64 time);

#endif

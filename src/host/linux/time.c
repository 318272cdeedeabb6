/* Time and randomness from Linux. */
#include <errno.h>
#include <sys/random.h>
#include <time.h>

#include "base/assert.h"
#include "host/host.h"

#define NS_PER_SECOND 1000000000ull

static u64 clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (u64)t.tv_sec * NS_PER_SECOND + (u64)t.tv_nsec;
}

u64 host_time_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

u64 host_wall_time_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

u64 host_random(void)
{
	u64 value;
	ssize_t got;

	/*
	 * Up to 256 bytes come whole once the pool is initialised; before that the call waits and a signal may end it.
	 */
	do {
		got = getrandom(&value, sizeof(value), 0);
	} while (got < 0 && errno == EINTR);
	ASSERT(got == sizeof(value));
	return value;
}

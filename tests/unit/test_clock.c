/* The clock: both kinds of time, and the order and re-arming of timers. */
#include "board_double.h"
#include "host_double.h"
#include "test.h"

static struct clock clock;
static u64 retired;
static unsigned changes;
static char order[16];
static unsigned fired;

static u64 count(void *source)
{
	(void)source;
	return retired;
}

static void note_change(void *waiter)
{
	(void)waiter;
	changes++;
}

/* device: the letter to write down. */
static void note(void *device)
{
	order[fired++] = *(const char *)device;
	order[fired] = 0;
}

static void setup(void)
{
	retired = 0;
	changes = 0;
	fired = 0;
	order[0] = 0;
	clock_init(&clock, CLOCK_INSTRUCTIONS, 0);
	clock.retired = count;
	clock.changed = note_change;
}

static struct timer timer(char *letter)
{
	return (struct timer){ .expire = note, .device = letter, .deadline = CLOCK_NEVER };
}

TEST("the host's clock starts at 0 and follows the host's time")
{
	host_double_ns = 5000;
	clock_init(&clock, CLOCK_HOST, 0);
	CHECK_EQ(clock_now(&clock), 0);
	host_double_ns = 7500;
	CHECK_EQ(clock_now(&clock), 2500);
}

TEST("the instruction clock is what has been retired plus what has been skipped, and nothing of the host's")
{
	setup();
	retired = 100;
	host_double_ns += 1000000;
	CHECK_EQ(clock_now(&clock), 100);
	clock_skip_to(&clock, 1000);
	CHECK_EQ(clock_now(&clock), 1000);
	retired = 101;
	CHECK_EQ(clock_now(&clock), 1001);
}

TEST("timers expire in the order of their deadlines, equal ones in the order of arming, and not before their time")
{
	struct timer a = timer("a"), b = timer("b"), c = timer("c"), d = timer("d");

	setup();
	timer_set(&clock, &a, 30);
	timer_set(&clock, &b, 10);
	timer_set(&clock, &c, 30);
	timer_set(&clock, &d, 31);
	retired = 9;
	clock_expire(&clock);
	CHECK_EQ(fired, 0);
	retired = 30;
	clock_expire(&clock);
	CHECK(order[0] == 'b' && order[1] == 'a' && order[2] == 'c' && fired == 3);
	CHECK_EQ(clock_deadline(&clock), 31);
}

TEST("an expired timer is disarmed, a disarmed one does not expire, a re-armed one expires once")
{
	struct timer a = timer("a"), b = timer("b");

	setup();
	timer_set(&clock, &a, 10);
	timer_set(&clock, &b, 10);
	timer_set(&clock, &b, CLOCK_NEVER);
	timer_set(&clock, &a, 20);
	retired = 15;
	clock_expire(&clock);
	CHECK_EQ(fired, 0);
	retired = 20;
	clock_expire(&clock);
	clock_expire(&clock);
	CHECK_EQ(fired, 1);
	CHECK_EQ(a.deadline, CLOCK_NEVER);
	CHECK_EQ(clock_deadline(&clock), CLOCK_NEVER);
}

TEST("a deadline in the past expires at the next clock_expire")
{
	struct timer a = timer("a");

	setup();
	retired = 100;
	timer_set(&clock, &a, 10);
	CHECK_EQ(fired, 0);
	clock_expire(&clock);
	CHECK_EQ(fired, 1);
}

TEST("the waiter hears of an earlier first deadline, and not of a later one")
{
	struct timer a = timer("a"), b = timer("b");

	setup();
	timer_set(&clock, &a, 50);
	CHECK_EQ(changes, 1);
	timer_set(&clock, &b, 60);
	CHECK_EQ(changes, 1);
	timer_set(&clock, &b, 40);
	CHECK_EQ(changes, 2);
	timer_set(&clock, &b, 45);
	CHECK_EQ(changes, 2);
}

static struct timer greedy;

static void rearm_at_once(void *device)
{
	note(device);
	timer_set(&clock, &greedy, 0);
}

TEST("a timer that arms itself for the past from its own expiry waits for the next round")
{
	struct timer b = timer("b");

	setup();
	greedy = (struct timer){ .expire = rearm_at_once, .device = "g", .deadline = CLOCK_NEVER };
	timer_set(&clock, &greedy, 5);
	timer_set(&clock, &b, 7);
	retired = 10;
	clock_expire(&clock);
	CHECK(order[0] == 'g' && order[1] == 'b' && fired == 2);
	CHECK_EQ(clock_deadline(&clock), 11);
	retired = 11;
	clock_expire(&clock);
	CHECK_EQ(fired, 3);
}

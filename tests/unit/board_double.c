/* A test bench's clock and wires: see board_double.h. */
#include "board_double.h"

void board_clock_init(struct clock *clock, u64 wall_at_zero)
{
	clock_init(clock, CLOCK_INSTRUCTIONS, wall_at_zero);
}

void board_advance(struct clock *clock, u64 ns)
{
	u64 end = clock_now(clock) + ns;

	while (clock_deadline(clock) <= end) {
		if (clock_deadline(clock) > clock_now(clock))
			clock_skip_to(clock, clock_deadline(clock));
		clock_expire(clock);
	}
	clock_skip_to(clock, end);
}

static void set(void *target, unsigned pin, bool level)
{
	struct wire *wire = target;

	(void)pin;
	wire->rises += level && !wire->level;
	wire->level = level;
}

struct irq_line wire_end(struct wire *wire)
{
	return (struct irq_line){ .set = set, .target = wire };
}

/* What a chip on a test bench hangs on: a clock that a test moves, and wires that count their edges. */
#ifndef TESTS_UNIT_BOARD_DOUBLE_H
#define TESTS_UNIT_BOARD_DOUBLE_H

#include "machine/clock.h"
#include "machine/irq.h"

/* A clock at 0 that only board_advance() moves. */
void board_clock_init(struct clock *clock, u64 wall_at_zero);
/* Lets ns nanoseconds pass, stopping at every timer on the way. */
void board_advance(struct clock *clock, u64 ns);

struct wire {
	bool level;
	unsigned rises;
};

struct irq_line wire_end(struct wire *wire);

#endif

/*
 * Reset control: see reset_control.h. A reset happens when RST_CPU goes from 0 to 1; soft or hard, the whole machine
 * restarts, because there is no firmware that could tell them apart.
 */
#include "dev/reset_control.h"

#include "base/bits.h"

#define SYS_RST BIT(1)
#define RST_CPU BIT(2)
#define FULL_RST BIT(3)
#define WRITABLE (SYS_RST | RST_CPU | FULL_RST)

static u64 read(void *device, u64 offset UNUSED, unsigned size UNUSED)
{
	const struct reset_control *rc = device;

	return rc->state.value;
}

static void write(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct reset_control *rc = device;
	bool reset = value & ~(u64)rc->state.value & RST_CPU;

	rc->state.value = (u8)(value & WRITABLE);
	if (reset)
		rc->reset(rc->machine);
}

const struct bus_ops reset_control_ops = { .name = "reset-control", .widest = 1, .read = read, .write = write };

void reset_control_reset(struct reset_control *rc)
{
	rc->state = (struct reset_control_state){ 0 };
}

void reset_control_init(struct reset_control *rc, void (*reset)(void *machine), void *machine)
{
	*rc = (struct reset_control){ .reset = reset, .machine = machine };
}

/* Port 92H: see port92.h. */
#include "dev/port92.h"

#include "base/bits.h"

#define FAST_RESET BIT(0) /* a rising edge resets */
#define A20 BIT(1)

static u64 read(void *device, u64 offset UNUSED, unsigned size UNUSED)
{
	const struct port92 *port = device;

	return port->state.value;
}

static void write(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct port92 *port = device;
	bool reset = value & ~(u64)port->state.value & FAST_RESET;

	port->state.value = (u8)(value & (FAST_RESET | A20));
	if (reset)
		port->reset(port->machine);
}

const struct bus_ops port92_ops = { .name = "port92", .widest = 1, .read = read, .write = write };

/* A20 is on, as firmware leaves it. */
void port92_reset(struct port92 *port)
{
	port->state = (struct port92_state){ .value = A20 };
}

void port92_init(struct port92 *port, void (*reset)(void *machine), void *machine)
{
	*port = (struct port92){ .reset = reset, .machine = machine };
	port92_reset(port);
}

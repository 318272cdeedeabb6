/* The debug-exit port: see debug_exit.h. It has no state. */
#include "dev/debug_exit.h"

static u64 read(void *device UNUSED, u64 offset UNUSED, unsigned size UNUSED)
{
	return 0;
}

static void write(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct debug_exit *port = device;

	port->exit(port->machine, (u32)value);
}

const struct bus_ops debug_exit_ops = { .name = "debug-exit", .read = read, .write = write };

void debug_exit_init(struct debug_exit *port, void (*exit)(void *machine, u32 value), void *machine)
{
	*port = (struct debug_exit){ .exit = exit, .machine = machine };
}

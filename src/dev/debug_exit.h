/*
 * A port that ends the machine with a number, as the test programs of other emulators expect ("isa-debug-exit").
 *
 * What becomes of the number is the machine's business; by convention a process's exit status is number * 2 + 1.
 */
#ifndef DEV_DEBUG_EXIT_H
#define DEV_DEBUG_EXIT_H

#include "machine/bus.h"

#define DEBUG_EXIT_PORTS 4u

struct debug_exit {
	void (*exit)(void *machine, u32 value);
	void *machine;
};

extern const struct bus_ops debug_exit_ops; /* device: struct debug_exit */

void debug_exit_init(struct debug_exit *port, void (*exit)(void *machine, u32 value), void *machine);

#endif

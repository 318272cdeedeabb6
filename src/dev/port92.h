/*
 * Port 92H, the PS/2's system control port A: fast A20 and fast reset.
 *
 * Processors have had no A20M# pin for years, so the bit is kept for programs that look at what they wrote, and
 * address bit 20 is never masked.
 */
#ifndef DEV_PORT92_H
#define DEV_PORT92_H

#include "machine/bus.h"

#define PORT92_PORT 0x92u

struct port92_state {
	u8 value;
};

struct port92 {
	struct port92_state state;
	void (*reset)(void *machine);
	void *machine;
};

extern const struct bus_ops port92_ops; /* device: struct port92; 1 port */

void port92_init(struct port92 *port, void (*reset)(void *machine), void *machine);
void port92_reset(struct port92 *port);

#endif

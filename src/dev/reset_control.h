/*
 * The chipset's reset control register (port CF9H), which the FADT names as RESET_REG.
 *
 * It lies inside the ports of PCI's configuration address, through which pci.c reaches it.
 */
#ifndef DEV_RESET_CONTROL_H
#define DEV_RESET_CONTROL_H

#include "machine/bus.h"

#define RESET_CONTROL_VALUE 6u /* FADT's RESET_VALUE: a hard reset */

struct reset_control_state {
	u8 value;
};

struct reset_control {
	struct reset_control_state state;
	void (*reset)(void *machine);
	void *machine;
};

extern const struct bus_ops reset_control_ops; /* device: struct reset_control; 1 port */

void reset_control_init(struct reset_control *rc, void (*reset)(void *machine), void *machine);
void reset_control_reset(struct reset_control *rc);

#endif

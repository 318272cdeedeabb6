/*
 * The keyboard controller ("8042 Keyboard Controller" in IBM's PS/2 technical reference), with a keyboard and a mouse
 * that nobody touches, and the reset line that half of all programs use to restart a PC.
 *
 * A20 is bookkeeping only, as in port92.h.
 */
#ifndef DEV_I8042_H
#define DEV_I8042_H

#include "dev/ps2.h"
#include "machine/bus.h"
#include "machine/irq.h"

#define I8042_DATA_PORT 0x60u    /* 1 port */
#define I8042_COMMAND_PORT 0x64u /* 1 port */
#define I8042_KEYBOARD_IRQ 1u
#define I8042_MOUSE_IRQ 12u
#define I8042_RAM_BYTES 32u

struct i8042_state {
	struct ps2_state keyboard, mouse;
	u8 ram[I8042_RAM_BYTES]; /* the first is the command byte */
	u8 output_port;
	u8 argument_of;          /* controller command whose data byte comes next; 0: none */
	bool last_was_command;   /* the status register's A2 bit */
	bool full, from_mouse, from_controller;
	u8 output;               /* the output buffer, while full */
};

struct i8042 {
	struct i8042_state state;
	struct irq_line keyboard_irq, mouse_irq;
	void (*reset)(void *machine);
	void *machine;
};

extern const struct bus_ops i8042_data_ops, i8042_command_ops; /* device: struct i8042 */

void i8042_init(struct i8042 *kbc, struct irq_line keyboard_irq, struct irq_line mouse_irq,
		void (*reset)(void *machine), void *machine);
void i8042_reset(struct i8042 *kbc);
/* After state was overwritten from a snapshot. */
void i8042_restored(struct i8042 *kbc);

#endif

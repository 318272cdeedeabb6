/*
 * PS/2 keyboard and mouse, as the i8042 sees them: they answer every command, and nobody ever touches them
 * ("IBM Personal System/2 Hardware Interface Technical Reference", keyboard and auxiliary device commands).
 */
#ifndef DEV_PS2_H
#define DEV_PS2_H

#include "base/types.h"

#define PS2_ANSWER_BYTES 8u

struct ps2_state {
	bool mouse;
	u8 argument_of;  /* the command whose argument comes next; 0: none */
	bool enabled;
	u8 scan_set;     /* keyboard: 1-3 */
	u8 mouse_status; /* first byte of a status request */
	u8 rate, resolution;
	bool wrap;       /* mouse: echoes */
	u8 answer[PS2_ANSWER_BYTES]; /* bytes on their way to the controller */
	u8 count;
	u8 last;         /* sent, for RESEND */
};

/* Power-on: reset done, nothing to say. */
void ps2_init(struct ps2_state *device, bool mouse);
/* A byte from the controller; unread answers are dropped. */
void ps2_write(struct ps2_state *device, u8 byte);
/* Takes the next byte of the answer, which must exist. */
u8 ps2_read(struct ps2_state *device);

#endif

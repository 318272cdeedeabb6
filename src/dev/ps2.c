/* PS/2 keyboard and mouse: see ps2.h. */
#include "dev/ps2.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/string.h"

#define ACK 0xfau
#define RESEND 0xfeu
#define SELF_TEST_PASSED 0xaau
#define ECHO 0xeeu

enum command {
	/* keyboard */
	CMD_LEDS = 0xed, CMD_ECHO = 0xee, CMD_SCAN_SET = 0xf0, CMD_KEY_TYPES_FIRST = 0xf7, CMD_KEY_TYPES_LAST = 0xfa,
	CMD_ONE_KEY_FIRST = 0xfb, CMD_ONE_KEY_LAST = 0xfd,
	/* mouse */
	CMD_SCALING_1 = 0xe6, CMD_SCALING_2 = 0xe7, CMD_RESOLUTION = 0xe8, CMD_STATUS = 0xe9, CMD_STREAM = 0xea,
	CMD_READ_DATA = 0xeb, CMD_WRAP_OFF = 0xec, CMD_WRAP_ON = 0xee, CMD_REMOTE = 0xf0,
	/* both */
	CMD_IDENTIFY = 0xf2, CMD_RATE = 0xf3, CMD_ENABLE = 0xf4, CMD_DISABLE = 0xf5, CMD_DEFAULTS = 0xf6,
	CMD_RESEND = 0xfe, CMD_RESET = 0xff,
};

#define MOUSE_SCALING_2 BIT(4)
#define MOUSE_ENABLED BIT(5)
#define MOUSE_REMOTE BIT(6)
#define MOUSE_PACKET_ALWAYS_SET BIT(3)
#define MOUSE_DEFAULT_RATE 100
#define MOUSE_DEFAULT_RESOLUTION 2
#define KEYBOARD_DEFAULT_SCAN_SET 2

static const u8 keyboard_identity[2] = { 0xab, 0x83 };

static void say(struct ps2_state *device, u8 byte)
{
	if (device->count < PS2_ANSWER_BYTES)
		device->answer[device->count++] = byte;
}

static void set_defaults(struct ps2_state *device)
{
	device->enabled = !device->mouse;
	device->scan_set = KEYBOARD_DEFAULT_SCAN_SET;
	device->mouse_status = 0;
	device->rate = MOUSE_DEFAULT_RATE;
	device->resolution = MOUSE_DEFAULT_RESOLUTION;
	device->wrap = false;
	device->argument_of = 0;
}

void ps2_init(struct ps2_state *device, bool mouse)
{
	*device = (struct ps2_state){ .mouse = mouse };
	set_defaults(device);
}

u8 ps2_read(struct ps2_state *device)
{
	device->last = device->answer[0];
	device->count--;
	memmove(device->answer, device->answer + 1, device->count);
	return device->last;
}

/* What both understand. false: not one of these. */
static bool common_command(struct ps2_state *device, u8 command)
{
	switch (command) {
	case CMD_ENABLE:
	case CMD_DISABLE:
		say(device, ACK);
		if (command == CMD_DISABLE && !device->mouse)
			set_defaults(device);
		device->enabled = command == CMD_ENABLE;
		return true;
	case CMD_DEFAULTS:
		say(device, ACK);
		set_defaults(device);
		return true;
	case CMD_RATE:
		say(device, ACK);
		device->argument_of = command;
		return true;
	case CMD_RESEND:
		say(device, device->last);
		return true;
	case CMD_RESET:
		set_defaults(device);
		say(device, ACK);
		say(device, SELF_TEST_PASSED);
		if (device->mouse)
			say(device, 0);
		return true;
	default:
		return false;
	}
}

static void keyboard_command(struct ps2_state *device, u8 command)
{
	switch (command) {
	case CMD_ECHO:
		say(device, ECHO);
		break;
	case CMD_IDENTIFY:
		say(device, ACK);
		say(device, keyboard_identity[0]);
		say(device, keyboard_identity[1]);
		break;
	case CMD_LEDS:
	case CMD_SCAN_SET:
	case CMD_ONE_KEY_FIRST ... CMD_ONE_KEY_LAST:
		device->argument_of = command;
		say(device, ACK);
		break;
	case CMD_KEY_TYPES_FIRST ... CMD_KEY_TYPES_LAST:
		say(device, ACK);
		break;
	default:
		say(device, RESEND);
		break;
	}
}

static void mouse_command(struct ps2_state *device, u8 command)
{
	switch (command) {
	case CMD_SCALING_1: device->mouse_status &= (u8)~MOUSE_SCALING_2; break;
	case CMD_SCALING_2: device->mouse_status |= MOUSE_SCALING_2; break;
	case CMD_STREAM: device->mouse_status &= (u8)~MOUSE_REMOTE; break;
	case CMD_REMOTE: device->mouse_status |= MOUSE_REMOTE; break;
	case CMD_WRAP_ON: device->wrap = true; break;
	case CMD_WRAP_OFF: device->wrap = false; break;
	case CMD_RESOLUTION: device->argument_of = command; break;
	case CMD_STATUS:
	case CMD_READ_DATA:
	case CMD_IDENTIFY: break;
	default:
		say(device, RESEND);
		return;
	}
	say(device, ACK);
	if (command == CMD_IDENTIFY) {
		say(device, 0);
	} else if (command == CMD_STATUS) {
		say(device, device->mouse_status | (device->enabled ? MOUSE_ENABLED : 0));
		say(device, device->resolution);
		say(device, device->rate);
	} else if (command == CMD_READ_DATA) {
		say(device, MOUSE_PACKET_ALWAYS_SET);
		say(device, 0);
		say(device, 0);
	}
}

/* The keyboard's scan set can be asked for with 0; LEDs, typematic rate and key types change nothing that shows. */
static void argument(struct ps2_state *device, u8 command, u8 value)
{
	say(device, ACK);
	if (command == CMD_RATE)
		device->rate = value;
	else if (command == CMD_RESOLUTION)
		device->resolution = value;
	else if (command == CMD_SCAN_SET && !value)
		say(device, device->scan_set);
	else if (command == CMD_SCAN_SET && value <= 3)
		device->scan_set = value;
}

void ps2_write(struct ps2_state *device, u8 byte)
{
	u8 command = device->argument_of;

	device->count = 0;
	device->argument_of = 0;
	if (command)
		argument(device, command, byte);
	else if (device->wrap && byte != CMD_WRAP_OFF && byte != CMD_RESET)
		say(device, byte);
	else if (common_command(device, byte))
		return;
	else if (device->mouse)
		mouse_command(device, byte);
	else
		keyboard_command(device, byte);
}

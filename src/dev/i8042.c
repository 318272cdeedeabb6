/*
 * Keyboard controller: see i8042.h.
 *
 * One byte at a time sits in the output buffer; when it is read, the devices' waiting answers move up, keyboard
 * first. Every change ends in update(), which fills the buffer and drives the two interrupts.
 */
#include "dev/i8042.h"

#include "base/bits.h"

#define STATUS_OUTPUT_FULL BIT(0)
#define STATUS_SYSTEM BIT(2)
#define STATUS_COMMAND BIT(3)
#define STATUS_UNLOCKED BIT(4)
#define STATUS_MOUSE BIT(5)

#define MODE_KEYBOARD_INTERRUPT BIT(0)
#define MODE_MOUSE_INTERRUPT BIT(1)
#define MODE_SYSTEM BIT(2)
#define MODE_KEYBOARD_OFF BIT(4)
#define MODE_MOUSE_OFF BIT(5)
#define MODE_TRANSLATE BIT(6)

#define PORT_NOT_RESET BIT(0)
#define PORT_A20 BIT(1)
#define PORT_KEYBOARD_FULL BIT(4)
#define PORT_MOUSE_FULL BIT(5)
#define PORT_DEVICE_LINES BITS(7, 6)

#define SELF_TEST_PASSED 0x55u
#define INTERFACE_TEST_PASSED 0u
#define INPUT_PORT 0xb0u /* keyboard not locked, manufacturing jumper off */
#define TEST_PORT 0u

enum command {
	CMD_READ_RAM = 0x20, CMD_READ_RAM_LAST = 0x3f, CMD_WRITE_RAM = 0x60, CMD_WRITE_RAM_LAST = 0x7f,
	CMD_MOUSE_OFF = 0xa7, CMD_MOUSE_ON = 0xa8, CMD_TEST_MOUSE = 0xa9, CMD_SELF_TEST = 0xaa,
	CMD_TEST_KEYBOARD = 0xab, CMD_KEYBOARD_OFF = 0xad, CMD_KEYBOARD_ON = 0xae, CMD_READ_INPUT_PORT = 0xc0,
	CMD_READ_OUTPUT_PORT = 0xd0,
	CMD_WRITE_OUTPUT_PORT = 0xd1, CMD_ECHO_KEYBOARD = 0xd2, CMD_ECHO_MOUSE = 0xd3, CMD_TO_MOUSE = 0xd4,
	CMD_A20_OFF = 0xdd, CMD_A20_ON = 0xdf, CMD_READ_TEST_PORT = 0xe0, CMD_PULSE = 0xf0,
};

static u8 *mode(struct i8042 *kbc)
{
	return &kbc->state.ram[0];
}

static void put(struct i8042 *kbc, u8 byte, bool from_mouse, bool from_controller)
{
	kbc->state.output = byte;
	kbc->state.full = true;
	kbc->state.from_mouse = from_mouse;
	kbc->state.from_controller = from_controller;
}

/*
 * Scan set 2 to set 1 also passes over a keyboard's answers; of those that ours gives only the self-test result, the
 * identity and the scan set could be touched, and of these ("Scan Code Translation") only 83H and the small numbers
 * are.
 */
static u8 translate(u8 byte)
{
	switch (byte) {
	case 0x83: return 0x41;
	case 0x01: return 0x43;
	case 0x02: return 0x41;
	case 0x03: return 0x3f;
	default: return byte;
	}
}

/* What the controller itself answers raises no interrupt. */
static void drive(struct i8042 *kbc)
{
	const struct i8042_state *s = &kbc->state;
	bool from_device = s->full && !s->from_controller;

	irq_set(&kbc->keyboard_irq, from_device && !s->from_mouse && (*mode(kbc) & MODE_KEYBOARD_INTERRUPT));
	irq_set(&kbc->mouse_irq, from_device && s->from_mouse && (*mode(kbc) & MODE_MOUSE_INTERRUPT));
}

static void update(struct i8042 *kbc)
{
	struct i8042_state *s = &kbc->state;

	if (!s->full && s->keyboard.count && !(*mode(kbc) & MODE_KEYBOARD_OFF)) {
		u8 byte = ps2_read(&s->keyboard);

		put(kbc, *mode(kbc) & MODE_TRANSLATE ? translate(byte) : byte, false, false);
	} else if (!s->full && s->mouse.count && !(*mode(kbc) & MODE_MOUSE_OFF)) {
		put(kbc, ps2_read(&s->mouse), true, false);
	}
	drive(kbc);
}

static u8 output_port(const struct i8042 *kbc)
{
	const struct i8042_state *s = &kbc->state;

	return s->output_port | (s->full ? s->from_mouse ? PORT_MOUSE_FULL : PORT_KEYBOARD_FULL : 0);
}

static void write_output_port(struct i8042 *kbc, u8 value)
{
	kbc->state.output_port = (value & (PORT_NOT_RESET | PORT_A20)) | PORT_DEVICE_LINES;
	if (!(value & PORT_NOT_RESET)) {
		kbc->state.output_port |= PORT_NOT_RESET;
		kbc->reset(kbc->machine);
	}
}

static void answer(struct i8042 *kbc, u8 byte)
{
	put(kbc, byte, false, true);
}

static void controller_command(struct i8042 *kbc, u8 command)
{
	switch (command) {
	case CMD_READ_RAM ... CMD_READ_RAM_LAST: answer(kbc, kbc->state.ram[command - CMD_READ_RAM]); break;
	case CMD_MOUSE_OFF: *mode(kbc) |= MODE_MOUSE_OFF; break;
	case CMD_MOUSE_ON: *mode(kbc) &= (u8)~MODE_MOUSE_OFF; break;
	case CMD_KEYBOARD_OFF: *mode(kbc) |= MODE_KEYBOARD_OFF; break;
	case CMD_KEYBOARD_ON: *mode(kbc) &= (u8)~MODE_KEYBOARD_OFF; break;
	case CMD_SELF_TEST:
		*mode(kbc) |= MODE_SYSTEM;
		answer(kbc, SELF_TEST_PASSED);
		break;
	case CMD_TEST_MOUSE:
	case CMD_TEST_KEYBOARD: answer(kbc, INTERFACE_TEST_PASSED); break;
	case CMD_READ_INPUT_PORT: answer(kbc, INPUT_PORT); break;
	case CMD_READ_OUTPUT_PORT: answer(kbc, output_port(kbc)); break;
	case CMD_READ_TEST_PORT: answer(kbc, TEST_PORT); break;
	case CMD_A20_OFF: kbc->state.output_port &= (u8)~PORT_A20; break;
	case CMD_A20_ON: kbc->state.output_port |= PORT_A20; break;
	case CMD_WRITE_RAM ... CMD_WRITE_RAM_LAST:
	case CMD_WRITE_OUTPUT_PORT:
	case CMD_ECHO_KEYBOARD:
	case CMD_ECHO_MOUSE:
	case CMD_TO_MOUSE: kbc->state.argument_of = command; break;
	default:
		/* The low bits of F0-FF say which lines of the output port not to pulse low; line 0 is reset. */
		if (command >= CMD_PULSE && !(command & PORT_NOT_RESET))
			kbc->reset(kbc->machine);
		break;
	}
}

static void command_argument(struct i8042 *kbc, u8 command, u8 value)
{
	switch (command) {
	case CMD_WRITE_RAM ... CMD_WRITE_RAM_LAST: kbc->state.ram[command - CMD_WRITE_RAM] = value; break;
	case CMD_WRITE_OUTPUT_PORT: write_output_port(kbc, value); break;
	case CMD_ECHO_KEYBOARD: put(kbc, value, false, false); break;
	case CMD_ECHO_MOUSE: put(kbc, value, true, false); break;
	case CMD_TO_MOUSE:
		*mode(kbc) &= (u8)~MODE_MOUSE_OFF;
		ps2_write(&kbc->state.mouse, value);
		break;
	default: break;
	}
}

static u64 read_data(void *device, u64 offset UNUSED, unsigned size UNUSED)
{
	struct i8042 *kbc = device;
	u8 value = kbc->state.output;

	kbc->state.full = false;
	drive(kbc); /* low first: the next byte is a new edge */
	update(kbc);
	return value;
}

/* Writing to a device turns its interface on. */
static void write_data(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct i8042 *kbc = device;
	u8 command = kbc->state.argument_of;

	kbc->state.last_was_command = false;
	kbc->state.argument_of = 0;
	if (command) {
		command_argument(kbc, command, (u8)value);
	} else {
		*mode(kbc) &= (u8)~MODE_KEYBOARD_OFF;
		ps2_write(&kbc->state.keyboard, (u8)value);
	}
	update(kbc);
}

static u64 read_status(void *device, u64 offset UNUSED, unsigned size UNUSED)
{
	struct i8042 *kbc = device;
	const struct i8042_state *s = &kbc->state;

	return STATUS_UNLOCKED | (s->full ? STATUS_OUTPUT_FULL : 0) | (*mode(kbc) & MODE_SYSTEM ? STATUS_SYSTEM : 0) |
	       (s->last_was_command ? STATUS_COMMAND : 0) | (s->full && s->from_mouse ? STATUS_MOUSE : 0);
}

static void write_command(void *device, u64 offset UNUSED, unsigned size UNUSED, u64 value)
{
	struct i8042 *kbc = device;

	kbc->state.last_was_command = true;
	kbc->state.argument_of = 0;
	controller_command(kbc, (u8)value);
	update(kbc);
}

const struct bus_ops i8042_data_ops = { .name = "i8042-data", .widest = 1, .read = read_data, .write = write_data };
const struct bus_ops i8042_command_ops = {
	.name = "i8042-command", .widest = 1, .read = read_status, .write = write_command,
};

/* As firmware leaves it: both interfaces on, tested, translating to scan set 1; A20 on. */
void i8042_reset(struct i8042 *kbc)
{
	kbc->state = (struct i8042_state){
		.ram = { MODE_KEYBOARD_INTERRUPT | MODE_MOUSE_INTERRUPT | MODE_SYSTEM | MODE_TRANSLATE },
		.output_port = PORT_NOT_RESET | PORT_A20 | PORT_DEVICE_LINES,
	};
	ps2_init(&kbc->state.keyboard, false);
	ps2_init(&kbc->state.mouse, true);
	update(kbc);
}

void i8042_init(struct i8042 *kbc, struct irq_line keyboard_irq, struct irq_line mouse_irq,
		void (*reset)(void *machine), void *machine)
{
	*kbc = (struct i8042){
		.keyboard_irq = keyboard_irq, .mouse_irq = mouse_irq, .reset = reset, .machine = machine,
	};
	i8042_reset(kbc);
}

void i8042_restored(struct i8042 *kbc)
{
	update(kbc);
}

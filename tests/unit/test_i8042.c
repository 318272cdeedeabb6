/* The keyboard controller with its two devices. */
#include "base/bits.h"
#include "board_double.h"
#include "dev/i8042.h"
#include "test.h"

#define FULL 0x01u
#define SYSTEM 0x04u
#define WAS_COMMAND 0x08u
#define FROM_MOUSE 0x20u
#define ACK 0xfau

static struct i8042 kbc;
static struct wire keyboard_irq, mouse_irq;
static unsigned resets;

static void reset(void *machine)
{
	(void)machine;
	resets++;
}

static void setup(void)
{
	keyboard_irq = mouse_irq = (struct wire){ 0 };
	resets = 0;
	i8042_init(&kbc, wire_end(&keyboard_irq), wire_end(&mouse_irq), reset, NULL);
}

static u8 status(void)
{
	return (u8)i8042_command_ops.read(&kbc, 0, 1);
}

static u8 data(void)
{
	return (u8)i8042_data_ops.read(&kbc, 0, 1);
}

static void command(u8 value)
{
	i8042_command_ops.write(&kbc, 0, 1, value);
}

static void write(u8 value)
{
	i8042_data_ops.write(&kbc, 0, 1, value);
}

static void to_mouse(u8 value)
{
	command(0xd4);
	write(value);
}

static void write_mode(u8 value)
{
	command(0x60);
	write(value);
}

TEST("the controller's and the interfaces' self-tests pass, without an interrupt")
{
	setup();
	command(0xaa);
	CHECK_EQ(status() & (FULL | SYSTEM | FROM_MOUSE), FULL | SYSTEM);
	CHECK_EQ(data(), 0x55);
	CHECK(!(status() & FULL));
	command(0xab);
	CHECK_EQ(data(), 0);
	command(0xa9);
	CHECK_EQ(data(), 0);
	CHECK_EQ(keyboard_irq.rises + mouse_irq.rises, 0);
}

TEST("status tells whether the last write was a command")
{
	setup();
	command(0xab);
	CHECK(status() & WAS_COMMAND);
	write(0xf4);
	CHECK(!(status() & WAS_COMMAND));
}

TEST("the command byte and the controller's memory read as written")
{
	setup();
	command(0x20);
	CHECK_EQ(data(), 0x47);
	write_mode(0x30);
	command(0x20);
	CHECK_EQ(data(), 0x30);
	command(0x65);
	write(0xab);
	command(0x25);
	CHECK_EQ(data(), 0xab);
}

TEST("enabling and disabling an interface are bits of the command byte")
{
	setup();
	command(0xad);
	command(0xa7);
	command(0x20);
	CHECK_EQ(data() & 0x30, 0x30);
	command(0xae);
	command(0xa8);
	command(0x20);
	CHECK_EQ(data() & 0x30, 0);
}

TEST("the keyboard's reset answers ACK and AAH, each with an interrupt of its own")
{
	setup();
	write(0xff);
	CHECK_EQ(keyboard_irq.rises, 1);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(keyboard_irq.rises, 2);
	CHECK_EQ(data(), 0xaa);
	CHECK(!keyboard_irq.level);
	CHECK(!(status() & FULL));
}

TEST("with its interrupt disabled in the command byte the keyboard only fills the buffer")
{
	setup();
	write_mode(0x44);
	write(0xee);
	CHECK(status() & FULL);
	CHECK(!keyboard_irq.level);
	CHECK_EQ(data(), 0xee);
}

TEST("with its interrupt disabled in the command byte the mouse only fills the buffer")
{
	setup();
	write_mode(0x01);
	to_mouse(0xf4);
	CHECK_EQ(status() & (FULL | FROM_MOUSE), FULL | FROM_MOUSE);
	CHECK(!mouse_irq.level && !keyboard_irq.level);
	CHECK_EQ(data(), ACK);
}

TEST("the keyboard's identity is AB 83, which translation turns into AB 41")
{
	setup();
	write_mode(0x05);
	write(0xf2);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 0xab);
	CHECK_EQ(data(), 0x83);
	write_mode(0x45);
	write(0xf2);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 0xab);
	CHECK_EQ(data(), 0x41);
}

TEST("keyboard commands with an argument acknowledge both bytes; an unknown one asks to resend")
{
	setup();
	write(0xed);
	CHECK_EQ(data(), ACK);
	write(0x07);
	CHECK_EQ(data(), ACK);
	write(0x10);
	CHECK_EQ(data(), 0xfe);
}

TEST("the scan set is 2 until changed, and 0 asks for it")
{
	setup();
	write_mode(0x05);
	write(0xf0);
	data();
	write(0);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 2);
	write(0xf0);
	data();
	write(1);
	data();
	write(0xf0);
	data();
	write(0);
	data();
	CHECK_EQ(data(), 1);
}

/* "Default Disable (F5h)", "Select Alternate Scan Codes (F0h)". */
TEST("disabling the keyboard, and defaults, bring scan set 2 back; there is no scan set 4")
{
	static const u8 commands[] = { 0xf5, 0xf6, 0xff };

	for (unsigned i = 0; i < 3; i++) {
		setup();
		write_mode(0x05);
		write(0xf0);
		data();
		write(3);
		data();
		write(0xf0);
		data();
		write(4);
		data();
		CHECK_EQ(kbc.state.keyboard.scan_set, 3);
		write(0xf4);
		data();
		CHECK_EQ(kbc.state.keyboard.scan_set, 3);
		write(commands[i]);
		CHECK_EQ(data(), ACK);
		CHECK_EQ(kbc.state.keyboard.scan_set, 2);
		CHECK_EQ(kbc.state.keyboard.enabled, i != 0);
	}
}

TEST("disabling the mouse keeps its rate, defaults do not; it reports neither until enabled")
{
	setup();
	CHECK(!kbc.state.mouse.enabled);
	to_mouse(0xf3);
	data();
	to_mouse(40);
	data();
	to_mouse(0xf4);
	data();
	CHECK(kbc.state.mouse.enabled);
	to_mouse(0xf5);
	data();
	CHECK(!kbc.state.mouse.enabled);
	CHECK_EQ(kbc.state.mouse.rate, 40);
	to_mouse(0xf6);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(kbc.state.mouse.rate, 100);
	to_mouse(0x10);
	CHECK_EQ(data(), 0xfe);
}

TEST("resend repeats the last byte")
{
	setup();
	write(0xee);
	CHECK_EQ(data(), 0xee);
	write(0xfe);
	CHECK_EQ(data(), 0xee);
}

TEST("what is written through D4H goes to the mouse, whose answers are marked and interrupt on their own line")
{
	setup();
	to_mouse(0xff);
	CHECK(status() & FROM_MOUSE);
	CHECK(mouse_irq.level && !keyboard_irq.level);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 0xaa);
	CHECK_EQ(data(), 0);
	CHECK(!(status() & (FULL | FROM_MOUSE)));
}

TEST("the mouse tells identity, status and an idle packet, and keeps rate and resolution")
{
	setup();
	to_mouse(0xf2);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 0);
	to_mouse(0xf3);
	data();
	to_mouse(200);
	data();
	to_mouse(0xe8);
	data();
	to_mouse(3);
	data();
	to_mouse(0xf4);
	data();
	to_mouse(0xe9);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 0x20);
	CHECK_EQ(data(), 3);
	CHECK_EQ(data(), 200);
	to_mouse(0xeb);
	CHECK_EQ(data(), ACK);
	CHECK_EQ(data(), 0x08);
	CHECK_EQ(data(), 0);
	CHECK_EQ(data(), 0);
}

TEST("in wrap mode the mouse echoes until told otherwise")
{
	setup();
	to_mouse(0xee);
	data();
	to_mouse(0xf4);
	CHECK_EQ(data(), 0xf4);
	to_mouse(0xec);
	CHECK_EQ(data(), ACK);
	to_mouse(0xf4);
	CHECK_EQ(data(), ACK);
}

TEST("D2 and D3 put a byte into the buffer as if keyboard or mouse had sent it")
{
	setup();
	command(0xd2);
	write(0x5a);
	CHECK(keyboard_irq.level);
	CHECK_EQ(data(), 0x5a);
	command(0xd3);
	write(0xa5);
	CHECK(mouse_irq.level);
	CHECK(status() & FROM_MOUSE);
	CHECK_EQ(data(), 0xa5);
}

TEST("a disabled interface holds its device's answers back")
{
	setup();
	write(0xff);
	data();
	command(0xad);
	CHECK(status() & FULL);
	data();
	CHECK(!(status() & FULL));
	write(0xff);
	CHECK_EQ(data(), ACK);
	setup();
	write(0xff);
	command(0xad);
	CHECK_EQ(data(), ACK);
	CHECK(!(status() & FULL));
	command(0xae);
	CHECK_EQ(data(), 0xaa);
}

/* A20 and reset are bits 1 and 0 of the output port. */
TEST("A20 can be set through D1, DD and DF, and D0 shows it")
{
	setup();
	command(0xd0);
	CHECK_EQ(data() & 3, 3);
	command(0xdd);
	command(0xd0);
	CHECK_EQ(data() & 2, 0);
	command(0xdf);
	command(0xd0);
	CHECK_EQ(data() & 2, 2);
	command(0xd1);
	write(0x01);
	command(0xd0);
	CHECK_EQ(data() & 2, 0);
	CHECK_EQ(resets, 0);
}

TEST("pulsing line 0 resets, pulsing others does not, nor pulsing none; so does writing the output port's bit 0 low")
{
	setup();
	command(0xff);
	command(0xfd);
	CHECK_EQ(resets, 0);
	command(0xfe);
	CHECK_EQ(resets, 1);
	command(0xf0);
	CHECK_EQ(resets, 2);
	command(0xd1);
	write(0x02);
	CHECK_EQ(resets, 3);
}

TEST("a command in the middle of another's argument drops the first")
{
	setup();
	command(0x60);
	command(0xaa);
	CHECK_EQ(data(), 0x55);
	write(0xee);
	CHECK_EQ(data(), 0xee);
	command(0x20);
	CHECK_EQ(data(), 0x47);
}

TEST("a state copied back holds the same byte and drives the same interrupt")
{
	struct i8042_state saved;

	setup();
	write(0xee);
	saved = kbc.state;
	i8042_reset(&kbc);
	CHECK(!keyboard_irq.level);
	kbc.state = saved;
	i8042_restored(&kbc);
	CHECK(keyboard_irq.level);
	CHECK_EQ(data(), 0xee);
}

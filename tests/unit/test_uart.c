/* The 16550A: data both ways, FIFOs, interrupts and their priorities, loopback, modem lines. */
#include <string.h>

#include "base/bits.h"
#include "board_double.h"
#include "dev/uart.h"
#include "host_double.h"
#include "test.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };
enum { NONE = 1, MODEM = 0, TRANSMITTER = 2, RECEIVED = 4, LINE = 6, TIMEOUT = 12 };

#define DLAB 0x80u
#define OUT2 0x08u
#define LOOP 0x10u
#define FIFOS 0xc0u

static struct host_stream stream;
static struct uart uart;
static struct wire irq;

static void out(unsigned offset, u8 value)
{
	uart_ops.write(&uart, offset, 1, value);
}

static u8 in(unsigned offset)
{
	return (u8)uart_ops.read(&uart, offset, 1);
}

static size_t type(const char *text)
{
	return host_double_type(&stream, text, strlen(text));
}

/* A port whose interrupts reach the wire. */
static void setup(void)
{
	memset(&stream, 0, sizeof(stream));
	irq = (struct wire){ 0 };
	uart_init(&uart, &stream, wire_end(&irq));
	out(MCR, OUT2);
	in(MSR);
}

static void setup_fifos(void)
{
	setup();
	out(FCR, 0x01);
}

TEST("what is written goes out, in order and at once, and the transmitter is always empty")
{
	setup();
	for (const char *c = "subring"; *c; c++) {
		CHECK_EQ(in(LSR), 0x60);
		out(DATA, (u8)*c);
	}
	CHECK_EQ(stream.count, 7);
	CHECK(!memcmp(stream.written, "subring", 7));
}

TEST("what the host sends is read in order, and LSR says when there is more")
{
	setup_fifos();
	CHECK_EQ(type("abc"), 3);
	for (const char *c = "abc"; *c; c++) {
		CHECK(in(LSR) & 1);
		CHECK_EQ(in(DATA), *c);
	}
	CHECK(!(in(LSR) & 1));
	CHECK_EQ(in(DATA), 'c');
}

/* "FIFO Control Register". */
TEST("there is room for one byte without FIFOs and sixteen with; reading makes room and says so")
{
	setup();
	CHECK_EQ(type("ab"), 1);
	CHECK_EQ(type("b"), 0);
	stream.resumed = 0;
	in(DATA);
	CHECK(stream.resumed);
	CHECK_EQ(type("b"), 1);
	setup_fifos();
	CHECK_EQ(type("0123456789abcdefg"), 16);
	CHECK(!(in(LSR) & 2));
	CHECK_EQ(in(DATA), '0');
	CHECK_EQ(type("g"), 1);
}

TEST("IIR shows enabled FIFOs; enabling, disabling and clearing empties them")
{
	setup();
	CHECK_EQ(in(IIR), NONE);
	out(FCR, 1);
	CHECK_EQ(in(IIR), FIFOS | NONE);
	type("abc");
	out(FCR, 3);
	CHECK(!(in(LSR) & 1));
	type("abc");
	out(FCR, 0);
	CHECK(!(in(LSR) & 1));
	out(FCR, 0xc0);
	out(FCR, 1);
	CHECK_EQ(uart.state.fcr, 1);
}

TEST("the divisor hides behind DLAB, and the scratch register keeps anything")
{
	setup();
	out(LCR, DLAB | 3);
	out(DATA, 0x0c);
	out(IER, 0x01);
	CHECK_EQ(in(DATA), 0x0c);
	CHECK_EQ(in(IER), 0x01);
	CHECK_EQ(stream.count, 0);
	out(LCR, 3);
	CHECK_EQ(in(LCR), 3);
	CHECK_EQ(in(IER), 0);
	CHECK_EQ(uart.state.divisor, 0x010c);
	out(SCR, 0xa5);
	CHECK_EQ(in(SCR), 0xa5);
}

/* ---- "Interrupt Identification Register" ---- */

TEST("received data interrupts only if enabled, until it has been read")
{
	setup();
	type("a");
	CHECK(!irq.level);
	out(IER, 1);
	CHECK(irq.level);
	CHECK_EQ(in(IIR), RECEIVED);
	CHECK(irq.level);
	in(DATA);
	CHECK(!irq.level);
	CHECK_EQ(in(IIR), NONE);
}

TEST("with FIFOs, data below the trigger level is a timeout, at it received data")
{
	setup();
	out(FCR, 0x41);
	out(IER, 1);
	type("abc");
	CHECK_EQ(in(IIR), FIFOS | TIMEOUT);
	type("d");
	CHECK_EQ(in(IIR), FIFOS | RECEIVED);
	in(DATA);
	CHECK_EQ(in(IIR), FIFOS | TIMEOUT);
	CHECK(irq.level);
}

TEST("the trigger levels are 1, 4, 8 and 14")
{
	static const unsigned levels[4] = { 1, 4, 8, 14 };

	for (u8 code = 0; code < 4; code++) {
		setup();
		out(FCR, (u8)(code << 6 | 1));
		out(IER, 1);
		for (unsigned count = 1; count <= 16; count++) {
			type("x");
			CHECK_EQ(in(IIR), FIFOS | (count >= levels[code] ? RECEIVED : TIMEOUT));
		}
	}
}

TEST("the transmitter interrupt comes when enabled and after each write; reading IIR ends it if it was the cause")
{
	setup();
	CHECK_EQ(in(IIR), NONE);
	out(IER, 2);
	CHECK(irq.level);
	CHECK_EQ(in(IIR), TRANSMITTER);
	CHECK(!irq.level);
	CHECK_EQ(in(IIR), NONE);
	out(DATA, 'x');
	CHECK(irq.level);
	type("a");
	out(IER, 3);
	CHECK_EQ(in(IIR), RECEIVED);
	in(DATA);
	CHECK_EQ(in(IIR), TRANSMITTER);
}

TEST("enabling the transmitter interrupt again while it is enabled does not raise it again")
{
	setup();
	out(IER, 2);
	CHECK_EQ(in(IIR), TRANSMITTER);
	out(IER, 3);
	CHECK_EQ(in(IIR), NONE);
	out(IER, 0);
	out(IER, 2);
	CHECK_EQ(in(IIR), TRANSMITTER);
}

TEST("clearing a full FIFO asks the host for more")
{
	setup_fifos();
	type("0123456789abcdef");
	stream.resumed = 0;
	out(SCR, 0);
	CHECK_EQ(stream.resumed, 0);
	out(FCR, 3);
	CHECK(stream.resumed);
}

TEST("the causes come in order: line, received, transmitter, modem")
{
	setup();
	out(MCR, LOOP | OUT2);
	out(IER, 0x0f);
	in(MSR);
	out(DATA, 'a');
	out(DATA, 'b');
	out(MCR, LOOP | OUT2 | 2);
	CHECK_EQ(in(IIR), LINE);
	CHECK_EQ(in(LSR), 0x63);
	CHECK_EQ(in(IIR), RECEIVED);
	CHECK_EQ(in(DATA), 'b');
	CHECK_EQ(in(IIR), TRANSMITTER);
	CHECK_EQ(in(IIR), MODEM);
	CHECK_EQ(in(MSR) & 0x1f, 0x11);
	CHECK_EQ(in(IIR), NONE);
	CHECK(!irq.level);
}

TEST("OUT2 gates the interrupt line, not the causes")
{
	setup();
	out(MCR, 0);
	out(IER, 2);
	CHECK(!irq.level);
	out(MCR, OUT2);
	CHECK(irq.level);
}

TEST("undefined IER bits read as zero")
{
	setup();
	out(IER, 0xff);
	CHECK_EQ(in(IER), 0x0f);
}

/* ---- loopback ---- */

TEST("in loopback the port hears itself, the line is silent, and the host's bytes wait")
{
	setup_fifos();
	out(MCR, LOOP | OUT2);
	out(DATA, 'x');
	CHECK_EQ(stream.count, 0);
	CHECK_EQ(in(DATA), 'x');
	CHECK_EQ(type("a"), 0);
	stream.resumed = 0;
	out(MCR, OUT2);
	CHECK(stream.resumed);
	CHECK_EQ(type("a"), 1);
}

TEST("an overrun keeps the FIFO and replaces a single byte; LSR says it once")
{
	setup_fifos();
	out(MCR, LOOP);
	for (u8 i = 0; i < 17; i++)
		out(DATA, i);
	CHECK_EQ(in(LSR), 0x63);
	CHECK_EQ(in(LSR), 0x61);
	for (u8 i = 0; i < 16; i++)
		CHECK_EQ(in(DATA), i);
	CHECK(!(in(LSR) & 1));
}

TEST("a break in loopback is received as a zero with the break bit")
{
	setup_fifos();
	out(MCR, LOOP);
	out(LCR, 0x43);
	CHECK_EQ(in(LSR), 0x71);
	CHECK_EQ(in(DATA), 0);
	out(LCR, 0x03);
	CHECK_EQ(in(LSR), 0x60);
}

TEST("in loopback the modem inputs are the outputs: RTS-CTS, DTR-DSR, OUT1-RI, OUT2-DCD")
{
	setup();
	out(MCR, LOOP);
	CHECK_EQ(in(MSR) & 0xf0, 0);
	out(MCR, LOOP | 2);
	CHECK_EQ(in(MSR), 0x11);
	CHECK_EQ(in(MSR), 0x10);
	out(MCR, LOOP | 1);
	CHECK_EQ(in(MSR), 0x23);
	out(MCR, LOOP | 8);
	CHECK_EQ(in(MSR), 0x8a);
}

TEST("RI counts when it ends, not when it begins")
{
	setup();
	out(MCR, LOOP);
	in(MSR);
	out(MCR, LOOP | 4);
	CHECK_EQ(in(MSR), 0x40);
	out(MCR, LOOP);
	CHECK_EQ(in(MSR), 0x04);
}

TEST("a connected port sees a ready peer, an unconnected one nobody, and drops what is written")
{
	setup();
	CHECK_EQ(in(MSR), 0xb0);
	uart_init(&uart, NULL, wire_end(&irq));
	CHECK_EQ(in(MSR), 0);
	out(DATA, 'x');
	CHECK_EQ(in(LSR), 0x60);
}

/* "Reset Configuration". */
TEST("reset clears everything but divisor and scratch")
{
	setup_fifos();
	out(SCR, 0x5a);
	out(IER, 0x0f);
	type("abc");
	uart_reset(&uart);
	CHECK(!irq.level);
	CHECK_EQ(in(SCR), 0x5a);
	CHECK_EQ(in(IER) | in(LCR) | in(MCR), 0);
	CHECK_EQ(in(IIR), NONE);
	CHECK_EQ(in(LSR), 0x60);
}

TEST("a state copied back drives its interrupt and asks for more input")
{
	struct uart_state saved;

	setup();
	out(IER, 1);
	type("a");
	saved = uart.state;
	uart_reset(&uart);
	uart.state = saved;
	uart_restored(&uart);
	CHECK(irq.level);
	CHECK_EQ(in(DATA), 'a');
}

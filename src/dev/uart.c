/*
 * 16550A: see uart.h.
 *
 * The host offers bytes only when the receiver has room, so an overrun can come only from the loopback. Every change
 * ends in update(), which drives the interrupt line from the causes that are pending and enabled.
 */
#include "dev/uart.h"

#include "base/bits.h"
#include "base/string.h"

/* Registers; 0 and 1 are the divisor's bytes while LCR.DLAB is set. */
enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RECEIVED BIT(0)
#define IER_TRANSMITTER BIT(1)
#define IER_LINE BIT(2)
#define IER_MODEM BIT(3)
#define IER_DEFINED BITS(3, 0)

#define FCR_ENABLE BIT(0)
#define FCR_CLEAR_RECEIVER BIT(1)
#define FCR_DEFINED (BITS(7, 6) | BIT(3) | BIT(0))

#define LCR_BREAK BIT(6)
#define LCR_DLAB BIT(7)

#define MCR_DTR BIT(0)
#define MCR_RTS BIT(1)
#define MCR_OUT1 BIT(2)
#define MCR_OUT2 BIT(3) /* in a PC, the gate of the interrupt */
#define MCR_LOOP BIT(4)
#define MCR_DEFINED BITS(4, 0)

#define LSR_DATA BIT(0)
#define LSR_OVERRUN BIT(1)
#define LSR_BREAK BIT(4)
#define LSR_TRANSMITTER_EMPTY (BIT(5) | BIT(6))

#define MSR_CTS BIT(4)
#define MSR_DSR BIT(5)
#define MSR_RI BIT(6)
#define MSR_DCD BIT(7)
#define MSR_LINES BITS(7, 4)
#define MSR_RI_FELL BIT(2)
#define MSR_CHANGES BITS(3, 0)

#define IIR_FIFOS BITS(7, 6)

/* "Interrupt Identification Register", highest priority first. */
enum cause {
	CAUSE_LINE = 6, CAUSE_RECEIVED = 4, CAUSE_TIMEOUT = 12, CAUSE_TRANSMITTER = 2, CAUSE_MODEM = 0, CAUSE_NONE = 1,
};

static const u8 trigger_levels[4] = { 1, 4, 8, 14 };

static bool has_fifos(const struct uart *uart)
{
	return uart->state.fcr & FCR_ENABLE;
}

static unsigned capacity(const struct uart *uart)
{
	return has_fifos(uart) ? UART_FIFO_BYTES : 1;
}

static enum cause cause(const struct uart *uart)
{
	const struct uart_state *s = &uart->state;
	unsigned trigger = has_fifos(uart) ? trigger_levels[s->fcr >> 6] : 1;

	if ((s->ier & IER_LINE) && s->errors)
		return CAUSE_LINE;
	if ((s->ier & IER_RECEIVED) && s->count)
		return s->count >= trigger ? CAUSE_RECEIVED : CAUSE_TIMEOUT;
	if ((s->ier & IER_TRANSMITTER) && s->transmitter_empty)
		return CAUSE_TRANSMITTER;
	if ((s->ier & IER_MODEM) && (s->msr & MSR_CHANGES))
		return CAUSE_MODEM;
	return CAUSE_NONE;
}

static void update(struct uart *uart)
{
	irq_set(&uart->irq, (uart->state.mcr & MCR_OUT2) && cause(uart) != CAUSE_NONE);
}

/* ---- receiving ---- */

/* A full FIFO keeps what it has; without FIFOs the new character replaces the old one. */
static void push(struct uart *uart, u8 byte)
{
	struct uart_state *s = &uart->state;

	if (s->count == capacity(uart)) {
		s->errors |= LSR_OVERRUN;
		if (!has_fifos(uart))
			s->fifo[s->first] = byte;
		return;
	}
	s->fifo[(s->first + s->count) % UART_FIFO_BYTES] = byte;
	s->count++;
}

static u8 pop(struct uart *uart)
{
	struct uart_state *s = &uart->state;

	if (s->count) {
		s->last = s->fifo[s->first];
		s->first = (s->first + 1) % UART_FIFO_BYTES;
		s->count--;
	}
	return s->last;
}

/* In loopback the receiver is disconnected from the line; what the host has waits. */
static size_t room(void *device)
{
	const struct uart *uart = device;

	return uart->state.mcr & MCR_LOOP ? 0 : capacity(uart) - uart->state.count;
}

static void receive(void *device, const u8 *bytes, size_t count)
{
	struct uart *uart = device;

	for (size_t i = 0; i < count; i++)
		push(uart, bytes[i]);
	update(uart);
}

static void resume(struct uart *uart)
{
	if (uart->stream && room(uart))
		host_stream_resume(uart->stream);
}

/* ---- registers ---- */

static u8 read_iir(struct uart *uart)
{
	enum cause now = cause(uart);

	if (now == CAUSE_TRANSMITTER)
		uart->state.transmitter_empty = false;
	return (u8)(now | (has_fifos(uart) ? IIR_FIFOS : 0));
}

static u8 read_lsr(struct uart *uart)
{
	u8 value = (u8)(LSR_TRANSMITTER_EMPTY | uart->state.errors | (uart->state.count ? LSR_DATA : 0));

	uart->state.errors = 0;
	return value;
}

static u8 read_msr(struct uart *uart)
{
	u8 value = uart->state.msr;

	uart->state.msr &= MSR_LINES;
	return value;
}

static u64 read(void *device, u64 offset, unsigned size UNUSED)
{
	struct uart *uart = device;
	struct uart_state *s = &uart->state;
	u8 value = 0;

	switch (offset) {
	case REG_DATA:
		value = s->lcr & LCR_DLAB ? (u8)s->divisor : pop(uart);
		break;
	case REG_IER:
		value = s->lcr & LCR_DLAB ? s->divisor >> 8 : s->ier;
		break;
	case REG_IIR_FCR: value = read_iir(uart); break;
	case REG_LCR: value = s->lcr; break;
	case REG_MCR: value = s->mcr; break;
	case REG_LSR: value = read_lsr(uart); break;
	case REG_MSR: value = read_msr(uart); break;
	case REG_SCR: value = s->scr; break;
	default: break;
	}
	update(uart);
	if (offset == REG_DATA)
		resume(uart);
	return value;
}

static void transmit(struct uart *uart, u8 byte)
{
	if (uart->state.mcr & MCR_LOOP)
		push(uart, byte);
	else if (uart->stream)
		host_stream_write(uart->stream, &byte, 1);
	uart->state.transmitter_empty = true;
}

/* Enabling the THRE interrupt while the transmitter is empty raises it at once. */
static void write_ier(struct uart *uart, u8 value)
{
	if ((value & IER_TRANSMITTER) && !(uart->state.ier & IER_TRANSMITTER))
		uart->state.transmitter_empty = true;
	uart->state.ier = value & IER_DEFINED;
}

/* Other bits are taken only together with the enable bit, and changing that one clears the FIFOs. */
static void write_fcr(struct uart *uart, u8 value)
{
	struct uart_state *s = &uart->state;

	if (((value ^ s->fcr) & FCR_ENABLE) || (value & FCR_CLEAR_RECEIVER)) {
		s->count = 0;
		s->errors = 0;
	}
	s->fcr = value & FCR_ENABLE ? value & FCR_DEFINED : 0;
}

/* A break on the looped-back line is received as a zero. */
static void write_lcr(struct uart *uart, u8 value)
{
	if ((value & ~uart->state.lcr & LCR_BREAK) && (uart->state.mcr & MCR_LOOP)) {
		push(uart, 0);
		uart->state.errors |= LSR_BREAK;
	}
	uart->state.lcr = value;
}

/* The modem's lines: a ready peer if one is connected, or in loopback the port's own outputs. */
static u8 modem_lines(const struct uart *uart)
{
	u8 mcr = uart->state.mcr;

	if (!(mcr & MCR_LOOP))
		return uart->stream ? MSR_CTS | MSR_DSR | MSR_DCD : 0;
	return (u8)((mcr & MCR_RTS ? MSR_CTS : 0) | (mcr & MCR_DTR ? MSR_DSR : 0) | (mcr & MCR_OUT1 ? MSR_RI : 0) |
		    (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* Delta bits note each change, except that of RI only the trailing edge counts. */
static void write_mcr(struct uart *uart, u8 value)
{
	struct uart_state *s = &uart->state;
	u8 before = s->msr & MSR_LINES, lines;

	s->mcr = value & MCR_DEFINED;
	lines = modem_lines(uart);
	s->msr = lines | (s->msr & MSR_CHANGES) | (u8)(((lines ^ before) & ~MSR_RI) >> 4) |
		 (before & ~lines & MSR_RI ? MSR_RI_FELL : 0);
}

static void write(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	struct uart *uart = device;
	struct uart_state *s = &uart->state;
	u8 byte = (u8)value;

	switch (offset) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB)
			s->divisor = (u16)((s->divisor & ~byte_mask(1)) | byte);
		else
			transmit(uart, byte);
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB)
			s->divisor = (u16)((s->divisor & byte_mask(1)) | byte << 8);
		else
			write_ier(uart, byte);
		break;
	case REG_IIR_FCR: write_fcr(uart, byte); break;
	case REG_LCR: write_lcr(uart, byte); break;
	case REG_MCR: write_mcr(uart, byte); break;
	case REG_SCR: s->scr = byte; break;
	default: break;
	}
	update(uart);
	if (offset == REG_IIR_FCR || offset == REG_MCR)
		resume(uart);
}

const struct bus_ops uart_ops = { .name = "uart", .widest = 1, .read = read, .write = write };

/* "Reset Configuration": a master reset leaves divisor and scratch register as they are. */
void uart_reset(struct uart *uart)
{
	const struct uart_state before = uart->state;

	uart->state = (struct uart_state){ .divisor = before.divisor, .scr = before.scr };
	uart->state.msr = modem_lines(uart);
	update(uart);
	resume(uart);
}

void uart_init(struct uart *uart, struct host_stream *stream, struct irq_line irq)
{
	*uart = (struct uart){ .stream = stream, .irq = irq };
	if (stream)
		host_stream_attach(stream, room, receive, uart);
	uart_reset(uart);
}

void uart_restored(struct uart *uart)
{
	update(uart);
	resume(uart);
}

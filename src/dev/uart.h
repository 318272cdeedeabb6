/*
 * A serial port: the 16550A UART ("PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs"), wired as in a
 * PC.
 *
 * Characters take no time: what is written has been sent, whatever the divisor says, and the receiver's character
 * timeout is over as soon as the host has no more. So the transmitter is always empty, and no byte is lost in either
 * direction.
 */
#ifndef DEV_UART_H
#define DEV_UART_H

#include "host/host.h"
#include "machine/bus.h"
#include "machine/irq.h"

#define UART_COM1_PORT 0x3f8u
#define UART_PORTS 8u
#define UART_COM1_IRQ 4u
#define UART_FIFO_BYTES 16u

struct uart_state {
	u8 fifo[UART_FIFO_BYTES]; /* received; without FIFOs only one of them is used */
	u8 first, count;
	u8 last;                  /* what an empty receiver buffer reads as */
	u8 ier, fcr, lcr, mcr, scr;
	u8 errors;                /* LSR's error bits, cleared by reading it */
	u8 msr;
	u16 divisor;
	bool transmitter_empty;   /* the THRE interrupt is due */
};

struct uart {
	struct uart_state state;
	struct host_stream *stream; /* NULL: nothing is connected */
	struct irq_line irq;
};

extern const struct bus_ops uart_ops; /* device: struct uart */

void uart_init(struct uart *uart, struct host_stream *stream, struct irq_line irq);
void uart_reset(struct uart *uart);
/* After state was overwritten from a snapshot. */
void uart_restored(struct uart *uart);

#endif

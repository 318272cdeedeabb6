/* Interrupt wires: what a device holds to signal an interrupt controller, and message-signalled interrupts. */
#ifndef MACHINE_IRQ_H
#define MACHINE_IRQ_H

#include "base/types.h"

/* A level on a wire. The controller's pin decides whether edges or levels count. */
struct irq_line {
	void (*set)(void *target, unsigned pin, bool level);
	void *target;
	unsigned pin;
};

static inline void irq_set(const struct irq_line *line, bool level)
{
	if (line->set)
		line->set(line->target, line->pin, level);
}

/* A rising edge. */
static inline void irq_pulse(const struct irq_line *line)
{
	irq_set(line, true);
	irq_set(line, false);
}

/* Where MSI and IOAPIC messages go: the local APICs' side of the system bus ("Message Signalled Interrupts"). */
struct msi_sink {
	void (*send)(void *target, u64 address, u32 data);
	void *target;
};

#endif

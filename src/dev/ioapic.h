/*
 * IOAPIC: 24 pins that become interrupt messages ("82093AA I/O Advanced Programmable Interrupt Controller"), version
 * 20H with the EOI register of its successors.
 *
 * A wire is asserted or not, whatever the polarity bit says: polarity is between guest and board, who agree
 * through ACPI.
 */
#ifndef DEV_IOAPIC_H
#define DEV_IOAPIC_H

#include "machine/bus.h"
#include "machine/irq.h"

#define IOAPIC_PINS 24u

struct ioapic_state {
	u8 index, id;
	u32 lines; /* bit per pin: asserted */
	u64 redirection[IOAPIC_PINS];
};

struct ioapic {
	struct ioapic_state state;
	struct msi_sink sink;
};

extern const struct bus_ops ioapic_ops; /* device: struct ioapic; LAYOUT_IOAPIC_BYTES of memory */

void ioapic_init(struct ioapic *io, struct msi_sink sink);
/* The wires keep their levels. */
void ioapic_reset(struct ioapic *io);
/* The wire of a pin, below IOAPIC_PINS. */
struct irq_line ioapic_line(struct ioapic *io, unsigned pin);
/* An EOI message for a level-triggered interrupt from a local APIC. */
void ioapic_eoi(struct ioapic *io, u8 vector);

#endif

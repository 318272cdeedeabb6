/*
 * The PC's sixteen ISA interrupts: each wire leads both to the 8259A pair and to the IOAPIC, the timer's to pin 2
 * there because pin 0 carries the 8259A's own output.
 */
#ifndef DEV_ISA_IRQ_H
#define DEV_ISA_IRQ_H

#include "dev/ioapic.h"
#include "dev/pic.h"

#define ISA_TIMER_IRQ 0u
#define ISA_TIMER_IOAPIC_PIN 2u

struct isa_irqs {
	struct pic *pic;
	struct ioapic *ioapic;
};

/* irq below 16 and not 2, which is the cascade. */
struct irq_line isa_irq_line(struct isa_irqs *irqs, unsigned irq);

#endif

/* ISA interrupt wires: see isa_irq.h. */
#include "dev/isa_irq.h"

static void set(void *target, unsigned irq, bool level)
{
	struct isa_irqs *irqs = target;
	struct irq_line pic = pic_line(irqs->pic, irq);
	struct irq_line ioapic = ioapic_line(irqs->ioapic, irq == ISA_TIMER_IRQ ? ISA_TIMER_IOAPIC_PIN : irq);

	irq_set(&pic, level);
	irq_set(&ioapic, level);
}

struct irq_line isa_irq_line(struct isa_irqs *irqs, unsigned irq)
{
	return (struct irq_line){ .set = set, .target = irqs, .pin = irq };
}

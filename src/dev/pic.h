/*
 * The PC's two 8259A interrupt controllers ("8259A Programmable Interrupt Controller"), the second one on IR2 of the
 * first.
 *
 * Each wire's edge or level mode comes from the chipset's ELCR, not from ICW1's LTIM.
 */
#ifndef DEV_PIC_H
#define DEV_PIC_H

#include "machine/bus.h"
#include "machine/irq.h"

#define PIC_IRQS 16u
#define PIC_MASTER_PORT 0x20u /* 2 ports */
#define PIC_SLAVE_PORT 0xa0u  /* 2 ports */
#define PIC_ELCR_PORT 0x4d0u  /* 2 ports */

struct pic_chip_state {
	u8 lines;        /* levels at IR0-IR7 */
	u8 irr, imr, isr;
	u8 elcr;         /* 1: level-triggered */
	u8 base;         /* ICW2 */
	u8 lowest;       /* the IR with the lowest priority */
	u8 command_word; /* of the initialization sequence that comes next: 2, 3, 4; 0: none */
	bool needs_icw4, single;
	bool auto_eoi, rotate_in_auto_eoi, special_fully_nested;
	bool special_mask, poll, read_isr;
	bool output;     /* INT */
};

struct pic_state {
	struct pic_chip_state chip[2];
};

struct pic {
	struct pic_state state;
	struct irq_line intr;
};

extern const struct bus_ops pic_master_ops, pic_slave_ops, pic_elcr_ops; /* device: struct pic */

void pic_init(struct pic *pic, struct irq_line intr);
/* The wires keep their levels. */
void pic_reset(struct pic *pic);
/* After state was overwritten from a snapshot: drives INTR again. */
void pic_restored(struct pic *pic);
/* The wire of an interrupt request, below PIC_IRQS and not 2. */
struct irq_line pic_line(struct pic *pic, unsigned irq);
/* The processor's interrupt acknowledge cycle: the vector, which is that of IR7 if the request has gone. */
int pic_acknowledge(struct pic *pic);

#endif

/*
 * 8259A pair: see pic.h.
 *
 * Every change ends in update(), which drives a chip's INT output: the slave's is the master's IR2, the master's the
 * processors' INTR. An acknowledge drops INT first, so that a further request is a new edge for whoever listens.
 */
#include "dev/pic.h"

#include "base/bits.h"

#define CASCADE 2u
#define SPURIOUS 7u
#define NONE 8u

#define ICW1_NEEDS_ICW4 BIT(0)
#define ICW1_SINGLE BIT(1)
#define ICW1 BIT(4)
#define ICW2_BASE BITS(7, 3)
#define ICW4_AUTO_EOI BIT(1)
#define ICW4_SPECIAL_FULLY_NESTED BIT(4)
#define OCW2_LEVEL BITS(2, 0)
#define OCW3 BIT(3)
#define OCW3_READ_ISR BIT(0)
#define OCW3_READ BIT(1)
#define OCW3_POLL BIT(2)
#define OCW3_SPECIAL_MASK BIT(5)
#define OCW3_SET_SPECIAL_MASK BIT(6)
#define POLL_INTERRUPT 0x80u

/* Timer, keyboard, cascade, RTC and coprocessor interrupts are edges for good. */
static const u8 elcr_writable[2] = { 0xf8, 0xde };

/* OCW2's R, SL and EOI bits. */
enum ocw2 {
	CLEAR_ROTATE_IN_AUTO_EOI, NON_SPECIFIC_EOI, NO_OPERATION, SPECIFIC_EOI,
	SET_ROTATE_IN_AUTO_EOI, ROTATE_ON_NON_SPECIFIC_EOI, SET_PRIORITY, ROTATE_ON_SPECIFIC_EOI,
};

static void set_line(void *target, unsigned irq, bool level);

/* The first of a set of IRs in priority order, or NONE. */
static unsigned first(const struct pic_chip_state *chip, u8 set)
{
	for (unsigned i = 1; i <= 8; i++) {
		unsigned ir = (chip->lowest + i) & 7;

		if (set >> ir & 1)
			return ir;
	}
	return NONE;
}

/* 0 is the highest. */
static unsigned priority(const struct pic_chip_state *chip, unsigned ir)
{
	return ir == NONE ? NONE : (ir - chip->lowest - 1) & 7;
}

/*
 * The IR to be served now, or NONE. "Special Mask Mode": what is masked does not hold others back. "The Special Fully
 * Nested Mode": the slave's own service does not hold its higher requests back.
 */
static unsigned wanted(const struct pic *pic, unsigned which)
{
	const struct pic_chip_state *chip = &pic->state.chip[which];
	unsigned request = first(chip, chip->irr & (u8)~chip->imr);
	u8 in_service = chip->isr;

	if (chip->special_mask)
		in_service &= (u8)~chip->imr;
	if (chip->special_fully_nested && which == 0)
		in_service &= (u8)~BIT(CASCADE);
	return priority(chip, request) < priority(chip, first(chip, in_service)) ? request : NONE;
}

static void drive(struct pic *pic, unsigned which, bool output)
{
	struct pic_chip_state *chip = &pic->state.chip[which];

	if (chip->output == output)
		return;
	chip->output = output;
	if (which)
		set_line(pic, CASCADE, output);
	else
		irq_set(&pic->intr, output);
}

static void update(struct pic *pic, unsigned which)
{
	drive(pic, which, wanted(pic, which) != NONE);
}

/* IRR follows a level; an edge is latched as long as the line stays up. */
static void set_line(void *target, unsigned irq, bool level)
{
	struct pic *pic = target;
	unsigned which = irq / 8;
	struct pic_chip_state *chip = &pic->state.chip[which];
	u8 bit = (u8)BIT(irq % 8);

	if (level && (!(chip->lines & bit) || (chip->elcr & bit)))
		chip->irr |= bit;
	if (!level)
		chip->irr &= (u8)~bit;
	chip->lines = level ? chip->lines | bit : chip->lines & (u8)~bit;
	update(pic, which);
}

struct irq_line pic_line(struct pic *pic, unsigned irq)
{
	return (struct irq_line){ .set = set_line, .target = pic, .pin = irq % PIC_IRQS };
}

static void end_of_interrupt(struct pic_chip_state *chip, unsigned ir, bool rotate)
{
	if (ir == NONE)
		return;
	chip->isr &= (u8)~BIT(ir);
	if (rotate)
		chip->lowest = (u8)ir;
}

/* The chip's part of an acknowledge: the IR now in service, or NONE if nobody asks any more. */
static unsigned acknowledge(struct pic *pic, unsigned which)
{
	struct pic_chip_state *chip = &pic->state.chip[which];
	unsigned ir = wanted(pic, which);

	drive(pic, which, false);
	if (ir != NONE) {
		chip->isr |= (u8)BIT(ir);
		if (!(chip->elcr & BIT(ir)))
			chip->irr &= (u8)~BIT(ir);
	}
	return ir;
}

static void finish(struct pic *pic, unsigned which, unsigned ir)
{
	struct pic_chip_state *chip = &pic->state.chip[which];

	if (chip->auto_eoi)
		end_of_interrupt(chip, ir, chip->rotate_in_auto_eoi);
	update(pic, which);
}

int pic_acknowledge(struct pic *pic)
{
	unsigned ir = acknowledge(pic, 0), which = 0, slave_ir;

	if (ir == CASCADE && !pic->state.chip[0].single) {
		which = 1;
		slave_ir = acknowledge(pic, 1);
		finish(pic, 1, slave_ir);
		finish(pic, 0, ir);
		ir = slave_ir;
	} else {
		finish(pic, 0, ir);
	}
	return pic->state.chip[which].base | (ir == NONE ? SPURIOUS : ir);
}

/* "Poll Command": the read is the acknowledge. */
static u8 poll(struct pic *pic, unsigned which)
{
	unsigned ir = acknowledge(pic, which);

	pic->state.chip[which].poll = false;
	finish(pic, which, ir);
	return ir == NONE ? 0 : (u8)(POLL_INTERRUPT | ir);
}

static u8 read_chip(struct pic *pic, unsigned which, u64 offset)
{
	struct pic_chip_state *chip = &pic->state.chip[which];

	if (chip->poll)
		return poll(pic, which);
	if (offset)
		return chip->imr;
	return chip->read_isr ? chip->isr : chip->irr;
}

/* "Initialization Command Word 1": after it, an edge-sensitive input must rise anew. */
static void write_icw1(struct pic_chip_state *chip, u8 value)
{
	*chip = (struct pic_chip_state){
		.lines = chip->lines,
		.irr = chip->lines & chip->elcr,
		.elcr = chip->elcr,
		.base = chip->base,
		.lowest = 7,
		.command_word = 2,
		.needs_icw4 = value & ICW1_NEEDS_ICW4,
		.single = value & ICW1_SINGLE,
		.output = chip->output,
	};
}

static void write_ocw2(struct pic_chip_state *chip, u8 value)
{
	unsigned level = value & OCW2_LEVEL;
	u8 clearable = chip->special_mask ? chip->isr & (u8)~chip->imr : chip->isr;

	switch ((enum ocw2)(value >> 5)) {
	case NON_SPECIFIC_EOI: end_of_interrupt(chip, first(chip, clearable), false); break;
	case SPECIFIC_EOI: end_of_interrupt(chip, level, false); break;
	case ROTATE_ON_NON_SPECIFIC_EOI: end_of_interrupt(chip, first(chip, clearable), true); break;
	case ROTATE_ON_SPECIFIC_EOI: end_of_interrupt(chip, level, true); break;
	case SET_PRIORITY: chip->lowest = (u8)level; break;
	case SET_ROTATE_IN_AUTO_EOI: chip->rotate_in_auto_eoi = true; break;
	case CLEAR_ROTATE_IN_AUTO_EOI: chip->rotate_in_auto_eoi = false; break;
	case NO_OPERATION: break;
	}
}

static void write_ocw3(struct pic_chip_state *chip, u8 value)
{
	if (value & OCW3_SET_SPECIAL_MASK)
		chip->special_mask = value & OCW3_SPECIAL_MASK;
	if (value & OCW3_POLL)
		chip->poll = true;
	else if (value & OCW3_READ)
		chip->read_isr = value & OCW3_READ_ISR;
}

/* ICW2, ICW3 and ICW4 in turn, then OCW1. The PC's wiring says what ICW3 would. */
static void write_data(struct pic_chip_state *chip, u8 value)
{
	switch (chip->command_word) {
	case 2:
		chip->base = value & ICW2_BASE;
		chip->command_word = !chip->single ? 3 : chip->needs_icw4 ? 4 : 0;
		break;
	case 3:
		chip->command_word = chip->needs_icw4 ? 4 : 0;
		break;
	case 4:
		chip->auto_eoi = value & ICW4_AUTO_EOI;
		chip->special_fully_nested = value & ICW4_SPECIAL_FULLY_NESTED;
		chip->command_word = 0;
		break;
	default:
		chip->imr = value;
		break;
	}
}

static void write_chip(struct pic *pic, unsigned which, u64 offset, u8 value)
{
	struct pic_chip_state *chip = &pic->state.chip[which];

	if (offset)
		write_data(chip, value);
	else if (value & ICW1)
		write_icw1(chip, value);
	else if (value & OCW3)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
	update(pic, which);
}

static u64 read_master(void *device, u64 offset, unsigned size UNUSED)
{
	return read_chip(device, 0, offset);
}

static void write_master(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	write_chip(device, 0, offset, (u8)value);
}

static u64 read_slave(void *device, u64 offset, unsigned size UNUSED)
{
	return read_chip(device, 1, offset);
}

static void write_slave(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	write_chip(device, 1, offset, (u8)value);
}

static u64 read_elcr(void *device, u64 offset, unsigned size UNUSED)
{
	const struct pic *pic = device;

	return pic->state.chip[offset & 1].elcr;
}

static void write_elcr(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	struct pic *pic = device;
	struct pic_chip_state *chip = &pic->state.chip[offset & 1];

	chip->elcr = (u8)value & elcr_writable[offset & 1];
	chip->irr |= chip->lines & chip->elcr;
	update(pic, offset & 1);
}

const struct bus_ops pic_master_ops = { .name = "pic-master", .widest = 1, .read = read_master, .write = write_master };
const struct bus_ops pic_slave_ops = { .name = "pic-slave", .widest = 1, .read = read_slave, .write = write_slave };
const struct bus_ops pic_elcr_ops = { .name = "pic-elcr", .widest = 1, .read = read_elcr, .write = write_elcr };

/* Power-up leaves the chips undefined until ICW1; all masked is the quiet choice. */
void pic_reset(struct pic *pic)
{
	for (int which = 1; which >= 0; which--) {
		struct pic_chip_state *chip = &pic->state.chip[which];

		drive(pic, (unsigned)which, false);
		*chip = (struct pic_chip_state){ .lines = chip->lines, .imr = 0xff, .lowest = 7 };
	}
}

void pic_init(struct pic *pic, struct irq_line intr)
{
	*pic = (struct pic){ .intr = intr };
	pic_reset(pic);
}

void pic_restored(struct pic *pic)
{
	irq_set(&pic->intr, pic->state.chip[0].output);
}

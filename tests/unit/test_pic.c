/* The 8259A pair: initialization, priorities, every kind of EOI, modes, cascade, spurious interrupts. */
#include "base/bits.h"
#include "board_double.h"
#include "dev/isa_irq.h"
#include "test.h"

#define NON_SPECIFIC 0x20u
#define SPECIFIC 0x60u
#define ROTATE_NON_SPECIFIC 0xa0u
#define ROTATE_SPECIFIC 0xe0u
#define SET_PRIORITY 0xc0u
#define ROTATE_AEOI_ON 0x80u
#define ROTATE_AEOI_OFF 0x00u
#define READ_IRR 0x0au
#define READ_ISR 0x0bu
#define POLL 0x0cu
#define SPECIAL_MASK_ON 0x68u
#define SPECIAL_MASK_OFF 0x48u
#define AEOI 2u
#define SFNM 0x10u

static struct pic pic;
static struct wire intr;

static void out(unsigned chip, unsigned port, u8 value)
{
	(chip ? &pic_slave_ops : &pic_master_ops)->write(&pic, port, 1, value);
}

static u8 in(unsigned chip, unsigned port)
{
	return (u8)(chip ? &pic_slave_ops : &pic_master_ops)->read(&pic, port, 1);
}

static void line(unsigned irq, bool level)
{
	struct irq_line end = pic_line(&pic, irq);

	irq_set(&end, level);
}

static void edge(unsigned irq)
{
	line(irq, false);
	line(irq, true);
}

/* As a PC does: vectors 20H and 28H, everything unmasked. */
static void setup_icw4(u8 icw4)
{
	intr = (struct wire){ 0 };
	pic_init(&pic, wire_end(&intr));
	for (unsigned chip = 0; chip < 2; chip++) {
		out(chip, 0, 0x11);
		out(chip, 1, chip ? 0x28 : 0x20);
		out(chip, 1, chip ? 0x02 : 0x04);
		out(chip, 1, 0x01 | icw4);
		out(chip, 1, 0);
	}
}

static void setup(void)
{
	setup_icw4(0);
}

static u8 isr(unsigned chip)
{
	out(chip, 0, READ_ISR);
	return in(chip, 0);
}

static u8 irr(unsigned chip)
{
	out(chip, 0, READ_IRR);
	return in(chip, 0);
}

TEST("a rising edge raises INTR, and the acknowledge gives base + IR and moves the request into service")
{
	setup();
	line(3, true);
	CHECK(intr.level);
	CHECK_EQ(irr(0), 8);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	CHECK(!intr.level);
	CHECK_EQ(irr(0), 0);
	CHECK_EQ(isr(0), 8);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(isr(0), 0);
	CHECK(!intr.level);
}

TEST("before ICW1 nothing comes through")
{
	intr = (struct wire){ 0 };
	pic_init(&pic, wire_end(&intr));
	line(3, true);
	CHECK(!intr.level);
}

TEST("a masked request waits in IRR, and unmasking lets it through")
{
	setup();
	out(0, 1, 0x08);
	CHECK_EQ(in(0, 1), 8);
	line(3, true);
	CHECK(!intr.level);
	CHECK_EQ(irr(0), 8);
	out(0, 1, 0);
	CHECK(intr.level);
}

TEST("the lower IR number goes first, interrupts a higher one in service, and is not interrupted by it")
{
	setup();
	line(5, true);
	line(3, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	CHECK(!intr.level);
	line(1, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x21);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(isr(0), 8);
	CHECK(!intr.level);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(pic_acknowledge(&pic), 0x25);
}

/* "Initialization Command Words": the sequence ends without ICW4 if IC4 is 0, without ICW3 if SNGL is 1. */
TEST("ICW1 decides how many words follow, clears the mask, and makes standing edges ask anew")
{
	setup();
	line(4, true);
	out(0, 1, 0xff);
	out(0, 0, 0x12);
	CHECK_EQ(in(0, 1), 0);
	CHECK_EQ(irr(0), 0);
	out(0, 1, 0x43);
	out(0, 1, 0x5a);
	CHECK_EQ(in(0, 1), 0x5a);
	out(0, 1, 0);
	edge(4);
	CHECK_EQ(pic_acknowledge(&pic), 0x44);
}

TEST("a specific EOI ends the IR it names")
{
	setup();
	line(5, true);
	pic_acknowledge(&pic);
	line(1, true);
	pic_acknowledge(&pic);
	out(0, 0, SPECIFIC | 5);
	CHECK_EQ(isr(0), 2);
}

TEST("rotation: on EOI the IR served becomes the lowest; set priority names the lowest")
{
	setup();
	line(3, true);
	pic_acknowledge(&pic);
	out(0, 0, ROTATE_NON_SPECIFIC);
	edge(3);
	line(6, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x26);
	out(0, 0, ROTATE_SPECIFIC | 6);
	CHECK_EQ(isr(0), 0);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	out(0, 0, NON_SPECIFIC);
	out(0, 0, SET_PRIORITY | 4);
	edge(4);
	line(5, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x25);
}

TEST("without rotation an EOI leaves the priorities as they are; a specific rotation does not")
{
	static const u8 eois[] = { NON_SPECIFIC, SPECIFIC | 3, ROTATE_SPECIFIC | 3 };

	for (unsigned i = 0; i < 3; i++) {
		setup();
		line(3, true);
		pic_acknowledge(&pic);
		out(0, 0, eois[i]);
		CHECK_EQ(isr(0), 0);
		edge(3);
		line(4, true);
		CHECK_EQ(pic_acknowledge(&pic), i == 2 ? 0x24 : 0x23);
	}
}

TEST("INTR drops in the acknowledge, so that what still waits is a new edge")
{
	setup_icw4(AEOI);
	line(3, true);
	line(4, true);
	CHECK_EQ(intr.rises, 1);
	pic_acknowledge(&pic);
	CHECK(intr.level);
	CHECK_EQ(intr.rises, 2);
}

TEST("automatic EOI leaves nothing in service, with rotation only when that is on")
{
	setup_icw4(AEOI);
	line(3, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
	CHECK_EQ(isr(0), 0);
	out(0, 0, ROTATE_AEOI_ON);
	edge(3);
	pic_acknowledge(&pic);
	edge(3);
	line(4, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x24);
	out(0, 0, ROTATE_AEOI_OFF);
	pic_acknowledge(&pic);
	edge(4);
	line(5, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x25);
}

/* "Special Mask Mode". */
TEST("in special mask mode a masked IR in service holds nobody back, not even lower ones")
{
	setup();
	line(3, true);
	pic_acknowledge(&pic);
	line(5, true);
	out(0, 1, 0x08);
	CHECK(!intr.level);
	out(0, 0, SPECIAL_MASK_ON);
	CHECK(intr.level);
	CHECK_EQ(pic_acknowledge(&pic), 0x25);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(isr(0), 8);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(isr(0), 8);
	out(0, 0, SPECIAL_MASK_OFF);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(isr(0), 0);
}

/* "Poll Command". */
TEST("a poll acknowledges as the processor would and says which IR; without a request bit 7 is 0")
{
	setup();
	out(0, 0, POLL);
	CHECK_EQ(in(0, 0) & 0x80, 0);
	line(3, true);
	out(0, 0, POLL);
	CHECK_EQ(in(0, 0), 0x83);
	CHECK_EQ(isr(0), 8);
	CHECK(!intr.level);
	CHECK_EQ(in(0, 1), 0);
}

TEST("a slave's interrupt comes through IR2 with the slave's vector and needs an EOI in both")
{
	setup();
	line(12, true);
	CHECK(intr.level);
	CHECK_EQ(irr(0), 4);
	CHECK_EQ(pic_acknowledge(&pic), 0x2c);
	CHECK_EQ(isr(0), 4);
	CHECK_EQ(isr(1), 0x10);
	out(1, 0, NON_SPECIFIC);
	CHECK_EQ(isr(1), 0);
	CHECK_EQ(isr(0), 4);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(isr(0), 0);
}

TEST("slave interrupts that wait come one after the other")
{
	setup();
	line(8, true);
	line(12, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x28);
	out(1, 0, NON_SPECIFIC);
	out(0, 0, NON_SPECIFIC);
	CHECK_EQ(pic_acknowledge(&pic), 0x2c);
	out(1, 0, NON_SPECIFIC);
	out(0, 0, NON_SPECIFIC);
	CHECK(!intr.level);
}

/* "The Special Fully Nested Mode". */
TEST("a higher slave request interrupts a lower one only in special fully nested mode")
{
	setup();
	line(12, true);
	pic_acknowledge(&pic);
	line(8, true);
	CHECK(!intr.level);
	setup_icw4(SFNM);
	line(12, false);
	line(8, false);
	line(12, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x2c);
	line(8, true);
	CHECK(intr.level);
	CHECK_EQ(pic_acknowledge(&pic), 0x28);
}

TEST("a request that goes away before the acknowledge is a spurious IR7 with nothing in service")
{
	setup();
	line(3, true);
	line(3, false);
	CHECK(!intr.level);
	CHECK_EQ(pic_acknowledge(&pic), 0x27);
	CHECK_EQ(isr(0), 0);
	setup();
	line(7, true);
	CHECK_EQ(pic_acknowledge(&pic), 0x27);
	CHECK_EQ(isr(0), 0x80);
}

TEST("a slave request that goes away while the master's IR2 stands is a spurious IRQ15, in service in the master")
{
	setup();
	out(1, 1, 0);
	line(12, true);
	pic.state.chip[1].irr = 0;
	CHECK_EQ(pic_acknowledge(&pic), 0x2f);
	CHECK_EQ(isr(1), 0);
	CHECK_EQ(isr(0), 4);
}

TEST("an edge asks once while the line stays up; a level asks again after each EOI until it drops")
{
	setup();
	line(5, true);
	pic_acknowledge(&pic);
	out(0, 0, NON_SPECIFIC);
	CHECK(!intr.level);
	setup();
	pic_elcr_ops.write(&pic, 0, 1, 0x20);
	line(5, false);
	line(5, true);
	pic_acknowledge(&pic);
	CHECK_EQ(irr(0), 0x20);
	out(0, 0, NON_SPECIFIC);
	CHECK(intr.level);
	line(5, false);
	CHECK(!intr.level);
}

TEST("ELCR keeps timer, keyboard, cascade, RTC and coprocessor edge-triggered")
{
	setup();
	pic_elcr_ops.write(&pic, 0, 1, 0xff);
	pic_elcr_ops.write(&pic, 1, 1, 0xff);
	CHECK_EQ(pic_elcr_ops.read(&pic, 0, 1), 0xf8);
	CHECK_EQ(pic_elcr_ops.read(&pic, 1, 1), 0xde);
}

TEST("a state copied back drives INTR as it was")
{
	struct pic_state saved;

	setup();
	line(3, true);
	saved = pic.state;
	pic_reset(&pic);
	CHECK(!intr.level);
	pic.state = saved;
	pic_restored(&pic);
	CHECK(intr.level);
	CHECK_EQ(pic_acknowledge(&pic), 0x23);
}

static unsigned sent;

static void take(void *target, u64 address, u32 data)
{
	(void)target;
	(void)address;
	(void)data;
	sent++;
}

TEST("an ISA wire reaches the 8259A and the IOAPIC's pin of the same number, the timer's pin 2")
{
	struct ioapic ioapic;
	struct isa_irqs irqs = { .pic = &pic, .ioapic = &ioapic };
	struct irq_line timer = isa_irq_line(&irqs, 0), serial = isa_irq_line(&irqs, 4);

	setup();
	sent = 0;
	ioapic_init(&ioapic, (struct msi_sink){ .send = take });
	irq_set(&timer, true);
	irq_set(&serial, true);
	CHECK_EQ(irr(0), 0x11);
	CHECK_EQ(ioapic.state.lines, 0x14);
	CHECK_EQ(sent, 0);
}

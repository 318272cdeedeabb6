/*
 * Local APIC: registers, priorities, EOI, LVT, timer, the base MSR and x2APIC mode. Messages are in test_lapic_bus.c.
 */
#include "base/compiler.h"
#include "lapic_bench.h"
#include "test.h"

/* ---- "Local APIC State After Power-Up or Reset" ---- */

TEST("after power-up all LVT entries are masked, SVR is FFH, DFR all ones, everything else zero")
{
	setup();
	lapic_reset(&lapics[1], false);
	for (u64 lvt = TIMER; lvt <= ERROR; lvt += 16)
		CHECK_EQ(get(1, lvt), MASKED);
	CHECK_EQ(get(1, SVR), 0xff);
	CHECK_EQ(get(1, DFR), 0xffffffff);
	CHECK_EQ(get(1, LDR) | get(1, TPR) | get(1, ESR) | get(1, ICR) | get(1, INITIAL) | get(1, CURRENT), 0);
}

TEST("after power-up the base is FEE00000H, enabled, and only processor 0 is the bootstrap processor")
{
	u64 base;

	setup();
	CHECK(lapic_msr_read(&lapics[0], LAPIC_MSR_BASE, &base));
	CHECK_EQ(base, 0xfee00900);
	CHECK(lapic_msr_read(&lapics[1], LAPIC_MSR_BASE, &base));
	CHECK_EQ(base, 0xfee00800);
}

TEST("INIT resets registers but keeps the base MSR and the ID; power-up resets the base too")
{
	u64 base;

	setup();
	CHECK(lapic_msr_write(&lapics[2], LAPIC_MSR_BASE, 0xfec10000 | LAPIC_BASE_EN));
	set(2, TPR, 0x20);
	lapic_reset(&lapics[2], true);
	CHECK_EQ(get(2, TPR), 0);
	CHECK_EQ(get(2, ID), 2u << 24);
	CHECK_EQ(lapic_page(&lapics[2]), 0xfec10000);
	lapic_reset(&lapics[2], false);
	CHECK(lapic_msr_read(&lapics[2], LAPIC_MSR_BASE, &base));
	CHECK_EQ(base, 0xfee00800);
}

/* "Local APIC Version Register": 10H-15H integrated; six LVT entries; bit 24 EOI-broadcast suppression. */
TEST("the version says integrated, max LVT entry 5, and EOI-broadcast suppression")
{
	setup();
	CHECK_EQ(get(0, VERSION), 0x01050014);
}

/* ---- the page ---- */

TEST("narrow reads get their part of a register, and only aligned 32-bit writes count")
{
	setup();
	CHECK_EQ(lapic_mmio_read(&lapics[0], VERSION, 1), 0x14);
	CHECK_EQ(lapic_mmio_read(&lapics[0], VERSION + 2, 1), 0x05);
	CHECK_EQ(lapic_mmio_read(&lapics[0], VERSION, 8), 0x01050014);
	CHECK_EQ(lapic_mmio_read(&lapics[0], VERSION + 4, 4), 0);
	lapic_mmio_write(&lapics[0], TPR, 1, 0x10);
	lapic_mmio_write(&lapics[0], TPR + 4, 4, 0x20);
	CHECK_EQ(get(0, TPR), 0);
	lapic_mmio_write(&lapics[0], TPR, 8, 0x30);
	CHECK_EQ(get(0, TPR), 0x30);
}

/* "Local APIC ID": some processors permit software to modify it. */
TEST("software may change the APIC ID of xAPIC mode; INIT keeps the change, RESET and x2APIC mode do not know it")
{
	u64 id;

	setup();
	set(1, ID, 0x55ffffff);
	CHECK_EQ(get(1, ID), 0x55000000);
	lapic_reset(&lapics[1], true);
	CHECK_EQ(get(1, ID), 0x55000000);
	CHECK(lapic_msr_write(&lapics[1], LAPIC_MSR_BASE, 0xfee00000 | LAPIC_BASE_EN | LAPIC_BASE_EXTD));
	CHECK(lapic_msr_read(&lapics[1], LAPIC_MSR_X2APIC + (ID >> 4), &id));
	CHECK_EQ(id, 1);
	lapic_reset(&lapics[1], false);
	CHECK_EQ(get(1, ID), 1u << 24);
}

TEST("read-only registers and reserved bits ignore writes")
{
	setup();
	set(1, VERSION, 0);
	set(1, PPR, 0xff);
	set(1, TPR, 0xffffff20);
	set(1, LDR, 0x12345678);
	set(1, DFR, 0x00000000);
	CHECK_EQ(get(1, ID), 1u << 24);
	CHECK_EQ(get(1, VERSION), 0x01050014);
	CHECK_EQ(get(1, TPR), 0x20);
	CHECK_EQ(get(1, LDR), 0x12000000);
	CHECK_EQ(get(1, DFR), 0x0fffffff);
}

/* "Error Status Register": illegal register address. A write latches; the error interrupt comes once until then. */
TEST("an access to a reserved register is an error that ESR shows after a write, and interrupts once")
{
	setup();
	set(0, ERROR, 0x45);
	get(0, 0x3a0);
	get(0, 0x3a0);
	CHECK(in(0, IRR, 0x45));
	CHECK_EQ(get(0, ESR), 0);
	set(0, ESR, 0);
	CHECK_EQ(get(0, ESR), 0x80);
	set(0, ESR, 0);
	CHECK_EQ(get(0, ESR), 0);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x45);
	CHECK(!in(0, IRR, 0x45));
	set(0, CMCI, 0);
	CHECK(in(0, IRR, 0x45));
}

TEST("an illegal vector in a message is an error and no interrupt; vector 16 is legal")
{
	setup();
	msi(0, 15);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	set(0, ESR, 0);
	CHECK_EQ(get(0, ESR), 0x40);
	msi(0, 16);
	CHECK(in(0, IRR, 16));
}

TEST("an error interrupt whose own vector is illegal ends there")
{
	setup();
	set(0, ERROR, 3);
	msi(0, 2);
	set(0, ESR, 0);
	CHECK_EQ(get(0, ESR), 0x40);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
}

/* ---- "Task and Processor Priorities", "Interrupt Acceptance for Fixed Interrupts" ---- */

TEST("the highest vector is served first; what is in service holds back its class and those below")
{
	setup();
	msi(0, 0x41);
	msi(0, 0x52);
	CHECK_EQ(lapic_pending(&lapics[0]), 0x52);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x52);
	CHECK_EQ(get(0, PPR), 0x50);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	msi(0, 0x5f);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	msi(0, 0x60);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x60);
	set(0, EOI, 0);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	set(0, EOI, 0);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x5f);
	set(0, EOI, 0);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x41);
}

TEST("TPR holds back its class and those below; PPR is the greater of TPR and the class in service")
{
	setup();
	set(0, TPR, 0x45);
	CHECK_EQ(get(0, PPR), 0x45);
	msi(0, 0x4f);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	msi(0, 0x50);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x50);
	CHECK_EQ(get(0, PPR), 0x50);
	set(0, TPR, 0x51);
	CHECK_EQ(get(0, PPR), 0x51);
	set(0, TPR, 0);
	set(0, EOI, 0);
	CHECK_EQ(lapic_pending(&lapics[0]), 0x4f);
}

TEST("CR8 is TPR's class, both ways")
{
	setup();
	set(0, TPR, 0x5a);
	CHECK_EQ(lapic_cr8(&lapics[0]), 5);
	lapic_set_cr8(&lapics[0], 7);
	CHECK_EQ(get(0, TPR), 0x70);
	msi(0, 0x7f);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	lapic_set_cr8(&lapics[0], 6);
	CHECK_EQ(lapic_pending(&lapics[0]), 0x7f);
}

TEST("a vector can wait once while it is in service, and further requests merge with it")
{
	setup();
	msi(0, 0x41);
	lapic_acknowledge(&lapics[0]);
	msi(0, 0x41);
	msi(0, 0x41);
	CHECK(in(0, ISR, 0x41) && in(0, IRR, 0x41));
	set(0, EOI, 0);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x41);
	set(0, EOI, 0);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), LAPIC_NONE);
}

TEST("vectors that share a register do not disturb each other")
{
	setup();
	msi(0, 0x41 | LEVEL | ASSERT_LEVEL);
	msi(0, 0x51 | LEVEL | ASSERT_LEVEL);
	CHECK(in(0, TMR, 0x41) && in(0, TMR, 0x51));
	msi(0, 0x43);
	CHECK(in(0, TMR, 0x41) && !in(0, TMR, 0x43));
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x51);
	CHECK(in(0, IRR, 0x41));
	msi(0, 0x61);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x61);
	CHECK(in(0, ISR, 0x51) && in(0, ISR, 0x61));
}

TEST("the machine is told when something becomes deliverable, not again while it still is")
{
	setup();
	msi(0, 0x41);
	CHECK_EQ(told[0].kicks, 1);
	msi(0, 0x51);
	CHECK_EQ(told[0].kicks, 1);
	set(1, TPR, 0x50);
	msi(1 << 12, 0x41);
	CHECK_EQ(told[1].kicks, 0);
	set(1, TPR, 0);
	CHECK_EQ(told[1].kicks, 1);
}

/* "Signaling Interrupt Servicing Completion": only level-triggered interrupts are broadcast to the IOAPICs. */
TEST("EOI of a level-triggered interrupt is broadcast, of an edge not, of nothing not")
{
	setup();
	set(0, EOI, 0);
	msi(0, 0x41 | LEVEL | ASSERT_LEVEL);
	CHECK(in(0, TMR, 0x41));
	lapic_acknowledge(&lapics[0]);
	set(0, EOI, 0);
	CHECK_EQ(eois, 1);
	CHECK_EQ(last_eoi, 0x41);
	msi(0, 0x41);
	CHECK(!in(0, TMR, 0x41));
	lapic_acknowledge(&lapics[0]);
	set(0, EOI, 0);
	CHECK_EQ(eois, 1);
}

TEST("with SVR bit 12 set, no EOI is broadcast")
{
	setup();
	set(0, SVR, 0x11ff);
	msi(0, 0x41 | LEVEL | ASSERT_LEVEL);
	lapic_acknowledge(&lapics[0]);
	set(0, EOI, 0);
	CHECK(!in(0, ISR, 0x41));
	CHECK_EQ(eois, 0);
}

/* ---- "Local APIC State After It Has Been Software Disabled" ---- */

TEST("software-disabled, LVT entries are masked and stay so, no fixed interrupt is accepted, NMI and INIT are")
{
	setup();
	set(0, LINT1, NMI_MODE);
	set(0, SVR, 0xff);
	CHECK_EQ(get(0, LINT1), NMI_MODE | MASKED);
	set(0, LINT1, NMI_MODE);
	CHECK_EQ(get(0, LINT1), NMI_MODE | MASKED);
	msi(0, 0x41);
	CHECK(!in(0, IRR, 0x41));
	msi(0, NMI_MODE);
	CHECK_EQ(told[0].nmis, 1);
	set(0, SVR, 0x1ff);
	CHECK_EQ(get(0, LINT1), NMI_MODE | MASKED);
	set(0, LINT1, NMI_MODE);
	CHECK_EQ(get(0, LINT1), NMI_MODE);
}

TEST("what was in IRR when the APIC was software-disabled is still delivered")
{
	setup();
	msi(0, 0x41);
	set(0, SVR, 0xff);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x41);
}

/* ---- LINT pins ---- */

TEST("LINT0 as ExtINT passes the 8259A's interrupt whatever TPR says; masked it does not")
{
	struct irq_line intr;

	setup();
	intr = lapic_bus_lint(&bus, 0);
	extint_vector = 0x08;
	set(0, TPR, 0xff);
	set(0, LINT0, EXTINT_MODE);
	irq_set(&intr, true);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_EXTINT);
	CHECK_EQ(lapic_pending(&lapics[1]), LAPIC_NONE);
	set(0, LINT0, EXTINT_MODE | MASKED);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	set(0, LINT0, EXTINT_MODE);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x08);
	CHECK(!in(0, ISR, 0x08));
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
}

TEST("a globally disabled APIC's pins are the processor's INTR and NMI")
{
	struct irq_line intr, nmi_line;

	setup();
	intr = lapic_bus_lint(&bus, 0);
	nmi_line = lapic_bus_lint(&bus, 1);
	irq_set(&nmi_line, true);
	CHECK_EQ(told[0].nmis, 0);
	irq_set(&nmi_line, false);
	CHECK(set_base(0, 0));
	irq_set(&nmi_line, true);
	CHECK_EQ(told[0].nmis, 1);
	irq_set(&intr, true);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_EXTINT);
	CHECK_EQ(lapic_pending(&lapics[1]), LAPIC_NONE);
}

TEST("LINT1 as NMI gives one for each rising edge")
{
	struct irq_line line;

	setup();
	line = lapic_bus_lint(&bus, 1);
	set(2, LINT1, NMI_MODE);
	irq_set(&line, true);
	irq_set(&line, true);
	CHECK_EQ(told[2].nmis, 1);
	irq_pulse(&line);
	irq_pulse(&line);
	CHECK_EQ(told[2].nmis, 2);
	CHECK_EQ(told[0].nmis, 0);
}

TEST("LINT0 as a fixed edge interrupts once; as a fixed level, again after each EOI while the pin is up")
{
	struct irq_line line;

	setup();
	line = lapic_bus_lint(&bus, 0);
	set(0, LINT0, 0x61);
	set(1, LINT0, 0x61 | LEVEL);
	irq_set(&line, true);
	for (unsigned cpu = 0; cpu < 2; cpu++) {
		CHECK_EQ(lapic_acknowledge(&lapics[cpu]), 0x61);
		CHECK_EQ(get(cpu, LINT0), 0x61 | (cpu ? LEVEL | BIT(14) : 0));
		set(cpu, EOI, 0);
		CHECK_EQ(lapic_pending(&lapics[cpu]), cpu ? 0x61 : LAPIC_NONE);
	}
	irq_set(&line, false);
	CHECK_EQ(lapic_acknowledge(&lapics[1]), 0x61);
	set(1, EOI, 0);
	CHECK_EQ(lapic_pending(&lapics[1]), LAPIC_NONE);
	CHECK_EQ(get(1, LINT0), 0x61 | LEVEL);
}

/* "Virtual Wire Mode" (MultiProcessor Specification). */
TEST("virtual wire mode software-enables the APIC and lets ExtINT and NMI through")
{
	setup();
	lapic_reset(&lapics[0], false);
	lapic_set_virtual_wire(&lapics[0]);
	CHECK_EQ(get(0, SVR), 0x1ff);
	CHECK_EQ(get(0, LINT0), EXTINT_MODE);
	CHECK_EQ(get(0, LINT1), NMI_MODE);
}

/* ---- "APIC Timer" ---- */

TEST("a one-shot timer counts down at 1 GHz through the divider, interrupts once at zero and stays there")
{
	setup();
	set(0, DIVIDE, DIVIDE_BY_16);
	set(0, TIMER, 0x80);
	set(0, INITIAL, 100);
	CHECK_EQ(get(0, CURRENT), 100);
	board_advance(&clock, 16 * 40);
	CHECK_EQ(get(0, CURRENT), 60);
	board_advance(&clock, 16 * 60 - 1);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	board_advance(&clock, 1);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x80);
	CHECK_EQ(get(0, CURRENT), 0);
	CHECK_EQ(get(0, INITIAL), 100);
	board_advance(&clock, 1 << 20);
	CHECK(!in(0, IRR, 0x80));
}

TEST("the divide configuration's eight codes are 2, 4, 8, 16, 32, 64, 128 and 1")
{
	static const u32 codes[8] = { 0, 1, 2, 3, 8, 9, 10, 11 }, divisors[8] = { 2, 4, 8, 16, 32, 64, 128, 1 };

	for (unsigned i = 0; i < 8; i++) {
		setup();
		set(0, DIVIDE, codes[i]);
		CHECK_EQ(get(0, DIVIDE), codes[i]);
		set(0, TIMER, 0x80);
		set(0, INITIAL, 10);
		board_advance(&clock, 10 * divisors[i] - 1);
		CHECK(!in(0, IRR, 0x80));
		board_advance(&clock, 1);
		CHECK(in(0, IRR, 0x80));
	}
}

TEST("a periodic timer interrupts every period; a masked one counts without interrupts")
{
	setup();
	set(0, DIVIDE, DIVIDE_BY_1);
	set(0, TIMER, 0x80 | PERIODIC);
	set(0, INITIAL, 1000);
	for (unsigned i = 0; i < 3; i++) {
		board_advance(&clock, 1000);
		CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x80);
		set(0, EOI, 0);
	}
	board_advance(&clock, 300);
	CHECK_EQ(get(0, CURRENT), 700);
	set(0, TIMER, 0x80 | PERIODIC | MASKED);
	board_advance(&clock, 1000);
	CHECK_EQ(get(0, CURRENT), 700);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
}

TEST("periods that passed unseen are dropped, and the phase is kept")
{
	setup();
	set(0, DIVIDE, DIVIDE_BY_1);
	set(0, TIMER, 0x80 | PERIODIC);
	set(0, INITIAL, 1000);
	clock_skip_to(&clock, 5500);
	clock_expire(&clock);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x80);
	CHECK(!in(0, IRR, 0x80));
	CHECK_EQ(get(0, CURRENT), 500);
}

TEST("an initial count of 0 stops the timer, and a new divisor goes on from the count")
{
	setup();
	set(0, DIVIDE, DIVIDE_BY_1);
	set(0, TIMER, 0x80);
	set(0, INITIAL, 1000);
	board_advance(&clock, 400);
	set(0, DIVIDE, DIVIDE_BY_2);
	CHECK_EQ(get(0, CURRENT), 600);
	board_advance(&clock, 400);
	CHECK_EQ(get(0, CURRENT), 400);
	set(0, INITIAL, 0);
	CHECK_EQ(get(0, CURRENT), 0);
	board_advance(&clock, 10000);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
}

static u64 read_deadline(void)
{
	u64 value = ~0ull;

	CHECK(lapic_msr_read(&lapics[0], LAPIC_MSR_TSC_DEADLINE, &value));
	return value;
}

/* "TSC-Deadline Mode". */
TEST("in TSC-deadline mode the timer interrupts when the guest's TSC reaches the deadline, which then reads 0")
{
	setup();
	tsc_offset = 1000000;
	set(0, TIMER, 0x80 | DEADLINE);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 1000500));
	CHECK_EQ(read_deadline(), 1000500);
	board_advance(&clock, 499);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	board_advance(&clock, 1);
	CHECK_EQ(lapic_pending(&lapics[0]), 0x80);
	CHECK_EQ(read_deadline(), 0);
}

TEST("a TSC deadline that has passed interrupts at once, 0 disarms, and the count registers mean nothing")
{
	setup();
	tsc_offset = 1000;
	set(0, TIMER, 0x80 | DEADLINE);
	set(0, INITIAL, 50);
	CHECK_EQ(get(0, INITIAL), 0);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 2000));
	CHECK_EQ(get(0, CURRENT), 0);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 0));
	board_advance(&clock, 5000);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 1));
	CHECK_EQ(lapic_pending(&lapics[0]), 0x80);
	CHECK_EQ(read_deadline(), 0);
}

TEST("outside TSC-deadline mode the MSR reads 0 and ignores writes; changing mode disarms either way")
{
	setup();
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 100));
	CHECK_EQ(read_deadline(), 0);
	set(0, DIVIDE, DIVIDE_BY_1);
	set(0, TIMER, 0x80);
	set(0, INITIAL, 50);
	set(0, TIMER, 0x80 | DEADLINE);
	board_advance(&clock, 1000);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 5000));
	set(0, TIMER, 0x80);
	board_advance(&clock, 10000);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	CHECK_EQ(read_deadline(), 0);
}

TEST("written back after the TSC has jumped, the deadline comes by the new TSC; a far one never comes")
{
	setup();
	set(0, TIMER, 0x80 | DEADLINE);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 1000));
	tsc_offset = 900;
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, read_deadline()));
	board_advance(&clock, 100);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x80);
	CHECK(lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, ~0ull));
	CHECK_EQ(read_deadline(), ~0ull);
	board_advance(&clock, 1ull << 40);
	CHECK(!in(0, IRR, 0x80));
}

TEST("without the TSC-deadline feature its MSR raises #GP and its LVT mode bit does not exist")
{
	u64 value;

	setup();
	lapics[0].model.tsc_deadline = false;
	CHECK(!lapic_msr_read(&lapics[0], LAPIC_MSR_TSC_DEADLINE, &value));
	CHECK(!lapic_msr_write(&lapics[0], LAPIC_MSR_TSC_DEADLINE, 0));
	set(0, TIMER, 0x80 | DEADLINE);
	CHECK_EQ(get(0, TIMER), 0x80);
}

/* ---- "x2APIC State Transitions" ---- */

TEST("only the legal steps between disabled, xAPIC and x2APIC are taken")
{
	static const u64 modes[4] = { 0, LAPIC_BASE_EXTD, LAPIC_BASE_EN, X2APIC_MODE };
	static const bool legal[4][4] = {
		{ true, false, true, false },
		{ false, false, false, false },
		{ true, false, true, true },
		{ true, false, false, true },
	};

	for (unsigned from = 0; from < 4; from++) {
		for (unsigned to = 0; to < 4 && from != 1; to++) {
			setup();
			CHECK(from == 2 || set_base(1, modes[from]));
			CHECK_EQ(set_base(1, modes[to]), legal[from][to]);
		}
	}
}

TEST("reserved bits of the base, and EXTD without x2APIC, raise #GP")
{
	setup();
	CHECK(!lapic_msr_write(&lapics[1], LAPIC_MSR_BASE, 0xfee00000 | LAPIC_BASE_EN | BIT(9)));
	CHECK(!lapic_msr_write(&lapics[1], LAPIC_MSR_BASE, BIT(40) | LAPIC_BASE_EN));
	CHECK(lapic_msr_write(&lapics[1], LAPIC_MSR_BASE, BIT(39) | LAPIC_BASE_EN));
	CHECK_EQ(lapic_page(&lapics[1]), BIT(39));
	lapics[1].model.x2apic = false;
	CHECK(!set_base(1, X2APIC_MODE));
}

TEST("the page answers in xAPIC mode only, the MSRs in x2APIC mode only")
{
	u64 value;

	setup();
	CHECK_EQ(lapic_page(&lapics[1]), 0xfee00000);
	CHECK(!get_msr(1, VERSION, &value));
	CHECK(!set_msr(1, TPR, 0));
	CHECK(set_base(1, X2APIC_MODE));
	CHECK_EQ(lapic_page(&lapics[1]), LAPIC_PAGE_NONE);
	CHECK(get_msr(1, VERSION, &value));
	CHECK_EQ(value, 0x01050014);
	CHECK(set_base(1, 0));
	CHECK_EQ(lapic_page(&lapics[1]), LAPIC_PAGE_NONE);
	CHECK(!get_msr(1, VERSION, &value));
}

TEST("in x2APIC mode the ID is 32 bits wide and the logical ID is made from it; INIT keeps both")
{
	u64 value;

	setup();
	CHECK(set_base(3, X2APIC_MODE));
	CHECK(get_msr(3, ID, &value));
	CHECK_EQ(value, 3);
	CHECK(get_msr(3, LDR, &value));
	CHECK_EQ(value, 8);
	lapic_reset(&lapics[3], true);
	CHECK(get_msr(3, LDR, &value));
	CHECK_EQ(value, 8);
}

TEST("disabling the APIC forgets its registers")
{
	setup();
	set(1, TPR, 0x40);
	CHECK(set_base(1, 0));
	CHECK(set_base(1, LAPIC_BASE_EN));
	CHECK_EQ(get(1, TPR), 0);
	CHECK_EQ(get(1, SVR), 0xff);
}

TEST("disabling turns the base MSR to what was written, not to its reset value; a rewrite of the same mode changes nothing")
{
	u64 base, value;

	setup();
	CHECK(lapic_msr_write(&lapics[1], LAPIC_MSR_BASE, 0xfec10000));
	CHECK(lapic_msr_read(&lapics[1], LAPIC_MSR_BASE, &base));
	CHECK_EQ(base, 0xfec10000);
	setup_x2apic();
	CHECK(set_msr(1, ICR, 2ull << 32 | 0x41));
	CHECK(set_base(1, X2APIC_MODE));
	CHECK(get_msr(1, ICR, &value));
	CHECK_EQ(value, 2ull << 32 | 0x41);
}

/* "x2APIC Register Address Space": what may be read and written, and what else raises #GP. */
TEST("x2APIC MSRs: read-only ones refuse writes, write-only ones reads, absent ones both")
{
	static const u32 readable[] = { ID, VERSION, TPR, PPR, LDR, SVR, ISR, ISR + 0x70, TMR, IRR, ESR, ICR, TIMER,
					THERMAL, PERFORMANCE,
					LINT0, LINT1, ERROR, INITIAL, CURRENT, DIVIDE };
	static const u32 writable[] = { TPR, EOI, SVR, ESR, TIMER, THERMAL, PERFORMANCE, LINT0, LINT1, ERROR, INITIAL,
					DIVIDE };
	u64 value;

	setup_x2apic();
	for (u32 offset = 0; offset < 0x1000; offset += 16) {
		bool can_read = false, can_write = offset == ICR || offset == SELF_IPI;

		for (unsigned i = 0; i < ARRAY_LENGTH(readable); i++)
			can_read |= readable[i] == offset;
		for (unsigned i = 0; i < ARRAY_LENGTH(writable); i++)
			can_write |= writable[i] == offset;
		can_read |= (offset >= ISR && offset < ESR);
		CHECK_EQ(get_msr(0, offset, &value), can_read);
		CHECK_EQ(set_msr(0, offset, offset == ICR || offset == SELF_IPI ? 0x40 : 0), can_write);
	}
}

TEST("x2APIC MSRs refuse reserved bits, and nothing changes; read-only status bits are ignored")
{
	u64 value;

	setup_x2apic();
	CHECK(!set_msr(0, TPR, 0x100));
	CHECK(!set_msr(0, TPR, BIT(32)));
	CHECK(!set_msr(0, EOI, 1));
	CHECK(!set_msr(0, ESR, 1));
	CHECK(!set_msr(0, SVR, 0x3ff));
	CHECK(!set_msr(0, DIVIDE, 4));
	CHECK(!set_msr(0, ERROR, 0x100));
	CHECK(!set_msr(0, SELF_IPI, 0x100));
	CHECK(!set_msr(0, ICR, BIT(13) | 0x40));
	CHECK(!set_msr(0, ICR, BIT(20) | 0x40));
	CHECK(set_msr(0, TIMER, 0x40 | BIT(12)));
	CHECK(get_msr(0, TIMER, &value));
	CHECK_EQ(value, 0x40);
	CHECK_EQ(lapic_cr8(&lapics[0]), 0);
}

TEST("ICR is one 64-bit MSR in x2APIC mode")
{
	u64 value;

	setup_x2apic();
	CHECK(set_msr(0, ICR, 2ull << 32 | 0x41));
	CHECK(get_msr(0, ICR, &value));
	CHECK_EQ(value, 2ull << 32 | 0x41);
	CHECK_EQ(lapic_pending(&lapics[2]), 0x41);
}

TEST("the self-IPI MSR sends a fixed edge to oneself, and an illegal vector is an error")
{
	u64 value;

	setup_x2apic();
	CHECK(set_msr(1, SELF_IPI, 0x51));
	CHECK_EQ(lapic_pending(&lapics[1]), 0x51);
	CHECK(set_msr(1, SELF_IPI, 5));
	CHECK(set_msr(1, ESR, 0));
	CHECK(get_msr(1, ESR, &value));
	CHECK_EQ(value, 0x20);
}

TEST("MSRs that are not the APIC's are refused")
{
	u64 value;

	setup_x2apic();
	CHECK(!lapic_msr_read(&lapics[0], 0x10, &value));
	CHECK(!lapic_msr_write(&lapics[0], 0x10, 0));
	CHECK(!lapic_msr_read(&lapics[0], LAPIC_MSR_X2APIC_END, &value));
}

/* ---- snapshots ---- */

TEST("a state copied away and back goes on where it was: pending interrupts and the timer")
{
	struct lapic_state saved;

	setup();
	set(0, DIVIDE, DIVIDE_BY_1);
	set(0, TIMER, 0x80);
	set(0, INITIAL, 1000);
	msi(0, 0x41);
	saved = lapics[0].state;
	lapic_reset(&lapics[0], false);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
	lapics[0].state = saved;
	lapic_restored(&lapics[0]);
	CHECK_EQ(lapic_pending(&lapics[0]), 0x41);
	board_advance(&clock, 1000);
	CHECK_EQ(lapic_acknowledge(&lapics[0]), 0x80);
}

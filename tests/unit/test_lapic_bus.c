/*
 * Messages between local APICs and to them: destinations, delivery modes, shorthands ("Issuing Interprocessor
 * Interrupts").
 */
#include "lapic_bench.h"
#include "test.h"

#define SELF BIT(18)
#define EVERYBODY BIT(19)
#define OTHERS (BIT(18) | BIT(19))
#define LOWEST (1u << 8)
#define SMI_MODE (2u << 8)
#define INIT_MODE (5u << 8)
#define STARTUP_MODE (6u << 8)
#define MSI_TO(id) ((u64)(id) << 12)
#define MSI_LOGICAL BIT(2)
#define MSI_REDIRECT BIT(3)

/* Bit per processor that has the vector in IRR. Works in both modes. */
static unsigned who(u8 vector)
{
	unsigned set_of = 0;

	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		if (lapics[cpu].state.irr[vector / 32] >> vector % 32 & 1)
			set_of |= 1u << cpu;
	return set_of;
}

TEST("a physical destination is one APIC ID, FFH is everyone, and nobody's ID is nobody")
{
	setup();
	ipi(0, 2, 0x41);
	CHECK_EQ(who(0x41), 4);
	ipi(0, 0xff, 0x42);
	CHECK_EQ(who(0x42), 0xf);
	ipi(0, 9, 0x43);
	CHECK_EQ(who(0x43), 0);
}

TEST("an APIC ID that software has changed is where messages go, to several processors if they share it")
{
	setup();
	set(2, ID, 0x55000000);
	ipi(0, 2, 0x41);
	CHECK_EQ(who(0x41), 0);
	ipi(0, 0x55, 0x42);
	CHECK_EQ(who(0x42), 4);
	set(3, ID, 0x55000000);
	ipi(0, 0x55, 0x43);
	CHECK_EQ(who(0x43), 0xc);
}

TEST("shorthands: self, all including self, all excluding self")
{
	setup();
	ipi(1, 0, 0x41 | SELF);
	CHECK_EQ(who(0x41), 2);
	ipi(1, 0, 0x42 | EVERYBODY);
	CHECK_EQ(who(0x42), 0xf);
	ipi(1, 0, 0x43 | OTHERS);
	CHECK_EQ(who(0x43), 0xd);
}

/* "Valid Combinations for the ... Local xAPIC Interrupt Command Register". */
TEST("NMI to self or to all including self is invalid and sends nothing; to the others it is valid")
{
	setup();
	ipi(1, 0, NMI_MODE | SELF);
	ipi(1, 0, NMI_MODE | EVERYBODY);
	CHECK_EQ(told[0].nmis + told[1].nmis, 0);
	ipi(1, 0, NMI_MODE | OTHERS);
	CHECK_EQ(told[1].nmis, 0);
	CHECK_EQ(told[0].nmis + told[2].nmis + told[3].nmis, 3);
}

TEST("flat logical destinations select every APIC that shares a bit")
{
	setup();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		set(cpu, LDR, 1u << cpu << 24);
	ipi(0, 0x05, 0x41 | LOGICAL);
	CHECK_EQ(who(0x41), 5);
	ipi(0, 0x20, 0x42 | LOGICAL);
	CHECK_EQ(who(0x42), 0);
	msi(MSI_TO(0x0c) | MSI_LOGICAL, 0x43);
	CHECK_EQ(who(0x43), 0xc);
}

TEST("cluster logical destinations need the same cluster and a shared bit within it")
{
	setup();
	for (unsigned cpu = 0; cpu < CPUS; cpu++) {
		set(cpu, DFR, 0);
		set(cpu, LDR, (cpu / 2 << 4 | 1u << cpu % 2) << 24);
	}
	ipi(0, 0x13, 0x41 | LOGICAL);
	CHECK_EQ(who(0x41), 0xc);
	ipi(0, 0x02, 0x42 | LOGICAL);
	CHECK_EQ(who(0x42), 2);
	ipi(0, 0x23, 0x43 | LOGICAL);
	CHECK_EQ(who(0x43), 0);
	ipi(0, 0xff, 0x44 | LOGICAL);
	CHECK_EQ(who(0x44), 0xf);
}

TEST("x2APIC logical destinations are a 16-bit cluster and 16 processors; FFFFFFFFH is everyone")
{
	setup_x2apic();
	CHECK(set_msr(0, ICR, 0x0000000aull << 32 | LOGICAL | 0x41));
	CHECK_EQ(who(0x41), 0xa);
	CHECK(set_msr(0, ICR, 0x0001000aull << 32 | LOGICAL | 0x42));
	CHECK_EQ(who(0x42), 0);
	CHECK(set_msr(0, ICR, 0xffffffffull << 32 | 0x43));
	CHECK_EQ(who(0x43), 0xf);
	CHECK(set_msr(0, ICR, 0xffull << 32 | 0x44));
	CHECK_EQ(who(0x44), 0);
}

TEST("MSIs reach APICs in x2APIC mode with their 8-bit destinations, FFH being everyone")
{
	setup_x2apic();
	msi(MSI_TO(2), 0x41);
	CHECK_EQ(who(0x41), 4);
	msi(MSI_TO(0xff), 0x42);
	CHECK_EQ(who(0x42), 0xf);
	msi(MSI_TO(3) | MSI_LOGICAL, 0x43);
	CHECK_EQ(who(0x43), 3);
}

/* "Lowest Priority Delivery Mode": the arbitration priority is that of what the processor is doing. */
TEST("lowest priority goes to the one processor with the lowest PPR, among equals to each in turn")
{
	setup();
	set(0, TPR, 0x50);
	set(1, TPR, 0x20);
	set(2, TPR, 0x30);
	set(3, TPR, 0x20);
	ipi(0, 0xff, LOWEST | 0x61);
	CHECK_EQ(who(0x61), 2);
	ipi(0, 0xff, LOWEST | 0x62);
	CHECK_EQ(who(0x62), 8);
	ipi(0, 0xff, LOWEST | 0x63);
	CHECK_EQ(who(0x63), 2);
	ipi(1, 0, LOWEST | OTHERS | 0x64);
	CHECK_EQ(who(0x64), 8);
}

TEST("lowest priority passes over software-disabled APICs")
{
	setup();
	set(1, TPR, 0x20);
	set(0, SVR, 0xff);
	set(2, SVR, 0xff);
	set(3, SVR, 0xff);
	ipi(0, 0xff, LOWEST | 0x61);
	CHECK_EQ(who(0x61), 2);
}

TEST("an MSI with the redirection hint goes to one of its destinations only")
{
	setup();
	for (unsigned cpu = 0; cpu < CPUS; cpu++)
		set(cpu, LDR, 1u << cpu << 24);
	msi(MSI_TO(0x06) | MSI_LOGICAL | MSI_REDIRECT, 0x41);
	CHECK(who(0x41) == 2 || who(0x41) == 4);
}

TEST("INIT resets the target's APIC and tells the machine; its level de-assert does nothing")
{
	setup();
	set(1, TPR, 0x40);
	ipi(0, 1, INIT_MODE | LEVEL | ASSERT_LEVEL);
	CHECK_EQ(told[1].inits, 1);
	CHECK_EQ(get(1, TPR), 0);
	ipi(0, 1, INIT_MODE | LEVEL);
	CHECK_EQ(told[1].inits, 1);
	CHECK_EQ(told[0].inits, 0);
}

TEST("INIT leaves an APIC in x2APIC mode there")
{
	u64 value;

	setup();
	CHECK(set_base(1, X2APIC_MODE));
	ipi(0, 1, INIT_MODE);
	CHECK_EQ(told[1].inits, 1);
	CHECK(get_msr(1, ID, &value));
	CHECK_EQ(value, 1);
}

TEST("a logical destination beyond 8 bits misses APICs in xAPIC mode")
{
	setup();
	set(1, LDR, 2u << 24);
	CHECK(set_base(0, X2APIC_MODE));
	CHECK(set_msr(0, ICR, 0x102ull << 32 | LOGICAL | 0x41));
	CHECK_EQ(who(0x41), 0);
	CHECK(set_msr(0, ICR, 0x002ull << 32 | LOGICAL | 0x41));
	CHECK_EQ(who(0x41), 2);
}

TEST("a start-up IPI carries its vector to the machine, also while the target is software-disabled")
{
	setup();
	set(3, SVR, 0xff);
	ipi(0, 3, STARTUP_MODE | 0x9a);
	CHECK_EQ(told[3].startups, 1);
	CHECK_EQ(told[3].startup_vector, 0x9a);
}

TEST("SMI and NMI are told to the machine and leave no trace in IRR")
{
	setup();
	ipi(0, 2, SMI_MODE);
	ipi(0, 2, NMI_MODE | 0x41);
	CHECK_EQ(told[2].smis, 1);
	CHECK_EQ(told[2].nmis, 1);
	CHECK_EQ(who(0x41), 0);
}

TEST("reserved delivery modes send nothing")
{
	setup();
	ipi(0, 1, 3u << 8 | 0x41);
	ipi(0, 1, EXTINT_MODE | 0x41);
	CHECK_EQ(lapic_pending(&lapics[1]), LAPIC_NONE);
	CHECK_EQ(told[1].kicks, 0);
}

TEST("an IPI with an illegal vector is not sent and is the sender's error")
{
	setup();
	ipi(0, 1, 0x0f);
	set(0, ESR, 0);
	set(1, ESR, 0);
	CHECK_EQ(get(0, ESR), 0x20);
	CHECK_EQ(get(1, ESR), 0);
}

TEST("lowest priority needs a legal vector too; 16 is one; NMI needs none")
{
	setup();
	ipi(0, 1, LOWEST | 0x0f);
	set(0, ESR, 0);
	CHECK_EQ(get(0, ESR), 0x20);
	ipi(0, 1, LOWEST | 0x10);
	CHECK_EQ(who(0x10), 2);
	ipi(0, 1, NMI_MODE);
	CHECK_EQ(told[1].nmis, 1);
	set(0, ESR, 0);
	CHECK_EQ(get(0, ESR), 0);
}

TEST("an IPI is an edge whatever its trigger mode says")
{
	setup();
	ipi(0, 1, 0x41 | LEVEL | ASSERT_LEVEL);
	CHECK(in(1, IRR, 0x41));
	CHECK(!in(1, TMR, 0x41));
}

TEST("a globally disabled APIC hears nothing")
{
	setup();
	CHECK(set_base(1, 0));
	ipi(0, 1, INIT_MODE);
	ipi(0, 0xff, NMI_MODE);
	CHECK_EQ(told[1].inits + told[1].nmis, 0);
	CHECK_EQ(told[2].nmis, 1);
}

/* "Message Data Register Format". */
TEST("a level MSI counts when asserted, its de-assert is nothing; writes outside FEExxxxxH are nothing")
{
	setup();
	msi(0, 0x41 | LEVEL);
	CHECK_EQ(who(0x41), 0);
	msi(0, 0x41 | LEVEL | ASSERT_LEVEL);
	CHECK_EQ(who(0x41), 1);
	sink.send(sink.target, 0xfed00000, 0x42);
	sink.send(sink.target, 0x1fee00000, 0x42);
	CHECK_EQ(who(0x42), 0);
}

TEST("an ExtINT message makes the processor ask the 8259A once")
{
	setup();
	extint_vector = 0x23;
	msi(MSI_TO(1), EXTINT_MODE);
	CHECK_EQ(lapic_pending(&lapics[1]), LAPIC_EXTINT);
	CHECK_EQ(lapic_acknowledge(&lapics[1]), 0x23);
	CHECK_EQ(lapic_pending(&lapics[1]), LAPIC_NONE);
}

TEST("resetting the bus resets every APIC")
{
	setup();
	set(3, TPR, 0x40);
	msi(0, 0x41);
	CHECK(set_base(2, X2APIC_MODE));
	lapic_bus_reset(&bus);
	CHECK_EQ(lapic_page(&lapics[2]), 0xfee00000);
	CHECK_EQ(get(3, TPR), 0);
	CHECK_EQ(lapic_pending(&lapics[0]), LAPIC_NONE);
}

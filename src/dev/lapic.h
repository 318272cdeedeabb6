/*
 * Local APICs: one per processor, and the bus between them ("Advanced Programmable Interrupt Controller (APIC)").
 *
 * Memory-mapped (xAPIC) and MSR (x2APIC) interfaces, the timer on a 1 GHz bus clock, the two LINT pins, the error
 * register, and interrupt messages between processors and from IOAPICs and devices. The bus lock is held in every
 * function but lapic_pending(). Where processors differ it behaves as the current ones: the xAPIC ID is read-only,
 * pin polarity is the board's business, an INIT de-assert is ignored, and lowest priority means the lowest PPR, ties
 * in turn.
 */
#ifndef DEV_LAPIC_H
#define DEV_LAPIC_H

#include <stdatomic.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "machine/clock.h"
#include "machine/irq.h"

/* lapic_pending(): nothing, or an interrupt of the 8259A's whose vector is known only once it is acknowledged. */
#define LAPIC_NONE (-1)
#define LAPIC_EXTINT 256

#define LAPIC_MSR_BASE 0x1b         /* IA32_APIC_BASE */
#define LAPIC_MSR_TSC_DEADLINE 0x6e0 /* IA32_TSC_DEADLINE */
#define LAPIC_MSR_X2APIC 0x800      /* 100H of them: one for each 16 bytes of the xAPIC page */
#define LAPIC_MSR_X2APIC_END 0x900

#define LAPIC_BASE_BSP BIT(8)
#define LAPIC_BASE_EXTD BIT(10)
#define LAPIC_BASE_EN BIT(11)

#define LAPIC_PAGE_NONE (~0ull)

/* The local vector table in the order of its registers. */
enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/* Delivery modes, shared by LVT, ICR, IOAPIC and MSI. */
enum lapic_mode {
	LAPIC_FIXED, LAPIC_LOWEST, LAPIC_SMI, LAPIC_MODE_RESERVED, LAPIC_NMI, LAPIC_INIT, LAPIC_STARTUP,
	LAPIC_MODE_EXTINT,
};

/* What a processor's APIC has; fixed for its life. */
struct lapic_model {
	bool x2apic, tsc_deadline;
	u8 physical_bits;
};

struct lapic_state {
	u32 id; /* the initial APIC ID */
	u8 xapic_id; /* what software made of its low 8 bits; it counts in xAPIC mode */
	u64 base;
	u32 tpr, ldr, dfr, svr;
	u32 isr[8], tmr[8], irr[8];
	u32 esr, esr_seen; /* as last latched by a write, and since then */
	bool error_fired;  /* since the last write to ESR */
	u64 icr;
	u32 lvt[LVT_COUNT];
	u32 initial_count, divide;
	u64 timer_deadline; /* ns, CLOCK_NEVER */
	u64 tsc_deadline;
	bool lint[2];        /* levels at the pins */
	bool extint_message; /* an ExtINT message that has not been acknowledged yet */
};

struct lapic {
	struct lapic_state state;
	_Atomic int pending; /* what lapic_pending() tells */
	struct lapic_bus *bus;
	unsigned processor;
	struct lapic_model model;
	struct timer timer;
};

/* What the machine does with its processors when told so. */
struct lapic_hooks {
	void (*kick)(void *machine, unsigned processor); /* look: lapic_pending() has something now */
	void (*init)(void *machine, unsigned processor); /* the APIC's own part is done already */
	void (*startup)(void *machine, unsigned processor, u8 vector);
	void (*nmi)(void *machine, unsigned processor);
	void (*smi)(void *machine, unsigned processor);
	u64 (*tsc)(void *machine, unsigned processor);   /* as the guest reads it there, offsets included */
	int (*extint)(void *machine);                    /* the 8259A's interrupt acknowledge cycle */
	void (*eoi)(void *machine, u8 vector);           /* an EOI message to the IOAPICs */
};

struct trace;

struct lapic_bus_state {
	unsigned turn; /* where the search for the lowest priority begins */
};

struct lapic_bus {
	struct lapic_bus_state state;
	struct lapic *lapics; /* count of them, processor 0 first, owned by the board */
	unsigned count;
	struct clock *clock;
	const struct lapic_hooks *hooks;
	void *machine;
	struct trace *trace; /* may be NULL */
};

/* ---- the bus (lapic_bus.c) ---- */

/* Sets up the bus and its APICs in the power-on state; APIC IDs are the processors' numbers. */
void lapic_bus_init(struct lapic_bus *bus, struct lapic *lapics, unsigned count, const struct lapic_model *model,
		    struct clock *clock, const struct lapic_hooks *hooks, void *machine);
void lapic_bus_reset(struct lapic_bus *bus);
/* Takes interrupt messages; writes outside FEExxxxxH are ignored. */
struct msi_sink lapic_bus_sink(struct lapic_bus *bus);
/* The wires of the pins LINT0 (the 8259A's INTR) and LINT1 (NMI), which go to every processor. pin 0 or 1. */
struct irq_line lapic_bus_lint(struct lapic_bus *bus, unsigned pin);

/* ---- one processor's (lapic.c, lapic_registers.c, lapic_timer.c) ---- */

void lapic_reset(struct lapic *l, bool init);
/* After state was overwritten from a snapshot. */
void lapic_restored(struct lapic *l);
/*
 * What firmware does on the bootstrap processor: software-enables the APIC and lets the 8259A through ("Virtual Wire
 * Mode").
 */
void lapic_set_virtual_wire(struct lapic *l);

/* The vector to take now, LAPIC_EXTINT or LAPIC_NONE. Any thread, no lock. */
static inline int lapic_pending(const struct lapic *l)
{
	return atomic_load_explicit(&l->pending, memory_order_acquire);
}

/* The processor takes the interrupt: its vector, or LAPIC_NONE if there is none any more. */
int lapic_acknowledge(struct lapic *l);

u64 lapic_cr8(const struct lapic *l);
void lapic_set_cr8(struct lapic *l, u64 cr8);

/*
 * IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC MSRs; false: #GP(0), nothing changed. When the guest's TSC jumps,
 * writing the deadline back as it reads aims it anew.
 */
MUST_USE bool lapic_msr_read(struct lapic *l, u32 msr, u64 *value);
MUST_USE bool lapic_msr_write(struct lapic *l, u32 msr, u64 value);

/* Where the processor's register page is, or LAPIC_PAGE_NONE if it is disabled or in x2APIC mode. */
u64 lapic_page(const struct lapic *l);
/* offset within the page. */
u64 lapic_mmio_read(struct lapic *l, u64 offset, unsigned size);
void lapic_mmio_write(struct lapic *l, u64 offset, unsigned size, u64 value);

/* LVT interrupts from the processor itself (LVT_THERMAL, LVT_PERFORMANCE). */
void lapic_local_interrupt(struct lapic *l, enum lapic_lvt which);

#endif

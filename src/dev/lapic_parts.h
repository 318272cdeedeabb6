/* What the files of the local APIC share among themselves: register layout and inner steps. */
#ifndef DEV_LAPIC_PARTS_H
#define DEV_LAPIC_PARTS_H

#include "dev/lapic.h"

/* Fields of LVT entries, ICR and the messages made from them. */
#define LAPIC_VECTOR BITS(7, 0)
#define LAPIC_MODE_SHIFT 8
#define LAPIC_MODE BITS(10, 8)
#define LAPIC_LOGICAL BIT(11)
#define LAPIC_STATUS BIT(12)
#define LAPIC_POLARITY BIT(13)
#define LAPIC_REMOTE_IRR BIT(14) /* LVT */
#define LAPIC_ASSERT BIT(14)     /* ICR, MSI data */
#define LAPIC_LEVEL BIT(15)
#define LAPIC_MASKED BIT(16)
#define LAPIC_SHORTHAND_SHIFT 18
#define LAPIC_SHORTHAND BITS(19, 18)

#define LVT_TIMER_MODE_SHIFT 17
#define LVT_TIMER_MODE BITS(18, 17)
enum lvt_timer_mode { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_TSC_DEADLINE, TIMER_RESERVED };

#define SVR_ENABLE BIT(8)
#define SVR_NO_EOI_BROADCAST BIT(12)

/* Error Status Register. */
#define ESR_SEND_ILLEGAL_VECTOR BIT(5)
#define ESR_RECEIVE_ILLEGAL_VECTOR BIT(6)
#define ESR_ILLEGAL_REGISTER BIT(7)

#define LAPIC_LOWEST_LEGAL_VECTOR 16
#define LAPIC_BROADCAST 0xffffffffu

/* An interrupt message on its way; destination LAPIC_BROADCAST means everyone in both addressing modes. */
struct lapic_message {
	u32 destination;
	bool logical;
	enum lapic_mode mode;
	u8 vector;
	bool level;
	const struct lapic *except; /* the sender of a message to all others */
};

static inline const char *lapic_mode_name(enum lapic_mode mode)
{
	static const char *const names[] = { "fixed", "lowest", "smi", "reserved", "nmi", "init", "startup", "extint" };

	return names[mode];
}

static inline bool lapic_enabled(const struct lapic *l)
{
	return l->state.base & LAPIC_BASE_EN;
}

static inline bool lapic_in_x2apic_mode(const struct lapic *l)
{
	return l->state.base & LAPIC_BASE_EXTD;
}

static inline bool lapic_software_enabled(const struct lapic *l)
{
	return lapic_enabled(l) && (l->state.svr & SVR_ENABLE);
}

/* lapic.c */
void lapic_receive(struct lapic *l, const struct lapic_message *message);
void lapic_set_lint(struct lapic *l, unsigned pin, bool level);
void lapic_lint_changed(struct lapic *l);
void lapic_error(struct lapic *l, u32 bit);
void lapic_eoi(struct lapic *l);
u32 lapic_ppr(const struct lapic *l);
void lapic_update(struct lapic *l);

/* lapic_timer.c */
void lapic_timer_init(struct lapic *l);
void lapic_timer_rearm(struct lapic *l);
void lapic_timer_stop(struct lapic *l);
enum lvt_timer_mode lapic_timer_mode(const struct lapic *l);
void lapic_timer_set_lvt(struct lapic *l, u32 value);
void lapic_timer_set_initial(struct lapic *l, u32 count);
void lapic_timer_set_divide(struct lapic *l, u32 value);
void lapic_timer_set_tsc_deadline(struct lapic *l, u64 deadline);
u32 lapic_timer_current(const struct lapic *l);

/* lapic_bus.c */
void lapic_bus_send(struct lapic_bus *bus, const struct lapic_message *message);
void lapic_send_ipi(struct lapic *l, u64 icr);

#endif

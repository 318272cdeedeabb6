/*
 * A local APIC's heart: which interrupts it accepts, in what order the processor gets them, and what EOI does.
 *
 * Everything that can change what the processor should take next ends in lapic_update(), which keeps the one word
 * that the processor's thread looks at without the lock.
 */
#include "dev/lapic.h"

#include "base/string.h"
#include "base/trace.h"
#include "dev/lapic_parts.h"

#define VECTOR_WORD(vector) ((vector) / 32)
#define VECTOR_BIT(vector) (1u << (vector) % 32)
#define PRIORITY_CLASS 0xf0u
#define LAPIC_BASE_DEFAULT 0xfee00000ull
#define LAPIC_DFR_FLAT 0xffffffffu
#define LAPIC_SVR_RESET 0xffu
#define X2APIC_CLUSTER 0xfu

static int highest(const u32 *set)
{
	for (int word = 7; word >= 0; word--)
		if (set[word])
			return word * 32 + 31 - __builtin_clz(set[word]);
	return LAPIC_NONE;
}

/* "Processor Priority Register (PPR)". */
u32 lapic_ppr(const struct lapic *l)
{
	int in_service = highest(l->state.isr);
	u32 class = in_service < 0 ? 0 : (u32)in_service & PRIORITY_CLASS;

	return (l->state.tpr & PRIORITY_CLASS) >= class ? l->state.tpr : class;
}

static bool lvt_is_extint(u32 lvt)
{
	return !(lvt & LAPIC_MASKED) && bits_extract(lvt, 10, 8) == LAPIC_MODE_EXTINT;
}

/* A disabled APIC's LINT0 is the processor's INTR pin. ExtINT bypasses the priorities. */
static bool extint_wanted(const struct lapic *l)
{
	const struct lapic_state *s = &l->state;

	if (!lapic_enabled(l))
		return s->lint[0];
	return s->extint_message || (s->lint[0] && lvt_is_extint(s->lvt[LVT_LINT0])) ||
	       (s->lint[1] && lvt_is_extint(s->lvt[LVT_LINT1]));
}

static int deliverable(const struct lapic *l)
{
	int vector;

	if (extint_wanted(l))
		return LAPIC_EXTINT;
	vector = highest(l->state.irr);
	if (vector < 0 || !lapic_enabled(l))
		return LAPIC_NONE;
	return ((u32)vector & PRIORITY_CLASS) > (lapic_ppr(l) & PRIORITY_CLASS) ? vector : LAPIC_NONE;
}

void lapic_update(struct lapic *l)
{
	int now = deliverable(l);
	int before = atomic_exchange_explicit(&l->pending, now, memory_order_acq_rel);

	if (before == LAPIC_NONE && now != LAPIC_NONE)
		l->bus->hooks->kick(l->bus->machine, l->processor);
}

/* "Error Handling": the interrupt comes once, and again only after a write to ESR. */
void lapic_error(struct lapic *l, u32 bit)
{
	l->state.esr_seen |= bit;
	if (l->state.error_fired)
		return;
	l->state.error_fired = true;
	lapic_local_interrupt(l, LVT_ERROR);
}

static void accept(struct lapic *l, u8 vector, bool level)
{
	struct lapic_state *s = &l->state;

	if (!lapic_software_enabled(l))
		return;
	if (vector < LAPIC_LOWEST_LEGAL_VECTOR) {
		lapic_error(l, ESR_RECEIVE_ILLEGAL_VECTOR);
		return;
	}
	s->irr[VECTOR_WORD(vector)] |= VECTOR_BIT(vector);
	if (level)
		s->tmr[VECTOR_WORD(vector)] |= VECTOR_BIT(vector);
	else
		s->tmr[VECTOR_WORD(vector)] &= ~VECTOR_BIT(vector);
	lapic_update(l);
}

static void init(struct lapic *l)
{
	lapic_reset(l, true);
	l->bus->hooks->init(l->bus->machine, l->processor);
}

void lapic_receive(struct lapic *l, const struct lapic_message *message)
{
	const struct lapic_hooks *hooks = l->bus->hooks;

	if (!lapic_enabled(l))
		return;
	TRACE(l->bus->trace, IRQ, l->processor, trace_text(lapic_mode_name(message->mode)), message->vector);
	switch (message->mode) {
	case LAPIC_FIXED:
	case LAPIC_LOWEST:
		accept(l, message->vector, message->level);
		break;
	case LAPIC_SMI:
		hooks->smi(l->bus->machine, l->processor);
		break;
	case LAPIC_NMI:
		hooks->nmi(l->bus->machine, l->processor);
		break;
	case LAPIC_INIT:
		init(l);
		break;
	case LAPIC_STARTUP:
		hooks->startup(l->bus->machine, l->processor, message->vector);
		break;
	case LAPIC_MODE_EXTINT:
		l->state.extint_message = true;
		lapic_update(l);
		break;
	case LAPIC_MODE_RESERVED:
		break;
	}
}

/*
 * "Local Vector Table": timer and error entries have no delivery mode, so theirs reads as fixed. ExtINT is a level,
 * see above.
 */
void lapic_local_interrupt(struct lapic *l, enum lapic_lvt which)
{
	u32 lvt = l->state.lvt[which];
	struct lapic_message message = {
		.mode = (enum lapic_mode)bits_extract(lvt, 10, 8),
		.vector = (u8)(lvt & LAPIC_VECTOR),
		.level = which == LVT_LINT0 && (lvt & LAPIC_LEVEL),
	};

	if ((lvt & LAPIC_MASKED) || message.mode == LAPIC_STARTUP || message.mode == LAPIC_LOWEST ||
	    message.mode == LAPIC_MODE_EXTINT)
		return;
	if (message.mode == LAPIC_FIXED && message.level)
		l->state.lvt[which] |= LAPIC_REMOTE_IRR;
	lapic_receive(l, &message);
}

/* LINT0 programmed as a fixed level: the pin asks again until the handler's EOI finds it quiet. */
static bool lint0_is_level(const struct lapic *l)
{
	return (l->state.lvt[LVT_LINT0] & LAPIC_LEVEL) && bits_extract(l->state.lvt[LVT_LINT0], 10, 8) == LAPIC_FIXED;
}

void lapic_lint_changed(struct lapic *l)
{
	if (lint0_is_level(l) && l->state.lint[0] && !(l->state.lvt[LVT_LINT0] & LAPIC_REMOTE_IRR))
		lapic_local_interrupt(l, LVT_LINT0);
	lapic_update(l);
}

void lapic_set_lint(struct lapic *l, unsigned pin, bool level)
{
	enum lapic_lvt which = pin ? LVT_LINT1 : LVT_LINT0;
	bool rises = level && !l->state.lint[pin];

	l->state.lint[pin] = level;
	if (!lapic_enabled(l)) {
		if (rises && pin)
			l->bus->hooks->nmi(l->bus->machine, l->processor);
	} else if (rises && !(which == LVT_LINT0 && lint0_is_level(l))) {
		lapic_local_interrupt(l, which);
	}
	lapic_lint_changed(l);
}

int lapic_acknowledge(struct lapic *l)
{
	int vector = deliverable(l);

	if (vector == LAPIC_NONE)
		return LAPIC_NONE;
	if (vector == LAPIC_EXTINT) {
		l->state.extint_message = false;
		vector = l->bus->hooks->extint(l->bus->machine);
	} else {
		l->state.irr[VECTOR_WORD(vector)] &= ~VECTOR_BIT(vector);
		l->state.isr[VECTOR_WORD(vector)] |= VECTOR_BIT(vector);
	}
	lapic_update(l);
	return vector;
}

/* "Signaling Interrupt Servicing Completion". */
void lapic_eoi(struct lapic *l)
{
	struct lapic_state *s = &l->state;
	int vector = highest(s->isr);

	if (vector < 0)
		return;
	s->isr[VECTOR_WORD(vector)] &= ~VECTOR_BIT(vector);
	if (s->tmr[VECTOR_WORD(vector)] & VECTOR_BIT(vector)) {
		if ((s->lvt[LVT_LINT0] & LAPIC_VECTOR) == (u32)vector)
			s->lvt[LVT_LINT0] &= ~(u32)LAPIC_REMOTE_IRR;
		if (!(s->svr & SVR_NO_EOI_BROADCAST))
			l->bus->hooks->eoi(l->bus->machine, (u8)vector);
	}
	lapic_lint_changed(l);
}

u64 lapic_cr8(const struct lapic *l)
{
	return l->state.tpr >> 4;
}

void lapic_set_cr8(struct lapic *l, u64 cr8)
{
	l->state.tpr = (u32)bits_extract(cr8, 3, 0) << 4;
	lapic_update(l);
}

/*
 * "Local APIC State After Power-Up or Reset", "... After an INIT Reset": INIT keeps the base MSR, so also the mode.
 */
void lapic_reset(struct lapic *l, bool init_only)
{
	const struct lapic_state before = l->state;
	struct lapic_state *s = &l->state;

	lapic_timer_stop(l);
	*s = (struct lapic_state){
		.id = before.id,
		.xapic_id = init_only ? before.xapic_id : (u8)before.id,
		.base = LAPIC_BASE_DEFAULT | LAPIC_BASE_EN | (l->processor ? 0 : LAPIC_BASE_BSP),
		.dfr = LAPIC_DFR_FLAT,
		.svr = LAPIC_SVR_RESET,
		.timer_deadline = CLOCK_NEVER,
		.lint = { before.lint[0], before.lint[1] },
	};
	if (init_only)
		s->base = before.base;
	if (lapic_in_x2apic_mode(l))
		s->ldr = before.ldr;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		s->lvt[i] = LAPIC_MASKED;
	lapic_update(l);
}

void lapic_restored(struct lapic *l)
{
	lapic_timer_rearm(l);
	atomic_store_explicit(&l->pending, LAPIC_NONE, memory_order_release);
	lapic_update(l);
}

void lapic_set_virtual_wire(struct lapic *l)
{
	l->state.svr |= SVR_ENABLE;
	l->state.lvt[LVT_LINT0] = LAPIC_MODE_EXTINT << LAPIC_MODE_SHIFT;
	l->state.lvt[LVT_LINT1] = LAPIC_NMI << LAPIC_MODE_SHIFT;
	lapic_lint_changed(l);
}

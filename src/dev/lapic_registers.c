/*
 * A local APIC's registers: the xAPIC page, the x2APIC MSRs, IA32_APIC_BASE and the TSC deadline.
 *
 * One table says what each register (an offset of 16 bytes in the page, a number in the MSR range) lets software do;
 * the two interfaces differ in what they do with the rest: the page ignores it, the MSRs raise #GP.
 */
#include "base/compiler.h"
#include "dev/lapic_parts.h"

enum reg {
	REG_ID = 0x02, REG_VERSION = 0x03,
	REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a, REG_EOI = 0x0b, REG_RRD = 0x0c, REG_LDR = 0x0d,
	REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20, REG_ESR = 0x28,
	REG_ICR = 0x30, REG_ICR_HIGH = 0x31, REG_LVT = 0x32, REG_LVT_END = REG_LVT + LVT_COUNT, REG_INITIAL = 0x38,
	REG_CURRENT = 0x39, REG_DIVIDE = 0x3e, REG_SELF_IPI = 0x3f, REG_COUNT = 0x40,
};

/* Which of the interfaces may read and write a register. */
enum {
	XR = 1, XW = 2,   /* the page */
	MR = 4, MW = 8,   /* the MSRs */
	READ = XR | MR, WRITE = XW | MW, ALL = READ | WRITE,
};

struct reg_rule {
	u8 access;
	u32 writable; /* bits; others are ignored in the page, and raise #GP in an MSR unless tolerated */
	u32 tolerated; /* read-only status bits */
};

#define LVT_RULE(bits) { ALL, LAPIC_VECTOR | LAPIC_MASKED | (bits), LAPIC_STATUS }
#define LINT_WRITABLE (LAPIC_VECTOR | LAPIC_MODE | LAPIC_POLARITY | LAPIC_LEVEL | LAPIC_MASKED)
#define LINT_RULE { ALL, LINT_WRITABLE, LAPIC_STATUS | LAPIC_REMOTE_IRR }
#define ICR_WRITABLE (LAPIC_VECTOR | LAPIC_MODE | LAPIC_LOGICAL | LAPIC_ASSERT | LAPIC_LEVEL | LAPIC_SHORTHAND)

/* "Local APIC Register Address Map", "Local APIC Register Address Map Supported by x2APIC". */
static const struct reg_rule rules[REG_COUNT] = {
	[REG_ID] = { READ | XW, (u32)BITS(31, 24), 0 },
	[REG_VERSION] = { READ, 0, 0 },
	[REG_TPR] = { ALL, LAPIC_VECTOR, 0 },
	[REG_APR] = { XR, 0, 0 },
	[REG_PPR] = { READ, 0, 0 },
	[REG_EOI] = { WRITE, 0, 0 },
	[REG_RRD] = { XR, 0, 0 },
	[REG_LDR] = { READ | XW, (u32)BITS(31, 24), 0 },
	[REG_DFR] = { XR | XW, (u32)BITS(31, 28), 0 },
	[REG_SVR] = { ALL, LAPIC_VECTOR | SVR_ENABLE | SVR_NO_EOI_BROADCAST, 0 },
	[REG_ISR ... REG_ISR + 7] = { READ, 0, 0 },
	[REG_TMR ... REG_TMR + 7] = { READ, 0, 0 },
	[REG_IRR ... REG_IRR + 7] = { READ, 0, 0 },
	[REG_ESR] = { ALL, 0, 0 },
	[REG_ICR] = { ALL, ICR_WRITABLE, LAPIC_STATUS },
	[REG_ICR_HIGH] = { XR | XW, (u32)BITS(31, 24), 0 },
	[REG_LVT + LVT_TIMER] = LVT_RULE(LVT_TIMER_MODE),
	[REG_LVT + LVT_THERMAL] = LVT_RULE(LAPIC_MODE),
	[REG_LVT + LVT_PERFORMANCE] = LVT_RULE(LAPIC_MODE),
	[REG_LVT + LVT_LINT0] = LINT_RULE,
	[REG_LVT + LVT_LINT1] = LINT_RULE,
	[REG_LVT + LVT_ERROR] = LVT_RULE(0),
	[REG_INITIAL] = { ALL, (u32)BITS(31, 0), 0 },
	[REG_CURRENT] = { READ, 0, 0 },
	[REG_DIVIDE] = { ALL, BIT(3) | BIT(1) | BIT(0), 0 },
	[REG_SELF_IPI] = { MW, LAPIC_VECTOR, 0 },
};

/* "Local APIC Version Register": integrated APIC, EOI-broadcast suppression. */
#define VERSION_INTEGRATED 0x14u
#define VERSION_MAX_LVT_SHIFT 16
#define VERSION_EOI_SUPPRESSION BIT(24)
#define VERSION ((u32)(VERSION_INTEGRATED | (LVT_COUNT - 1) << VERSION_MAX_LVT_SHIFT | VERSION_EOI_SUPPRESSION))

#define XAPIC_ID_SHIFT 24
#define DFR_ONES 0x0fffffffu

static u32 writable_bits(const struct lapic *l, unsigned reg)
{
	u32 writable = rules[reg].writable;

	if (reg == REG_LVT + LVT_TIMER && !l->model.tsc_deadline)
		writable &= ~(u32)(TIMER_TSC_DEADLINE << LVT_TIMER_MODE_SHIFT);
	return writable;
}

static u32 read_register(const struct lapic *l, unsigned reg)
{
	const struct lapic_state *s = &l->state;

	switch (reg) {
	case REG_ID: return lapic_in_x2apic_mode(l) ? s->id : (u32)s->xapic_id << XAPIC_ID_SHIFT;
	case REG_VERSION: return VERSION;
	case REG_TPR: return s->tpr;
	case REG_APR:
	case REG_PPR: return lapic_ppr(l);
	case REG_LDR: return s->ldr;
	case REG_DFR: return s->dfr;
	case REG_SVR: return s->svr;
	case REG_ISR ... REG_ISR + 7: return s->isr[reg - REG_ISR];
	case REG_TMR ... REG_TMR + 7: return s->tmr[reg - REG_TMR];
	case REG_IRR ... REG_IRR + 7: return s->irr[reg - REG_IRR];
	case REG_ESR: return s->esr;
	case REG_ICR: return (u32)s->icr;
	case REG_ICR_HIGH: return (u32)(s->icr >> 32);
	case REG_LVT ... REG_LVT_END - 1: return s->lvt[reg - REG_LVT];
	case REG_INITIAL: return s->initial_count;
	case REG_CURRENT: return lapic_timer_current(l);
	case REG_DIVIDE: return s->divide;
	default: return 0;
	}
}

/*
 * While the APIC is software-disabled all entries stay masked ("Local APIC State After It Has Been Software
 * Disabled").
 */
static void write_lvt(struct lapic *l, enum lapic_lvt which, u32 value)
{
	if (!(l->state.svr & SVR_ENABLE))
		value |= LAPIC_MASKED;
	if (which == LVT_TIMER) {
		lapic_timer_set_lvt(l, value);
		return;
	}
	if ((value & LAPIC_LEVEL) && bits_extract(value, 10, 8) == LAPIC_FIXED)
		value |= l->state.lvt[which] & LAPIC_REMOTE_IRR;
	l->state.lvt[which] = value;
	lapic_lint_changed(l);
}

static void write_svr(struct lapic *l, u32 value)
{
	l->state.svr = value;
	if (value & SVR_ENABLE)
		return;
	for (unsigned i = 0; i < LVT_COUNT; i++)
		l->state.lvt[i] |= LAPIC_MASKED;
	lapic_update(l);
}

/* A write latches what has gone wrong since the last one ("Error Status Register (ESR)"). */
static void write_esr(struct lapic *l)
{
	l->state.esr = l->state.esr_seen;
	l->state.esr_seen = 0;
	l->state.error_fired = false;
}

static void self_ipi(struct lapic *l, u32 vector)
{
	const struct lapic_message message = { .mode = LAPIC_FIXED, .vector = (u8)vector };

	if (vector < LAPIC_LOWEST_LEGAL_VECTOR)
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
	else
		lapic_receive(l, &message);
}

/* value holds writable bits only. */
static void write_register(struct lapic *l, unsigned reg, u32 value)
{
	struct lapic_state *s = &l->state;

	switch (reg) {
	case REG_TPR:
		s->tpr = value;
		lapic_update(l);
		break;
	case REG_ID: s->xapic_id = (u8)(value >> XAPIC_ID_SHIFT); break;
	case REG_EOI: lapic_eoi(l); break;
	case REG_LDR: s->ldr = value; break;
	case REG_DFR: s->dfr = value | DFR_ONES; break;
	case REG_SVR: write_svr(l, value); break;
	case REG_ESR: write_esr(l); break;
	case REG_ICR:
		s->icr = (s->icr & BITS(63, 32)) | value;
		lapic_send_ipi(l, s->icr);
		break;
	case REG_ICR_HIGH: s->icr = (u32)s->icr | (u64)value << 32; break;
	case REG_LVT ... REG_LVT_END - 1: write_lvt(l, (enum lapic_lvt)(reg - REG_LVT), value); break;
	case REG_INITIAL: lapic_timer_set_initial(l, value); break;
	case REG_DIVIDE: lapic_timer_set_divide(l, value); break;
	case REG_SELF_IPI: self_ipi(l, value); break;
	default: break;
	}
}

/* ---- the page ---- */

u64 lapic_page(const struct lapic *l)
{
	if (!lapic_enabled(l) || lapic_in_x2apic_mode(l))
		return LAPIC_PAGE_NONE;
	return align_down(l->state.base, BIT(12));
}

/* Registers answer in the first 4 of their 16 bytes; narrower reads get their part. */
u64 lapic_mmio_read(struct lapic *l, u64 offset, unsigned size)
{
	unsigned reg = (unsigned)(offset >> 4);
	unsigned byte = (unsigned)offset & 0xf;

	if (reg >= REG_COUNT || !(rules[reg].access & (XR | XW))) {
		lapic_error(l, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	if (byte >= sizeof(u32) || !(rules[reg].access & XR))
		return 0;
	return (u64)read_register(l, reg) >> 8 * byte & byte_mask(size);
}

/* Only aligned writes of 32 bits are defined; of wider ones the first 32 bits count. */
void lapic_mmio_write(struct lapic *l, u64 offset, unsigned size, u64 value)
{
	unsigned reg = (unsigned)(offset >> 4);

	if (offset & 0xf || size < sizeof(u32))
		return;
	if (reg >= REG_COUNT || !(rules[reg].access & (XR | XW))) {
		lapic_error(l, ESR_ILLEGAL_REGISTER);
		return;
	}
	if (rules[reg].access & XW)
		write_register(l, reg, (u32)value & writable_bits(l, reg));
}

/* ---- the MSRs ---- */

static bool x2apic_read(const struct lapic *l, unsigned reg, u64 *value)
{
	if (!lapic_in_x2apic_mode(l) || reg >= REG_COUNT || !(rules[reg].access & MR))
		return false;
	*value = reg == REG_ICR ? l->state.icr : read_register(l, reg);
	return true;
}

static bool x2apic_write(struct lapic *l, unsigned reg, u64 value)
{
	u32 writable;

	if (!lapic_in_x2apic_mode(l) || reg >= REG_COUNT || !(rules[reg].access & MW))
		return false;
	writable = writable_bits(l, reg);
	if ((u32)value & ~(writable | rules[reg].tolerated))
		return false;
	if (reg == REG_ICR) {
		l->state.icr = (value & BITS(63, 32)) | ((u32)value & writable);
		lapic_send_ipi(l, l->state.icr);
		return true;
	}
	if (value >> 32)
		return false;
	write_register(l, reg, (u32)value & writable);
	return true;
}

/* "x2APIC State Transitions": the legal steps between disabled, xAPIC and x2APIC mode. */
static bool transition_is_legal(u64 from, u64 to)
{
	u64 mode_from = from & (LAPIC_BASE_EN | LAPIC_BASE_EXTD), mode_to = to & (LAPIC_BASE_EN | LAPIC_BASE_EXTD);

	if (mode_to == LAPIC_BASE_EXTD)
		return false;
	if (mode_from == 0)
		return mode_to != (LAPIC_BASE_EN | LAPIC_BASE_EXTD);
	if (mode_from == (LAPIC_BASE_EN | LAPIC_BASE_EXTD))
		return mode_to != LAPIC_BASE_EN;
	return true;
}

/* "Logical x2APIC ID": 16 processors a cluster. */
static u32 x2apic_ldr(u32 id)
{
	return id >> 4 << 16 | 1u << (id & 0xf);
}

static bool write_base(struct lapic *l, u64 value)
{
	u64 allowed = BITS(l->model.physical_bits - 1u, 12) | LAPIC_BASE_EN | LAPIC_BASE_BSP |
		      (l->model.x2apic ? LAPIC_BASE_EXTD : 0);
	u64 before = l->state.base;

	if ((value & ~allowed) || !transition_is_legal(before, value))
		return false;
	if ((before & LAPIC_BASE_EN) && !(value & LAPIC_BASE_EN))
		lapic_reset(l, false);
	l->state.base = value;
	if ((value & LAPIC_BASE_EXTD) && !(before & LAPIC_BASE_EXTD)) {
		l->state.ldr = x2apic_ldr(l->state.id);
		l->state.icr = (u32)l->state.icr;
	}
	lapic_lint_changed(l);
	return true;
}

bool lapic_msr_read(struct lapic *l, u32 msr, u64 *value)
{
	switch (msr) {
	case LAPIC_MSR_BASE:
		*value = l->state.base;
		return true;
	case LAPIC_MSR_TSC_DEADLINE:
		*value = l->state.tsc_deadline;
		return l->model.tsc_deadline;
	case LAPIC_MSR_X2APIC ... LAPIC_MSR_X2APIC_END - 1:
		return x2apic_read(l, msr - LAPIC_MSR_X2APIC, value);
	default:
		return false;
	}
}

bool lapic_msr_write(struct lapic *l, u32 msr, u64 value)
{
	switch (msr) {
	case LAPIC_MSR_BASE:
		return write_base(l, value);
	case LAPIC_MSR_TSC_DEADLINE:
		if (l->model.tsc_deadline)
			lapic_timer_set_tsc_deadline(l, value);
		return l->model.tsc_deadline;
	case LAPIC_MSR_X2APIC ... LAPIC_MSR_X2APIC_END - 1:
		return x2apic_write(l, msr - LAPIC_MSR_X2APIC, value);
	default:
		return false;
	}
}

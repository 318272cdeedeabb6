/*
 * Exceptions and interrupts: how they are raised, and how they reach their handler ("Interrupt and Exception
 * Handling", "INT n/INTO/INT3/INT1").
 *
 * Raising only notes the event. Delivery is one attempt after another: an attempt that meets an exception has
 * changed nothing, and what it met becomes the next event, combined with the first by the double-fault table. The
 * pushed frame is complete in memory before the first register changes.
 */
#include "cpu/event.h"

#include "base/trace.h"
#include "cpu/access.h"
#include "cpu/frame.h"
#include "cpu/task.h"

/* "Task-State Segment": where the I/O map base stands. The redirection bitmap is below the map. */
#define TSS_IO_MAP_BASE 102
#define REDIRECTION_BYTES 32

#define IDT_ERROR(vector) ((u32)(vector) * 8 + ERROR_IDT)

/* An event on its way: what will be pushed. */
struct delivery {
	struct cpu_event event;
	u64 rip;
	u64 rflags;
};

/* ---- raising ---- */

static enum step raise_event(struct core *c, const struct op *op, const struct cpu_event *event)
{
	if (op) {
		c->op = op;
		c->cpu.rip = op_rip(c, op);
	}
	c->cpu.event = *event;
	return STEP_FAULT;
}

enum step core_raise(struct core *c, const struct op *op, enum vector vector)
{
	struct cpu_event event = { .valid = true, .vector = vector, .type = EVENT_EXCEPTION };

	return raise_event(c, op, &event);
}

enum step core_raise_error(struct core *c, const struct op *op, enum vector vector, u32 error_code)
{
	struct cpu_event event = {
		.valid = true, .vector = vector, .type = EVENT_EXCEPTION,
		.has_error_code = true, .error_code = error_code,
	};

	/* "Error Code": EXT tells that the exception was met while an event was being delivered. */
	if (!op && (vector == VECTOR_TS || vector == VECTOR_NP || vector == VECTOR_SS || vector == VECTOR_GP))
		event.error_code |= c->event_external ? ERROR_EXT : 0;
	return raise_event(c, op, &event);
}

enum step core_raise_page_fault(struct core *c, const struct op *op, gva_t address, u32 error_code)
{
	struct cpu_event event = {
		.valid = true, .vector = VECTOR_PF, .type = EVENT_EXCEPTION,
		.has_error_code = true, .error_code = error_code, .payload = address,
	};

	return raise_event(c, op, &event);
}

enum step core_raise_software(struct core *c, const struct op *op, u8 vector, enum cpu_event_type type)
{
	c->op = op;
	c->cpu.rip = op_next_rip(c, op);
	c->cpu.event = (struct cpu_event){
		.valid = true, .vector = vector, .type = type, .instruction_length = op->insn.length,
	};
	return STEP_TRAP;
}

/* ---- classes of events ---- */

static bool is_software(const struct cpu_event *e)
{
	return e->type == EVENT_SOFTWARE_INTERRUPT || e->type == EVENT_SOFTWARE_EXCEPTION ||
	       e->type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION;
}

/* INT n, INT3, INTO: the program asked for it, so the gate's DPL matters and EXT stays 0. INT1 is not among them. */
static bool is_checked(const struct cpu_event *e)
{
	return e->type == EVENT_SOFTWARE_INTERRUPT || e->type == EVENT_SOFTWARE_EXCEPTION;
}

/* Fault-class exceptions restart their instruction: RF = 1 in the image keeps its breakpoint from hitting again. */
static bool is_fault(const struct cpu_event *e)
{
	if (e->type != EVENT_EXCEPTION)
		return false;
	switch (e->vector) {
	case VECTOR_DB: /* General detect is a fault; a breakpoint's own fault leaves RF to its handler. */
		return e->payload & DR6_BD;
	case VECTOR_BP:
	case VECTOR_OF:
	case VECTOR_DF:
	case VECTOR_MC:
		return false;
	default:
		return true;
	}
}

enum fault_class { FAULT_BENIGN, FAULT_CONTRIBUTORY, FAULT_PAGE, FAULT_DOUBLE };

/* "Interrupt and Exception Classes" */
static enum fault_class fault_class(const struct cpu_event *e)
{
	if (e->type != EVENT_EXCEPTION)
		return FAULT_BENIGN;
	switch (e->vector) {
	case VECTOR_DE:
	case VECTOR_TS:
	case VECTOR_NP:
	case VECTOR_SS:
	case VECTOR_GP:
	case VECTOR_CP:
		return FAULT_CONTRIBUTORY;
	case VECTOR_PF:
	case VECTOR_VE:
		return FAULT_PAGE;
	case VECTOR_DF:
		return FAULT_DOUBLE;
	default:
		return FAULT_BENIGN;
	}
}

/* ---- real mode, and redirected INT n in virtual-8086 mode ---- */

/* Through a vector table of far pointers at `table`. */
static bool deliver_paragraph(struct core *c, const struct delivery *d, gva_t table, u64 cleared)
{
	struct frame f = frame_on_current(c, 2, false);
	struct load target = system_load(c, NULL, linear_wrap(&c->cpu, table + d->event.vector * 4u), 4);
	struct cpu_segment cs;

	if (!target.ok)
		return false;
	cs = segment_real(c, SEG_CS, (u16)(target.value >> 16));
	if (!segment_check_target(c, NULL, &cs, (u16)target.value))
		return false;
	frame_push(&f, d->rflags);
	frame_push(&f, c->cpu.segment[SEG_CS].selector);
	frame_push(&f, d->rip);
	if (!frame_write(c, NULL, &f))
		return false;
	frame_commit(c, &f);
	c->cpu.segment[SEG_CS] = cs;
	c->cpu.rip = (u16)target.value;
	c->cpu.rflags &= ~cleared;
	return true;
}

static bool deliver_real(struct core *c, const struct delivery *d)
{
	if (d->event.vector * 4u + 3 > c->cpu.idtr.limit) {
		(void)core_raise_error(c, NULL, VECTOR_GP, IDT_ERROR(d->event.vector));
		return false;
	}
	return deliver_paragraph(c, d, c->cpu.idtr.base, RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
}

bool event_read_redirection(struct core *c, const struct op *op, u8 vector, bool *redirected)
{
	const struct cpu_segment *tss = &c->cpu.segment[SEG_TR];
	u64 offset = TSS_IO_MAP_BASE;
	struct load load;

	*redirected = false;
	if (!(c->cpu.cr4 & CR4_VME))
		return true;
	if (offset + 1 <= tss->limit) {
		load = system_load(c, op, linear_wrap(&c->cpu, tss->base + offset), 2);
		if (!load.ok)
			return false;
		offset = load.value - REDIRECTION_BYTES + vector / 8;
		if (offset <= tss->limit) {
			load = system_load(c, op, linear_wrap(&c->cpu, tss->base + offset), 1);
			*redirected = !(load.value >> vector % 8 & 1);
			return load.ok;
		}
	}
	(void)core_raise_error(c, op, VECTOR_GP, 0);
	return false;
}

/* Methods 5 and 6: with IOPL below 3 the program sees VIF where IF was. */
static bool deliver_redirected(struct core *c, const struct delivery *d)
{
	bool virtual = (d->rflags & RFLAGS_IOPL) != RFLAGS_IOPL;
	struct delivery seen = *d;

	if (virtual) {
		seen.rflags = (d->rflags & ~RFLAGS_IF) | RFLAGS_IOPL;
		seen.rflags |= d->rflags & RFLAGS_VIF ? RFLAGS_IF : 0;
	}
	return deliver_paragraph(c, &seen, 0, RFLAGS_TF | RFLAGS_RF | (virtual ? RFLAGS_VIF : RFLAGS_IF));
}

/* ---- protected and long mode ---- */

static bool gate_type_is_valid(const struct core *c, unsigned type)
{
	switch (type) {
	case DESCRIPTOR_INTERRUPT_GATE32: /* also the 64-bit gates */
	case DESCRIPTOR_TRAP_GATE32:
		return true;
	case DESCRIPTOR_INTERRUPT_GATE16:
	case DESCRIPTOR_TRAP_GATE16:
	case DESCRIPTOR_TASK_GATE:
		return !cpu_in_long_mode(&c->cpu);
	default:
		return false;
	}
}

static bool read_gate(struct core *c, const struct cpu_event *e, struct gate *gate)
{
	unsigned bytes = cpu_in_long_mode(&c->cpu) ? 16 : 8;
	unsigned offset = e->vector * bytes;
	enum vector bad = VECTOR_GP;
	struct load half;
	struct descriptor d = { .address = linear_wrap(&c->cpu, c->cpu.idtr.base + offset) };

	if (offset + bytes - 1 <= c->cpu.idtr.limit) {
		half = system_load(c, NULL, d.address, 8);
		if (!half.ok)
			return false;
		d.low = half.value;
		if (bytes == 16) {
			half = system_load(c, NULL, d.address + 8, 8);
			if (!half.ok)
				return false;
			d.high = (u32)half.value;
		}
		*gate = descriptor_gate(&d);
		if (gate_type_is_valid(c, descriptor_system_type(&d)) &&
		    !(is_checked(e) && gate->dpl < cpu_cpl(&c->cpu))) {
			if (gate->present)
				return true;
			bad = VECTOR_NP;
		}
	}
	(void)core_raise_error(c, NULL, bad, IDT_ERROR(e->vector));
	return false;
}

/* Which stack the handler gets ("Stack Usage on Transfers to Interrupt and Exception-Handling Routines"). */
static bool choose_stack(struct core *c, const struct gate *gate, unsigned cpl, struct frame *f)
{
	bool inner = cpl < cpu_cpl(&c->cpu);
	struct cpu_segment segment;
	u16 ss;
	u32 esp;
	u64 rsp;

	if (cpu_in_long_mode(&c->cpu)) {
		/* "IA-32e Mode Stack Switching": SS becomes null; RSP is aligned whether it is switched or not. */
		*f = frame_on_current(c, 8, true);
		rsp = f->rsp;
		if ((inner || gate->ist) && !tss_stack64(c, NULL, cpl, gate->ist, &rsp))
			return false;
		if (inner) {
			segment = segment_null_stack((u16)cpl, cpl);
			*f = frame_on_inner(&segment, rsp, 8, true);
		}
		f->rsp = align_down(rsp, 16);
		return true;
	}
	if (!inner) {
		*f = frame_on_current(c, gate->type & SEGMENT_TYPE_CODE ? 4 : 2, false);
		return true;
	}
	if (!tss_stack(c, NULL, cpl, &ss, &esp) ||
	    !segment_prepare_stack(c, NULL, VECTOR_TS, ss, cpl, false, &segment))
		return false;
	*f = frame_on_inner(&segment, esp, gate->type & SEGMENT_TYPE_CODE ? 4 : 2, false);
	return true;
}

static void push_all(const struct core *c, const struct delivery *d, struct frame *f)
{
	const struct cpu_segment *segment = c->cpu.segment;

	if (cpu_in_v86_mode(&c->cpu)) {
		frame_push(f, segment[SEG_GS].selector);
		frame_push(f, segment[SEG_FS].selector);
		frame_push(f, segment[SEG_DS].selector);
		frame_push(f, segment[SEG_ES].selector);
	}
	if (f->system || cpu_in_long_mode(&c->cpu)) {
		frame_push(f, segment[SEG_SS].selector);
		frame_push(f, c->cpu.gpr[GPR_RSP]);
	}
	frame_push(f, d->rflags);
	frame_push(f, segment[SEG_CS].selector);
	frame_push(f, d->rip);
	if (d->event.has_error_code)
		frame_push(f, d->event.error_code);
}

static bool deliver_task_gate(struct core *c, const struct delivery *d, u16 selector)
{
	struct task_switch t = {
		.source = TASK_EVENT, .selector = selector, .rip = d->rip, .rflags = d->rflags,
		.has_error_code = d->event.has_error_code, .error_code = d->event.error_code,
	};

	return task_switch(c, NULL, &t);
}

static bool deliver_gate(struct core *c, const struct delivery *d)
{
	static const u8 data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
	bool v86 = cpu_in_v86_mode(&c->cpu);
	struct cpu_segment cs;
	struct gate gate;
	struct frame f;
	unsigned cpl;

	if (!read_gate(c, &d->event, &gate))
		return false;
	if (gate.type == DESCRIPTOR_TASK_GATE)
		return deliver_task_gate(c, d, gate.selector);
	if (!segment_prepare_code(c, NULL, VECTOR_GP, gate.selector, CODE_GATE_CALL, &cs))
		return false;
	cpl = cs.selector & SELECTOR_RPL;
	if (v86 && cpl != 0) {
		(void)core_raise_error(c, NULL, VECTOR_GP, gate.selector & SELECTOR_ERROR);
		return false;
	}
	if (!choose_stack(c, &gate, cpl, &f))
		return false;
	push_all(c, d, &f);
	if (!segment_check_target(c, NULL, &cs, gate.offset) || !frame_write(c, NULL, &f))
		return false;

	frame_commit(c, &f);
	c->cpu.segment[SEG_CS] = cs;
	c->cpu.rip = gate.offset;
	for (unsigned n = 0; v86 && n < ARRAY_LENGTH(data); n++)
		c->cpu.segment[data[n]] = segment_null(c, &c->cpu.segment[data[n]], 0);
	c->cpu.rflags &= ~(RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM);
	if (gate.type == DESCRIPTOR_INTERRUPT_GATE16 || gate.type == DESCRIPTOR_INTERRUPT_GATE32)
		c->cpu.rflags &= ~RFLAGS_IF;
	return true;
}

/* ---- delivery ---- */

/* What an exception tells beside its error code; real processors set it when they find the exception. */
static void note_payload(struct core *c, const struct cpu_event *e)
{
	bool int1 = e->type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION;

	if (e->type == EVENT_EXCEPTION && e->vector == VECTOR_PF)
		c->cpu.cr2 = e->payload;
	if ((e->type == EVENT_EXCEPTION || int1) && e->vector == VECTOR_DB) {
		c->cpu.dr6 = (c->cpu.dr6 & ~DR6_HITS) | e->payload;
		c->cpu.dr7 &= ~DR7_GD;
		c->cpu.debugctl &= ~(DEBUGCTL_LBR | DEBUGCTL_BTF);
	}
}

static bool deliver(struct core *c, const struct delivery *d)
{
	bool redirected = false;

	if (cpu_in_real_mode(&c->cpu))
		return deliver_real(c, d);
	if (cpu_in_v86_mode(&c->cpu) && d->event.type == EVENT_SOFTWARE_INTERRUPT) {
		if (!event_read_redirection(c, NULL, d->event.vector, &redirected))
			return false;
		if (redirected)
			return deliver_redirected(c, d);
	}
	return deliver_gate(c, d);
}

static void trace_event(struct core *c, const struct cpu_event *e)
{
	static const char *const names[] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9", "#TS", "#NP", "#SS", "#GP", "#PF",
		"#15", "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
	};

	if (e->type == EVENT_EXTERNAL || e->type == EVENT_NMI)
		TRACE(c->trace, INJECT, c->processor, e->vector, c->cpu.rip);
	else if (e->type != EVENT_EXCEPTION)
		TRACE(c->trace, SOFTWARE, c->processor, e->vector, c->cpu.rip);
	else if (e->vector == VECTOR_PF)
		TRACE(c->trace, PAGE_FAULT, c->processor, e->payload, e->error_code, c->cpu.rip);
	else
		TRACE(c->trace, EXCEPTION, c->processor,
		      trace_text(e->vector < ARRAY_LENGTH(names) ? names[e->vector] : "other"),
		      e->error_code, c->cpu.rip);
}

static bool attempt(struct core *c, const struct cpu_event *event)
{
	struct delivery d = { .event = *event, .rip = c->cpu.rip, .rflags = cpu_rflags(&c->cpu) };
	bool delivered;

	trace_event(c, event);
	note_payload(c, event);
	if (is_fault(event))
		d.rflags |= RFLAGS_RF;
	if (is_software(event)) {
		d.rflags &= ~RFLAGS_RF;
		/* An exception on the way is a fault of the instruction that asked. */
		c->cpu.rip -= event->instruction_length;
	}
	c->event_external = !is_checked(event);
	delivered = deliver(c, &d);
	c->event_external = false;
	if (delivered) {
		c->cpu.interruptibility &= ~(CPU_BLOCKED_BY_STI | CPU_BLOCKED_BY_MOV_SS);
		if (event->type == EVENT_NMI)
			c->cpu.interruptibility |= CPU_BLOCKED_BY_NMI;
		core_mode_changed(c);
	}
	return delivered;
}

/* "Conditions for Generating a Double Fault": what becomes of a second exception, now in cpu.event. */
static void combine(struct core *c, const struct cpu_event *first)
{
	enum fault_class before = fault_class(first), now = fault_class(&c->cpu.event);
	bool harmless = now == FAULT_BENIGN || before == FAULT_BENIGN ||
			(before == FAULT_CONTRIBUTORY && now == FAULT_PAGE);

	if (harmless)
		return;
	note_payload(c, &c->cpu.event);
	if (before == FAULT_DOUBLE) {
		c->cpu.event.valid = false;
		c->cpu.activity = CPU_SHUTDOWN;
		return;
	}
	(void)core_raise_error(c, NULL, VECTOR_DF, 0);
}

/*
 * Benign exceptions can meet forever: #AC while delivering #AC, each delivery as the one before. A real processor hangs
 * there, deaf to everything; here that is a shutdown. No other chain of exceptions is this long.
 */
#define ATTEMPTS_MAX 8

void core_deliver_event(struct core *c)
{
	for (unsigned n = 0; c->cpu.event.valid; n++) {
		struct cpu_event event = c->cpu.event;

		c->cpu.event.valid = false;
		if (n == ATTEMPTS_MAX)
			c->cpu.activity = CPU_SHUTDOWN;
		else if (!attempt(c, &event))
			combine(c, &event);
	}
}

/*
 * Hardware task switches: see task.h.
 *
 * The manual's order ("Task Switching") is kept: everything about the two task-state segments is checked and known
 * to be accessible first, and an exception until then leaves the old task untouched. Then the old state is saved and
 * the new registers are loaded, the segment registers only by selector, marked unusable. From there on it is the new
 * task that runs, and it gets the exceptions which its segment descriptors cause.
 */
#include "cpu/task.h"

#include "cpu/access.h"
#include "cpu/control.h"
#include "cpu/frame.h"

/* "Task-State Segment", "16-Bit Task-State Segment": RIP, flags, registers and segments follow each other. */
struct tss_layout {
	u8 word;     /* bytes of a slot; all else are offsets in bytes */
	u8 bytes;    /* the smallest task-state segment */
	u8 rip;      /* first of the slots that a switch saves */
	u8 segments; /* ES, CS, SS, DS, and FS, GS in the larger one */
	u8 ldt;
};

#define TSS_LINK 0
#define TSS32_CR3 28
#define TSS32_TRAP 100
#define TSS32_BYTES 104

static const struct tss_layout layouts[] = {
	{ .word = 2, .bytes = 44, .rip = 14, .segments = 4, .ldt = 42 },
	{ .word = 4, .bytes = TSS32_BYTES, .rip = 32, .segments = 6, .ldt = 96 },
};

#define TSS_GPRS 8
#define SLOT_FLAGS 1
#define SLOT_GPR 2
#define SLOT_SEGMENT (SLOT_GPR + TSS_GPRS)
#define SLOTS_MAX (SLOT_SEGMENT + 6)

/* A task that is about to run, as its task-state segment describes it. */
struct task {
	const struct tss_layout *layout;
	struct descriptor descriptor;
	struct cpu_segment tss;
	u64 slot[SLOTS_MAX];
	u32 cr3;
	u16 ldt;
	bool trap;
};

static const struct tss_layout *layout_of(u32 attributes)
{
	return &layouts[attributes & SEGMENT_TYPE_CODE ? 1 : 0]; /* bit 3 of the type: 32 bits */
}

static unsigned slots_of(const struct tss_layout *layout)
{
	return SLOT_SEGMENT + layout->segments;
}

static gva_t tss_address(const struct core *c, const struct cpu_segment *tss, unsigned offset)
{
	return linear_wrap(&c->cpu, tss->base + offset);
}

static bool refuse(struct core *c, const struct op *op, enum vector vector, u16 selector)
{
	(void)core_raise_error(c, op, vector, selector & SELECTOR_ERROR);
	return false;
}

/* ---- before the switch ---- */

/* A switch back goes to a busy task, every other one to an available one. */
static bool find_task(struct core *c, const struct op *op, const struct task_switch *t, struct task *task)
{
	enum vector bad = t->source == TASK_RETURN ? VECTOR_TS : VECTOR_GP;
	unsigned busy = t->source == TASK_RETURN ? DESCRIPTOR_TSS_BUSY : 0;
	struct descriptor *d = &task->descriptor;
	unsigned type;

	if (selector_is_null(t->selector) || t->selector & SELECTOR_TI)
		return refuse(c, op, bad, t->selector);
	if (!descriptor_read(c, op, bad, t->selector, d))
		return false;
	type = descriptor_system_type(d);
	if (type != (DESCRIPTOR_TSS16_AVAILABLE | busy) && type != (DESCRIPTOR_TSS32_AVAILABLE | busy))
		return refuse(c, op, bad, t->selector);
	if (!(descriptor_attributes(d) & SEGMENT_P))
		return refuse(c, op, VECTOR_NP, t->selector);
	task->tss = descriptor_segment(d, t->selector);
	task->tss.attributes |= DESCRIPTOR_TSS_BUSY;
	task->layout = layout_of(task->tss.attributes);
	if (task->tss.limit < task->layout->bytes - 1u)
		return refuse(c, op, VECTOR_TS, t->selector);
	return true;
}

/* Reads what the new task's registers will be. */
static bool read_task(struct core *c, const struct op *op, struct task *task)
{
	const struct tss_layout *layout = task->layout;
	struct load load;

	for (unsigned n = 0; n < slots_of(layout); n++) {
		load = system_load(c, op, tss_address(c, &task->tss, layout->rip + n * layout->word), layout->word);
		if (!load.ok)
			return false;
		task->slot[n] = load.value;
	}
	load = system_load(c, op, tss_address(c, &task->tss, layout->ldt), 2);
	if (!load.ok)
		return false;
	task->ldt = (u16)load.value;
	if (layout->bytes != TSS32_BYTES)
		return true;
	load = system_load(c, op, tss_address(c, &task->tss, TSS32_CR3), 4);
	if (!load.ok)
		return false;
	task->cr3 = (u32)load.value;
	load = system_load(c, op, tss_address(c, &task->tss, TSS32_TRAP), 1);
	task->trap = load.value & 1;
	return load.ok;
}

static bool is_nested(enum task_source source)
{
	return source == TASK_CALL || source == TASK_EVENT;
}

/* The current task's descriptor: its busy bit is cleared by a switch that leaves it for good. */
static bool find_current(const struct core *c, struct descriptor *d)
{
	const struct cpu_segment *tss = &c->cpu.segment[SEG_TR];

	*d = (struct descriptor){ .low = (u64)tss->attributes << 40 };
	return descriptor_find(c, tss->selector, 8, &d->address);
}

/* Everything that will be written can be. */
static bool probe(struct core *c, const struct op *op, const struct task_switch *t, const struct task *task)
{
	const struct cpu_segment *old = &c->cpu.segment[SEG_TR];
	const struct tss_layout *layout = layout_of(old->attributes);
	struct descriptor current;

	if (old->limit < layout->bytes - 1u)
		return refuse(c, op, VECTOR_TS, old->selector);
	if (!system_probe(c, op, tss_address(c, old, layout->rip), slots_of(layout) * layout->word, ACCESS_WRITE))
		return false;
	if (!is_nested(t->source) && find_current(c, &current) &&
	    !system_probe(c, op, current.address, 8, ACCESS_WRITE))
		return false;
	if (is_nested(t->source) && !system_probe(c, op, tss_address(c, &task->tss, TSS_LINK), 2, ACCESS_WRITE))
		return false;
	return t->source == TASK_RETURN || system_probe(c, op, task->descriptor.address, 8, ACCESS_WRITE);
}

/* ---- the switch ---- */

static bool save_old(struct core *c, const struct op *op, const struct task_switch *t)
{
	const struct cpu_segment *old = &c->cpu.segment[SEG_TR];
	const struct tss_layout *layout = layout_of(old->attributes);
	u64 slot[SLOTS_MAX] = { t->rip, t->rflags };

	if (t->source == TASK_RETURN)
		slot[SLOT_FLAGS] &= ~RFLAGS_NT;
	for (unsigned n = 0; n < TSS_GPRS; n++)
		slot[SLOT_GPR + n] = c->cpu.gpr[n];
	for (unsigned n = 0; n < layout->segments; n++)
		slot[SLOT_SEGMENT + n] = c->cpu.segment[n].selector;
	for (unsigned n = 0; n < slots_of(layout); n++)
		if (!system_store(c, op, tss_address(c, old, layout->rip + n * layout->word), layout->word, slot[n]))
			return false;
	return true;
}

static bool link_tasks(struct core *c, const struct op *op, const struct task_switch *t, const struct task *task)
{
	struct descriptor current;

	if (is_nested(t->source)) {
		u16 link = c->cpu.segment[SEG_TR].selector;

		if (!system_store(c, op, tss_address(c, &task->tss, TSS_LINK), 2, link))
			return false;
	} else if (find_current(c, &current)) {
		unsigned type = descriptor_system_type(&current) & ~DESCRIPTOR_TSS_BUSY;

		if (!descriptor_write_type(c, op, &current, type))
			return false;
	}
	if (t->source == TASK_RETURN)
		return true;
	return descriptor_write_type(c, op, &task->descriptor,
				     descriptor_system_type(&task->descriptor) | DESCRIPTOR_TSS_BUSY);
}

/* All of the new task's registers but what its descriptors say. Cannot fail. */
static void load_registers(struct core *c, const struct task_switch *t, const struct task *task)
{
	u64 rflags = task->slot[SLOT_FLAGS] | (is_nested(t->source) ? RFLAGS_NT : 0);
	unsigned cpl = rflags & RFLAGS_VM ? 3 : task->slot[SLOT_SEGMENT + SEG_CS] & SELECTOR_RPL;

	c->cpu.segment[SEG_TR] = task->tss;
	c->cpu.cr0 |= CR0_TS;
	c->cpu.dr7 &= ~DR7_LOCAL;
	c->cpu.rip = task->slot[0];
	cpu_set_rflags(&c->cpu, rflags);
	for (unsigned n = 0; n < TSS_GPRS; n++)
		c->cpu.gpr[n] = task->slot[SLOT_GPR + n];
	for (unsigned n = 0; n <= SEG_GS; n++) {
		u16 selector = n < task->layout->segments ? (u16)task->slot[SLOT_SEGMENT + n] : 0;

		c->cpu.segment[n] = (struct cpu_segment){ .attributes = SEGMENT_UNUSABLE, .selector = selector };
	}
	c->cpu.segment[SEG_SS].attributes |= cpl << SEGMENT_DPL_SHIFT;
	c->cpu.segment[SEG_LDTR] = (struct cpu_segment){ .attributes = SEGMENT_UNUSABLE, .selector = task->ldt };
}

/* ---- in the new task ---- */

static bool load_segments(struct core *c)
{
	static const u8 data[] = { SEG_DS, SEG_ES, SEG_FS, SEG_GS };
	struct cpu_segment *segment = c->cpu.segment;

	if (cpu_in_v86_mode(&c->cpu)) {
		for (unsigned n = 0; n <= SEG_GS; n++)
			segment[n] = segment_real(c, n, segment[n].selector);
		return true;
	}
	if (!segment_prepare_code(c, NULL, VECTOR_TS, segment[SEG_CS].selector, CODE_RETURN, &segment[SEG_CS]) ||
	    !segment_prepare_stack(c, NULL, VECTOR_TS, segment[SEG_SS].selector, cpu_cpl(&c->cpu), false,
				   &segment[SEG_SS]))
		return false;
	for (unsigned n = 0; n < ARRAY_LENGTH(data); n++)
		if (!segment_prepare_data(c, NULL, VECTOR_TS, segment[data[n]].selector, &segment[data[n]]))
			return false;
	return true;
}

static bool push_error_code(struct core *c, const struct task_switch *t, const struct task *task)
{
	struct frame f = frame_on_current(c, task->layout->word, false);

	frame_push(&f, t->error_code);
	if (!frame_write(c, NULL, &f))
		return false;
	frame_commit(c, &f);
	return true;
}

static bool enter_task(struct core *c, const struct task_switch *t, const struct task *task)
{
	bool load_cr3 = task->layout->bytes == TSS32_BYTES && c->cpu.cr0 & CR0_PG;
	struct cpu_segment ldt;
	bool ok;

	if (task->trap)
		c->cpu.pending_debug |= DR6_BT;
	if (load_cr3 && !control_load_cr3(c, NULL, task->cr3))
		return false;
	if (!segment_prepare_ldt(c, NULL, VECTOR_TS, task->ldt, &ldt))
		return false;
	c->cpu.segment[SEG_LDTR] = ldt;
	ok = load_segments(c);
	core_mode_changed(c);
	return ok && segment_check_target(c, NULL, &c->cpu.segment[SEG_CS], c->cpu.rip) &&
	       (!t->has_error_code || push_error_code(c, t, task));
}

bool task_switch(struct core *c, const struct op *op, const struct task_switch *t)
{
	struct task task = { 0 };

	if (!find_task(c, op, t, &task) || !read_task(c, op, &task) || !probe(c, op, t, &task) ||
	    !save_old(c, op, t) || !link_tasks(c, op, t, &task))
		return false;
	load_registers(c, t, &task);
	core_mode_changed(c);
	return enter_task(c, t, &task);
}

bool task_return(struct core *c, const struct op *op, u64 rip)
{
	struct load link = system_load(c, op, tss_address(c, &c->cpu.segment[SEG_TR], TSS_LINK), 2);
	struct task_switch t = {
		.source = TASK_RETURN, .selector = (u16)link.value, .rip = rip, .rflags = cpu_rflags(&c->cpu),
	};

	return link.ok && task_switch(c, op, &t);
}

/*
 * A processor on the bench: one core with 1 MiB of RAM at address 0 and nothing else, for tests of single instructions
 * and of event delivery.
 *
 * rig_enter() puts it into a mode with descriptor tables, a task and stacks laid out the same way each time;
 * rig_step() decodes and executes one instruction and leaves the event that it raised in cpu.event, undelivered.
 */
#ifndef TESTS_UNIT_RIG_H
#define TESTS_UNIT_RIG_H

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cpu/access.h"
#include "cpu/exec.h"
#include "cpu/segment.h"
#include "cpu/tlb.h"
#include "insn/insn.h"
#include "x86/model.h"

#define RIG_RAM (1u << 20)

/* Where things stand in RAM. */
enum {
	RIG_GDT = 0x1000, RIG_IDT = 0x2000, RIG_TSS = 0x3000, RIG_TSS_B = 0x3800, RIG_LDT = 0x4000,
	RIG_CODE = 0x10000, RIG_HANDLER = 0x8000, /* of vector v: + 16 v */
	RIG_STACK = 0x20000, RIG_STACK0 = 0x30000, RIG_STACK1 = 0x34000, RIG_IST1 = 0x38000, RIG_DATA = 0x50000,
	RIG_TASK_CODE = 0x18000, RIG_TASK_STACK = 0x3c000,
};

/* Selectors; RPL 0. The descriptors behind them, except the system ones, are flat. */
enum {
	SEL_NULL = 0, SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_CODE3 = 0x18 | 3, SEL_DATA3 = 0x20 | 3, SEL_CODE16 = 0x28,
	SEL_DATA16 = 0x30, SEL_CODE64 = 0x38, SEL_CODE64_3 = 0x40 | 3, SEL_CONFORMING = 0x48, SEL_TSS = 0x50,
	SEL_LDT = 0x60, SEL_TSS_B = 0x70, SEL_CODE1 = 0x80 | 1, SEL_DATA1 = 0x88 | 1, SEL_CODE16_3 = 0x90 | 3,
	SEL_DATA16_3 = 0x98 | 3, SEL_READONLY = 0xa0, SEL_EXECONLY = 0xa8, SEL_FREE = 0xb0, RIG_GDT_BYTES = 0x100,
};

enum rig_mode {
	RIG_REAL, RIG_V86, RIG_PROTECTED16, RIG_PROTECTED16_USER, RIG_PROTECTED32, RIG_PROTECTED32_USER, RIG_COMPAT,
	RIG_COMPAT_USER, RIG_LONG, RIG_LONG_USER, RIG_MODES
};

static const char *const rig_mode_names[RIG_MODES] = {
	"real", "virtual-8086", "16-bit CPL 0", "16-bit CPL 3", "32-bit CPL 0", "32-bit CPL 3", "compatibility CPL 0",
	"compatibility CPL 3", "64-bit CPL 0", "64-bit CPL 3",
};

struct rig {
	struct core *c;
	struct cpu *cpu;
	u8 *ram;
	struct op op[2];
	_Atomic u32 generation;
	_Atomic u8 has_code;
	u8 interrupt; /* the vector that the interrupt controller wants to have taken, 0: none */
};

/* ---- the way out ---- */

static void rig_page(void *machine, gpa_t page, struct core_page *out)
{
	struct rig *r = machine;

	memset(out, 0, sizeof(*out));
	if (page >= RIG_RAM)
		return;
	*out = (struct core_page){
		.host = r->ram + page, .writable = true, .generation = &r->generation, .has_code = &r->has_code,
	};
}

static u64 rig_mmio_read(void *machine, unsigned processor, gpa_t address, unsigned size)
{
	(void)machine, (void)processor, (void)address;
	return byte_mask(size);
}

static void rig_mmio_write(void *machine, unsigned processor, gpa_t address, unsigned size, u64 value)
{
	(void)machine, (void)processor, (void)address, (void)size, (void)value;
}

static int rig_interrupt_pending(void *machine, unsigned processor)
{
	struct rig *r = machine;

	(void)processor;
	return r->interrupt ? r->interrupt : -1;
}

static int rig_interrupt_acknowledge(void *machine, unsigned processor)
{
	struct rig *r = machine;
	int vector = rig_interrupt_pending(machine, processor);

	r->interrupt = 0;
	return vector;
}

static u32 rig_port_read(void *machine, unsigned processor, u16 port, unsigned size)
{
	(void)machine, (void)processor, (void)port;
	return (u32)byte_mask(size);
}

static void rig_port_write(void *machine, unsigned processor, u16 port, unsigned size, u32 value)
{
	(void)machine, (void)processor, (void)port, (void)size, (void)value;
}

static void rig_protect_code(void *machine, gpa_t page)
{
	struct rig *r = machine;

	if (page < RIG_RAM)
		tlb_protect(r->c, r->ram + page);
}

static const struct core_environment rig_environment = {
	.protect_code = rig_protect_code, .page = rig_page, .mmio_read = rig_mmio_read, .mmio_write = rig_mmio_write,
	.port_read = rig_port_read, .port_write = rig_port_write,
	.interrupt_pending = rig_interrupt_pending, .interrupt_acknowledge = rig_interrupt_acknowledge,
};

/* ---- memory ---- */

static inline void rig_put(struct rig *r, unsigned address, unsigned bytes, u64 value)
{
	ASSERT(address + bytes <= RIG_RAM);
	memcpy(r->ram + address, &value, bytes);
}

static inline u64 rig_get(const struct rig *r, unsigned address, unsigned bytes)
{
	u64 value = 0;

	ASSERT(address + bytes <= RIG_RAM);
	memcpy(&value, r->ram + address, bytes);
	return value;
}

/* ---- descriptors ---- */

#define RIG_FLAT SEGMENT_LIMIT_FLAT
#define RIG_ATTR_DATA (SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED | SEGMENT_DB)
#define RIG_ATTR_CODE (RIG_ATTR_DATA | SEGMENT_TYPE_CODE)
#define RIG_ATTR_CODE64 ((RIG_ATTR_CODE & ~SEGMENT_DB) | SEGMENT_L)
#define RIG_DPL(n) ((u32)(n) << SEGMENT_DPL_SHIFT)

static inline u64 rig_descriptor(u64 base, u32 limit, u64 attributes)
{
	if (limit > 0xfffff) {
		limit >>= 12;
		attributes |= SEGMENT_G;
	}
	return (limit & 0xffff) | (base & 0xffffff) << 16 | (attributes & BITS(7, 0)) << 40 |
	       (u64)(limit >> 16) << 48 | (attributes & BITS(15, 12)) << 40 | (base >> 24 & 0xff) << 56;
}

static inline void rig_set_descriptor(struct rig *r, u16 selector, u64 base, u32 limit, u64 attributes)
{
	rig_put(r, RIG_GDT + (selector & SELECTOR_INDEX), 8, rig_descriptor(base, limit, attributes));
}

static inline u8 rig_descriptor_access(const struct rig *r, u16 selector)
{
	return (u8)rig_get(r, RIG_GDT + (selector & SELECTOR_INDEX) + 5, 1);
}

/* A gate of any kind at address; low32 of the second half is the offset's upper half in long mode. */
static inline void rig_set_gate(struct rig *r, unsigned address, unsigned type, unsigned dpl, u16 selector, u64 offset,
				unsigned count)
{
	u64 low = (offset & 0xffff) | (u64)selector << 16 | (u64)count << 32 | (u64)type << 40 | (u64)dpl << 45 |
		  SEGMENT_P << 40 | (offset >> 16 & 0xffff) << 48;

	rig_put(r, address, 8, low);
	if (cpu_in_long_mode(r->cpu))
		rig_put(r, address + 8, 8, offset >> 32);
}

static inline void rig_clear_present(struct rig *r, unsigned descriptor)
{
	r->ram[descriptor + 5] &= (u8)~SEGMENT_P;
}

static inline unsigned rig_idt_entry(const struct rig *r, u8 vector)
{
	return RIG_IDT + vector * (cpu_in_long_mode(r->cpu) ? 16u : 8u);
}

static inline void rig_set_idt(struct rig *r, u8 vector, unsigned type, unsigned dpl, u16 selector)
{
	rig_set_gate(r, rig_idt_entry(r, vector), type, dpl, selector, RIG_HANDLER + vector * 16u, 0);
}

/* ---- life ---- */

/* model: its silicon's features are all present. */
static inline struct rig *rig_new(const char *model)
{
	struct rig *r = calloc(1, sizeof(*r));
	const struct cpu_model *m = model_find(model);
	void *memory = aligned_alloc(PAGE_SIZE, core_memory_bytes());

	ASSERT(r && m && memory);
	memset(memory, 0, core_memory_bytes());
	r->ram = aligned_alloc(PAGE_SIZE, RIG_RAM);
	ASSERT(r->ram);
	memset(r->ram, 0, RIG_RAM);
	r->c = core_init(memory, 0, &rig_environment, r, m, &m->features);
	ASSERT(r->c);
	r->cpu = &r->c->cpu;
	return r;
}

static inline void rig_free(struct rig *r)
{
	struct core *c = r->c;

	core_finish(c);
	free(c);
	free(r->ram);
	free(r);
}

static inline void rig_load(struct rig *r, enum segment seg, u16 selector)
{
	u64 low = rig_get(r, RIG_GDT + (selector & SELECTOR_INDEX), 8);
	struct descriptor d = { .low = low };

	r->cpu->segment[seg] = descriptor_segment(&d, selector);
}

static inline void rig_fill_gdt(struct rig *r)
{
	static const struct { u16 selector; u32 attributes; } flat[] = {
		{ SEL_CODE, RIG_ATTR_CODE }, { SEL_DATA, RIG_ATTR_DATA },
		{ SEL_CODE3, RIG_ATTR_CODE | RIG_DPL(3) }, { SEL_DATA3, RIG_ATTR_DATA | RIG_DPL(3) },
		{ SEL_CODE16, RIG_ATTR_CODE & ~SEGMENT_DB }, { SEL_DATA16, RIG_ATTR_DATA & ~SEGMENT_DB },
		{ SEL_CODE64, RIG_ATTR_CODE64 }, { SEL_CODE64_3, RIG_ATTR_CODE64 | RIG_DPL(3) },
		{ SEL_CONFORMING, RIG_ATTR_CODE | SEGMENT_TYPE_CONFORMING },
		{ SEL_CODE1, RIG_ATTR_CODE | RIG_DPL(1) }, { SEL_DATA1, RIG_ATTR_DATA | RIG_DPL(1) },
		{ SEL_CODE16_3, (RIG_ATTR_CODE & ~SEGMENT_DB) | RIG_DPL(3) },
		{ SEL_DATA16_3, (RIG_ATTR_DATA & ~SEGMENT_DB) | RIG_DPL(3) },
		{ SEL_READONLY, RIG_ATTR_DATA & ~SEGMENT_TYPE_WRITABLE },
		{ SEL_EXECONLY, RIG_ATTR_CODE & ~SEGMENT_TYPE_READABLE },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(flat); n++)
		rig_set_descriptor(r, flat[n].selector, 0, RIG_FLAT, flat[n].attributes);
	rig_set_descriptor(r, SEL_TSS, RIG_TSS, 0x7ff, SEGMENT_P | DESCRIPTOR_TSS32_BUSY);
	rig_set_descriptor(r, SEL_LDT, RIG_LDT, 0xff, SEGMENT_P | DESCRIPTOR_LDT);
	rig_set_descriptor(r, SEL_TSS_B, RIG_TSS_B, 0x67, SEGMENT_P | DESCRIPTOR_TSS32_AVAILABLE);
}

static inline void rig_fill_tss(struct rig *r)
{
	if (cpu_in_long_mode(r->cpu)) {
		rig_put(r, RIG_TSS + 4, 8, RIG_STACK0);
		rig_put(r, RIG_TSS + 12, 8, RIG_STACK1);
		rig_put(r, RIG_TSS + 36, 8, RIG_IST1);
		return;
	}
	rig_put(r, RIG_TSS + 4, 4, RIG_STACK0);
	rig_put(r, RIG_TSS + 8, 4, SEL_DATA);
	rig_put(r, RIG_TSS + 12, 4, RIG_STACK1);
	rig_put(r, RIG_TSS + 16, 4, SEL_DATA1);
}

/* Every vector's gate: an interrupt gate of DPL 0 to the mode's own CPL 0 code. */
static inline void rig_fill_idt(struct rig *r)
{
	if (cpu_in_real_mode(r->cpu)) {
		for (unsigned v = 0; v < 256; v++)
			rig_put(r, v * 4, 4, RIG_HANDLER + v * 16);
		return;
	}
	for (unsigned v = 0; v < 256; v++)
		rig_set_idt(r, (u8)v, DESCRIPTOR_INTERRUPT_GATE32, 0,
			    cpu_in_long_mode(r->cpu) ? SEL_CODE64 : SEL_CODE);
}

static inline void rig_enter_paragraphs(struct rig *r, bool v86)
{
	struct cpu *cpu = r->cpu;

	for (unsigned s = SEG_ES; s <= SEG_GS; s++) {
		cpu->segment[s] = (struct cpu_segment){
			.limit = SEGMENT_LIMIT_REAL,
			.attributes = v86 ? SEGMENT_ATTRIBUTES_V86 : SEGMENT_ATTRIBUTES_REAL,
			.base = RIG_DATA, .selector = RIG_DATA >> 4,
		};
	}
	cpu->segment[SEG_CS].base = RIG_CODE;
	cpu->segment[SEG_CS].selector = RIG_CODE >> 4;
	cpu->segment[SEG_SS].base = RIG_STACK - 0x10000;
	cpu->segment[SEG_SS].selector = (RIG_STACK - 0x10000) >> 4;
	cpu->gpr[GPR_RSP] = 0xf000;
	cpu->rip = 0;
}

static inline void rig_enter_flat(struct rig *r, u16 code, u16 data)
{
	static const u8 all[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS };

	for (unsigned n = 0; n < ARRAY_LENGTH(all); n++)
		rig_load(r, all[n], data);
	rig_load(r, SEG_CS, code);
	r->cpu->gpr[GPR_RSP] = RIG_STACK;
	r->cpu->rip = RIG_CODE;
}

/* The 16-bit segments that rig_enter() uses have 64 KiB, so that offsets fit. */
static inline void rig_enter_16bit(struct rig *r, u16 code, u16 data)
{
	u32 dpl = RIG_DPL(code & SELECTOR_RPL);

	rig_set_descriptor(r, code, RIG_CODE, 0xffff, (RIG_ATTR_CODE & ~SEGMENT_DB) | dpl);
	rig_set_descriptor(r, data, RIG_STACK - 0x10000, 0xffff, (RIG_ATTR_DATA & ~SEGMENT_DB) | dpl);
	rig_enter_flat(r, code, data);
	r->cpu->gpr[GPR_RSP] = 0xf000;
	r->cpu->rip = 0;
}

static inline void rig_enter(struct rig *r, enum rig_mode mode)
{
	struct cpu *cpu = r->cpu;
	static const struct { u16 code, data; } flat[RIG_MODES] = {
		[RIG_PROTECTED16] = { SEL_CODE16, SEL_DATA16 }, [RIG_PROTECTED16_USER] = { SEL_CODE16_3, SEL_DATA16_3 },
		[RIG_PROTECTED32] = { SEL_CODE, SEL_DATA }, [RIG_PROTECTED32_USER] = { SEL_CODE3, SEL_DATA3 },
		[RIG_COMPAT] = { SEL_CODE, SEL_DATA }, [RIG_COMPAT_USER] = { SEL_CODE3, SEL_DATA3 },
		[RIG_LONG] = { SEL_CODE64, SEL_DATA }, [RIG_LONG_USER] = { SEL_CODE64_3, SEL_DATA3 },
	};

	memset(r->ram, 0, RIG_RAM);
	core_reset(r->c, false);
	cpu->cr0 = CR0_ET | CR0_NE | (mode == RIG_REAL ? 0 : CR0_PE);
	cpu->efer = mode >= RIG_COMPAT ? EFER_LME | EFER_LMA | EFER_SCE : 0;
	cpu->gdtr = (struct cpu_table){ RIG_GDT, RIG_GDT_BYTES - 1 };
	cpu->idtr = (struct cpu_table){ mode == RIG_REAL ? 0 : RIG_IDT, mode == RIG_REAL ? 0x3ff : 0xfff };
	rig_fill_gdt(r);
	rig_fill_tss(r);
	rig_fill_idt(r);
	rig_load(r, SEG_TR, SEL_TSS);
	rig_load(r, SEG_LDTR, SEL_LDT);
	cpu_set_rflags(cpu, mode == RIG_V86 ? RFLAGS_VM : 0);
	if (mode == RIG_REAL || mode == RIG_V86)
		rig_enter_paragraphs(r, mode == RIG_V86);
	else if (mode == RIG_PROTECTED16 || mode == RIG_PROTECTED16_USER)
		rig_enter_16bit(r, flat[mode].code, flat[mode].data);
	else
		rig_enter_flat(r, flat[mode].code, flat[mode].data);
	cpu->event.valid = false;
	core_mode_changed(r->c);
	tlb_flush_all(r->c);
}

/* ---- execution ---- */

static enum step rig_end(struct core *c, const struct op *op)
{
	c->cpu.rip = op_rip(c, op);
	return STEP_NEXT;
}

static inline void rig_select(struct rig *r)
{
	enum {
#define FAMILY(name) FAMILY_##name,
		EXEC_FAMILIES(FAMILY) FAMILY_vmx, FAMILY_svm, FAMILY_COUNT
#undef FAMILY
	};
	static const u8 family_of[INSN_OP_COUNT] = {
#define INSN(name, family, feature) [INSN_##name] = FAMILY_##family,
#include "insn/insn.def"
#undef INSN
	};
	static exec_fn *(*const selectors[FAMILY_COUNT])(const struct core *, struct op *) = {
#define FAMILY(name) [FAMILY_##name] = exec_select_##name,
		EXEC_FAMILIES(FAMILY)
#undef FAMILY
	};
	struct op *op = &r->op[0];
	u8 family = family_of[op->insn.op];

	if (selectors[family])
		op->fn = selectors[family](r->c, op);
	if (!op->fn)
		op->fn = exec_invalid;
}

static inline u8 rig_operand_offset(const struct insn_operand *operand)
{
	return (u8)(operand->reg * 8 + (operand->kind == OPERAND_GPR8H));
}

/* Executes the one instruction in bytes at cpu.rip. An event that it raised stays in cpu.event. */
static inline enum step rig_step(struct rig *r, const u8 *bytes, unsigned count)
{
	struct core *c = r->c;
	struct op *op = &r->op[0];
	enum insn_status status;

	memset(r->op, 0, sizeof(r->op));
	c->cpu.event.valid = false;
	c->cpu.gpr[CPU_GPR_RIP] = c->cpu.rip;
	status = insn_decode(bytes, count, (enum insn_mode)(c->block_mode & BLOCK_CODE_SIZE), c->amd, &op->insn);
	if (status != INSN_OK)
		return core_raise_ud(c, op);
	op->address = ADDRESS_GENERAL;
	op->dst = rig_operand_offset(&op->insn.operand[0]);
	op->src = rig_operand_offset(&op->insn.operand[1]);
	op->third = rig_operand_offset(&op->insn.operand[2]);
	if (op->insn.base == INSN_REG_RIP)
		op->insn.disp += op->insn.length;
	op[1].offset = op->insn.length;
	op[1].fn = rig_end;
	rig_select(r);
	return op->fn(c, op);
}

#define RIG_STEP(r, ...) rig_step((r), (const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* Writes code at cpu.rip and lets the run loop execute `instructions` of it, or until it stops. */
static inline enum core_exit rig_run(struct rig *r, const u8 *bytes, unsigned count, unsigned instructions)
{
	memcpy(r->ram + (u32)(r->cpu->segment[SEG_CS].base + r->cpu->rip), bytes, count);
	core_flush_blocks(r->c);
	return core_run(r->c, instructions);
}

/* The pending event as one number: vector, and error code + 1 above it if there is one. 0x100: none. */
#define RIG_NO_EVENT 0x100u
#define RIG_ERROR(vector, error) ((vector) | ((u32)(error) + 1) << 16)

static inline u32 rig_event(const struct rig *r)
{
	const struct cpu_event *e = &r->cpu->event;

	if (!e->valid)
		return RIG_NO_EVENT;
	return e->has_error_code ? RIG_ERROR(e->vector, e->error_code) : e->vector;
}

/* Delivers an event of the given type; afterwards the handler is about to run, or the processor is shut down. */
static inline void rig_deliver(struct rig *r, enum cpu_event_type type, u8 vector, bool has_error, u32 error)
{
	r->cpu->event = (struct cpu_event){
		.valid = true, .vector = vector, .type = type, .has_error_code = has_error, .error_code = error,
	};
	core_deliver_event(r->c);
}

/* The vector whose handler runs now, going by RIP; 0x100 if it is none of them. */
static inline unsigned rig_handler(const struct rig *r)
{
	u64 rip = r->cpu->rip;

	return rip >= RIG_HANDLER && rip < RIG_HANDLER + 256 * 16 && rip % 16 == 0 ? (unsigned)(rip - RIG_HANDLER) / 16
										   : RIG_NO_EVENT;
}

#endif

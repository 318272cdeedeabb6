/* A core's life: creation, reset, start-up, and what follows from a change of mode. See core.h. */
#include "base/assert.h"
#include "cpu/block.h"
#include "cpu/debug.h"
#include "cpu/msr.h"
#include "cpu/simd.h"
#include "cpu/tlb.h"
#include "cpu/x87.h"
#include "x86/model.h"

/* Everything a core needs besides itself, in one piece of memory. */
struct core_memory {
	struct core core;
	struct tlb tlb;
	struct block_cache blocks;
	u8 single[sizeof(struct block) + 2 * sizeof(struct op)] __attribute__((aligned(64)));
	u8 arena[BLOCK_ARENA_BYTES] __attribute__((aligned(64)));
};

size_t core_memory_bytes(void)
{
	return align_up(sizeof(struct core_memory), PAGE_SIZE);
}

struct core *core_init(void *memory, unsigned processor, const struct core_environment *environment, void *machine,
		       const struct cpu_model *model, const struct feature_set *features)
{
	struct core_memory *m = memory;
	struct core *c = &m->core;

	c->tlbs = &m->tlb;
	c->blocks = &m->blocks;
	c->blocks->arena = m->arena;
	c->blocks->single = (struct block *)m->single;
	c->processor = processor;
	c->environment = environment;
	c->machine = machine;
	c->model = model;
	c->features = *features;
	c->amd = model->vendor == VENDOR_AMD;
	c->physical_bits = model->physical_bits;
	c->linear_bits = model->linear_bits;
	if (!simd_create(c))
		return NULL;
	core_reset(c, false);
	return c;
}

void core_finish(struct core *c)
{
	simd_destroy(c);
}

/* ---- reset ("Processor State After Reset") ---- */

#define DATA_ATTRIBUTES (SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED)
#define CODE_ATTRIBUTES (DATA_ATTRIBUTES | SEGMENT_TYPE_CODE)
#define RESET_CS_SELECTOR 0xf000
#define RESET_CS_BASE 0xffff0000u
#define RESET_RIP 0xfff0
#define RESET_FCW 0x40
#define RESET_MXCSR 0x1f80

static void segments_reset(struct cpu *cpu)
{
	for (unsigned s = 0; s < SEG_COUNT; s++)
		cpu->segment[s] = (struct cpu_segment){ .limit = 0xffff, .attributes = DATA_ATTRIBUTES };
	cpu->segment[SEG_CS] = (struct cpu_segment){ RESET_CS_BASE, 0xffff, CODE_ATTRIBUTES, RESET_CS_SELECTOR };
	cpu->segment[SEG_LDTR].attributes = SEGMENT_P | DESCRIPTOR_LDT;
	cpu->segment[SEG_TR].attributes = SEGMENT_P | DESCRIPTOR_TSS32_BUSY;
	cpu->gdtr = (struct cpu_table){ .limit = 0xffff };
	cpu->idtr = (struct cpu_table){ .limit = 0xffff };
}

static void execution_reset(struct core *c)
{
	struct cpu *cpu = &c->cpu;

	memset(cpu->gpr, 0, sizeof(cpu->gpr));
	cpu->gpr[GPR_RDX] = model_signature(c->model);
	cpu->rip = RESET_RIP;
	cpu_set_rflags(cpu, 0);
	segments_reset(cpu);
	cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->cr8 = cpu->efer = 0;
	memset(cpu->dr, 0, sizeof(cpu->dr));
	cpu->dr6 = DR6_FIXED;
	cpu->dr7 = DR7_FIXED;
	cpu->interruptibility = 0;
	cpu->pending_debug = 0;
	cpu->nmis_pending = 0;
	cpu->monitor_armed = false;
	cpu->event.valid = false;
	cpu->activity = c->processor ? CPU_WAIT_FOR_SIPI : CPU_ACTIVE;
}

static void power_on_reset(struct core *c)
{
	struct cpu *cpu = &c->cpu;
	u64 retired = cpu->retired;

	memset(cpu, 0, sizeof(*cpu));
	cpu->retired = retired;
	cpu->x87.fcw = RESET_FCW;
	cpu->vector.mxcsr = RESET_MXCSR;
	cpu->xcr0 = XCR0_X87;
	msr_reset(c);
}

void core_reset(struct core *c, bool init)
{
	/* INIT keeps caching bits, MSRs, x87 and vector state; RESET keeps nothing. */
	u64 caching = init ? c->cpu.cr0 & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

	if (!init)
		power_on_reset(c);
	execution_reset(c);
	c->cpu.cr0 = caching | CR0_ET;
	c->op = NULL;
	c->block = NULL;
	core_mode_changed(c);
	tlb_flush_all(c);
	core_flush_blocks(c);
}

void core_startup(struct core *c, u8 vector)
{
	if (c->cpu.activity != CPU_WAIT_FOR_SIPI)
		return;
	c->cpu.segment[SEG_CS].selector = (u16)(vector << 8);
	c->cpu.segment[SEG_CS].base = (u64)vector << PAGE_SHIFT;
	c->cpu.rip = 0;
	c->cpu.activity = CPU_ACTIVE;
	core_mode_changed(c);
}

/* ---- mode ---- */

static u32 code_size(const struct cpu *cpu)
{
	if (cpu_in_64bit_mode(cpu))
		return INSN_MODE_64;
	return cpu->segment[SEG_CS].attributes & SEGMENT_DB ? INSN_MODE_32 : INSN_MODE_16;
}

static enum tlb_mode data_mode(const struct cpu *cpu)
{
	if (cpu_cpl(cpu) == 3)
		return TLB_USER;
	return cpu->cr4 & CR4_SMAP && !(cpu->rflags & RFLAGS_AC) ? TLB_SUPERVISOR_SMAP : TLB_SUPERVISOR;
}

void core_data_mode_changed(struct core *c)
{
	const struct cpu *cpu = &c->cpu;
	bool align = cpu_cpl(cpu) == 3 && cpu->cr0 & CR0_AM && cpu->rflags & RFLAGS_AC;

	c->data_mode = data_mode(cpu);
	c->tlb = c->tlbs->entry[align || c->watch ? TLB_CHECKED : c->data_mode];
}

void core_mode_changed(struct core *c)
{
	const struct cpu *cpu = &c->cpu;

	c->block_mode = code_size(cpu) | (cpu->segment[SEG_SS].attributes & SEGMENT_DB ? BLOCK_STACK32 : 0) |
			(cpu_segments_are_real(cpu) ? BLOCK_REAL : 0) |
			(cpu_in_64bit_mode(cpu) || cpu->segment[SEG_CS].limit == UINT32_MAX ? BLOCK_FLAT_CODE : 0);
	c->code_mode = cpu_cpl(cpu) == 3 ? TLB_USER : TLB_SUPERVISOR;
	c->watch = cpu->dr7 & DR7_ENABLE && debug_watches_data(cpu);
	core_data_mode_changed(c);
	block_key_changed(c);
	simd_mode_changed(c);
	x87_mode_changed(c);
}

/*
 * A processor that runs any bytes as code, in any mode, with any registers, among devices that answer anything.
 *
 * Descriptor tables, a task and page tables are in order at the start, and every handler is more of the same bytes; what
 * the code then does to them is its own affair. Besides the sanitizers: a run ends with its budget, and the state it
 * leaves is one that a processor can be in.
 */
#include <string.h>

#include "base/assert.h"
#include "core_rig.h"
#include "cpu/block.h"
#include "cpu/segment.h"
#include "cpu/tlb.h"
#include "driver.h"

#define BUDGET 3000u
#define HEADER_BYTES 24u

enum mode { MODE_REAL, MODE_V86, MODE_16, MODE_32, MODE_PAE, MODE_COMPAT, MODE_LONG, MODES };

/* Where things stand in RAM. */
enum {
	IDT = 0x1000, GDT = 0x2000, TSS = 0x3000, PML4 = 0x4000, PDPT = 0x5000, DIRECTORY = 0x6000, DIRECTORY32 = 0x7000,
	STACK = 0x9000, DATA = 0xa000, CODE = 0x10000, CODE_END = 0x18000,
};

enum { SEL_CODE = 8, SEL_DATA = 16, SEL_CODE3 = 24 | 3, SEL_DATA3 = 32 | 3, SEL_CODE64 = 40, SEL_CODE64_3 = 48 | 3,
       SEL_CODE16 = 56, SEL_TSS = 64 };

#define FLAT_DATA 0x00cf93000000ffffull
#define FLAT_CODE 0x00cf9b000000ffffull
#define FLAT_CODE64 0x00af9b000000ffffull
#define FLAT_CODE16 0x000f9b000000ffffull
#define TSS_BUSY (0x00008b0000000000ull | 0x67 | (u64)TSS << 16)
#define DPL3 (3ull << 45)
#define GATE 0x8e0000000000ull
#define PTE_ALL_LARGE 0x87ull
#define PTE_ALL 0x07ull

static u64 *word(unsigned address)
{
	return (u64 *)(void *)(rig_ram + address);
}

static void make_gdt(void)
{
	static const u64 descriptors[] = {
		0, FLAT_CODE, FLAT_DATA, FLAT_CODE | DPL3, FLAT_DATA | DPL3, FLAT_CODE64, FLAT_CODE64 | DPL3, FLAT_CODE16,
		TSS_BUSY,
	};

	memcpy(rig_ram + GDT, descriptors, sizeof(descriptors));
}

/* Handlers begin all over the code. */
static void make_idt(bool wide)
{
	for (unsigned v = 0; v < 256; v++) {
		u64 handler = CODE + v * 64;
		u64 low = (handler & 0xffff) | (u64)(wide ? SEL_CODE64 : SEL_CODE) << 16 | GATE | (v % 3 ? DPL3 : 0) |
			  (handler >> 16) << 48;

		*word(IDT + v * (wide ? 16 : 8)) = low;
		if (wide)
			*word(IDT + v * 16 + 8) = 0;
		memcpy(rig_ram + v * 4, &(u32){ (CODE >> 4) << 16 | v * 64 }, 4);
	}
}

static void make_page_tables(void)
{
	*word(PML4) = PDPT | PTE_ALL;
	*word(PDPT) = DIRECTORY | PTE_ALL;
	*word(DIRECTORY) = PTE_ALL_LARGE;
	*(u32 *)(void *)(rig_ram + DIRECTORY32) = PTE_ALL_LARGE;
}

static void load(struct core *c, enum segment seg, u16 selector)
{
	struct descriptor d = { .low = *word(GDT + (selector & SELECTOR_INDEX)) };

	c->cpu.segment[seg] = descriptor_segment(&d, selector);
}

static void load_all(struct core *c, u16 code, u16 data)
{
	for (unsigned s = SEG_ES; s <= SEG_GS; s++)
		load(c, (enum segment)s, s == SEG_CS ? code : data);
}

static void enter_paragraphs(struct core *c, bool v86)
{
	for (unsigned s = SEG_ES; s <= SEG_GS; s++)
		c->cpu.segment[s] = (struct cpu_segment){
			.limit = SEGMENT_LIMIT_REAL, .attributes = v86 ? SEGMENT_ATTRIBUTES_V86 : SEGMENT_ATTRIBUTES_REAL,
			.base = s == SEG_CS ? CODE : 0, .selector = s == SEG_CS ? CODE >> 4 : 0,
		};
	c->cpu.rip = 0;
}

static void enter(struct core *c, enum mode mode, bool user)
{
	struct cpu *cpu = &c->cpu;
	bool wide = mode >= MODE_COMPAT;
	static const u16 code[MODES][2] = {
		[MODE_16] = { SEL_CODE16, SEL_CODE16 }, [MODE_32] = { SEL_CODE, SEL_CODE3 },
		[MODE_PAE] = { SEL_CODE, SEL_CODE3 }, [MODE_COMPAT] = { SEL_CODE, SEL_CODE3 },
		[MODE_LONG] = { SEL_CODE64, SEL_CODE64_3 },
	};

	make_gdt();
	make_idt(wide);
	make_page_tables();
	cpu->gdtr = (struct cpu_table){ GDT, 0x7f };
	cpu->idtr = (struct cpu_table){ mode == MODE_REAL ? 0 : IDT, 0xfff };
	memcpy(rig_ram + TSS + 4, &(u64){ wide ? STACK : (u64)SEL_DATA << 32 | STACK }, 8);
	load(c, SEG_TR, SEL_TSS);
	cpu->cr0 = CR0_ET | (mode == MODE_REAL ? 0 : CR0_PE);
	if (mode >= MODE_32 && user)
		cpu->cr0 |= CR0_PG;
	if (mode >= MODE_PAE) {
		cpu->cr0 |= CR0_PG;
		cpu->cr4 |= CR4_PAE;
	}
	cpu->cr4 |= CR4_PSE | CR4_OSFXSR | CR4_OSXSAVE;
	cpu->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	cpu->efer = wide ? EFER_LME | EFER_LMA | EFER_SCE : 0;
	cpu->cr3 = wide ? PML4 : mode == MODE_PAE ? PDPT : DIRECTORY32;
	cpu->pdpte[0] = DIRECTORY | 1;
	cpu->rip = CODE;
	if (mode <= MODE_V86)
		enter_paragraphs(c, mode == MODE_V86);
	else
		load_all(c, code[mode][user], user && mode != MODE_16 ? SEL_DATA3 : SEL_DATA);
}

/* Registers: small numbers, addresses in RAM, or anything. */
static void set_registers(struct core *c)
{
	for (unsigned r = 0; r < GPR_COUNT; r++) {
		u64 random = rig_random();

		c->cpu.gpr[r] = random % 3 == 0 ? random >> 56 : random % 3 == 1 ? DATA + (random >> 48 & 0x1fff) : random;
	}
	c->cpu.gpr[GPR_RSP] = STACK - 64;
	for (unsigned r = 0; r < 8; r++)
		for (unsigned n = 0; n < 2; n++)
			memcpy(c->cpu.x87.st[r] + n * 2, &(u64){ rig_random() }, 8);
	for (unsigned r = 0; r < 16; r++)
		for (unsigned n = 0; n < 4; n++)
			memcpy(c->cpu.vector.ymm[r] + n * 8, &(u64){ rig_random() }, 8);
}

static void check_state(const struct core *c, enum core_exit exit, u64 before)
{
	const struct cpu *cpu = &c->cpu;

	ASSERT(exit != CORE_EXIT_NONE && exit != CORE_EXIT_ATTENTION);
	ASSERT(cpu->retired - before < BUDGET + BLOCK_MAX_OPS);
	ASSERT(!cpu->event.valid && !c->x87_live);
	ASSERT(cpu->gpr[CPU_GPR_ZERO] == 0);
	ASSERT(!(cpu->cr0 & CR0_PG) || cpu->cr0 & CR0_PE);
	ASSERT(!(cpu->efer & EFER_LMA) == !(cpu->efer & EFER_LME && cpu->cr0 & CR0_PG));
	ASSERT(!(cpu->efer & EFER_LMA) || cpu->cr4 & CR4_PAE);
	ASSERT(!(cpu->rflags & RFLAGS_VM) || cpu->cr0 & CR0_PE);
	ASSERT(cpu_in_long_mode(cpu) || (cpu->rip >> 32 == 0));
	ASSERT(cpu->activity <= CPU_SHUTDOWN);
	ASSERT((cpu->dr6 & DR6_FIXED) == DR6_FIXED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u8 header[HEADER_BYTES] = { 0 };
	struct core *c;
	enum mode mode;
	u64 seed, rflags = 0, before;
	size_t count;

	memcpy(header, data, size < HEADER_BYTES ? size : HEADER_BYTES);
	memcpy(&seed, header + 4, 8);
	memcpy(&rflags, header + 12, 4);
	c = rig_core(header[0] % RIG_MODELS, seed);
	set_registers(c);
	/* What the model does not have it cannot be in. */
	mode = (enum mode)(header[1] % (feature_has(&c->features, FEAT_LM) ? MODES : MODE_PAE));
	enter(c, mode, header[2] & 1);
	cpu_set_rflags(&c->cpu, (rflags & ~(u64)RFLAGS_VM) | (mode == MODE_V86 ? RFLAGS_VM : 0));
	c->cpu.cr4 |= header[2] & 2 ? CR4_VME | CR4_DE : 0;
	c->cpu.cr0 |= header[2] & 4 ? CR0_AM | CR0_WP | CR0_NE : 0;
	c->cpu.dr[0] = CODE + header[3];
	c->cpu.dr7 |= header[2] & 8 ? header[16] | (u64)header[17] << 16 : 0;
	core_mode_changed(c);
	tlb_flush_all(c);
	data += size < HEADER_BYTES ? size : HEADER_BYTES;
	size -= size < HEADER_BYTES ? size : HEADER_BYTES;
	for (size_t at = CODE; at < CODE_END && size; at += count) {
		count = min_u64(size, CODE_END - at);
		memcpy(rig_ram + at, data, count);
	}
	before = c->cpu.retired;
	check_state(c, core_run(c, BUDGET), before);
	return 0;
}

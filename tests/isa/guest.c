/* The guest of one instruction: see guest.h. */
#include "guest.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cpu/tlb.h"
#include "x86/model.h"

/* Guest-physical and linear addresses of what the guest's mode needs. */
enum {
	PML4 = GUEST_RAM, PDPT = PML4 + 0x1000, PAGE_DIRECTORY = PDPT + 0x1000, PAGE_TABLE = PAGE_DIRECTORY + 0x1000,
	GDT = PAGE_TABLE + 0x1000, IDT = GDT + 0x1000, TSS = IDT + 0x1000, STACK_TOP = TSS + 0x3000,
	HANDLERS = STACK_TOP, /* one HLT for each vector */
};

#define PTE_PRESENT_WRITABLE 3ull
#define PTE_LARGE 0x80ull
#define CODE_SELECTOR 8
#define CODE_DESCRIPTOR 0x00af9b000000ffffull
#define GATE_INTERRUPT64_IST1 (0x8e01ull << 32)
#define TSS_IST1 0x24
#define OPCODE_HLT 0xf4
#define VECTORS 32

struct core *guest;

static bool compatibility;

static _Atomic u32 generation;
static _Atomic u8 has_code;

/* ---- the machine ---- */

static void page(void *machine, gpa_t address, struct core_page *out)
{
	(void)machine;
	memset(out, 0, sizeof(*out));
	if (address >= GUEST_RAM && address < GUEST_RAM + GUEST_RAM_BYTES)
		*out = (struct core_page){ .host = (u8 *)address, .writable = true, .generation = &generation,
					   .has_code = &has_code };
}

static u64 mmio_read(void *machine, unsigned processor, gpa_t address, unsigned size)
{
	(void)machine, (void)processor, (void)address, (void)size;
	return ~0ull;
}

static void mmio_write(void *machine, unsigned processor, gpa_t address, unsigned size, u64 value)
{
	(void)machine, (void)processor, (void)address, (void)size, (void)value;
}

static int interrupt_pending(void *machine, unsigned processor)
{
	(void)machine, (void)processor;
	return -1;
}

static void protect_code(void *machine, gpa_t address)
{
	(void)machine, (void)address;
}

static const struct core_environment environment = {
	.page = page, .mmio_read = mmio_read, .mmio_write = mmio_write, .interrupt_pending = interrupt_pending,
	.protect_code = protect_code,
};

static u64 *words(u64 address)
{
	return (u64 *)address;
}

static void make_page_tables(void)
{
	*words(PML4) = PDPT | PTE_PRESENT_WRITABLE;
	*words(PDPT) = PAGE_DIRECTORY | PTE_PRESENT_WRITABLE;
	for (u64 n = GUEST_RAM >> 21; n < (GUEST_RAM + GUEST_RAM_BYTES) >> 21; n++)
		words(PAGE_DIRECTORY)[n] = n << 21 | PTE_LARGE | PTE_PRESENT_WRITABLE;
	words(PAGE_DIRECTORY)[GUEST_DATA >> 21] = PAGE_TABLE | PTE_PRESENT_WRITABLE;
	for (u64 page_address = GUEST_DATA; page_address < GUEST_DATA + GUEST_DATA_BYTES; page_address += PAGE_SIZE)
		words(PAGE_TABLE)[(page_address >> PAGE_SHIFT) % 512] = page_address | PTE_PRESENT_WRITABLE;
}

static void make_tables(void)
{
	words(GDT)[CODE_SELECTOR / 8] = CODE_DESCRIPTOR;
	for (u64 vector = 0; vector < VECTORS; vector++) {
		u64 handler = HANDLERS + vector;

		words(IDT)[vector * 2] = (handler & 0xffff) | CODE_SELECTOR << 16 | GATE_INTERRUPT64_IST1 |
					 (handler >> 16 & 0xffff) << 48;
		words(IDT)[vector * 2 + 1] = handler >> 32;
	}
	memcpy((u8 *)TSS + TSS_IST1, &(u64){ STACK_TOP }, sizeof(u64));
	memset((u8 *)HANDLERS, OPCODE_HLT, VECTORS);
}

static void make_processor(void)
{
	struct cpu *cpu = &guest->cpu;
	u32 data = SEGMENT_P | SEGMENT_S | SEGMENT_TYPE_WRITABLE | SEGMENT_TYPE_ACCESSED | SEGMENT_DB | SEGMENT_G;
	u32 code = (data & ~(u32)SEGMENT_DB) | SEGMENT_TYPE_CODE | SEGMENT_L; /* writable's bit means readable here */

	for (unsigned n = 0; n <= SEG_GS; n++)
		cpu->segment[n] = (struct cpu_segment){ .limit = ~0u, .attributes = data, .selector = 16 };
	cpu->segment[SEG_CS] = (struct cpu_segment){ .limit = ~0u, .selector = CODE_SELECTOR, .attributes = code };
	cpu->segment[SEG_TR] = (struct cpu_segment){ .base = TSS, .limit = 0x67, .selector = 24,
		.attributes = SEGMENT_P | DESCRIPTOR_TSS32_BUSY };
	cpu->gdtr = (struct cpu_table){ GDT, 0xff };
	cpu->idtr = (struct cpu_table){ IDT, VECTORS * 16 - 1 };
	cpu->efer = EFER_LME | EFER_LMA;
	cpu->cr0 = CR0_PE | CR0_PG | CR0_NE | CR0_MP | CR0_ET;
	cpu->cr3 = PML4;
	cpu->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	cpu->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	core_mode_changed(guest);
	tlb_flush_all(guest);
}

bool guest_start(void)
{
	static struct cpu_model model = { .name = "test", .physical_bits = 40, .linear_bits = 48 };
	struct feature_set all;
	void *memory = mmap((void *)GUEST_RAM, GUEST_RAM_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (memory != (void *)GUEST_RAM)
		return false;
	/* The data's neighbours fault for the host too. */
	mprotect((void *)(GUEST_DATA + GUEST_DATA_BYTES), GUEST_RAM + GUEST_RAM_BYTES - GUEST_DATA - GUEST_DATA_BYTES,
		 PROT_NONE);
	mprotect((void *)(GUEST_DATA - PAGE_SIZE), PAGE_SIZE, PROT_NONE);
	memset(&all, 0xff, sizeof(all));
	model.vendor = __builtin_cpu_is("amd") ? VENDOR_AMD : VENDOR_INTEL;
	make_page_tables();
	make_tables();
	memory = mmap(NULL, core_memory_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return false;
	guest = core_init(memory, 0, &environment, NULL, &model, &all);
	if (!guest)
		return false;
	make_processor();
	return true;
}

void guest_set_compatibility(bool on)
{
	compatibility = on;
}

/* An exception's delivery has loaded the 64-bit code segment. */
static void code_segment_in(void)
{
	u32 *attributes = &guest->cpu.segment[SEG_CS].attributes;

	*attributes = (*attributes & ~(u32)(SEGMENT_L | SEGMENT_DB)) | (compatibility ? SEGMENT_DB : SEGMENT_L);
}

/* ---- registers in and out ---- */

static unsigned top(const struct native_state *state)
{
	return state->fx.fsw >> 11 & 7;
}

static void state_in(const struct native_state *state)
{
	struct cpu *cpu = &guest->cpu;

	memcpy(cpu->gpr, state->gpr, sizeof(state->gpr));
	memcpy(cpu->vector.ymm, state->ymm, sizeof(state->ymm));
	cpu->vector.mxcsr = state->fx.mxcsr;
	cpu->x87.fcw = state->fx.fcw;
	cpu->x87.fsw = state->fx.fsw;
	cpu->x87.empty = (u8)~state->fx.ftw;
	cpu->x87.fop = state->fx.fop;
	cpu->x87.fip = state->fx.fip;
	cpu->x87.fdp = state->fx.fdp;
	cpu->x87.fcs = cpu->x87.fds = 0;
	for (unsigned n = 0; n < 8; n++)
		memcpy(cpu->x87.st[(top(state) + n) % 8], state->fx.st[n], 16);
	cpu_set_rflags(cpu, state->rflags);
}

static void state_out(struct native_state *state)
{
	const struct cpu *cpu = &guest->cpu;

	memcpy(state->gpr, cpu->gpr, sizeof(state->gpr));
	memcpy(state->ymm, cpu->vector.ymm, sizeof(state->ymm));
	state->fx.mxcsr = cpu->vector.mxcsr;
	state->fx.fcw = cpu->x87.fcw;
	state->fx.fsw = cpu->x87.fsw;
	state->fx.ftw = (u8)~cpu->x87.empty;
	state->fx.fop = cpu->x87.fop;
	state->fx.fip = cpu->x87.fip;
	state->fx.fdp = cpu->x87.fdp;
	for (unsigned n = 0; n < 8; n++)
		memcpy(state->fx.st[n], cpu->x87.st[(top(state) + n) % 8], 16);
	state->rflags = cpu_rflags(cpu);
}

/* After an exception the handler's HLT was executed: takes the interrupted registers from the stack frame. */
static void fault_out(struct native_state *state)
{
	const u64 *frame = words(guest->cpu.gpr[GPR_RSP]);

	state->fault = (int)(guest->cpu.rip - 1 - HANDLERS);
	state->fault_address = guest->cpu.cr2;
	if (state->fault == VECTOR_PF || state->fault == VECTOR_GP || state->fault == VECTOR_SS ||
	    state->fault == VECTOR_AC)
		frame++;
	state->rflags = (frame[2] & ~RFLAGS_STATUS & ~RFLAGS_RF) | (cpu_rflags(&guest->cpu) & RFLAGS_STATUS);
	state->gpr[GPR_RSP] = frame[3];
}

void guest_run(struct native_state *state, const uint8_t *instruction, unsigned bytes)
{
	struct cpu *cpu = &guest->cpu;

	memcpy((void *)GUEST_CODE, instruction, bytes);
	*(u8 *)(GUEST_CODE + bytes) = OPCODE_HLT;
	atomic_fetch_add(&generation, 1); /* the code was written behind the core's back */
	state_in(state);
	code_segment_in();
	cpu->rip = GUEST_CODE;
	cpu->activity = CPU_ACTIVE;
	core_mode_changed(guest);
	core_run(guest, 1000);
	state_out(state);
	state->fault = -1;
	if (cpu->rip - 1 >= HANDLERS && cpu->rip - 1 < HANDLERS + VECTORS)
		fault_out(state);
	else if (cpu->rip != GUEST_CODE + bytes + 1)
		state->fault = -2; /* it did not end where it should */
}

double guest_time(struct native_state *state, const uint8_t *instruction, unsigned bytes, unsigned count,
		  unsigned times)
{
	static const u8 loop[] = { 0xff, 0xc9, 0x0f, 0x85 }; /* dec ecx; jnz */
	u8 *at = (u8 *)GUEST_CODE;
	struct timespec begin, end;
	double nanoseconds;
	int32_t back;

	for (unsigned n = 0; n < count; n++, at += bytes)
		memcpy(at, instruction, bytes);
	memcpy(at, loop, sizeof(loop));
	at += sizeof(loop);
	back = (int32_t)((u8 *)GUEST_CODE - (at + sizeof(back)));
	memcpy(at, &back, sizeof(back));
	at[sizeof(back)] = OPCODE_HLT;
	atomic_fetch_add(&generation, 1); /* the code was written behind the core's back */
	state->gpr[GPR_RCX] = times;
	state_in(state);
	guest->cpu.rip = GUEST_CODE;
	guest->cpu.activity = CPU_ACTIVE;
	core_mode_changed(guest);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	core_run(guest, ~0ull);
	clock_gettime(CLOCK_MONOTONIC, &end);
	nanoseconds = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
	return nanoseconds / count / times;
}

/* A processor's registers as text, for the person who looks for what went wrong. */
#include "base/log.h"
#include "machine/private.h"

typedef unsigned long long ull; /* what %llx takes */

static const char *const gpr_names[GPR_COUNT] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15",
};

static const char *const segment_names[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

void dump_processor(const struct cpu *cpu, unsigned processor)
{
	log_info("processor %u: rip %016llx rflags %08llx cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %04llx",
		 processor, (ull)cpu->rip, (ull)cpu_rflags(cpu), (ull)cpu->cr0, (ull)cpu->cr2, (ull)cpu->cr3,
		 (ull)cpu->cr4, (ull)cpu->efer);
	for (unsigned i = 0; i < GPR_COUNT; i += 4)
		log_info("  %s %016llx %s %016llx %s %016llx %s %016llx", gpr_names[i], (ull)cpu->gpr[i],
			 gpr_names[i + 1], (ull)cpu->gpr[i + 1], gpr_names[i + 2], (ull)cpu->gpr[i + 2],
			 gpr_names[i + 3], (ull)cpu->gpr[i + 3]);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		log_info("  %-4s %04x base %016llx limit %08x attributes %05x", segment_names[i],
			 cpu->segment[i].selector, (ull)cpu->segment[i].base, cpu->segment[i].limit,
			 cpu->segment[i].attributes);
	log_info("  gdtr %016llx limit %04x  idtr %016llx limit %04x", (ull)cpu->gdtr.base, cpu->gdtr.limit,
		 (ull)cpu->idtr.base, cpu->idtr.limit);
}

/*
 * Debug registers at work: breakpoints on execution, data and I/O, single-stepping ("Debug Registers").
 *
 * While a data breakpoint is armed, core.watch is set and every access takes the slow path, which calls
 * debug_note_access; hits are reported as a trap after the instruction.
 */
#ifndef CPU_DEBUG_H
#define CPU_DEBUG_H

#include "cpu/access.h"

/* Does any enabled breakpoint of DR7 watch data (writes or reads)? */
bool debug_watches_data(const struct cpu *cpu);

/* Does an instruction (or an iteration of one) that transfers no control trap by TF? "Single-Stepping on Branches" */
static inline bool debug_steps_instructions(const struct cpu *cpu)
{
	return cpu->rflags & RFLAGS_TF && !(cpu->debugctl & DEBUGCTL_BTF);
}

/* An access by an instruction: adds the DR6 bits of breakpoints that it hits to core.debug_hits. */
void debug_note_access(struct core *c, gva_t address, unsigned bytes, enum access access);
void debug_note_port(struct core *c, u16 port, unsigned bytes);

/* DR6 bits of execution breakpoints at the linear address of the next instruction, 0 if none. */
u64 debug_execution_hits(const struct core *c, gva_t address);

#endif

/*
 * An engine whose processors do what a test's function says instead of executing instructions: so the machine's loops
 * can be tested without a processor.
 */
#ifndef TESTS_UNIT_SCRIPT_ENGINE_H
#define TESTS_UNIT_SCRIPT_ENGINE_H

#include <stdatomic.h>

#include "engine/engine.h"

#define SCRIPT_MAX_PROCESSORS 8u

struct script_processor;

/* One run of a processor. Adds to p->retired what it "executes"; the budget is in `instructions`. */
typedef enum engine_exit_kind script(struct script_processor *p, u64 instructions);

struct script_processor {
	unsigned index;
	const struct core_environment *environment;
	void *machine;
	struct cpu cpu;
	u64 retired;
	unsigned runs;           /* since the start or the last reset */
	unsigned resets, inits;
	unsigned startups, nmis;
	u8 startup_vector;
	_Atomic bool kicked;
};

/* What all processors of the next machine do. */
extern script *script_run;
/* The processors of the current machine, and after its end as they were last. */
extern struct script_processor script_processors[SCRIPT_MAX_PROCESSORS];
extern const struct engine_ops engine_script;

/* What a script does to the world. */
void script_out(struct script_processor *p, u16 port, unsigned size, u32 value);
u32 script_in(struct script_processor *p, u16 port, unsigned size);
void script_apic_write(struct script_processor *p, u32 offset, u32 value);
u32 script_apic_read(struct script_processor *p, u32 offset);
/* Takes an interrupt if there is one: its vector, or -1. */
int script_take_interrupt(struct script_processor *p);
u64 script_now(struct script_processor *p);

#endif

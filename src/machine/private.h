/* The machine's inside, shared by machine.c, vcpu.c and environment.c. */
#ifndef MACHINE_PRIVATE_H
#define MACHINE_PRIVATE_H

#include <stdatomic.h>

#include "machine/board.h"
#include "machine/machine.h"

/* What other threads ask of a processor; it complies between two runs. */
#define VCPU_REQUEST_INIT 1u
#define VCPU_REQUEST_STARTUP 2u
#define VCPU_REQUEST_NMI 4u
#define VCPU_REQUEST_SECOND_NMI 8u /* came before the first was passed on; further ones are lost, as in the processor */

struct vcpu {
	struct machine *machine;
	unsigned processor;
	struct engine_vcpu *engine;
	struct host_event *event; /* host clock: its thread sleeps here */
	struct host_thread *thread;
	_Atomic u32 requests;
	_Atomic u8 startup_vector;
	_Atomic bool called; /* something happened since it last fell asleep */
	_Atomic bool dead;   /* asleep, and deaf to interrupts */
	bool asleep;         /* instructions clock: waits for a call, or for nap_end */
	u64 nap_end;         /* guest time; CLOCK_NEVER */
	struct host_error error; /* what the engine said when it failed */
};

/* Why the processors stop: the first reason counts. The code goes with some of them. */
enum machine_action {
	ACTION_NONE, ACTION_POWER_OFF, ACTION_RESET, ACTION_DEBUG_EXIT, ACTION_TRIPLE_FAULT, ACTION_STUCK, ACTION_STOP,
	ACTION_FAILED,
};

#define STOP_ASKED BIT(32)

struct machine {
	struct machine_config config;
	struct boot_config boot;
	struct board board;
	struct engine_vm *engine;
	struct vcpu *vcpus;
	struct vcpu *running; /* instructions clock: whose turn it is */
	_Atomic u64 action;   /* enum machine_action, and the code in the upper half */
	_Atomic u64 stop;     /* STOP_ASKED and the reason, once machine_stop() was called */
	u64 random;           /* instructions clock: the generator's state */
	bool loaded;
	unsigned reboots;
	u64 started;      /* guest time of the last power-on or reset */
	unsigned crashes; /* triple faults in a row, each soon after a start */
};

/* Ends or restarts the run. Any thread, bus lock or not. */
void machine_request(struct machine *machine, enum machine_action action, u32 code);
static inline bool machine_ending(struct machine *machine)
{
	return atomic_load_explicit(&machine->action, memory_order_acquire) != ACTION_NONE;
}

/* ---- vcpu.c ---- */

void vcpu_call(struct vcpu *vcpu);
void vcpu_request(struct vcpu *vcpu, u32 request);
/* Both return when machine_ending(). */
MUST_USE bool vcpus_run_on_threads(struct machine *machine, struct host_error *error);
void vcpus_run_in_turn(struct machine *machine);

/* ---- environment.c ---- */

extern const struct core_environment machine_environment;
u64 machine_random(void *machine);

/* ---- dump.c ---- */

/* The processor's registers, in a few lines of the log. */
void dump_processor(const struct cpu *cpu, unsigned processor);

#endif

/*
 * The processors' loops.
 *
 * With the host's clock each processor has a thread, which sleeps while its processor does; the caller's thread waits
 * for the host's I/O and for timers. With the instructions clock the caller's thread runs all processors in turn, a
 * fixed number of instructions each, and everything happens at the ends of turns: so a run repeats exactly.
 *
 * Nothing is lost between asking and sleeping: who wants something of a processor first notes it, then calls; a
 * processor looks at what is noted after it took the call and before it runs.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "base/trace.h"
#include "machine/private.h"

#define TURN_INSTRUCTIONS 10000u
#define TURNS_PER_LOOK 64u         /* at the host's I/O */
#define NAP_NS 500000ull           /* how long an MWAIT lasts that no interrupt ends */

/* ---- asking ---- */

void vcpu_call(struct vcpu *vcpu)
{
	atomic_store(&vcpu->called, true);
	vcpu->machine->config.engine->kick(vcpu->engine);
	host_event_wake(vcpu->event);
}

void vcpu_request(struct vcpu *vcpu, u32 request)
{
	/* An INIT undoes a start-up that has not happened yet. */
	if (request == VCPU_REQUEST_INIT)
		atomic_fetch_and(&vcpu->requests, ~VCPU_REQUEST_STARTUP);
	if (atomic_fetch_or(&vcpu->requests, request) & request & VCPU_REQUEST_NMI)
		atomic_fetch_or(&vcpu->requests, VCPU_REQUEST_SECOND_NMI);
	vcpu_call(vcpu);
}

void machine_request(struct machine *machine, enum machine_action action, u32 code)
{
	u64 none = ACTION_NONE;

	if (!atomic_compare_exchange_strong(&machine->action, &none, action | (u64)code << 32))
		return;
	for (unsigned i = 0; i < machine->config.processors; i++)
		vcpu_call(&machine->vcpus[i]);
	host_io_wake(machine->config.io);
}

/* ---- running ---- */

static void comply(struct vcpu *vcpu)
{
	const struct engine_ops *engine = vcpu->machine->config.engine;
	u32 requests = atomic_exchange(&vcpu->requests, 0);

	if (requests & VCPU_REQUEST_INIT)
		engine->reset(vcpu->engine, true);
	if (requests & VCPU_REQUEST_STARTUP)
		engine->startup(vcpu->engine, atomic_load(&vcpu->startup_vector));
	if (requests & VCPU_REQUEST_NMI)
		engine->nmi(vcpu->engine);
	if (requests & VCPU_REQUEST_SECOND_NMI)
		engine->nmi(vcpu->engine);
}

/* Whether only INIT, a start-up IPI or an NMI could wake the processor, which is asleep. */
static bool is_deaf(struct vcpu *vcpu)
{
	struct cpu state;

	vcpu->machine->config.engine->get_state(vcpu->engine, &state);
	return state.activity == CPU_WAIT_FOR_SIPI || !(state.rflags & RFLAGS_IF);
}

/*
 * With every processor deaf and no timer running, none will ever wake. Requests are read before deafness, which their
 * takers take back first: so a processor that is about to wake is not missed.
 */
static bool is_stuck(struct machine *machine)
{
	bool timers;

	for (unsigned i = 0; i < machine->config.processors; i++) {
		if (atomic_load(&machine->vcpus[i].requests) || !atomic_load(&machine->vcpus[i].dead))
			return false;
	}
	bus_lock(&machine->board.bus);
	timers = clock_deadline(&machine->board.clock) != CLOCK_NEVER;
	bus_unlock(&machine->board.bus);
	return !timers;
}

static void fall_asleep(struct vcpu *vcpu)
{
	atomic_store(&vcpu->dead, is_deaf(vcpu));
	if (atomic_load(&vcpu->dead) && is_stuck(vcpu->machine))
		machine_request(vcpu->machine, ACTION_STUCK, vcpu->processor);
}

static const char *const exit_names[] = {
	[ENGINE_EXIT_NONE] = "none",	 [ENGINE_EXIT_HALTED] = "halted", [ENGINE_EXIT_SHUTDOWN] = "shutdown",
	[ENGINE_EXIT_KICKED] = "kicked", [ENGINE_EXIT_WAIT] = "wait",	  [ENGINE_EXIT_NAP] = "nap",
	[ENGINE_EXIT_DEBUG] = "debug",	 [ENGINE_EXIT_FAILED] = "failed",
};

/*
 * One run. Returns when the processor wants to run again: 0 at once, CLOCK_NEVER when called, or nanoseconds from now.
 */
static u64 run(struct vcpu *vcpu, u64 instructions)
{
	struct machine *machine = vcpu->machine;
	enum engine_exit_kind kind;

	atomic_store(&vcpu->dead, false);
	atomic_store(&vcpu->called, false);
	comply(vcpu);
	TRACE(machine->config.trace, ENTRY, vcpu->processor, instructions);
	kind = machine->config.engine->run(vcpu->engine, instructions, &vcpu->error);
	TRACE(machine->config.trace, EXIT, vcpu->processor, trace_text(exit_names[kind]));
	if (kind == ENGINE_EXIT_HALTED || kind == ENGINE_EXIT_WAIT || kind == ENGINE_EXIT_NAP)
		TRACE(machine->config.trace, HALT, vcpu->processor, trace_text(exit_names[kind]));
	switch (kind) {
	case ENGINE_EXIT_KICKED:
		return 0;
	case ENGINE_EXIT_HALTED:
	case ENGINE_EXIT_WAIT:
		fall_asleep(vcpu);
		return CLOCK_NEVER;
	case ENGINE_EXIT_NAP:
		return NAP_NS;
	case ENGINE_EXIT_SHUTDOWN:
		machine_request(machine, ACTION_TRIPLE_FAULT, vcpu->processor);
		return CLOCK_NEVER;
	case ENGINE_EXIT_DEBUG:
		host_error_set(&vcpu->error, "a debugger's stop, but there is no debugger");
		machine_request(machine, ACTION_FAILED, vcpu->processor);
		return CLOCK_NEVER;
	case ENGINE_EXIT_FAILED:
		machine_request(machine, ACTION_FAILED, vcpu->processor);
		return CLOCK_NEVER;
	case ENGINE_EXIT_NONE:
		break;
	}
	UNREACHABLE();
}

static void trace_wake(struct vcpu *vcpu)
{
	TRACE(vcpu->machine->config.trace, WAKE, vcpu->processor,
	      trace_text(atomic_load(&vcpu->called) ? "called" : "timeout"));
}

/* ---- host clock: a thread each ---- */

static void thread_body(void *argument)
{
	struct vcpu *vcpu = argument;

	while (!machine_ending(vcpu->machine)) {
		u64 rest = run(vcpu, ~0ull);

		if (!rest || machine_ending(vcpu->machine))
			continue;
		host_event_sleep(vcpu->event, rest == CLOCK_NEVER ? CLOCK_NEVER : host_time_ns() + rest);
		trace_wake(vcpu);
	}
}

/* The earliest timer as a time of the host's; CLOCK_NEVER also for one that is further off than the host can say. */
static u64 host_deadline(const struct clock *clock)
{
	u64 deadline = clock_deadline(clock);

	return deadline < CLOCK_NEVER - clock->origin ? clock->origin + deadline : CLOCK_NEVER;
}

/* What the caller's thread does meanwhile: the host's I/O, and timers. */
static void serve(struct machine *machine)
{
	struct board *board = &machine->board;

	while (!machine_ending(machine)) {
		u64 until;

		bus_lock(&board->bus);
		clock_expire(&board->clock);
		until = host_deadline(&board->clock);
		bus_unlock(&board->bus);
		host_io_wait(machine->config.io, board->bus.lock, until);
	}
}

bool vcpus_run_on_threads(struct machine *machine, struct host_error *error)
{
	bool started = true;

	for (unsigned i = 0; i < machine->config.processors && started; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		vcpu->thread = host_thread_start("vcpu", thread_body, vcpu, error);
		started = vcpu->thread;
	}
	if (started)
		serve(machine);
	else
		machine_request(machine, ACTION_STOP, 0);
	for (unsigned i = 0; i < machine->config.processors; i++) {
		if (machine->vcpus[i].thread)
			host_thread_join(machine->vcpus[i].thread);
		machine->vcpus[i].thread = NULL;
	}
	return started;
}

/* ---- instructions clock: in turn ---- */

static void expire_timers(struct machine *machine)
{
	struct board *board = &machine->board;

	bus_lock(&board->bus);
	clock_expire(&board->clock);
	bus_unlock(&board->bus);
}

/* A turn ends at the next timer at the latest. */
static u64 turn_length(struct machine *machine)
{
	u64 now = clock_now(&machine->board.clock), deadline = clock_deadline(&machine->board.clock);

	return deadline > now ? min_u64(deadline - now, TURN_INSTRUCTIONS) : 1;
}

static void take_turn(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;
	u64 rest;

	machine->running = vcpu;
	rest = run(vcpu, turn_length(machine));
	machine->running = NULL;
	vcpu->asleep = rest;
	vcpu->nap_end = rest == CLOCK_NEVER ? CLOCK_NEVER : clock_now(&machine->board.clock) + rest;
}

static bool is_awake(const struct vcpu *vcpu)
{
	return !vcpu->asleep || atomic_load(&vcpu->called) || vcpu->nap_end <= clock_now(&vcpu->machine->board.clock);
}

/*
 * Nobody is awake: on to the next moment at which something can happen. With none in sight, only the host can end it.
 */
static void skip_idle_time(struct machine *machine)
{
	struct clock *clock = &machine->board.clock;
	u64 until = clock_deadline(clock);

	for (unsigned i = 0; i < machine->config.processors; i++)
		until = min_u64(until, machine->vcpus[i].nap_end);
	host_io_wait(machine->config.io, machine->board.bus.lock, until == CLOCK_NEVER ? CLOCK_NEVER : 0);
	if (until != CLOCK_NEVER && until > clock_now(clock))
		clock_skip_to(clock, until);
}

void vcpus_run_in_turn(struct machine *machine)
{
	u64 turns = 0;

	while (!machine_ending(machine)) {
		bool idle = true;

		for (unsigned i = 0; i < machine->config.processors && !machine_ending(machine); i++) {
			expire_timers(machine);
			if (!is_awake(&machine->vcpus[i]))
				continue;
			idle = false;
			if (machine->vcpus[i].asleep)
				trace_wake(&machine->vcpus[i]);
			take_turn(&machine->vcpus[i]);
			board_serve_disks(&machine->board);
		}
		if (idle)
			skip_idle_time(machine);
		else if (++turns % TURNS_PER_LOOK == 0)
			host_io_wait(machine->config.io, machine->board.bus.lock, 0);
	}
}

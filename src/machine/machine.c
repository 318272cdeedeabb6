/*
 * A machine's life: made, loaded, run, reset and loaded again, ended.
 *
 * A reset stops every processor first: what the guest wrote to a reset port, or a triple fault, only notes the wish,
 * and the loop here does the work while nothing runs.
 */
#include "machine/machine.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/log.h"
#include "base/trace.h"
#include "boot/acpi.h"
#include "machine/firmware.h"
#include "machine/private.h"
#include "x86/model.h"

#define SETTLE_POLL_NS 1000000ull

/* A guest that crashes this soon after its start so many times in a row would do so for ever. */
#define CRASH_SOON_NS CLOCK_NS_PER_SECOND
#define CRASHES_MAX 3u

/* ---- what the board asks of the machine ---- */

static void hook_kick(void *context, unsigned processor)
{
	struct machine *machine = context;

	vcpu_call(&machine->vcpus[processor]);
}

static void hook_init(void *context, unsigned processor)
{
	struct machine *machine = context;

	vcpu_request(&machine->vcpus[processor], VCPU_REQUEST_INIT);
}

static void hook_startup(void *context, unsigned processor, u8 vector)
{
	struct machine *machine = context;

	atomic_store(&machine->vcpus[processor].startup_vector, vector);
	vcpu_request(&machine->vcpus[processor], VCPU_REQUEST_STARTUP);
}

static void hook_nmi(void *context, unsigned processor)
{
	struct machine *machine = context;

	vcpu_request(&machine->vcpus[processor], VCPU_REQUEST_NMI);
}

/* There is no system management mode, so no handler that an SMI could start. */
static void hook_smi(void *context, unsigned processor)
{
	(void)context;
	(void)processor;
}

static u64 hook_tsc(void *context, unsigned processor)
{
	struct machine *machine = context;

	return clock_now(&machine->board.clock) + machine->config.engine->tsc_offset(machine->vcpus[processor].engine);
}

static int hook_extint(void *context)
{
	struct machine *machine = context;

	return pic_acknowledge(&machine->board.pic);
}

static void hook_eoi(void *context, u8 vector)
{
	struct machine *machine = context;

	ioapic_eoi(&machine->board.ioapic, vector);
}

static void hook_reset(void *context)
{
	machine_request(context, ACTION_RESET, 0);
}

static void hook_power_off(void *context)
{
	machine_request(context, ACTION_POWER_OFF, 0);
}

static void hook_debug_exit(void *context, u32 code)
{
	machine_request(context, ACTION_DEBUG_EXIT, code);
}

static const struct board_hooks hooks = {
	.lapic = { .kick = hook_kick, .init = hook_init, .startup = hook_startup, .nmi = hook_nmi, .smi = hook_smi,
		   .tsc = hook_tsc, .extint = hook_extint, .eoi = hook_eoi },
	.reset = hook_reset,
	.power_off = hook_power_off,
	.debug_exit = hook_debug_exit,
	.random = machine_random,
};

/* ---- what the clock asks ---- */

static u64 total_retired(void *context)
{
	const struct machine *machine = context;
	u64 total = 0;

	for (unsigned i = 0; i < machine->config.processors; i++)
		total += machine->config.engine->retired(machine->vcpus[i].engine);
	return total;
}

static u64 trace_now(void *context)
{
	return clock_now(&((struct machine *)context)->board.clock);
}

static u64 trace_retired(void *context, unsigned processor)
{
	struct machine *machine = context;

	if (processor == TRACE_NO_PROCESSOR)
		return total_retired(machine);
	return machine->config.engine->retired(machine->vcpus[processor].engine);
}

/* A timer now comes sooner than whoever waits for it knows. */
static void deadline_changed(void *context)
{
	struct machine *machine = context;

	if (machine->config.clock == CLOCK_HOST)
		host_io_wake(machine->config.io);
	else if (machine->running)
		machine->config.engine->kick(machine->running->engine);
}

/* ---- making ---- */

/* What does not fit below the PCI hole lies from 4 GiB on, where a model of 32 address bits has nothing. */
static bool memory_is_addressable(const struct machine_config *config)
{
	u64 high_bytes = config->memory_bytes - min_u64(config->memory_bytes, MEMORY_LOW_LIMIT);

	return high_bytes <= BIT(config->model->physical_bits) - MEMORY_HIGH_BASE;
}

static bool config_valid(const struct machine_config *config, struct host_error *error)
{
	if (config->processors < 1 || config->processors > MACHINE_MAX_PROCESSORS)
		host_error_set(error, "%u processors: a machine has 1 to %u", config->processors,
			       MACHINE_MAX_PROCESSORS);
	else if (config->memory_bytes < MACHINE_MIN_MEMORY)
		host_error_set(error, "%llu KiB of memory: a machine has at least %llu KiB",
			       (unsigned long long)config->memory_bytes >> 10, MACHINE_MIN_MEMORY >> 10);
	else if (!memory_is_addressable(config))
		host_error_set(error, "%llu MiB of memory are more than this processor model can address",
			       (unsigned long long)config->memory_bytes >> 20);
	else
		return true;
	return false;
}

static bool create_vcpus(struct machine *machine, struct host_error *error)
{
	const struct machine_config *config = &machine->config;
	struct engine_config engine = { .processors = config->processors,
					.model = config->model,
					.features = config->features,
					.environment = &machine_environment,
					.machine = machine,
					.trace = config->trace };

	machine->engine = config->engine->vm_create(&engine, error);
	if (!machine->engine)
		return false;
	for (unsigned i = 0; i < config->processors; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		vcpu->engine = config->engine->vcpu(machine->engine, i);
		vcpu->event = host_event_create();
		if (!vcpu->event) {
			host_error_set(error, "out of memory for %u processors", config->processors);
			return false;
		}
	}
	return true;
}

static void dump_all(void *context)
{
	struct machine *machine = context;
	struct cpu state;

	for (unsigned i = 0; i < machine->config.processors; i++) {
		machine->config.engine->get_state(machine->vcpus[i].engine, &state);
		dump_processor(&state, i);
	}
}

static bool create_parts(struct machine *machine, struct host_error *error)
{
	machine->vcpus = host_allocate(machine->config.processors * sizeof(machine->vcpus[0]));
	if (!machine->vcpus) {
		host_error_set(error, "out of memory for %u processors", machine->config.processors);
		return false;
	}
	for (unsigned i = 0; i < machine->config.processors; i++)
		machine->vcpus[i] = (struct vcpu){ .machine = machine, .processor = i };
	if (!board_init(&machine->board, &machine->config, &hooks, machine, error) || !create_vcpus(machine, error))
		return false;
	machine->board.clock.retired = total_retired;
	machine->board.clock.source = machine;
	machine->board.clock.changed = deadline_changed;
	machine->board.clock.waiter = machine;
	if (machine->config.trace) {
		machine->config.trace->now = trace_now;
		machine->config.trace->retired = trace_retired;
		machine->config.trace->machine = machine;
	}
	panic_register(dump_all, machine);
	return true;
}

struct machine *machine_create(const struct machine_config *config, struct host_error *error)
{
	struct machine *machine;

	if (!config_valid(config, error))
		return NULL;
	machine = host_allocate(sizeof(*machine));
	if (!machine) {
		host_error_set(error, "out of memory for a machine");
		return NULL;
	}
	machine->config = *config;
	machine->config.memory_bytes = align_down(config->memory_bytes, PAGE_SIZE);
	machine->random = config->seed;
	if (!create_parts(machine, error)) {
		machine_destroy(machine);
		return NULL;
	}
	return machine;
}

/* Waits until the host has finished what devices asked of it: it works on guest memory. */
static void settle(struct machine *machine)
{
	while (board_busy(&machine->board)) {
		if (board_serve_disks(&machine->board))
			continue;
		host_io_wait(machine->config.io, machine->board.bus.lock, host_time_ns() + SETTLE_POLL_NS);
	}
}

void machine_destroy(struct machine *machine)
{
	if (!machine)
		return;
	panic_unregister(machine);
	if (machine->engine) {
		settle(machine);
		machine->config.engine->vm_destroy(machine->engine);
	}
	board_finish(&machine->board);
	for (unsigned i = 0; machine->vcpus && i < machine->config.processors; i++)
		host_event_destroy(machine->vcpus[i].event);
	host_free(machine->vcpus);
	host_free(machine);
}

/* ---- loading and resetting ---- */

#define LEAF_TSC_FREQUENCY 0x15u
#define HZ_PER_KHZ 1000u

static bool tells_tsc_frequency(const struct cpu_model *model)
{
	return model->vendor == VENDOR_INTEL && model->max_leaf >= LEAF_TSC_FREQUENCY;
}

bool machine_load(struct machine *machine, struct host_error *error)
{
	const struct engine_ops *engine = machine->config.engine;
	struct cpu state;

	machine->boot = *machine->config.boot;
	machine->boot.features = machine->config.features;
	machine->boot.tsc_khz = tells_tsc_frequency(machine->config.model) ? 0 : CLOCK_TSC_HZ / HZ_PER_KHZ;
	if (!firmware_place(&machine->board, machine->config.processors, &machine->boot.rsdp, error))
		return false;
	for (unsigned i = 0; i < machine->config.processors; i++) {
		engine->get_state(machine->vcpus[i].engine, &state);
		firmware_prepare_processor(&state, machine->config.model);
		if (i == 0 && !boot_load(&machine->board.memory, &machine->boot, &state, error))
			return false;
		engine->set_state(machine->vcpus[i].engine, &state);
	}
	machine->loaded = true;
	return true;
}

static bool reset(struct machine *machine, struct host_error *error)
{
	settle(machine);
	for (unsigned i = 0; i < machine->config.processors; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		machine->config.engine->reset(vcpu->engine, false);
		atomic_store(&vcpu->requests, 0);
		vcpu->asleep = false;
	}
	bus_lock(&machine->board.bus);
	board_reset(&machine->board);
	bus_unlock(&machine->board.bus);
	machine->reboots++;
	machine->started = clock_now(&machine->board.clock);
	TRACE(machine->config.trace, RESET, TRACE_NO_PROCESSOR, machine->reboots);
	return machine_load(machine, error);
}

/* ---- running ---- */

static enum machine_end end_triple_fault(struct machine *machine, unsigned processor, struct host_error *error)
{
	struct cpu state;

	machine_processor_state(machine, processor, &state);
	host_error_set(error,
		       "processor %u shut down (triple fault) at rip %#llx, cs %#x, cr2 %#llx: the guest crashed",
		       processor, (unsigned long long)state.rip, state.segment[SEG_CS].selector,
		       (unsigned long long)state.cr2);
	machine->crashes = clock_now(&machine->board.clock) - machine->started < CRASH_SOON_NS ? machine->crashes + 1 : 0;
	if (!machine->config.no_reboot && machine->crashes < CRASHES_MAX) {
		log_warn("%s; it restarts", error->text);
		return MACHINE_RESET;
	}
	dump_processor(&state, processor);
	return MACHINE_SHUTDOWN;
}

/* Why the processors stopped. MACHINE_RESET: to be done, unless no_reboot. */
static enum machine_end find_end(struct machine *machine, struct machine_result *result)
{
	u64 action = atomic_load(&machine->action);

	result->code = (u32)(action >> 32);
	switch ((enum machine_action)(u32)action) {
	case ACTION_POWER_OFF:
		return MACHINE_POWERED_OFF;
	case ACTION_RESET:
		return MACHINE_RESET;
	case ACTION_DEBUG_EXIT:
		return MACHINE_DEBUG_EXIT;
	case ACTION_TRIPLE_FAULT:
		return end_triple_fault(machine, result->code, &result->error);
	case ACTION_STUCK:
		host_error_set(&result->error,
			       "every processor is halted with interrupts off: the guest has stopped for good");
		return MACHINE_STUCK;
	case ACTION_STOP:
		return MACHINE_STOPPED;
	case ACTION_FAILED:
		result->error = machine->vcpus[result->code].error;
		return MACHINE_FAILED;
	case ACTION_NONE:
		break;
	}
	UNREACHABLE();
}

/* One stretch between resets. */
static enum machine_end run(struct machine *machine, struct machine_result *result)
{
	if (machine->config.clock == CLOCK_INSTRUCTIONS)
		vcpus_run_in_turn(machine);
	else if (!vcpus_run_on_threads(machine, &result->error))
		return MACHINE_FAILED;
	return find_end(machine, result);
}

void machine_run(struct machine *machine, struct machine_result *result)
{
	*result = (struct machine_result){ 0 };
	if (!machine->loaded && !machine_load(machine, &result->error)) {
		result->end = MACHINE_FAILED;
		return;
	}
	for (;;) {
		result->end = run(machine, result);
		if (result->end != MACHINE_RESET || machine->config.no_reboot)
			break;
		if (!reset(machine, &result->error)) {
			result->end = MACHINE_FAILED;
			break;
		}
		atomic_store(&machine->action, ACTION_NONE);
		/* A stop that came while the reset was on its way was not the first wish, but it counts. */
		if (atomic_load(&machine->stop))
			machine_request(machine, ACTION_STOP, (u32)atomic_load(&machine->stop));
	}
	settle(machine);
	result->retired = total_retired(machine);
	result->elapsed_ns = clock_now(&machine->board.clock);
	result->reboots = machine->reboots;
}

void machine_stop(struct machine *machine, u32 reason)
{
	u64 none = 0;

	atomic_compare_exchange_strong(&machine->stop, &none, STOP_ASKED | reason);
	machine_request(machine, ACTION_STOP, (u32)atomic_load(&machine->stop));
}

void machine_press_power_button(struct machine *machine)
{
	bus_lock(&machine->board.bus);
	acpi_pm_press_power_button(&machine->board.acpi_pm);
	bus_unlock(&machine->board.bus);
}

u64 machine_retired(const struct machine *machine)
{
	return total_retired((void *)machine);
}

void machine_processor_state(struct machine *machine, unsigned processor, struct cpu *out)
{
	ASSERT(processor < machine->config.processors);
	machine->config.engine->get_state(machine->vcpus[processor].engine, out);
}

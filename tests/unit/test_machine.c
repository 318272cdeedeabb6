/* The machine around its processors: how runs end, resets, sleeping and waking, both clocks. */
#include "machine/machine.h"

#include <string.h>

#include "script_engine.h"
#include "test.h"
#include "x86/model.h"

enum { APIC_SVR = 0xf0, APIC_EOI = 0xb0, APIC_ICR = 0x300, APIC_ICR_HIGH = 0x310, APIC_LVT_TIMER = 0x320,
       APIC_INITIAL = 0x380, APIC_DIVIDE = 0x3e0 };

#define SVR_ENABLE 0x1ff
#define TIMER_VECTOR 0x40
#define DIVIDE_BY_1 0xb
#define ICR_INIT 0x4500
#define ICR_STARTUP 0x4600
#define ICR_NMI 0x4400
#define PM_CONTROL 0x604
#define POWER_OFF (5u << 10 | 1u << 13)
#define DEBUG_EXIT 0xf4
#define LINE_CONTROL 0x3fb /* of COM1 */
#define MILLISECOND 1000000ull

/* A kernel that the loader takes: what matters is that memory gets written. */
static const u32 kernel[] = { 0x1badb002, 0x10000, -(0x1badb002u + 0x10000), 0x200000, 0x200000, 0, 0, 0x200000 };

static struct boot_config boot = { .kernel = { (const u8 *)kernel, sizeof(kernel) },
				   .kernel_name = "k",
				   .cmdline = "" };

static struct machine_config config_for(enum clock_kind clock, unsigned processors)
{
	struct machine_config config = { .memory_bytes = 8 << 20, .processors = processors, .engine = &engine_script,
					 .clock = clock, .seed = 7, .debug_exit_port = DEBUG_EXIT, .boot = &boot };
	char error[128];

	CHECK(model_parse(MODEL_DEFAULT, &config.model, &config.features, error, sizeof(error), NULL, 0));
	return config;
}

/* Makes a machine, runs the script on it to the end, and destroys it. */
static struct machine_result run_config(script *body, struct machine_config config)
{
	struct machine_result result = { 0 };
	struct host_error error;
	struct machine *machine;

	script_run = body;
	config.io = host_io_create(&error);
	machine = machine_create(&config, &error);
	if (CHECK(machine))
		machine_run(machine, &result);
	else
		printf("  %s\n", error.text);
	machine_destroy(machine);
	host_io_destroy(config.io);
	return result;
}

static struct machine_result run(script *body, enum clock_kind clock, unsigned processors)
{
	return run_config(body, config_for(clock, processors));
}

#define FOR_CLOCKS(clock) for (enum clock_kind clock = CLOCK_HOST; clock <= CLOCK_INSTRUCTIONS; clock++)

/* ---- how runs end ---- */

static enum engine_exit_kind power_off(struct script_processor *p, u64 instructions)
{
	(void)instructions;
	script_out(p, PM_CONTROL, 2, POWER_OFF);
	return ENGINE_EXIT_KICKED;
}

TEST("writing S5 to the PM1a control register powers the machine off")
{
	FOR_CLOCKS(clock)
		CHECK_EQ(run(power_off, clock, 4).end, MACHINE_POWERED_OFF);
}

static enum engine_exit_kind debug_exit(struct script_processor *p, u64 instructions)
{
	(void)instructions;
	script_out(p, DEBUG_EXIT, 4, 33);
	return ENGINE_EXIT_KICKED;
}

TEST("what is written to the debug-exit port is the result's code")
{
	FOR_CLOCKS(clock) {
		struct machine_result result = run(debug_exit, clock, 1);

		CHECK_EQ(result.end, MACHINE_DEBUG_EXIT);
		CHECK_EQ(result.code, 33);
	}
}

static enum engine_exit_kind fail(struct script_processor *p, u64 instructions)
{
	(void)p;
	(void)instructions;
	return ENGINE_EXIT_FAILED;
}

TEST("an engine's failure ends the run with its message")
{
	FOR_CLOCKS(clock) {
		struct machine_result result = run(fail, clock, 2);

		CHECK_EQ(result.end, MACHINE_FAILED);
		CHECK(!strcmp(result.error.text, "the script failed"));
	}
}

static enum engine_exit_kind halt_deaf(struct script_processor *p, u64 instructions)
{
	(void)instructions;
	p->cpu.activity = CPU_HALTED;
	return ENGINE_EXIT_HALTED;
}

TEST("a machine whose processors are all halted with interrupts off, with no timer running, has stopped for good")
{
	FOR_CLOCKS(clock) {
		CHECK_EQ(run(halt_deaf, clock, 1).end, MACHINE_STUCK);
		CHECK_EQ(run(halt_deaf, clock, 3).end, MACHINE_STUCK);
	}
}

/* ---- resets ---- */

static void (*do_reset)(struct script_processor *p);

static void reset_by_cf9(struct script_processor *p) { script_out(p, 0xcf9, 1, 6); }
static void reset_by_keyboard_controller(struct script_processor *p) { script_out(p, 0x64, 1, 0xfe); }
static void reset_by_port92(struct script_processor *p) { script_out(p, 0x92, 1, 1); }

/* The first time round it leaves traces in devices and resets, the second it looks whether they are gone. */
static enum engine_exit_kind reset_once(struct script_processor *p, u64 instructions)
{
	(void)instructions;
	if (p->index)
		return ENGINE_EXIT_HALTED;
	if (p->resets) {
		script_out(p, DEBUG_EXIT, 4, script_in(p, LINE_CONTROL, 1) == 0 && p->cpu.rip == 0x200000);
		return ENGINE_EXIT_KICKED;
	}
	script_out(p, LINE_CONTROL, 1, 0x1b);
	do_reset(p);
	return ENGINE_EXIT_KICKED;
}

TEST("each way to reset brings processors and devices to their power-on state and loads the kernel again")
{
	static void (*const ways[])(struct script_processor *p) = { reset_by_cf9, reset_by_keyboard_controller,
								    reset_by_port92 };

	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		FOR_CLOCKS(clock) {
			struct machine_result result;

			do_reset = ways[i];
			result = run(reset_once, clock, 2);
			CHECK_EQ(result.end, MACHINE_DEBUG_EXIT);
			CHECK_EQ(result.code, 1);
			CHECK_EQ(result.reboots, 1);
			CHECK_EQ(script_processors[1].resets, 1);
		}
	}
}

TEST("with no_reboot a reset ends the run")
{
	struct machine_config config = config_for(CLOCK_HOST, 1);

	config.no_reboot = true;
	do_reset = reset_by_cf9;
	CHECK_EQ(run_config(reset_once, config).end, MACHINE_RESET);
}

static enum engine_exit_kind triple_fault_once(struct script_processor *p, u64 instructions)
{
	if (p->resets)
		return power_off(p, instructions);
	p->cpu.rip = 0x1234;
	return ENGINE_EXIT_SHUTDOWN;
}

TEST("a triple fault resets the machine, and with no_reboot ends the run and says where")
{
	FOR_CLOCKS(clock) {
		struct machine_config config = config_for(clock, 1);
		struct machine_result result = run_config(triple_fault_once, config);

		CHECK_EQ(result.end, MACHINE_POWERED_OFF);
		CHECK_EQ(result.reboots, 1);
		config.no_reboot = true;
		result = run_config(triple_fault_once, config);
		CHECK_EQ(result.end, MACHINE_SHUTDOWN);
		CHECK(strstr(result.error.text, "rip 0x1234"));
	}
}

/* ---- stopping from outside ---- */

static struct machine *stopped;

static void stop_soon(void *unused)
{
	u64 until = host_time_ns() + 20 * MILLISECOND;

	(void)unused;
	while (host_time_ns() < until)
		;
	machine_stop(stopped, 99);
	machine_stop(stopped, 100);
}

static enum engine_exit_kind spin(struct script_processor *p, u64 instructions)
{
	p->retired += instructions == ~0ull ? 1 : instructions;
	return ENGINE_EXIT_KICKED;
}

/* Asleep, but not for good. */
static enum engine_exit_kind await_interrupts(struct script_processor *p, u64 instructions)
{
	(void)instructions;
	p->cpu.rflags |= RFLAGS_IF;
	return ENGINE_EXIT_HALTED;
}

TEST("machine_stop from another thread ends a run, busy or asleep, and its first reason counts")
{
	script *const bodies[] = { spin, await_interrupts };

	for (unsigned i = 0; i < 2; i++) {
		FOR_CLOCKS(clock) {
			struct machine_config config = config_for(clock, 2);
			struct machine_result result = { 0 };
			struct host_thread *thread;
			struct host_error error;

			script_run = bodies[i];
			config.io = host_io_create(&error);
			stopped = machine_create(&config, &error);
			CHECK(stopped);
			thread = host_thread_start("stop", stop_soon, NULL, &error);
			machine_run(stopped, &result);
			host_thread_join(thread);
			CHECK_EQ(result.end, MACHINE_STOPPED);
			CHECK_EQ(result.code, 99);
			machine_destroy(stopped);
			host_io_destroy(config.io);
		}
	}
}

/* ---- processors and each other ---- */

/* Processor 0 starts processor 1 the way operating systems do, and waits for what it does. */
static enum engine_exit_kind start_other(struct script_processor *p, u64 instructions)
{
	(void)instructions;
	p->retired += 100;
	if (p->index == 1) {
		if (!p->nmis)
			return ENGINE_EXIT_KICKED;
		script_out(p, DEBUG_EXIT, 4, 1);
		return ENGINE_EXIT_KICKED;
	}
	script_apic_write(p, APIC_SVR, SVR_ENABLE);
	script_apic_write(p, APIC_ICR_HIGH, 1 << 24);
	if (p->runs == 1)
		script_apic_write(p, APIC_ICR, ICR_INIT);
	else if (p->runs == 2 || p->runs == 3)
		script_apic_write(p, APIC_ICR, ICR_STARTUP | 0x9a);
	else if (p->runs == 50)
		script_apic_write(p, APIC_ICR, ICR_NMI);
	return ENGINE_EXIT_KICKED;
}

TEST("INIT, start-up IPI and NMI reach the processor they are for, on its own thread")
{
	FOR_CLOCKS(clock) {
		struct machine_result result = run(start_other, clock, 3);

		CHECK_EQ(result.end, MACHINE_DEBUG_EXIT);
		CHECK_EQ(script_processors[1].inits, 1);
		CHECK(script_processors[1].startups >= 1);
		CHECK_EQ(script_processors[1].startup_vector, 0x9a);
		CHECK_EQ(script_processors[2].startups, 0);
		CHECK_EQ(script_processors[2].inits, 0);
		CHECK_EQ(script_processors[0].inits, 0);
	}
}

/* ---- time ---- */

/* Sets the local APIC's timer to 30 ms and halts; then checks how late it is. */
static enum engine_exit_kind timer_wait(struct script_processor *p, u64 instructions)
{
	u64 started = p->cpu.gpr[GPR_RBX];

	(void)instructions;
	p->cpu.rflags |= RFLAGS_IF;
	p->retired += 10;
	if (p->runs == 1) {
		script_apic_write(p, APIC_SVR, SVR_ENABLE);
		script_apic_write(p, APIC_LVT_TIMER, TIMER_VECTOR);
		script_apic_write(p, APIC_DIVIDE, DIVIDE_BY_1);
		p->cpu.gpr[GPR_RBX] = script_now(p);
		script_apic_write(p, APIC_INITIAL, 30 * MILLISECOND);
		return ENGINE_EXIT_HALTED;
	}
	if (script_take_interrupt(p) != TIMER_VECTOR)
		return ENGINE_EXIT_HALTED;
	script_out(p, DEBUG_EXIT, 4, script_now(p) - started >= 30 * MILLISECOND);
	return ENGINE_EXIT_KICKED;
}

TEST("a halted processor wakes when its timer's interrupt comes, not before")
{
	FOR_CLOCKS(clock) {
		struct machine_result result = run(timer_wait, clock, 1);

		CHECK_EQ(result.end, MACHINE_DEBUG_EXIT);
		CHECK_EQ(result.code, 1);
	}
}

TEST("with the instructions clock idle time takes no time, and is counted exactly")
{
	u64 start = host_time_ns();
	struct machine_result first = run(timer_wait, CLOCK_INSTRUCTIONS, 1);

	CHECK(host_time_ns() - start < 30 * MILLISECOND * 10);
	/* 10 instructions before the timer was set count, the 10 after it fired too. */
	CHECK_EQ(first.elapsed_ns, 30 * MILLISECOND + 20);
	CHECK_EQ(first.retired, 20);
}

static enum engine_exit_kind nap(struct script_processor *p, u64 instructions)
{
	if (p->runs == 3)
		return power_off(p, instructions);
	p->retired += 1;
	return ENGINE_EXIT_NAP;
}

TEST("a nap ends by itself")
{
	FOR_CLOCKS(clock)
		CHECK_EQ(run(nap, clock, 2).end, MACHINE_POWERED_OFF);
}

/* What each processor sees of time, randomness and its share. */
#define NOTES 64u
static u64 notes[2][NOTES];
static u64 (*noting)[NOTES];

static enum engine_exit_kind note(struct script_processor *p, u64 instructions)
{
	unsigned at = (p->runs - 1) * 4 + p->index * 2;

	if (at + 1 >= NOTES)
		return power_off(p, instructions);
	(*noting)[at] = script_now(p) ^ instructions << 32;
	(*noting)[at + 1] = p->environment->random(p->machine);
	p->cpu.activity = CPU_ACTIVE;
	p->retired += instructions;
	if (p->runs == 1 && p->index == 0) {
		script_apic_write(p, APIC_SVR, SVR_ENABLE);
		script_apic_write(p, APIC_ICR_HIGH, 1 << 24);
		script_apic_write(p, APIC_ICR, ICR_STARTUP | 1);
		script_apic_write(p, APIC_DIVIDE, DIVIDE_BY_1);
		script_apic_write(p, APIC_LVT_TIMER, TIMER_VECTOR);
		script_apic_write(p, APIC_INITIAL, 25000);
	}
	return ENGINE_EXIT_KICKED;
}

TEST("with the instructions clock two runs see the same times, turns and random numbers")
{
	struct machine_result results[2];

	for (unsigned i = 0; i < 2; i++) {
		noting = &notes[i];
		results[i] = run(note, CLOCK_INSTRUCTIONS, 2);
		CHECK_EQ(results[i].end, MACHINE_POWERED_OFF);
	}
	CHECK(!memcmp(notes[0], notes[1], sizeof(notes[0])));
	CHECK_EQ(results[0].retired, results[1].retired);
	CHECK_EQ(results[0].elapsed_ns, results[1].elapsed_ns);
	CHECK(notes[0][1] != notes[0][5]);
}

TEST("another seed gives other random numbers")
{
	struct machine_config config = config_for(CLOCK_INSTRUCTIONS, 2);

	config.seed = 8;
	noting = &notes[1];
	run_config(note, config);
	CHECK(notes[0][1] != notes[1][1]);
}

static enum engine_exit_kind count_budget(struct script_processor *p, u64 instructions)
{
	if (p->retired == 25000)
		return power_off(p, 0);
	if (!p->retired) {
		script_apic_write(p, APIC_SVR, SVR_ENABLE);
		script_apic_write(p, APIC_DIVIDE, DIVIDE_BY_1);
		script_apic_write(p, APIC_LVT_TIMER, TIMER_VECTOR);
		script_apic_write(p, APIC_INITIAL, 25000);
	} else {
		/* The turn ends where the timer does. */
		CHECK(p->retired + instructions <= 25000);
	}
	p->retired += instructions;
	return ENGINE_EXIT_KICKED;
}

TEST("with the instructions clock a turn ends at the next timer")
{
	CHECK_EQ(run(count_budget, CLOCK_INSTRUCTIONS, 1).end, MACHINE_POWERED_OFF);
}

/* ---- configurations that cannot be ---- */

static bool refused(struct machine_config config, const char *text)
{
	struct host_error error = { "" };
	struct machine *machine;
	bool ok;

	config.io = host_io_create(&error);
	machine = machine_create(&config, &error);
	ok = !machine && strstr(error.text, text);
	if (!ok)
		printf("  said: '%s'\n", error.text);
	machine_destroy(machine);
	host_io_destroy(config.io);
	return ok;
}

TEST("too little memory, too many processors and a debug-exit port that is taken are refused, one line each")
{
	struct machine_config config = config_for(CLOCK_HOST, 1);

	config.memory_bytes = MACHINE_MIN_MEMORY - 1;
	CHECK(refused(config, "memory"));
	config.memory_bytes = ~0ull;
	CHECK(refused(config, "address"));
	config = config_for(CLOCK_HOST, 0);
	CHECK(refused(config, "processors"));
	config.processors = MACHINE_MAX_PROCESSORS + 1;
	CHECK(refused(config, "processors"));
	config = config_for(CLOCK_HOST, 1);
	config.debug_exit_port = 0x3f8;
	CHECK(refused(config, "0x3f8"));
}

TEST("a model of 32 address bits may have memory up to the PCI hole, and no more")
{
	struct machine_config config = config_for(CLOCK_HOST, 1);

	config.model = model_find("486");
	CHECK_EQ(run_config(power_off, config).end, MACHINE_POWERED_OFF);
	config.memory_bytes = MEMORY_LOW_LIMIT + 4096;
	CHECK(refused(config, "address"));
}

TEST("a kernel that cannot be loaded ends the run before it starts")
{
	static const struct boot_config bad = { .kernel_name = "nothing", .cmdline = "" };
	struct machine_config config = config_for(CLOCK_HOST, 1);
	struct machine_result result;

	config.boot = &bad;
	result = run_config(power_off, config);
	CHECK_EQ(result.end, MACHINE_FAILED);
	CHECK(strstr(result.error.text, "nothing: the kernel image is empty"));
}

/*
 * A machine: memory, processors, devices, and the loop that runs them until something ends it.
 *
 * The caller opens what belongs to the host (streams, disks, networks, the I/O loop) and says which engine runs; the
 * machine borrows all of it until machine_destroy(). Machines share nothing: several fit in one process.
 */
#ifndef MACHINE_MACHINE_H
#define MACHINE_MACHINE_H

#include "boot/boot.h"
#include "engine/engine.h"
#include "host/host.h"
#include "machine/clock.h"

#define MACHINE_MAX_PROCESSORS 288u
#define MACHINE_MIN_MEMORY (4ull << 20)
#define MACHINE_MAX_DISKS 16u
#define MACHINE_MAX_NETS 8u
#define MACHINE_NO_DEBUG_EXIT (-1)

struct machine_disk {
	struct host_disk *host;
	const char *id; /* the serial number the guest sees; NULL: none */
};

struct machine_net {
	struct host_net *host;
	u8 mac[6];
};

struct machine_config {
	u64 memory_bytes;   /* rounded down to whole pages; at least MACHINE_MIN_MEMORY */
	unsigned processors; /* 1 to MACHINE_MAX_PROCESSORS */
	const struct cpu_model *model;
	struct feature_set features;
	const struct engine_ops *engine;
	enum clock_kind clock;
	u64 seed; /* instructions clock: of the guest's random numbers */

	struct host_io *io;         /* where streams and networks wait; required */
	struct host_stream *serial; /* COM1; NULL: nothing attached */
	struct host_stream *console; /* virtio console; NULL: no such device */
	struct machine_disk disks[MACHINE_MAX_DISKS];
	unsigned disk_count;
	struct machine_net nets[MACHINE_MAX_NETS];
	unsigned net_count;
	bool entropy;        /* a virtio entropy device */
	int debug_exit_port; /* isa-debug-exit, or MACHINE_NO_DEBUG_EXIT */
	bool no_reboot;      /* a reset ends the run */
	struct trace *trace; /* who wants to know what happens, or NULL */

	/* What to boot. The bytes stay the caller's, unchanged, until machine_destroy(): a reboot loads them again. */
	const struct boot_config *boot;
};

/* Why machine_run() returned. */
enum machine_end {
	MACHINE_POWERED_OFF,
	MACHINE_RESET,      /* with no_reboot */
	MACHINE_DEBUG_EXIT, /* code: what the guest wrote to the debug-exit port */
	MACHINE_SHUTDOWN,   /* triple fault with no_reboot, or again and again */
	MACHINE_STUCK,      /* every processor halted, and nothing can ever wake one */
	MACHINE_STOPPED,    /* machine_stop(); code: its reason */
	MACHINE_FAILED,     /* the host or the engine failed: see error */
};

struct machine_result {
	enum machine_end end;
	u32 code;
	u64 retired;    /* instructions, all processors, since power-on */
	u64 elapsed_ns; /* on the guest's clock */
	unsigned reboots;
	struct host_error error; /* FAILED and SHUTDOWN: one line */
};

struct machine;

/* NULL on failure, with the reason. Nothing is loaded or run yet. */
struct machine *machine_create(const struct machine_config *config, struct host_error *error);
void machine_destroy(struct machine *machine);

/*
 * Loads the kernel; false with one line that says what is wrong with it. machine_run() does it itself if it was
 * not done; calling it first lets a caller report a bad kernel before touching the terminal.
 */
MUST_USE bool machine_load(struct machine *machine, struct host_error *error);

/* Runs until the end, which may be never. On a thread of the caller's; once per machine. */
void machine_run(struct machine *machine, struct machine_result *result);

/*
 * Ends machine_run() soon, with MACHINE_STOPPED and the reason as code; the first call counts. Any thread, also with
 * the bus lock held (from a stream's write function), but not from a signal handler.
 */
void machine_stop(struct machine *machine, u32 reason);

/* Presses the power button: the guest's ACPI may shut down in good order. Any thread, without the bus lock. */
void machine_press_power_button(struct machine *machine);

/* Instructions retired so far, all processors. Approximate while the machine runs. */
u64 machine_retired(const struct machine *machine);

/* Processor state for a dump, only after machine_run() returned. */
void machine_processor_state(struct machine *machine, unsigned processor, struct cpu *out);

#endif

/*
 * `subring run`: open what the user named, make the machine, run it, say how it ended.
 *
 * Everything that can be wrong with the user's words and files is found before the terminal is touched.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "boot/initrd.h"
#include "cli/command.h"
#include "cli/console_watch.h"
#include "cli/engines.h"
#include "cli/exit_status.h"
#include "cli/help.h"
#include "cli/keys.h"
#include "cli/run_options.h"
#include "cli/trace_output.h"
#include "host/linux/disk.h"
#include "host/linux/file.h"
#include "host/linux/io.h"
#include "host/linux/log.h"
#include "host/linux/net.h"
#include "host/linux/stream.h"
#include "host/linux/terminal.h"
#include "x86/model.h"

/* Reasons given to machine_stop(); a signal's number is added to the last. */
enum stop_reason { STOP_QUIT = 1, STOP_FAIL_ON, STOP_TIMEOUT, STOP_HANGUP, STOP_OUTPUT, STOP_SIGNAL };

struct run {
	struct run_options options;
	struct boot_config boot;
	char cmdline[BOOT_MAX_CMDLINE];
	struct machine_config config;
	struct trace_output trace;
	struct machine *machine;
	struct console_watch watch;
	struct keys keys;
	struct host_io_source signals, timeout;
	sigset_t blocked; /* signals that only the I/O loop takes */
};

#define STOPPED_OUTPUT_LIMIT_MS 500

/* ---- what to boot ---- */

static bool load_blob(const char *what, const char *path, struct boot_blob *blob, struct host_error *error)
{
	u8 *bytes;

	if (!file_read(what, path, &bytes, &blob->size, error))
		return false;
	blob->bytes = bytes;
	return true;
}

static bool is_linux(const struct run *run)
{
	enum boot_format format = boot_identify(run->boot.kernel);

	return format == BOOT_LINUX || format == BOOT_VMLINUX;
}

/* Other kernels take any file as their first module. */
static bool load_initrd(struct run *run, struct host_error *error)
{
	const char *path = run->options.initrd;

	return load_blob("initrd", path, &run->boot.initrd, error) &&
	       (!is_linux(run) || initrd_check(run->boot.initrd, path, error));
}

/* "FILE ARGS": the file's path is the first word, all of it the module's command line. */
static bool load_module(struct run *run, const char *words, struct host_error *error)
{
	struct boot_module *module = &run->boot.modules[run->boot.module_count++];
	char *path = strndup(words, strcspn(words, " "));
	bool ok = path && load_blob("module", path, &module->blob, error);

	module->cmdline = words;
	free(path);
	return ok;
}

/* Does the command line have a console= of its own? netconsole= is something else. */
static bool names_console(const char *cmdline)
{
	for (const char *at = cmdline; (at = strstr(at, "console=")); at++)
		if (at == cmdline || at[-1] == ' ')
			return true;
	return false;
}

static bool compose_cmdline(struct run *run, struct host_error *error)
{
	bool add = is_linux(run) && !names_console(run->options.append);
	int length = snprintf(run->cmdline, sizeof(run->cmdline), "%s%s%s", run->options.append,
			      add && *run->options.append ? " " : "", add ? "console=ttyS0" : "");

	if ((size_t)length >= sizeof(run->cmdline)) {
		host_error_set(error, "--append: the command line is too long: %d bytes, at most %u", length,
			       BOOT_MAX_CMDLINE - 1);
		return false;
	}
	run->boot.cmdline = run->cmdline;
	return true;
}

static bool load_files(struct run *run, struct host_error *error)
{
	const struct run_options *o = &run->options;

	run->boot.kernel_name = o->kernel;
	if (!load_blob("kernel", o->kernel, &run->boot.kernel, error))
		return false;
	if (o->initrd && !load_initrd(run, error))
		return false;
	for (unsigned i = 0; i < o->module_count; i++)
		if (!load_module(run, o->modules[i], error))
			return false;
	return compose_cmdline(run, error);
}

/* ---- ways to end ---- */

/* Bus lock held. */
static void stop(struct run *run, u32 reason)
{
	machine_stop(run->machine, reason);
	stream_abandon(run->config.serial);
	stream_abandon(run->config.console);
}

static void stop_quit(void *context)
{
	stop(context, STOP_QUIT);
}

static void stop_fail_on(void *context)
{
	machine_stop(((struct run *)context)->machine, STOP_FAIL_ON);
}

/* stdin that is no terminal may end while the guest has work to do; a terminal that ends was closed. */
static void stop_ended(void *context, enum stream_end end)
{
	if (end == STREAM_END_OUTPUT)
		stop(context, isatty(STDOUT_FILENO) ? STOP_HANGUP : STOP_OUTPUT);
	else if (isatty(STDIN_FILENO) || errno == EIO)
		stop(context, STOP_HANGUP);
}

static short always_wanted(void *owner)
{
	(void)owner;
	return 1; /* POLLIN */
}

static void signal_ready(void *owner, short events)
{
	struct run *run = owner;
	struct signalfd_siginfo signal;

	(void)events;
	if (read(run->signals.fd, &signal, sizeof(signal)) == sizeof(signal))
		stop(run, STOP_SIGNAL + signal.ssi_signo);
}

static void timeout_ready(void *owner, short events)
{
	(void)events;
	stop(owner, STOP_TIMEOUT);
}

/* What is written to somebody who is gone, or over a file's limit, is a write error like another. */
static void ignore_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* From now on they are for the I/O loop; until now they simply end the program. The host's threads never take them. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
	sigprocmask(SIG_BLOCK, set, NULL);
}

static void watch_signals(struct run *run)
{
	run->signals = (struct host_io_source){ .fd = signalfd(-1, &run->blocked, SFD_CLOEXEC | SFD_NONBLOCK),
						.wanted = always_wanted, .ready = signal_ready, .owner = run, .urgent = true };
	host_io_add(run->config.io, &run->signals);
}

static void watch_timeout(struct run *run)
{
	u64 ns = run->options.timeout_ns;
	struct itimerspec when = { .it_value = { (time_t)(ns / CLOCK_NS_PER_SECOND), (long)(ns % CLOCK_NS_PER_SECOND) } };

	run->timeout.fd = -1;
	if (!ns)
		return;
	run->timeout = (struct host_io_source){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC), .wanted = always_wanted,
						.ready = timeout_ready, .owner = run, .urgent = true };
	timerfd_settime(run->timeout.fd, 0, &when, NULL);
	host_io_add(run->config.io, &run->timeout);
}

/* ---- what the machine is connected to ---- */

static size_t keys_filter_stream(void *context, u8 *bytes, size_t count)
{
	return keys_filter(&((struct run *)context)->keys, bytes, count);
}

static struct host_stream *open_stream(struct run *run, const struct stream_option *option, struct host_error *error)
{
	const struct stream_user user = { .filter = isatty(STDIN_FILENO) ? keys_filter_stream : NULL, .ended = stop_ended,
					  .context = run };

	switch (option->kind) {
	case STREAM_FILE:
		return stream_open_file(run->config.io, option->path, error);
	case STREAM_UNIX:
		return stream_open_unix(run->config.io, option->path, error);
	case STREAM_TTY:
		return stream_open_descriptors(run->config.io, STDIN_FILENO, STDOUT_FILENO, &user, error);
	case STREAM_NULL:
	case STREAM_ABSENT:
		break;
	}
	return stream_open_null(error);
}

static bool open_streams(struct run *run, struct host_error *error)
{
	run->keys = (struct keys){ .quit = stop_quit, .context = run };
	if (!console_watch_init(&run->watch, run->options.expect, run->options.fail_on, error))
		return false;
	run->watch.on_failure = stop_fail_on;
	run->watch.context = run;
	run->config.serial = open_stream(run, &run->options.serial, error);
	if (!run->config.serial)
		return false;
	stream_observe(run->config.serial, console_watch_output, &run->watch);
	if (run->options.console.kind == STREAM_ABSENT)
		return true;
	run->config.console = open_stream(run, &run->options.console, error);
	return run->config.console;
}

static bool open_disks(struct run *run, struct host_error *error)
{
	const struct run_options *o = &run->options;

	for (unsigned i = 0; i < o->disk_count; i++) {
		struct host_disk *disk =
			disk_open(o->disks[i].path, o->disks[i].read_only, o->clock == CLOCK_INSTRUCTIONS, error);

		if (!disk)
			return false;
		run->config.disks[run->config.disk_count++] = (struct machine_disk){ disk, o->disks[i].id };
	}
	return true;
}

static bool open_nets(struct run *run, struct host_error *error)
{
	const struct run_options *o = &run->options;

	for (unsigned i = 0; i < o->net_count; i++) {
		const struct net_option *net = &o->nets[i];
		struct machine_net *out = &run->config.nets[run->config.net_count];

		out->host = net->mode == NET_TAP ? net_open_tap(run->config.io, net->interface, error) :
						   net_open_user(run->config.io, net->forward, net->forwards, error);
		if (!out->host)
			return false;
		memcpy(out->mac, net->mac, sizeof(out->mac));
		run->config.net_count++;
	}
	return true;
}

static bool open_trace(struct run *run, struct host_error *error)
{
	const struct run_options *o = &run->options;

	if (!o->trace.events && !o->stats)
		return true;
	run->config.trace = &run->trace.trace;
	return trace_output_open(&run->trace, &o->trace, o->name ? o->name : "subring", o->processors, o->stats, error);
}

/* false: error. Whatever was opened is closed by run_close(). */
static bool run_open(struct run *run, struct host_error *error)
{
	const struct run_options *o = &run->options;
	struct host_error reason;

	run->config = (struct machine_config){
		.memory_bytes = o->memory_bytes, .processors = o->processors, .model = o->model, .features = o->features,
		.clock = o->clock, .debug_exit_port = o->debug_exit_port, .no_reboot = o->no_reboot, .entropy = true,
		.boot = &run->boot, .seed = 1,
	};
	if (!load_files(run, error))
		return false;
	run->config.engine = engines_choose(o->engines, &reason, error);
	if (!run->config.engine)
		return false;
	run->config.io = host_io_create(error);
	if (!run->config.io || !open_disks(run, error) || !open_nets(run, error) || !open_streams(run, error) ||
	    !open_trace(run, error))
		return false;
	run->machine = machine_create(&run->config, error);
	if (!run->machine || !machine_load(run->machine, error))
		return false;
	log_info("%s, %s, %u processor%s, %lluM", reason.text, o->model->name, o->processors, o->processors == 1 ? "" : "s",
		 (unsigned long long)(o->memory_bytes >> 20));
	if (*o->feature_notes)
		log_info("%s", o->feature_notes);
	return true;
}

static void run_close(struct run *run)
{
	if (run->machine)
		machine_destroy(run->machine);
	for (unsigned i = 0; i < run->config.net_count; i++)
		net_close(run->config.nets[i].host);
	for (unsigned i = 0; i < run->config.disk_count; i++)
		disk_close(run->config.disks[i].host);
	stream_close(run->config.serial);
	stream_close(run->config.console);
	if (run->config.io)
		host_io_destroy(run->config.io);
	for (unsigned i = 0; i < run->boot.module_count; i++)
		free((void *)(uintptr_t)run->boot.modules[i].blob.bytes);
	free((void *)(uintptr_t)run->boot.initrd.bytes);
	free((void *)(uintptr_t)run->boot.kernel.bytes);
}

/* ---- how it ended ---- */

static int stopped_status(u32 reason, const struct run_options *o)
{
	switch (reason) {
	case STOP_QUIT:
		return EXIT_OK;
	case STOP_FAIL_ON:
		log_error("a line of the guest's output matched --fail-on '%s'", o->fail_on);
		return EXIT_GUEST;
	case STOP_HANGUP:
		log_error("the terminal was closed");
		return EXIT_SIGNAL + SIGHUP;
	case STOP_OUTPUT:
		log_error("nobody reads the guest's output any more");
		return EXIT_SIGNAL + SIGPIPE;
	case STOP_TIMEOUT:
		log_error("the guest did not end within --timeout; raise it, or see what it waits for on its console");
		return EXIT_TIMEOUT;
	default:
		log_error("ended by signal %u (%s)", reason - STOP_SIGNAL, strsignal((int)(reason - STOP_SIGNAL)));
		return (int)(EXIT_SIGNAL + reason - STOP_SIGNAL);
	}
}

static int end_status(const struct run *run, const struct machine_result *result)
{
	switch (result->end) {
	case MACHINE_POWERED_OFF:
	case MACHINE_RESET:
		return EXIT_OK;
	case MACHINE_DEBUG_EXIT:
		return (int)(result->code << 1 | 1) & 0xff;
	case MACHINE_STOPPED:
		return stopped_status(result->code, &run->options);
	case MACHINE_SHUTDOWN:
	case MACHINE_STUCK:
		log_error("%s", result->error.text);
		return EXIT_GUEST;
	case MACHINE_FAILED:
		log_error("%s", result->error.text);
		return EXIT_HOST;
	}
	return EXIT_HOST;
}

static void print_stats(const struct run *run, const struct machine_result *result, u64 host_ns)
{
	double seconds = (double)host_ns / 1e9;

	log_info("%llu instructions in %.3f s: %.1f million a second; %.3f s on the guest's clock; %u reboots",
		 (unsigned long long)result->retired, seconds, (double)result->retired / seconds / 1e6,
		 (double)result->elapsed_ns / 1e9, result->reboots);
	trace_output_counts(&run->trace);
}

/* What the guest said last, however slow its reader is; but who wanted to end the run does not wait for that. */
static void finish_streams(struct run *run, bool stopped)
{
	int limit_ms = stopped ? STOPPED_OUTPUT_LIMIT_MS : -1;

	sigprocmask(SIG_UNBLOCK, &run->blocked, NULL);
	stream_finish(run->config.serial, limit_ms);
	stream_finish(run->config.console, limit_ms);
}

static int run_machine(struct run *run)
{
	struct machine_result result;
	u64 start = host_time_ns();
	int status;

	watch_timeout(run);
	stream_start(run->config.serial);
	stream_start(run->config.console);
	if (run->options.serial.kind == STREAM_TTY)
		terminal_raw(STDIN_FILENO);
	machine_run(run->machine, &result);
	finish_streams(run, result.end == MACHINE_STOPPED);
	terminal_restore();
	trace_output_close(&run->trace);
	status = end_status(run, &result);
	console_watch_finish(&run->watch);
	if (!status && run->options.expect && !run->watch.expected) {
		log_error("no line of the guest's output matched --expect '%s'", run->options.expect);
		status = EXIT_GUEST;
	}
	if (run->options.stats)
		print_stats(run, &result, host_time_ns() - start);
	return status;
}

int command_run(int argc, char **argv)
{
	static struct run run;
	struct host_error error;
	int status = EXIT_HOST;

	switch (run_options_parse(argc, argv, &run.options, &error)) {
	case RUN_PARSE_HELP:
		help_command(stdout, "run");
		return EXIT_OK;
	case RUN_PARSE_TRACE_HELP:
		trace_option_help(stdout);
		return EXIT_OK;
	case RUN_PARSE_ERROR:
		log_error("%s", error.text);
		return EXIT_USAGE;
	case RUN_PARSE_OK:
		break;
	}
	log_set_name(run.options.name);
	ignore_signals();
	if (run_open(&run, &error)) {
		block_signals(&run.blocked);
		watch_signals(&run);
		status = run_machine(&run);
	} else {
		log_error("%s", error.text);
	}
	run_close(&run);
	return status;
}

/* Parsing the options of `subring run`. See run_options.h; the options themselves are in run_options.def. */
#include <string.h>

#include "base/nearest.h"
#include "cli/device_options.h"
#include "cli/engines.h"
#include "cli/run_options.h"
#include "cli/values.h"
#include "host/linux/resources.h"
#include "x86/model.h"

#define DEFAULT_MEMORY (512ull << 20)

enum run_option_id {
#define RUN_GROUP(title)
#define RUN_OPTION(id, name, argument, repeatable, completion, help) OPTION_##id,
#include "cli/run_options.def"
	OPTION_COUNT
#undef RUN_OPTION
};

static const struct option_row {
	const char *name, *argument;
	bool repeatable;
} rows[] = {
#define RUN_OPTION(id, name, argument, repeatable, completion, help) { name, argument, repeatable },
#include "cli/run_options.def"
#undef RUN_OPTION
#undef RUN_GROUP
};

/* ---- values ---- */

static bool set_memory(struct run_options *o, const char *text, struct host_error *error)
{
	u64 host = host_memory_total();

	if (!parse_size(text, &o->memory_bytes)) {
		host_error_set(error, "--memory %s: expected a size such as 512M or 1.5G", text);
		return false;
	}
	if (o->memory_bytes < MACHINE_MIN_MEMORY) {
		host_error_set(error, "--memory %s: at least %lluM is needed", text, MACHINE_MIN_MEMORY >> 20);
		return false;
	}
	if (o->memory_bytes > host) {
		host_error_set(error, "--memory %s: this host has only %lluM to give; ask for less", text,
			       (unsigned long long)(host >> 20));
		return false;
	}
	return true;
}

static bool set_timeout(struct run_options *o, const char *text, struct host_error *error)
{
	if (parse_duration(text, &o->timeout_ns))
		return true;
	host_error_set(error, "--timeout %s: expected a time of more than 0, such as 30, 1.5, 10m or 1h", text);
	return false;
}

static bool set_clock(struct run_options *o, const char *text, struct host_error *error)
{
	if (!strcmp(text, "host"))
		o->clock = CLOCK_HOST;
	else if (!strcmp(text, "instructions"))
		o->clock = CLOCK_INSTRUCTIONS;
	else
		return host_error_set(error, "--clock %s: expected host or instructions", text), false;
	return true;
}

/* ---- options ---- */

static bool apply(struct run_options *o, enum run_option_id id, char *value, struct host_error *error)
{
	char reason[HOST_ERROR_BYTES];
	u64 number;

	switch (id) {
	case OPTION_KERNEL: o->kernel = value; return true;
	case OPTION_INITRD: o->initrd = value; return true;
	case OPTION_APPEND: o->append = value; return true;
	case OPTION_NAME: o->name = value; return true;
	case OPTION_ENGINE: o->engines = value; return engines_check(value, error);
	case OPTION_EXPECT: o->expect = value; return true;
	case OPTION_FAIL_ON: o->fail_on = value; return true;
	case OPTION_NO_REBOOT: o->no_reboot = true; return true;
	case OPTION_STATS: o->stats = true; return true;
	case OPTION_MEMORY: return set_memory(o, value, error);
	case OPTION_TIMEOUT: return set_timeout(o, value, error);
	case OPTION_CLOCK: return set_clock(o, value, error);
	case OPTION_TRACE: return trace_option_parse(value, &o->trace, error);
	case OPTION_DISK: return device_add_disk(o, value, error);
	case OPTION_NET: return device_add_net(o, value, error);
	case OPTION_SERIAL: return device_set_stream("--serial", value, true, &o->serial, error);
	case OPTION_CONSOLE: return device_set_stream("--console", value, false, &o->console, error);
	case OPTION_MODULE:
		if (o->module_count == RUN_MAX_MODULES)
			return host_error_set(error, "--module: at most %u modules", RUN_MAX_MODULES), false;
		o->modules[o->module_count++] = value;
		return true;
	case OPTION_CPUS:
		if (!parse_number("--cpus", value, 1, MACHINE_MAX_PROCESSORS, &number, error))
			return false;
		o->processors = (unsigned)number;
		return true;
	case OPTION_DEBUG_EXIT:
		if (!parse_number("--debug-exit", value, 0, 0xffff, &number, error))
			return false;
		o->debug_exit_port = (int)number;
		return true;
	case OPTION_CPU:
		if (model_parse(value, &o->model, &o->features, reason, sizeof(reason), o->feature_notes,
				sizeof(o->feature_notes)))
			return true;
		return host_error_set(error, "--cpu %s: %s", value, reason), false;
	case OPTION_COUNT:
		break;
	}
	return false;
}

/* The option that word names, with "=value" cut off into *value. OPTION_COUNT: none. */
static enum run_option_id option_find(char *word, char **value)
{
	size_t length = strcspn(word, "=");

	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (strlen(rows[i].name) != length || strncmp(rows[i].name, word, length))
			continue;
		*value = word[length] ? word + length + 1 : NULL;
		return (enum run_option_id)i;
	}
	return OPTION_COUNT;
}

/* "--trace help", in either way of writing a value. */
static bool asks_for_events(int argc, char **argv, int at)
{
	return !strcmp(argv[at], "--trace=help") ||
	       (!strcmp(argv[at], "--trace") && at + 1 < argc && !strcmp(argv[at + 1], "help"));
}

static void defaults(struct run_options *o)
{
	struct host_error unused;

	*o = (struct run_options){
		.append = "", .engines = "auto", .memory_bytes = DEFAULT_MEMORY, .processors = 1,
		.debug_exit_port = MACHINE_NO_DEBUG_EXIT,
		.serial = { STREAM_TTY, NULL }, .console = { STREAM_ABSENT, NULL },
	};
	(void)apply(o, OPTION_CPU, (char[]){ MODEL_DEFAULT }, &unused);
}

static const char *option_name(size_t index)
{
	return index < OPTION_COUNT ? rows[index].name : NULL;
}

static bool unknown_option(const char *word, struct host_error *error)
{
	size_t length = strcspn(word, "=");

	host_error_set(error, "unknown option '%.*s'; the nearest is '%s', and `subring run --help` lists them",
		       (int)length, word, nearest_name(word, length, option_name));
	return false;
}

static bool take_option(struct run_options *o, int argc, char **argv, int *at, bool *seen, struct host_error *error)
{
	char *word = argv[*at], *value = NULL;
	enum run_option_id id = option_find(word, &value);

	if (id == OPTION_COUNT)
		return unknown_option(word, error);
	if (!rows[id].argument && value)
		return host_error_set(error, "%s takes no value", rows[id].name), false;
	if (rows[id].argument && !value) {
		if (*at + 1 >= argc)
			return host_error_set(error, "%s needs a value: %s", rows[id].name, rows[id].argument), false;
		value = argv[++*at];
	}
	if (seen[id] && !rows[id].repeatable)
		return host_error_set(error, "%s was given twice", rows[id].name), false;
	seen[id] = true;
	return apply(o, id, value, error);
}

enum run_parse run_options_parse(int argc, char **argv, struct run_options *options, struct host_error *error)
{
	bool seen[OPTION_COUNT] = { false };

	defaults(options);
	for (int at = 0; at < argc; at++) {
		if (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h"))
			return RUN_PARSE_HELP;
		if (asks_for_events(argc, argv, at))
			return RUN_PARSE_TRACE_HELP;
		if (argv[at][0] == '-') {
			if (!take_option(options, argc, argv, &at, seen, error))
				return RUN_PARSE_ERROR;
		} else if (options->kernel) {
			host_error_set(error, "two kernels: '%s' and '%s'", options->kernel, argv[at]);
			return RUN_PARSE_ERROR;
		} else {
			options->kernel = argv[at];
			seen[OPTION_KERNEL] = true;
		}
	}
	if (!options->kernel) {
		host_error_set(error, "no kernel; try `subring run --kernel FILE`, or `make run` for a ready guest");
		return RUN_PARSE_ERROR;
	}
	return RUN_PARSE_OK;
}

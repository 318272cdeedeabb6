/* Parsing the options of `subring run`. See run_options.h; the options themselves are in run_options.def. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/run_options.h"
#include "cli/suboptions.h"
#include "x86/model.h"

#define DEFAULT_MEMORY (512ull << 20)

enum run_option_id {
#define RUN_GROUP(title)
#define RUN_OPTION(id, name, argument, repeatable, help) OPTION_##id,
#include "cli/run_options.def"
	OPTION_COUNT
#undef RUN_OPTION
};

static const struct option_row {
	const char *name, *argument;
	bool repeatable;
} rows[] = {
#define RUN_OPTION(id, name, argument, repeatable, help) { name, argument, repeatable },
#include "cli/run_options.def"
#undef RUN_OPTION
#undef RUN_GROUP
};

/* ---- values ---- */

bool parse_size(const char *text, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	unsigned shift = 0;
	const char *suffix;
	char *end;

	errno = 0;
	if (!isdigit((unsigned char)*text))
		return false;
	*bytes = strtoull(text, &end, 0);
	if (errno)
		return false;
	if (*end && (suffix = strchr(suffixes, toupper((unsigned char)*end)))) {
		shift = 10 * (unsigned)(suffix - suffixes + 1);
		end++;
		end += *end == 'i' ? 1 : 0;
	}
	end += *end == 'B' || *end == 'b' ? 1 : 0;
	if (*end || *bytes > ~0ull >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static bool parse_number(const char *option, const char *text, u64 low, u64 high, u64 *out, struct host_error *error)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (!errno && isdigit((unsigned char)*text) && !*end && *out >= low && *out <= high)
		return true;
	host_error_set(error, "%s %s: expected a number from %llu to %llu", option, text, (unsigned long long)low,
		       (unsigned long long)high);
	return false;
}

static bool set_memory(struct run_options *o, const char *text, struct host_error *error)
{
	u64 host = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE);

	if (!parse_size(text, &o->memory_bytes)) {
		host_error_set(error, "--memory %s: expected a size such as 512M or 2G", text);
		return false;
	}
	if (o->memory_bytes < MACHINE_MIN_MEMORY) {
		host_error_set(error, "--memory %s: at least %lluM is needed", text, MACHINE_MIN_MEMORY >> 20);
		return false;
	}
	if (o->memory_bytes > host) {
		host_error_set(error, "--memory %s: this host has only %lluM", text, (unsigned long long)(host >> 20));
		return false;
	}
	return true;
}

static bool set_timeout(struct run_options *o, const char *text, struct host_error *error)
{
	char *end;
	double seconds = strtod(text, &end);

	if (!*end || !strcmp(end, "s")) {
		o->timeout_ns = (u64)(seconds * 1e9);
		if (end != text && seconds > 0 && seconds < 1e9)
			return true;
	}
	host_error_set(error, "--timeout %s: expected seconds, more than 0", text);
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

static bool set_stream(const char *option, char *text, bool tty_allowed, struct stream_option *out, struct host_error *error)
{
	static const struct { const char *key; enum stream_kind kind; bool path; } kinds[] = {
		{ "tty", STREAM_TTY, false }, { "stdio", STREAM_TTY, false }, { "file", STREAM_FILE, true },
		{ "unix", STREAM_UNIX, true }, { "null", STREAM_NULL, false }, { "none", STREAM_NULL, false },
	};
	char *rest = text, *key, *value;

	if (suboption_next(&rest, &key, &value) && !*rest) {
		for (size_t i = 0; i < ARRAY_LENGTH(kinds); i++) {
			if (strcmp(kinds[i].key, key) || kinds[i].path != (*value != 0) ||
			    (kinds[i].kind == STREAM_TTY && !tty_allowed))
				continue;
			*out = (struct stream_option){ kinds[i].kind, kinds[i].path ? value : NULL };
			return true;
		}
	}
	host_error_set(error, "%s %s: expected %sfile=FILE, unix=PATH or null", option, text, tty_allowed ? "tty, " : "");
	return false;
}

static bool add_disk(struct run_options *o, char *text, struct host_error *error)
{
	struct disk_option *disk = &o->disks[o->disk_count];
	char *rest = text, *key, *value;

	if (o->disk_count == MACHINE_MAX_DISKS)
		return host_error_set(error, "--disk: at most %u disks", MACHINE_MAX_DISKS), false;
	*disk = (struct disk_option){ 0 };
	while (suboption_next(&rest, &key, &value)) {
		if (!strcmp(key, "path") && *value)
			disk->path = value;
		else if (!strcmp(key, "id") && *value)
			disk->id = value;
		else if (strcmp(key, "ro"))
			return host_error_set(error, "--disk: '%s' is not known; expected path=FILE, ro=on, id=NAME", key), false;
		else if (!suboption_switch("--disk ro", value, &disk->read_only, error))
			return false;
	}
	if (!disk->path)
		return host_error_set(error, "--disk: path=FILE is missing"), false;
	o->disk_count++;
	return true;
}

static bool parse_mac(const char *text, u8 *mac)
{
	unsigned byte[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4], &byte[5], &end) != 6 ||
	    text[end] || byte[0] & 1)
		return false;
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (u8)byte[i];
	return true;
}

/* Locally administered, the same for the same position in each run, so that a guest recognises its card. */
static void default_mac(u8 *mac, unsigned index)
{
	const u8 prefix[] = { 0x52, 0x54, 0x00, 0x53, 0x52 };

	memcpy(mac, prefix, sizeof(prefix));
	mac[5] = (u8)(index + 1);
}

static bool set_net_mode(const char *value, struct net_option *net, bool *none, struct host_error *error)
{
	*none = !strcmp(value, "none");
	if (!strcmp(value, "user"))
		net->mode = NET_USER;
	else if (!strcmp(value, "tap"))
		net->mode = NET_TAP;
	else if (!*none)
		return host_error_set(error, "--net mode=%s: expected user, tap or none", value), false;
	return true;
}

static bool add_net(struct run_options *o, char *text, struct host_error *error)
{
	struct net_option *net = &o->nets[o->net_count];
	char *rest = text, *key, *value;
	bool none = false;

	if (o->net_count == MACHINE_MAX_NETS)
		return host_error_set(error, "--net: at most %u network cards", MACHINE_MAX_NETS), false;
	*net = (struct net_option){ .mode = NET_USER };
	default_mac(net->mac, o->net_count);
	while (suboption_next(&rest, &key, &value)) {
		if (!strcmp(key, "mode")) {
			if (!set_net_mode(value, net, &none, error))
				return false;
		} else if (!strcmp(key, "ifname") && *value) {
			net->interface = value;
		} else if (!strcmp(key, "mac")) {
			if (!parse_mac(value, net->mac))
				return host_error_set(error, "--net mac=%s: expected six bytes as in 52:54:00:12:34:56", value), false;
		} else if (!strcmp(key, "forward") && *value && net->forwards < ARRAY_LENGTH(net->forward)) {
			net->forward[net->forwards++] = value;
		} else {
			return host_error_set(error, "--net: '%s' is not known; expected mode=, ifname=, mac=, forward=", key), false;
		}
	}
	if (net->mode == NET_TAP && !net->interface)
		return host_error_set(error, "--net mode=tap: ifname=TAP is missing"), false;
	o->net_count += !none;
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
	case OPTION_ENGINE: o->engines = value; return true;
	case OPTION_EXPECT: o->expect = value; return true;
	case OPTION_FAIL_ON: o->fail_on = value; return true;
	case OPTION_TRACE: o->trace = value; return true;
	case OPTION_NO_REBOOT: o->no_reboot = true; return true;
	case OPTION_STATS: o->stats = true; return true;
	case OPTION_MEMORY: return set_memory(o, value, error);
	case OPTION_TIMEOUT: return set_timeout(o, value, error);
	case OPTION_CLOCK: return set_clock(o, value, error);
	case OPTION_DISK: return add_disk(o, value, error);
	case OPTION_NET: return add_net(o, value, error);
	case OPTION_SERIAL: return set_stream("--serial", value, true, &o->serial, error);
	case OPTION_CONSOLE: return set_stream("--console", value, false, &o->console, error);
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
		if (model_parse(value, &o->model, &o->features, reason, sizeof(reason), o->feature_notes, sizeof(o->feature_notes)))
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

static bool take_option(struct run_options *o, int argc, char **argv, int *at, bool *seen, struct host_error *error)
{
	char *word = argv[*at], *value = NULL;
	enum run_option_id id = option_find(word, &value);

	if (id == OPTION_COUNT)
		return host_error_set(error, "unknown option '%s'; `subring run --help` lists them", word), false;
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

/* The options of `subring run`, parsed: what the user asked for, before anything is opened. */
#ifndef CLI_RUN_OPTIONS_H
#define CLI_RUN_OPTIONS_H

#include "cli/trace_output.h"
#include "host/host.h"
#include "host/linux/net.h"
#include "machine/machine.h"

#define RUN_MAX_MODULES 16u

enum stream_kind { STREAM_TTY, STREAM_FILE, STREAM_UNIX, STREAM_NULL, STREAM_ABSENT };

struct stream_option {
	enum stream_kind kind;
	const char *path;
};

struct disk_option {
	const char *path, *id;
	bool read_only;
};

enum net_mode { NET_USER, NET_TAP };

struct net_option {
	enum net_mode mode;
	const char *interface; /* tap */
	u8 mac[6];
	struct net_forward forward[NET_MAX_FORWARDS]; /* user */
	unsigned forwards;
};

struct run_options {
	const char *kernel, *initrd, *append, *name;
	const char *modules[RUN_MAX_MODULES];
	unsigned module_count;
	u64 memory_bytes;
	unsigned processors;
	const struct cpu_model *model;
	struct feature_set features;
	char feature_notes[HOST_ERROR_BYTES]; /* features left out for the host's sake, or "" */
	const char *engines;                  /* "auto" or a list */
	enum clock_kind clock;
	struct disk_option disks[MACHINE_MAX_DISKS];
	unsigned disk_count;
	struct net_option nets[MACHINE_MAX_NETS];
	unsigned net_count;
	struct stream_option serial, console;
	int debug_exit_port;
	u64 timeout_ns; /* 0: none */
	const char *expect, *fail_on;
	struct trace_option trace;
	bool no_reboot, stats;
};

enum run_parse { RUN_PARSE_OK, RUN_PARSE_HELP, RUN_PARSE_TRACE_HELP, RUN_PARSE_ERROR };

/*
 * argv: the words after `run`. ERROR: one line in error names the word and says what is expected. Strings are borrowed from argv.
 */
enum run_parse run_options_parse(int argc, char **argv, struct run_options *options, struct host_error *error);

#endif

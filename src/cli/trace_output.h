/*
 * --trace and the event counts of --stats: what becomes of a machine's trace records.
 *
 * Every event asked for is counted; those that --trace names are also written, one line each, as they come from the
 * processors' threads.
 */
#ifndef CLI_TRACE_OUTPUT_H
#define CLI_TRACE_OUTPUT_H

#include <stdatomic.h>
#include <stdio.h>

#include "base/trace.h"
#include "host/host.h"

struct trace_output {
	struct trace trace; /* for machine_config.trace */
	u32 written;        /* events that go to the file, BIT(event) each */
	enum trace_format format;
	FILE *file;
	_Atomic u64 count[TRACE_EVENTS];
	_Atomic bool failed; /* the file takes no more */
};

/* What --trace asks for. */
struct trace_option {
	u32 events;
	enum trace_format format;
	const char *file; /* NULL: stderr */
};

/* "EVENT,EVENT,file=F,format=json", cut up in place; "all" is every event. false: error names the word. */
MUST_USE bool trace_option_parse(char *text, struct trace_option *option, struct host_error *error);
/* The events, one a line. */
void trace_option_help(FILE *out);

/* name: the machine's, in a Chrome trace. count_all: for --stats. false: error. */
MUST_USE bool trace_output_open(struct trace_output *output, const struct trace_option *option, const char *name,
				unsigned processors, bool count_all, struct host_error *error);
/* After the machine's last event. */
void trace_output_close(struct trace_output *output);
/* The counts as lines of the log. */
void trace_output_counts(const struct trace_output *output);

#endif

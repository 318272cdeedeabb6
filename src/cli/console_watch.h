/* --expect and --fail-on: regular expressions over the lines of the serial output. */
#ifndef CLI_CONSOLE_WATCH_H
#define CLI_CONSOLE_WATCH_H

#include <regex.h>

#include "base/types.h"
#include "host/host.h"

#define CONSOLE_LINE_BYTES 4096

struct console_watch {
	bool has_expect, has_fail;
	regex_t expect, fail;
	bool expected, failed; /* what was seen so far */
	void (*on_failure)(void *context);
	void *context;
	char line[CONSOLE_LINE_BYTES]; /* longer lines are looked at in pieces */
	size_t length;
};

/* Either expression may be NULL. false: error says what is wrong with it. */
bool console_watch_init(struct console_watch *watch, const char *expect, const char *fail_on, struct host_error *error);
/* For stream_observe: context is the watch. */
void console_watch_output(void *watch, const u8 *bytes, size_t count);
/* Looks at the last, unfinished line too. */
void console_watch_finish(struct console_watch *watch);

#endif

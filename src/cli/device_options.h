/* The options that describe devices, in key=value words. */
#ifndef CLI_DEVICE_OPTIONS_H
#define CLI_DEVICE_OPTIONS_H

#include "cli/run_options.h"

/*
 * text is cut up in place and kept. false: one line in error names the word and says what is expected.
 */
MUST_USE bool device_add_disk(struct run_options *o, char *text, struct host_error *error);
MUST_USE bool device_add_net(struct run_options *o, char *text, struct host_error *error);
/* option: its name, for errors. */
MUST_USE bool device_set_stream(const char *option, char *text, bool tty_allowed, struct stream_option *out,
				struct host_error *error);

#endif

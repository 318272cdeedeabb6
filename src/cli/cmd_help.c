/* `subring help`: a command explained; `help man` and `help bash` print what `make install` installs. */
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/help.h"

int command_help(int argc, char **argv)
{
	static const struct { const char *topic; void (*print)(FILE *out); } topics[] = {
		{ "run", help_run }, { "man", help_man }, { "bash", help_bash },
	};

	if (!argc) {
		help_program(stdout);
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(topics); i++) {
		if (!strcmp(argv[0], topics[i].topic)) {
			topics[i].print(stdout);
			return EXIT_OK;
		}
	}
	log_error("no help on '%s'; try `subring help`", argv[0]);
	return EXIT_USAGE;
}

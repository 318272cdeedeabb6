/* `subring help`: a command explained; `help man` and `help bash` print what `make install` installs. */
#include <string.h>

#include "base/log.h"
#include "base/nearest.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/help.h"

static const struct { const char *topic; void (*print)(FILE *out); } topics[] = {
	{ "man", help_man }, { "bash", help_bash }, { "--help", help_program }, { "-h", help_program },
};

int command_help(int argc, char **argv)
{
	if (!argc) {
		help_program(stdout);
		return EXIT_OK;
	}
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		if (!strcmp(argv[0], topics[i].topic)) {
			topics[i].print(stdout);
			return EXIT_OK;
		}
	}
	if (help_command(stdout, argv[0]))
		return EXIT_OK;
	log_error("no help on '%s'; the nearest is '%s', and `subring help` lists the commands", argv[0],
		  nearest_name(argv[0], strlen(argv[0]), help_command_name));
	return EXIT_USAGE;
}

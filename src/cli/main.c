/* The program: which command runs. */
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/help.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(id, name, summary) { name, command_##id },
#include "cli/command.def"
#undef COMMAND
};

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < ARRAY_LENGTH(commands); i++)
		if (!strcmp(commands[i].name, word))
			return commands[i].run(argc - 2, argv + 2);
	if (!strcmp(word, "--version")) {
		puts("subring " SUBRING_VERSION);
		return EXIT_OK;
	}
	if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
		help_program(stdout);
		return EXIT_OK;
	}
	if (*word)
		log_error("'%s' is not a command; `subring --help` lists them", word);
	else
		help_program(stderr);
	return EXIT_USAGE;
}

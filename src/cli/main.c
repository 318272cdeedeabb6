/* The program: which command runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/log.h"
#include "base/nearest.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/help.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
#define COMMAND(id, name, arguments, summary, text) { name, command_##id },
#define COMMAND_OPTION(id, name, argument, completion, help)
#include "cli/command.def"
#undef COMMAND
#undef COMMAND_OPTION
};

static int dispatch(int argc, char **argv)
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
	if (*word && !access(word, F_OK))
		log_error("'%s' is not a command; to run it as a kernel: `subring run %s`", word, word);
	else if (*word)
		log_error("'%s' is not a command; the nearest is '%s', and `subring --help` lists them", word,
			  nearest_name(word, strlen(word), help_command_name));
	else
		help_program(stderr);
	return EXIT_USAGE;
}

/* Files that are opened later must not become stdin, stdout or stderr because the caller closed those. */
static void fill_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	int status;

	fill_standard_descriptors();
	status = dispatch(argc, argv);
	/* What was printed counts only once it is written. */
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	log_error("cannot write to stdout: %s", strerror(errno));
	return status ? status : EXIT_HOST;
}

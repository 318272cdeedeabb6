/* Help texts, the manual page and the shell completion, all from the .def tables of this room. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct help_command {
	const char *name, *arguments, *summary, *text;
};

/* An option or word of a command; name NULL: a group's title, in help. */
struct help_option {
	const char *command, *name, *argument, *completion, *help;
};

struct help_item {
	const char *name, *text;
};

/* The tables, NULL after the last (help_options: a command of NULL). */
extern const struct help_command help_commands[];
extern const struct help_option help_options[];
extern const struct help_item help_exit_statuses[], help_keys[], help_doctor_items[];

/* For nearest_name(). */
const char *help_command_name(size_t index);

void help_program(FILE *out);
/* name: of a command. false: there is none. */
bool help_command(FILE *out, const char *name);
void help_man(FILE *out);
void help_bash(FILE *out);

#endif

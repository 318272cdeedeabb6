/* Help texts, the manual page and the shell completion, all from command.def and run_options.def. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

void help_program(FILE *out);
void help_run(FILE *out);
void help_man(FILE *out);
void help_bash(FILE *out);

#endif

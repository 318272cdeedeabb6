/* The commands of the program: one file each. argv holds the words after the command's name. They return an exit status. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#define COMMAND(id, name, arguments, summary, text) int command_##id(int argc, char **argv);
#define COMMAND_OPTION(id, name, argument, completion, help)
#include "cli/command.def"
#undef COMMAND
#undef COMMAND_OPTION

#endif

/* The exit statuses of the program, one list for code, manual and tests. Other commands use the first four of them. */
#ifndef CLI_EXIT_STATUS_H
#define CLI_EXIT_STATUS_H

enum exit_status {
#define EXIT_STATUS(id, number, shown, meaning) id = number,
#include "cli/exit_status.def"
#undef EXIT_STATUS
};

#endif

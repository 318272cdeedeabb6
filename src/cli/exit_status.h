/* The exit statuses of the program, one list for code, manual and tests. */
#ifndef CLI_EXIT_STATUS_H
#define CLI_EXIT_STATUS_H

enum exit_status {
	EXIT_OK = 0,
	EXIT_GUEST = 1,    /* the guest failed: --fail-on matched, --expect did not, a triple fault */
	EXIT_USAGE = 2,    /* the command line is wrong */
	EXIT_HOST = 3,     /* the host or a file does not allow it */
	EXIT_TIMEOUT = 124, /* as timeout(1) */
	EXIT_SIGNAL = 128, /* plus the signal's number */
};

#endif

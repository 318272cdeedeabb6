/* The user's terminal in raw mode, and back, however the program ends. */
#ifndef HOST_LINUX_TERMINAL_H
#define HOST_LINUX_TERMINAL_H

#include "base/types.h"

/*
 * Puts the terminal on fd into raw mode; nothing if fd is no terminal. It is restored by terminal_restore(), and by a small guard
 * process if this one ends without, even by SIGKILL. Call before any thread exists.
 */
void terminal_raw(int fd);
void terminal_restore(void);

#endif

/* Other programs on this host. */
#ifndef HOST_LINUX_PROGRAM_H
#define HOST_LINUX_PROGRAM_H

#include "base/compiler.h"
#include "base/types.h"

/* Where PATH finds the program; false: it is not installed. */
MUST_USE bool program_find(const char *name, char *path, size_t size);

#endif

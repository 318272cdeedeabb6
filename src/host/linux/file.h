/* Whole files into memory. */
#ifndef HOST_LINUX_FILE_H
#define HOST_LINUX_FILE_H

#include "host/host.h"

/* what: "kernel", "initrd", for the message. *bytes is malloc'ed. false also for an empty file or something that is no file. */
MUST_USE bool file_read(const char *what, const char *path, u8 **bytes, u64 *size, struct host_error *error);

#endif

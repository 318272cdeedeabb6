/* Disk images of the Linux host: raw files and block devices. */
#ifndef HOST_LINUX_DISK_H
#define HOST_LINUX_DISK_H

#include "host/host.h"

/*
 * Opens and locks an image: two may read it, or one may write it. deferred: requests are done by host_disk_poll() on the caller's
 * thread, for machines that must repeat exactly; otherwise by threads of the disk's own.
 */
struct host_disk *disk_open(const char *path, bool read_only, bool deferred, struct host_error *error);
/* Waits for what is in flight; after the machine that uses it is destroyed. */
void disk_close(struct host_disk *disk);

#endif

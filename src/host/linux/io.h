/* The I/O loop's inside, for the Linux streams and networks that wait on it. */
#ifndef HOST_LINUX_IO_H
#define HOST_LINUX_IO_H

#include <poll.h>

#include "host/host.h"

/* One file descriptor being waited for. The owner holds it and keeps it in place while it is in the loop. */
struct host_io_source {
	int fd;
	/* poll() events wanted now: asked anew before each wait, bus lock held; 0: the source rests */
	short (*wanted)(void *owner);
	/* Some of them came, or POLLHUP or POLLERR did. Bus lock held; may add and remove sources. */
	void (*ready)(void *owner, short events);
	void *owner;
	bool urgent; /* signals, keys, time limits: heard also while a stream's output is stuck */
	struct host_io_source *next;
};

/* Before the machine runs, or with the bus lock held. The loop notices at once. */
void host_io_add(struct host_io *io, struct host_io_source *source);
/* The same; once it returns, ready() will not be called any more. */
void host_io_remove(struct host_io *io, struct host_io_source *source);
/*
 * Waits until fd can be written, or an urgent source was served. Bus lock held all the while: the guest waits, as on a line whose
 * other end is not ready; whoever wants to end the run must still get through.
 */
void host_io_wait_writable(struct host_io *io, int fd);

#endif

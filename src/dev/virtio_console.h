/* "Console Device": one port, a host's byte stream as hvc0. */
#ifndef DEV_VIRTIO_CONSOLE_H
#define DEV_VIRTIO_CONSOLE_H

#include "dev/virtio.h"
#include "host/host.h"

struct virtio_console {
	struct virtio virtio;
	struct host_stream *stream;
};

/* The caller attaches virtio.pci. */
void virtio_console_init(struct virtio_console *console, struct memory *memory, struct host_stream *stream);
/* The terminal's size in characters; the driver is told. 0 by 0, as at first: unknown. Bus lock held. */
void virtio_console_set_size(struct virtio_console *console, u16 columns, u16 rows);

#endif

/*
 * Byte streams of the Linux host: where a serial port or console can lead.
 *
 * A stream may be observed: the command line looks at what the guest prints without standing in its way.
 */
#ifndef HOST_LINUX_STREAM_H
#define HOST_LINUX_STREAM_H

#include "host/host.h"

/* Output vanishes, there is no input. */
struct host_stream *stream_open_null(struct host_error *error);
/* Output is appended to a file created or emptied now. */
struct host_stream *stream_open_file(const char *path, struct host_error *error);
/* A listening UNIX socket; one client at a time; without one, output vanishes. The socket is removed at close. */
struct host_stream *stream_open_unix(struct host_io *io, const char *path, struct host_error *error);

/* Looks at every chunk of input before the guest; returns how many bytes are left for the guest, compacted in place. */
typedef size_t stream_filter(void *context, u8 *bytes, size_t count);
/* Input from in, output to out (stdin and stdout). filter may be NULL. */
struct host_stream *stream_open_descriptors(struct host_io *io, int in, int out, stream_filter *filter, void *context,
					    struct host_error *error);

/* observe is called with each piece of output, bus lock held. */
void stream_observe(struct host_stream *stream, void (*observe)(void *context, const u8 *bytes, size_t count), void *context);
/* Only after the machine that uses it is destroyed. */
void stream_close(struct host_stream *stream);

#endif

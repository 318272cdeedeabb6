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
/* Output goes to a file, which is created, and emptied by stream_start(). */
struct host_stream *stream_open_file(struct host_io *io, const char *path, struct host_error *error);
/* A listening UNIX socket; one client at a time; without one, output vanishes. The socket is removed at close. */
struct host_stream *stream_open_unix(struct host_io *io, const char *path, struct host_error *error);

/* Looks at every chunk of input before the guest; returns how many bytes are left for the guest, compacted in place. */
typedef size_t stream_filter(void *context, u8 *bytes, size_t count);
enum stream_end { STREAM_END_INPUT, STREAM_END_OUTPUT };
/* What the person at a terminal means to the run. Bus lock held. */
struct stream_user {
	stream_filter *filter; /* may be NULL */
	void (*ended)(void *context, enum stream_end end); /* no more input will come, nobody takes output; may be NULL */
	void *context;
};
/* Input from in, output to out (stdin and stdout). */
struct host_stream *stream_open_descriptors(struct host_io *io, int in, int out, const struct stream_user *user,
					    struct host_error *error);

/* observe is called with each piece of output, bus lock held. */
void stream_observe(struct host_stream *stream, void (*observe)(void *context, const u8 *bytes, size_t count), void *context);
/* The run begins: until here, nothing that the user had was changed. */
void stream_start(struct host_stream *stream);
/* From now on output that does not fit vanishes instead of stopping the guest: the run is to end. Bus lock held. */
void stream_abandon(struct host_stream *stream);
/* Writes what is left, after the machine has stopped; gives up when nobody has taken a byte for limit_ms (-1: never). */
void stream_finish(struct host_stream *stream, int limit_ms);
/* Only after the machine that uses it is destroyed. */
void stream_close(struct host_stream *stream);

#endif

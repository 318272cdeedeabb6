/*
 * Byte streams of the Linux host. See stream.h.
 *
 * Input is read as soon as it comes, even if the guest takes none, so that a key that ends the run is always heard; what the
 * guest has no room for waits in a buffer of a few kilobytes, and beyond that the reading pauses unless a filter must see it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/linux/io.h"
#include "host/linux/stream.h"

#define WAITING_BYTES 4096

struct host_stream {
	struct host_io *io; /* NULL: no input */
	struct host_io_source input, listener;
	int out;
	bool input_open, owns_descriptors;
	char *socket_path;

	size_t (*room)(void *device);
	void (*receive)(void *device, const u8 *bytes, size_t count);
	void *device;

	stream_filter *filter;
	void *filter_context;
	void (*observe)(void *context, const u8 *bytes, size_t count);
	void *observe_context;

	u8 waiting[WAITING_BYTES]; /* input that the device has no room for yet */
	size_t waiting_count;
};

static void deliver_waiting(struct host_stream *s)
{
	size_t count = s->receive && s->waiting_count ? s->room(s->device) : 0;

	if (count > s->waiting_count)
		count = s->waiting_count;
	if (!count)
		return;
	s->receive(s->device, s->waiting, count);
	s->waiting_count -= count;
	memmove(s->waiting, s->waiting + count, s->waiting_count);
}

static void client_gone(struct host_stream *s)
{
	s->input_open = false;
	if (!s->socket_path)
		return;
	host_io_remove(s->io, &s->input);
	close(s->input.fd);
	s->out = -1;
}

static short input_wanted(void *owner)
{
	struct host_stream *s = owner;

	deliver_waiting(s);
	return s->input_open && (s->filter || s->waiting_count < WAITING_BYTES) ? POLLIN : 0;
}

static void input_ready(void *owner, short events)
{
	struct host_stream *s = owner;
	u8 bytes[512];
	size_t room = WAITING_BYTES - s->waiting_count;
	ssize_t count = read(s->input.fd, bytes, sizeof(bytes) < room || s->filter ? sizeof(bytes) : room);
	size_t left;

	(void)events;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		client_gone(s);
		return;
	}
	left = s->filter ? s->filter(s->filter_context, bytes, (size_t)count) : (size_t)count;
	if (left > room)
		left = room;
	memcpy(s->waiting + s->waiting_count, bytes, left);
	s->waiting_count += left;
	deliver_waiting(s);
}

static void input_start(struct host_stream *s, int fd)
{
	s->input = (struct host_io_source){ .fd = fd, .wanted = input_wanted, .ready = input_ready, .owner = s };
	s->input_open = true;
	host_io_add(s->io, &s->input);
}

static short listener_wanted(void *owner)
{
	struct host_stream *s = owner;

	return s->out < 0 ? POLLIN : 0;
}

static void listener_ready(void *owner, short events)
{
	struct host_stream *s = owner;
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	s->out = fd;
	input_start(s, fd);
}

static struct host_stream *stream_new(struct host_error *error)
{
	struct host_stream *s = calloc(1, sizeof(*s));

	if (!s) {
		host_error_set(error, "out of memory");
		return NULL;
	}
	s->out = -1;
	s->listener.fd = -1;
	return s;
}

struct host_stream *stream_open_null(struct host_error *error)
{
	return stream_new(error);
}

struct host_stream *stream_open_file(const char *path, struct host_error *error)
{
	struct host_stream *s = stream_new(error);

	if (!s)
		return NULL;
	s->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (s->out < 0) {
		host_error_set(error, "cannot write '%s': %s", path, strerror(errno));
		free(s);
		return NULL;
	}
	s->owns_descriptors = true;
	return s;
}

/* A socket left over by a process that is gone may be replaced; one that answers may not. */
static int listen_unix(const char *path, struct host_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), probe;

	if (strlen(path) >= sizeof(address.sun_path)) {
		host_error_set(error, "socket path '%s' is too long: %zu bytes at most", path, sizeof(address.sun_path) - 1);
		return close(fd), -1;
	}
	strcpy(address.sun_path, path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) && errno == EADDRINUSE) {
		probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (!connect(probe, (struct sockaddr *)&address, sizeof(address)) || errno != ECONNREFUSED)
			errno = EADDRINUSE;
		else if (!unlink(path) && !bind(fd, (struct sockaddr *)&address, sizeof(address)))
			errno = 0;
		close(probe);
		if (errno) {
			host_error_set(error, "cannot listen on '%s': %s; use another path", path, strerror(errno));
			return close(fd), -1;
		}
	}
	if (listen(fd, 1)) {
		host_error_set(error, "cannot listen on '%s': %s", path, strerror(errno));
		return close(fd), -1;
	}
	return fd;
}

struct host_stream *stream_open_unix(struct host_io *io, const char *path, struct host_error *error)
{
	struct host_stream *s = stream_new(error);
	int fd;

	if (!s)
		return NULL;
	fd = listen_unix(path, error);
	if (fd < 0) {
		free(s);
		return NULL;
	}
	s->io = io;
	s->socket_path = strdup(path);
	s->listener = (struct host_io_source){ .fd = fd, .wanted = listener_wanted, .ready = listener_ready, .owner = s };
	host_io_add(io, &s->listener);
	return s;
}

struct host_stream *stream_open_descriptors(struct host_io *io, int in, int out, stream_filter *filter, void *context,
					    struct host_error *error)
{
	struct host_stream *s = stream_new(error);

	if (!s)
		return NULL;
	s->io = io;
	s->out = out;
	s->filter = filter;
	s->filter_context = context;
	input_start(s, in);
	return s;
}

void stream_observe(struct host_stream *stream, void (*observe)(void *context, const u8 *bytes, size_t count), void *context)
{
	stream->observe = observe;
	stream->observe_context = context;
}

void stream_close(struct host_stream *stream)
{
	if (!stream)
		return;
	if (stream->input_open)
		host_io_remove(stream->io, &stream->input);
	if (stream->listener.fd >= 0) {
		host_io_remove(stream->io, &stream->listener);
		close(stream->listener.fd);
		unlink(stream->socket_path);
		if (stream->out >= 0)
			close(stream->out);
	}
	if (stream->owns_descriptors)
		close(stream->out);
	free(stream->socket_path);
	free(stream);
}

/* ---- the device's side (host.h) ---- */

void host_stream_attach(struct host_stream *stream, size_t (*room)(void *device),
			void (*receive)(void *device, const u8 *bytes, size_t count), void *device)
{
	stream->room = room;
	stream->receive = receive;
	stream->device = device;
}

void host_stream_resume(struct host_stream *stream)
{
	deliver_waiting(stream);
	if (stream->io)
		host_io_wake(stream->io);
}

void host_stream_write(struct host_stream *stream, const u8 *bytes, size_t count)
{
	if (stream->observe)
		stream->observe(stream->observe_context, bytes, count);
	while (count && stream->out >= 0) {
		ssize_t written = write(stream->out, bytes, count);

		if (written < 0 && errno == EAGAIN) {
			struct pollfd writable = { .fd = stream->out, .events = POLLOUT };

			poll(&writable, 1, -1);
			continue;
		}
		if (written < 0 && errno != EINTR)
			return; /* a reader that is gone, a full disk: the guest's serial line goes on */
		if (written > 0) {
			bytes += written;
			count -= (size_t)written;
		}
	}
}

/*
 * Byte streams of the Linux host. See stream.h.
 *
 * Input is read as soon as it comes, even if the guest takes none, so that a key that ends the run is always heard; what the
 * guest has no room for waits in a buffer, and beyond that the reading pauses unless a filter must see it.
 *
 * Output is buffered too, and written by the I/O loop: a processor never waits for a terminal. When the buffer is full the
 * guest does wait, since nothing of what it says may get lost; signals, keys and time limits are heard meanwhile.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "host/linux/io.h"
#include "host/linux/stream.h"

#define WAITING_BYTES 65536
#define PENDING_BYTES 65536

struct host_stream {
	struct host_io *io; /* NULL: output vanishes, no input */
	struct host_io_source input, output, listener;
	bool input_open, output_open;
	bool owns_output; /* output.fd is closed with the stream, not with a client */
	bool writing;   /* the device is in host_stream_write(): it takes no input now */
	bool abandoned;
	bool warned;    /* that output gets lost */
	char *path;     /* of a socket or file */

	size_t (*room)(void *device);
	void (*receive)(void *device, const u8 *bytes, size_t count);
	void *device;

	struct stream_user user;
	void (*observe)(void *context, const u8 *bytes, size_t count);
	void *observe_context;

	u8 waiting[WAITING_BYTES]; /* input that the device has no room for yet */
	size_t waiting_count;
	u8 pending[PENDING_BYTES]; /* output that is not written yet */
	size_t pending_count;
};

static void input_stop(struct host_stream *s)
{
	if (s->input_open)
		host_io_remove(s->io, &s->input);
	s->input_open = false;
}

static void output_stop(struct host_stream *s)
{
	if (s->output_open)
		host_io_remove(s->io, &s->output);
	s->output_open = false;
	s->pending_count = 0;
}

/* A socket's client: the next one may come. */
static void client_gone(struct host_stream *s)
{
	int fd = s->input.fd;

	input_stop(s);
	output_stop(s);
	close(fd);
}

static void tell_end(struct host_stream *s, enum stream_end end)
{
	if (s->user.ended)
		s->user.ended(s->user.context, end);
}

/* ---- output ---- */

/* Nobody takes the output, or a disk is full: the guest's line goes on without it. */
static void output_failed(struct host_stream *s)
{
	if (s->listener.fd >= 0) {
		client_gone(s);
		return;
	}
	if (!s->warned && errno != EPIPE)
		log_warn("output to '%s' gets lost: %s", s->path ? s->path : "stdout", strerror(errno));
	s->warned = true;
	s->pending_count = 0;
	if (errno == EPIPE || errno == EIO) {
		output_stop(s);
		tell_end(s, STREAM_END_OUTPUT);
	}
}

/* Writes what the other end takes now. */
static void output_write(struct host_stream *s)
{
	ssize_t written = write(s->output.fd, s->pending, s->pending_count);

	if (written < 0 && errno != EAGAIN && errno != EINTR)
		output_failed(s);
	if (written <= 0)
		return;
	s->pending_count -= (size_t)written;
	memmove(s->pending, s->pending + written, s->pending_count);
}

static short output_wanted(void *owner)
{
	struct host_stream *s = owner;

	return s->pending_count ? POLLOUT : 0;
}

static void output_ready(void *owner, short events)
{
	(void)events;
	output_write(owner);
}

static void output_start(struct host_stream *s, int fd)
{
	s->output = (struct host_io_source){ .fd = fd, .wanted = output_wanted, .ready = output_ready, .owner = s };
	s->output_open = true;
	host_io_add(s->io, &s->output);
}

void host_stream_write(struct host_stream *s, const u8 *bytes, size_t count)
{
	if (s->observe)
		s->observe(s->observe_context, bytes, count);
	s->writing = true;
	while (count && s->output_open) {
		size_t room = PENDING_BYTES - s->pending_count, part = count < room ? count : room;

		if (!s->pending_count)
			host_io_wake(s->io);
		memcpy(s->pending + s->pending_count, bytes, part);
		s->pending_count += part;
		bytes += part;
		count -= part;
		if (!count)
			break;
		if (s->abandoned)
			break;
		host_io_wait_writable(s->io, s->output.fd);
		output_write(s);
	}
	s->writing = false;
}

void stream_abandon(struct host_stream *stream)
{
	if (stream)
		stream->abandoned = true;
}

void stream_finish(struct host_stream *s, int limit_ms)
{
	while (s && s->output_open && s->pending_count) {
		struct pollfd writable = { .fd = s->output.fd, .events = POLLOUT };

		if (!poll(&writable, 1, limit_ms))
			return;
		output_write(s);
	}
}

/* ---- input ---- */

static void deliver_waiting(struct host_stream *s)
{
	size_t count = s->receive && s->waiting_count && !s->writing ? s->room(s->device) : 0;

	if (count > s->waiting_count)
		count = s->waiting_count;
	if (!count)
		return;
	s->receive(s->device, s->waiting, count);
	s->waiting_count -= count;
	memmove(s->waiting, s->waiting + count, s->waiting_count);
}

static short input_wanted(void *owner)
{
	struct host_stream *s = owner;

	deliver_waiting(s);
	return s->input_open && (s->user.filter || s->waiting_count < WAITING_BYTES) ? POLLIN : 0;
}

static void input_ended(struct host_stream *s)
{
	if (s->listener.fd >= 0) {
		client_gone(s);
		return;
	}
	input_stop(s);
	tell_end(s, STREAM_END_INPUT);
}

static void input_ready(void *owner, short events)
{
	struct host_stream *s = owner;
	u8 bytes[512];
	size_t room = WAITING_BYTES - s->waiting_count;
	ssize_t count = read(s->input.fd, bytes, sizeof(bytes) < room || s->user.filter ? sizeof(bytes) : room);
	size_t left;

	(void)events;
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		input_ended(s);
		return;
	}
	left = s->user.filter ? s->user.filter(s->user.context, bytes, (size_t)count) : (size_t)count;
	if (left > room)
		left = room;
	memcpy(s->waiting + s->waiting_count, bytes, left);
	s->waiting_count += left;
	deliver_waiting(s);
}

static void input_start(struct host_stream *s, int fd)
{
	s->input = (struct host_io_source){ .fd = fd, .wanted = input_wanted, .ready = input_ready, .owner = s,
					    .urgent = s->user.filter };
	s->input_open = true;
	host_io_add(s->io, &s->input);
}

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

/* ---- opening and closing ---- */

static struct host_stream *stream_new(struct host_io *io, const char *path, struct host_error *error)
{
	struct host_stream *s = calloc(1, sizeof(*s));

	if (!s) {
		host_error_set(error, "out of memory");
		return NULL;
	}
	s->io = io;
	s->path = path ? strdup(path) : NULL;
	s->listener.fd = -1;
	return s;
}

struct host_stream *stream_open_null(struct host_error *error)
{
	return stream_new(NULL, NULL, error);
}

struct host_stream *stream_open_file(struct host_io *io, const char *path, struct host_error *error)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	struct host_stream *s;

	if (fd < 0) {
		host_error_set(error, "cannot write '%s': %s", path, strerror(errno));
		return NULL;
	}
	s = stream_new(io, path, error);
	if (!s)
		return close(fd), NULL;
	output_start(s, fd);
	s->owns_output = true;
	return s;
}

void stream_start(struct host_stream *s)
{
	struct stat status;

	/* Only a file of its own; not what stdout may lead to. */
	if (!s || !s->path || !s->output_open || fstat(s->output.fd, &status) || !S_ISREG(status.st_mode))
		return;
	if (ftruncate(s->output.fd, 0))
		log_warn("cannot empty '%s': %s", s->path, strerror(errno));
}

/* Terminals and pipes are opened anew: O_NONBLOCK on stdout itself would also hit whoever else has it. */
static int reopen_nonblocking(int fd)
{
	char path[64];
	struct stat status;
	int own = -1;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (!fstat(fd, &status) && (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
		own = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return own >= 0 ? own : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

struct host_stream *stream_open_descriptors(struct host_io *io, int in, int out, const struct stream_user *user,
					    struct host_error *error)
{
	struct host_stream *s = stream_new(io, NULL, error);

	if (!s)
		return NULL;
	s->user = *user;
	output_start(s, reopen_nonblocking(out));
	s->owns_output = true;
	input_start(s, in);
	return s;
}

void stream_observe(struct host_stream *stream, void (*observe)(void *context, const u8 *bytes, size_t count), void *context)
{
	stream->observe = observe;
	stream->observe_context = context;
}

void stream_close(struct host_stream *s)
{
	if (!s)
		return;
	if (s->listener.fd >= 0) {
		if (s->input_open)
			client_gone(s);
		host_io_remove(s->io, &s->listener);
		close(s->listener.fd);
		unlink(s->path);
	}
	input_stop(s);
	output_stop(s);
	if (s->owns_output)
		close(s->output.fd);
	free(s->path);
	free(s);
}

/* ---- UNIX sockets ---- */

static short listener_wanted(void *owner)
{
	struct host_stream *s = owner;

	return s->output_open ? 0 : POLLIN;
}

static void listener_ready(void *owner, short events)
{
	struct host_stream *s = owner;
	int fd = accept4(s->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd < 0)
		return;
	output_start(s, fd);
	input_start(s, fd);
}

/* A socket left over by a process that is gone may be replaced; one that answers, and a file of another kind, may not. */
static bool is_stale(const char *path, const struct sockaddr_un *address)
{
	int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat status;
	bool refused = !lstat(path, &status) && S_ISSOCK(status.st_mode) &&
		       connect(probe, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED;

	close(probe);
	return refused;
}

static int listen_unix(const char *path, struct host_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int status;

	if (strlen(path) >= sizeof(address.sun_path)) {
		host_error_set(error, "socket path '%s' is too long: at most %zu bytes", path, sizeof(address.sun_path) - 1);
		return close(fd), -1;
	}
	strcpy(address.sun_path, path);
	status = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (status && errno == EADDRINUSE && is_stale(path, &address) && !unlink(path))
		status = bind(fd, (struct sockaddr *)&address, sizeof(address));
	if (status || listen(fd, 1)) {
		host_error_set(error, "cannot listen on '%s': %s; use another path", path, strerror(errno));
		return close(fd), -1;
	}
	return fd;
}

struct host_stream *stream_open_unix(struct host_io *io, const char *path, struct host_error *error)
{
	struct host_stream *s;
	int fd = listen_unix(path, error);

	if (fd < 0)
		return NULL;
	s = stream_new(io, path, error);
	if (!s) {
		unlink(path);
		return close(fd), NULL;
	}
	s->listener = (struct host_io_source){ .fd = fd, .wanted = listener_wanted, .ready = listener_ready, .owner = s };
	host_io_add(io, &s->listener);
	return s;
}

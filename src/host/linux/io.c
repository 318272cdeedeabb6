/*
 * The I/O loop: one thread that sleeps until a stream, a network, a timer or another thread needs it.
 *
 * Few descriptors, so poll() over a fresh list each time: nothing to keep in step with what the devices want.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "host/linux/io.h"

#define NS_PER_SECOND 1000000000ull
#define MAX_SOURCES 64

struct host_io {
	int wake_fd;
	struct host_io_source *sources; /* the machine's bus lock covers the list once the loop runs */
};

struct host_io *host_io_create(struct host_error *error)
{
	struct host_io *io = calloc(1, sizeof(*io));

	if (!io) {
		host_error_set(error, "out of memory");
		return NULL;
	}
	io->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (io->wake_fd < 0) {
		host_error_set(error, "cannot create the I/O loop: %s", strerror(errno));
		host_io_destroy(io);
		return NULL;
	}
	return io;
}

void host_io_destroy(struct host_io *io)
{
	if (!io)
		return;
	if (io->wake_fd >= 0)
		close(io->wake_fd);
	free(io);
}

void host_io_wake(struct host_io *io)
{
	u64 one = 1;

	/* The only failure is a counter that is full, which wakes as well. */
	if (write(io->wake_fd, &one, sizeof(one)) < 0)
		return;
}

void host_io_add(struct host_io *io, struct host_io_source *source)
{
	source->next = io->sources;
	io->sources = source;
	host_io_wake(io);
}

void host_io_remove(struct host_io *io, struct host_io_source *source)
{
	for (struct host_io_source **link = &io->sources; *link; link = &(*link)->next) {
		if (*link == source) {
			*link = source->next;
			break;
		}
	}
}

/* Fills in what to poll from entry 1 on. Returns the number of entries. */
static unsigned list_sources(struct host_io *io, struct pollfd *polled, struct host_io_source **sources, bool urgent_only)
{
	unsigned count = 1;

	for (struct host_io_source *source = io->sources; source && count < MAX_SOURCES; source = source->next) {
		short events = source->urgent || !urgent_only ? source->wanted(source->owner) : 0;

		if (!events)
			continue;
		polled[count] = (struct pollfd){ .fd = source->fd, .events = events };
		sources[count++] = source;
	}
	return count;
}

static bool still_listed(struct host_io *io, const struct host_io_source *wanted)
{
	const struct host_io_source *source = io->sources;

	while (source && source != wanted)
		source = source->next;
	return source;
}

/*
 * Bus lock held. An urgent source may have been served by another thread since it was polled: it is looked at again, so that
 * nobody reads where there is nothing to read.
 */
static void serve(struct host_io *io, struct host_io_source *source, struct pollfd *polled)
{
	if (!still_listed(io, source) || (source->urgent && poll(polled, 1, 0) <= 0))
		return;
	source->ready(source->owner, polled->revents);
}

/* Nanoseconds from now as a timespec; a time in the past gives zero. */
static struct timespec time_left(u64 until_ns)
{
	u64 now = until_ns ? host_time_ns() : 0;
	u64 left = until_ns > now ? until_ns - now : 0;

	return (struct timespec){ (time_t)(left / NS_PER_SECOND), (long)(left % NS_PER_SECOND) };
}

void host_io_wait(struct host_io *io, struct host_mutex *lock, u64 until_ns)
{
	struct host_io_source *sources[MAX_SOURCES];
	struct pollfd polled[MAX_SOURCES];
	struct timespec left = time_left(until_ns);
	unsigned count;
	u64 wakes;

	polled[0] = (struct pollfd){ .fd = io->wake_fd, .events = POLLIN };
	host_mutex_lock(lock);
	count = list_sources(io, polled, sources, false);
	host_mutex_unlock(lock);
	if (ppoll(polled, count, until_ns == ~0ull ? NULL : &left, NULL) <= 0)
		return;
	/* Emptied before the caller looks at what it was woken for, so that no wake-up is lost. */
	if (polled[0].revents && read(io->wake_fd, &wakes, sizeof(wakes)) < 0)
		polled[0].revents = 0;
	for (unsigned i = 1; i < count; i++) {
		if (!polled[i].revents)
			continue;
		host_mutex_lock(lock);
		serve(io, sources[i], &polled[i]);
		host_mutex_unlock(lock);
	}
}

void host_io_wait_writable(struct host_io *io, int fd)
{
	struct host_io_source *sources[MAX_SOURCES];
	struct pollfd polled[MAX_SOURCES];
	unsigned count;

	polled[0] = (struct pollfd){ .fd = fd, .events = POLLOUT };
	count = list_sources(io, polled, sources, true);
	if (poll(polled, count, -1) <= 0)
		return;
	for (unsigned i = 1; i < count; i++) {
		if (polled[i].revents)
			serve(io, sources[i], &polled[i]);
	}
}

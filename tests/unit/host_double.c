/* Doubles of the host: see host_double.h. */
#include "host_double.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bits.h"

u64 host_double_ns;
unsigned host_double_locks;

u64 host_time_ns(void)
{
	return host_double_ns;
}

void host_mutex_lock(struct host_mutex *mutex)
{
	(void)mutex;
	host_double_locks++;
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	(void)mutex;
	host_double_locks--;
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
	stream->resumed++;
}

void host_stream_write(struct host_stream *stream, const u8 *bytes, size_t count)
{
	count = min_u64(count, sizeof(stream->written) - stream->count);
	memcpy(stream->written + stream->count, bytes, count);
	stream->count += count;
}

size_t host_double_type(struct host_stream *stream, const char *bytes, size_t count)
{
	size_t taken = min_u64(count, stream->room(stream->device));

	if (taken)
		stream->receive(stream->device, (const u8 *)bytes, taken);
	return taken;
}

void panic(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", file, line);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

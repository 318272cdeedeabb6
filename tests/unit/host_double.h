/* Doubles of the host's functions that devices call: time stands where a test puts it, streams are buffers. */
#ifndef TESTS_UNIT_HOST_DOUBLE_H
#define TESTS_UNIT_HOST_DOUBLE_H

#include "host/host.h"

extern u64 host_double_ns;         /* what host_time_ns() says */
extern unsigned host_double_locks; /* how often a mutex is held */

struct host_stream {
	u8 written[4096];
	size_t count;       /* bytes written */
	unsigned resumed;   /* calls of host_stream_resume() */
	size_t (*room)(void *device);
	void (*receive)(void *device, const u8 *bytes, size_t count);
	void *device;
};

/* Offers bytes as the host does: at most as many as there is room for. Returns how many were taken. */
size_t host_double_type(struct host_stream *stream, const char *bytes, size_t count);

#endif

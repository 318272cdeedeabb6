/* Stand-ins for the host's disks and networks: memory and counters, moved only by the test. */
#ifndef TESTS_UNIT_DISK_DOUBLE_H
#define TESTS_UNIT_DISK_DOUBLE_H

#include "host/host.h"

#define DISK_DOUBLE_BYTES (64 * 512)

struct host_disk {
	u8 bytes[DISK_DOUBLE_BYTES];
	bool read_only;
	bool fail; /* every request fails */
	unsigned submitted, flushes, discards, zeroed;
	struct host_disk_request *first, **last; /* not done yet */
};

void disk_double_init(struct host_disk *disk);
/* Does the oldest request, or the newest; false: there is none. Without the bus lock. */
bool disk_double_complete(struct host_disk *disk);
bool disk_double_complete_newest(struct host_disk *disk);
void disk_double_complete_all(struct host_disk *disk);

struct host_net {
	bool (*receive)(void *device, const u8 *frame, size_t bytes);
	void *device;
	u8 sent[HOST_NET_FRAME_BYTES]; /* the last frame */
	size_t sent_bytes;
	unsigned sent_count, resumed;
};

#endif

/* Stand-ins for the host's disks and networks: see disk_double.h. */
#include "disk_double.h"

#include <string.h>

void disk_double_init(struct host_disk *disk)
{
	memset(disk, 0, sizeof(*disk));
	disk->last = &disk->first;
}

u64 host_disk_bytes(const struct host_disk *disk)
{
	return sizeof(disk->bytes);
}

bool host_disk_read_only(const struct host_disk *disk)
{
	return disk->read_only;
}

void host_disk_submit(struct host_disk *disk, struct host_disk_request *request)
{
	request->next = NULL;
	*disk->last = request;
	disk->last = &request->next;
	disk->submitted++;
}

static void transfer(struct host_disk *disk, const struct host_disk_request *request)
{
	u64 offset = request->offset;

	for (unsigned i = 0; i < request->segment_count; i++) {
		const struct host_disk_segment *segment = &request->segments[i];

		if (request->operation == HOST_DISK_READ)
			memcpy(segment->memory, disk->bytes + offset, segment->bytes);
		else
			memcpy(disk->bytes + offset, segment->memory, segment->bytes);
		offset += segment->bytes;
	}
}

static void perform(struct host_disk *disk, struct host_disk_request *request)
{
	bool ok = !disk->fail;

	switch (request->operation) {
	case HOST_DISK_READ:
	case HOST_DISK_WRITE:
		if (ok)
			transfer(disk, request);
		break;
	case HOST_DISK_FLUSH:
		disk->flushes++;
		break;
	case HOST_DISK_DISCARD:
		disk->discards++;
		break;
	case HOST_DISK_WRITE_ZEROES:
		disk->zeroed++;
		memset(disk->bytes + request->offset, 0, request->bytes);
		break;
	}
	request->done(request, ok);
}

static bool complete(struct host_disk *disk, struct host_disk_request **at)
{
	struct host_disk_request *request = *at;

	if (!request)
		return false;
	*at = request->next;
	if (!*at)
		disk->last = at;
	perform(disk, request);
	return true;
}

bool disk_double_complete(struct host_disk *disk)
{
	return complete(disk, &disk->first);
}

bool disk_double_complete_newest(struct host_disk *disk)
{
	struct host_disk_request **at = &disk->first;

	while (*at && (*at)->next)
		at = &(*at)->next;
	return complete(disk, at);
}

void disk_double_complete_all(struct host_disk *disk)
{
	while (disk_double_complete(disk))
		;
}

void host_net_attach(struct host_net *net, bool (*receive)(void *device, const u8 *frame, size_t bytes), void *device)
{
	net->receive = receive;
	net->device = device;
}

void host_net_resume(struct host_net *net)
{
	net->resumed++;
}

void host_net_send(struct host_net *net, const u8 *frame, size_t bytes)
{
	memcpy(net->sent, frame, bytes);
	net->sent_bytes = bytes;
	net->sent_count++;
}

/*
 * "Block Device": a host disk as a virtio one.
 *
 * Requests run asynchronously on the host, at most VIRTIO_BLK_REQUESTS at a time; the data goes straight between the
 * disk and guest memory. Beyond that the queues wait.
 */
#ifndef DEV_VIRTIO_BLK_H
#define DEV_VIRTIO_BLK_H

#include "dev/virtio.h"
#include "host/host.h"

#define VIRTIO_BLK_REQUESTS 64u
#define VIRTIO_BLK_ID_BYTES 20u

struct virtio_blk_request {
	struct host_disk_request host;
	struct host_disk_segment segments[VIRTQUEUE_SIZE_MAX];
	struct virtqueue_chain chain;
	struct virtio_blk *blk;
	struct virtio_blk_request *next; /* if free */
	u32 type;
	unsigned queue;
	u8 status; /* what the driver will be told */
};

struct virtio_blk {
	struct virtio virtio;
	struct bus *bus;
	struct host_disk *disk;
	char id[VIRTIO_BLK_ID_BYTES];
	u64 sectors;
	bool read_only;
	u32 waiting;  /* one bit per queue that may hold chains not yet taken */
	struct virtio_blk_request *free;
	struct virtio_blk_request requests[VIRTIO_BLK_REQUESTS];
};

/*
 * queues: 1 to VIRTIO_QUEUES_MAX, usually one per processor. id: what "get id" returns, cut to VIRTIO_BLK_ID_BYTES;
 * NULL: nothing. What remains of the disk after its last whole sector is out of the guest's reach. The caller attaches
 * virtio.pci.
 */
void virtio_blk_init(struct virtio_blk *blk, struct bus *bus, struct memory *memory, struct host_disk *disk,
		     unsigned queues, const char *id);

#endif

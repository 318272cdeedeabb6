/*
 * "Block Device": see virtio_blk.h.
 *
 * A request is a run of readable bytes (header, data to write) and a run of writable bytes (data read, one status
 * byte); how the driver cuts them into descriptors does not matter ("Message Framing"). What is wrong with a request's
 * contents is answered in its status; only one without room for header and status makes the device fail.
 */
#include "dev/virtio_blk.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/string.h"
#include "machine/memory.h"

/* "Feature bits" */
#define VIRTIO_BLK_F_SEG_MAX 2u
#define VIRTIO_BLK_F_RO 5u
#define VIRTIO_BLK_F_BLK_SIZE 6u
#define VIRTIO_BLK_F_FLUSH 9u
#define VIRTIO_BLK_F_MQ 12u
#define VIRTIO_BLK_F_DISCARD 13u
#define VIRTIO_BLK_F_WRITE_ZEROES 14u

#define VIRTIO_BLK_T_IN 0u
#define VIRTIO_BLK_T_OUT 1u
#define VIRTIO_BLK_T_FLUSH 4u
#define VIRTIO_BLK_T_GET_ID 8u
#define VIRTIO_BLK_T_DISCARD 11u
#define VIRTIO_BLK_T_WRITE_ZEROES 13u

#define VIRTIO_BLK_S_OK 0u
#define VIRTIO_BLK_S_IOERR 1u
#define VIRTIO_BLK_S_UNSUPP 2u

#define PCI_CLASS_MASS_STORAGE 0x018000 /* "other": no programming interface of PCI's */
#define SECTOR_BYTES 512u
#define STATUS_BYTES 1u
/* Beside the data: a descriptor for the header and one for the status. */
#define DATA_SEGMENTS_MAX (VIRTQUEUE_SIZE_MAX - 2)
/* In one request; a bound on how long the host is busy with it. */
#define RANGE_SECTORS_MAX 0x400000u

/* "struct virtio_blk_config" */
struct config {
	u64 capacity;
	u32 size_max, seg_max;
	u8 geometry[4];
	u32 blk_size;
	u8 topology[8];
	u8 writeback, unused0;
	u16 num_queues;
	u32 max_discard_sectors, max_discard_seg, discard_sector_alignment;
	u32 max_write_zeroes_sectors, max_write_zeroes_seg;
	u8 write_zeroes_may_unmap, unused1[3];
} PACKED;

/* "struct virtio_blk_req", the part before the data. */
struct header {
	u32 type, reserved;
	u64 sector;
};

/* "struct virtio_blk_discard_write_zeroes" */
struct range {
	u64 sector;
	u32 num_sectors, flags;
};

#define RANGE_FLAG_UNMAP 1u

/* ---- requests ---- */

static u64 data_bytes(const struct virtio_blk_request *request)
{
	return request->type == VIRTIO_BLK_T_IN || request->type == VIRTIO_BLK_T_GET_ID
		       ? request->chain.writable_bytes - STATUS_BYTES
		       : request->chain.readable_bytes - sizeof(struct header);
}

/* The host's view of `bytes` bytes of a run of segments, from `skip` on. */
static void gather(struct virtio_blk_request *request, const struct virtqueue_segment *from, u64 skip, u64 bytes)
{
	struct host_disk_request *host = &request->host;

	for (; bytes; from++) {
		u64 part;

		if (skip >= from->bytes) {
			skip -= from->bytes;
			continue;
		}
		part = min_u64(from->bytes - skip, bytes);
		request->segments[host->segment_count++] =
			(struct host_disk_segment){ .memory = from->memory + skip, .bytes = part };
		bytes -= part;
		skip = 0;
	}
	host->segments = request->segments;
}

static bool in_disk(const struct virtio_blk *blk, u64 sector, u64 sectors)
{
	return sector <= blk->sectors && sectors <= blk->sectors - sector;
}

/*
 * The preparers: each returns true with request->host filled in if the host has work to do, else false with the status
 * set.
 */
static bool prepare_transfer(struct virtio_blk_request *request, const struct header *header)
{
	struct virtqueue_chain *chain = &request->chain;
	bool in = request->type == VIRTIO_BLK_T_IN;
	u64 bytes = data_bytes(request);

	request->status = VIRTIO_BLK_S_IOERR;
	if (bytes % SECTOR_BYTES || !in_disk(request->blk, header->sector, bytes / SECTOR_BYTES) ||
	    (!in && request->blk->read_only))
		return false;
	request->status = VIRTIO_BLK_S_OK;
	request->host.operation = in ? HOST_DISK_READ : HOST_DISK_WRITE;
	request->host.offset = header->sector * SECTOR_BYTES;
	request->host.bytes = bytes;
	if (in)
		gather(request, chain->segments + chain->readable, 0, bytes);
	else
		gather(request, chain->segments, sizeof(*header), bytes);
	return bytes != 0;
}

static bool prepare_range(struct virtio_blk_request *request)
{
	bool discard = request->type == VIRTIO_BLK_T_DISCARD;
	struct range range;

	request->status = VIRTIO_BLK_S_IOERR;
	if (data_bytes(request) != sizeof(range) || request->blk->read_only)
		return false;
	virtqueue_chain_read(&request->chain, sizeof(struct header), &range, sizeof(range));
	if ((range.flags & ~RANGE_FLAG_UNMAP) || (discard && (range.flags & RANGE_FLAG_UNMAP))) {
		request->status = VIRTIO_BLK_S_UNSUPP;
		return false;
	}
	if (range.num_sectors > RANGE_SECTORS_MAX || !in_disk(request->blk, range.sector, range.num_sectors))
		return false;
	request->status = VIRTIO_BLK_S_OK;
	request->host.operation = discard ? HOST_DISK_DISCARD : HOST_DISK_WRITE_ZEROES;
	request->host.offset = range.sector * SECTOR_BYTES;
	request->host.bytes = (u64)range.num_sectors * SECTOR_BYTES;
	return range.num_sectors != 0;
}

static bool prepare_id(struct virtio_blk_request *request)
{
	struct virtio_blk *blk = request->blk;
	u64 bytes = min_u64(data_bytes(request), VIRTIO_BLK_ID_BYTES);

	virtqueue_chain_write(&request->chain, blk->virtio.memory, 0, blk->id, bytes);
	request->status = VIRTIO_BLK_S_OK;
	return false;
}

static bool prepare(struct virtio_blk_request *request)
{
	struct header header;

	virtqueue_chain_read(&request->chain, 0, &header, sizeof(header));
	request->type = header.type;
	switch (header.type) {
	case VIRTIO_BLK_T_IN:
	case VIRTIO_BLK_T_OUT:
		return prepare_transfer(request, &header);
	case VIRTIO_BLK_T_FLUSH:
		request->host.operation = HOST_DISK_FLUSH;
		request->status = VIRTIO_BLK_S_OK;
		return true;
	case VIRTIO_BLK_T_GET_ID:
		return prepare_id(request);
	case VIRTIO_BLK_T_DISCARD:
	case VIRTIO_BLK_T_WRITE_ZEROES:
		return prepare_range(request);
	default:
		request->status = VIRTIO_BLK_S_UNSUPP;
		return false;
	}
}

/* ---- completion ---- */

/*
 * The used length promises that so many bytes were written from the first on; so a read that failed promises nothing,
 * though its status byte, the last one, is there.
 */
static u64 used_bytes(const struct virtio_blk_request *request)
{
	bool in = request->type == VIRTIO_BLK_T_IN || request->type == VIRTIO_BLK_T_GET_ID;
	u64 before_status = request->chain.writable_bytes - STATUS_BYTES;

	if (!before_status)
		return STATUS_BYTES;
	if (request->status != VIRTIO_BLK_S_OK || !in)
		return 0;
	return request->type == VIRTIO_BLK_T_IN || before_status <= VIRTIO_BLK_ID_BYTES ? before_status + STATUS_BYTES
											: VIRTIO_BLK_ID_BYTES;
}

static void answer(struct virtio_blk_request *request)
{
	struct virtqueue_chain *chain = &request->chain;
	struct virtio *virtio = &request->blk->virtio;

	virtqueue_chain_write(chain, virtio->memory, chain->writable_bytes - STATUS_BYTES, &request->status,
			      STATUS_BYTES);
	virtio_push(virtio, request->queue, chain->head, used_bytes(request));
	virtio_signal(virtio, request->queue);
}

static void put(struct virtio_blk_request *request)
{
	request->next = request->blk->free;
	request->blk->free = request;
}

static void drain_from(struct virtio_blk *blk, unsigned first);

/* The host's answer, on any thread, without the bus lock. */
static void done(struct host_disk_request *host, bool ok)
{
	struct virtio_blk_request *request = container_of(host, struct virtio_blk_request, host);
	struct virtio_blk *blk = request->blk;
	struct virtio *virtio = &blk->virtio;

	bus_lock(blk->bus);
	if (!ok)
		request->status = VIRTIO_BLK_S_IOERR;
	for (unsigned i = 0; host->operation == HOST_DISK_READ && i < request->chain.writable; i++) {
		const struct virtqueue_segment *segment = &request->chain.segments[request->chain.readable + i];

		memory_written(virtio->memory, segment->gpa, segment->bytes);
	}
	if (virtio_end(virtio, request->queue))
		answer(request);
	put(request);
	drain_from(blk, request->queue + 1); /* the others first, so that none starves */
	bus_unlock(blk->bus);
}

/* ---- from the queues to the host ---- */

static struct virtio_blk_request *take(struct virtio_blk *blk, unsigned queue)
{
	struct virtio_blk_request *request = blk->free;

	if (!virtio_pop(&blk->virtio, queue, &request->chain))
		return NULL;
	if (request->chain.readable_bytes < sizeof(struct header) || request->chain.writable_bytes < STATUS_BYTES) {
		virtio_fail(&blk->virtio);
		return NULL;
	}
	blk->free = request->next;
	request->host = (struct host_disk_request){ .done = done };
	request->queue = queue;
	return request;
}

/* Takes what a queue holds, as far as there are requests for it. */
static void drain(struct virtio_blk *blk, unsigned queue)
{
	while (blk->free) {
		struct virtio_blk_request *request = take(blk, queue);

		if (!request) {
			blk->waiting &= ~(1u << queue);
			return;
		}
		if (prepare(request)) {
			virtio_begin(&blk->virtio, queue);
			host_disk_submit(blk->disk, &request->host);
		} else {
			answer(request);
			put(request);
		}
	}
}

static void drain_from(struct virtio_blk *blk, unsigned first)
{
	for (unsigned i = 0; i < blk->virtio.queue_count; i++) {
		unsigned queue = (first + i) % blk->virtio.queue_count;

		if (blk->waiting & 1u << queue)
			drain(blk, queue);
	}
}

static void notify(void *device, unsigned queue)
{
	struct virtio_blk *blk = device;

	blk->waiting |= 1u << queue;
	drain_from(blk, queue);
}

static const struct virtio_ops blk_ops = { .notify = notify };

void virtio_blk_init(struct virtio_blk *blk, struct bus *bus, struct memory *memory, struct host_disk *disk,
		     unsigned queues, const char *id)
{
	bool read_only = host_disk_read_only(disk);
	const struct virtio_identity identity = {
		.type = VIRTIO_TYPE_BLOCK,
		.pci_class = PCI_CLASS_MASS_STORAGE,
		.features = BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) |
			    BIT(VIRTIO_BLK_F_MQ) |
			    (read_only ? BIT(VIRTIO_BLK_F_RO)
				       : BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES)),
		.queues = queues,
	};
	const struct config config = {
		.capacity = host_disk_bytes(disk) / SECTOR_BYTES,
		.seg_max = DATA_SEGMENTS_MAX,
		.blk_size = SECTOR_BYTES,
		.num_queues = (u16)queues,
		.max_discard_sectors = RANGE_SECTORS_MAX,
		.max_discard_seg = 1,
		.discard_sector_alignment = 1,
		.max_write_zeroes_sectors = RANGE_SECTORS_MAX,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = 1,
	};

	_Static_assert(sizeof(config) <= VIRTIO_CONFIG_BYTES, "the configuration has room");
	memset(blk, 0, sizeof(*blk));
	blk->bus = bus;
	blk->disk = disk;
	blk->sectors = config.capacity;
	blk->read_only = read_only;
	if (id)
		memcpy(blk->id, id, min_u64(strlen(id), sizeof(blk->id)));
	virtio_init(&blk->virtio, &identity, &blk_ops, blk, memory);
	memcpy(blk->virtio.state.config, &config, sizeof(config));
	for (unsigned i = 0; i < VIRTIO_BLK_REQUESTS; i++) {
		blk->requests[i].blk = blk;
		put(&blk->requests[i]);
	}
}

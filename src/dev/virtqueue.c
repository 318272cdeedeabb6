/*
 * Split virtqueues, the device's side: see virtqueue.h.
 *
 * The driver runs on other processors at the same time, so the rings' indexes are read and written atomically: an index
 * is acquired before what it covers is read, released after what it covers was written; and between writing one side's
 * index and reading the other's wish for a notification stands a full barrier, or both could sleep ("Used Buffer
 * Notification Suppression").
 */
#include "dev/virtqueue.h"

#include <stdatomic.h>

#include "base/bits.h"
#include "base/string.h"
#include "machine/memory.h"

struct virtq_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

#define VIRTQ_DESC_F_NEXT 1u
#define VIRTQ_DESC_F_WRITE 2u
#define VIRTQ_DESC_F_INDIRECT 4u

struct virtq_used_elem {
	u32 id, len;
};

#define VIRTQ_AVAIL_F_NO_INTERRUPT 1u

/* Both rings: u16 flags, u16 idx, the entries, one u16 for the event index. */
#define RING_IDX 2u
#define RING_ENTRIES 4u
#define RING_EVENT_BYTES 2u

#define DESC_ALIGN 16u
#define AVAIL_ALIGN 2u
#define USED_ALIGN 4u

static u64 avail_event_offset(const struct virtqueue *queue)
{
	return RING_ENTRIES + sizeof(u16) * queue->size;
}

static u64 used_event_offset(const struct virtqueue *queue)
{
	return RING_ENTRIES + sizeof(struct virtq_used_elem) * queue->size;
}

static u8 *available_ring(const struct virtqueue *queue, const struct memory *memory)
{
	return memory_at(memory, queue->driver, avail_event_offset(queue) + RING_EVENT_BYTES);
}

static u8 *used_ring(const struct virtqueue *queue, const struct memory *memory)
{
	return memory_at(memory, queue->device, used_event_offset(queue) + RING_EVENT_BYTES);
}

/* The rings are aligned (virtqueue_valid), and so are these. */
static u16 ring_load(u8 *ring, u64 offset)
{
	return atomic_load_explicit((_Atomic u16 *)(void *)(ring + offset), memory_order_acquire);
}

static void ring_store(struct memory *memory, u8 *ring, gpa_t base, u64 offset, u16 value)
{
	atomic_store_explicit((_Atomic u16 *)(void *)(ring + offset), value, memory_order_release);
	memory_written(memory, base + offset, sizeof(value));
}

void virtqueue_reset(struct virtqueue *queue)
{
	*queue = (struct virtqueue){ .size = VIRTQUEUE_SIZE_MAX, .msix_vector = VIRTIO_MSI_NO_VECTOR };
}

bool virtqueue_valid(const struct virtqueue *queue, const struct memory *memory)
{
	return queue->descriptors % DESC_ALIGN == 0 && queue->driver % AVAIL_ALIGN == 0 &&
	       queue->device % USED_ALIGN == 0 &&
	       memory_at(memory, queue->descriptors, sizeof(struct virtq_desc) * queue->size) &&
	       available_ring(queue, memory) && used_ring(queue, memory);
}

/* ---- descriptor chains ---- */

/* A table of descriptors: the queue's own, or an indirect one. */
struct table {
	gpa_t base;
	u32 count;
	bool indirect;
};

static bool read_descriptor(const struct table *table, const struct memory *memory, u32 index, struct virtq_desc *desc)
{
	return index < table->count && memory_read(memory, table->base + sizeof(*desc) * index, desc, sizeof(*desc));
}

/*
 * "Indirect Descriptors": only at the end of a chain, never inside another table, and a whole number of descriptors.
 */
static bool enter_indirect(const struct virtqueue *queue, const struct virtq_desc *desc, struct table *table)
{
	if (!queue->indirect || table->indirect || (desc->flags & VIRTQ_DESC_F_NEXT))
		return false;
	if (!desc->len || desc->len % sizeof(*desc))
		return false;
	*table = (struct table){ .base = desc->addr, .count = desc->len / sizeof(*desc), .indirect = true };
	return true;
}

static bool add_segment(struct virtqueue_chain *chain, const struct memory *memory, const struct virtq_desc *desc)
{
	bool write = desc->flags & VIRTQ_DESC_F_WRITE;
	u8 *host = memory_at(memory, desc->addr, desc->len);

	/* All that the device reads comes before all that it writes ("The Virtqueue Descriptor Table"). */
	if (!host || !desc->len || (!write && chain->writable))
		return false;
	chain->segments[chain->readable + chain->writable] =
		(struct virtqueue_segment){ .memory = host, .gpa = desc->addr, .bytes = desc->len };
	*(write ? &chain->writable : &chain->readable) += 1;
	*(write ? &chain->writable_bytes : &chain->readable_bytes) += desc->len;
	return chain->readable_bytes + chain->writable_bytes <= UINT32_MAX;
}

static bool read_chain(const struct virtqueue *queue, const struct memory *memory, struct virtqueue_chain *chain)
{
	struct table table = { .base = queue->descriptors, .count = queue->size };
	struct virtq_desc desc;
	u32 index = chain->head;

	/*
	 * A loop ends at the limit on segments. (It should be the queue's own size, but with indirect tables drivers go
	 * by the device's limits even when they shrink the queue.)
	 */
	while (read_descriptor(&table, memory, index, &desc)) {
		if (desc.flags & VIRTQ_DESC_F_INDIRECT) {
			if (!enter_indirect(queue, &desc, &table))
				return false;
			index = 0;
			continue;
		}
		if (chain->readable + chain->writable >= VIRTQUEUE_SIZE_MAX || !add_segment(chain, memory, &desc))
			return false;
		if (!(desc.flags & VIRTQ_DESC_F_NEXT))
			return true;
		index = desc.next;
	}
	return false;
}

enum virtqueue_result virtqueue_pop(struct virtqueue *queue, struct memory *memory, struct virtqueue_chain *chain)
{
	u8 *available = available_ring(queue, memory), *used = used_ring(queue, memory);
	u16 waiting;

	if (!available || !used)
		return VIRTQUEUE_BROKEN;
	waiting = (u16)(ring_load(available, RING_IDX) - queue->next_avail);
	if (!waiting && queue->event_idx) {
		ring_store(memory, used, queue->device, used_event_offset(queue), queue->next_avail);
		atomic_thread_fence(memory_order_seq_cst);
		waiting = (u16)(ring_load(available, RING_IDX) - queue->next_avail);
	}
	if (!waiting)
		return VIRTQUEUE_EMPTY;
	/* More outstanding than there are entries: the index is nonsense. */
	if ((u16)(queue->next_avail - queue->published) + waiting > queue->size)
		return VIRTQUEUE_BROKEN;
	chain->head = ring_load(available, RING_ENTRIES + sizeof(u16) * (queue->next_avail % queue->size));
	chain->readable = chain->writable = 0;
	chain->readable_bytes = chain->writable_bytes = 0;
	if (!read_chain(queue, memory, chain))
		return VIRTQUEUE_BROKEN;
	queue->next_avail++;
	return VIRTQUEUE_CHAIN;
}

void virtqueue_rewind(struct virtqueue *queue, u16 count)
{
	queue->next_avail = (u16)(queue->next_avail - count);
	queue->next_used = queue->published;
}

/* ---- the used ring ---- */

bool virtqueue_push(struct virtqueue *queue, struct memory *memory, u16 head, u32 bytes)
{
	struct virtq_used_elem element = { .id = head, .len = bytes };
	u64 offset = RING_ENTRIES + sizeof(element) * (queue->next_used % queue->size);

	if (!memory_write(memory, queue->device + offset, &element, sizeof(element)))
		return false;
	queue->next_used++;
	return true;
}

bool virtqueue_publish(struct virtqueue *queue, struct memory *memory, bool *interrupt)
{
	u8 *available = available_ring(queue, memory), *used = used_ring(queue, memory);
	u16 fresh = (u16)(queue->next_used - queue->published), event;

	*interrupt = false;
	if (!available || !used)
		return false;
	if (!fresh)
		return true;
	ring_store(memory, used, queue->device, RING_IDX, queue->next_used);
	queue->published = queue->next_used;
	atomic_thread_fence(memory_order_seq_cst);
	if (!queue->event_idx) {
		*interrupt = !(ring_load(available, 0) & VIRTQ_AVAIL_F_NO_INTERRUPT);
		return true;
	}
	/* Tell the driver if the entry that it waits for is among the fresh ones. */
	event = ring_load(available, avail_event_offset(queue));
	*interrupt = (u16)(queue->next_used - event - 1) < fresh;
	return true;
}

/* ---- a chain's bytes ---- */

/* Copies between the run of bytes in `count` segments and a buffer; gives `memory` when the segments are written. */
static u64 copy(const struct virtqueue_segment *segments, unsigned count, struct memory *memory, u64 offset, u8 *buffer,
		u64 bytes)
{
	u64 done = 0;

	for (unsigned i = 0; i < count && done < bytes; i++) {
		const struct virtqueue_segment *segment = &segments[i];
		u64 part;

		if (offset >= segment->bytes) {
			offset -= segment->bytes;
			continue;
		}
		part = min_u64(segment->bytes - offset, bytes - done);
		if (memory) {
			memcpy(segment->memory + offset, buffer + done, part);
			memory_written(memory, segment->gpa + offset, part);
		} else {
			memcpy(buffer + done, segment->memory + offset, part);
		}
		done += part;
		offset = 0;
	}
	return done;
}

u64 virtqueue_chain_read(const struct virtqueue_chain *chain, u64 offset, void *to, u64 bytes)
{
	return copy(chain->segments, chain->readable, NULL, offset, to, bytes);
}

u64 virtqueue_chain_write(const struct virtqueue_chain *chain, struct memory *memory, u64 offset, const void *from,
			  u64 bytes)
{
	return copy(chain->segments + chain->readable, chain->writable, memory, offset, (u8 *)from, bytes);
}

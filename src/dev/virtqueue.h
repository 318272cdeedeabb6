/*
 * "Split Virtqueues": the rings in guest memory through which a driver hands buffers to a device.
 *
 * Everything read here was written by the guest, maybe while it is read. Each descriptor is read once; each address and
 * length is checked before use; a chain that breaks a rule makes the queue BROKEN and is never partly used. struct
 * virtqueue is plain data: no pointer into the guest's memory outlives a call.
 */
#ifndef DEV_VIRTQUEUE_H
#define DEV_VIRTQUEUE_H

#include "base/compiler.h"
#include "base/types.h"

struct memory;

#define VIRTQUEUE_SIZE_MAX 128u
#define VIRTIO_MSI_NO_VECTOR 0xffffu

struct virtqueue {
	gpa_t descriptors, driver, device; /* descriptor table, available ring, used ring */
	u16 size;        /* a power of two, at most VIRTQUEUE_SIZE_MAX */
	u16 msix_vector;
	u16 next_avail;  /* entries of the available ring taken */
	u16 next_used;   /* entries of the used ring written */
	u16 published;   /* of which the driver was told */
	bool enabled;
	bool resetting;  /* waits for busy to become 0 */
	bool event_idx, indirect; /* features as negotiated */
	u32 busy;        /* chains that the host still works on */
};

/* A piece of a buffer, all of it RAM. */
struct virtqueue_segment {
	u8 *memory;
	gpa_t gpa;
	u32 bytes;
};

/* A descriptor chain: first what the device reads, then what it writes. */
struct virtqueue_chain {
	u16 head;
	unsigned readable, writable; /* segments */
	u64 readable_bytes, writable_bytes; /* sum below 4 GiB */
	struct virtqueue_segment segments[VIRTQUEUE_SIZE_MAX];
};

enum virtqueue_result { VIRTQUEUE_EMPTY, VIRTQUEUE_CHAIN, VIRTQUEUE_BROKEN };

/* Power-on state. */
void virtqueue_reset(struct virtqueue *queue);
/* Whether the three parts are aligned and in RAM. */
bool virtqueue_valid(const struct virtqueue *queue, const struct memory *memory);

/* Takes the next chain. When EMPTY, the driver has been asked to notify of the next one. */
MUST_USE enum virtqueue_result virtqueue_pop(struct virtqueue *queue, struct memory *memory,
					     struct virtqueue_chain *chain);
/* As if the last `count` chains had not been taken, nor anything pushed since virtqueue_publish(). */
void virtqueue_rewind(struct virtqueue *queue, u16 count);
/* Writes a used element; the driver does not see it before virtqueue_publish(). */
MUST_USE bool virtqueue_push(struct virtqueue *queue, struct memory *memory, u16 head, u32 bytes);
/* Shows the driver what was pushed; *interrupt: it wants to be told. false: the ring is not in RAM. */
MUST_USE bool virtqueue_publish(struct virtqueue *queue, struct memory *memory, bool *interrupt);

/*
 * Copies between a chain's readable (or writable) bytes, as one run, and a buffer. Returns how many bytes there were to
 * copy, at most `bytes`.
 */
u64 virtqueue_chain_read(const struct virtqueue_chain *chain, u64 offset, void *to, u64 bytes);
u64 virtqueue_chain_write(const struct virtqueue_chain *chain, struct memory *memory, u64 offset, const void *from,
			  u64 bytes);

#endif

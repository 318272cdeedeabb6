/*
 * "Entropy Device": one queue of buffers to fill.
 *
 * A buffer gets at most RNG_BYTES_MAX: the device may use less than all of it, and drivers take what they get.
 */
#include "dev/virtio_rng.h"

#include "base/bits.h"

#define RNG_BYTES_MAX 4096u
#define PCI_CLASS_OTHER 0x00ff00

static u64 fill(struct virtio_rng *rng, const struct virtqueue_chain *chain)
{
	u64 bytes = min_u64(chain->writable_bytes, RNG_BYTES_MAX), done = 0;

	while (done < bytes) {
		u64 value = rng->random(rng->source);

		done += virtqueue_chain_write(chain, rng->virtio.memory, done, &value,
					      min_u64(sizeof(value), bytes - done));
	}
	return done;
}

static void notify(void *device, unsigned queue)
{
	struct virtio_rng *rng = device;
	struct virtqueue_chain chain;

	while (virtio_pop(&rng->virtio, queue, &chain))
		virtio_push(&rng->virtio, queue, chain.head, fill(rng, &chain));
	virtio_signal(&rng->virtio, queue);
}

static const struct virtio_ops rng_ops = { .notify = notify };

void virtio_rng_init(struct virtio_rng *rng, struct memory *memory, u64 (*random)(void *source), void *source)
{
	const struct virtio_identity identity = {
		.type = VIRTIO_TYPE_ENTROPY,
		.pci_class = PCI_CLASS_OTHER,
		.queues = 1,
	};

	virtio_init(&rng->virtio, &identity, &rng_ops, rng, memory);
	rng->random = random;
	rng->source = source;
}

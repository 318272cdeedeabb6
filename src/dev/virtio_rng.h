/* "Entropy Device": random bytes for the guest, from a source of the machine's. */
#ifndef DEV_VIRTIO_RNG_H
#define DEV_VIRTIO_RNG_H

#include "dev/virtio.h"

struct virtio_rng {
	struct virtio virtio;
	u64 (*random)(void *source);
	void *source;
};

/* random: 64 random bits; repeatable ones where the machine must be. The caller attaches virtio.pci. */
void virtio_rng_init(struct virtio_rng *rng, struct memory *memory, u64 (*random)(void *source), void *source);

#endif

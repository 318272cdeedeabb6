/*
 * The life of a virtio device: status, features, queues, reset ("General Initialization And Device Operation").
 *
 * A reset asked for while the host still works on requests is done when the last of them is, and until then the status
 * does not read 0: so a driver that waits for that, as it must, never sees its memory change afterwards.
 */
#include "dev/virtio.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/string.h"
#include "base/trace.h"

#define FEATURES_OF_EVERY_DEVICE                                                                                       \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) | BIT(VIRTIO_F_RING_RESET))
#define STATUS_WRITABLE                                                                                                \
	(VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK |      \
	 VIRTIO_STATUS_FAILED)

void virtio_init(struct virtio *virtio, const struct virtio_identity *identity, const struct virtio_ops *ops,
		 void *device, struct memory *memory)
{
	ASSERT(identity->queues >= 1 && identity->queues <= VIRTIO_QUEUES_MAX);
	*virtio = (struct virtio){
		.ops = ops,
		.device = device,
		.memory = memory,
		.type = identity->type,
		.features = identity->features | FEATURES_OF_EVERY_DEVICE,
		.queue_count = identity->queues,
	};
	virtio_pci_init(virtio, identity);
	virtio_reset(virtio);
}

void virtio_reset(struct virtio *virtio)
{
	struct virtio_state *state = &virtio->state;

	ASSERT(!virtio_busy(virtio));
	state->driver_features = 0;
	state->device_feature_select = state->driver_feature_select = 0;
	state->queue_select = 0;
	state->config_msix_vector = VIRTIO_MSI_NO_VECTOR;
	state->status = 0;
	state->isr = 0;
	state->resetting = false;
	for (unsigned i = 0; i < VIRTIO_QUEUES_MAX; i++)
		virtqueue_reset(&state->queues[i]);
	pci_set_intx(&virtio->pci, false);
}

bool virtio_busy(const struct virtio *virtio)
{
	for (unsigned i = 0; i < virtio->queue_count; i++) {
		if (virtio->state.queues[i].busy)
			return true;
	}
	return false;
}

/* Finishes what waits for the host to finish. */
static void settle(struct virtio *virtio)
{
	if (virtio->state.resetting && !virtio_busy(virtio))
		virtio_reset(virtio);
	for (unsigned i = 0; i < virtio->queue_count; i++) {
		struct virtqueue *queue = &virtio->state.queues[i];

		if (queue->resetting && !queue->busy)
			virtqueue_reset(queue);
	}
}

/* "The device MUST NOT offer / accept": the driver took nothing that was not offered, and is not a legacy one. */
static bool features_acceptable(const struct virtio *virtio)
{
	return !(virtio->state.driver_features & ~virtio->features) && virtio_has_feature(virtio, VIRTIO_F_VERSION_1);
}

void virtio_write_status(struct virtio *virtio, u8 status)
{
	struct virtio_state *state = &virtio->state;
	u8 fresh;

	if (!status) {
		state->resetting = true;
		settle(virtio);
		return;
	}
	/* "The driver MUST NOT clear a device status bit": only a reset does. */
	fresh = status & STATUS_WRITABLE & ~state->status;
	if (state->resetting)
		return;
	if ((fresh & VIRTIO_STATUS_FEATURES_OK) && !features_acceptable(virtio))
		fresh &= (u8)~VIRTIO_STATUS_FEATURES_OK;
	if (!((state->status | fresh) & VIRTIO_STATUS_FEATURES_OK))
		fresh &= (u8)~VIRTIO_STATUS_DRIVER_OK;
	state->status |= fresh;
	if (!(fresh & VIRTIO_STATUS_DRIVER_OK))
		return;
	for (unsigned i = 0; i < virtio->queue_count; i++)
		virtio_notify(virtio, i);
}

bool virtio_has_feature(const struct virtio *virtio, unsigned bit)
{
	return virtio->state.driver_features & BIT(bit);
}

bool virtio_running(const struct virtio *virtio)
{
	return (virtio->state.status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_DEVICE_NEEDS_RESET)) ==
		       VIRTIO_STATUS_DRIVER_OK &&
	       !virtio->state.resetting && pci_bus_master(&virtio->pci);
}

void virtio_fail(struct virtio *virtio)
{
	if (virtio->state.status & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
		return;
	virtio->state.status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
	/* "If DRIVER_OK is set, after it sets DEVICE_NEEDS_RESET, the device MUST send a device configuration change
	 * notification" */
	if (virtio->state.status & VIRTIO_STATUS_DRIVER_OK)
		virtio_interrupt_config(virtio);
}

void virtio_change_config(struct virtio *virtio, unsigned offset, const void *bytes, unsigned count)
{
	ASSERT(offset + count <= VIRTIO_CONFIG_BYTES);
	memcpy(virtio->state.config + offset, bytes, count);
	virtio->state.config_generation++;
	if (virtio_running(virtio))
		virtio_interrupt_config(virtio);
}

/* ---- queues ---- */

static bool usable(const struct virtio *virtio, unsigned queue)
{
	return virtio_running(virtio) && virtio->state.queues[queue].enabled && !virtio->state.queues[queue].resetting;
}

void virtio_enable_queue(struct virtio *virtio, unsigned queue)
{
	struct virtqueue *q = &virtio->state.queues[queue];

	if (q->enabled || q->resetting || virtio->state.resetting)
		return;
	if (!virtqueue_valid(q, virtio->memory)) {
		virtio_fail(virtio);
		return;
	}
	q->event_idx = virtio_has_feature(virtio, VIRTIO_F_EVENT_IDX);
	q->indirect = virtio_has_feature(virtio, VIRTIO_F_INDIRECT_DESC);
	q->enabled = true;
}

void virtio_reset_queue(struct virtio *virtio, unsigned queue)
{
	struct virtqueue *q = &virtio->state.queues[queue];

	if (!q->enabled || !virtio_has_feature(virtio, VIRTIO_F_RING_RESET))
		return;
	q->resetting = true;
	settle(virtio);
}

void virtio_notify(struct virtio *virtio, unsigned queue)
{
	if (queue < virtio->queue_count && usable(virtio, queue))
		virtio->ops->notify(virtio->device, queue);
}

static const char *const type_names[] = {
	[VIRTIO_TYPE_NET] = "net", [VIRTIO_TYPE_BLOCK] = "block", [VIRTIO_TYPE_CONSOLE] = "console",
	[VIRTIO_TYPE_ENTROPY] = "entropy",
};

bool virtio_pop(struct virtio *virtio, unsigned queue, struct virtqueue_chain *chain)
{
	enum virtqueue_result result;

	if (!usable(virtio, queue))
		return false;
	result = virtqueue_pop(&virtio->state.queues[queue], virtio->memory, chain);
	if (result == VIRTQUEUE_BROKEN)
		virtio_fail(virtio);
	if (result == VIRTQUEUE_CHAIN)
		TRACE(virtio->trace, VIRTIO, TRACE_NO_PROCESSOR, trace_text(type_names[virtio->type]), virtio->pci.slot, queue,
		      chain->head, chain->readable_bytes + chain->writable_bytes);
	return result == VIRTQUEUE_CHAIN;
}

void virtio_rewind(struct virtio *virtio, unsigned queue, u16 chains)
{
	virtqueue_rewind(&virtio->state.queues[queue], chains);
}

void virtio_push(struct virtio *virtio, unsigned queue, u16 head, u64 bytes)
{
	if (usable(virtio, queue) &&
	    !virtqueue_push(&virtio->state.queues[queue], virtio->memory, head, (u32)bytes))
		virtio_fail(virtio);
}

void virtio_signal(struct virtio *virtio, unsigned queue)
{
	bool interrupt;

	if (!usable(virtio, queue))
		return;
	if (!virtqueue_publish(&virtio->state.queues[queue], virtio->memory, &interrupt))
		virtio_fail(virtio);
	else if (interrupt)
		virtio_interrupt_queue(virtio, queue);
}

void virtio_begin(struct virtio *virtio, unsigned queue)
{
	virtio->state.queues[queue].busy++;
}

bool virtio_end(struct virtio *virtio, unsigned queue)
{
	bool wanted = usable(virtio, queue);

	ASSERT(virtio->state.queues[queue].busy);
	virtio->state.queues[queue].busy--;
	settle(virtio);
	return wanted;
}

/*
 * "Network Device": see virtio_net.h.
 *
 * Each frame in a buffer is preceded by struct virtio_net_hdr. A received frame may be spread over several buffers if
 * the driver took MRG_RXBUF; their count goes into the first one's header, which is written last.
 */
#include "dev/virtio_net.h"

#include "base/bits.h"
#include "base/string.h"

#define VIRTIO_NET_F_MAC 5u
#define VIRTIO_NET_F_MRG_RXBUF 15u
#define VIRTIO_NET_F_STATUS 16u
#define VIRTIO_NET_S_LINK_UP 1u

#define PCI_CLASS_ETHERNET 0x020000
#define RECEIVE_QUEUE 0u
#define TRANSMIT_QUEUE 1u

/* "struct virtio_net_config" */
struct config {
	u8 mac[VIRTIO_NET_MAC_BYTES];
	u16 status;
} PACKED;

/* "struct virtio_net_hdr"; without offloads all but the last field is zero. */
struct header {
	u8 flags, gso_type;
	u16 hdr_len, gso_size, csum_start, csum_offset;
	u16 num_buffers;
};

/* ---- receive ---- */

/*
 * Writes header and frame into as many buffers as it takes. false if there are too few: then none is taken. A frame
 * that one buffer cannot hold, where the driver allows no more, is lost.
 */
static bool deliver(struct virtio_net *device, const u8 *frame, u64 bytes)
{
	struct virtio *virtio = &device->virtio;
	struct virtqueue_chain first, further, *chain = &first;
	struct header header = { 0 };
	u64 done = 0, skip = sizeof(header), written;

	do {
		if (!virtio_pop(virtio, RECEIVE_QUEUE, chain)) {
			virtio_rewind(virtio, RECEIVE_QUEUE, header.num_buffers);
			return false;
		}
		/* "... each buffer at least of the size of struct virtio_net_hdr" */
		if (chain->writable_bytes < sizeof(header)) {
			virtio_fail(virtio);
			return false;
		}
		written = virtqueue_chain_write(chain, virtio->memory, skip, frame + done, bytes - done);
		virtio_push(virtio, RECEIVE_QUEUE, chain->head, skip + written);
		done += written;
		header.num_buffers++;
		chain = &further;
		skip = 0;
	} while (done < bytes && virtio_has_feature(virtio, VIRTIO_NET_F_MRG_RXBUF));
	if (done < bytes) {
		virtio_rewind(virtio, RECEIVE_QUEUE, header.num_buffers);
		return true;
	}
	virtqueue_chain_write(&first, virtio->memory, 0, &header, sizeof(header));
	virtio_signal(virtio, RECEIVE_QUEUE);
	return true;
}

/* From the host's I/O thread, bus lock held. */
static bool receive(void *context, const u8 *frame, size_t bytes)
{
	struct virtio_net *device = context;

	if (!virtio_running(&device->virtio))
		return true; /* nobody listens: as on a wire, the frame is lost */
	device->starved = !deliver(device, frame, bytes) && virtio_running(&device->virtio);
	return !device->starved;
}

/* ---- transmit ---- */

static void transmit(struct virtio_net *device)
{
	struct virtio *virtio = &device->virtio;
	struct virtqueue_chain chain;

	while (virtio_pop(virtio, TRANSMIT_QUEUE, &chain)) {
		/* A copy: what the host looks at must not change meanwhile. */
		u64 bytes = virtqueue_chain_read(&chain, sizeof(struct header), device->frame, sizeof(device->frame));

		if (bytes && chain.readable_bytes <= sizeof(struct header) + sizeof(device->frame))
			host_net_send(device->net, device->frame, bytes);
		virtio_push(virtio, TRANSMIT_QUEUE, chain.head, 0);
	}
	virtio_signal(virtio, TRANSMIT_QUEUE);
}

static void notify(void *context, unsigned queue)
{
	struct virtio_net *device = context;

	if (queue == TRANSMIT_QUEUE) {
		transmit(device);
	} else if (device->starved) {
		device->starved = false;
		host_net_resume(device->net);
	}
}

static const struct virtio_ops net_ops = { .notify = notify };

void virtio_net_init(struct virtio_net *device, struct memory *memory, struct host_net *net,
		     const u8 mac[VIRTIO_NET_MAC_BYTES])
{
	const struct virtio_identity identity = {
		.type = VIRTIO_TYPE_NET,
		.pci_class = PCI_CLASS_ETHERNET,
		.features = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS),
		.queues = 2,
	};
	struct config config = { .status = VIRTIO_NET_S_LINK_UP };

	device->net = net;
	device->starved = false;
	virtio_init(&device->virtio, &identity, &net_ops, device, memory);
	memcpy(config.mac, mac, sizeof(config.mac));
	memcpy(device->virtio.state.config, &config, sizeof(config));
	host_net_attach(net, receive, device);
}

void virtio_net_set_link(struct virtio_net *device, bool up)
{
	u16 status = up ? VIRTIO_NET_S_LINK_UP : 0;

	virtio_change_config(&device->virtio, offsetof(struct config, status), &status, sizeof(status));
}

/*
 * "Network Device": a host's Ethernet port as a virtio one, with one receive and one transmit queue.
 *
 * No offloads: frames pass as they are. A frame that finds no room stays with the host until the driver makes buffers
 * available.
 */
#ifndef DEV_VIRTIO_NET_H
#define DEV_VIRTIO_NET_H

#include "dev/virtio.h"
#include "host/host.h"

#define VIRTIO_NET_MAC_BYTES 6u

struct virtio_net {
	struct virtio virtio;
	struct host_net *net;
	bool starved; /* the host holds back a frame */
	u8 frame[HOST_NET_FRAME_BYTES]; /* being sent */
};

/* The caller attaches virtio.pci. */
void virtio_net_init(struct virtio_net *device, struct memory *memory, struct host_net *net,
		     const u8 mac[VIRTIO_NET_MAC_BYTES]);
/* The cable: the driver sees VIRTIO_NET_S_LINK_UP or not. Up at first. Bus lock held. */
void virtio_net_set_link(struct virtio_net *device, bool up);

#endif

/* Ethernet ports of the Linux host: passt for user mode, existing tap devices. */
#ifndef HOST_LINUX_NET_H
#define HOST_LINUX_NET_H

#include "host/host.h"

#define NET_MAX_FORWARDS 8u

/* A TCP port of the host that leads to one of the guest's. */
struct net_forward {
	const char *address; /* of the host, numeric IPv4 */
	u16 host_port, guest_port;
};

/*
 * Starts passt, a process of its own without privileges, which speaks for the guest on the host's network. It ends when the port
 * is closed, or this process ends.
 */
struct host_net *net_open_user(struct host_io *io, const struct net_forward *forward, unsigned forwards,
			       struct host_error *error);
/* An existing tap device that this user may open. */
struct host_net *net_open_tap(struct host_io *io, const char *interface, struct host_error *error);
void net_close(struct host_net *net);

#endif

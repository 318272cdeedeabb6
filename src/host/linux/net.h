/* Ethernet ports of the Linux host: passt for user mode, existing tap devices. */
#ifndef HOST_LINUX_NET_H
#define HOST_LINUX_NET_H

#include "host/host.h"

/*
 * Starts passt, a process of its own without privileges, which speaks for the guest on the host's network. forward: HOST:GUEST TCP
 * ports that passt listens on for the guest.
 */
struct host_net *net_open_user(struct host_io *io, const char *const *forward, unsigned forwards, struct host_error *error);
/* An existing tap device that this user may open. */
struct host_net *net_open_tap(struct host_io *io, const char *interface, struct host_error *error);
void net_close(struct host_net *net);

#endif

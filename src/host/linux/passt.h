/* passt: a program that carries a guest's Ethernet frames to the host's network, without privileges. */
#ifndef HOST_LINUX_PASST_H
#define HOST_LINUX_PASST_H

#include "host/linux/net.h"

/*
 * Starts passt and waits until it is ready. Returns the stream socket to it, where each frame has its length before it (32 bits,
 * big-endian); -1: error. passt ends when the socket is closed.
 */
int passt_start(const struct net_forward *forward, unsigned forwards, struct host_error *error);
/* Closes the socket and waits a moment for passt to give its ports back. */
void passt_stop(int fd);

#endif

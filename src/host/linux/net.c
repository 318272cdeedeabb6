/*
 * Ethernet ports of the Linux host. See net.h.
 *
 * A tap device moves one frame per read or write; passt's stream socket puts a 32-bit big-endian length before each. What
 * the kernel does not take at once is dropped, as on a wire that is full: the guest's TCP copes, and a device's
 * thread never waits here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/log.h"
#include "host/linux/io.h"
#include "host/linux/net.h"
#include "host/linux/passt.h"

#define LENGTH_BYTES 4

struct host_net {
	struct host_io *io;
	struct host_io_source source;
	bool framed;   /* passt's length before each frame */
	bool blocked;  /* the device had no room for the first frame in buffer */
	bool dead;     /* the peer is gone */
	bool (*receive)(void *device, const u8 *frame, size_t bytes);
	void *device;
	size_t held; /* bytes in buffer */
	u8 buffer[LENGTH_BYTES + HOST_NET_FRAME_BYTES];
	size_t unsent; /* bytes in rest: the end of a frame that is under way */
	u8 rest[LENGTH_BYTES + HOST_NET_FRAME_BYTES];
};

/* ---- receiving ---- */

/* The first frame in the buffer, NULL if it is not complete. *used: its bytes with the length. */
static const u8 *first_frame(const struct host_net *net, size_t *bytes, size_t *used)
{
	u32 length;

	if (!net->framed) {
		*bytes = *used = net->held;
		return net->held ? net->buffer : NULL;
	}
	if (net->held < LENGTH_BYTES)
		return NULL;
	memcpy(&length, net->buffer, LENGTH_BYTES);
	*bytes = ntohl(length);
	*used = *bytes + LENGTH_BYTES;
	return *used <= net->held ? net->buffer + LENGTH_BYTES : NULL;
}

static void offer_frames(struct host_net *net)
{
	size_t bytes, used;
	const u8 *frame;

	net->blocked = false;
	while ((frame = first_frame(net, &bytes, &used))) {
		if (net->receive && !net->receive(net->device, frame, bytes)) {
			net->blocked = true;
			return;
		}
		net->held -= used;
		memmove(net->buffer, net->buffer + used, net->held);
	}
}

static void peer_gone(struct host_net *net)
{
	if (!net->dead)
		log_warn("the network's other end is gone (%s): what the guest sends is lost from now on",
			 net->framed ? "passt ended" : "the tap device");
	net->dead = true;
}

static short net_wanted(void *owner)
{
	struct host_net *net = owner;

	if (net->dead || !net->receive)
		return 0;
	return (short)((net->blocked ? 0 : POLLIN) | (net->unsent ? POLLOUT : 0));
}

/* A stream must carry whole frames: the rest of a started one goes before anything else. */
static void send_rest(struct host_net *net)
{
	ssize_t sent = write(net->source.fd, net->rest, net->unsent);

	if (sent <= 0)
		return; /* a peer that is gone is noticed when reading */
	net->unsent -= (size_t)sent;
	memmove(net->rest, net->rest + sent, net->unsent);
}

static void net_ready(void *owner, short events)
{
	struct host_net *net = owner;
	ssize_t count;

	if (events & POLLOUT && net->unsent)
		send_rest(net);
	if (net->blocked && events & (POLLHUP | POLLERR))
		peer_gone(net);
	if (net->blocked || !(events & (POLLIN | POLLHUP | POLLERR)))
		return;
	count = read(net->source.fd, net->buffer + net->held, sizeof(net->buffer) - net->held);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count <= 0) {
		peer_gone(net);
		return;
	}
	net->held += (size_t)count;
	offer_frames(net);
	if (net->framed && net->held == sizeof(net->buffer) && !net->blocked)
		peer_gone(net); /* a length that no frame can have */
}

void host_net_attach(struct host_net *net, bool (*receive)(void *device, const u8 *frame, size_t bytes), void *device)
{
	net->receive = receive;
	net->device = device;
}

void host_net_resume(struct host_net *net)
{
	if (net->blocked)
		offer_frames(net);
	host_io_wake(net->io);
}

/* ---- sending ---- */

void host_net_send(struct host_net *net, const u8 *frame, size_t bytes)
{
	u32 length = htonl((u32)bytes);
	struct iovec parts[] = { { &length, LENGTH_BYTES }, { (void *)(uintptr_t)frame, bytes } };
	unsigned first = net->framed ? 0 : 1;
	size_t done;
	ssize_t sent;

	if (net->dead || net->unsent || bytes > HOST_NET_FRAME_BYTES)
		return;
	sent = writev(net->source.fd, parts + first, (int)(2 - first));
	if (sent <= 0 || !net->framed || (size_t)sent == LENGTH_BYTES + bytes)
		return;
	done = (size_t)sent;
	if (done < LENGTH_BYTES) {
		net->unsent = LENGTH_BYTES - done;
		memcpy(net->rest, (u8 *)&length + done, net->unsent);
		done = LENGTH_BYTES;
	}
	memcpy(net->rest + net->unsent, frame + done - LENGTH_BYTES, bytes + LENGTH_BYTES - done);
	net->unsent += bytes + LENGTH_BYTES - done;
	host_io_wake(net->io);
}

/* ---- opening ---- */

static struct host_net *net_new(struct host_io *io, int fd, bool framed, struct host_error *error)
{
	struct host_net *net = calloc(1, sizeof(*net));

	if (!net) {
		host_error_set(error, "out of memory");
		close(fd);
		return NULL;
	}
	net->io = io;
	net->framed = framed;
	net->source = (struct host_io_source){ .fd = fd, .wanted = net_wanted, .ready = net_ready, .owner = net };
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	host_io_add(io, &net->source);
	return net;
}

struct host_net *net_open_tap(struct host_io *io, const char *interface, struct host_error *error)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (strlen(interface) >= IFNAMSIZ || !if_nametoindex(interface)) {
		host_error_set(error, "tap device '%s' does not exist; make it with `ip tuntap add dev NAME mode tap user $USER`",
			       interface);
		return close(fd), NULL;
	}
	strcpy(request.ifr_name, interface);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) {
		host_error_set(error, "tap device '%s': %s", interface, strerror(errno));
		return close(fd), NULL;
	}
	return net_new(io, fd, false, error);
}

struct host_net *net_open_user(struct host_io *io, const struct net_forward *forward, unsigned forwards,
			       struct host_error *error)
{
	int fd = passt_start(forward, forwards, error);

	return fd < 0 ? NULL : net_new(io, fd, true, error);
}

void net_close(struct host_net *net)
{
	if (!net)
		return;
	host_io_remove(net->io, &net->source);
	if (net->framed)
		passt_stop(net->source.fd);
	else
		close(net->source.fd);
	free(net);
}

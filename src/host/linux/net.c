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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "host/linux/io.h"
#include "host/linux/net.h"

#define SOCKET_BUFFER_BYTES (1 << 20)
#define LENGTH_BYTES 4

struct host_net {
	struct host_io *io;
	struct host_io_source source;
	bool framed;   /* passt's length before each frame */
	bool blocked;  /* the device had no room for the first frame in buffer */
	bool dead;     /* the peer is gone */
	pid_t passt;
	bool (*receive)(void *device, const u8 *frame, size_t bytes);
	void *device;
	size_t held; /* bytes in buffer */
	u8 buffer[LENGTH_BYTES + HOST_NET_FRAME_BYTES];
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
		log_warn("the network's other end is gone (%s); the guest's card is now unplugged",
			 net->framed ? "passt ended" : "tap device");
	net->dead = true;
}

static short net_wanted(void *owner)
{
	struct host_net *net = owner;

	return net->blocked || net->dead || !net->receive ? 0 : POLLIN;
}

static void net_ready(void *owner, short events)
{
	struct host_net *net = owner;
	ssize_t count = read(net->source.fd, net->buffer + net->held, sizeof(net->buffer) - net->held);

	(void)events;
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

/* A stream must carry whole frames: what is left of a started one is waited for. */
static void send_rest(struct host_net *net, const u8 *bytes, size_t count)
{
	while (count) {
		ssize_t sent = write(net->source.fd, bytes, count);
		struct pollfd writable = { .fd = net->source.fd, .events = POLLOUT };

		if (sent < 0 && errno == EAGAIN) {
			poll(&writable, 1, -1);
		} else if (sent < 0 && errno != EINTR) {
			return;
		} else if (sent > 0) {
			bytes += sent;
			count -= (size_t)sent;
		}
	}
}

void host_net_send(struct host_net *net, const u8 *frame, size_t bytes)
{
	u32 length = htonl((u32)bytes);
	struct iovec parts[] = { { &length, LENGTH_BYTES }, { (void *)(uintptr_t)frame, bytes } };
	unsigned first = net->framed ? 0 : 1;
	ssize_t sent;
	size_t prefix;

	if (net->dead)
		return;
	sent = writev(net->source.fd, parts + first, (int)(2 - first));
	if (sent <= 0 || !net->framed || (size_t)sent == LENGTH_BYTES + bytes)
		return;
	prefix = (size_t)sent < LENGTH_BYTES ? LENGTH_BYTES - (size_t)sent : 0;
	send_rest(net, (u8 *)&length + LENGTH_BYTES - prefix, prefix);
	send_rest(net, frame + (size_t)sent + prefix - LENGTH_BYTES, bytes - ((size_t)sent + prefix - LENGTH_BYTES));
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

#define PASST_MAX_ARGUMENTS 24

static void passt_exec(int fd, const char *const *forward, unsigned forwards)
{
	char number[16];
	const char *arguments[PASST_MAX_ARGUMENTS] = { "passt", "--foreground", "--quiet", "--one-off", "--fd", number };
	unsigned count = 6;
	sigset_t none;

	snprintf(number, sizeof(number), "%d", fd);
	for (unsigned i = 0; i < forwards && count + 2 < PASST_MAX_ARGUMENTS; i++) {
		arguments[count++] = "--tcp-ports";
		arguments[count++] = forward[i];
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0); /* Ctrl-C is the guest's */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	execvp("passt", (char *const *)(uintptr_t)arguments);
	_exit(127);
}

struct host_net *net_open_user(struct host_io *io, const char *const *forward, unsigned forwards, struct host_error *error)
{
	struct host_net *net;
	int ends[2], size = SOCKET_BUFFER_BYTES;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		host_error_set(error, "cannot make a socket for passt: %s", strerror(errno));
		return NULL;
	}
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	child = fork();
	if (!child) {
		fcntl(ends[1], F_SETFD, 0);
		passt_exec(ends[1], forward, forwards);
	}
	close(ends[1]);
	if (child < 0) {
		host_error_set(error, "cannot start passt: %s", strerror(errno));
		return close(ends[0]), NULL;
	}
	net = net_new(io, ends[0], true, error);
	if (net)
		net->passt = child;
	return net;
}

void net_close(struct host_net *net)
{
	if (!net)
		return;
	host_io_remove(net->io, &net->source);
	close(net->source.fd);
	if (net->passt > 0) {
		kill(net->passt, SIGTERM);
		waitpid(net->passt, NULL, 0);
	}
	free(net);
}

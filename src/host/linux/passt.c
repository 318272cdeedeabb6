/*
 * Starting and stopping passt. See passt.h.
 *
 * passt goes to the background once it is ready, and its first process ends then: so its exit status tells whether it
 * works, and what it said on stderr until then tells why not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/linux/passt.h"
#include "host/linux/program.h"

#define SOCKET_BUFFER_BYTES (1 << 20)
#define STOP_LIMIT_MS 1000
#define OUTPUT_BYTES 4096
#define FORWARD_BYTES 48

/* What passt says about the system's log instead of about us. */
#define NOISE "Failed to send"

/* ---- ports ---- */

/* passt itself only says that it could bind no port. */
static bool port_is_free(const struct net_forward *forward, struct host_error *error)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(forward->host_port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	bool ok;

	inet_pton(AF_INET, forward->address, &address.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	ok = !bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 1);
	if (!ok)
		host_error_set(error, "--net forward: port %u of %s: %s; %s", forward->host_port, forward->address,
			       strerror(errno),
			       errno == EACCES ? "choose one above 1023" : "choose another");
	close(fd);
	return ok;
}

/* ---- the process ---- */

static void child_body(const char *program, int fd, int out, const struct net_forward *forward, unsigned forwards)
{
	char number[16], ports[NET_MAX_FORWARDS][FORWARD_BYTES];
	const char *arguments[6 + 2 * NET_MAX_FORWARDS + 1] = { "passt", "--quiet", "--stderr", "--fd", number };
	unsigned count = 5;
	sigset_t none;

	snprintf(number, sizeof(number), "%d", fd);
	for (unsigned i = 0; i < forwards; i++) {
		snprintf(ports[i], sizeof(ports[i]), "%s/%u:%u", forward[i].address, forward[i].host_port, forward[i].guest_port);
		arguments[count++] = "--tcp-ports";
		arguments[count++] = ports[i];
	}
	fcntl(fd, F_SETFD, 0);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(program, (char *const *)(uintptr_t)arguments);
	dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
	_exit(127);
}

/* The last line that says something. */
static const char *last_words(char *text)
{
	const char *words = "it says no more";

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (*line && strncmp(line, NOISE, strlen(NOISE)))
			words = line;
	return words;
}

/* Until the first process ends; its children may hold the pipe open longer. */
static bool wait_ready(pid_t child, int in, struct host_error *error)
{
	char text[OUTPUT_BYTES] = "";
	size_t length = 0;
	ssize_t count;
	int status;

	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	fcntl(in, F_SETFL, O_NONBLOCK);
	while ((count = read(in, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)count;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return true;
	host_error_set(error, "--net mode=user: passt does not work here: %.180s", last_words(text));
	return false;
}

static bool start(const char *program, int fd, const struct net_forward *forward, unsigned forwards, struct host_error *error)
{
	int output[2];
	pid_t child;
	bool ok;

	if (pipe2(output, O_CLOEXEC)) {
		host_error_set(error, "cannot make a pipe for passt: %s", strerror(errno));
		return false;
	}
	child = fork();
	if (!child)
		child_body(program, fd, output[1], forward, forwards);
	close(output[1]);
	if (child < 0)
		host_error_set(error, "cannot start passt: %s", strerror(errno));
	ok = child > 0 && wait_ready(child, output[0], error);
	close(output[0]);
	return ok;
}

int passt_start(const struct net_forward *forward, unsigned forwards, struct host_error *error)
{
	int ends[2], size = SOCKET_BUFFER_BYTES;
	char program[4096];
	bool ok;

	if (!program_find("passt", program, sizeof(program))) {
		host_error_set(error, "--net mode=user needs passt: install package passt, or use mode=tap or mode=none");
		return -1;
	}
	for (unsigned i = 0; i < forwards; i++)
		if (!port_is_free(&forward[i], error))
			return -1;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
		host_error_set(error, "cannot make a socket for passt: %s", strerror(errno));
		return -1;
	}
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	ok = start(program, ends[1], forward, forwards, error);
	close(ends[1]);
	if (ok)
		return ends[0];
	close(ends[0]);
	return -1;
}

void passt_stop(int fd)
{
	struct pollfd closed = { .fd = fd, .events = POLLIN };
	char rest[OUTPUT_BYTES];

	shutdown(fd, SHUT_WR);
	while (poll(&closed, 1, STOP_LIMIT_MS) > 0 && read(fd, rest, sizeof(rest)) > 0)
		;
	close(fd);
}

/*
 * The user's terminal in raw mode. See terminal.h.
 *
 * No handler runs after SIGKILL, so a guard process waits on a pipe that only this process holds open: when the pipe closes
 * without a word, the guard restores the terminal.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "host/linux/terminal.h"

static struct {
	int fd;          /* the terminal; -1: not raw */
	int guard_pipe;  /* a byte here sends the guard home */
	pid_t guard;
	struct termios cooked;
} terminal = { .fd = -1 };

static void guard_body(int pipe_end)
{
	char byte;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_IGN);
	if (read(pipe_end, &byte, 1) <= 0)
		tcsetattr(terminal.fd, TCSANOW, &terminal.cooked);
	_exit(0);
}

static void guard_start(void)
{
	int ends[2];

	if (pipe(ends))
		return;
	terminal.guard = fork();
	if (!terminal.guard) {
		close(ends[1]);
		setpgid(0, 0); /* a Ctrl-C meant for the group is not for the guard */
		prctl(PR_SET_NAME, "subring-guard");
		guard_body(ends[0]);
	}
	close(ends[0]);
	terminal.guard_pipe = ends[1];
}

void terminal_raw(int fd)
{
	struct termios raw;

	if (terminal.fd >= 0 || tcgetattr(fd, &terminal.cooked))
		return;
	terminal.fd = fd;
	guard_start();
	atexit(terminal_restore);
	raw = terminal.cooked;
	cfmakeraw(&raw);
	raw.c_oflag = terminal.cooked.c_oflag; /* the guest's "\n" may still become CR LF */
	tcsetattr(fd, TCSANOW, &raw);
}

void terminal_restore(void)
{
	if (terminal.fd < 0)
		return;
	tcsetattr(terminal.fd, TCSADRAIN, &terminal.cooked);
	terminal.fd = -1;
	if (terminal.guard > 0) {
		if (write(terminal.guard_pipe, "", 1) == 1)
			waitpid(terminal.guard, NULL, 0);
		close(terminal.guard_pipe);
	}
}

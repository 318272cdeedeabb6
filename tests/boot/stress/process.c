/* Rounds of processes that talk: a ring of pipes, and programs executed. */
#include "stress.h"

#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STAGES = 4, BLOCK_BYTES = 6000, BLOCKS = 8 };

/* Exactly so many bytes, or false at the end. */
static bool read_block(int fd, uint8_t *bytes)
{
	size_t done = 0;

	while (done < BLOCK_BYTES) {
		ssize_t got = read(fd, bytes + done, BLOCK_BYTES - done);

		stress_require(got > 0 || (got == 0 && !done), "reading a pipe");
		if (!got)
			return false;
		done += (size_t)got;
	}
	return true;
}

static void write_block(int fd, const uint8_t *bytes)
{
	for (size_t done = 0; done < BLOCK_BYTES;) {
		ssize_t put = write(fd, bytes + done, BLOCK_BYTES - done);

		stress_require(put > 0, "writing a pipe");
		done += (size_t)put;
	}
}

static void change(uint8_t *bytes, int stage)
{
	for (int i = 0; i < BLOCK_BYTES; i++)
		bytes[i] = (uint8_t)((bytes[i] << stage | bytes[i] >> (8 - stage)) + i * stage);
}

/* A process that changes what comes in and passes it on. */
static int add_stage(int in, int stage, pid_t *pid)
{
	static uint8_t block[BLOCK_BYTES];
	int ends[2];

	stress_require(!pipe(ends), "pipe");
	*pid = fork();
	stress_require(*pid >= 0, "fork");
	if (*pid) {
		close(in);
		close(ends[1]);
		return ends[0];
	}
	close(ends[0]);
	while (read_block(in, block)) {
		change(block, stage);
		write_block(ends[1], block);
	}
	_exit(stage);
}

static pid_t feed(uint64_t seed, int *out)
{
	int ends[2];
	pid_t pid;

	stress_require(!pipe(ends), "pipe");
	pid = fork();
	stress_require(pid >= 0, "fork");
	*out = ends[0];
	if (pid) {
		close(ends[1]);
		return pid;
	}
	close(ends[0]);
	for (int i = 0; i < BLOCKS; i++) {
		uint8_t block[BLOCK_BYTES];

		for (int j = 0; j < BLOCK_BYTES; j++)
			block[j] = (uint8_t)stress_random(&seed);
		write_block(ends[1], block);
	}
	_exit(0);
}

static int wait_status(pid_t pid)
{
	int status;

	stress_require(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "a process that ended");
	return WEXITSTATUS(status);
}

/* The program executes itself, which then squares a number. */
static void square(unsigned n)
{
	char text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%u", n);
	pid = fork();
	stress_require(pid >= 0, "fork");
	if (!pid) {
		execl("/proc/self/exe", "stress", "--square", text, (char *)NULL);
		_exit(255);
	}
	stress_require(wait_status(pid) == (int)((uint64_t)n * n % 251), "the result of a program executed");
}

uint64_t round_pipes(uint64_t number)
{
	static uint8_t block[BLOCK_BYTES];
	uint64_t digest = 0;
	pid_t pids[STAGES + 1];
	int in, blocks = 0;

	pids[0] = feed(stress_seed(number), &in);
	for (int i = 1; i <= STAGES; i++)
		in = add_stage(in, i, &pids[i]);
	while (read_block(in, block)) {
		digest = stress_mix_bytes(digest, block, BLOCK_BYTES);
		blocks++;
	}
	close(in);
	stress_require(blocks == BLOCKS, "how many blocks came through the pipes");
	for (int i = 0; i <= STAGES; i++)
		stress_require(wait_status(pids[i]) == i, "the status of a process of the ring");
	square((unsigned)number % 30000);
	return digest;
}

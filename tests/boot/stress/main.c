/*
 * Stress for a processor and a kernel: every kind of stress.def at once, each round's result a checksum.
 *
 *   stress SECONDS                  runs that long and prints for each kind: name, rounds, checksum of all rounds
 *   stress NAME=ROUNDS ...          runs just so many rounds and prints the same
 *
 * So the checksums of a guest that ran for a time can be had from the host, which runs the same rounds.
 */
#include "stress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const struct kind {
	const char *name;
	stress_round *round;
} kinds[] = {
#define KIND(name, text) { #name, round_##name },
#include "stress.def"
};

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

struct result {
	uint64_t rounds, digest;
};

void stress_require(bool true_condition, const char *what)
{
	if (true_condition)
		return;
	fprintf(stderr, "stress: wrong: %s\n", what);
	_exit(1);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* rounds 0: until the deadline, but at least one. */
static void run(const struct kind *kind, uint64_t rounds, double deadline, struct result *result)
{
	do {
		result->digest = stress_mix(result->digest, kind->round(result->rounds));
		result->rounds++;
	} while (rounds ? result->rounds < rounds : seconds_now() < deadline);
}

static uint64_t rounds_wanted(const char *name, int argc, char **argv)
{
	size_t length = strlen(name);

	for (int i = 1; i < argc; i++)
		if (!strncmp(argv[i], name, length) && argv[i][length] == '=')
			return strtoull(argv[i] + length + 1, NULL, 10);
	return 0;
}

int main(int argc, char **argv)
{
	struct result *results =
		mmap(NULL, sizeof(*results) * KINDS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double deadline;
	bool timed, ok = true;
	pid_t pids[KINDS] = { 0 };

	if (argc < 2 || results == MAP_FAILED) {
		fprintf(stderr, "usage: stress SECONDS, or stress NAME=ROUNDS ...\n");
		return 2;
	}
	/* round_pipes() executes us so. */
	if (!strcmp(argv[1], "--square"))
		return (int)((uint64_t)atoi(argv[2]) * (uint64_t)atoi(argv[2]) % 251);
	timed = !strchr(argv[1], '=');
	deadline = seconds_now() + atof(argv[1]);
	for (int i = 0; i < KINDS; i++) {
		uint64_t rounds = rounds_wanted(kinds[i].name, argc, argv);

		if (!timed && !rounds)
			continue;
		pids[i] = fork();
		if (!pids[i]) {
			run(&kinds[i], rounds, deadline, &results[i]);
			_exit(0);
		}
	}
	for (int i = 0; i < KINDS; i++) {
		int status = -1;

		if (!pids[i])
			continue;
		if (waitpid(pids[i], &status, 0) != pids[i] || status) {
			printf("%s: ended with status %#x\n", kinds[i].name, (unsigned)status);
			ok = false;
			continue;
		}
		printf("%s %llu %016llx\n", kinds[i].name, (unsigned long long)results[i].rounds,
		       (unsigned long long)results[i].digest);
	}
	return !ok;
}

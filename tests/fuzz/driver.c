/*
 * Runs a fuzz target without libFuzzer: first every file of the folders (or files) named, then random inputs, of
 * which half are mutations of those files. Same seed, same inputs. An input that crashes or takes too long is saved,
 * so that it can join the corpus, which is the folder tests/fuzz/corpus/x unless others are named.
 *
 *   fuzz_x [--seed=N] [--runs=N] [--max=BYTES] [--timeout=SECONDS] [FILE|FOLDER...]
 */
#include "driver.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_BYTES (1u << 20)
#define MAX_MUTATIONS 16u
#define PROGRAM_PREFIX "fuzz_"

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

struct input {
	uint8_t *bytes;
	size_t size;
	struct input *next;
};

static struct {
	unsigned long long seed, runs;
	size_t max;
	unsigned timeout;
} options = { .seed = 1, .runs = 2000, .max = 4096, .timeout = 20 };

static struct input *corpus;
static size_t corpus_count;
static const uint8_t *current;
static size_t current_size;
static unsigned long long state;

/* SplitMix64: any seed will do. */
static uint64_t next_random(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static size_t below(size_t limit)
{
	return limit ? next_random() % limit : 0;
}

static void save_current(void)
{
	char name[64];
	FILE *file;

	if (!current)
		return;
	snprintf(name, sizeof(name), "crash-%ld", (long)getpid());
	file = fopen(name, "wb");
	if (!file)
		return;
	fwrite(current, 1, current_size, file);
	fclose(file);
	current = NULL;
	fprintf(stderr, "the input, %zu bytes, is in %s\n", current_size, name);
}

static void die(int signal_number)
{
	fprintf(stderr, signal_number == SIGALRM ? "an input takes too long\n" : "an input crashes\n");
	save_current();
	signal(signal_number, SIG_DFL);
	raise(signal_number == SIGALRM ? SIGKILL : signal_number);
}

static void run_one(const uint8_t *bytes, size_t size)
{
	/* A copy of exactly that size: the sanitizer sees a read past the end. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, size);
	current = copy;
	current_size = size;
	alarm(options.timeout);
	LLVMFuzzerTestOneInput(copy, size);
	alarm(0);
	current = NULL;
	free(copy);
}

static bool add_file(const char *path)
{
	struct input *input = calloc(1, sizeof(*input));
	FILE *file = fopen(path, "rb");

	if (!input || !file)
		return false;
	input->bytes = malloc(MAX_BYTES);
	if (!input->bytes)
		abort();
	input->size = fread(input->bytes, 1, MAX_BYTES, file);
	fclose(file);
	input->next = corpus;
	corpus = input;
	corpus_count++;
	return true;
}

/* In the order of names, so that runs repeat. */
static bool add_path(const char *path)
{
	struct dirent **names;
	struct stat status;
	bool ok = true;
	int count;

	if (stat(path, &status))
		return false;
	if (!S_ISDIR(status.st_mode))
		return add_file(path);
	count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			ok &= add_path(name);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
	return ok && count >= 0;
}

/* Fresh bytes, or a corpus file with some of them changed, cut or repeated. */
static size_t make_input(uint8_t *bytes)
{
	size_t size = below(options.max + 1), changes;
	struct input *from = corpus;

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)next_random();
	if (!corpus || next_random() & 1)
		return size;
	for (size_t skip = below(corpus_count); skip; skip--)
		from = from->next;
	size = from->size < options.max ? from->size : options.max;
	memcpy(bytes, from->bytes, size);
	changes = 1 + below(MAX_MUTATIONS);
	for (size_t i = 0; i < changes && size; i++) {
		size_t at = below(size), to = below(size), length = below((size - (at > to ? at : to)) + 1);

		switch (below(4)) {
		case 0: bytes[at] ^= (uint8_t)(1u << below(8)); break;
		case 1: bytes[at] = (uint8_t)next_random(); break;
		case 2: memmove(bytes + to, bytes + at, length); break;
		default: size -= below(size - at + 1) / 4; break;
		}
	}
	return size;
}

/* The kept corpus, if we are where it can be found. */
static bool add_default(const char *program)
{
	const char *name = strrchr(program, '/');
	char path[256];

	name = name ? name + 1 : program;
	if (strncmp(name, PROGRAM_PREFIX, strlen(PROGRAM_PREFIX)))
		return true;
	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name + strlen(PROGRAM_PREFIX));
	return access(path, F_OK) || add_path(path);
}

static bool parse_option(const char *argument)
{
	unsigned long long value = 0;

	if (sscanf(argument, "--seed=%llu", &options.seed) == 1 ||
	    sscanf(argument, "--runs=%llu", &options.runs) == 1 ||
	    sscanf(argument, "--timeout=%u", &options.timeout) == 1)
		return true;
	if (sscanf(argument, "--max=%llu", &value) != 1 || !value || value > MAX_BYTES)
		return false;
	options.max = value;
	return true;
}

static void catch_crashes(void)
{
	static const int signals[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGALRM };

	if (__sanitizer_set_death_callback)
		__sanitizer_set_death_callback(save_current);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (!__sanitizer_set_death_callback || signals[i] == SIGABRT || signals[i] == SIGALRM)
			signal(signals[i], die);
}

int main(int argc, char **argv)
{
	uint8_t *bytes = malloc(MAX_BYTES);
	bool named = false;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++) {
		named |= argv[i][0] != '-';
		if (argv[i][0] == '-' ? parse_option(argv[i]) : add_path(argv[i]))
			continue;
		fprintf(stderr, "%s: no such option, file or folder\n", argv[i]);
		return 2;
	}
	if (!bytes || (!named && !add_default(argv[0])))
		abort();
	catch_crashes();
	state = options.seed;
	for (struct input *input = corpus; input; input = input->next)
		run_one(input->bytes, input->size);
	for (unsigned long long run = 0; run < options.runs; run++)
		run_one(bytes, make_input(bytes));
	printf("%zu corpus inputs and %llu random ones with seed %llu\n", corpus_count, options.runs, options.seed);
	printf("1 passed, 0 failed\n");
	while (corpus) {
		struct input *next = corpus->next;

		free(corpus->bytes);
		free(corpus);
		corpus = next;
	}
	free(bytes);
	return 0;
}

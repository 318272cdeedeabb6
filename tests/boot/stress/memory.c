/* Rounds about address spaces: what mmap and its relatives do, and what fork shares. */
#define _GNU_SOURCE
#include "stress.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, AREAS = 12, MAX_PAGES = 24, OPERATIONS = 150 };

/* Each page holds its tag and nothing else but zeroes; tag 0: nothing at all. */
struct area {
	uint8_t *at;
	unsigned pages;
	uint64_t tag[2 * MAX_PAGES];
};

static uint64_t *word(const struct area *area, unsigned page)
{
	return (uint64_t *)(area->at + (size_t)page * PAGE + area->tag[page] % 511 * 8);
}

static void area_map(struct area *area, uint64_t random)
{
	int populate = random >> 60 == 0 ? MAP_POPULATE : 0;

	area->pages = (unsigned)(random % MAX_PAGES) + 1;
	area->at = mmap(NULL, (size_t)area->pages * PAGE, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | populate, -1, 0);
	stress_require(area->at != MAP_FAILED, "mmap");
	memset(area->tag, 0, sizeof(area->tag));
}

static void area_unmap(struct area *area)
{
	stress_require(!munmap(area->at, (size_t)area->pages * PAGE), "munmap");
	area->pages = 0;
}

static void area_write(struct area *area, uint64_t random)
{
	unsigned page = (unsigned)(random % area->pages);

	if (area->tag[page])
		*word(area, page) = 0;
	area->tag[page] = random | 1;
	*word(area, page) = area->tag[page];
}

static uint64_t area_check(const struct area *area)
{
	uint64_t digest = area->pages;

	for (unsigned i = 0; i < area->pages; i++) {
		stress_require(*word(area, i) == area->tag[i], "a page's contents");
		digest = stress_mix(digest, area->tag[i]);
	}
	return digest;
}

static void area_resize(struct area *area, uint64_t random)
{
	unsigned pages = (unsigned)(random % (2 * MAX_PAGES)) + 1;

	area->at = mremap(area->at, (size_t)area->pages * PAGE, (size_t)pages * PAGE, MREMAP_MAYMOVE);
	stress_require(area->at != MAP_FAILED, "mremap");
	for (unsigned i = pages; i < area->pages; i++)
		area->tag[i] = 0;
	area->pages = pages;
}

static void area_discard(struct area *area, uint64_t random)
{
	unsigned first = (unsigned)(random % area->pages), count = (unsigned)(random >> 32) % (area->pages - first) + 1;

	stress_require(!madvise(area->at + (size_t)first * PAGE, (size_t)count * PAGE, MADV_DONTNEED), "madvise");
	for (unsigned i = first; i < first + count; i++)
		area->tag[i] = 0;
}

static void area_protect(struct area *area)
{
	size_t bytes = (size_t)area->pages * PAGE;

	stress_require(!mprotect(area->at, bytes, PROT_NONE), "mprotect");
	stress_require(!mprotect(area->at, bytes, PROT_READ), "mprotect");
	area_check(area);
	stress_require(!mprotect(area->at, bytes, PROT_READ | PROT_WRITE), "mprotect");
}

uint64_t round_memory(uint64_t number)
{
	struct area areas[AREAS] = { 0 };
	uint64_t state = stress_seed(number), digest = 0;

	for (unsigned i = 0; i < OPERATIONS; i++) {
		uint64_t random = stress_random(&state);
		struct area *area = &areas[random % AREAS];

		if (!area->pages) {
			area_map(area, stress_random(&state));
			continue;
		}
		switch (random >> 32 & 7) {
		case 0: digest = stress_mix(digest, area_check(area)); area_unmap(area); break;
		case 1: area_resize(area, stress_random(&state)); break;
		case 2: area_discard(area, stress_random(&state)); break;
		case 3: area_protect(area); break;
		default: area_write(area, stress_random(&state)); break;
		}
	}
	for (unsigned i = 0; i < AREAS; i++) {
		if (!areas[i].pages)
			continue;
		digest = stress_mix(digest, area_check(&areas[i]));
		area_unmap(&areas[i]);
	}
	return digest;
}

/* ---- fork ---- */

enum { COPY_BYTES = 16 * PAGE };

static void scribble(uint64_t *words, uint64_t state)
{
	for (int i = 0; i < 200; i++) {
		uint64_t random = stress_random(&state);

		words[random % (COPY_BYTES / 8)] += random;
	}
}

uint64_t round_copies(uint64_t number)
{
	uint64_t *shared = mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t *private = mmap(NULL, COPY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t digest = 0, seed = stress_seed(number), before;
	int status;
	pid_t child;

	stress_require(shared != MAP_FAILED && private != MAP_FAILED, "mmap");
	scribble(private, seed);
	before = stress_mix_bytes(0, private, COPY_BYTES);
	child = fork();
	stress_require(child >= 0, "fork");
	if (!child) {
		scribble(private, seed + 2);
		scribble(shared, seed);
		shared[0] = stress_mix_bytes(0, private, COPY_BYTES);
		_exit((int)(number % 100));
	}
	stress_require(stress_mix_bytes(0, private, COPY_BYTES) == before, "private memory that a child changed");
	/* What the child has done with the same bytes. */
	scribble(private, seed + 2);
	digest = stress_mix_bytes(0, private, COPY_BYTES);
	stress_require(waitpid(child, &status, 0) == child, "waiting for a child");
	stress_require(WIFEXITED(status) && WEXITSTATUS(status) == (int)(number % 100), "a child's exit status");
	stress_require(shared[0] == digest, "memory copied on write by parent and child");
	digest = stress_mix_bytes(digest, shared, COPY_BYTES);
	munmap(shared, COPY_BYTES);
	munmap(private, COPY_BYTES);
	return digest;
}

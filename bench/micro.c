/*
 * The benchmark program: one static binary that runs natively and in any guest, and prints nanoseconds per operation.
 *
 * Each row runs for longer and longer until it has taken half a second, so that the same program suits a native run and
 * an emulator a hundred times slower. Arguments: rows to run, default all.
 */
#define _GNU_SOURCE
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ENOUGH_NS 500000000ull

static volatile uint64_t sink;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void integer_loop(uint64_t count)
{
	uint64_t x = 88172645463325252ull;

	for (uint64_t i = 0; i < count; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		x += i;
	}
	sink = x;
}

static void branchy_sort(uint64_t count)
{
	static uint32_t heap[1024];
	uint32_t seed = 1;

	for (uint64_t i = 0; i < count; i++) {
		if (i % 1024 == 0) {
			for (unsigned k = 0; k < 1024; k++)
				heap[k] = seed = seed * 1664525u + 1013904223u;
		}
		/* One pass of an insertion into the sorted front. */
		unsigned at = (unsigned)(i % 1024);
		uint32_t value = heap[at];
		unsigned low = 0, high = at;

		while (low < high) {
			unsigned middle = (low + high) / 2;

			if (heap[middle] < value)
				low = middle + 1;
			else
				high = middle;
		}
		for (unsigned k = at; k > low; k--)
			heap[k] = heap[k - 1];
		heap[low] = value;
	}
	sink = heap[512];
}

static void pointer_chase(uint64_t count)
{
	enum { NODES = 1 << 16 };
	static uint32_t next[NODES];
	uint32_t at = 0;

	if (!next[1])
		for (uint32_t i = 0; i < NODES; i++)
			next[i] = (i * 40503u + 12345u) % NODES;
	for (uint64_t i = 0; i < count; i++)
		at = next[at];
	sink = at;
}

static void copy_memory(uint64_t count)
{
	static uint8_t from[65536], to[65536];

	for (uint64_t i = 0; i < count; i++) {
		from[i % sizeof(from)]++;
		memcpy(to, from, sizeof(to));
		__asm__ volatile("" : : "r"(to) : "memory");
	}
	sink = to[7];
}

static uint32_t rotate(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static void sha256(uint64_t count)
{
	static const uint32_t k[8] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5 };
	uint32_t s[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 }, w[64];

	for (uint64_t block = 0; block < count; block++) {
		uint32_t v[8];

		for (unsigned i = 0; i < 16; i++)
			w[i] = (uint32_t)block * 2654435761u + i;
		for (unsigned i = 16; i < 64; i++)
			w[i] = w[i - 16] + (rotate(w[i - 15], 7) ^ rotate(w[i - 15], 18) ^ w[i - 15] >> 3) + w[i - 7] +
			       (rotate(w[i - 2], 17) ^ rotate(w[i - 2], 19) ^ w[i - 2] >> 10);
		memcpy(v, s, sizeof(v));
		for (unsigned i = 0; i < 64; i++) {
			uint32_t t1 = v[7] + (rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25)) +
				      ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i % 8] + w[i];
			uint32_t t2 = (rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22)) +
				      ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

			memmove(v + 1, v, 7 * sizeof(v[0]));
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (unsigned i = 0; i < 8; i++)
			s[i] += v[i];
	}
	sink = s[0];
}

static void matrix(uint64_t count)
{
	enum { N = 24 };
	static double a[N][N], b[N][N], c[N][N];

	for (uint64_t n = 0; n < count; n++) {
		a[n % N][3] = b[2][n % N] = (double)n * 1e-3;
		for (unsigned i = 0; i < N; i++)
			for (unsigned j = 0; j < N; j++) {
				double sum = 0;

				for (unsigned k = 0; k < N; k++)
					sum += a[i][k] * b[k][j];
				c[i][j] = sum;
			}
	}
	sink = (uint64_t)c[3][4];
}

static void sse2_integer(uint64_t count)
{
	__m128i x = _mm_set1_epi32(12345), y = _mm_set1_epi32(77), z = _mm_set1_epi16(3);

	for (uint64_t i = 0; i < count; i++) {
		x = _mm_add_epi32(x, y);
		y = _mm_xor_si128(_mm_slli_epi32(x, 5), y);
		z = _mm_mullo_epi16(_mm_unpacklo_epi8(x, y), z);
		x = _mm_sub_epi8(x, z);
	}
	sink = (uint64_t)_mm_cvtsi128_si64(_mm_xor_si128(x, y));
}

__attribute__((target("avx2"))) static void avx2_integer(uint64_t count)
{
	__m256i x = _mm256_set1_epi32(12345), y = _mm256_set1_epi32(77), z = _mm256_set1_epi16(3);

	for (uint64_t i = 0; i < count; i++) {
		x = _mm256_add_epi32(x, y);
		y = _mm256_xor_si256(_mm256_slli_epi32(x, 5), y);
		z = _mm256_mullo_epi16(_mm256_unpacklo_epi8(x, y), z);
		x = _mm256_sub_epi8(x, z);
	}
	sink = (uint64_t)_mm256_extract_epi64(_mm256_xor_si256(x, y), 0);
}

static void x87(uint64_t count)
{
	long double x = 1.5L, y = 0.25L;

	for (uint64_t i = 0; i < count; i++) {
		x = x * 0.999L + y;
		y = y * 1.0001L - 0.0001L * x;
	}
	sink = (uint64_t)(x + y);
}

static void syscalls(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		sink = (uint64_t)syscall(SYS_getppid);
}

static void fork_exec(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		pid_t child = fork();
		int status;

		if (!child) {
			execl("/proc/self/exe", "micro", "--exit", NULL);
			_exit(1);
		}
		waitpid(child, &status, 0);
		sink = (uint64_t)status;
	}
}

static void page_faults(uint64_t count)
{
	enum { PAGES = 256 };
	uint8_t *memory = NULL;

	for (uint64_t i = 0; i < count; i++) {
		if (i % PAGES == 0) {
			if (memory)
				munmap(memory, PAGES * 4096);
			memory = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			madvise(memory, PAGES * 4096, MADV_NOHUGEPAGE);
		}
		memory[i % PAGES * 4096] = 1;
	}
	if (memory)
		munmap(memory, PAGES * 4096);
}

static const struct row {
	const char *name;
	void (*run)(uint64_t count);
	int avx2;
} rows[] = {
	{ "integer-loop", integer_loop, 0 }, { "branchy-sort", branchy_sort, 0 }, { "pointer-chase", pointer_chase, 0 },
	{ "memcpy-64k", copy_memory, 0 }, { "sha256-block", sha256, 0 }, { "matrix-24", matrix, 0 },
	{ "sse2-integer", sse2_integer, 0 }, { "avx2-integer", avx2_integer, 1 }, { "x87", x87, 0 },
	{ "syscall", syscalls, 0 }, { "fork-exec", fork_exec, 0 }, { "page-fault", page_faults, 0 },
};

static void measure(const struct row *row)
{
	uint64_t count = 1;

	row->run(count);
	for (;;) {
		uint64_t start = now_ns(), taken;

		row->run(count);
		taken = now_ns() - start;
		if (taken >= ENOUGH_NS || count >= 1ull << 40) {
			printf("row %-14s %14.3f\n", row->name, (double)taken / (double)count);
			fflush(stdout);
			return;
		}
		count = taken < ENOUGH_NS / 50 ? count * 10 : (uint64_t)((double)count * 1.2 * (double)ENOUGH_NS / (double)taken) + 1;
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--exit"))
		return 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int wanted = argc == 1;

		for (int a = 1; a < argc; a++)
			wanted |= !strcmp(argv[a], rows[i].name);
		if (wanted && (!rows[i].avx2 || __builtin_cpu_supports("avx2")))
			measure(&rows[i]);
	}
	return 0;
}

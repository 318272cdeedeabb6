/* Rounds of threads: what the C library builds on futexes, and atomic operations of every size. */
#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

enum { THREADS = 4, ITEMS = 300, ROOM = 8, ATOMIC_STEPS = 2000 };

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t items[ROOM];
	unsigned head, count;
};

struct shared {
	struct queue queue;
	pthread_barrier_t barrier;
	uint64_t sum, exclusive_or, exchanged_sum, taken_sum;
	uint32_t spin, guarded;
	uint8_t bytes[THREADS];
	unsigned __int128 wide __attribute__((aligned(16)));
	uint64_t seed;
};

struct worker {
	struct shared *shared;
	unsigned index;
	pthread_t thread;
	uint64_t last; /* what its exchanges took out */
};

static void put(struct queue *queue, uint64_t item)
{
	pthread_mutex_lock(&queue->lock);
	while (queue->count == ROOM)
		pthread_cond_wait(&queue->changed, &queue->lock);
	queue->items[(queue->head + queue->count++) % ROOM] = item;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

static uint64_t take(struct queue *queue)
{
	uint64_t item;

	pthread_mutex_lock(&queue->lock);
	while (!queue->count)
		pthread_cond_wait(&queue->changed, &queue->lock);
	item = queue->items[queue->head];
	queue->head = (queue->head + 1) % ROOM;
	queue->count--;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
	return item;
}

/* Adds to 16 bytes at once: both halves move together. */
static void add_wide(unsigned __int128 *at, uint64_t n)
{
	uint64_t low = 0, high = 0, new_low, new_high;
	bool done;

	do {
		new_low = low + n;
		new_high = high - n;
		asm volatile("lock cmpxchg16b %1" : "=@ccz"(done), "+m"(*at), "+a"(low), "+d"(high)
			     : "b"(new_low), "c"(new_high) : "memory");
	} while (!done);
}

static void spin_add(struct shared *shared)
{
	while (__atomic_exchange_n(&shared->spin, 1, __ATOMIC_ACQUIRE))
		sched_yield();
	/* Not atomic: it is the lock that makes it one. */
	*(volatile uint32_t *)&shared->guarded = *(volatile uint32_t *)&shared->guarded + 1;
	__atomic_store_n(&shared->spin, 0, __ATOMIC_RELEASE);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct shared *shared = worker->shared;
	uint64_t state = shared->seed + worker->index;

	for (int i = 0; i < ATOMIC_STEPS; i++) {
		uint64_t n = stress_random(&state);

		__atomic_fetch_add(&shared->sum, n, __ATOMIC_SEQ_CST);
		__atomic_fetch_xor(&shared->exclusive_or, n, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&shared->bytes[worker->index], (uint8_t)n, __ATOMIC_SEQ_CST);
		worker->last += __atomic_exchange_n(&shared->exchanged_sum, n, __ATOMIC_SEQ_CST) - n;
		add_wide(&shared->wide, n);
		if (i % 16 == 0)
			spin_add(shared);
	}
	pthread_barrier_wait(&shared->barrier);
	for (int i = 0; i < ITEMS; i++) {
		if (worker->index & 1)
			__atomic_fetch_add(&shared->taken_sum, take(&shared->queue), __ATOMIC_SEQ_CST);
		else
			put(&shared->queue, stress_random(&state));
	}
	return NULL;
}

uint64_t round_threads(uint64_t number)
{
	struct shared shared = { .seed = stress_seed(number),
				 .queue = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER } };
	struct worker workers[THREADS];
	uint64_t digest, taken_out = 0;

	pthread_barrier_init(&shared.barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .shared = &shared, .index = i };
		stress_require(!pthread_create(&workers[i].thread, NULL, work, &workers[i]), "pthread_create");
	}
	for (unsigned i = 0; i < THREADS; i++) {
		stress_require(!pthread_join(workers[i].thread, NULL), "pthread_join");
		taken_out += workers[i].last;
	}
	stress_require(taken_out + shared.exchanged_sum == 0, "values that were exchanged");
	stress_require((uint64_t)shared.wide == shared.sum, "what CMPXCHG16B added");
	stress_require((uint64_t)(shared.wide >> 64) + shared.sum == 0, "what CMPXCHG16B subtracted");
	stress_require(shared.guarded == THREADS * ATOMIC_STEPS / 16, "a counter behind a spin lock");
	digest = stress_mix(stress_mix(shared.sum, shared.exclusive_or), shared.taken_sum);
	return stress_mix_bytes(digest, shared.bytes, sizeof(shared.bytes));
}

/* Threads, locks and events from Linux. */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "host/host.h"

#define NS_PER_SECOND 1000000000ull
#define THREAD_NAME_BYTES 16 /* what pthread_setname_np takes */

struct host_mutex {
	pthread_mutex_t mutex;
};

struct host_mutex *host_mutex_create(void)
{
	struct host_mutex *mutex = malloc(sizeof(*mutex));

	if (mutex)
		pthread_mutex_init(&mutex->mutex, NULL);
	return mutex;
}

void host_mutex_destroy(struct host_mutex *mutex)
{
	if (!mutex)
		return;
	pthread_mutex_destroy(&mutex->mutex);
	free(mutex);
}

void host_mutex_lock(struct host_mutex *mutex)
{
	int status = pthread_mutex_lock(&mutex->mutex);

	ASSERT(status == 0);
}

void host_mutex_unlock(struct host_mutex *mutex)
{
	int status = pthread_mutex_unlock(&mutex->mutex);

	ASSERT(status == 0);
}

/* One word: 1 once woken, and back to 0 by the sleeper that takes it. Sleepers wait on it as a futex while it is 0. */
struct host_event {
	_Atomic u32 woken;
};

struct host_event *host_event_create(void)
{
	return calloc(1, sizeof(struct host_event));
}

void host_event_destroy(struct host_event *event)
{
	free(event);
}

void host_event_wake(struct host_event *event)
{
	if (!atomic_exchange(&event->woken, 1))
		syscall(SYS_futex, &event->woken, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void host_event_sleep(struct host_event *event, u64 until_ns)
{
	struct timespec until = { (time_t)(until_ns / NS_PER_SECOND), (long)(until_ns % NS_PER_SECOND) };
	bool limited = until_ns != ~0ull;

	while (!atomic_exchange(&event->woken, 0)) {
		/* The BITSET form takes an absolute monotonic time. */
		long status = syscall(SYS_futex, &event->woken, FUTEX_WAIT_BITSET_PRIVATE, 0, limited ? &until : NULL,
				      NULL, FUTEX_BITSET_MATCH_ANY);

		if (status < 0 && errno == ETIMEDOUT)
			return;
	}
}

struct host_thread {
	pthread_t thread;
	void (*body)(void *);
	void *argument;
	char name[THREAD_NAME_BYTES];
};

static void *thread_main(void *argument)
{
	struct host_thread *thread = argument;

	pthread_setname_np(pthread_self(), thread->name);
	thread->body(thread->argument);
	return NULL;
}

struct host_thread *host_thread_start(const char *name, void (*body)(void *), void *argument, struct host_error *error)
{
	struct host_thread *thread = calloc(1, sizeof(*thread));
	sigset_t all, before;
	int status = ENOMEM;

	if (thread) {
		thread->body = body;
		thread->argument = argument;
		strncpy(thread->name, name, sizeof(thread->name) - 1);
		/* Signals are for the program's first thread: a new thread starts with all of them blocked. */
		sigfillset(&all);
		pthread_sigmask(SIG_SETMASK, &all, &before);
		status = pthread_create(&thread->thread, NULL, thread_main, thread);
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	if (status) {
		host_error_set(error, "cannot start thread %s: %s", name, strerror(status));
		free(thread);
		return NULL;
	}
	return thread;
}

void host_thread_join(struct host_thread *thread)
{
	pthread_join(thread->thread, NULL);
	free(thread);
}

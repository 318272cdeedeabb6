/*
 * The end of the program through a bug of ours: the message, every registered dump, a core file.
 *
 * Dumps run newest first and at most once each: one that itself panics ends the program with what was printed so far.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"

#define MAX_DUMPS 16

static struct { void (*dump)(void *context); void *context; } dumps[MAX_DUMPS];
static atomic_uint dump_count;

void panic_register(void (*dump)(void *context), void *context)
{
	unsigned index = atomic_fetch_add(&dump_count, 1);

	if (index >= MAX_DUMPS) {
		atomic_fetch_sub(&dump_count, 1);
		return;
	}
	dumps[index].context = context;
	dumps[index].dump = dump;
}

void panic_unregister(void *context)
{
	for (unsigned i = 0; i < MAX_DUMPS; i++) {
		if (dumps[i].context == context)
			dumps[i].dump = NULL;
	}
}

void panic(const char *file, int line, const char *format, ...)
{
	char message[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	log_error("internal error at %s:%d: %s", file, line, message);
	for (unsigned i = atomic_exchange(&dump_count, 0); i--;) {
		if (dumps[i].dump)
			dumps[i].dump(dumps[i].context);
	}
	abort();
}

/*
 * Tracing: what happens in a machine, event by event, for the person who looks for why.
 *
 * The events are rows of trace.def. Whoever meets one says TRACE(...), which is a test of one word when nobody asked for
 * it, and stands on slow paths only. What becomes of a record is its receiver's business (cli/trace_output.c); the three
 * texts that a record can take are made here, so that every host writes the same.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/bits.h"
#include "base/compiler.h"
#include "base/types.h"

enum trace_event {
#define TRACE_EVENT(id, name, phase, help, ...) TRACE_##id,
#include "base/trace.def"
#undef TRACE_EVENT
	TRACE_EVENTS
};

#define TRACE_VALUES 5
#define TRACE_ALL ((u32)BIT(TRACE_EVENTS) - 1)
#define TRACE_NO_PROCESSOR (~0u) /* a device's event */

struct trace_record {
	enum trace_event event;
	unsigned processor; /* or TRACE_NO_PROCESSOR */
	u64 time_ns;        /* the guest's clock */
	u64 retired;        /* instructions: the processor's, or all processors' */
	u64 value[TRACE_VALUES];
};

struct trace {
	u32 wanted; /* BIT(event) each; fixed before the machine runs */
	/* Takes an event; any thread, any locks held. */
	void (*emit)(struct trace *trace, enum trace_event event, unsigned processor, const u64 *values);
	/* Set by the machine: what emit() needs to fill in a record. */
	u64 (*now)(void *machine);
	u64 (*retired)(void *machine, unsigned processor);
	void *machine;
};

/* trace may be NULL: nobody wants anything. */
static inline bool trace_wants(const struct trace *trace, enum trace_event event)
{
	return unlikely(trace && trace->wanted & BIT(event));
}

/* TRACE(trace, EVENT, processor, values as its row in trace.def names them). Values are evaluated only if wanted. */
#define TRACE(trace, id, processor, ...)                                                                               \
	do {                                                                                                           \
		if (trace_wants(trace, TRACE_##id))                                                                    \
			(trace)->emit(trace, TRACE_##id, processor, (const u64[TRACE_VALUES]){ __VA_ARGS__ });         \
	} while (0)

/* A value for a TEXT column; text must be a constant. */
static inline u64 trace_text(const char *text)
{
	return (u64)(uintptr_t)text;
}

const char *trace_name(enum trace_event event);
const char *trace_help(enum trace_event event);
/* The event of that name; TRACE_EVENTS: none. */
enum trace_event trace_find(const char *name);

/* How records are written. */
enum trace_format { TRACE_FORMAT_TEXT, TRACE_FORMAT_JSON, TRACE_FORMAT_CHROME, TRACE_FORMATS };
/*
 * CHROME draws a row for each thread of each process: the machine is the process, its processors are the threads, and
 * devices have a row of their own.
 */
#define TRACE_CHROME_PROCESS 1u
#define TRACE_CHROME_DEVICES 1000000u
/*
 * One record as a line with its newline; returns its length, as snprintf does. JSON: one object a line, 64-bit values as "0x..."
 * strings. CHROME: an element of a Trace Event Format array, with a comma after it.
 */
size_t trace_print(char *out, size_t size, enum trace_format format, const struct trace_record *record);

#endif

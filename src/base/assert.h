/*
 * Assertions for our own bugs, in every build.
 *
 * No guest can reach one: what a guest does wrong becomes an architectural event, what the environment
 * does wrong becomes a status. The host (host/linux, host/metal) supplies panic().
 */
#ifndef BASE_ASSERT_H
#define BASE_ASSERT_H

#include "base/compiler.h"

/* Prints the message and every registered state dump, then ends the program. Never returns. */
void panic(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4)
	__attribute__((noreturn, cold));

/* State dumps for panic(): each is called once, newest first. Up to 16; context identifies one for unregistering. */
void panic_register(void (*dump)(void *context), void *context);
void panic_unregister(void *context);

#define ASSERT(condition)                                                                                              \
	do {                                                                                                           \
		if (unlikely(!(condition)))                                                                            \
			panic(__FILE__, __LINE__, "assertion failed: %s", #condition);                                \
	} while (0)

#define UNREACHABLE() panic(__FILE__, __LINE__, "unreachable code reached")

#endif

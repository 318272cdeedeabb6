/*
 * Formatted text into a buffer, for code that has no libc.
 *
 * A small subset of snprintf: %% %c %s %d %i %u %o %x %X %p, sizes hh h l ll z j t, flags 0 - + # and space, a field
 * width and a precision, each a number or *. What is outside the subset is copied as it stands.
 */
#ifndef BASE_FORMAT_H
#define BASE_FORMAT_H

#include <stdarg.h>

#include "base/compiler.h"
#include "base/types.h"

/*
 * Writes at most size bytes including the terminating zero, which is always written if size > 0. Returns the length of
 * the whole text, so that a result >= size means it was cut.
 */
size_t format(char *out, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
size_t format_list(char *out, size_t size, const char *fmt, va_list args) PRINTF_LIKE(3, 0);

#endif

/*
 * Messages on stderr. Each is one write, so that lines of several threads do not mix, and ends in CR LF when stderr is
 * a terminal, which may be in raw mode then.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "host/linux/log.h"

#define LINE_BYTES 1024
#define STUCK_MS 500 /* how long a message waits for its reader */

static const char *machine_name; /* NULL: none */

void log_set_name(const char *name)
{
	machine_name = name;
}

static void log_line(const char *severity, const char *format, va_list arguments)
{
	const char *end = isatty(STDERR_FILENO) ? "\r\n" : "\n";
	char line[LINE_BYTES];
	size_t length, room = sizeof(line) - strlen(end);
	struct pollfd writable = { .fd = STDERR_FILENO, .events = POLLOUT };
	int printed;

	length = (size_t)snprintf(line, room, "subring: %.64s%s%s", machine_name ? machine_name : "", machine_name ? ": " : "",
				  severity);
	printed = vsnprintf(line + length, room - length, format, arguments);
	if (printed > 0)
		length = length + (size_t)printed < room ? length + (size_t)printed : room - 1;
	memcpy(line + length, end, strlen(end));
	/* A stderr that cannot be written, or that nobody reads, leaves nobody to tell. */
	if (poll(&writable, 1, STUCK_MS) && write(STDERR_FILENO, line, length + strlen(end)) < 0)
		return;
}

#define DEFINE_LOG(name, severity)                                                                                     \
	void name(const char *format, ...)                                                                             \
	{                                                                                                              \
		va_list arguments;                                                                                     \
                                                                                                                       \
		va_start(arguments, format);                                                                           \
		log_line(severity, format, arguments);                                                                 \
		va_end(arguments);                                                                                     \
	}

DEFINE_LOG(log_error, "error: ")
DEFINE_LOG(log_warn, "warning: ")
DEFINE_LOG(log_info, "")

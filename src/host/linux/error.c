/* Errors with context: one formatted line. */
#include <stdarg.h>
#include <stdio.h>

#include "host/host.h"

void host_error_set(struct host_error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof(error->text), format, arguments);
	va_end(arguments);
}

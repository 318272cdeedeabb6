/*
 * Messages for the person at the terminal.
 *
 * log_error is one line that says what went wrong and what to do; log_warn and log_info likewise. Sinks are
 * set by the program (stderr on Linux, the serial port on metal). Nothing below src/cli ends the process.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/compiler.h"

void log_error(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *format, ...) PRINTF_LIKE(1, 2);
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);

#endif

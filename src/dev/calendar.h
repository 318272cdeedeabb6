/* Dates of the Gregorian calendar as seconds since 1970-01-01 00:00:00, both ways, for years 1 to 9999. */
#ifndef DEV_CALENDAR_H
#define DEV_CALENDAR_H

#include "base/types.h"

struct calendar {
	unsigned year, month, day;      /* month and day from 1 */
	unsigned hour, minute, second;
	unsigned weekday;               /* from Sunday, 0 */
};

struct calendar calendar_from_seconds(s64 seconds);
/* Takes any numbers and carries what is too large over; the weekday does not count. */
s64 calendar_to_seconds(const struct calendar *date);

#endif

/*
 * Gregorian dates: see calendar.h.
 *
 * Years are counted from March, so that the leap day is the last of its year and months have a pattern of 153 days in
 * five.
 */
#include "dev/calendar.h"

#define SECONDS_PER_DAY 86400
#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970 719468 /* from 1 March of year 0 */
#define THURSDAY 4          /* 1 January 1970 */

/* Days from 1 March of year 0 to 1 March of year y. */
static s64 days_to_year(s64 y)
{
	return 365 * y + y / 4 - y / 100 + y / 400;
}

s64 calendar_to_seconds(const struct calendar *date)
{
	unsigned month = date->month ? date->month : 1;
	s64 months = (s64)date->year * 12 + (month - 1) - 2; /* since March of year 0 */
	s64 days = days_to_year(months / 12) + (153 * (months % 12) + 2) / 5 + (s64)date->day - 1 - DAYS_TO_1970;

	return days * SECONDS_PER_DAY + (s64)date->hour * 3600 + (s64)date->minute * 60 + date->second;
}

struct calendar calendar_from_seconds(s64 seconds)
{
	s64 second = seconds % SECONDS_PER_DAY, days = seconds / SECONDS_PER_DAY, year, day, month;
	struct calendar date;

	if (second < 0) {
		second += SECONDS_PER_DAY;
		days--;
	}
	date.weekday = (unsigned)(((days + THURSDAY) % 7 + 7) % 7);
	days += DAYS_TO_1970;
	year = days * 400 / DAYS_PER_400_YEARS;
	while (days_to_year(year + 1) <= days)
		year++;
	while (days_to_year(year) > days)
		year--;
	day = days - days_to_year(year);
	month = (5 * day + 2) / 153;
	date.day = (unsigned)(day - (153 * month + 2) / 5 + 1);
	date.month = (unsigned)(month < 10 ? month + 3 : month - 9);
	date.year = (unsigned)(year + (month >= 10));
	date.hour = (unsigned)(second / 3600);
	date.minute = (unsigned)(second / 60 % 60);
	date.second = (unsigned)(second % 60);
	return date;
}

/* Numbers, sizes and times as people write them. See values.h. */
#include "cli/values.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1e9
#define MAX_SECONDS 1.8e10 /* nanoseconds in 64 bits: 570 years */

/* 2^64 as a floating-point number: what a size must stay below. */
#define U64_LIMIT 18446744073709551616.0

bool parse_size(const char *text, u64 *bytes)
{
	static const char suffixes[] = "KMGT";
	const char *suffix;
	double value, scale = 1;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	*bytes = strtoull(text, &end, 0);
	if (errno)
		return false;
	value = (double)*bytes;
	if (*end == '.' && isdigit((unsigned char)end[1]))
		value = strtod(text, &end);
	if (*end && (suffix = strchr(suffixes, toupper((unsigned char)*end)))) {
		scale = (double)(1ull << 10 * (suffix - suffixes + 1));
		end++;
		end += *end == 'i';
	}
	end += *end == 'B' || *end == 'b';
	if (*end || value * scale >= U64_LIMIT)
		return false;
	*bytes = scale == 1 && value == (double)*bytes ? *bytes : (u64)(value * scale);
	return true;
}

bool parse_duration(const char *text, u64 *ns)
{
	static const struct { const char *suffix; double seconds; } units[] = {
		{ "", 1 }, { "s", 1 }, { "m", 60 }, { "min", 60 }, { "h", 3600 }, { "ms", 1e-3 },
	};
	double value;
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return false;
	value = strtod(text, &end);
	for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
		if (strcmp(end, units[i].suffix))
			continue;
		value *= units[i].seconds;
		if (!(value > 0) || value > MAX_SECONDS)
			return false;
		*ns = (u64)(value * NS_PER_SECOND);
		return *ns > 0;
	}
	return false;
}

bool parse_number(const char *option, const char *text, u64 low, u64 high, u64 *out, struct host_error *error)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	if (!errno && isdigit((unsigned char)*text) && !*end && *out >= low && *out <= high)
		return true;
	host_error_set(error, "%s %s: expected a number from %llu to %llu", option, text, (unsigned long long)low,
		       (unsigned long long)high);
	return false;
}

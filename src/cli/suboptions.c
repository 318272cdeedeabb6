/* key=value words of an option's argument. See suboptions.h. */
#include "cli/suboptions.h"

#include <string.h>
#include <strings.h>

bool suboption_next(char **rest, char **key, char **value)
{
	char *from = *rest, *to = *rest;

	if (!from || !*from)
		return false;
	*key = from;
	while (*from && !(*from == ',' && from[1] != ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	*rest = *from ? from + 1 : from;
	*to = 0;
	*value = strchr(*key, '=');
	if (*value)
		*(*value)++ = 0;
	else
		*value = to;
	return true;
}

bool suboption_switch(const char *key, const char *value, bool *out, struct host_error *error)
{
	static const struct { const char *word; bool on; } words[] = {
		{ "on", true }, { "off", false }, { "yes", true }, { "no", false },
		{ "true", true }, { "false", false }, { "1", true }, { "0", false }, { "", true },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
		if (!strcasecmp(words[i].word, value)) {
			*out = words[i].on;
			return true;
		}
	}
	host_error_set(error, "%s=%s: expected on or off", key, value);
	return false;
}

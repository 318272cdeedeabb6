/* Which engine runs the machine, and why. See engines.h. */
#include "cli/engines.h"

#include <stdio.h>
#include <string.h>

/* In the order of preference of "auto". */
static const struct engine_ops *const engines[] = { &engine_soft };

static const struct engine_ops *engine_find(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(engines); i++)
		if (strlen(engines[i]->name) == length && !strncmp(engines[i]->name, name, length))
			return engines[i];
	return NULL;
}

/* Tries one; notes why not in reason. */
static bool engine_try(const struct engine_ops *engine, struct host_error *reason)
{
	struct host_error why;
	size_t used = strlen(reason->text);

	if (engine->probe(&why)) {
		snprintf(reason->text + used, sizeof(reason->text) - used, "engine %s: %s", engine->name, why.text);
		return true;
	}
	snprintf(reason->text + used, sizeof(reason->text) - used, "not %s: %s; ", engine->name, why.text);
	return false;
}

bool engines_check(const char *words, struct host_error *error)
{
	if (!strcmp(words, "auto"))
		return true;
	for (const char *word = words; *word || word == words;) {
		size_t length = strcspn(word, ",");

		if (!engine_find(word, length)) {
			host_error_set(error, "--engine: '%.*s' is not known; expected auto, or a list of: soft", (int)length,
				       word);
			return false;
		}
		word += length + (word[length] == ',');
	}
	return true;
}

const struct engine_ops *engines_choose(const char *words, struct host_error *reason, struct host_error *error)
{
	reason->text[0] = 0;
	if (!strcmp(words, "auto")) {
		for (size_t i = 0; i < ARRAY_LENGTH(engines); i++)
			if (engine_try(engines[i], reason))
				return engines[i];
		host_error_set(error, "%.200s no engine can run here", reason->text);
		return NULL;
	}
	for (const char *word = words; *word;) {
		size_t length = strcspn(word, ",");
		const struct engine_ops *engine = engine_find(word, length);

		if (engine && engine_try(engine, reason))
			return engine;
		word += length + (word[length] == ',');
	}
	host_error_set(error, "--engine %s: none of them can run here: %.150s", words, reason->text);
	return NULL;
}

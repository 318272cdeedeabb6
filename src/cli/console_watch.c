/* --expect and --fail-on. See console_watch.h. */
#include "cli/console_watch.h"

#include <string.h>

static bool compile(regex_t *regex, const char *option, const char *text, struct host_error *error)
{
	char reason[128];
	int failure = regcomp(regex, text, REG_EXTENDED | REG_NOSUB);

	if (!failure)
		return true;
	regerror(failure, regex, reason, sizeof(reason));
	host_error_set(error, "%s '%s': %s", option, text, reason);
	return false;
}

bool console_watch_init(struct console_watch *watch, const char *expect, const char *fail_on, struct host_error *error)
{
	*watch = (struct console_watch){ .has_expect = false };
	if (expect && !compile(&watch->expect, "--expect", expect, error))
		return false;
	watch->has_expect = expect;
	if (fail_on && !compile(&watch->fail, "--fail-on", fail_on, error))
		return false;
	watch->has_fail = fail_on;
	return true;
}

static void look(struct console_watch *w)
{
	w->line[w->length] = 0;
	if (w->has_expect && !w->expected)
		w->expected = !regexec(&w->expect, w->line, 0, NULL, 0);
	if (w->has_fail && !w->failed && !regexec(&w->fail, w->line, 0, NULL, 0)) {
		w->failed = true;
		w->on_failure(w->context);
	}
}

void console_watch_output(void *watch, const u8 *bytes, size_t count)
{
	struct console_watch *w = watch;

	if (!w->has_expect && !w->has_fail)
		return;
	for (size_t i = 0; i < count; i++) {
		if (bytes[i] != '\n' && w->length < sizeof(w->line) - 1) {
			if (bytes[i] != '\r' && bytes[i])
				w->line[w->length++] = (char)bytes[i];
			continue;
		}
		look(w);
		w->length = 0;
	}
}

void console_watch_finish(struct console_watch *watch)
{
	if (watch->length)
		look(watch);
	if (watch->has_expect)
		regfree(&watch->expect);
	if (watch->has_fail)
		regfree(&watch->fail);
}

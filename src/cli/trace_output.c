/* --trace and the event counts of --stats. See trace_output.h. */
#include "cli/trace_output.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "cli/suboptions.h"

#define LINE_BYTES 512
#define COUNTS_PER_LINE 6

/* ---- the option ---- */

static const char *const format_names[TRACE_FORMATS] = { "text", "json", "chrome" };

static bool set_format(struct trace_option *option, const char *value, struct host_error *error)
{
	for (unsigned i = 0; i < TRACE_FORMATS; i++) {
		if (!strcmp(format_names[i], value)) {
			option->format = (enum trace_format)i;
			return true;
		}
	}
	host_error_set(error, "--trace format=%s: expected text, json or chrome", value);
	return false;
}

static bool add_event(struct trace_option *option, const char *word, struct host_error *error)
{
	enum trace_event event = trace_find(word);

	if (!strcmp(word, "all")) {
		option->events = TRACE_ALL;
		return true;
	}
	if (event == TRACE_EVENTS) {
		host_error_set(error, "--trace: '%s' is no event; `subring run --trace help` lists them", word);
		return false;
	}
	option->events |= (u32)BIT(event);
	return true;
}

bool trace_option_parse(char *text, struct trace_option *option, struct host_error *error)
{
	char *rest = text, *key, *value;

	*option = (struct trace_option){ .format = TRACE_FORMAT_TEXT };
	while (suboption_next(&rest, &key, &value)) {
		if (!strcmp(key, "file") && *value)
			option->file = value;
		else if (!strcmp(key, "format")) {
			if (!set_format(option, value, error))
				return false;
		} else if (!add_event(option, key, error)) {
			return false;
		}
	}
	if (option->events)
		return true;
	host_error_set(error, "--trace: name at least one event, or all; `subring run --trace help` lists them");
	return false;
}

void trace_option_help(FILE *out)
{
	fprintf(out, "Events for --trace:\n");
	for (unsigned i = 0; i < TRACE_EVENTS; i++)
		fprintf(out, "  %-11s %s\n", trace_name((enum trace_event)i), trace_help((enum trace_event)i));
	fprintf(out, "  %-11s all of them\n", "all");
}

/* ---- the records ---- */

static void write_text(struct trace_output *output, const char *text, size_t length)
{
	if (atomic_load_explicit(&output->failed, memory_order_relaxed) || fwrite(text, 1, length, output->file) == length)
		return;
	if (!atomic_exchange(&output->failed, true))
		log_warn("--trace: cannot write: %s; the trace ends here, the machine goes on", strerror(errno));
}

/* One fwrite a line, which takes the file's lock: lines of several threads do not mix. */
static void emit(struct trace *trace, enum trace_event event, unsigned processor, const u64 *values)
{
	struct trace_output *output = (struct trace_output *)trace;
	struct trace_record record = { .event = event, .processor = processor };
	char line[LINE_BYTES];
	size_t length;

	atomic_fetch_add_explicit(&output->count[event], 1, memory_order_relaxed);
	if (!(output->written & BIT(event)))
		return;
	record.time_ns = trace->now(trace->machine);
	record.retired = trace->retired(trace->machine, processor);
	memcpy(record.value, values, sizeof(record.value));
	length = trace_print(line, sizeof(line), output->format, &record);
	write_text(output, line, length < sizeof(line) ? length : sizeof(line) - 1);
}

/* ---- life ---- */

static void name_row(FILE *file, const char *what, unsigned thread, const char *name, int number)
{
	fprintf(file, "{\"name\":\"%s\",\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"args\":{\"name\":\"", what,
		TRACE_CHROME_PROCESS, thread);
	for (; *name; name++) {
		if ((unsigned char)*name < ' ')
			continue;
		if (*name == '"' || *name == '\\')
			fputc('\\', file);
		fputc(*name, file);
	}
	if (number >= 0)
		fprintf(file, " %d", number);
	fputs("\"}},\n", file);
}

static void chrome_begin(FILE *file, const char *name, unsigned processors)
{
	fputs("[\n", file);
	name_row(file, "process_name", 0, name, -1);
	for (unsigned i = 0; i < processors; i++)
		name_row(file, "thread_name", i, "processor", (int)i);
	name_row(file, "thread_name", TRACE_CHROME_DEVICES, "devices", -1);
}

/* An element of no meaning: the one before it ends in a comma. */
static void chrome_end(struct trace_output *output)
{
	static const char end[] = "{\"name\":\"end\",\"ph\":\"M\",\"pid\":1,\"tid\":0,\"args\":{}}\n]\n";

	write_text(output, end, sizeof(end) - 1);
}

bool trace_output_open(struct trace_output *output, const struct trace_option *option, const char *name,
		       unsigned processors, bool count_all, struct host_error *error)
{
	*output = (struct trace_output){
		.trace = { .wanted = count_all ? TRACE_ALL : option->events, .emit = emit },
		.written = option->events,
		.format = option->format,
	};
	if (!output->written)
		return true;
	output->file = option->file ? fopen(option->file, "we") : stderr;
	if (!output->file) {
		host_error_set(error, "--trace file=%s: %s", option->file, strerror(errno));
		return false;
	}
	if (output->format == TRACE_FORMAT_CHROME)
		chrome_begin(output->file, name, processors);
	return true;
}

void trace_output_close(struct trace_output *output)
{
	if (!output->file)
		return;
	if (output->format == TRACE_FORMAT_CHROME)
		chrome_end(output);
	if ((output->file == stderr ? fflush(output->file) : fclose(output->file)) && !output->failed)
		log_warn("--trace: cannot write the end: %s", strerror(errno));
	output->file = NULL;
}

void trace_output_counts(const struct trace_output *output)
{
	char line[LINE_BYTES] = "";
	unsigned shown = 0;

	for (unsigned i = 0; i < TRACE_EVENTS; i++) {
		u64 count = atomic_load(&output->count[i]);

		if (!count)
			continue;
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "%s%s %llu", shown % COUNTS_PER_LINE ? ", " : "",
			 trace_name((enum trace_event)i), (unsigned long long)count);
		if (++shown % COUNTS_PER_LINE == 0) {
			log_info("events: %s", line);
			line[0] = 0;
		}
	}
	if (*line)
		log_info("events: %s", line);
}

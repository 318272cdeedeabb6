/* Trace records as text. See trace.h. */
#include "base/trace.h"

#include "base/format.h"
#include "base/string.h"

enum trace_phase { PHASE_INSTANT, PHASE_BEGIN, PHASE_END };
enum value_kind { VALUE_NONE, VALUE_HEX, VALUE_DECIMAL, VALUE_TEXT };

#define NS_PER_SECOND 1000000000ull

static const struct row {
	const char *name;
	enum trace_phase phase;
	const char *help;
	struct { enum value_kind kind; const char *name; } value[TRACE_VALUES];
} rows[] = {
#define HEX(name) { VALUE_HEX, #name }
#define DECIMAL(name) { VALUE_DECIMAL, #name }
#define TEXT(name) { VALUE_TEXT, #name }
#define TRACE_EVENT(id, name, phase, help, ...) { name, PHASE_##phase, help, { __VA_ARGS__ } },
#include "base/trace.def"
#undef TRACE_EVENT
};

/* A line that grows; what does not fit is counted only. */
struct line {
	char *out;
	size_t size, length;
};

PRINTF_LIKE(2, 3) static void add(struct line *line, const char *fmt, ...)
{
	size_t used = line->length < line->size ? line->length : line->size;
	va_list arguments;

	va_start(arguments, fmt);
	line->length += format_list(line->out + used, line->size - used, fmt, arguments);
	va_end(arguments);
}

const char *trace_name(enum trace_event event)
{
	return rows[event].name;
}

const char *trace_help(enum trace_event event)
{
	return rows[event].help;
}

enum trace_event trace_find(const char *name)
{
	unsigned event = 0;

	while (event < TRACE_EVENTS && strcmp(rows[event].name, name))
		event++;
	return (enum trace_event)event;
}

typedef unsigned long long ull; /* what %llx takes */

/* " name=value" for people, ',"name":value' for programs, which get hexadecimal numbers as strings. */
static void add_values(struct line *line, const struct row *row, const struct trace_record *record, bool json)
{
	const char *quote = json ? "\"" : "";

	for (unsigned i = 0; i < TRACE_VALUES && row->value[i].kind != VALUE_NONE; i++) {
		u64 value = record->value[i];

		add(line, json ? ",\"%s\":" : " %s=", row->value[i].name);
		if (row->value[i].kind == VALUE_TEXT)
			add(line, "%s%s%s", quote, (const char *)(uintptr_t)value, quote);
		else if (row->value[i].kind == VALUE_HEX)
			add(line, "%s0x%llx%s", quote, (ull)value, quote);
		else
			add(line, "%llu", (ull)value);
	}
}

static void print_text(struct line *line, const struct row *row, const struct trace_record *record)
{
	add(line, "%6llu.%09llu %12llu ", (ull)(record->time_ns / NS_PER_SECOND), (ull)(record->time_ns % NS_PER_SECOND),
	    (ull)record->retired);
	if (record->processor == TRACE_NO_PROCESSOR)
		add(line, "  - ");
	else
		add(line, "%3u ", record->processor);
	add(line, "%-10s", row->name);
	add_values(line, row, record, false);
	add(line, "\n");
}

static void print_json(struct line *line, const struct row *row, const struct trace_record *record)
{
	add(line, "{\"event\":\"%s\",\"time_ns\":%llu,\"retired\":%llu", row->name, (ull)record->time_ns,
	    (ull)record->retired);
	if (record->processor != TRACE_NO_PROCESSOR)
		add(line, ",\"processor\":%u", record->processor);
	add_values(line, row, record, true);
	add(line, "}\n");
}

/* "Trace Event Format": ts is in microseconds; an instant of scope "t" belongs to its thread. */
static void print_chrome(struct line *line, const struct row *row, const struct trace_record *record)
{
	static const char *const phases[] = {
		[PHASE_INSTANT] = "\"i\",\"s\":\"t\"", [PHASE_BEGIN] = "\"B\"", [PHASE_END] = "\"E\"",
	};
	unsigned thread = record->processor == TRACE_NO_PROCESSOR ? TRACE_CHROME_DEVICES : record->processor;

	add(line, "{\"name\":\"%s\",\"ph\":%s,\"ts\":%llu.%03llu,\"pid\":%u,\"tid\":%u,\"args\":{\"retired\":%llu", row->name,
	    phases[row->phase], (ull)(record->time_ns / 1000), (ull)(record->time_ns % 1000), TRACE_CHROME_PROCESS, thread,
	    (ull)record->retired);
	add_values(line, row, record, true);
	add(line, "}},\n");
}

size_t trace_print(char *out, size_t size, enum trace_format format, const struct trace_record *record)
{
	static void (*const print[TRACE_FORMATS])(struct line *line, const struct row *row, const struct trace_record *record) = {
		[TRACE_FORMAT_TEXT] = print_text, [TRACE_FORMAT_JSON] = print_json, [TRACE_FORMAT_CHROME] = print_chrome,
	};
	struct line line = { .out = out, .size = size };

	print[format](&line, &rows[record->event], record);
	return line.length;
}

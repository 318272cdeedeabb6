/* The manual page, in the man(7) language. See help.h. */
#include <string.h>

#include "cli/help.h"

/* When the manual's text last changed: a page says how old it is, and the same source must give the same page. */
#define MANUAL_DATE "2026-11-20"

static const char *const paragraphs[] = {
#define MANUAL_PARAGRAPH(text) text,
#define MANUAL_ENVIRONMENT(name, text)
#define MANUAL_FILE(path, text)
#define MANUAL_EXAMPLE(text, command)
#include "cli/manual.def"
#undef MANUAL_PARAGRAPH
	NULL,
};

static const struct help_item environment[] = {
#define MANUAL_PARAGRAPH(text)
#undef MANUAL_ENVIRONMENT
#define MANUAL_ENVIRONMENT(name, text) { name, text },
#include "cli/manual.def"
#undef MANUAL_ENVIRONMENT
	{ 0 },
};

static const struct help_item files[] = {
#define MANUAL_ENVIRONMENT(name, text)
#undef MANUAL_FILE
#define MANUAL_FILE(path, text) { path, text },
#include "cli/manual.def"
#undef MANUAL_FILE
	{ 0 },
};

static const struct help_item examples[] = {
#define MANUAL_FILE(path, text)
#undef MANUAL_EXAMPLE
#define MANUAL_EXAMPLE(text, command) { command, text },
#include "cli/manual.def"
	{ 0 },
};

/* roff takes '-' for a hyphen and a leading '.' or '\'' for a request; what stands in `quotes` is literal, so bold. */
static void put_text(FILE *out, const char *text)
{
	bool bold = false;

	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '`') {
			bold = !bold;
			fputs(bold ? "\\fB" : "\\fR", out);
		} else if (*text == '\\') {
			fputs("\\e", out);
		} else if (*text == '\'') {
			fputs("\\(aq", out);
		} else {
			if (*text == '-')
				fputc('\\', out);
			fputc(*text, out);
		}
	}
}

/* A sentence a line: the formatter puts the space between them. */
static void put_paragraph(FILE *out, const char *text)
{
	for (; *text; text++) {
		const char *end = strstr(text, ". ");
		size_t length = end ? (size_t)(end - text) + 1 : strlen(text);
		char sentence[1024];

		snprintf(sentence, sizeof(sentence), "%.*s", (int)length, text);
		put_text(out, sentence);
		fputc('\n', out);
		text += end ? length : length - 1;
	}
}

static void put_tag(FILE *out, const char *name, const char *argument)
{
	fputs(".TP\n\\fB", out);
	put_text(out, name);
	fputs("\\fR", out);
	if (argument) {
		fputs(" \\fI", out);
		put_text(out, argument);
		fputs("\\fR", out);
	}
	fputc('\n', out);
}

static void put_items(FILE *out, const char *section, const char *prefix, const struct help_item *items)
{
	fprintf(out, ".SH %s\n", section);
	for (; items->name; items++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", prefix, items->name);
		put_tag(out, name, NULL);
		put_paragraph(out, items->text);
	}
}

static void put_synopsis(FILE *out)
{
	fputs(".SH SYNOPSIS\n", out);
	for (const struct help_command *c = help_commands; c->name; c++) {
		fprintf(out, "%s.B subring %s\n", c == help_commands ? "" : ".br\n", c->name);
		put_text(out, c->arguments);
		fputc('\n', out);
	}
}

static void put_options(FILE *out, const char *command)
{
	for (const struct help_option *o = help_options; o->command; o++) {
		if (strcmp(o->command, command))
			continue;
		if (!o->name) {
			fprintf(out, ".SS %s\n", o->help);
			continue;
		}
		put_tag(out, o->name, o->argument);
		put_paragraph(out, o->help);
	}
}

static void put_commands(FILE *out)
{
	fputs(".SH COMMANDS\n", out);
	for (const struct help_command *c = help_commands; c->name; c++) {
		fputs(".SS ", out);
		put_text(out, c->name);
		fputc('\n', out);
		put_paragraph(out, c->text);
		if (!strcmp(c->name, "run"))
			fputs("Its options have a section of their own.\n", out);
		else
			put_options(out, c->name);
	}
}

static void put_examples(FILE *out)
{
	fputs(".SH EXAMPLES\n", out);
	for (const struct help_item *e = examples; e->name; e++) {
		if (e != examples)
			fputs(".PP\n", out);
		put_text(out, e->text);
		fputs("\n.PP\n.RS 4\n.nf\n", out);
		put_text(out, e->name);
		fputs("\n.fi\n.RE\n", out);
	}
}

void help_man(FILE *out)
{
	fputs(".TH SUBRING 1 " MANUAL_DATE " \"subring " SUBRING_VERSION "\" \"User Commands\"\n", out);
	fputs(".SH NAME\nsubring \\- run operating systems in virtual machines\n", out);
	put_synopsis(out);
	fputs(".SH DESCRIPTION\n", out);
	for (const char *const *p = paragraphs; *p; p++) {
		if (p != paragraphs)
			fputs(".PP\n", out);
		put_paragraph(out, *p);
	}
	put_commands(out);
	fputs(".SH OPTIONS OF RUN\n", out);
	put_options(out, "run");
	put_items(out, "KEYS", "Ctrl-a ", help_keys);
	put_items(out, "ITEMS OF DOCTOR", "", help_doctor_items);
	put_items(out, "EXIT STATUS", "", help_exit_statuses);
	put_items(out, "ENVIRONMENT", "", environment);
	put_items(out, "FILES", "", files);
	put_examples(out);
	fputs(".SH SEE ALSO\n.BR passt (1),\n.BR qemu\\-system\\-x86_64 (1)\n", out);
}

/* Help for the person at the terminal. See help.h. */
#include "cli/help.h"

#include <string.h>

#define COLUMNS 90

const struct help_command help_commands[] = {
#define COMMAND(id, name, arguments, summary, text) { name, arguments, summary, text },
#define COMMAND_OPTION(id, name, argument, completion, help)
#include "cli/command.def"
#undef COMMAND
#undef COMMAND_OPTION
	{ 0 },
};

const struct help_option help_options[] = {
#define RUN_GROUP(title) { "run", NULL, NULL, NULL, title },
#define RUN_OPTION(id, name, argument, repeatable, completion, help) { "run", name, argument, completion, help },
#include "cli/run_options.def"
#undef RUN_OPTION
#undef RUN_GROUP
#define COMMAND(id, name, arguments, summary, text)
#define COMMAND_OPTION(id, name, argument, completion, help) { #id, name, argument, completion, help },
#include "cli/command.def"
#undef COMMAND
#undef COMMAND_OPTION
	{ 0 },
};

const struct help_item help_exit_statuses[] = {
#define EXIT_STATUS(id, number, shown, meaning) { shown, meaning },
#include "cli/exit_status.def"
#undef EXIT_STATUS
	{ "(v<<1)|1", "the guest wrote v to the --debug-exit port" },
	{ 0 },
};

const struct help_item help_keys[] = {
#define KEY(letter, action, help) { (const char[]){ letter, 0 }, help },
#include "cli/key.def"
#undef KEY
	{ "Ctrl-a", "send Ctrl-a to the guest" },
	{ 0 },
};

const struct help_item help_doctor_items[] = {
#define DOCTOR(id, name, needed, purpose) { name, purpose },
#include "cli/doctor.def"
#undef DOCTOR
	{ 0 },
};

const char *help_command_name(size_t index)
{
	return help_commands[index].name;
}

/* The text in lines of at most COLUMNS, each indented. */
static void print_wrapped(FILE *out, int indent, const char *text)
{
	int column = 0;

	for (const char *word = text; *word; word += strspn(word, " ")) {
		int length = (int)strcspn(word, " ");

		if (column && column + 1 + length > COLUMNS - indent) {
			fputc('\n', out);
			column = 0;
		}
		column += fprintf(out, "%*s%.*s", column ? 1 : indent, "", length, word) - (column ? 0 : indent);
		word += length;
	}
	fputc('\n', out);
}

static void print_items(FILE *out, const char *title, const char *prefix, const struct help_item *items)
{
	fprintf(out, "\n%s\n", title);
	for (; items->name; items++)
		fprintf(out, "  %s%-*s %s\n", prefix, 14 - (int)strlen(prefix), items->name, items->text);
}

void help_program(FILE *out)
{
	fprintf(out, "usage: subring COMMAND [OPTIONS]\n\n");
	for (const struct help_command *c = help_commands; c->name; c++)
		fprintf(out, "  %-8s %s\n", c->name, c->summary);
	fprintf(out, "\n  --version, --help\n\n`subring COMMAND --help` explains a command.\n");
}

static void print_options(FILE *out, const char *command)
{
	bool any = false;

	for (const struct help_option *o = help_options; o->command; o++) {
		if (strcmp(o->command, command))
			continue;
		if (!o->name) {
			fprintf(out, "\n%s\n", o->help);
			continue;
		}
		if (!any && strcmp(command, "run"))
			fputc('\n', out);
		any = true;
		fprintf(out, "  %s%s%s\n", o->name, o->argument ? " " : "", o->argument ? o->argument : "");
		print_wrapped(out, 8, o->help);
	}
}

bool help_command(FILE *out, const char *name)
{
	const struct help_command *c = help_commands;

	while (c->name && strcmp(c->name, name))
		c++;
	if (!c->name)
		return false;
	fprintf(out, "usage: subring %s %s\n\n", c->name, c->arguments);
	print_wrapped(out, 0, c->text);
	print_options(out, c->name);
	if (!strcmp(name, "run")) {
		print_items(out, "Keys", "Ctrl-a ", help_keys);
		print_items(out, "Exit status", "", help_exit_statuses);
	} else if (!strcmp(name, "doctor")) {
		print_items(out, "Items", "", help_doctor_items);
	}
	return true;
}

/*
 * The completion for bash. See help.h.
 *
 * bash splits words at '=', so what follows "path=" is a word of its own, and "=" the one before it.
 */
#include <string.h>

#include "base/trace.h"
#include "cli/help.h"

static const char begin[] =
	"# bash completion for subring(1)\n"
	"_subring_words()\n{\n"
	"\tCOMPREPLY=($(compgen -W \"$1\" -- \"$word\"))\n"
	"\tcase ${COMPREPLY[0]} in\n\t*=) compopt -o nospace 2>/dev/null ;;\n\tesac\n}\n\n"
	"_subring_files()\n{\n"
	"\tCOMPREPLY=($(compgen -f -- \"$word\"))\n"
	"\tcompopt -o filenames 2>/dev/null\n}\n\n"
	"_subring()\n{\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
	"\tif [ \"$word\" = = ]; then\n\t\tword= previous==\n\tfi\n"
	"\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\t_subring_words '";

static const char middle[] =
	"'\n\t\treturn\n\tfi\n"
	"\tif [ \"$previous\" = = ]; then\n\t\t_subring_files\n\t\treturn\n\tfi\n"
	"\tcase ${COMP_WORDS[1]} in\n";

static void put_events(FILE *out)
{
	fputs("all help", out);
	for (unsigned i = 0; i < TRACE_EVENTS; i++)
		fprintf(out, " %s", trace_name((enum trace_event)i));
}

static void put_argument(FILE *out, const struct help_option *option)
{
	fprintf(out, "\t\t%s) ", option->name);
	if (!option->completion)
		fputs("return", out);
	else if (!strcmp(option->completion, "@file"))
		fputs("_subring_files", out);
	else if (!strcmp(option->completion, "@model"))
		fputs("_subring_words \"$(\"${COMP_WORDS[0]}\" models --names 2>/dev/null)\"", out);
	else if (!strcmp(option->completion, "@event"))
		fputs("_subring_words '", out), put_events(out), fputc('\'', out);
	else
		fprintf(out, "_subring_words '%s'", option->completion);
	fputs(" ;;\n", out);
}

static void put_names(FILE *out, const char *command)
{
	for (const struct help_option *o = help_options; o->command; o++)
		if (o->name && !strcmp(o->command, command))
			fprintf(out, "%s ", o->name);
}

static void put_run(FILE *out)
{
	fputs("\trun)\n\t\tcase $previous in\n", out);
	for (const struct help_option *o = help_options; o->command; o++)
		if (o->name && o->argument && !strcmp(o->command, "run"))
			put_argument(out, o);
	fputs("\t\t*)\n\t\t\tcase $word in\n\t\t\t-*) _subring_words '", out);
	put_names(out, "run");
	fputs("--help' ;;\n\t\t\t*) _subring_files ;;\n\t\t\tesac ;;\n\t\tesac ;;\n", out);
}

static void put_words(FILE *out, const char *command)
{
	fprintf(out, "\t%s) _subring_words '", command);
	put_names(out, command);
	if (!strcmp(command, "doctor")) {
		for (const struct help_item *i = help_doctor_items; i->name; i++)
			fprintf(out, "%s ", i->name);
	} else if (!strcmp(command, "help")) {
		for (size_t i = 0; help_command_name(i); i++)
			fprintf(out, "%s ", help_command_name(i));
		fputs("man bash ", out);
	}
	fputs("--help' ;;\n", out);
}

void help_bash(FILE *out)
{
	fputs(begin, out);
	for (size_t i = 0; help_command_name(i); i++)
		fprintf(out, "%s ", help_command_name(i));
	fputs("--help --version", out);
	fputs(middle, out);
	put_run(out);
	for (size_t i = 0; help_command_name(i); i++)
		if (strcmp(help_command_name(i), "run"))
			put_words(out, help_command_name(i));
	fputs("\tesac\n}\ncomplete -F _subring subring\n", out);
}

/* Help texts, manual page, completion. See help.h: everything comes from the two .def tables. */
#include "cli/help.h"

#include <string.h>

#define VERSION_TEXT "subring " SUBRING_VERSION

static const struct { const char *name, *summary; } commands[] = {
#define COMMAND(id, name, summary) { name, summary },
#include "cli/command.def"
#undef COMMAND
};

/* name NULL: a group's title, in help. */
static const struct { const char *name, *argument, *help; } run_rows[] = {
#define RUN_GROUP(title) { NULL, NULL, title },
#define RUN_OPTION(id, name, argument, repeatable, help) { name, argument, help },
#include "cli/run_options.def"
#undef RUN_OPTION
#undef RUN_GROUP
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

void help_program(FILE *out)
{
	fprintf(out, "usage: subring COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; i < ROWS(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n  --version, --help\n\nsubring COMMAND --help explains a command.\n");
}

void help_run(FILE *out)
{
	fprintf(out, "usage: subring run [OPTIONS] [KERNEL]\n\nRuns a kernel in a virtual machine; its first serial port is this terminal.\n"
		     "Ctrl-a x ends the run, Ctrl-a h lists the keys.\n");
	for (size_t i = 0; i < ROWS(run_rows); i++) {
		if (run_rows[i].name)
			fprintf(out, "  %s %s\n        %s\n", run_rows[i].name, run_rows[i].argument ? run_rows[i].argument : "",
				run_rows[i].help);
		else
			fprintf(out, "\n%s\n", run_rows[i].help);
	}
}

/* roff takes '-' for a hyphen and a leading '.' or '\'' for a request. */
static void roff_text(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void man_run_options(FILE *out)
{
	for (size_t i = 0; i < ROWS(run_rows); i++) {
		if (!run_rows[i].name) {
			fprintf(out, ".SS %s\n", run_rows[i].help);
			continue;
		}
		fprintf(out, ".TP\n.B ");
		roff_text(out, run_rows[i].name);
		if (run_rows[i].argument) {
			fputc(' ', out);
			roff_text(out, run_rows[i].argument);
		}
		fputc('\n', out);
		roff_text(out, run_rows[i].help);
		fputc('\n', out);
	}
}

void help_man(FILE *out)
{
	fprintf(out, ".TH SUBRING 1 \"\" \"" VERSION_TEXT "\"\n.SH NAME\nsubring \\- run operating systems in virtual machines\n"
		     ".SH SYNOPSIS\n.B subring run\n[options] [kernel]\n.br\n.B subring\ncommand [options]\n.SH COMMANDS\n");
	for (size_t i = 0; i < ROWS(commands); i++) {
		fprintf(out, ".TP\n.B %s\n", commands[i].name);
		roff_text(out, commands[i].summary);
		fputc('\n', out);
	}
	fprintf(out, ".SH OPTIONS OF RUN\n");
	man_run_options(out);
	fprintf(out, ".SH KEYS\nCtrl\\-a x ends the run, Ctrl\\-a h lists the keys, Ctrl\\-a Ctrl\\-a sends Ctrl\\-a to the guest.\n"
		     ".SH EXIT STATUS\n.TP\n0\nthe guest ended by itself, or was ended with Ctrl\\-a x\n"
		     ".TP\n1\nthe guest failed: \\-\\-fail\\-on matched, \\-\\-expect did not, a triple fault\n"
		     ".TP\n2\nthe command line is wrong\n.TP\n3\nthe host or a file does not allow it\n"
		     ".TP\n124\n\\-\\-timeout\n.TP\n128+N\nended by signal N\n.TP\n(v<<1)|1\n"
		     "the guest wrote v to the \\-\\-debug\\-exit port\n");
}

void help_bash(FILE *out)
{
	fprintf(out, "# bash completion for subring\n_subring()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
		     "\tif [ \"$COMP_CWORD\" = 1 ]; then\n\t\tCOMPREPLY=($(compgen -W '");
	for (size_t i = 0; i < ROWS(commands); i++)
		fprintf(out, "%s ", commands[i].name);
	fprintf(out, "--help --version' -- \"$word\"))\n\t\treturn\n\tfi\n\tcase $previous in\n"
		     "\t--cpu) COMPREPLY=($(compgen -W \"$(subring models --names)\" -- \"$word\")) ;;\n"
		     "\t--clock) COMPREPLY=($(compgen -W 'host instructions' -- \"$word\")) ;;\n"
		     "\t--engine) COMPREPLY=($(compgen -W 'auto soft' -- \"$word\")) ;;\n"
		     "\t--kernel|--initrd|--module) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n\t*)\n\t\tcase $word in\n"
		     "\t\t-*) COMPREPLY=($(compgen -W '");
	for (size_t i = 0; i < ROWS(run_rows); i++)
		if (run_rows[i].name)
			fprintf(out, "%s ", run_rows[i].name);
	fprintf(out, "' -- \"$word\")) ;;\n\t\t*) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n\t\tesac ;;\n\tesac\n}\n"
		     "complete -F _subring subring\n");
}

/* `subring models`: the processor models, oldest first, with what they have for virtualization. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/help.h"
#include "x86/model.h"

static void print_table(void)
{
	printf("%-16s %-6s %-5s %s\n", "MODEL", "VENDOR", "BITS", "DESCRIPTION");
	for (size_t i = 0; i < model_count(); i++) {
		const struct cpu_model *m = model_at(i);

		printf("%-16s %-6s %-5s %s\n", m->name, m->vendor == VENDOR_AMD ? "AMD" : "Intel",
		       feature_has(&m->features, FEAT_LM) ? "64" : "32", m->description);
	}
}

int command_models(int argc, char **argv)
{
	if (!argc) {
		print_table();
		return EXIT_OK;
	}
	if (!strcmp(argv[0], "--names") && argc == 1) {
		for (size_t i = 0; i < model_count(); i++)
			puts(model_at(i)->name);
		return EXIT_OK;
	}
	if (!strcmp(argv[0], "--help") || !strcmp(argv[0], "-h")) {
		help_command(stdout, "models");
		return EXIT_OK;
	}
	log_error("models: unknown word '%s'; see `subring models --help`", argv[argc > 1]);
	return EXIT_USAGE;
}

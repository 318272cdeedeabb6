/* Modules: see modules.h. */
#include "boot/modules.h"

#include "base/bits.h"
#include "base/string.h"
#include "x86/regs.h"

static bool place_module(struct memory *memory, const struct boot_module *module, gpa_t at,
			 struct place_strings *strings, struct placed_module *placed, struct host_error *error)
{
	if (!place_bytes(memory, at, module->blob.bytes, module->blob.size, "module", error))
		return false;
	placed->start = at;
	placed->end = at + module->blob.size;
	placed->cmdline = place_string(memory, strings, module->cmdline, strlen(module->cmdline) + 1, "module", error);
	return placed->cmdline;
}

bool modules_place(struct memory *memory, const struct boot_config *config, gpa_t at, struct place_strings *strings,
		   struct placed_module placed[BOOT_MAX_MODULES + 1], u32 *count, struct host_error *error)
{
	const struct boot_module initrd = { config->initrd, "" };

	*count = 0;
	at = align_up(max_u64(at, PLACE_EXTENDED_BASE), PAGE_SIZE);
	if (config->initrd.size) {
		if (!place_module(memory, &initrd, at, strings, &placed[(*count)++], error))
			return false;
		at = align_up(placed[0].end, PAGE_SIZE);
	}
	for (unsigned i = 0; i < config->module_count; i++) {
		if (!place_module(memory, &config->modules[i], at, strings, &placed[*count], error))
			return false;
		at = align_up(placed[(*count)++].end, PAGE_SIZE);
	}
	return true;
}

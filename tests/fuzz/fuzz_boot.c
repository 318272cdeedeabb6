/*
 * Any bytes as a kernel, an initrd and modules: the loaders refuse them with one line or load them, and touch nothing
 * else.
 *
 * The first byte says how the rest is shared out, so that a corpus of real images can be had by putting a zero in
 * front.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "boot/boot.h"
#include "driver.h"
#include "x86/model.h"
#include "x86/regs.h"

#define MEMORY_BYTES (16ull << 20)

/* One memory for all runs: what an earlier run left there must not matter to a loader. */
static struct memory *guest_memory(void)
{
	static struct memory memory;
	u64 pages = MEMORY_BYTES / PAGE_SIZE;

	if (!memory.host)
		memory_init(&memory, malloc(MEMORY_BYTES), MEMORY_BYTES, calloc(pages, sizeof(_Atomic u32)),
			    calloc(pages, sizeof(_Atomic u8)));
	return &memory;
}

/* A copy of just the size, so that the sanitizer sees one byte too far. */
static struct boot_blob copy(const uint8_t *data, size_t size)
{
	u8 *bytes = malloc(size ? size : 1);

	memcpy(bytes, data, size);
	return (struct boot_blob){ bytes, size };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_config config = { .kernel_name = "kernel", .cmdline = "console=ttyS0", .rsdp = 0xe0000 };
	struct host_error error = { "" };
	struct cpu cpu = { 0 };
	size_t extra;

	if (!size)
		return 0;
	config.features = model_find("max-intel")->features;
	config.tsc_khz = 1000000;
	/* Up to 255 bytes from the end serve as initrd, half of them as a module if odd. */
	extra = data[0] < size - 1 ? data[0] : 0;
	config.kernel = copy(data + 1, size - 1 - extra);
	config.initrd = copy(data + size - extra, extra);
	if (extra & 1) {
		config.modules[0] = (struct boot_module){ copy(data + size - extra, extra / 2), "module" };
		config.module_count = 1;
	}
	if (boot_load(guest_memory(), &config, &cpu, &error)) {
		ASSERT(memory_at(guest_memory(), cpu.rip, 1));
		ASSERT(boot_identify(config.kernel) != BOOT_UNKNOWN);
	} else {
		ASSERT(error.text[0] && !strchr(error.text, '\n'));
	}
	free((void *)(uintptr_t)config.kernel.bytes);
	free((void *)(uintptr_t)config.initrd.bytes);
	free((void *)(uintptr_t)config.modules[0].blob.bytes);
	return 0;
}

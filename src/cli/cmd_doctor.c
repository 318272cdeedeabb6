/*
 * `subring doctor`: what this host offers for running guests.
 *
 * Each item of doctor.def is looked at by a function here, which finds out by trying where it can: what a host claims and
 * what works are different things.
 */
#include <cpuid.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/log.h"
#include "base/nearest.h"
#include "cli/command.h"
#include "cli/engines.h"
#include "cli/exit_status.h"
#include "cli/help.h"
#include "host/code.h"
#include "host/linux/kvm_probe.h"
#include "host/linux/program.h"
#include "host/linux/resources.h"

#define MIB (1ull << 20)
#define DEFAULT_GUEST_BYTES (512 * MIB)
#define OWN_BYTES (32 * MIB)

/* What was found. advice: what to do if ok is false; empty if nothing can be done. */
struct finding {
	bool ok;
	char text[HOST_ERROR_BYTES];
	char advice[HOST_ERROR_BYTES];
};

#define FOUND(finding, ...) snprintf((finding)->text, sizeof((finding)->text), __VA_ARGS__)
#define ADVISE(finding, ...) snprintf((finding)->advice, sizeof((finding)->advice), __VA_ARGS__)

/* ---- what is needed ---- */

static void look_engine(struct finding *f)
{
	struct host_error reason, error;

	f->ok = engines_choose("auto", &reason, &error);
	FOUND(f, "%.250s", f->ok ? reason.text : error.text);
}

static void look_memory(struct finding *f)
{
	u64 available = host_memory_available();

	f->ok = available >= DEFAULT_GUEST_BYTES + OWN_BYTES;
	FOUND(f, "%llu MiB available of %llu MiB", (unsigned long long)(available / MIB),
	      (unsigned long long)(host_memory_total() / MIB));
	ADVISE(f, "free some memory, or run smaller guests with --memory");
}

static void look_code(struct finding *f)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *writable, *code = host_code_allocate(bytes, &writable);

	f->ok = code;
	FOUND(f, "%s", code ? "a page can be mapped to be executed" : "no page can be mapped to be executed");
	ADVISE(f, "the host's security policy forbids it: allow memfd and executable mappings for Subring");
	if (code)
		host_code_free(code, writable, bytes);
}

/* ---- virtualization ---- */

/* "CPUID - Processor Features": leaf 1 ECX bit 5 is VMX; AMD's leaf 8000_0001H ECX bit 2 is SVM. */
static void look_virtualization(struct finding *f)
{
	unsigned a, b, c = 0, d;
	bool vmx = __get_cpuid(1, &a, &b, &c, &d) && c & BIT(5);
	bool nested = c & BIT(31);
	bool svm = __get_cpuid(0x80000001, &a, &b, &c, &d) && c & BIT(2);

	f->ok = vmx || svm;
	FOUND(f, "%s%s", vmx ? "VT-x" : svm ? "AMD-V" : "neither VT-x nor AMD-V in CPUID",
	      nested ? "; this host is itself a virtual machine" : "");
	ADVISE(f, "%s", nested ? "turn on nested virtualization in the outer hypervisor; Subring's own processor needs none" :
				 "turn it on in the firmware, if the processor has it; Subring's own processor needs none");
}

static void look_kvm(struct finding *f)
{
	struct kvm_report report;

	kvm_probe(&report);
	f->ok = report.state == KVM_USABLE;
	FOUND(f, "%.250s", report.text);
	ADVISE(f, "%.250s", report.advice);
}

/* The word in brackets of a file such as "always [madvise] never". */
static bool chosen_word(const char *path, char *word, size_t size)
{
	char line[128] = "";
	FILE *file = fopen(path, "re");
	const char *open;

	if (!file)
		return false;
	open = fgets(line, sizeof(line), file) ? strchr(line, '[') : NULL;
	fclose(file);
	if (!open)
		return false;
	snprintf(word, size, "%.*s", (int)strcspn(open + 1, "]"), open + 1);
	return true;
}

static void look_hugepages(struct finding *f)
{
	static const char path[] = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
	char word[32] = "";

	if (!chosen_word(path, word, sizeof(word))) {
		FOUND(f, "this kernel has no transparent huge pages for shared memory");
		return;
	}
	f->ok = strcmp(word, "never") && strcmp(word, "deny");
	FOUND(f, "transparent huge pages for shared memory: %s", word);
	ADVISE(f, "guests with much memory run faster after `echo advise | sudo tee %s`", path);
}

/* ---- tools ---- */

static void look_program(struct finding *f, const char *program, const char *package)
{
	char path[4096];

	f->ok = program_find(program, path, sizeof(path));
	if (f->ok)
		FOUND(f, "%.200s", path);
	else
		FOUND(f, "%s is not installed", program);
	ADVISE(f, "install package %s", package);
}

static void look_passt(struct finding *f)
{
	look_program(f, "passt", "passt");
}

static void look_qemu(struct finding *f)
{
	look_program(f, "qemu-system-x86_64", "qemu-system-x86");
}

static void look_gdb(struct finding *f)
{
	look_program(f, "gdb", "gdb");
}

static void look_tap(struct finding *f)
{
	f->ok = !access("/dev/net/tun", R_OK | W_OK);
	if (f->ok)
		FOUND(f, "/dev/net/tun may be opened");
	else
		FOUND(f, "/dev/net/tun: %s", strerror(errno));
	ADVISE(f, "%s", errno == ENOENT ? "load the module tun: `sudo modprobe tun`" :
					  "allow this user to open it, or use mode=user");
}

static void look_terminal(struct finding *f)
{
	struct winsize size = { 0 };

	f->ok = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	if (f->ok && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		FOUND(f, "%u columns, %u lines", size.ws_col, size.ws_row);
	else
		FOUND(f, "%s is no terminal", isatty(STDIN_FILENO) ? "stdout" : "stdin");
	ADVISE(f, "the guest's console works through pipes and files too; keys are for terminals");
}

/* ---- the report ---- */

static const struct item {
	const char *name;
	bool needed;
	const char *purpose;
	void (*look)(struct finding *finding);
} items[] = {
#define DOCTOR(id, name, needed, purpose) { name, needed, purpose, look_##id },
#include "cli/doctor.def"
#undef DOCTOR
};

static const char *item_name(size_t index)
{
	return index < ARRAY_LENGTH(items) ? items[index].name : NULL;
}

static void print_text(const struct item *item, const struct finding *f)
{
	printf("%-8s %-15s %s\n", f->ok ? "ok" : item->needed ? "MISSING" : "missing", item->name, f->text);
	if (!f->ok)
		printf("%24s for: %s\n", "", item->purpose);
	if (!f->ok && *f->advice)
		printf("%24s do:  %s\n", "", f->advice);
}

static void print_json_string(const char *key, const char *text)
{
	printf("\"%s\": \"", key);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		if ((unsigned char)*text >= ' ')
			putchar(*text);
	}
	putchar('"');
}

static void print_json(const struct item *item, const struct finding *f, bool first)
{
	printf("%s\n    { ", first ? "" : ",");
	print_json_string("name", item->name);
	printf(", \"ok\": %s, \"needed\": %s, ", f->ok ? "true" : "false", item->needed ? "true" : "false");
	print_json_string("purpose", item->purpose);
	printf(", ");
	print_json_string("found", f->text);
	printf(", ");
	print_json_string("advice", f->ok ? "" : f->advice);
	printf(" }");
}

struct request {
	bool json;
	u32 chosen; /* items named, one bit each; 0: all */
};

_Static_assert(ARRAY_LENGTH(items) <= 32, "struct request holds every item");

static int report(const struct request *request)
{
	bool good = true, first = true;

	if (request->json)
		printf("{\n  \"version\": \"" SUBRING_VERSION "\",\n  \"items\": [");
	for (size_t i = 0; i < ARRAY_LENGTH(items); i++) {
		struct finding finding = { .ok = false };

		if (request->chosen && !(request->chosen & BIT(i)))
			continue;
		items[i].look(&finding);
		good = good && (finding.ok || !(items[i].needed || request->chosen));
		if (request->json)
			print_json(&items[i], &finding, first);
		else
			print_text(&items[i], &finding);
		first = false;
	}
	if (request->json)
		printf("\n  ],\n  \"ok\": %s\n}\n", good ? "true" : "false");
	else if (!request->chosen)
		printf("\n%s\n", good ? "Guests can run here." : "Guests cannot run here: see what is MISSING.");
	return good ? EXIT_OK : EXIT_GUEST;
}

static bool choose_item(struct request *request, const char *word)
{
	for (size_t i = 0; i < ARRAY_LENGTH(items); i++) {
		if (!strcmp(items[i].name, word)) {
			request->chosen |= (u32)BIT(i);
			return true;
		}
	}
	log_error("doctor: nothing is called '%s'; the nearest is '%s', and `subring doctor --help` lists the items", word,
		  nearest_name(word, strlen(word), item_name));
	return false;
}

int command_doctor(int argc, char **argv)
{
	struct request request = { .json = false };

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			help_command(stdout, "doctor");
			return EXIT_OK;
		}
		if (!strcmp(argv[i], "--json"))
			request.json = true;
		else if (!choose_item(&request, argv[i]))
			return EXIT_USAGE;
	}
	return report(&request);
}

/*
 * Prints a VMCB: see dump.h.
 *
 * A field is a line, "+058 control.asid = 1"; the set bits of intercept vectors and control words follow, each with its
 * name, also those that this processor ignores, since the VMCB may come from another.
 */
#include "svm/dump.h"

#include "base/format.h"
#include "svm/control.h"
#include "svm/exit.h"
#include "svm/intercept.h"

#define BYTES_PER_LINE 32u

typedef unsigned long long ull; /* what %llx takes */

/* Where the lines go. */
struct sink {
	void (*line)(void *context, const char *text);
	void *context;
};

static void print(const struct sink *sink, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void print(const struct sink *sink, const char *fmt, ...)
{
	char line[SVM_DUMP_LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	format_list(line, sizeof(line), fmt, args);
	va_end(args);
	sink->line(sink->context, line);
}

static void dump_intercepts(const struct vmcb *vmcb, unsigned vector, const struct sink *sink)
{
	char name[SVM_INTERCEPT_NAME_SIZE];

	for (unsigned i = 0; i < SVM_INTERCEPT_BITS; i++)
		if (svm_intercepts(vmcb, vector * SVM_INTERCEPT_BITS + i))
			print(sink, "       bit %u: %s", i, svm_intercept_name(vector * SVM_INTERCEPT_BITS + i, name));
}

static void dump_parts(u64 value, enum vmcb_field field, const struct sink *sink)
{
	const struct svm_bitfield *part;
	u64 rest = value;

	for (size_t i = 0; (part = svm_bitfield_at(field, i)); i++) {
		rest &= ~part->mask;
		if (value & part->mask)
			print(sink, "       %s = 0x%llx", part->name, (ull)((value & part->mask) >> part->low));
	}
	if (rest)
		print(sink, "       reserved bits 0x%llx", (ull)rest);
}

static void dump_meaning(const struct vmcb *vmcb, enum vmcb_field field, const struct sink *sink)
{
	char name[SVM_EXIT_NAME_SIZE];
	u64 value = vmcb_read(vmcb, field);

	if (field >= VMCB_INTERCEPT0 && field <= VMCB_INTERCEPT5)
		dump_intercepts(vmcb, field - VMCB_INTERCEPT0, sink);
	else if (svm_bitfield_at(field, 0))
		dump_parts(value, field, sink);
	else if (field == VMCB_EXIT_CODE)
		print(sink, "       %s", svm_exit_name(value, name));
	else if (field == VMCB_TLB_CONTROL)
		print(sink, "       %s", svm_tlb_control_name((u8)value));
	for (unsigned i = 0; field == VMCB_CLEAN && i < SVM_INTERCEPT_BITS; i++)
		if (value >> i & 1 && svm_clean_name(i))
			print(sink, "       %s", svm_clean_name(i));
}

/* A field longer than a register: its bytes, as many to a line as fit. */
static void dump_bytes(const struct vmcb *vmcb, const struct vmcb_field_info *info, const struct sink *sink)
{
	const u8 *bytes = (const u8 *)vmcb + info->offset;

	for (unsigned first = 0; first < info->bytes; first += BYTES_PER_LINE) {
		char text[BYTES_PER_LINE * 3 + 1];
		size_t used = 0;

		for (unsigned i = first; i < info->bytes && i < first + BYTES_PER_LINE; i++)
			used += format(text + used, sizeof(text) - used, " %02x", bytes[i]);
		print(sink, "  +%03x %s =%s", info->offset + first, info->name, text);
	}
}

static bool is_zero(const struct vmcb *vmcb, const struct vmcb_field_info *info)
{
	const u8 *bytes = (const u8 *)vmcb + info->offset;

	for (unsigned i = 0; i < info->bytes; i++)
		if (bytes[i])
			return false;
	return true;
}

void svm_dump(const struct vmcb *vmcb, bool all, void (*line)(void *context, const char *text), void *context)
{
	const struct sink sink = { line, context };

	for (enum vmcb_field field = 0; field < VMCB_FIELD_COUNT; field++) {
		const struct vmcb_field_info *info = vmcb_field_info(field);

		if (field == 0)
			print(&sink, "VMCB control area:");
		if (field == VMCB_ES_SELECTOR)
			print(&sink, "VMCB save area:");
		if (!all && is_zero(vmcb, info))
			continue;
		if (info->bytes > sizeof(u64)) {
			dump_bytes(vmcb, info, &sink);
			continue;
		}
		print(&sink, "  +%03x %s = 0x%llx", info->offset, info->name, (ull)vmcb_read(vmcb, field));
		dump_meaning(vmcb, field, &sink);
	}
}

/* The table of entry checks, the report, and the outcome of an entry: see check.h. */
#include "vmx/check.h"
#include "base/assert.h"
#include "base/string.h"
#include "vmx/check_view.h"
#include "vmx/exit.h"

#undef CHECK

static const struct {
	const char *heading;
	u8 stage, qualification;
} sections[] = {
#define SECTION(id, stage, qualification, heading) \
	{ heading, VMX_CHECK_##stage, VMX_ENTRY_FAILURE_##qualification },
#include "vmx/check.def"
};

enum section {
#define SECTION(id, ...) SECTION_##id,
#include "vmx/check.def"
};

#define VMCS_NONE VMCS_FIELD_COUNT

struct row {
	const char *id, *expected;
	u16 field, other;
	u8 section, high, low;
};

static const struct row rows[] = {
#define CHECK(section, id, field, high, low, other, expected, condition) \
	{ id, expected, VMCS_##field, VMCS_##other, SECTION_##section, high, low },
#include "vmx/check.def"
};

_Static_assert(ARRAY_LENGTH(rows) <= VMX_CHECK_LIMIT, "a report holds every check");

#define CHECK(...) + 1
enum {
	CONTROLS_ROWS = 0
#include "vmx/check_controls.def"
	, HOST_ROWS = 0
#include "vmx/check_host.def"
};
#undef CHECK

static const u16 first_row[VMX_CHECK_STAGES] = {
	[VMX_CHECK_CONTROLS] = 0, [VMX_CHECK_HOST] = CONTROLS_ROWS, [VMX_CHECK_GUEST] = CONTROLS_ROWS + HOST_ROWS,
};

struct check_view check_begin(const struct vmx_entry *entry, enum vmx_check_stage stage,
			      struct vmx_check_report *report)
{
	struct check_view view = { .entry = entry, .report = report, .stage = stage };

	vmx_controls_read(entry->vmcs, &view.controls);
	return view;
}

COLD bool check_fail(struct check_view *view, u16 row)
{
	struct vmx_check_report *report = view->report;

	ASSERT(report->count < VMX_CHECK_LIMIT);
	report->failed[report->count++] = first_row[view->stage] + row;
	view->failures++;
	return !report->all;
}

/* The outcome that the first failure of the report has. */
static struct vmx_entry_outcome outcome_of(const struct vmx_check_report *report)
{
	struct vmx_check check = vmx_check_at(report->failed[0]);

	switch ((enum vmx_check_stage)check.stage) {
	case VMX_CHECK_CONTROLS:
		return (struct vmx_entry_outcome){ .error = VMX_ERROR_ENTRY_CONTROLS };
	case VMX_CHECK_HOST:
		return (struct vmx_entry_outcome){ .error = VMX_ERROR_ENTRY_HOST_STATE };
	default:
		return (struct vmx_entry_outcome){
			.exit_reason = (u32)VMX_EXIT_ENTRY_FAILURE | VMX_EXIT_ENTRY_GUEST_STATE,
			.qualification = check.qualification,
		};
	}
}

struct vmx_entry_outcome vmx_check_entry(const struct vmx_entry *entry, struct vmx_check_report *report)
{
	report->count = 0;
	if ((vmx_check_controls(entry, report) || report->all) && (vmx_check_host(entry, report) || report->all))
		vmx_check_guest(entry, report);
	return report->count ? outcome_of(report) : (struct vmx_entry_outcome){ 0 };
}

size_t vmx_check_count(void)
{
	return ARRAY_LENGTH(rows);
}

struct vmx_check vmx_check_at(size_t number)
{
	const struct row *row = &rows[number];

	return (struct vmx_check){
		.id = row->id, .expected = row->expected, .heading = sections[row->section].heading,
		.field = row->field, .other = row->other, .high = row->high, .low = row->low,
		.stage = sections[row->section].stage,
		.qualification = sections[row->section].qualification,
	};
}

size_t vmx_check_find(const char *id)
{
	size_t number = 0;

	while (number < ARRAY_LENGTH(rows) && strcmp(rows[number].id, id))
		number++;
	return number;
}

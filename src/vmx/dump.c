/* A VMCS as text, by area and heading: see explain.h. */
#include "base/format.h"
#include "vmx/event.h"
#include "vmx/exit.h"
#include "vmx/explain.h"

#define LINE_SIZE 160

struct printer {
	const struct vmcs *vmcs;
	const struct vmx_capability *capability;
	void (*line)(void *context, const char *text);
	void *context;
};

static void print(const struct printer *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void print(const struct printer *p, const char *fmt, ...)
{
	char text[LINE_SIZE];
	va_list args;

	va_start(args, fmt);
	format_list(text, sizeof(text), fmt, args);
	va_end(args);
	p->line(p->context, text);
}

static const char *activity_name(u64 activity)
{
	static const char *const names[] = { "active", "HLT", "shutdown", "wait-for-SIPI" };

	return activity < ARRAY_LENGTH(names) ? names[activity] : "reserved";
}

static const char *event_type_name(u64 info)
{
	static const char *const names[] = {
		"external interrupt", "reserved", "NMI", "hardware exception", "software interrupt",
		"privileged software exception", "software exception", "other event",
	};

	return names[vmx_event_type(info)];
}

static void describe_event(char *text, size_t size, u64 info)
{
	if (info & VMX_EVENT_VALID)
		format(text, size, "%s, vector %u%s", event_type_name(info), vmx_event_vector(info),
		       info & VMX_EVENT_ERROR_CODE ? ", error code" : "");
}

static void describe_rights(char *text, size_t size, u64 rights)
{
	format(text, size, "type %u, DPL %u%s%s%s%s%s%s", (unsigned)(rights & SEGMENT_TYPE),
	       (unsigned)((rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT), rights & SEGMENT_S ? ", S" : "",
	       rights & SEGMENT_P ? ", P" : "", rights & SEGMENT_L ? ", L" : "", rights & SEGMENT_DB ? ", D/B" : "",
	       rights & SEGMENT_G ? ", G" : "", rights & SEGMENT_UNUSABLE ? ", unusable" : "");
}

static void describe_blocking(char *text, size_t size, u64 state)
{
	format(text, size, "%s%s%s%s", state & VMX_BLOCKING_STI ? "STI " : "",
	       state & VMX_BLOCKING_MOV_SS ? "MOV-SS " : "", state & VMX_BLOCKING_SMI ? "SMI " : "",
	       state & VMX_BLOCKING_NMI ? "NMI " : "");
}

/* What a value means, "" if there is nothing to say. */
static void describe(char *text, size_t size, enum vmcs_field field, u64 value)
{
	text[0] = 0;
	if (field >= VMCS_GUEST_ES_ACCESS_RIGHTS && field <= VMCS_GUEST_TR_ACCESS_RIGHTS)
		describe_rights(text, size, value);
	else if (field == VMCS_ENTRY_INTERRUPTION_INFO || field == VMCS_EXIT_INTERRUPTION_INFO ||
		 field == VMCS_IDT_VECTORING_INFO)
		describe_event(text, size, value);
	else if (field == VMCS_EXIT_REASON)
		format(text, size, "%s%s", value & VMX_EXIT_ENTRY_FAILURE ? "VM-entry failure: " : "",
		       vmx_exit_name((u32)value));
	else if (field == VMCS_INSTRUCTION_ERROR && value)
		format(text, size, "%s", vmx_error_text((u32)value));
	else if (field == VMCS_GUEST_ACTIVITY)
		format(text, size, "%s", activity_name(value));
	else if (field == VMCS_GUEST_INTERRUPTIBILITY)
		describe_blocking(text, size, value);
}

static void print_field(const struct printer *p, enum vmcs_field field)
{
	u64 value = vmcs_get(p->vmcs, field);
	enum vmx_word word = vmx_word_of_field(field);
	int digits = vmcs_encoding_width(vmcs_field_encoding(field)) == VMCS_WIDTH_16 ? 4 :
		     vmcs_encoding_width(vmcs_field_encoding(field)) == VMCS_WIDTH_32 ? 8 : 16;
	char meaning[LINE_SIZE / 2];

	describe(meaning, sizeof(meaning), field, value);
	print(p, "    %-44s 0x%04x  %0*llx%s%s", vmcs_field_name(field), vmcs_field_encoding(field), digits,
	      (unsigned long long)value, meaning[0] ? "  " : "", meaning);
	for (unsigned bit = 0; word < VMX_WORD_COUNT && bit < VMX_WORD_BITS; bit++) {
		const char *name = vmx_control_name(word * VMX_WORD_BITS + bit);

		if (value >> bit & 1 && name)
			print(p, "        bit %2u  %s", bit, name);
	}
}

static void print_heading(const struct printer *p, enum vmcs_heading heading)
{
	bool printed = false;

	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++) {
		if (vmcs_field_heading_id(field) != heading || !vmx_capability_has_field(p->capability, field))
			continue;
		if (!printed)
			print(p, "  %s", vmcs_heading_text(heading));
		printed = true;
		print_field(p, field);
	}
}

void vmx_dump(const struct vmcs *vmcs, const struct vmx_capability *capability,
	      void (*line)(void *context, const char *text), void *context)
{
	struct printer p = { .vmcs = vmcs, .capability = capability, .line = line, .context = context };

	print(&p, "VMCS revision %08x%s, %s, abort indicator %u", (u32)(vmcs->revision & ~VMCS_SHADOW),
	      vmcs->revision & VMCS_SHADOW ? " (shadow)" : "", vmcs->launch_state == VMCS_CLEAR ? "clear" : "launched",
	      vmcs->abort);
	for (enum vmcs_area area = 0; area < VMCS_AREA_COUNT; area++) {
		print(&p, "%s", vmcs_area_name(area));
		for (enum vmcs_heading heading = 0; heading < VMCS_HEADING_COUNT; heading++)
			if (vmcs_heading_area(heading) == area)
				print_heading(&p, heading);
	}
}

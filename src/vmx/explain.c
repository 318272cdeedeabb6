/* A failed entry check in one line: see explain.h. */
#include "vmx/explain.h"
#include "base/format.h"

struct text {
	char *out;
	size_t size, used;
};

static void add(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add(struct text *text, const char *fmt, ...)
{
	size_t left = text->used < text->size ? text->size - text->used : 0;
	va_list args;

	va_start(args, fmt);
	text->used += format_list(left ? text->out + text->used : NULL, left, fmt, args);
	va_end(args);
}

static void add_field(struct text *text, enum vmcs_field field, u64 value)
{
	add(text, "%s (0x%04x) is 0x%llx", vmcs_field_name(field), vmcs_field_encoding(field),
	    (unsigned long long)value);
}

/* Bits of a control word by name, or number where they have none. */
static void add_bits(struct text *text, const char *what, enum vmx_word word, u64 bits)
{
	const char *separator = "";

	if (!bits)
		return;
	add(text, "; %s: ", what);
	for (unsigned bit = 0; bit < VMX_WORD_BITS; bit++) {
		const char *name = vmx_control_name(word * VMX_WORD_BITS + bit);

		if (!(bits >> bit & 1))
			continue;
		if (name)
			add(text, "%s\"%s\" (bit %u)", separator, name, bit);
		else
			add(text, "%sbit %u", separator, bit);
		separator = ", ";
	}
}

/* PDPTEs are VMCS fields only with EPT; without, the checks read those that CR3 points to. */
static u64 value_of(const struct vmx_entry *entry, enum vmcs_field field)
{
	struct vmx_controls controls;

	vmx_controls_read(entry->vmcs, &controls);
	if (field >= VMCS_GUEST_PDPTE0 && field <= VMCS_GUEST_PDPTE3 && !vmx_controls_have(&controls, VMX_PROC2_EPT))
		return entry->pdpte[field - VMCS_GUEST_PDPTE0];
	return vmcs_get(entry->vmcs, field);
}

size_t vmx_explain_check(const struct vmx_entry *entry, size_t number, char *out, size_t size)
{
	struct vmx_check check = vmx_check_at(number);
	enum vmx_word word = vmx_word_of_field((enum vmcs_field)check.field);
	struct text text = { .out = out, .size = size };
	u64 value = value_of(entry, (enum vmcs_field)check.field);

	add(&text, "%s: ", check.id);
	add_field(&text, (enum vmcs_field)check.field, value);
	if (check.high == check.low)
		add(&text, " (bit %u: %u)", check.high, (unsigned)(value >> check.low & 1));
	else if (check.low > 0 || check.high < 63)
		add(&text, " (bits %u:%u: 0x%llx)", check.high, check.low,
		    (unsigned long long)bits_extract(value, check.high, check.low));
	if (check.other != VMCS_FIELD_COUNT) {
		add(&text, ", ");
		add_field(&text, (enum vmcs_field)check.other, value_of(entry, (enum vmcs_field)check.other));
	}
	add(&text, "; %s", check.expected);
	if (word < VMX_WORD_COUNT && check.low == 0 && check.high == 63) {
		add_bits(&text, "must be 1", word, vmx_capability_must_be_one(entry->capability, word) & ~value);
		add_bits(&text, "must be 0", word, value & ~vmx_capability_may_be_one(entry->capability, word));
	}
	add(&text, " (\"%s\")", check.heading);
	return text.used;
}

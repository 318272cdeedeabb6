/* The VMCS's fields, found by encoding and accessed as VMREAD and VMWRITE do: see vmcs.h. */
#include "vmx/vmcs.h"
#include "vmx/capability.h"
#include "vmx/exit.h"

static const struct {
	const char *name;
	u16 encoding;
	u8 heading;
} fields[VMCS_FIELD_COUNT] = {
#define FIELD(id, encoding_, heading_, support, name_) [VMCS_##id] = { name_, encoding_, VMCS_HEADING_##heading_ },
#include "vmx/vmcs.def"
};

static const struct {
	const char *text;
	u8 area;
} headings[VMCS_HEADING_COUNT] = {
#define HEADING(id, area_, text_) [VMCS_HEADING_##id] = { text_, VMCS_AREA_##area_ },
#include "vmx/vmcs.def"
};

/* One slot for each width, type and index: the field plus 1. */
#define SLOT_INDEXES 64
#define SLOT(encoding) \
	((((encoding) >> VMCS_ENCODING_WIDTH_SHIFT & 3) * 4 + ((encoding) >> VMCS_ENCODING_TYPE_SHIFT & 3)) * \
	 SLOT_INDEXES + ((encoding) >> VMCS_ENCODING_INDEX_SHIFT & (SLOT_INDEXES - 1)))

static const u8 by_slot[4 * 4 * SLOT_INDEXES] = {
#define FIELD(id, encoding, ...) [SLOT(encoding)] = VMCS_##id + 1,
#include "vmx/vmcs.def"
};

_Static_assert(VMCS_FIELD_COUNT < 255, "a slot's byte holds every field");

u16 vmcs_field_encoding(enum vmcs_field field)
{
	return fields[field].encoding;
}

u64 vmcs_field_mask(enum vmcs_field field)
{
	switch (vmcs_encoding_width(fields[field].encoding)) {
	case VMCS_WIDTH_16:
		return BITS(15, 0);
	case VMCS_WIDTH_32:
		return BITS(31, 0);
	default:
		return BITS(63, 0);
	}
}

const char *vmcs_field_name(enum vmcs_field field)
{
	return fields[field].name;
}

enum vmcs_heading vmcs_field_heading_id(enum vmcs_field field)
{
	return fields[field].heading;
}

const char *vmcs_field_heading(enum vmcs_field field)
{
	return headings[fields[field].heading].text;
}

enum vmcs_area vmcs_field_area(enum vmcs_field field)
{
	return headings[fields[field].heading].area;
}

const char *vmcs_heading_text(enum vmcs_heading heading)
{
	return headings[heading].text;
}

enum vmcs_area vmcs_heading_area(enum vmcs_heading heading)
{
	return headings[heading].area;
}

const char *vmcs_area_name(enum vmcs_area area)
{
	static const char *const names[VMCS_AREA_COUNT] = {
		[VMCS_AREA_GUEST] = "guest-state area", [VMCS_AREA_HOST] = "host-state area",
		[VMCS_AREA_EXECUTION] = "VM-execution control fields", [VMCS_AREA_EXIT] = "VM-exit control fields",
		[VMCS_AREA_ENTRY] = "VM-entry control fields", [VMCS_AREA_INFORMATION] = "VM-exit information fields",
	};

	return names[area];
}

enum vmcs_field vmcs_find(u64 encoding)
{
	u8 found;

	if (encoding & VMCS_ENCODING_RESERVED ||
	    (encoding & VMCS_ENCODING_INDEX) >> VMCS_ENCODING_INDEX_SHIFT >= SLOT_INDEXES)
		return VMCS_FIELD_COUNT;
	if (encoding & VMCS_ENCODING_HIGH && vmcs_encoding_width(encoding) != VMCS_WIDTH_64)
		return VMCS_FIELD_COUNT;
	found = by_slot[SLOT(encoding)];
	return found ? (enum vmcs_field)(found - 1) : VMCS_FIELD_COUNT;
}

void vmcs_set(struct vmcs *vmcs, enum vmcs_field field, u64 value)
{
	vmcs->value[field] = value & vmcs_field_mask(field);
}

u32 vmcs_read(const struct vmcs *vmcs, const struct vmx_capability *capability, u64 encoding, u64 *value)
{
	enum vmcs_field field = vmcs_find(encoding);

	if (field == VMCS_FIELD_COUNT || !vmx_capability_has_field(capability, field))
		return VMX_ERROR_UNSUPPORTED_FIELD;
	*value = encoding & VMCS_ENCODING_HIGH ? vmcs->value[field] >> 32 : vmcs->value[field];
	return VMX_ERROR_NONE;
}

u32 vmcs_write(struct vmcs *vmcs, const struct vmx_capability *capability, u64 encoding, u64 value)
{
	enum vmcs_field field = vmcs_find(encoding);

	if (field == VMCS_FIELD_COUNT || !vmx_capability_has_field(capability, field))
		return VMX_ERROR_UNSUPPORTED_FIELD;
	if (vmcs_encoding_type(encoding) == VMCS_TYPE_READ_ONLY && !vmx_capability_can_write_any_field(capability))
		return VMX_ERROR_READ_ONLY_FIELD;
	if (encoding & VMCS_ENCODING_HIGH)
		value = value << 32 | (vmcs->value[field] & BITS(31, 0));
	vmcs_set(vmcs, field, value);
	return VMX_ERROR_NONE;
}

void vmcs_sanitize(struct vmcs *vmcs, const struct vmx_capability *capability)
{
	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++)
		vmcs_set(vmcs, field, vmx_capability_has_field(capability, field) ? vmcs->value[field] : 0);
}

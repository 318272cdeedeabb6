/*
 * The VMCB's fields by name, and its segment attributes.
 *
 * Whatever walks over a VMCB field by field (dumps, explanations, tests) does so through the table here.
 */
#include "svm/vmcb.h"

#include "base/string.h"

static const struct vmcb_field_info fields[VMCB_FIELD_COUNT] = {
#define FIELD(id, area, member, offset, bytes, heading)                                                                \
	[VMCB_##id] = { #area "." #member, heading, VMCB_OFFSET_##area + (offset), bytes },
#include "svm/vmcb.def"
};

const struct vmcb_field_info *vmcb_field_info(enum vmcb_field field)
{
	return &fields[field];
}

u64 vmcb_read(const struct vmcb *vmcb, enum vmcb_field field)
{
	const struct vmcb_field_info *info = &fields[field];
	u64 value = 0;

	if (info->bytes <= sizeof(value))
		memcpy(&value, (const u8 *)vmcb + info->offset, info->bytes);
	return value;
}

u32 vmcb_attributes_load(enum vmcb_segment_index segment, u16 attributes)
{
	u32 rights = (u32)((attributes & VMCB_ATTRIBUTE_LOW) |
			   (attributes & VMCB_ATTRIBUTE_HIGH) << VMCB_ATTRIBUTE_HIGH_SHIFT);

	if (segment == VMCB_SEG_CS || segment == VMCB_SEG_TR)
		return rights | SEGMENT_P;
	return rights & SEGMENT_P ? rights : rights | SEGMENT_UNUSABLE;
}

u16 vmcb_attributes_store(u32 access_rights)
{
	if (access_rights & SEGMENT_UNUSABLE)
		return 0;
	return (u16)((access_rights & VMCB_ATTRIBUTE_LOW) |
		     (access_rights >> VMCB_ATTRIBUTE_HIGH_SHIFT & VMCB_ATTRIBUTE_HIGH));
}

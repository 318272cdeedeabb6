/*
 * The virtual-machine control structure as data: a value for each field of vmcs.def.
 *
 * The struct is also the layout of this processor's VMCS region in memory, so that a region can be copied in and out as
 * it is. What came from memory may hold anything: vmcs_sanitize() brings each value back into its field's width.
 */
#ifndef VMX_VMCS_H
#define VMX_VMCS_H

#include "base/bits.h"
#include "base/compiler.h"
#include "base/types.h"

struct vmx_capability;

enum vmcs_field {
#define FIELD(id, ...) VMCS_##id,
#include "vmx/vmcs.def"
	VMCS_FIELD_COUNT
};

enum vmcs_heading {
#define HEADING(id, ...) VMCS_HEADING_##id,
#include "vmx/vmcs.def"
	VMCS_HEADING_COUNT
};

/* The six areas ("Organization of VMCS Data"). */
enum vmcs_area {
	VMCS_AREA_GUEST, VMCS_AREA_HOST, VMCS_AREA_EXECUTION, VMCS_AREA_EXIT, VMCS_AREA_ENTRY, VMCS_AREA_INFORMATION,
	VMCS_AREA_COUNT
};

/* Component encodings ("VMREAD, VMWRITE, and Encodings of VMCS Fields"). */
#define VMCS_ENCODING_HIGH BIT(0)
#define VMCS_ENCODING_INDEX BITS(9, 1)
#define VMCS_ENCODING_INDEX_SHIFT 1
#define VMCS_ENCODING_TYPE_SHIFT 10
#define VMCS_ENCODING_WIDTH_SHIFT 13
#define VMCS_ENCODING_RESERVED (BIT(12) | BITS(63, 15))

enum vmcs_type { VMCS_TYPE_CONTROL, VMCS_TYPE_READ_ONLY, VMCS_TYPE_GUEST, VMCS_TYPE_HOST };
enum vmcs_width { VMCS_WIDTH_16, VMCS_WIDTH_64, VMCS_WIDTH_32, VMCS_WIDTH_NATURAL };

#define VMCS_REVISION 0x53420001u /* the identifier of this layout, bits 30:0 */
#define VMCS_SHADOW BIT(31)       /* in the revision: the shadow-VMCS indicator */
#define VMCS_REGION_SIZE 4096u
#define VMCS_NO_LINK (~0ull)      /* VMCS link pointer that points to nothing */

enum vmcs_launch_state { VMCS_CLEAR, VMCS_LAUNCHED };

struct vmcs {
	u32 revision;     /* VMCS_SHADOW may be set ("Format of the VMCS Region") */
	u32 abort;        /* VMX-abort indicator */
	u32 launch_state; /* enum vmcs_launch_state */
	u32 reserved;
	u64 value[VMCS_FIELD_COUNT];
};

_Static_assert(sizeof(struct vmcs) <= VMCS_REGION_SIZE, "a VMCS fits into its region");

static inline u64 vmcs_get(const struct vmcs *vmcs, enum vmcs_field field)
{
	return vmcs->value[field];
}

u16 vmcs_field_encoding(enum vmcs_field field); /* full access */
u64 vmcs_field_mask(enum vmcs_field field);     /* the bits that the field's width has */
const char *vmcs_field_name(enum vmcs_field field);
const char *vmcs_field_heading(enum vmcs_field field);
enum vmcs_heading vmcs_field_heading_id(enum vmcs_field field);
enum vmcs_area vmcs_field_area(enum vmcs_field field);
const char *vmcs_area_name(enum vmcs_area area);
const char *vmcs_heading_text(enum vmcs_heading heading);
enum vmcs_area vmcs_heading_area(enum vmcs_heading heading);

static inline enum vmcs_width vmcs_encoding_width(u64 encoding)
{
	return (enum vmcs_width)(encoding >> VMCS_ENCODING_WIDTH_SHIFT & 3);
}

static inline enum vmcs_type vmcs_encoding_type(u64 encoding)
{
	return (enum vmcs_type)(encoding >> VMCS_ENCODING_TYPE_SHIFT & 3);
}

/* The field that an encoding, full or high, means on any processor; VMCS_FIELD_COUNT if there is none. */
enum vmcs_field vmcs_find(u64 encoding);

/* Sets one field, cut to its width. This is the processor's own access: read-only fields and support do not matter. */
void vmcs_set(struct vmcs *vmcs, enum vmcs_field field, u64 value);

/*
 * VMREAD and VMWRITE of one component. Return 0 or the number of the VM-instruction error: UNSUPPORTED_FIELD if the
 * processor does not have it, READ_ONLY_FIELD if it is exit information and the processor cannot write that. The
 * caller cuts operands to 32 bits outside 64-bit mode.
 */
MUST_USE u32 vmcs_read(const struct vmcs *vmcs, const struct vmx_capability *capability, u64 encoding, u64 *value);
MUST_USE u32 vmcs_write(struct vmcs *vmcs, const struct vmx_capability *capability, u64 encoding, u64 value);

/* After a copy from memory: every value within its field's width, fields that the processor lacks 0. */
void vmcs_sanitize(struct vmcs *vmcs, const struct vmx_capability *capability);

#endif

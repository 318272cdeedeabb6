/* When EPT pointers and EPT entries are wrong: see ept.h. */
#include "vmx/ept.h"

static bool has(const struct vmx_capability *capability, u64 bits)
{
	return (capability->msr[VMX_CAP_EPT_VPID_CAP] & bits) == bits;
}

bool ept_pointer_memory_type_valid(const struct vmx_capability *capability, u64 eptp)
{
	switch (eptp & EPTP_MEMORY_TYPE) {
	case EPT_UC:
		return has(capability, VMX_EPT_CAP_UC);
	case EPT_WB:
		return has(capability, VMX_EPT_CAP_WB);
	default:
		return false;
	}
}

bool ept_pointer_walk_length_valid(const struct vmx_capability *capability, u64 eptp)
{
	switch (ept_pointer_levels(eptp)) {
	case 4:
		return has(capability, VMX_EPT_CAP_4_LEVELS);
	case 5:
		return has(capability, VMX_EPT_CAP_5_LEVELS);
	default:
		return false;
	}
}

bool ept_pointer_valid(const struct vmx_capability *capability, u64 eptp, u8 physical_bits)
{
	return ept_pointer_memory_type_valid(capability, eptp) && ept_pointer_walk_length_valid(capability, eptp) &&
	       (!(eptp & EPTP_ACCESSED_DIRTY) || has(capability, VMX_EPT_CAP_ACCESSED_DIRTY)) &&
	       (!(eptp & EPTP_SHADOW_STACK) || has(capability, VMX_EPT_CAP_SHADOW_STACK)) &&
	       !(eptp & EPTP_RESERVED) && !(eptp >> physical_bits);
}

static bool is_memory_type(u64 type)
{
	return type == EPT_UC || type == EPT_WC || type == EPT_WT || type == EPT_WP || type == EPT_WB;
}

/* Bits of the entry that must be 0 at its level. */
static u64 reserved_bits(const struct vmx_capability *capability, u64 entry, unsigned level, u8 physical_bits)
{
	u64 reserved = physical_bits < 52 ? BITS(51, physical_bits) : 0;

	if (level >= 4 || (level == 3 && !has(capability, VMX_EPT_CAP_1GB)) ||
	    (level == 2 && !has(capability, VMX_EPT_CAP_2MB)))
		reserved |= EPT_LARGE;
	if (!ept_entry_is_leaf(entry, level))
		reserved |= EPT_MEMORY_TYPE | EPT_IGNORE_PAT;
	else if (level > 1)
		reserved |= BITS(ept_level_shift(level) - 1, PAGE_SHIFT);
	return reserved;
}

bool ept_entry_misconfigured(const struct vmx_capability *capability, u64 entry, unsigned level, bool mode_based,
			     u8 physical_bits)
{
	bool executable = entry & EPT_EXECUTE || (mode_based && entry & EPT_USER_EXECUTE);

	if (!(entry & EPT_READ) && entry & EPT_WRITE)
		return true;
	if (!(entry & EPT_READ) && executable && !has(capability, VMX_EPT_CAP_EXECUTE_ONLY))
		return true;
	if (entry & reserved_bits(capability, entry, level, physical_bits))
		return true;
	return ept_entry_is_leaf(entry, level) && !is_memory_type((entry & EPT_MEMORY_TYPE) >> EPT_MEMORY_TYPE_SHIFT);
}

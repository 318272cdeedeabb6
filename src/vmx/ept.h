/*
 * Extended page tables: the format of the EPT pointer and of the entries, and when they are wrong. No memory is read.
 *
 * Which bits mean something depends on the processor, so every question takes its capabilities ("The Extended Page
 * Table Mechanism (EPT)").
 */
#ifndef VMX_EPT_H
#define VMX_EPT_H

#include "vmx/capability.h"
#include "vmx/control.h"

/* EPT pointer ("Extended-Page-Table Pointer (EPTP)"). */
#define EPTP_MEMORY_TYPE BITS(2, 0)
#define EPTP_WALK_LENGTH BITS(5, 3) /* one less than the length */
#define EPTP_WALK_LENGTH_SHIFT 3
#define EPTP_ACCESSED_DIRTY BIT(6)
#define EPTP_SHADOW_STACK BIT(7) /* supervisor shadow-stack control */
#define EPTP_RESERVED BITS(11, 8)
#define EPTP_ADDRESS BITS(51, 12)

/* Entries. */
#define EPT_READ BIT(0)
#define EPT_WRITE BIT(1)
#define EPT_EXECUTE BIT(2)       /* with mode-based execute control: for supervisor-mode linear addresses */
#define EPT_MEMORY_TYPE BITS(5, 3)
#define EPT_MEMORY_TYPE_SHIFT 3
#define EPT_IGNORE_PAT BIT(6)
#define EPT_LARGE BIT(7)         /* maps a page, at levels 2 and 3 */
#define EPT_ACCESSED BIT(8)
#define EPT_DIRTY BIT(9)
#define EPT_USER_EXECUTE BIT(10) /* with mode-based execute control */
#define EPT_VERIFY_GUEST_PAGING BIT(57)
#define EPT_PAGING_WRITE BIT(58)
#define EPT_SUPERVISOR_SHADOW_STACK BIT(60)
#define EPT_SUB_PAGE_WRITE BIT(61)
#define EPT_SUPPRESS_VE BIT(63)
#define EPT_ADDRESS BITS(51, 12)

enum ept_memory_type { EPT_UC = 0, EPT_WC = 1, EPT_WT = 4, EPT_WP = 5, EPT_WB = 6 };

#define EPT_LEVEL_MAX 5
#define EPT_INDEX_BITS 9

/* Bits 12 + 9 * (level - 1) and up select the entry at a level, 1 to 5. */
static inline unsigned ept_level_shift(unsigned level)
{
	return PAGE_SHIFT + EPT_INDEX_BITS * (level - 1);
}

/* Whether the processor takes this EPT pointer, or the part of it; physical_bits: MAXPHYADDR. */
bool ept_pointer_memory_type_valid(const struct vmx_capability *capability, u64 eptp);
bool ept_pointer_walk_length_valid(const struct vmx_capability *capability, u64 eptp);
bool ept_pointer_valid(const struct vmx_capability *capability, u64 eptp, u8 physical_bits);

static inline unsigned ept_pointer_levels(u64 eptp)
{
	return (unsigned)((eptp & EPTP_WALK_LENGTH) >> EPTP_WALK_LENGTH_SHIFT) + 1;
}

/* An entry is present if it allows anything: bits 2:0, or bit 10 with mode-based execute control. */
static inline bool ept_entry_present(u64 entry, bool mode_based)
{
	return entry & (EPT_READ | EPT_WRITE | EPT_EXECUTE) || (mode_based && entry & EPT_USER_EXECUTE);
}

/* Whether a present entry at a level, 1 to 5, maps a page rather than a table. */
static inline bool ept_entry_is_leaf(u64 entry, unsigned level)
{
	return level == 1 || (entry & EPT_LARGE && level <= 3);
}

/* "EPT Misconfigurations": whether a present entry holds a setting that the processor reserves. */
bool ept_entry_misconfigured(const struct vmx_capability *capability, u64 entry, unsigned level, bool mode_based,
			     u8 physical_bits);

#endif

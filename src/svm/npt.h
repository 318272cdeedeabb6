/*
 * Nested page tables: their entries' format and the error code of a nested page fault.
 *
 * Nested tables have the format of ordinary ones, in the paging mode that the host had at VMRUN ("Enabling Nested
 * Paging"): legacy, PAE, long mode with four or five levels. An access must be allowed at every level, and every nested
 * access counts as a user's ("Nested Table Walk").
 */
#ifndef SVM_NPT_H
#define SVM_NPT_H

#include "x86/regs.h"

#define NPT_P BIT(0)
#define NPT_RW BIT(1)
#define NPT_US BIT(2)
#define NPT_PWT BIT(3)
#define NPT_PCD BIT(4)
#define NPT_A BIT(5)
#define NPT_D BIT(6)
#define NPT_PS BIT(7) /* PAT in a 4 KiB page's entry */
#define NPT_ADDRESS BITS(51, 12)
#define NPT_NX BIT(63)

/* EXITINFO1 of SVM_EXIT_NPF ("Nested versus Guest Page Faults, Fault Ordering"). */
#define NPF_ERROR_P PF_ERROR_P
#define NPF_ERROR_W PF_ERROR_W
#define NPF_ERROR_U PF_ERROR_U
#define NPF_ERROR_RSVD PF_ERROR_RSVD
#define NPF_ERROR_I PF_ERROR_I
#define NPF_ERROR_SHADOW_STACK BIT(6)
#define NPF_ERROR_FINAL BIT(32)       /* while the guest's final physical address was translated */
#define NPF_ERROR_GUEST_TABLE BIT(33) /* while the guest's page tables were walked */

/* The host's paging at VMRUN, which is the nested tables' format. */
struct npt_format {
	bool wide; /* entries of 8 bytes: PAE or long mode */
	bool long_mode, five_levels;
	bool nx;   /* EFER.NXE; without it bit 63 is reserved */
	bool pse;  /* legacy only: 4 MiB pages */
	bool gigabyte_pages;
	u8 physical_bits;
};

static inline struct npt_format npt_format(u64 host_cr4, u64 host_efer, bool gigabyte_pages, u8 physical_bits)
{
	return (struct npt_format){
		.wide = host_cr4 & CR4_PAE, .long_mode = host_efer & EFER_LMA, .five_levels = host_cr4 & CR4_LA57,
		.nx = host_efer & EFER_NXE, .pse = host_cr4 & CR4_PSE, .gigabyte_pages = gigabyte_pages,
		.physical_bits = physical_bits,
	};
}

/* The level of the table that nCR3 points to; 1 is the one whose entries map 4 KiB. */
static inline unsigned npt_levels(const struct npt_format *format)
{
	if (!format->wide)
		return 2;
	return !format->long_mode ? 3 : format->five_levels ? 5 : 4;
}

/* The address space that the tables translate: a guest-physical address with a bit above this faults as not present. */
static inline unsigned npt_address_bits(const struct npt_format *format)
{
	static const u8 bits[] = { [2] = 32, [3] = 32, [4] = 48, [5] = 57 };

	return bits[npt_levels(format)];
}

/* Is the entry of a table at this level a page? */
static inline bool npt_is_page(const struct npt_format *format, unsigned level, u64 entry)
{
	if (level == 1)
		return true;
	if (!(entry & NPT_PS))
		return false;
	if (!format->wide)
		return format->pse;
	return level == 2 || (level == 3 && format->long_mode && format->gigabyte_pages);
}

static inline unsigned npt_page_shift(const struct npt_format *format, unsigned level)
{
	return PAGE_SHIFT + (level - 1) * (format->wide ? 9 : 10);
}

/* Bits 20:13 of a 4 MiB page's entry are the address's bits 39:32. */
static inline u64 npt_reserved_in_4mib_page(const struct npt_format *format)
{
	return BIT(21) | (format->physical_bits < 40 ? BITS(20, format->physical_bits - 19) : 0);
}

/* The bits that must be 0 in a present entry ("Page-Translation-Table Entry Fields"). */
static inline u64 npt_reserved_bits(const struct npt_format *format, unsigned level, u64 entry)
{
	u64 reserved = 0;
	bool page = npt_is_page(format, level, entry);

	if (!format->wide)
		return page && level > 1 ? npt_reserved_in_4mib_page(format) : 0;
	if (format->physical_bits < 52)
		reserved |= BITS(51, format->physical_bits);
	if (!format->nx)
		reserved |= NPT_NX;
	if (!format->long_mode)
		reserved |= BITS(62, 52);
	if (level == 3 && !format->long_mode) /* a PDPE */
		return reserved | NPT_NX | BITS(8, 5) | BITS(2, 1);
	if (page && level > 1)
		reserved |= BITS(npt_page_shift(format, level) - 1, PAGE_SHIFT + 1);
	else if (!page)
		reserved |= level > 3 || (level == 3 && !format->gigabyte_pages) ? NPT_PS : 0;
	return reserved;
}

/*
 * The low half of a nested fault's error code for an access; the caller adds NPF_ERROR_FINAL or NPF_ERROR_GUEST_TABLE.
 * Walks of the guest's page tables are writes of a user, whatever the access that needed them.
 */
static inline u64 npf_error(bool present, bool write, bool fetch, bool reserved)
{
	return (present ? NPF_ERROR_P : 0) | (write ? NPF_ERROR_W : 0) | NPF_ERROR_U | (reserved ? NPF_ERROR_RSVD : 0) |
	       (fetch ? NPF_ERROR_I : 0);
}

/*
 * May the access happen? permissions: the AND of RW and US, and the OR of NX, of the entries walked. Neither CR0.WP of
 * guest nor host matters, and a page that is not a user's allows nothing.
 */
static inline bool npt_allows(const struct npt_format *format, u64 permissions, bool write, bool fetch)
{
	if (!(permissions & NPT_US) || (write && !(permissions & NPT_RW)))
		return false;
	return !fetch || !format->nx || !(permissions & NPT_NX);
}

/* Adds an entry to the permissions of those above it; start with NPT_RW | NPT_US. A legacy PAE PDPE has none. */
static inline u64 npt_permissions(u64 above, u64 entry)
{
	return (above & entry & (NPT_RW | NPT_US)) | ((above | entry) & NPT_NX);
}

#endif

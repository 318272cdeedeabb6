/*
 * The translation look-aside buffer: filling, flushing, address-space contexts.
 *
 * Each PCID has a context number, which is part of every tag; loading CR3 switches the number, and flushing an address
 * space gives it a new one. Entries are dropped in bulk only when the numbers run out. Dropping more than
 * the manuals ask for is always allowed ("Invalidation of TLBs and Paging-Structure Caches").
 */
#ifndef CPU_TLB_H
#define CPU_TLB_H

#include "cpu/walk.h"

struct tlb {
	struct tlb_entry entry[TLB_MODES][TLB_ENTRIES];
	struct tlb_detail detail[TLB_CHECKED][TLB_ENTRIES];
	u16 context_of[4096]; /* by PCID; 0: none yet */
	u16 context_last;
	bool large;           /* some entry may be part of a large page */
};

/* Empties everything and takes the context of the current PCID. */
void tlb_flush_all(struct core *c);
/* MOV to CR3 without NOFLUSH, for the PCID now in CR3: its non-global translations. */
void tlb_flush_context(struct core *c);
/* Translations of one PCID (INVPCID). */
void tlb_flush_pcid(struct core *c, u16 pcid);
/* INVLPG: the page of address, in every PCID, of whatever size. */
void tlb_flush_page(struct core *c, gva_t address);
/* CR3 was loaded with NOFLUSH, or CR4.PCIDE changed: use the context of the current PCID. */
void tlb_switch_context(struct core *c);

/*
 * The entry for an access in `mode`, walked and filled if need be. NULL: no translation, *error is the page-fault error code.
 * The result is valid until the next call.
 */
MUST_USE const struct tlb_detail *tlb_lookup(struct core *c, gva_t address, enum access access, enum tlb_mode mode, u32 *error);

/* Any thread: takes away the direct write path to the RAM page at host, because code was decoded from it. */
void tlb_protect(struct core *c, const u8 *host);

/* Writes to a page in which code was decoded: stales the code and lets the write path be direct again. */
void tlb_code_written(struct core *c, gva_t address, gpa_t page, enum tlb_mode mode);

#endif

/*
 * What VMRUN makes of a legal VMCB: bits it ignores, forces or sign-extends.
 *
 * "Canonicalization and Consistency Checks"; "VMRUN Instruction"; the notes of "VMCB Layout". The result is what a
 * guest runs with, so that no code behind VMRUN needs to know the rules again.
 */
#ifndef SVM_EFFECTIVE_H
#define SVM_EFFECTIVE_H

#include "svm/check.h"

/*
 * *effective becomes a copy of entry->vmcb (which it may be itself) in which
 * - controls and intercepts that the processor lacks are 0, also those that another control switches off: the virtual
 *   interrupt with AVIC, virtual VMLOAD and VMSAVE without nested paging or a 64-bit host;
 * - TLB_CONTROL is what happens, the permission maps' addresses are aligned, the clean bits are 0 without that feature;
 * - an injected NMI has vector 2, and an error code that is not valid is 0;
 * - segment bases, SSP and ISST_ADDR are canonical (of ES, CS, SS, DS: 32 bits), table limits have 16 bits;
 * - CPL is 0 in real mode and 3 in virtual-8086 mode, EFER.LMA is EFER.LME and CR0.PG, CR0.ET is 1;
 * - DR6, DR7 and RFLAGS have their fixed bits.
 */
void svm_effective(const struct svm_entry *entry, struct vmcb *effective);

/* What VMLOAD loads: the bases of FS, GS, LDTR and TR and KERNEL_GS_BASE made canonical, in place. */
void svm_effective_vmload(struct vmcb_save *save, unsigned linear_bits);

/* Sign-extends a linear address of 32, 48 or 57 bits. */
static inline u64 svm_canonical(u64 address, unsigned linear_bits)
{
	unsigned shift = 64 - linear_bits;

	return (u64)((s64)(address << shift) >> shift);
}

#endif

/*
 * The checks of the save area: is this a state that a processor can be in?
 *
 * VMRUN checks far less than a VM entry of VT-x does: segments, RIP and RFLAGS are loaded as they are, and CR0.PE = 0
 * with CR0.PG = 1 is legal ("Paged Real Mode").
 */
#include "svm/check.h"

#define HIGH_HALF BITS(63, 32)

/* A shadow-stack processor has the lowest two bits of S_CET: SH_STK_EN and WR_SHSTK_EN. */
#define S_CET_RESERVED BITS(63, 2)
#define U_CET_SH_STK_EN BIT(0)

/* A present PDPE of legacy PAE paging, below the physical address width. */
#define PDPE_P BIT(0)
#define PDPE_RESERVED (BITS(63, 52) | BITS(8, 5) | BITS(2, 1))
#define PDPE_TABLE BITS(31, 5)

static bool is_beyond(const struct svm_entry *entry, u64 value)
{
	return value >> entry->capability->physical_bits;
}

static bool enters_long_mode(const struct svm_entry *entry)
{
	return entry->vmcb->save.efer & EFER_LME && entry->vmcb->save.cr0 & CR0_PG;
}

bool svm_guest_is_64bit(const struct vmcb *vmcb)
{
	return vmcb->save.efer & EFER_LME && vmcb->save.cr0 & CR0_PG && vmcb->save.cs.attributes & VMCB_ATTRIBUTE_L;
}

bool svm_illegal_efer_svme(const struct svm_entry *entry)
{
	return !(entry->vmcb->save.efer & EFER_SVME);
}

bool svm_illegal_cr0_nw(const struct svm_entry *entry)
{
	return (entry->vmcb->save.cr0 & (CR0_CD | CR0_NW)) == CR0_NW;
}

bool svm_illegal_cr0_high(const struct svm_entry *entry)
{
	return entry->vmcb->save.cr0 & HIGH_HALF;
}

/* In every mode: the bits of 11:0 that are reserved in some modes are ignored. */
bool svm_illegal_cr3_mbz(const struct svm_entry *entry)
{
	return is_beyond(entry, entry->vmcb->save.cr3);
}

bool svm_illegal_cr4_mbz(const struct svm_entry *entry)
{
	return entry->vmcb->save.cr4 & ~entry->capability->cr4;
}

bool svm_illegal_dr6_high(const struct svm_entry *entry)
{
	return entry->vmcb->save.dr6 & HIGH_HALF;
}

bool svm_illegal_dr7_high(const struct svm_entry *entry)
{
	return entry->vmcb->save.dr7 & HIGH_HALF;
}

/* LME and LMA have the next check to themselves; SVME exists wherever VMRUN does. */
bool svm_illegal_efer_mbz(const struct svm_entry *entry)
{
	return entry->vmcb->save.efer & ~(entry->capability->efer | EFER_LME | EFER_LMA | EFER_SVME);
}

bool svm_illegal_efer_long_mode(const struct svm_entry *entry)
{
	return entry->vmcb->save.efer & (EFER_LME | EFER_LMA) && !svm_has(entry->capability, FEAT_LM);
}

bool svm_illegal_long_mode_pae(const struct svm_entry *entry)
{
	return enters_long_mode(entry) && !(entry->vmcb->save.cr4 & CR4_PAE);
}

bool svm_illegal_long_mode_pe(const struct svm_entry *entry)
{
	return enters_long_mode(entry) && !(entry->vmcb->save.cr0 & CR0_PE);
}

bool svm_illegal_long_mode_cs(const struct svm_entry *entry)
{
	const u64 both = VMCB_ATTRIBUTE_L | VMCB_ATTRIBUTE_DB;

	return enters_long_mode(entry) && entry->vmcb->save.cr4 & CR4_PAE &&
	       (entry->vmcb->save.cs.attributes & both) == both;
}

bool svm_illegal_s_cet(const struct svm_entry *entry)
{
	return svm_has(entry->capability, FEAT_CET_SS) && entry->vmcb->save.s_cet & S_CET_RESERVED;
}

bool svm_illegal_cr4_cet_wp(const struct svm_entry *entry)
{
	return entry->vmcb->save.cr4 & CR4_CET && !(entry->vmcb->save.cr0 & CR0_WP);
}

bool svm_illegal_cr4_cet_vm(const struct svm_entry *entry)
{
	const struct vmcb_save *save = &entry->vmcb->save;

	return save->cr4 & CR4_CET && entry->u_cet & U_CET_SH_STK_EN && save->rflags & RFLAGS_VM;
}

bool svm_reads_pdptes(const struct svm_entry *entry, u64 *address)
{
	const struct vmcb_save *save = &entry->vmcb->save;

	*address = save->cr3 & PDPE_TABLE;
	return save->cr0 & CR0_PG && save->cr4 & CR4_PAE && !(save->efer & EFER_LME) &&
	       !(svm_nested_control(entry) & SVM_NP_ENABLE);
}

bool svm_illegal_pdpte(const struct svm_entry *entry)
{
	u64 address;

	if (!entry->pdpte || !svm_reads_pdptes(entry, &address))
		return false;
	for (unsigned i = 0; i < SVM_PDPTES; i++)
		if (entry->pdpte[i] & PDPE_P && (entry->pdpte[i] & PDPE_RESERVED || is_beyond(entry, entry->pdpte[i])))
			return true;
	return false;
}

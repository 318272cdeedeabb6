/*
 * VMRUN's checks: is this VMCB legal, and if not, what is wrong with it ("Canonicalization and Consistency Checks").
 *
 * Each check is a predicate without side effects, so that the processor, the bare-metal engine and an explanation of a
 * VMEXIT_INVALID from a real processor use the same ones. They read nothing but struct svm_entry and its vmcb, which
 * must be a copy: a VMCB in memory can change between a check and its use.
 */
#ifndef SVM_CHECK_H
#define SVM_CHECK_H

#include "svm/capability.h"

#define SVM_PDPTES 4

/* An attempt to enter a guest. */
struct svm_entry {
	const struct vmcb *vmcb;
	const struct svm_capability *capability;
	u64 host_cr0, host_cr4, host_efer; /* at VMRUN */
	u64 u_cet;                         /* the U_CET MSR, which VMRUN does not switch */
	const u64 *pdpte;                  /* the four that svm_reads_pdptes() asks for; NULL: not looked at */
};

enum svm_check_id {
#define RULE(name, ...) SVM_CHECK_##name,
#include "svm/check.def"
	SVM_CHECK_COUNT
};

#define SVM_CHECK_FIELDS 4

struct svm_check_info {
	const char *id;       /* "save.efer.svme" */
	const char *wrong;    /* "EFER.SVME is 0" */
	const char *expected; /* "must be 1" */
	const char *heading;  /* in the manual */
	u8 field_count;
	u8 fields[SVM_CHECK_FIELDS]; /* enum vmcb_field */
};

const struct svm_check_info *svm_check_info(enum svm_check_id check);

/* SVM_CHECK_COUNT if there is none by this id. */
enum svm_check_id svm_check_find(const char *id);

/* Those that failed, in the manual's order. */
struct svm_check_report {
	u8 count;
	u8 failed[SVM_CHECK_COUNT]; /* enum svm_check_id */
};

/* All checks; true if the entry is legal. */
bool svm_check(const struct svm_entry *entry, struct svm_check_report *report);

/* The first check that fails; SVM_CHECK_COUNT if the entry is legal. */
enum svm_check_id svm_check_first(const struct svm_entry *entry);

/*
 * Does this VMRUN read the guest's four PDPEs? Then they are at *address (guest-physical, which without nested paging
 * is physical), 8 bytes each.
 */
bool svm_reads_pdptes(const struct svm_entry *entry, u64 *address);

/* The controls that take effect: those that the processor has. */
u64 svm_interrupt_control(const struct svm_entry *entry);
u64 svm_nested_control(const struct svm_entry *entry);

/* Is the guest in 64-bit mode once VMRUN has loaded it? */
bool svm_guest_is_64bit(const struct vmcb *vmcb);

/* The predicates: true if the entry is illegal in this respect. */
#define RULE(name, ...) bool svm_illegal_##name(const struct svm_entry *entry);
#include "svm/check.def"

#endif

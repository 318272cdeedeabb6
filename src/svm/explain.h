/* Why a VMRUN failed and what an exit means, each in one line. */
#ifndef SVM_EXPLAIN_H
#define SVM_EXPLAIN_H

#include "svm/check.h"

#define SVM_EXPLAIN_SIZE 512

/*
 * A failed check: `save.efer.svme: EFER.SVME is 0 (save.efer = 0x500), must be 1 ("Canonicalization and Consistency
 * Checks")`. Returns out, like the next.
 */
const char *svm_explain_check(const struct svm_entry *entry, enum svm_check_id check, char out[SVM_EXPLAIN_SIZE]);

/*
 * The exit that a VMCB reports: `VMEXIT_NPF (0x400): EXITINFO1 0x100000006: final address, write, user, not present;
 * EXITINFO2 0xfee00000: the guest-physical address`.
 */
const char *svm_explain_exit(const struct vmcb *vmcb, char out[SVM_EXPLAIN_SIZE]);

#endif

/* Why a VMRUN failed and what an exit means, each in one line. */
#ifndef SVM_EXPLAIN_H
#define SVM_EXPLAIN_H

#include "svm/check.h"

#define SVM_EXPLAIN_SIZE 512 /* enough for any of these */

/*
 * A failed check: `save.efer.svme: EFER.SVME is 0 (save.efer = 0x500), must be 1 ("Canonicalization and Consistency
 * Checks")`. Written up to size bytes with a terminating zero; returns the length that all of it has. So does the next.
 */
size_t svm_explain_check(const struct svm_entry *entry, enum svm_check_id check, char *out, size_t size);

/*
 * The exit that a VMCB reports: `VMEXIT_NPF (0x400): EXITINFO1 0x100000006: final address, write, user, not present;
 * EXITINFO2 0xfee00000: the guest-physical address`.
 */
size_t svm_explain_exit(const struct vmcb *vmcb, char *out, size_t size);

#endif

/* Exit codes by name, from exit.def. */
#ifndef SVM_EXIT_H
#define SVM_EXIT_H

#include "base/types.h"

/* Those below zero are sign-extended into EXITCODE's 64 bits. Of a range: the first, to which its number is added. */
enum svm_exit {
#define EXIT(id, code, ...) SVM_EXIT_##id = code,
#define RANGE(id, first, ...) SVM_EXIT_##id = first,
#include "svm/exit.def"
};

#define SVM_EXIT_NAME_SIZE 32

/* Writes the manual's name with its prefix, "VMEXIT_CR4_WRITE", or "reserved" if the code has none. Returns out. */
const char *svm_exit_name(u64 code, char out[SVM_EXIT_NAME_SIZE]);

/* What EXITINFO1 and EXITINFO2 hold, "" if the manual leaves them undefined. */
const char *svm_exit_info1(u64 code);
const char *svm_exit_info2(u64 code);

#endif

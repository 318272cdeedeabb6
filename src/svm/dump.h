/* VMCBs as text, for a person: every field by name and offset, and what its set bits mean. */
#ifndef SVM_DUMP_H
#define SVM_DUMP_H

#include "svm/vmcb.h"

#define SVM_DUMP_LINE_SIZE 160

/*
 * The control area, then the save area; fields that are 0 are left out unless all is set. Calls line() for each line,
 * which has no line end and is shorter than SVM_DUMP_LINE_SIZE.
 */
void svm_dump(const struct vmcb *vmcb, bool all, void (*line)(void *context, const char *text), void *context);

#endif

/* VMCBs as text, for a person: every field by name and offset, and what its set bits mean. */
#ifndef SVM_DUMP_H
#define SVM_DUMP_H

#include "svm/vmcb.h"

#define SVM_DUMP_LINE_SIZE 160

/* Gets one line, without a line feed and shorter than SVM_DUMP_LINE_SIZE; it is gone after the call. */
struct svm_dump_sink {
	void (*line)(void *context, const char *text);
	void *context;
};

/* The control area, then the save area. Fields that are 0 are left out unless all is set. */
void svm_dump(const struct vmcb *vmcb, bool all, const struct svm_dump_sink *sink);

#endif

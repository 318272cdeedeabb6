/*
 * Memory for code that is made while the program runs.
 *
 * The same pages are seen at two addresses: one may be written and not executed, the other executed and not
 * written, so that no page is ever both. The software processor keeps the vector instructions' stubs there.
 */
#ifndef HOST_CODE_H
#define HOST_CODE_H

#include "base/compiler.h"
#include "base/types.h"

/*
 * bytes > 0, rounded up to whole pages; zeroed. Returns the address to execute at, and in *writable the one to
 * write at; NULL if the host has no such memory to give.
 */
MUST_USE void *host_code_allocate(size_t bytes, void **writable);

/* Gives back what host_code_allocate() returned; bytes as it was asked for. */
void host_code_free(void *code, void *writable, size_t bytes);

/*
 * To be called after bytes that this thread may have executed before were overwritten, and before executing them
 * again: the two addresses differ, so the processor need not notice by itself ("Handling Self- and Cross-Modifying
 * Code").
 */
void host_code_synchronize(void);

#endif

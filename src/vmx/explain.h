/*
 * Entry checks and whole VMCSs in words, for people: `--explain` and the monitor's dump.
 */
#ifndef VMX_EXPLAIN_H
#define VMX_EXPLAIN_H

#include "vmx/check.h"

/*
 * One line about a failed check: its id, the field with encoding and value, what must be, and the manual's heading.
 * Written up to size bytes with a terminating zero; returns the length that all of it has.
 */
size_t vmx_explain_check(const struct vmx_entry *entry, size_t number, char *out, size_t size);

/*
 * The VMCS by area and heading: each field that exists with its encoding, value and what set bits mean. Calls line()
 * for each line, without line end.
 */
void vmx_dump(const struct vmcs *vmcs, const struct vmx_capability *capability,
	      void (*line)(void *context, const char *text), void *context);

#endif

/*
 * Status flags by the host's own arithmetic.
 *
 * cpu.status holds the guest's flags as LAHF and SETO leave them, so a handler runs the host's instruction of the
 * same name and keeps what comes out, flags that the manual calls undefined included. The HOST_ macros wrap such an
 * instruction; they differ in what it needs of the flags before it. Conditions are read from the same format.
 */
#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

#include "base/string.h"
#include "cpu/core.h"

/* Only the 16 bits that mean something are moved, both ways, so that the store is forwarded to the next load. */
ALWAYS_INLINE u32 status_get(const struct core *c)
{
	u16 status;

	memcpy(&status, &c->cpu.status, sizeof(status));
	return status;
}

ALWAYS_INLINE void status_set(struct core *c, u32 flags)
{
	u16 status = (u16)flags;

	memcpy(&c->cpu.status, &status, sizeof(status));
}

#define HOST_FLAGS_OUT "\n\tlahf\n\tseto %%al"
#define HOST_CF_IN "btl $8, %%eax\n\t"             /* CPU_STATUS_CF */
#define HOST_FLAGS_IN "addb $127, %%al\n\tsahf\n\t" /* overflows if OF is 1 */

/* More than one output operand of a HOST_ macro. */
#define HOST_LIST(...) __VA_ARGS__

/* Operand [name] in the asm text, as the host's register of that size. */
#define HOST_NAME_1(name) "%b[" #name "]"
#define HOST_NAME_2(name) "%w[" #name "]"
#define HOST_NAME_4(name) "%k[" #name "]"
#define HOST_NAME_8(name) "%q[" #name "]"

/* HOST_xxx(c, text, outputs, inputs...): operands must not be in AX. */

/* Reads no flag and writes all of them (or leaves them undefined). */
#define HOST_WRITES(c, text, outputs, ...)                                                                             \
	do {                                                                                                           \
		u32 host_flags;                                                                                        \
		asm(text HOST_FLAGS_OUT : outputs, "=&a"(host_flags) : __VA_ARGS__ : "cc");                            \
		status_set(c, host_flags);                                                                             \
	} while (0)

/* Reads CF, or keeps it, and writes the others. */
#define HOST_CARRY(c, text, outputs, ...)                                                                              \
	do {                                                                                                           \
		u32 host_flags = status_get(c);                                                                        \
		asm(HOST_CF_IN text HOST_FLAGS_OUT : outputs, "+&a"(host_flags) : __VA_ARGS__ : "cc");                 \
		status_set(c, host_flags);                                                                             \
	} while (0)

/* May keep any flag, or all of them. */
#define HOST_UPDATES(c, text, outputs, ...)                                                                            \
	do {                                                                                                           \
		u32 host_flags = status_get(c);                                                                        \
		asm(HOST_FLAGS_IN text HOST_FLAGS_OUT : outputs, "+&a"(host_flags) : __VA_ARGS__ : "cc");              \
		status_set(c, host_flags);                                                                             \
	} while (0)

/* Touches no flag. */
#define HOST_KEEPS(c, text, outputs, ...) asm(text : outputs : __VA_ARGS__ : "cc")

ALWAYS_INLINE bool status_is_less(u64 status) /* SF differs from OF */
{
	return (status >> 15 ^ status) & 1;
}

/* Does condition code cc (0-15, "EFLAGS Condition Codes") hold? Folds to a test or two when cc is constant. */
ALWAYS_INLINE bool condition_holds(u64 status, unsigned cc)
{
	bool holds = false;

	switch (cc >> 1) {
	case 0: holds = status & CPU_STATUS_OF; break;
	case 1: holds = status & CPU_STATUS_CF; break;
	case 2: holds = status & CPU_STATUS_ZF; break;
	case 3: holds = status & (CPU_STATUS_CF | CPU_STATUS_ZF); break;
	case 4: holds = status & CPU_STATUS_SF; break;
	case 5: holds = status & CPU_STATUS_PF; break;
	case 6: holds = status_is_less(status); break;
	case 7: holds = (status & CPU_STATUS_ZF) || status_is_less(status); break;
	}
	return holds != (cc & 1);
}

/* X(cc, ...) for the sixteen condition codes. */
#define FOR_CONDITIONS(X, ...)                                                                                         \
	X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__)                                        \
	X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)                                        \
	X(8, __VA_ARGS__) X(9, __VA_ARGS__) X(10, __VA_ARGS__) X(11, __VA_ARGS__)                                      \
	X(12, __VA_ARGS__) X(13, __VA_ARGS__) X(14, __VA_ARGS__) X(15, __VA_ARGS__)

#endif

/*
 * A guest of one instruction: a core in 64-bit mode, at CPL 0, with flat identity-mapped memory.
 *
 * Its RAM is host memory at the same addresses, so that an instruction finds the same operands when the host
 * executes it itself (native.h).
 */
#ifndef TESTS_ISA_GUEST_H
#define TESTS_ISA_GUEST_H

#include "cpu/core.h"
#include "native.h"

#define GUEST_RAM 0x10000000ul
#define GUEST_RAM_BYTES 0x400000ul
#define GUEST_DATA (GUEST_RAM + 0x201000ul) /* two pages of data; the pages around them are not mapped */
#define GUEST_DATA_BYTES 0x2000ul
#define GUEST_CODE (GUEST_RAM + 0x10000ul)

extern struct core *guest;

/* false: the host cannot run the test. */
bool guest_start(void);

/* From now on instructions run in compatibility mode, 32-bit code, or in 64-bit mode again. */
void guest_set_compatibility(bool on);

/* Runs the instruction on *state in place, as native_run() does. */
void guest_run(struct native_state *state, const uint8_t *instruction, unsigned bytes);

/* Runs a loop of `count` copies of the instruction, `times` times. Returns nanoseconds per instruction. */
double guest_time(struct native_state *state, const uint8_t *instruction, unsigned bytes, unsigned count,
		  unsigned times);

#endif

/*
 * Runs one instruction on the host's own CPU with all user-visible registers set, and says what it left.
 *
 * The page with the code lies at a low address, so that registers are loaded and stored with absolute addresses and
 * none is needed as a pointer: every register, RSP too, may be the instruction's operand. A fault is
 * caught as a signal; the registers at the fault are saved in the same way.
 */
#ifndef TESTS_ISA_NATIVE_H
#define TESTS_ISA_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

/* The FXSAVE64 area, and the rest. */
struct native_fx {
	uint16_t fcw, fsw;
	uint8_t ftw, reserved;
	uint16_t fop;
	uint64_t fip, fdp;
	uint32_t mxcsr, mxcsr_mask;
	uint8_t st[8][16];
	uint8_t xmm[16][16];
	uint8_t unused[96];
};

struct native_state {
	struct native_fx fx __attribute__((aligned(64)));
	uint64_t header[8];  /* of the XSAVE area that fx begins; native_run() fills it in */
	uint8_t ymm[16][32]; /* whole registers; fx.xmm is ignored */
	uint64_t gpr[16];
	uint64_t rflags;
	bool compatibility;  /* in: the instruction is 32-bit code in a flat segment; of registers the low halves count */
	int fault;           /* out: exception vector, -1: none */
	uint64_t fault_address;
};

/* false: the host cannot run the test (no AVX, or no memory at the address). */
bool native_start(void);

/* Runs the instruction on *state in place. */
void native_run(struct native_state *state, const uint8_t *instruction, unsigned bytes);

#endif

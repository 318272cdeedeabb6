/*
 * Page walks: a linear address to a guest-physical one by the tables in guest memory ("Paging").
 *
 * A walk has no state of its own and caches nothing (tlb.c does); it sets accessed and dirty bits as the processor would.
 */
#ifndef CPU_WALK_H
#define CPU_WALK_H

#include "cpu/access.h"

/* What a translation allows in the mode it was made for. */
#define RIGHT_READ BIT(0)
#define RIGHT_WRITE BIT(1)
#define RIGHT_EXECUTE BIT(2)

_Static_assert(RIGHT_READ == BIT(ACCESS_READ) && RIGHT_WRITE == BIT(ACCESS_WRITE) && RIGHT_EXECUTE == BIT(ACCESS_EXECUTE),
	       "a right is the bit of its access");

struct translation {
	gpa_t gpa;       /* of the 4 KiB page holding the address */
	u8 rights;       /* RIGHT_WRITE only once the dirty bit is set */
	u8 page_shift;   /* 12, 21, 22 or 30: size of the mapping */
	bool global;
	u32 error;       /* PF_ERROR_* if the walk failed */
};

/* false: page fault with out->error. */
MUST_USE bool walk_translate(struct core *c, gva_t address, enum access access, enum tlb_mode mode, struct translation *out);

#endif

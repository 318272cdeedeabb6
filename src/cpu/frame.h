/*
 * Stacks during far transfers: frames written before anything is committed, and values read before anything is popped.
 *
 * CALL, interrupts and exceptions push several values, maybe on another stack at another privilege level, and must
 * leave no trace if a push faults. So the values are collected first, then checked and written in one go, and RSP
 * and SS change at the very end. RET and IRET likewise read everything before they change RSP.
 */
#ifndef CPU_FRAME_H
#define CPU_FRAME_H

#include "cpu/segment.h"

/* 31 parameters of a call gate and SS, ESP, CS, EIP are the most that is pushed. */
#define FRAME_MAX_SLOTS 36

struct frame {
	struct cpu_segment ss;
	u64 rsp;
	u64 mask;       /* of RSP */
	u32 error;      /* #SS error code when the stack is too small */
	u8 slot_bytes;  /* 2, 4 or 8 */
	bool system;    /* a stack of an inner level: written as that level would */
	unsigned slots;
	u64 value[FRAME_MAX_SLOTS];
};

/* A frame on the current stack. wide: by 64-bit rules, whatever SS says. */
struct frame frame_on_current(const struct core *c, unsigned slot_bytes, bool wide);

/* A frame on the stack of the inner level that ss belongs to. */
struct frame frame_on_inner(const struct cpu_segment *ss, u64 rsp, unsigned slot_bytes, bool wide);

static inline void frame_push(struct frame *f, u64 value)
{
	f->value[f->slots++] = value;
}

/* Checks the whole frame, writes it and moves f->rsp below it. */
MUST_USE bool frame_write(struct core *c, const struct op *op, struct frame *f);

/* Makes the frame's stack the current one. */
void frame_commit(struct core *c, const struct frame *f);

/* The value at RSP + offset on the current stack; RSP stays. */
MUST_USE struct load stack_peek(struct core *c, const struct op *op, u64 offset, unsigned size);

/* RSP = value, or its low 16 bits only if mask is that. */
void stack_set_pointer(struct core *c, u64 mask, u64 value);

/* The mask of RSP under a stack segment that is not loaded yet. */
u64 stack_mask_of(const struct cpu_segment *ss, bool wide);

/* "Stack Switching": the SS:ESP that the current TSS holds for privilege level cpl (0-2), legacy modes. */
MUST_USE bool tss_stack(struct core *c, const struct op *op, unsigned cpl, u16 *ss, u32 *esp);

/* Long mode: RSPn of the current TSS, or if ist is not 0, that IST entry. */
MUST_USE bool tss_stack64(struct core *c, const struct op *op, unsigned cpl, unsigned ist, u64 *rsp);

#endif

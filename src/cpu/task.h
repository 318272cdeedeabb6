/*
 * Hardware task switches ("Task Management"), 16- and 32-bit, outside long mode only.
 */
#ifndef CPU_TASK_H
#define CPU_TASK_H

#include "cpu/segment.h"

enum task_source { TASK_JUMP, TASK_CALL, TASK_RETURN, TASK_EVENT };

struct task_switch {
	enum task_source source;
	u16 selector; /* of the new task's TSS */
	u64 rip;      /* where the old task will go on */
	u64 rflags;   /* what is saved for it */
	bool has_error_code;
	u32 error_code; /* pushed on the new task's stack */
};

/*
 * The caller has checked the privilege of the task gate or TSS descriptor. false: an exception is pending. What is
 * found before the switch is raised at op; what is found later, in the context of the new task, is raised with RIP
 * and everything else being the new task's, so op is not the place any more.
 */
MUST_USE bool task_switch(struct core *c, const struct op *op, const struct task_switch *t);

/* IRET with NT set: the switch back along the link in the current TSS. rip: the next instruction's. */
MUST_USE bool task_return(struct core *c, const struct op *op, u64 rip);

#endif

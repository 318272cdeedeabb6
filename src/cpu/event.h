/*
 * Event delivery's inner doors, for the far-transfer executors; the public functions are in core.h.
 */
#ifndef CPU_EVENT_H
#define CPU_EVENT_H

#include "cpu/core.h"

/*
 * "Software Interrupt Handling Methods While in Virtual-8086 Mode": does the redirection bitmap in the TSS send INT
 * vector to the 8086 program's own handler? Call in virtual-8086 mode only. false: an exception was raised at op.
 */
MUST_USE bool event_read_redirection(struct core *c, const struct op *op, u8 vector, bool *redirected);

#endif

/*
 * I/O ports as an instruction sees them: permission first ("I/O Permission Bit Map"), then the bus.
 *
 * IN and OUT and the string forms INS and OUTS share this. A device may raise interrupts, stop or reset the
 * processor, so an instruction that did I/O ends with exec_break().
 */
#ifndef CPU_IO_H
#define CPU_IO_H

#include "cpu/core.h"

/*
 * May the current program access ports [port, port + size)? IOPL in protected mode, else the bitmap in the TSS.
 * false: the exception has been raised at op. size 1, 2 or 4. I/O breakpoints on the ports are noted in debug_hits.
 */
MUST_USE bool io_permitted(struct core *c, const struct op *op, u16 port, unsigned size);

/* The access itself, size 1, 2 or 4 bytes; they cannot fail. */
u32 io_read(struct core *c, const struct op *op, u16 port, unsigned size);
void io_write(struct core *c, const struct op *op, u16 port, unsigned size, u32 value);

#endif

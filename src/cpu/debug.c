/* Debug registers at work: which breakpoints an access or a fetch hits. See debug.h. */
#include "cpu/debug.h"

/* DR7's R/W fields ("Debug Control Register"). */
enum breakpoint_kind { BREAK_EXECUTE = 0, BREAK_WRITE = 1, BREAK_IO = 2, BREAK_READ_WRITE = 3 };

#define BREAKPOINTS 4

static bool breakpoint_enabled(const struct cpu *cpu, unsigned n)
{
	return cpu->dr7 >> (2 * n) & 3;
}

static enum breakpoint_kind breakpoint_kind(const struct cpu *cpu, unsigned n)
{
	return (enum breakpoint_kind)(cpu->dr7 >> (16 + 4 * n) & 3);
}

static unsigned breakpoint_bytes(const struct cpu *cpu, unsigned n)
{
	static const u8 bytes[] = { 1, 2, 8, 4 };

	return bytes[cpu->dr7 >> (18 + 4 * n) & 3];
}

bool debug_watches_data(const struct cpu *cpu)
{
	for (unsigned n = 0; n < BREAKPOINTS; n++)
		if (breakpoint_enabled(cpu, n) && breakpoint_kind(cpu, n) & BREAK_WRITE)
			return true;
	return false;
}

/* Breakpoint addresses are taken with their low bits masked by the length. */
static bool breakpoint_overlaps(const struct cpu *cpu, unsigned n, u64 address, unsigned bytes)
{
	unsigned length = breakpoint_bytes(cpu, n);
	u64 start = align_down(cpu->dr[n], length);

	return address < start + length && start < address + bytes;
}

void debug_note_access(struct core *c, gva_t address, unsigned bytes, enum access access)
{
	for (unsigned n = 0; n < BREAKPOINTS; n++) {
		enum breakpoint_kind kind = breakpoint_kind(&c->cpu, n);
		bool watched = kind == BREAK_READ_WRITE || (kind == BREAK_WRITE && access == ACCESS_WRITE);

		if (watched && breakpoint_enabled(&c->cpu, n) && breakpoint_overlaps(&c->cpu, n, address, bytes))
			c->debug_hits |= DR6_B0 << n;
	}
}

void debug_note_port(struct core *c, u16 port, unsigned bytes)
{
	if (!(c->cpu.cr4 & CR4_DE))
		return;
	for (unsigned n = 0; n < BREAKPOINTS; n++)
		if (breakpoint_enabled(&c->cpu, n) && breakpoint_kind(&c->cpu, n) == BREAK_IO &&
		    breakpoint_overlaps(&c->cpu, n, port, bytes))
			c->debug_hits |= DR6_B0 << n;
}

u64 debug_execution_hits(const struct core *c, gva_t address)
{
	u64 hits = 0;

	for (unsigned n = 0; n < BREAKPOINTS; n++)
		if (breakpoint_enabled(&c->cpu, n) && breakpoint_kind(&c->cpu, n) == BREAK_EXECUTE &&
		    c->cpu.dr[n] == address)
			hits |= DR6_B0 << n;
	return hits;
}

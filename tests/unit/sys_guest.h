/*
 * A core to try system instructions on: a megabyte of RAM, a machine of stand-ins that notes what it is asked, and the
 * processor modes at hand. Instructions run one at a time, and the test looks at the step and the event they end in.
 */
#ifndef TESTS_UNIT_SYS_GUEST_H
#define TESTS_UNIT_SYS_GUEST_H

#include "cpu/core.h"

#define SYS_GUEST_RAM_BYTES 0x100000u

/* Where things are in RAM. */
enum {
	SYS_GUEST_PML4 = 0x1000, SYS_GUEST_PDPT = 0x2000, SYS_GUEST_PD = 0x3000,
	SYS_GUEST_TSS = 0x6000, SYS_GUEST_CODE = 0x8000, SYS_GUEST_DATA = 0x9000,
};

enum sys_guest_mode {
	MODE_REAL, MODE_V86,
	MODE_PROTECTED, MODE_PROTECTED_USER, /* 32-bit, no paging, CPL 0 and 3 */
	MODE_LONG, MODE_LONG_USER,           /* 64-bit, 4-level paging, identity-mapped */
	MODE_COMPATIBILITY,                  /* 32-bit code in long mode, CPL 0 */
};

/* What the stand-ins hold. */
struct sys_guest_world {
	u64 tsc, task_priority, apic_base, tsc_deadline, random;
	u32 x2apic_msr;     /* the last one accessed */
	unsigned deadline_writes;
	u16 port;
	unsigned port_size, port_accesses;
	u32 port_value;     /* written, or to be read */
};

extern struct core *guest;
extern struct sys_guest_world world;
extern u8 sys_guest_ram[SYS_GUEST_RAM_BYTES];

/* A fresh processor of the model ("max-intel,-smap"), of `processors`, in the mode, with RAM cleared. */
void sys_guest_start(const char *model, enum sys_guest_mode mode);
void sys_guest_set_mode(enum sys_guest_mode mode);

/* Executes one instruction, given as its bytes. */
enum step sys_guest_run(const u8 *bytes, size_t count);
#define RUN(...) sys_guest_run((const u8[]){ __VA_ARGS__ }, sizeof((const u8[]){ __VA_ARGS__ }))

/* Did the instruction end in this exception (with this error code)? */
bool sys_guest_raised(enum step step, enum vector vector);
bool sys_guest_completed(enum step step);

#define RAISES(vector, ...) CHECK(sys_guest_raised(RUN(__VA_ARGS__), VECTOR_##vector))
#define COMPLETES(...) CHECK(sys_guest_completed(RUN(__VA_ARGS__)))

static inline u64 *sys_guest_word(u64 address)
{
	return (u64 *)(void *)(sys_guest_ram + address);
}

#endif

/* System and port instructions: who may execute them, when they are #UD, and what they do. */
#include <string.h>

#include "sys_guest.h"
#include "test.h"

#define STI 0xfb
#define CLI 0xfa
#define HLT 0xf4
#define MONITOR 0x0f, 0x01, 0xc8
#define MWAIT 0x0f, 0x01, 0xc9
#define CLAC 0x0f, 0x01, 0xca
#define STAC 0x0f, 0x01, 0xcb
#define RDPKRU 0x0f, 0x01, 0xee
#define WRPKRU 0x0f, 0x01, 0xef
#define RDTSCP 0x0f, 0x01, 0xf9
#define MONITORX 0x0f, 0x01, 0xfa
#define MWAITX 0x0f, 0x01, 0xfb
#define CLZERO 0x0f, 0x01, 0xfc
#define RDTSC 0x0f, 0x31
#define RDPMC 0x0f, 0x33
#define RDPID_RAX 0xf3, 0x0f, 0xc7, 0xf8
#define RDRAND_EAX 0x0f, 0xc7, 0xf0
#define RDSEED_EAX 0x0f, 0xc7, 0xf8
#define INVLPG_RAX 0x0f, 0x01, 0x38
#define INVPCID_RAX_RBX 0x66, 0x0f, 0x38, 0x82, 0x03
#define INVD 0x0f, 0x08
#define WBINVD 0x0f, 0x09

static struct cpu *cpu(void)
{
	return &guest->cpu;
}

static void set_iopl(unsigned iopl)
{
	cpu()->rflags = (cpu()->rflags & ~RFLAGS_IOPL) | iopl << RFLAGS_IOPL_SHIFT;
}

static bool flag(u64 bit)
{
	return cpu()->rflags & bit;
}

/* ---- the interrupt flag ---- */

TEST("STI and CLI: free in real mode, CPL <= IOPL in protected mode, IOPL 3 in virtual-8086 mode")
{
	sys_guest_start("max-intel", MODE_REAL);
	COMPLETES(STI);
	CHECK(flag(RFLAGS_IF));
	COMPLETES(CLI);
	CHECK(!flag(RFLAGS_IF));
	for (unsigned iopl = 0; iopl <= 3; iopl++) {
		sys_guest_set_mode(MODE_PROTECTED);
		set_iopl(iopl);
		COMPLETES(STI);
		COMPLETES(CLI);
		sys_guest_set_mode(MODE_PROTECTED_USER);
		set_iopl(iopl);
		CHECK_EQ(sys_guest_completed(RUN(STI)), iopl == 3);
		CHECK_EQ(sys_guest_completed(RUN(CLI)), iopl == 3);
		sys_guest_set_mode(MODE_V86);
		set_iopl(iopl);
		CHECK_EQ(sys_guest_completed(RUN(STI)), iopl == 3);
		CHECK_EQ(flag(RFLAGS_IF), iopl == 3);
		CHECK_EQ(sys_guest_completed(RUN(CLI)), iopl == 3);
	}
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, STI);
	RAISES(GP, CLI);
}

TEST("STI blocks interrupts for one instruction if and only if it set IF")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(RUN(STI), STEP_BREAK);
	CHECK_EQ(cpu()->interruptibility, CPU_BLOCKED_BY_STI);
	cpu()->interruptibility = 0;
	COMPLETES(STI);
	CHECK_EQ(cpu()->interruptibility, 0);
}

TEST("with CR4.PVI at CPL 3, or CR4.VME in virtual-8086 mode, STI and CLI change VIF; VIP makes STI #GP(0)")
{
	static const struct {
		enum sys_guest_mode mode;
		u64 cr4;
	} cases[] = { { MODE_PROTECTED_USER, CR4_PVI }, { MODE_LONG_USER, CR4_PVI }, { MODE_V86, CR4_VME } };

	sys_guest_start("max-intel", MODE_REAL);
	for (unsigned i = 0; i < 3; i++) {
		sys_guest_set_mode(cases[i].mode);
		cpu()->cr4 |= cases[i].cr4;
		COMPLETES(STI);
		CHECK(flag(RFLAGS_VIF) && !flag(RFLAGS_IF) && !cpu()->interruptibility);
		cpu()->rflags |= RFLAGS_IF;
		COMPLETES(CLI);
		CHECK(!flag(RFLAGS_VIF) && flag(RFLAGS_IF));
		cpu()->rflags |= RFLAGS_VIP;
		RAISES(GP, STI);
		CHECK(!flag(RFLAGS_VIF));
		COMPLETES(CLI);
		set_iopl(3);
		COMPLETES(STI);
		CHECK(!flag(RFLAGS_VIF));
	}
	/* Each extension is for its own mode. */
	sys_guest_set_mode(MODE_PROTECTED_USER);
	cpu()->cr4 |= CR4_VME;
	RAISES(GP, STI);
	sys_guest_set_mode(MODE_V86);
	cpu()->cr4 |= CR4_PVI;
	RAISES(GP, CLI);
}

TEST("STAC and CLAC change AC at CPL 0, and are #UD at others or without SMAP")
{
	sys_guest_start("max-intel", MODE_LONG);
	COMPLETES(STAC);
	CHECK(flag(RFLAGS_AC));
	COMPLETES(CLAC);
	CHECK(!flag(RFLAGS_AC));
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(UD, STAC);
	RAISES(UD, CLAC);
	sys_guest_start("max-intel,-smap", MODE_LONG);
	RAISES(UD, STAC);
}

TEST("STAC opens user pages to the supervisor at once, CLAC closes them")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->cr4 |= CR4_SMAP;
	core_mode_changed(guest);
	CHECK_EQ(guest->data_mode, TLB_SUPERVISOR_SMAP);
	COMPLETES(STAC);
	CHECK_EQ(guest->data_mode, TLB_SUPERVISOR);
	COMPLETES(CLAC);
	CHECK_EQ(guest->data_mode, TLB_SUPERVISOR_SMAP);
}

/* ---- waiting ---- */

TEST("HLT halts at CPL 0, is #GP(0) at others, and is no MWAIT")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->monitor_armed = true;
	CHECK_EQ(RUN(HLT), STEP_BREAK);
	CHECK_EQ(cpu()->activity, CPU_HALTED);
	CHECK(!cpu()->monitor_armed);
	CHECK_EQ(cpu()->rip, SYS_GUEST_CODE + 1);
	sys_guest_start("max-intel", MODE_LONG_USER);
	RAISES(GP, HLT);
	CHECK_EQ(cpu()->activity, CPU_ACTIVE);
	sys_guest_set_mode(MODE_V86);
	RAISES(GP, HLT);
}

TEST("MONITOR arms the line at DS:RAX, MWAIT sleeps on it and falls through without one")
{
	sys_guest_start("max-intel", MODE_LONG);
	COMPLETES(MWAIT);
	CHECK_EQ(cpu()->activity, CPU_ACTIVE);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA + 8;
	COMPLETES(MONITOR);
	CHECK(cpu()->monitor_armed);
	CHECK_EQ(cpu()->monitor_gpa, SYS_GUEST_DATA + 8);
	CHECK_EQ(RUN(MWAIT), STEP_BREAK);
	CHECK_EQ(cpu()->activity, CPU_HALTED);
	CHECK(cpu()->monitor_armed);
}

TEST("MONITOR and MWAIT: #UD outside CPL 0, without the feature, or taken away; hints checked; the address may fault")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA;
	cpu()->gpr[GPR_RCX] = 1;
	RAISES(GP, MONITOR);
	COMPLETES(MWAIT);
	cpu()->gpr[GPR_RCX] = 2;
	RAISES(GP, MWAIT);
	cpu()->gpr[GPR_RCX] = 0;
	cpu()->gpr[GPR_RAX] = 0x40000000;
	CHECK_EQ(RUN(MONITOR), STEP_FAULT);
	CHECK_EQ(cpu()->event.vector, VECTOR_PF);
	cpu()->gpr[GPR_RAX] = 0x8000000000000000ull;
	RAISES(GP, MONITOR);
	cpu()->misc_enable &= ~BIT(18);
	RAISES(UD, MONITOR);
	RAISES(UD, MWAIT);
	sys_guest_start("max-intel", MODE_LONG_USER);
	RAISES(UD, MONITOR);
	RAISES(UD, MWAIT);
	sys_guest_start("max-intel,-monitor", MODE_LONG);
	RAISES(UD, MONITOR);
}

TEST("MONITORX and MWAITX are AMD's, for every CPL, with a timer hint")
{
	sys_guest_start("zen", MODE_LONG_USER);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA;
	COMPLETES(MONITORX);
	CHECK(cpu()->monitor_armed);
	cpu()->gpr[GPR_RCX] = 2;
	CHECK_EQ(RUN(MWAITX), STEP_BREAK);
	CHECK_EQ(cpu()->activity, CPU_HALTED);
	cpu()->gpr[GPR_RCX] = 4;
	RAISES(GP, MWAITX);
	sys_guest_start("max-intel", MODE_LONG);
	RAISES(UD, MONITORX);
	RAISES(UD, MWAITX);
}

/* ---- time, identity, chance ---- */

TEST("RDTSC and RDTSCP read the offset counter; CR4.TSD reserves them for CPL 0")
{
	sys_guest_start("max-intel", MODE_LONG_USER);
	world.tsc = 0x100000005ull;
	cpu()->tsc_offset = 1;
	cpu()->tsc_aux = 0x77;
	cpu()->gpr[GPR_RAX] = cpu()->gpr[GPR_RDX] = cpu()->gpr[GPR_RCX] = ~0ull;
	COMPLETES(RDTSC);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 6);
	CHECK_EQ(cpu()->gpr[GPR_RDX], 1);
	COMPLETES(RDTSCP);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 6);
	CHECK_EQ(cpu()->gpr[GPR_RCX], 0x77);
	cpu()->cr4 |= CR4_TSD;
	RAISES(GP, RDTSC);
	RAISES(GP, RDTSCP);
	sys_guest_set_mode(MODE_LONG);
	cpu()->cr4 |= CR4_TSD;
	COMPLETES(RDTSC);
	sys_guest_start("conroe", MODE_LONG);
	RAISES(UD, RDTSCP);
	sys_guest_start("486", MODE_REAL);
	RAISES(UD, RDTSC);
}

TEST("RDPMC finds no counter on Intel's processors, and four that stand still on AMD's, for CPL 0 or with CR4.PCE")
{
	sys_guest_start("max-intel", MODE_LONG);
	RAISES(GP, RDPMC);
	cpu()->cr4 |= CR4_PCE;
	RAISES(GP, RDPMC);
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, RDPMC);
	sys_guest_start("max-amd", MODE_LONG);
	cpu()->gpr[GPR_RAX] = cpu()->gpr[GPR_RDX] = ~0ull;
	cpu()->gpr[GPR_RCX] = 3;
	COMPLETES(RDPMC);
	CHECK_EQ(cpu()->gpr[GPR_RAX] | cpu()->gpr[GPR_RDX], 0);
	cpu()->gpr[GPR_RCX] = 4;
	RAISES(GP, RDPMC);
	cpu()->gpr[GPR_RCX] = 0;
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, RDPMC);
	cpu()->cr4 |= CR4_PCE;
	COMPLETES(RDPMC);
}

TEST("RDPID reads TSC_AUX into the whole register")
{
	sys_guest_start("max-intel", MODE_LONG_USER);
	cpu()->tsc_aux = 5;
	cpu()->gpr[GPR_RAX] = ~0ull;
	COMPLETES(RDPID_RAX);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 5);
	sys_guest_start("max-intel,-rdpid", MODE_LONG);
	RAISES(UD, RDPID_RAX);
}

TEST("RDRAND and RDSEED give the operand's size, set CF and clear the other status flags")
{
	sys_guest_start("max-intel", MODE_LONG_USER);
	cpu()->status = CPU_STATUS_ZF | CPU_STATUS_OF | CPU_STATUS_SF;
	cpu()->gpr[GPR_RAX] = ~0ull;
	COMPLETES(RDRAND_EAX);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0x55667788);
	CHECK_EQ(cpu_rflags(cpu()) & RFLAGS_STATUS, RFLAGS_CF);
	cpu()->gpr[GPR_RAX] = ~0ull;
	COMPLETES(0x66, RDSEED_EAX);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0xffffffffffff7788ull);
	COMPLETES(0x48, RDRAND_EAX);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0x1122334455667788ull);
	sys_guest_start("max-intel,-rdrand,-rdseed", MODE_LONG);
	RAISES(UD, RDRAND_EAX);
	RAISES(UD, RDSEED_EAX);
}

/* ---- TLB, caches, keys ---- */

/* RAM a second time, two megabytes up, so that its translation can go without that of the code. */
#define ALIAS 0x200000u

static bool alias_is_mapped(void)
{
	cpu()->gpr[GPR_RAX] = ALIAS + SYS_GUEST_DATA;
	return sys_guest_completed(RUN(MONITOR));
}

TEST("a translation is kept until INVLPG, INVPCID or a load of CR3 forgets it")
{
	static const u8 forget[][5] = { { INVLPG_RAX }, { INVPCID_RAX_RBX }, { 0x0f, 0x22, 0xda } /* MOV CR3, RDX */ };
	static const u8 bytes[] = { 3, 5, 3 };

	for (unsigned i = 0; i < 3; i++) {
		sys_guest_start("max-intel", MODE_LONG);
		cpu()->gpr[GPR_RBX] = SYS_GUEST_DATA;
		cpu()->gpr[GPR_RDX] = cpu()->cr3;
		*sys_guest_word(SYS_GUEST_PD + 8) = *sys_guest_word(SYS_GUEST_PD);
		CHECK(alias_is_mapped());
		*sys_guest_word(SYS_GUEST_PD + 8) = 0;
		CHECK(alias_is_mapped());
		cpu()->gpr[GPR_RAX] = i == 0 ? ALIAS + SYS_GUEST_DATA : 2;
		CHECK(sys_guest_completed(sys_guest_run(forget[i], bytes[i])));
		CHECK(!alias_is_mapped());
	}
}

TEST("INVLPG is for CPL 0 and takes any address")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RAX] = 0x1234567890123456ull; /* not canonical: nothing to do */
	COMPLETES(INVLPG_RAX);
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, INVLPG_RAX);
	sys_guest_set_mode(MODE_V86);
	RAISES(GP, 0x67, INVLPG_RAX);
}

TEST("INVPCID checks its type, PCID and address")
{
	u64 *descriptor = sys_guest_word(SYS_GUEST_DATA);

	sys_guest_start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RBX] = SYS_GUEST_DATA;
	for (u64 type = 0; type < 6; type++) {
		cpu()->gpr[GPR_RAX] = type;
		CHECK_EQ(sys_guest_completed(RUN(INVPCID_RAX_RBX)), type <= 3);
		descriptor[0] = 5; /* a PCID other than 0 needs CR4.PCIDE, where a PCID means something */
		CHECK_EQ(sys_guest_completed(RUN(INVPCID_RAX_RBX)), type == 2 || type == 3);
		cpu()->cr4 |= CR4_PCIDE;
		CHECK_EQ(sys_guest_completed(RUN(INVPCID_RAX_RBX)), type <= 3);
		cpu()->cr4 &= ~CR4_PCIDE;
		descriptor[0] = BIT(12);
		CHECK(sys_guest_raised(RUN(INVPCID_RAX_RBX), VECTOR_GP));
		descriptor[0] = 0;
		descriptor[1] = 0x8000000000000000ull;
		CHECK_EQ(sys_guest_completed(RUN(INVPCID_RAX_RBX)), type >= 1 && type <= 3);
		descriptor[1] = 0;
	}
	cpu()->gpr[GPR_RAX] = 0;
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, INVPCID_RAX_RBX);
	sys_guest_start("max-intel,-invpcid", MODE_LONG);
	RAISES(UD, INVPCID_RAX_RBX);
}

TEST("INVD, WBINVD and WBNOINVD are for CPL 0")
{
	sys_guest_start("max-intel", MODE_LONG);
	COMPLETES(INVD);
	COMPLETES(WBINVD);
	COMPLETES(0xf3, WBINVD);
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, INVD);
	RAISES(GP, WBINVD);
	RAISES(GP, 0xf3, WBINVD);
}

TEST("RDPKRU and WRPKRU need CR4.PKE, and ECX (and for WRPKRU EDX) 0")
{
	sys_guest_start("max-intel", MODE_LONG_USER);
	RAISES(UD, RDPKRU);
	RAISES(UD, WRPKRU);
	cpu()->cr4 |= CR4_PKE;
	cpu()->gpr[GPR_RAX] = 0xffffffff12345678ull;
	cpu()->gpr[GPR_RDX] = 0;
	COMPLETES(WRPKRU);
	CHECK_EQ(cpu()->pkru, 0x12345678);
	cpu()->gpr[GPR_RAX] = cpu()->gpr[GPR_RDX] = ~0ull;
	COMPLETES(RDPKRU);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0x12345678);
	CHECK_EQ(cpu()->gpr[GPR_RDX], 0);
	cpu()->gpr[GPR_RDX] = 1;
	RAISES(GP, WRPKRU);
	COMPLETES(RDPKRU);
	cpu()->gpr[GPR_RCX] = 1;
	RAISES(GP, RDPKRU);
	RAISES(GP, WRPKRU);
}

TEST("CLZERO clears the 64-byte line that RAX points into, on AMD")
{
	sys_guest_start("zen", MODE_LONG_USER);
	memset(sys_guest_ram + SYS_GUEST_DATA, 0xff, 192);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA + 64 + 5;
	COMPLETES(CLZERO);
	CHECK_EQ(sys_guest_ram[SYS_GUEST_DATA + 63], 0xff);
	CHECK_EQ(sys_guest_ram[SYS_GUEST_DATA + 64], 0);
	CHECK_EQ(sys_guest_ram[SYS_GUEST_DATA + 127], 0);
	CHECK_EQ(sys_guest_ram[SYS_GUEST_DATA + 128], 0xff);
	sys_guest_start("max-intel", MODE_LONG);
	RAISES(UD, CLZERO);
}

TEST("UD0, UD1, UD2, and RSM outside system-management mode are #UD")
{
	static const enum sys_guest_mode modes[] = { MODE_REAL, MODE_PROTECTED, MODE_LONG, MODE_LONG_USER };

	sys_guest_start("max-intel", MODE_REAL);
	for (unsigned i = 0; i < 4; i++) {
		sys_guest_set_mode(modes[i]);
		RAISES(UD, 0x0f, 0x0b);
		RAISES(UD, 0x0f, 0xb9, 0xc0);
		RAISES(UD, 0x0f, 0xff, 0xc0);
		RAISES(UD, 0x0f, 0xaa);
	}
}

/* ---- ports ---- */

#define IN_AL_IMM(port) 0xe4, port
#define IN_EAX_DX 0xed
#define IN_AL_DX 0xec
#define OUT_DX_EAX 0xef
#define OUT_DX_AL 0xee
#define OUT_IMM_AL(port) 0xe6, port

TEST("IN and OUT access ports of 1, 2 and 4 bytes, by immediate or DX")
{
	sys_guest_start("max-intel", MODE_LONG);
	world.port_value = 0x87654321;
	cpu()->gpr[GPR_RAX] = ~0ull;
	CHECK_EQ(RUN(IN_AL_IMM(0x80)), STEP_BREAK);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0xffffffffffffff21ull);
	CHECK(world.port == 0x80 && world.port_size == 1);
	cpu()->gpr[GPR_RDX] = 0xabcd0cfc;
	COMPLETES(0x66, IN_EAX_DX);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0xffffffffffff4321ull);
	CHECK(world.port == 0xcfc && world.port_size == 2);
	COMPLETES(IN_EAX_DX);
	CHECK_EQ(cpu()->gpr[GPR_RAX], 0x87654321);
	cpu()->gpr[GPR_RAX] = 0x1122334455667788ull;
	COMPLETES(OUT_DX_EAX);
	CHECK(world.port_value == 0x55667788 && world.port_size == 4);
	COMPLETES(OUT_IMM_AL(0xf4));
	CHECK(world.port_value == 0x88 && world.port == 0xf4);
}

static bool out_al(u16 port)
{
	cpu()->gpr[GPR_RDX] = port;
	return sys_guest_completed(RUN(OUT_DX_AL));
}

static bool out_eax(u16 port)
{
	cpu()->gpr[GPR_RDX] = port;
	return sys_guest_completed(RUN(OUT_DX_EAX));
}

/* A TSS whose map begins at 0x68, followed by `bytes` bytes of map. */
static void set_map(u32 bytes)
{
	*(u16 *)(void *)(sys_guest_ram + SYS_GUEST_TSS + 0x66) = 0x68;
	memset(sys_guest_ram + SYS_GUEST_TSS + 0x68, 0, 0x2000);
	cpu()->segment[SEG_TR].limit = 0x67 + bytes;
}

static void forbid(u16 port)
{
	sys_guest_ram[SYS_GUEST_TSS + 0x68 + port / 8] |= 1u << port % 8;
}

TEST("CPL above IOPL, and virtual-8086 mode always, ask the I/O permission map")
{
	static const enum sys_guest_mode modes[] = { MODE_PROTECTED_USER, MODE_LONG_USER, MODE_V86 };

	sys_guest_start("max-intel", MODE_REAL);
	CHECK(out_al(0x3f8));
	for (unsigned i = 0; i < 3; i++) {
		sys_guest_set_mode(modes[i]);
		RAISES(GP, OUT_DX_AL); /* the TSS ends before the map */
		set_iopl(3);
		CHECK_EQ(out_al(0x3f8), modes[i] != MODE_V86);
		set_iopl(2);
		set_map(0x100);
		CHECK(out_al(0x3f8));
		forbid(0x3f8);
		world.port_accesses = 0;
		CHECK(!out_al(0x3f8));
		CHECK(sys_guest_raised(STEP_FAULT, VECTOR_GP));
		CHECK_EQ(world.port_accesses, 0);
		CHECK(out_al(0x3f7) && out_al(0x3f9));
	}
	sys_guest_set_mode(MODE_LONG);
	CHECK(out_al(0x3f8));
}

TEST("every byte of a wide access must be permitted, across bytes of the map too")
{
	sys_guest_start("max-intel", MODE_PROTECTED_USER);
	set_map(0x100);
	forbid(0x108);
	for (u16 port = 0x100; port < 0x110; port++)
		CHECK_EQ(out_eax(port), port + 3 < 0x108 || port > 0x108);
}

TEST("the map needs one byte beyond the port's own within the TSS limit")
{
	sys_guest_start("max-intel", MODE_PROTECTED_USER);
	set_map(0x11);
	CHECK(out_al(0x7f));
	CHECK(!out_al(0x88));
	set_map(0x10);
	CHECK(out_al(0x77));
	CHECK(!out_al(0x7f));
}

TEST("no map without a 32-bit or 64-bit TSS that reaches its pointer")
{
	sys_guest_start("max-intel", MODE_PROTECTED_USER);
	set_map(0x100);
	CHECK(out_al(0x10));
	cpu()->segment[SEG_TR].attributes = SEGMENT_P | DESCRIPTOR_TSS16_BUSY;
	CHECK(!out_al(0x10));
	cpu()->segment[SEG_TR].attributes = SEGMENT_P | DESCRIPTOR_TSS32_BUSY;
	cpu()->segment[SEG_TR].limit = 0x66;
	CHECK(!out_al(0x10));
	cpu()->segment[SEG_TR] = (struct cpu_segment){ .base = SYS_GUEST_TSS, .limit = 0x167,
						       .attributes = SEGMENT_UNUSABLE | DESCRIPTOR_TSS32_BUSY };
	CHECK(!out_al(0x10));
}

TEST("an I/O breakpoint is noted when its port is accessed with CR4.DE, and not otherwise")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->dr[0] = 0x3f8;
	cpu()->dr7 = DR7_FIXED | BIT(0) | 2 << 16;
	guest->debug_hits = 0;
	CHECK(out_al(0x3f8));
	CHECK_EQ(guest->debug_hits, 0);
	cpu()->cr4 |= CR4_DE;
	CHECK(out_al(0x3f9));
	CHECK_EQ(guest->debug_hits, 0);
	CHECK(out_al(0x3f8));
	CHECK_EQ(guest->debug_hits, DR6_B0);
}

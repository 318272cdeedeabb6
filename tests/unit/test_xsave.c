/* Extended state: who may save and restore it, the formats' rules, and what is left out of an area. */
#include <string.h>

#include "cpu/simd.h"
#include "cpu/xsave.h"
#include "sys_guest.h"
#include "test.h"

#define FXSAVE 0x0f, 0xae, 0x00
#define FXSAVE64 0x48, 0x0f, 0xae, 0x00
#define FXRSTOR 0x0f, 0xae, 0x08
#define XSAVE64 0x48, 0x0f, 0xae, 0x23 /* these to [rbx] */
#define XSAVEOPT64 0x48, 0x0f, 0xae, 0x33
#define XSAVEC64 0x48, 0x0f, 0xc7, 0x23
#define XSAVES64 0x48, 0x0f, 0xc7, 0x2b
#define XRSTOR64 0x48, 0x0f, 0xae, 0x2b
#define XRSTORS64 0x48, 0x0f, 0xc7, 0x1b
#define LDMXCSR 0x0f, 0xae, 0x10
#define STMXCSR 0x0f, 0xae, 0x18
#define VSTMXCSR 0xc5, 0xf8, 0xae, 0x18

static struct cpu *cpu(void)
{
	return &guest->cpu;
}

static void start(const char *model, enum sys_guest_mode mode)
{
	sys_guest_start(model, mode);
	cpu()->cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
	cpu()->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU;
	cpu()->vector.mxcsr = MXCSR_DEFAULT;
	xsave_init_x87(guest);
	core_mode_changed(guest);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA;
	cpu()->gpr[GPR_RBX] = SYS_GUEST_DATA;
}

static void set_cr0(u64 bits)
{
	cpu()->cr0 |= bits;
	core_mode_changed(guest);
}

/* The components that the next instruction takes: EDX:EAX. */
static void set_mask(u64 mask)
{
	cpu()->gpr[GPR_RAX] = (u32)mask;
	cpu()->gpr[GPR_RDX] = mask >> 32;
}

static struct xsave_legacy *legacy(void)
{
	return (struct xsave_legacy *)(void *)(sys_guest_ram + SYS_GUEST_DATA);
}

static struct xsave_header *header(void)
{
	return (struct xsave_header *)(void *)(sys_guest_ram + SYS_GUEST_DATA + XSAVE_HEADER_OFFSET);
}

static u8 *extended(unsigned offset)
{
	return sys_guest_ram + SYS_GUEST_DATA + offset;
}

/* An area that every XRSTOR takes: nothing in it. */
static void clear_area(void)
{
	memset(legacy(), 0, XSAVE_MAX_BYTES);
	legacy()->mxcsr = MXCSR_DEFAULT;
}

/* ---- FXSAVE ---- */

TEST("FXSAVE and FXRSTOR: #NM if CR0.TS or CR0.EM is set, #GP(0) if the area is not aligned to 16 bytes")
{
	start("max-intel", MODE_PROTECTED);
	COMPLETES(FXSAVE);
	COMPLETES(FXRSTOR);
	cpu()->gpr[GPR_RAX] += 8;
	RAISES(GP, FXSAVE);
	RAISES(GP, FXRSTOR);
	set_cr0(CR0_EM);
	RAISES(NM, FXSAVE);
	RAISES(NM, FXRSTOR);
	cpu()->cr0 ^= CR0_EM | CR0_TS;
	core_mode_changed(guest);
	RAISES(NM, FXSAVE);
	RAISES(NM, FXRSTOR);
}

TEST("FXSAVE stores eight XMM registers outside 64-bit mode and sixteen in it, and nothing above byte 416")
{
	for (unsigned wide = 0; wide < 2; wide++) {
		start("max-intel", wide ? MODE_LONG : MODE_PROTECTED);
		memset(legacy(), 0x77, sizeof(*legacy()));
		memset(cpu()->vector.ymm, 0x11, sizeof(cpu()->vector.ymm));
		COMPLETES(FXSAVE);
		CHECK_EQ(legacy()->xmm[7][15], 0x11);
		CHECK_EQ(legacy()->xmm[8][0], wide ? 0x11 : 0x77);
		CHECK_EQ(legacy()->unused[0], 0x77);
	}
}

TEST("FXSAVE leaves XMM registers out while CR4.OSFXSR is clear, and with EFER.FFXSR in 64-bit mode at CPL 0")
{
	start("max-amd", MODE_LONG);
	memset(cpu()->vector.ymm, 0x11, sizeof(cpu()->vector.ymm));
	cpu()->efer |= EFER_FFXSR;
	COMPLETES(FXSAVE);
	CHECK_EQ(legacy()->xmm[0][0], 0);
	CHECK_EQ(legacy()->mxcsr, MXCSR_DEFAULT);
	sys_guest_set_mode(MODE_LONG_USER);
	cpu()->cr4 |= CR4_OSFXSR;
	cpu()->efer |= EFER_FFXSR;
	COMPLETES(FXSAVE);
	CHECK_EQ(legacy()->xmm[0][0], 0x11);
	cpu()->cr4 &= ~CR4_OSFXSR;
	memset(legacy(), 0, sizeof(*legacy()));
	COMPLETES(FXSAVE);
	CHECK_EQ(legacy()->xmm[0][0], 0);
}

TEST("the 32-bit form stores selectors beside the pointers, the 64-bit form whole pointers")
{
	start("max-intel", MODE_LONG);
	cpu()->x87.fip = 0x123456789a;
	cpu()->x87.fcs = 0x33;
	COMPLETES(FXSAVE);
	CHECK_EQ(legacy()->fip, 0x3456789a | 0x33ull << 32);
	COMPLETES(FXSAVE64);
	CHECK_EQ(legacy()->fip, 0x123456789a);
}

TEST("the registers are stored from the top of the stack, the tags by physical register")
{
	start("max-intel", MODE_LONG);
	cpu()->x87.fsw = 6 << X87_FSW_TOP_SHIFT;
	cpu()->x87.empty = (u8)~BIT(6);
	cpu()->x87.st[6][0] = 0x66;
	COMPLETES(FXSAVE);
	CHECK_EQ(legacy()->st[0][0], 0x66);
	CHECK_EQ(legacy()->ftw, BIT(6));
}

TEST("FXRSTOR and LDMXCSR: #GP(0) for a reserved MXCSR bit, and nothing is loaded")
{
	start("max-intel", MODE_LONG);
	legacy()->fcw = 0x27f;
	legacy()->mxcsr = 1u << 16;
	RAISES(GP, FXRSTOR);
	CHECK_EQ(cpu()->x87.fcw, X87_FCW_FNINIT);
	*sys_guest_word(SYS_GUEST_DATA) = 1u << 16;
	RAISES(GP, LDMXCSR);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT);
	*sys_guest_word(SYS_GUEST_DATA) = MXCSR_DEFAULT | 1;
	COMPLETES(LDMXCSR);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT | 1);
}

TEST("LDMXCSR and STMXCSR are checked as SSE, VSTMXCSR as AVX")
{
	start("max-intel", MODE_LONG);
	COMPLETES(STMXCSR);
	COMPLETES(VSTMXCSR);
	set_cr0(CR0_EM);
	RAISES(UD, STMXCSR);
	RAISES(UD, LDMXCSR);
	COMPLETES(VSTMXCSR);
	cpu()->cr0 ^= CR0_EM | CR0_TS;
	core_mode_changed(guest);
	RAISES(NM, STMXCSR);
	RAISES(NM, VSTMXCSR);
	cpu()->cr4 &= ~CR4_OSXSAVE;
	core_mode_changed(guest);
	RAISES(UD, VSTMXCSR);
}

/* ---- XSAVE: who may ---- */

TEST("XSAVE and XRSTOR: #UD without CR4.OSXSAVE, #NM if CR0.TS is set, #GP(0) unless aligned to 64 bytes")
{
	start("max-intel", MODE_LONG);
	clear_area();
	set_mask(7);
	set_cr0(CR0_EM);
	COMPLETES(XSAVE64);
	COMPLETES(XRSTOR64);
	cpu()->gpr[GPR_RBX] += 32;
	RAISES(GP, XSAVE64);
	RAISES(GP, XSAVEC64);
	RAISES(GP, XRSTOR64);
	set_cr0(CR0_TS);
	RAISES(NM, XSAVE64);
	RAISES(NM, XRSTOR64);
	cpu()->cr4 &= ~CR4_OSXSAVE;
	core_mode_changed(guest);
	RAISES(UD, XSAVE64);
	RAISES(UD, XRSTOR64);
}

TEST("XSAVES and XRSTORS: #GP(0) unless CPL is 0")
{
	start("max-intel", MODE_LONG);
	set_mask(7);
	COMPLETES(XSAVES64);
	COMPLETES(XRSTORS64);
	sys_guest_set_mode(MODE_LONG_USER);
	cpu()->cr4 |= CR4_OSXSAVE;
	RAISES(GP, XSAVES64);
	RAISES(GP, XRSTORS64);
	COMPLETES(XSAVEC64);
}

/* ---- XSAVE: formats ---- */

TEST("XSAVE takes what EDX:EAX and XCR0 both name, and keeps the header's other bits")
{
	start("max-intel", MODE_LONG);
	cpu()->xcr0 = XCR0_X87 | XCR0_SSE;
	memset(cpu()->vector.ymm, 0x11, sizeof(cpu()->vector.ymm));
	memset(legacy(), 0x77, XSAVE_MAX_BYTES);
	header()->xstate_bv = BIT(2) | BIT(9) | BIT(1);
	set_mask(~0ull & ~XCR0_X87);
	COMPLETES(XSAVE64);
	CHECK_EQ(legacy()->fcw, 0x7777);
	CHECK_EQ(legacy()->mxcsr, MXCSR_DEFAULT);
	CHECK_EQ(legacy()->xmm[15][0], 0x11);
	CHECK_EQ(*extended(xsave_component_offset(2)), 0x77);
	CHECK_EQ(header()->xstate_bv, BIT(1) | BIT(2) | BIT(9));
	CHECK_EQ(header()->xcomp_bv, 0x7777777777777777);
}

TEST("XSAVE writes components in their initial configuration, XSAVEOPT does not; both clear their bits")
{
	start("max-intel", MODE_LONG);
	set_mask(7);
	for (unsigned optimized = 0; optimized < 2; optimized++) {
		memset(legacy(), 0x77, XSAVE_MAX_BYTES);
		header()->xstate_bv = 7;
		if (optimized)
			COMPLETES(XSAVEOPT64);
		else
			COMPLETES(XSAVE64);
		CHECK_EQ(header()->xstate_bv, 0);
		CHECK_EQ(legacy()->fcw, optimized ? 0x7777 : X87_FCW_FNINIT);
		CHECK_EQ(legacy()->xmm[0][0], optimized ? 0x77 : 0);
		CHECK_EQ(*extended(576), optimized ? 0x77 : 0);
		CHECK_EQ(legacy()->mxcsr, MXCSR_DEFAULT);
	}
}

TEST("XSAVEC packs what was asked for, counts MXCSR to SSE, and names it all in XCOMP_BV")
{
	start("max-intel", MODE_LONG);
	cpu()->pkru = 0x12345678;
	cpu()->vector.mxcsr = MXCSR_DEFAULT | 1;
	set_mask(XCR0_SSE | XCR0_PKRU);
	COMPLETES(XSAVEC64);
	CHECK_EQ(header()->xstate_bv, XCR0_SSE | XCR0_PKRU);
	CHECK_EQ(header()->xcomp_bv, XCOMP_BV_COMPACTED | XCR0_SSE | XCR0_PKRU);
	CHECK_EQ(legacy()->mxcsr, MXCSR_DEFAULT | 1);
	CHECK_EQ(*(u32 *)(void *)extended(576), 0x12345678);
	set_mask(XCR0_SSE | XCR0_PKRU | XCR0_AVX);
	COMPLETES(XSAVEC64);
	CHECK_EQ(*(u32 *)(void *)extended(576 + 256), 0x12345678);
}

TEST("areas have the sizes and offsets that CPUID leaf 0DH tells")
{
	CHECK_EQ(xsave_area_bytes(0, false), 576);
	CHECK_EQ(xsave_area_bytes(3, false), 576);
	CHECK_EQ(xsave_area_bytes(7, false), 832);
	CHECK_EQ(xsave_area_bytes(3 | XCR0_PKRU, false), 840);
	CHECK_EQ(xsave_area_bytes(3 | XCR0_PKRU, true), 584);
	CHECK_EQ(xsave_area_bytes(7 | XCR0_PKRU, true), 840);
	CHECK_EQ(xsave_component_offset(2), 576);
	CHECK_EQ(xsave_component_bytes(2), 256);
	CHECK_EQ(xsave_component_bytes(3), 0);
}

/* ---- XRSTOR ---- */

TEST("XRSTOR loads what is in the area and initializes the rest of what was asked for")
{
	start("max-intel", MODE_LONG);
	clear_area();
	memset(cpu()->vector.ymm, 0x11, sizeof(cpu()->vector.ymm));
	cpu()->x87.fcw = 0x27f;
	cpu()->pkru = 5;
	memset(legacy()->xmm, 0x22, sizeof(legacy()->xmm));
	header()->xstate_bv = XCR0_SSE;
	set_mask(XCR0_SSE | XCR0_AVX | XCR0_PKRU);
	COMPLETES(XRSTOR64);
	CHECK_EQ(cpu()->vector.ymm[15][0], 0x22);
	CHECK_EQ(cpu()->vector.ymm[15][16], 0);
	CHECK_EQ(cpu()->pkru, 0);
	CHECK_EQ(cpu()->x87.fcw, 0x27f);
	set_mask(XCR0_X87);
	COMPLETES(XRSTOR64);
	CHECK_EQ(cpu()->x87.fcw, X87_FCW_FNINIT);
}

TEST("the standard format gives MXCSR with SSE or AVX whatever XSTATE_BV says, the compacted one as part of SSE")
{
	start("max-intel", MODE_LONG);
	clear_area();
	legacy()->mxcsr = MXCSR_DEFAULT | 1;
	set_mask(XCR0_AVX);
	COMPLETES(XRSTOR64);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT | 1);
	legacy()->mxcsr = MXCSR_DEFAULT | 2;
	header()->xcomp_bv = XCOMP_BV_COMPACTED | 7;
	COMPLETES(XRSTOR64);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT | 1);
	set_mask(XCR0_SSE);
	COMPLETES(XRSTOR64);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT);
	header()->xstate_bv = XCR0_SSE;
	COMPLETES(XRSTOR64);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT | 2);
}

TEST("XRSTOR: #GP(0) for each header that breaks its format's rules")
{
	static const struct { u64 xstate_bv, xcomp_bv; unsigned reserved; bool ok; } cases[] = {
		{ 7, 0, 0, true },
		{ 8, 0, 0, false },                                /* not in XCR0 */
		{ 7, 1, 0, false },                                /* XCOMP_BV in the standard format */
		{ 7, 0, 1, false },                                /* bytes 23:16 */
		{ 7, 0, 2, true },                                 /* bytes 63:24 matter in the other format only */
		{ 7, XCOMP_BV_COMPACTED | 7, 0, true },
		{ 7, XCOMP_BV_COMPACTED | 3, 0, false },           /* present without a place */
		{ 0, XCOMP_BV_COMPACTED | 8, 0, false },           /* not in XCR0 */
		{ 7, XCOMP_BV_COMPACTED | 7, 6, false },           /* bytes 63:16 */
	};

	start("max-intel", MODE_LONG);
	set_mask(7);
	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		clear_area();
		header()->xstate_bv = cases[n].xstate_bv;
		header()->xcomp_bv = cases[n].xcomp_bv;
		if (cases[n].reserved)
			header()->reserved[cases[n].reserved - 1] = 1;
		if (cases[n].ok)
			COMPLETES(XRSTOR64);
		else
			RAISES(GP, XRSTOR64);
	}
	clear_area();
	RAISES(GP, XRSTORS64); /* it takes the compacted format only */
	start("max-intel,-xsavec,-xsaves", MODE_LONG);
	clear_area();
	header()->xcomp_bv = XCOMP_BV_COMPACTED | 7;
	set_mask(7);
	RAISES(GP, XRSTOR64);
}

TEST("what XSAVE and XSAVEC save XRSTOR gives back")
{
	for (unsigned compacted = 0; compacted < 2; compacted++) {
		struct cpu_vector vector;
		struct cpu_x87 x87;

		start("max-intel", MODE_LONG);
		clear_area();
		for (unsigned n = 0; n < sizeof(vector.ymm); n++)
			cpu()->vector.ymm[n / 32][n % 32] = (u8)(n * 7 + 1);
		cpu()->x87.fsw = 3 << X87_FSW_TOP_SHIFT;
		cpu()->x87.st[2][5] = 9;
		cpu()->pkru = 0x55;
		vector = cpu()->vector;
		x87 = cpu()->x87;
		set_mask(~0ull);
		if (compacted)
			COMPLETES(XSAVEC64);
		else
			COMPLETES(XSAVE64);
		memset(cpu()->vector.ymm, 0, sizeof(vector.ymm));
		xsave_init_x87(guest);
		cpu()->pkru = 0;
		COMPLETES(XRSTOR64);
		CHECK(!memcmp(&cpu()->vector.ymm, &vector.ymm, sizeof(vector.ymm)));
		CHECK(!memcmp(&cpu()->x87, &x87, sizeof(x87)));
		CHECK_EQ(cpu()->pkru, 0x55);
	}
}

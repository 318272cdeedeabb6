/* Vector instructions: when they may run, what they raise first, and what they leave alone. */
#include <string.h>

#include "cpu/simd.h"
#include "sys_guest.h"
#include "test.h"

#define PADDB_MM1_MM2 0x0f, 0xfc, 0xca
#define MOVQ_MM1_MEM 0x0f, 0x6f, 0x08
#define PADDB_XMM1_XMM2 0x66, 0x0f, 0xfc, 0xca
#define PADDB_XMM1_MEM 0x66, 0x0f, 0xfc, 0x08
#define MOVAPS_XMM1_MEM 0x0f, 0x28, 0x08
#define MOVUPS_XMM1_MEM 0x0f, 0x10, 0x08
#define MOVUPS_MEM_XMM1 0x0f, 0x11, 0x08
#define DIVSD_XMM1_XMM2 0xf2, 0x0f, 0x5e, 0xca
#define MULSD_XMM1_XMM2 0xf2, 0x0f, 0x59, 0xca
#define CVTPI2PS_XMM1_MM2 0x0f, 0x2a, 0xca
#define EMMS 0x0f, 0x77
#define VPADDB_XMM1_XMM2_XMM3 0xc5, 0xe9, 0xfc, 0xcb
#define VPADDB_XMM1_XMM2_MEM 0xc5, 0xe9, 0xfc, 0x08
#define VMOVAPS_YMM1_MEM 0xc5, 0xfc, 0x28, 0x08
#define VMASKMOVPS_YMM1_YMM2_MEM 0xc4, 0xe2, 0x6d, 0x2c, 0x08
#define VMASKMOVPS_MEM_YMM2_YMM1 0xc4, 0xe2, 0x6d, 0x2e, 0x08
#define VGATHERDPS_YMM1_RAX_YMM3_YMM2 0xc4, 0xe2, 0x6d, 0x92, 0x0c, 0x18
#define VZEROUPPER 0xc5, 0xf8, 0x77
#define VZEROALL 0xc5, 0xfc, 0x77

#define MAPPED_END 0x200000ull /* the guest's page tables map nothing from here on */

static struct cpu *cpu(void)
{
	return &guest->cpu;
}

/* Vector instructions enabled in every way. */
static void enable(void)
{
	cpu()->cr0 &= ~(CR0_EM | CR0_TS);
	cpu()->cr4 |= CR4_OSFXSR | CR4_OSXSAVE | CR4_OSXMMEXCPT;
	cpu()->xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	cpu()->vector.mxcsr = MXCSR_DEFAULT;
	cpu()->x87 = (struct cpu_x87){ .fcw = X87_FCW_FNINIT, .empty = UINT8_MAX };
	core_mode_changed(guest);
}

static void start(const char *model, enum sys_guest_mode mode)
{
	sys_guest_start(model, mode);
	enable();
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA;
}

static void set_cr0(u64 bits)
{
	cpu()->cr0 |= bits;
	core_mode_changed(guest);
}

static void set_double(unsigned xmm, double value)
{
	memcpy(cpu()->vector.ymm[xmm], &value, sizeof(value));
}

static double get_double(unsigned xmm)
{
	double value;

	memcpy(&value, cpu()->vector.ymm[xmm], sizeof(value));
	return value;
}

static u32 element(unsigned ymm, unsigned n)
{
	u32 value;

	memcpy(&value, cpu()->vector.ymm[ymm] + n * sizeof(value), sizeof(value));
	return value;
}

static void set_element(unsigned ymm, unsigned n, u32 value)
{
	memcpy(cpu()->vector.ymm[ymm] + n * sizeof(value), &value, sizeof(value));
}

/* ---- may it run? ---- */

TEST("SSE: #UD if CR0.EM is set or CR4.OSFXSR clear, #NM if CR0.TS is set, #UD before #NM")
{
	start("max-intel", MODE_LONG);
	COMPLETES(PADDB_XMM1_XMM2);
	set_cr0(CR0_TS);
	RAISES(NM, PADDB_XMM1_XMM2);
	set_cr0(CR0_EM);
	RAISES(UD, PADDB_XMM1_XMM2);
	enable();
	cpu()->cr4 &= ~CR4_OSFXSR;
	core_mode_changed(guest);
	RAISES(UD, PADDB_XMM1_XMM2);
	RAISES(UD, CVTPI2PS_XMM1_MM2);
	set_cr0(CR0_TS);
	RAISES(UD, PADDB_XMM1_XMM2);
}

TEST("MMX: #UD if CR0.EM is set, #NM if CR0.TS is set, #MF if an x87 exception waits; CR4.OSFXSR does not matter")
{
	start("max-intel", MODE_PROTECTED);
	cpu()->cr4 = 0;
	core_mode_changed(guest);
	COMPLETES(PADDB_MM1_MM2);
	COMPLETES(EMMS);
	cpu()->x87.fsw = X87_FSW_ES | X87_FSW_B | 1;
	cpu()->x87.fcw = X87_FCW_FNINIT & ~1;
	RAISES(MF, PADDB_MM1_MM2);
	RAISES(MF, EMMS);
	set_cr0(CR0_TS);
	RAISES(NM, PADDB_MM1_MM2);
	RAISES(NM, EMMS);
	set_cr0(CR0_EM);
	RAISES(UD, PADDB_MM1_MM2);
	RAISES(UD, EMMS);
}

TEST("AVX: #UD unless CR4.OSXSAVE and XCR0's SSE and AVX bits are set, #NM if CR0.TS is set; CR0.EM does not matter")
{
	start("max-intel", MODE_LONG);
	set_cr0(CR0_EM);
	COMPLETES(VPADDB_XMM1_XMM2_XMM3);
	COMPLETES(VZEROUPPER);
	set_cr0(CR0_TS);
	RAISES(NM, VPADDB_XMM1_XMM2_XMM3);
	RAISES(NM, VZEROUPPER);
	for (unsigned n = 0; n < 3; n++) {
		enable();
		if (n == 0)
			cpu()->cr4 &= ~CR4_OSXSAVE;
		else
			cpu()->xcr0 = n == 1 ? XCR0_X87 | XCR0_SSE : XCR0_X87;
		set_cr0(CR0_TS);
		RAISES(UD, VPADDB_XMM1_XMM2_XMM3);
		RAISES(UD, VZEROALL);
		RAISES(UD, VMASKMOVPS_YMM1_YMM2_MEM);
	}
}

TEST("VEX encodings are #UD in real and virtual-8086 mode and run in compatibility and protected mode")
{
	static const struct { enum sys_guest_mode mode; bool runs; } cases[] = {
		{ MODE_REAL, false }, { MODE_V86, false }, { MODE_PROTECTED, true }, { MODE_PROTECTED_USER, true },
		{ MODE_COMPATIBILITY, true }, { MODE_LONG_USER, true },
	};

	for (unsigned n = 0; n < ARRAY_LENGTH(cases); n++) {
		start("max-intel", cases[n].mode);
		if (cases[n].runs)
			COMPLETES(VPADDB_XMM1_XMM2_XMM3);
		else
			RAISES(UD, VPADDB_XMM1_XMM2_XMM3);
		COMPLETES(PADDB_XMM1_XMM2);
	}
}

TEST("an instruction that the model lacks is #UD")
{
	start("max-intel,-avx2", MODE_LONG);
	COMPLETES(VPADDB_XMM1_XMM2_XMM3);
	RAISES(UD, 0xc5, 0xed, 0xfc, 0xcb); /* VPADDB on YMM registers */
	start("max-intel,-avx", MODE_LONG);
	RAISES(UD, VPADDB_XMM1_XMM2_XMM3);
}

/* ---- the memory operand ---- */

TEST("a 16-byte operand must be aligned without VEX, except for the unaligned moves; #GP(0)")
{
	start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RAX]++;
	RAISES(GP, PADDB_XMM1_MEM);
	RAISES(GP, MOVAPS_XMM1_MEM);
	COMPLETES(MOVUPS_XMM1_MEM);
	COMPLETES(MOVUPS_MEM_XMM1);
	COMPLETES(VPADDB_XMM1_XMM2_MEM);
	RAISES(GP, VMOVAPS_YMM1_MEM);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA + 16;
	COMPLETES(MOVAPS_XMM1_MEM);
	RAISES(GP, VMOVAPS_YMM1_MEM);
	COMPLETES(MOVQ_MM1_MEM);
}

TEST("MXCSR.MM lets arithmetic, but no aligned move, read an unaligned operand")
{
	start("max-amd", MODE_LONG);
	cpu()->vector.mxcsr |= MXCSR_MISALIGNED_MASK;
	core_mode_changed(guest);
	cpu()->gpr[GPR_RAX]++;
	*(u8 *)(sys_guest_ram + SYS_GUEST_DATA + 1) = 7;
	memset(cpu()->vector.ymm[1], 0, 16);
	COMPLETES(PADDB_XMM1_MEM);
	CHECK_EQ(cpu()->vector.ymm[1][0], 7);
	RAISES(GP, MOVAPS_XMM1_MEM);
}

TEST("#UD and #NM come before #GP of the operand, #GP before #PF")
{
	start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RAX] = MAPPED_END + 1;
	RAISES(GP, PADDB_XMM1_MEM);
	RAISES(PF, MOVUPS_XMM1_MEM);
	CHECK_EQ(cpu()->event.payload, MAPPED_END + 1);
	set_cr0(CR0_TS);
	RAISES(NM, PADDB_XMM1_MEM);
	set_cr0(CR0_EM);
	RAISES(UD, PADDB_XMM1_MEM);
}

TEST("a store that faults changes neither memory nor the x87 state")
{
	start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RAX] = MAPPED_END - 4;
	cpu()->x87.fsw = 3 << X87_FSW_TOP_SHIFT;
	CHECK(RUN(0x0f, 0x7f, 0x08) == STEP_FAULT); /* MOVQ [rax], mm1 */
	CHECK_EQ(cpu()->event.vector, VECTOR_PF);
	CHECK_EQ(cpu()->event.payload, MAPPED_END);
	CHECK_EQ(cpu()->x87.fsw, 3 << X87_FSW_TOP_SHIFT);
	CHECK_EQ(cpu()->x87.empty, UINT8_MAX);
}

/* ---- registers ---- */

TEST("without VEX the upper half of a YMM register stays, with VEX.128 it is cleared")
{
	start("max-intel", MODE_LONG);
	memset(cpu()->vector.ymm[1], 0x55, 32);
	COMPLETES(PADDB_XMM1_XMM2);
	CHECK_EQ(element(1, 4), 0x55555555);
	COMPLETES(VPADDB_XMM1_XMM2_XMM3);
	CHECK_EQ(element(1, 4), 0);
	CHECK_EQ(element(1, 7), 0);
}

TEST("VZEROUPPER and VZEROALL reach sixteen registers in 64-bit mode and eight elsewhere")
{
	for (unsigned wide = 0; wide < 2; wide++) {
		start("max-intel", wide ? MODE_LONG : MODE_COMPATIBILITY);
		memset(cpu()->vector.ymm, 0x55, sizeof(cpu()->vector.ymm));
		COMPLETES(VZEROUPPER);
		CHECK_EQ(element(7, 3), 0x55555555);
		CHECK_EQ(element(7, 4), 0);
		CHECK_EQ(element(8, 4), wide ? 0 : 0x55555555);
		COMPLETES(VZEROALL);
		CHECK_EQ(element(7, 0), 0);
		CHECK_EQ(element(15, 0), wide ? 0 : 0x55555555);
	}
}

TEST("writing an MMX register makes all tags valid, TOP 0 and the exponent all ones; EMMS empties all")
{
	start("max-intel", MODE_LONG);
	cpu()->x87.fsw = 5 << X87_FSW_TOP_SHIFT;
	COMPLETES(PADDB_MM1_MM2);
	CHECK_EQ(cpu()->x87.fsw, 0);
	CHECK_EQ(cpu()->x87.empty, 0);
	CHECK_EQ(cpu()->x87.st[1][8], UINT8_MAX);
	CHECK_EQ(cpu()->x87.st[1][9], UINT8_MAX);
	COMPLETES(EMMS);
	CHECK_EQ(cpu()->x87.empty, UINT8_MAX);
}

/* ---- floating-point exceptions ---- */

TEST("a masked exception sets its flag, which stays until MXCSR is loaded")
{
	start("max-intel", MODE_LONG);
	set_double(1, 1);
	set_double(2, 0);
	simd_enter(guest);
	COMPLETES(DIVSD_XMM1_XMM2);
	CHECK_EQ(simd_mxcsr_read(guest), MXCSR_DEFAULT | 4);
	COMPLETES(PADDB_XMM1_XMM2);
	CHECK_EQ(simd_mxcsr_read(guest), MXCSR_DEFAULT | 4);
	simd_mxcsr_write(guest, MXCSR_DEFAULT);
	CHECK_EQ(simd_mxcsr_read(guest), MXCSR_DEFAULT);
	simd_leave(guest);
}

TEST("an unmasked exception is #XM, or #UD without CR4.OSXMMEXCPT, sets its flag and leaves the destination")
{
	for (unsigned n = 0; n < 2; n++) {
		start("max-intel", MODE_LONG);
		if (n)
			cpu()->cr4 &= ~CR4_OSXMMEXCPT;
		set_double(1, 1);
		set_double(2, 0);
		cpu()->vector.mxcsr = MXCSR_DEFAULT & ~0x200u;
		core_mode_changed(guest);
		simd_enter(guest);
		if (n)
			RAISES(UD, DIVSD_XMM1_XMM2);
		else
			RAISES(XM, DIVSD_XMM1_XMM2);
		simd_leave(guest);
		CHECK_EQ(cpu()->vector.mxcsr, (MXCSR_DEFAULT & ~0x200u) | 4);
		CHECK(get_double(1) == 1);
	}
}

TEST("an unmasked underflow is raised for an exact tiny result, a masked one does not even set the flag")
{
	start("max-intel", MODE_LONG);
	set_double(1, 0x1p-1022);
	set_double(2, 0.5);
	simd_enter(guest);
	COMPLETES(MULSD_XMM1_XMM2);
	CHECK_EQ(simd_mxcsr_read(guest), MXCSR_DEFAULT);
	CHECK(get_double(1) == 0x1p-1023);
	set_double(1, 0x1p-1022);
	simd_mxcsr_write(guest, MXCSR_DEFAULT & ~(u32)MXCSR_UNDERFLOW_MASK);
	RAISES(XM, MULSD_XMM1_XMM2);
	CHECK_EQ(simd_mxcsr_read(guest) & MXCSR_FLAGS, MXCSR_UNDERFLOW);
	CHECK(get_double(1) == 0x1p-1022);
	simd_leave(guest);
}

TEST("the guest rounds in its own way, and the host's MXCSR is its own again afterwards")
{
	u32 before = host_mxcsr_read();

	start("max-intel", MODE_LONG);
	cpu()->vector.mxcsr = MXCSR_DEFAULT | 0x4000; /* upwards */
	set_double(1, 1);
	set_double(2, 3);
	simd_enter(guest);
	COMPLETES(DIVSD_XMM1_XMM2);
	simd_leave(guest);
	CHECK(get_double(1) > 1.0 / 3);
	CHECK_EQ(cpu()->vector.mxcsr, MXCSR_DEFAULT | 0x4000 | 0x20);
	CHECK_EQ(host_mxcsr_read(), before);
}

/* ---- element by element ---- */

TEST("VMASKMOV does not touch what is masked off, and changes nothing when a selected element faults")
{
	start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RAX] = MAPPED_END - 16;
	memset(cpu()->vector.ymm[1], 0x55, 32);
	memset(cpu()->vector.ymm[2], 0, 32);
	set_element(2, 1, 1u << 31);
	COMPLETES(VMASKMOVPS_YMM1_YMM2_MEM);
	CHECK_EQ(element(1, 0), 0);
	CHECK_EQ(element(1, 7), 0);
	COMPLETES(VMASKMOVPS_MEM_YMM2_YMM1);
	memset(cpu()->vector.ymm[1], 0x55, 32);
	set_element(2, 4, 1u << 31);
	RAISES(PF, VMASKMOVPS_YMM1_YMM2_MEM);
	CHECK_EQ(cpu()->event.payload, MAPPED_END);
	CHECK_EQ(element(1, 0), 0x55555555);
	CHECK(RUN(VMASKMOVPS_MEM_YMM2_YMM1) == STEP_FAULT);
	CHECK_EQ(cpu()->event.payload, MAPPED_END);
}

TEST("a gather that faults keeps what it has, clears those mask elements, and goes on from there")
{
	start("max-intel", MODE_LONG);
	memset(cpu()->vector.ymm[1], 0x55, 32);
	memset(cpu()->vector.ymm[2], 0xff, 32);
	for (unsigned n = 0; n < 8; n++) {
		*sys_guest_word(SYS_GUEST_DATA + n * 8) = 100 + n;
		set_element(3, n, n * 8);
	}
	set_element(3, 2, MAPPED_END);
	set_element(2, 5, 0);
	cpu()->gpr[GPR_RAX] = SYS_GUEST_DATA;
	RAISES(PF, VGATHERDPS_YMM1_RAX_YMM3_YMM2);
	CHECK_EQ(element(1, 1), 101);
	CHECK_EQ(element(2, 1), 0);
	CHECK_EQ(element(1, 2), 0x55555555);
	CHECK(element(2, 2) >> 31);
	set_element(3, 2, 16);
	*sys_guest_word(SYS_GUEST_DATA) = 0; /* element 0 is not read again */
	COMPLETES(VGATHERDPS_YMM1_RAX_YMM3_YMM2);
	CHECK_EQ(element(1, 0), 100);
	CHECK_EQ(element(1, 2), 102);
	CHECK_EQ(element(1, 5), 0x55555555);
	CHECK_EQ(element(1, 7), 107);
	CHECK_EQ(element(2, 7), 0);
}

/* ---- the arena ---- */

TEST("when the stubs' memory is full the instruction is retried with room made")
{
	unsigned retries = 0;

	start("max-intel", MODE_LONG);
	for (unsigned n = 0; n < 16384; n++) {
		u8 pshufd[] = { 0x66, 0x0f, 0x70, (u8)(0xc0 | n >> 8), (u8)n };
		enum step step;

		memset(cpu()->vector.ymm[n >> 8 & 7], (int)n, 16);
		step = sys_guest_run(pshufd, sizeof(pshufd));
		if (step == STEP_RETRY) {
			retries++;
			step = sys_guest_run(pshufd, sizeof(pshufd));
		}
		if (!CHECK(step == STEP_NEXT) || !CHECK_EQ(cpu()->vector.ymm[n >> 11 & 7][5], (u8)n))
			break;
	}
	CHECK(retries > 0);
}

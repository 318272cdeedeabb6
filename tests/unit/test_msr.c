/* Model-specific registers: which exist where, what they take, and what they do. */
#include <string.h>

#include "cpu/msr.h"
#include "sys_guest.h"
#include "test.h"
#include "x86/model.h"
#include "x86/msr.h"

#define RDMSR 0x0f, 0x32
#define WRMSR 0x0f, 0x30

static bool writes(u32 msr, u64 value)
{
	return msr_write(guest, msr, value);
}

static u64 reads(u32 msr)
{
	u64 value = 0xdead;

	CHECK(msr_read(guest, msr, &value));
	return value;
}

static bool exists(u32 msr)
{
	u64 value;

	return msr_read(guest, msr, &value);
}

/* Written and read back. */
static bool keeps(u32 msr, u64 value)
{
	return writes(msr, value) && reads(msr) == value;
}

TEST("the table is in ascending order, ranges do not overlap")
{
	static const u32 range[][2] = {
#define STORED(name, number, ...) { number, number },
#define MASKED(name, number, ...) { number, number },
#define ADDRESS(name, number, ...) { number, number },
#define CONSTANT(name, number, ...) { number, number },
#define IGNORED(name, number, ...) { number, number },
#define COMPUTED(name, first, last, ...) { first, last },
#include "x86/msr.def"
	};

	for (size_t i = 1; i < sizeof(range) / sizeof(range[0]); i++)
		CHECK(range[i][0] > range[i - 1][1] || memcmp(range[i], range[i - 1], sizeof(range[i])) == 0);
}

TEST("RDMSR and WRMSR are for CPL 0, use EDX:EAX, and clear the upper halves")
{
	sys_guest_start("max-intel", MODE_LONG);
	guest->cpu.gpr[GPR_RCX] = 0xffffffff00000000ull | MSR_STAR;
	guest->cpu.gpr[GPR_RAX] = 0xaaaaaaaa11111111ull;
	guest->cpu.gpr[GPR_RDX] = 0xbbbbbbbb22222222ull;
	COMPLETES(WRMSR);
	CHECK_EQ(guest->cpu.star, 0x2222222211111111ull);
	guest->cpu.gpr[GPR_RAX] = guest->cpu.gpr[GPR_RDX] = ~0ull;
	COMPLETES(RDMSR);
	CHECK_EQ(guest->cpu.gpr[GPR_RAX], 0x11111111);
	CHECK_EQ(guest->cpu.gpr[GPR_RDX], 0x22222222);
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, RDMSR);
	RAISES(GP, WRMSR);
	sys_guest_set_mode(MODE_V86);
	RAISES(GP, RDMSR);
	sys_guest_set_mode(MODE_REAL);
	COMPLETES(RDMSR);
}

TEST("a register that does not exist is #GP(0), and without the MSR feature the instructions are #UD")
{
	sys_guest_start("max-intel", MODE_LONG);
	guest->cpu.gpr[GPR_RCX] = 0x12345678;
	RAISES(GP, RDMSR);
	RAISES(GP, WRMSR);
	CHECK(!exists(0xc1));       /* performance counters */
	CHECK(!exists(0x186));
	CHECK(!exists(0x38f));
	CHECK(!exists(0xc0010000));
	CHECK(!exists(0x480));      /* VMX capabilities */
	sys_guest_start("486", MODE_REAL);
	RAISES(UD, RDMSR);
}

TEST("every model's registers can be read without surprise: what exists reads, and what is read can be written back")
{
	/* Not: write-only ones, constants, what only the machine's APIC knows. */
	static const u32 back[] = {
		MSR_IA32_TIME_STAMP_COUNTER, MSR_IA32_TSC_ADJUST, MSR_IA32_SPEC_CTRL, MSR_IA32_SYSENTER_CS,
		MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP, MSR_IA32_MCG_STATUS, MSR_IA32_MCG_CTL,
		MSR_IA32_MISC_ENABLE,
		MSR_IA32_DEBUGCTL, MSR_IA32_PAT, MSR_IA32_MTRR_DEF_TYPE, MSR_IA32_MTRR_PHYSBASE0, MSR_IA32_MC0_CTL,
		MSR_IA32_XSS, MSR_IA32_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_SYSCALL_MASK, MSR_FS_BASE, MSR_GS_BASE,
		MSR_KERNEL_GS_BASE, MSR_TSC_AUX, MSR_SYSCFG, MSR_HWCR, MSR_NB_CFG, MSR_DE_CFG,
	};

	for (size_t m = 0; m < model_count(); m++) {
		sys_guest_start(model_at(m)->name, MODE_LONG);
		for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
			CHECK(!exists(back[i]) || keeps(back[i], reads(back[i])));
	}
}

TEST("vendors have registers of their own")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(exists(MSR_IA32_MISC_ENABLE) && exists(MSR_PLATFORM_INFO) && exists(MSR_IA32_PLATFORM_ID));
	CHECK(!exists(MSR_HWCR) && !exists(MSR_SYSCFG));
	sys_guest_start("zen3", MODE_LONG);
	CHECK(!exists(MSR_IA32_MISC_ENABLE) && !exists(MSR_PLATFORM_INFO) && !exists(MSR_IA32_FEATURE_CONTROL));
	CHECK(exists(MSR_HWCR) && exists(MSR_SYSCFG) && exists(MSR_OSVW_ID_LENGTH));
	CHECK(!exists(0xc0010114)); /* VM_CR comes with AMD-V */
}

TEST("AMD's four performance counters exist and stand still")
{
	sys_guest_start("zen3", MODE_LONG);
	for (u32 msr = MSR_PERF_EVT_SEL0; msr <= MSR_PERF_CTR3; msr++) {
		CHECK(writes(msr, 0x5300c0));
		CHECK_EQ(reads(msr), 0);
	}
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(!exists(MSR_PERF_EVT_SEL0) && !exists(MSR_PERF_CTR0));
}

/* The width that counts is the processor's own, not the one that CR4.LA57 selects now. */
static void check_address_width(const char *model, u64 lowest_high, u64 not_canonical)
{
	static const u32 addresses[] = { MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE,
					 MSR_IA32_SYSENTER_ESP, MSR_IA32_SYSENTER_EIP };

	sys_guest_start(model, MODE_LONG);
	for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		CHECK(keeps(addresses[i], lowest_high));
		CHECK(!writes(addresses[i], not_canonical));
		CHECK_EQ(reads(addresses[i]), lowest_high);
	}
	CHECK_EQ(guest->cpu.segment[SEG_GS].base, lowest_high);
}

TEST("addresses must be canonical in the processor's own width: 48 or, with 5-level paging, 57 bits")
{
	check_address_width("haswell", 0xffff800000000000ull, 0x0000800000000000ull);
	check_address_width("max-intel", 0xff00000000000000ull, 0x0100000000000000ull);
}

TEST("AMD's SYSENTER addresses are 32 bits, SFMASK's upper half is dropped on both")
{
	sys_guest_start("zen", MODE_LONG);
	CHECK(writes(MSR_IA32_SYSENTER_ESP, 0x0000800012345678ull));
	CHECK_EQ(reads(MSR_IA32_SYSENTER_ESP), 0x12345678);
	CHECK(writes(MSR_SYSCALL_MASK, 0x100047700ull));
	CHECK_EQ(reads(MSR_SYSCALL_MASK), 0x47700);
}

TEST("EFER goes by the control registers' rules")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(writes(MSR_IA32_EFER, EFER_LME | EFER_NXE | EFER_SCE));
	CHECK_EQ(reads(MSR_IA32_EFER), EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE);
	CHECK(!writes(MSR_IA32_EFER, EFER_LME | BIT(4)));
	sys_guest_start("pentium3", MODE_PROTECTED);
	CHECK(!exists(MSR_IA32_EFER));
}

/* ---- time ---- */

TEST("writing the TSC moves it and IA32_TSC_ADJUST together")
{
	sys_guest_start("max-intel", MODE_LONG);
	world.tsc = 5000;
	CHECK_EQ(reads(MSR_IA32_TIME_STAMP_COUNTER), 5000);
	CHECK(writes(MSR_IA32_TIME_STAMP_COUNTER, 100));
	CHECK_EQ(reads(MSR_IA32_TIME_STAMP_COUNTER), 100);
	CHECK_EQ(reads(MSR_IA32_TSC_ADJUST), 100 - 5000ull);
	world.tsc = 5010;
	CHECK_EQ(msr_tsc(guest), 110);
	CHECK(writes(MSR_IA32_TSC_ADJUST, 0));
	CHECK_EQ(reads(MSR_IA32_TIME_STAMP_COUNTER), 5010);
	sys_guest_start("max-intel,-tsc_adjust", MODE_LONG);
	CHECK(!exists(MSR_IA32_TSC_ADJUST));
}

TEST("a pending TSC deadline is armed again when the TSC moves, one that is not pending is not")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(writes(MSR_IA32_TIME_STAMP_COUNTER, 100));
	CHECK_EQ(world.deadline_writes, 0);
	CHECK(keeps(MSR_IA32_TSC_DEADLINE, 12345));
	CHECK_EQ(world.deadline_writes, 1);
	CHECK(writes(MSR_IA32_TIME_STAMP_COUNTER, 200));
	CHECK_EQ(world.deadline_writes, 2);
	CHECK_EQ(world.tsc_deadline, 12345);
	sys_guest_start("max-intel,-tsc-deadline", MODE_LONG);
	CHECK(!exists(MSR_IA32_TSC_DEADLINE));
}

TEST("TSC_AUX is 32 bits wide: Intel refuses more, AMD drops it; it comes with RDTSCP or RDPID")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(keeps(MSR_TSC_AUX, 0xffffffff));
	CHECK(!writes(MSR_TSC_AUX, BIT(32)));
	sys_guest_start("zen", MODE_LONG);
	CHECK(writes(MSR_TSC_AUX, BIT(32) | 7));
	CHECK_EQ(reads(MSR_TSC_AUX), 7);
	sys_guest_start("max-intel,-rdtscp", MODE_LONG);
	CHECK(exists(MSR_TSC_AUX));
	sys_guest_start("max-intel,-rdtscp,-rdpid", MODE_LONG);
	CHECK(!exists(MSR_TSC_AUX) && !writes(MSR_TSC_AUX, 0));
}

/* ---- the local APIC ---- */

TEST("IA32_APIC_BASE is the machine's to judge, and CPUID follows it")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_APIC_BASE), 0xfee00900);
	CHECK(!writes(MSR_IA32_APIC_BASE, 0xfee00901));
	CHECK_EQ(guest->cpu.apic_base, 0xfee00900);
	CHECK(writes(MSR_IA32_APIC_BASE, 0xfee00100));
	CHECK_EQ(guest->cpu.apic_base, 0xfee00100);
}

TEST("x2APIC registers exist in x2APIC mode only")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(!exists(0x802) && !writes(0x808, 0));
	CHECK(writes(MSR_IA32_APIC_BASE, 0xfee00d00));
	CHECK(exists(0x802));
	CHECK_EQ(world.x2apic_msr, 0x802);
	CHECK(writes(0x8ff, 0));
	CHECK_EQ(world.x2apic_msr, 0x8ff);
	CHECK(!exists(0x900));
	sys_guest_start("max-intel,-x2apic", MODE_LONG);
	CHECK(!exists(0x802));
}

/* ---- memory types and machine checks ---- */

TEST("PAT takes the six memory types in each byte")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_PAT), 0x0007040600070406ull);
	for (u64 type = 0; type < 256; type++)
		CHECK_EQ(writes(MSR_IA32_PAT, type << 24), type <= 1 || (type >= 4 && type <= 7));
}

TEST("MTRRs take the five memory types, no reserved bits, no address beyond the width")
{
	sys_guest_start("haswell", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_MTRRCAP) & 0xff, 8);
	CHECK(!writes(MSR_IA32_MTRRCAP, 0));
	CHECK(keeps(MSR_IA32_MTRR_PHYSBASE0, 0x80000006));
	CHECK(keeps(MSR_IA32_MTRR_PHYSBASE0 + 1, 0x7f80000800));
	CHECK(keeps(MSR_IA32_MTRR_PHYSBASE0 + 15, 0x800));
	CHECK(!writes(MSR_IA32_MTRR_PHYSBASE0, 0x80000007));
	CHECK(!writes(MSR_IA32_MTRR_PHYSBASE0, 0x80000106));
	CHECK(!writes(MSR_IA32_MTRR_PHYSBASE0, BIT(39)));
	CHECK(!writes(MSR_IA32_MTRR_PHYSBASE0 + 1, BIT(10)));
	CHECK(!writes(MSR_IA32_MTRR_PHYSBASE0 + 1, BIT(39)));
	CHECK(!exists(0x210));
	CHECK(keeps(MSR_IA32_MTRR_FIX64K_00000, 0x0605040106050401ull));
	CHECK(keeps(MSR_IA32_MTRR_FIX16K_80000 + 1, 0x0606060606060606ull));
	CHECK(keeps(MSR_IA32_MTRR_FIX4K_C0000 + 7, 0x0505050505050505ull));
	CHECK_EQ(guest->cpu.mtrr.fixed[10], 0x0505050505050505ull);
	CHECK(!writes(MSR_IA32_MTRR_FIX64K_00000, 0x0700000000000000ull));
	CHECK(keeps(MSR_IA32_MTRR_DEF_TYPE, 0xc06));
	CHECK(!writes(MSR_IA32_MTRR_DEF_TYPE, 0xc02));
	CHECK(!writes(MSR_IA32_MTRR_DEF_TYPE, BIT(8)));
	CHECK(!writes(MSR_IA32_MTRR_DEF_TYPE, BIT(12)));
}

TEST("machine-check banks: control can be written, what an error left can only be cleared")
{
	u32 banks;

	sys_guest_start("max-intel", MODE_LONG);
	banks = (u32)reads(MSR_IA32_MCG_CAP) & 0xff;
	CHECK_EQ(banks, CPU_MC_BANKS);
	CHECK(keeps(MSR_IA32_MCG_CTL, ~0ull));
	CHECK(!writes(MSR_IA32_MCG_STATUS, BIT(3)));
	for (u32 bank = 0; bank < banks; bank++) {
		CHECK(keeps(MSR_IA32_MC0_CTL + bank * 4, ~0ull));
		CHECK(writes(MSR_IA32_MC0_CTL + bank * 4 + 1, 0));
		CHECK(!writes(MSR_IA32_MC0_CTL + bank * 4 + 1, 1));
		CHECK_EQ(reads(MSR_IA32_MC0_CTL + bank * 4 + 3), 0);
	}
	CHECK(!exists(MSR_IA32_MC0_CTL + banks * 4));
	sys_guest_start("zen", MODE_LONG);
	CHECK(!writes(MSR_IA32_MC0_CTL + 1, 1));
	CHECK(writes(MSR_HWCR, BIT(18)));
	CHECK(keeps(MSR_IA32_MC0_CTL + 1, 1));
}

/* ---- features ---- */

TEST("IA32_FEATURE_CONTROL is locked as firmware leaves it")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_FEATURE_CONTROL), 1);
	CHECK(!writes(MSR_IA32_FEATURE_CONTROL, 1));
	guest->cpu.feature_control = 0;
	CHECK(!writes(MSR_IA32_FEATURE_CONTROL, 4));
	CHECK(writes(MSR_IA32_FEATURE_CONTROL, 1));
	CHECK(!writes(MSR_IA32_FEATURE_CONTROL, 0));
}

TEST("IA32_SPEC_CTRL has the bits whose features are there; IA32_PRED_CMD is write-only")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(keeps(MSR_IA32_SPEC_CTRL, 7 | BIT(10)));
	CHECK(!writes(MSR_IA32_SPEC_CTRL, 8));
	CHECK(writes(MSR_IA32_PRED_CMD, 1));
	CHECK(!writes(MSR_IA32_PRED_CMD, 2));
	CHECK(!exists(MSR_IA32_PRED_CMD));
	sys_guest_start("max-intel,-ssbd,-bhi-ctrl", MODE_LONG);
	CHECK(!writes(MSR_IA32_SPEC_CTRL, 4) && !writes(MSR_IA32_SPEC_CTRL, BIT(10)));
	sys_guest_start("haswell", MODE_LONG);
	CHECK(!exists(MSR_IA32_SPEC_CTRL) && !writes(MSR_IA32_PRED_CMD, 1));
	sys_guest_start("zen2", MODE_LONG);
	CHECK(keeps(MSR_IA32_SPEC_CTRL, 6));
	CHECK(!writes(MSR_IA32_SPEC_CTRL, 1));
}

TEST("IA32_ARCH_CAPABILITIES says that nothing is weak, if the feature is there")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_ARCH_CAPABILITIES) & 0x17f, 0x17b); /* RDCL_NO to TAA_NO, without RSBA */
	CHECK(!writes(MSR_IA32_ARCH_CAPABILITIES, 0));
	sys_guest_start("haswell", MODE_LONG);
	CHECK(!exists(MSR_IA32_ARCH_CAPABILITIES));
}

TEST("the microcode revision is in the upper half on Intel, in the lower on AMD, and can be cleared to be read again")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(writes(MSR_IA32_BIOS_SIGN_ID, 0));
	CHECK(reads(MSR_IA32_BIOS_SIGN_ID) >> 32);
	CHECK(writes(MSR_IA32_BIOS_UPDT_TRIG, 0x1000) && !exists(MSR_IA32_BIOS_UPDT_TRIG));
	sys_guest_start("zen", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_BIOS_SIGN_ID) >> 32, 0);
}

TEST("IA32_MISC_ENABLE: MONITOR, fast strings, the CPUID limit and XD disable can be written, others stay or are refused")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(reads(MSR_IA32_MISC_ENABLE), BIT(0) | BIT(11) | BIT(12) | BIT(18));
	CHECK(writes(MSR_IA32_MISC_ENABLE, BIT(22)));
	CHECK_EQ(reads(MSR_IA32_MISC_ENABLE), BIT(11) | BIT(12) | BIT(22));
	CHECK(writes(MSR_IA32_MISC_ENABLE, BIT(34)));
	CHECK_EQ(reads(MSR_IA32_MISC_ENABLE), BIT(11) | BIT(12) | BIT(34));
	CHECK(!writes(MSR_IA32_MISC_ENABLE, BIT(35)));
	sys_guest_start("max-intel,-monitor", MODE_LONG);
	CHECK(!writes(MSR_IA32_MISC_ENABLE, BIT(18)));
}

TEST("IA32_XSS has no component, and exists with XSAVES")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(keeps(MSR_IA32_XSS, 0));
	CHECK(!writes(MSR_IA32_XSS, BIT(11)));
	sys_guest_start("max-intel,-xsaves", MODE_LONG);
	CHECK(!exists(MSR_IA32_XSS));
}

TEST("registers keep their writable bits and refuse the others")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(keeps(MSR_STAR, ~0ull));
	CHECK(keeps(MSR_IA32_SYSENTER_CS, 0xffffffff));
	CHECK(!writes(MSR_IA32_SYSENTER_CS, BIT(32)));
	CHECK(keeps(MSR_IA32_DEBUGCTL, 3));
	CHECK(!writes(MSR_IA32_DEBUGCTL, BIT(6)));
	CHECK(writes(MSR_IA32_P5_MC_ADDR, 77) && reads(MSR_IA32_P5_MC_ADDR) == 0);
	sys_guest_start("zen", MODE_LONG);
	CHECK(keeps(MSR_SYSCFG, BIT(21)));
	CHECK(!writes(MSR_SYSCFG, BIT(23)));
	CHECK(keeps(MSR_DE_CFG, BIT(1)));
	CHECK_EQ(reads(MSR_HWCR), BIT(24));
}

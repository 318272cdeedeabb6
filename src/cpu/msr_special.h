/*
 * The MSRs with rules of their own, and the values of those that never change.
 *
 * Readers and writers return false for #GP(0); msr is within the row's range, and vendor and feature have been checked.
 */
#ifndef CPU_MSR_SPECIAL_H
#define CPU_MSR_SPECIAL_H

#include "cpu/core.h"

typedef bool msr_reader(struct core *c, u32 msr, u64 *value) MUST_USE;
typedef bool msr_writer(struct core *c, u32 msr, u64 value) MUST_USE;

#define msr_read_NONE NULL
#define msr_write_NONE NULL

msr_reader msr_read_tsc, msr_read_tsc_adjust, msr_read_tsc_aux;
msr_writer msr_write_tsc, msr_write_tsc_adjust, msr_write_tsc_aux;
msr_reader msr_read_apic, msr_read_x2apic;
msr_writer msr_write_apic_base, msr_write_apic, msr_write_x2apic;
msr_reader msr_read_feature_control, msr_read_spec_ctrl, msr_read_microcode, msr_read_misc_enable, msr_read_xss;
msr_reader msr_read_efer;
msr_writer msr_write_feature_control, msr_write_spec_ctrl, msr_write_pred_cmd, msr_write_nothing, msr_write_misc_enable;
msr_writer msr_write_xss, msr_write_efer;
/* msr_memory.c */
msr_reader msr_read_mtrr_variable, msr_read_mtrr_fixed, msr_read_mtrr_def_type, msr_read_pat, msr_read_mc_bank;
msr_writer msr_write_mtrr_variable, msr_write_mtrr_fixed, msr_write_mtrr_def_type, msr_write_pat, msr_write_mc_bank;

/* IA32_MTRRCAP: 8 variable ranges, fixed ranges, write-combining. */
#define MTRR_VARIABLE_RANGES 8
#define MTRRCAP_VALUE (MTRR_VARIABLE_RANGES | BIT(8) | BIT(10))

/* IA32_MCG_CAP: the banks, and IA32_MCG_CTL exists. */
#define MCG_CAP_VALUE (CPU_MC_BANKS | BIT(8))

/* The processor runs at 10 times a bus of 100 MHz, the rate of its TSC. */
#define CLOCK_RATIO 10ull
#define PERF_RATIO (CLOCK_RATIO << 8)
#define PLATFORM_INFO_RATIOS (CLOCK_RATIO << 8 | CLOCK_RATIO << 40)
#define PKG_CST_LOCKED BIT(15)

/*
 * IA32_ARCH_CAPABILITIES: nothing executes speculatively, so none of the known weaknesses exists and no mitigation is
 * due: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO,
 * PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
 */
#define ARCH_CAPABILITIES_VALUE \
	(BITS(1, 0) | BITS(6, 3) | BIT(8) | BITS(15, 13) | BIT(20) | BIT(24) | BITS(27, 26) | BIT(62))

/* OS-visible workarounds: the first four errata are known not to apply. */
#define OSVW_LENGTH 4

/* SYSCFG: the MTRR extensions for DRAM, Tom2 and its write-back default. */
#define SYSCFG_WRITABLE BITS(22, 18)

#define HWCR_MC_STATUS_WRITE_ENABLE BIT(18)
#define HWCR_TSC_FREQUENCY_SELECT BIT(24) /* the TSC counts at the P0 rate */

#endif

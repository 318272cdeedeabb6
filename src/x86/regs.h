/*
 * Control-register, flag, EFER and descriptor bits, spelled as in the manuals
 * ("System Architecture Overview", "Protected-Mode Memory Management").
 */
#ifndef X86_REGS_H
#define X86_REGS_H

#include "base/bits.h"

/* General registers in encoding order. */
enum gpr { GPR_RAX, GPR_RCX, GPR_RDX, GPR_RBX, GPR_RSP, GPR_RBP, GPR_RSI, GPR_RDI,
	   GPR_R8, GPR_R9, GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15, GPR_COUNT };

/* Segment registers in encoding order, then the two system ones. */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

#define RFLAGS_CF BIT(0)
#define RFLAGS_FIXED BIT(1)
#define RFLAGS_PF BIT(2)
#define RFLAGS_AF BIT(4)
#define RFLAGS_ZF BIT(6)
#define RFLAGS_SF BIT(7)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_DF BIT(10)
#define RFLAGS_OF BIT(11)
#define RFLAGS_IOPL BITS(13, 12)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT BIT(14)
#define RFLAGS_RF BIT(16)
#define RFLAGS_VM BIT(17)
#define RFLAGS_AC BIT(18)
#define RFLAGS_VIF BIT(19)
#define RFLAGS_VIP BIT(20)
#define RFLAGS_ID BIT(21)
#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define RFLAGS_DEFINED (BITS(21, 0) & ~(BIT(3) | BIT(5) | BIT(15)))

#define CR0_PE BIT(0)
#define CR0_MP BIT(1)
#define CR0_EM BIT(2)
#define CR0_TS BIT(3)
#define CR0_ET BIT(4)
#define CR0_NE BIT(5)
#define CR0_WP BIT(16)
#define CR0_AM BIT(18)
#define CR0_NW BIT(29)
#define CR0_CD BIT(30)
#define CR0_PG BIT(31)

#define CR4_VME BIT(0)
#define CR4_PVI BIT(1)
#define CR4_TSD BIT(2)
#define CR4_DE BIT(3)
#define CR4_PSE BIT(4)
#define CR4_PAE BIT(5)
#define CR4_MCE BIT(6)
#define CR4_PGE BIT(7)
#define CR4_PCE BIT(8)
#define CR4_OSFXSR BIT(9)
#define CR4_OSXMMEXCPT BIT(10)
#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_VMXE BIT(13)
#define CR4_SMXE BIT(14)
#define CR4_FSGSBASE BIT(16)
#define CR4_PCIDE BIT(17)
#define CR4_OSXSAVE BIT(18)
#define CR4_SMEP BIT(20)
#define CR4_SMAP BIT(21)
#define CR4_PKE BIT(22)
#define CR4_CET BIT(23)
#define CR4_PKS BIT(24)

#define CR3_PCID BITS(11, 0)
#define CR3_NOFLUSH BIT(63)

#define EFER_SCE BIT(0)
#define EFER_LME BIT(8)
#define EFER_LMA BIT(10)
#define EFER_NXE BIT(11)
#define EFER_SVME BIT(12)
#define EFER_LMSLE BIT(13)
#define EFER_FFXSR BIT(14)
#define EFER_AIBRSE BIT(21) /* automatic IBRS */

#define X87_FSW_EXCEPTIONS BITS(5, 0)
#define X87_FSW_PE BIT(5)
#define X87_FSW_SF BIT(6)
#define X87_FSW_ES BIT(7)
#define X87_FSW_TOP BITS(13, 11)
#define X87_FSW_TOP_SHIFT 11
#define X87_FSW_B BIT(15)
#define X87_FCW_MASKS BITS(5, 0)
#define X87_FCW_RESERVED_ONE BIT(6)
#define X87_FCW_DEFINED (BITS(12, 8) | BITS(6, 0))
#define X87_FCW_FNINIT 0x37f

#define XCR0_X87 BIT(0)
#define XCR0_SSE BIT(1)
#define XCR0_AVX BIT(2)
#define XCR0_PKRU BIT(9)

/* Segment attributes in the VMCS access-rights format ("Guest Register State"). */
#define SEGMENT_TYPE BITS(3, 0)
#define SEGMENT_TYPE_ACCESSED BIT(0)
#define SEGMENT_TYPE_WRITABLE BIT(1)    /* data */
#define SEGMENT_TYPE_READABLE BIT(1)    /* code */
#define SEGMENT_TYPE_EXPAND_DOWN BIT(2) /* data */
#define SEGMENT_TYPE_CONFORMING BIT(2)  /* code */
#define SEGMENT_TYPE_CODE BIT(3)
#define SEGMENT_S BIT(4)
#define SEGMENT_DPL BITS(6, 5)
#define SEGMENT_DPL_SHIFT 5
#define SEGMENT_P BIT(7)
#define SEGMENT_AVL BIT(12)
#define SEGMENT_L BIT(13)
#define SEGMENT_DB BIT(14)
#define SEGMENT_G BIT(15)
#define SEGMENT_UNUSABLE BIT(16)

#define SELECTOR_RPL BITS(1, 0)
#define SELECTOR_TI BIT(2)
#define SELECTOR_INDEX BITS(15, 3)

/* System descriptor types ("System Descriptor Types"). */
enum system_descriptor {
	DESCRIPTOR_TSS16_AVAILABLE = 1, DESCRIPTOR_LDT = 2, DESCRIPTOR_TSS16_BUSY = 3,
	DESCRIPTOR_CALL_GATE16 = 4, DESCRIPTOR_TASK_GATE = 5, DESCRIPTOR_INTERRUPT_GATE16 = 6,
	DESCRIPTOR_TRAP_GATE16 = 7, DESCRIPTOR_TSS32_AVAILABLE = 9, DESCRIPTOR_TSS32_BUSY = 11,
	DESCRIPTOR_CALL_GATE32 = 12, DESCRIPTOR_INTERRUPT_GATE32 = 14, DESCRIPTOR_TRAP_GATE32 = 15,
};

#define DESCRIPTOR_TSS_BUSY 2u /* the bit of a TSS's type */

/* Exception vectors ("Protected-Mode Exceptions and Interrupts"). */
enum vector {
	VECTOR_DE = 0, VECTOR_DB = 1, VECTOR_NMI = 2, VECTOR_BP = 3, VECTOR_OF = 4, VECTOR_BR = 5,
	VECTOR_UD = 6, VECTOR_NM = 7, VECTOR_DF = 8, VECTOR_TS = 10, VECTOR_NP = 11, VECTOR_SS = 12,
	VECTOR_GP = 13, VECTOR_PF = 14, VECTOR_MF = 16, VECTOR_AC = 17, VECTOR_MC = 18, VECTOR_XM = 19,
	VECTOR_VE = 20, VECTOR_CP = 21, VECTOR_HV = 28, VECTOR_VC = 29, VECTOR_SX = 30,
};

/* Page-fault error code ("Interrupt 14: Page-Fault Exception"). */
#define PF_ERROR_P BIT(0)
#define PF_ERROR_W BIT(1)
#define PF_ERROR_U BIT(2)
#define PF_ERROR_RSVD BIT(3)
#define PF_ERROR_I BIT(4)
#define PF_ERROR_PK BIT(5)

#define DR6_FIXED 0xffff0ff0ull
#define DR6_B0 BIT(0)
#define DR6_HITS BITS(3, 0)
#define DR6_BD BIT(13)
#define DR6_BS BIT(14)
#define DR6_BT BIT(15)
#define DR7_LOCAL (BIT(0) | BIT(2) | BIT(4) | BIT(6) | BIT(8)) /* L0-L3, LE */
#define DEBUGCTL_LBR BIT(0)
#define DEBUGCTL_BTF BIT(1)
#define DR7_FIXED BIT(10)
#define DR7_ENABLE BITS(7, 0)
#define DR7_GD BIT(13)

#define PAGE_SHIFT 12
#define PAGE_SIZE 4096ull
#define PAGE_MASK (~(PAGE_SIZE - 1))

#endif

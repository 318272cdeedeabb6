/*
 * What EXITINFO1 and EXITINFO2 hold, for the exits whose formats have several parts.
 *
 * One function composes each format, for the processor that exits; masks are there for who reads it. The nested page
 * fault's format is in npt.h.
 */
#ifndef SVM_EXIT_INFO_H
#define SVM_EXIT_INFO_H

#include "x86/regs.h"

/* EXITINFO1 of SVM_EXIT_IOIO ("I/O Intercept Information"). */
#define SVM_IOIO_IN BIT(0)
#define SVM_IOIO_STRING BIT(2)
#define SVM_IOIO_REP BIT(3)
#define SVM_IOIO_SIZE BITS(6, 4)         /* one bit: 8, 16 or 32 bits; the value is the size in bytes */
#define SVM_IOIO_SIZE_SHIFT 4
#define SVM_IOIO_ADDRESS_SIZE BITS(9, 7) /* one bit: 16, 32 or 64 bits */
#define SVM_IOIO_ADDRESS_SIZE_SHIFT 7
#define SVM_IOIO_SEGMENT BITS(12, 10)
#define SVM_IOIO_SEGMENT_SHIFT 10
#define SVM_IOIO_PORT BITS(31, 16)
#define SVM_IOIO_PORT_SHIFT 16

/* flags: SVM_IOIO_IN, _STRING, _REP. bytes: 1, 2 or 4. address_bytes: 2, 4 or 8. segment: of a string's operand. */
static inline u64 svm_ioio_info(u16 port, u64 flags, unsigned bytes, unsigned address_bytes, enum segment segment)
{
	u64 operand = flags & SVM_IOIO_STRING ? (u64)segment << SVM_IOIO_SEGMENT_SHIFT : 0;

	return flags | (u64)bytes << SVM_IOIO_SIZE_SHIFT | (u64)(address_bytes / 2) << SVM_IOIO_ADDRESS_SIZE_SHIFT |
	       operand | (u64)port << SVM_IOIO_PORT_SHIFT;
}

/* EXITINFO1 of accesses to control and debug registers with decode assists ("MOV CRx/DRx Intercepts"). */
#define SVM_MOV_REGISTER BITS(3, 0)
#define SVM_MOV_CR BIT(63) /* set by MOV CRx; not by LMSW, SMSW and CLTS, which give no register */

static inline u64 svm_mov_cr_info(enum gpr reg)
{
	return SVM_MOV_CR | (reg & SVM_MOV_REGISTER);
}

/* EXITINFO1 of SVM_EXIT_MSR ("MSR Intercept Information"). */
#define SVM_MSR_WRITE 1u

/* EXITINFO1 and EXITINFO2 of SVM_EXIT_TASK_SWITCH ("Task Switch Intercept"). */
#define SVM_TASK_SELECTOR BITS(15, 0)
#define SVM_TASK_ERROR_CODE BITS(31, 0)
#define SVM_TASK_IRET BIT(36)
#define SVM_TASK_JUMP BIT(38)
#define SVM_TASK_HAS_ERROR_CODE BIT(44)
#define SVM_TASK_RF BIT(48)

/* EXITINFO1 of SVM_EXIT_SMI ("SMI Intercept"). */
#define SVM_SMI_EXTERNAL BIT(0)
#define SVM_SMI_MC_REDIRECTED BIT(1)
#define SVM_SMI_IO_VALID BIT(33)

/* EXITINFO1 and EXITINFO2 of SVM_EXIT_AVIC_INCOMPLETE_IPI ("AVIC IPI Delivery Not Completed"). */
enum svm_avic_ipi_failure {
	SVM_AVIC_INVALID_TYPE, SVM_AVIC_TARGET_NOT_RUNNING, SVM_AVIC_INVALID_TARGET, SVM_AVIC_INVALID_BACKING_PAGE,
	SVM_AVIC_INVALID_VECTOR,
};

static inline u64 svm_avic_ipi_info1(u32 icr_high, u32 icr_low)
{
	return (u64)icr_high << 32 | icr_low;
}

static inline u64 svm_avic_ipi_info2(enum svm_avic_ipi_failure cause, u32 index)
{
	return (u64)cause << 32 | (index & BITS(11, 0));
}

/* EXITINFO1 of SVM_EXIT_AVIC_NOACCEL ("AVIC Access to Un-accelerated vAPIC register"). */
#define SVM_AVIC_NOACCEL_OFFSET BITS(11, 4)
#define SVM_AVIC_NOACCEL_WRITE BIT(32)

#endif

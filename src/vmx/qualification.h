/*
 * Layouts of the exit qualification and of the VM-exit instruction information, with what encodes them ("Exit
 * Qualification", "VM-Exit Instruction-Information Field"). The processor builds them; a hypervisor takes them apart.
 */
#ifndef VMX_QUALIFICATION_H
#define VMX_QUALIFICATION_H

#include "base/bits.h"

/* Debug exceptions: bits 3:0 and these. */
#define VMX_QUAL_DB_BD BIT(13)
#define VMX_QUAL_DB_BS BIT(14)

/* Task switches. */
#define VMX_QUAL_TASK_SELECTOR BITS(15, 0)
#define VMX_QUAL_TASK_SOURCE_SHIFT 30
enum vmx_task_source { VMX_TASK_CALL, VMX_TASK_IRET, VMX_TASK_JMP, VMX_TASK_GATE };

static inline u64 vmx_qual_task_switch(u16 selector, enum vmx_task_source source)
{
	return selector | (u64)source << VMX_QUAL_TASK_SOURCE_SHIFT;
}

/* Control-register accesses. */
#define VMX_QUAL_CR_NUMBER BITS(3, 0)
#define VMX_QUAL_CR_ACCESS_SHIFT 4
#define VMX_QUAL_CR_LMSW_MEMORY BIT(6)
#define VMX_QUAL_CR_REGISTER_SHIFT 8
#define VMX_QUAL_CR_LMSW_SOURCE_SHIFT 16
enum vmx_cr_access { VMX_MOV_TO_CR, VMX_MOV_FROM_CR, VMX_CLTS, VMX_LMSW };

static inline u64 vmx_qual_mov_cr(unsigned cr, enum vmx_cr_access access, unsigned gpr)
{
	return cr | (u64)access << VMX_QUAL_CR_ACCESS_SHIFT | (u64)gpr << VMX_QUAL_CR_REGISTER_SHIFT;
}

static inline u64 vmx_qual_clts(void)
{
	return (u64)VMX_CLTS << VMX_QUAL_CR_ACCESS_SHIFT;
}

static inline u64 vmx_qual_lmsw(u16 source, bool from_memory)
{
	return (u64)VMX_LMSW << VMX_QUAL_CR_ACCESS_SHIFT | (from_memory ? VMX_QUAL_CR_LMSW_MEMORY : 0) |
	       (u64)source << VMX_QUAL_CR_LMSW_SOURCE_SHIFT;
}

/* MOV DR. */
#define VMX_QUAL_DR_NUMBER BITS(2, 0)
#define VMX_QUAL_DR_READ BIT(4) /* MOV from DR */
#define VMX_QUAL_DR_REGISTER_SHIFT 8

static inline u64 vmx_qual_mov_dr(unsigned dr, bool read, unsigned gpr)
{
	return dr | (read ? VMX_QUAL_DR_READ : 0) | (u64)gpr << VMX_QUAL_DR_REGISTER_SHIFT;
}

/* I/O instructions. */
#define VMX_QUAL_IO_SIZE BITS(2, 0) /* one less than 1, 2 or 4 */
#define VMX_QUAL_IO_IN BIT(3)
#define VMX_QUAL_IO_STRING BIT(4)
#define VMX_QUAL_IO_REP BIT(5)
#define VMX_QUAL_IO_IMMEDIATE BIT(6)
#define VMX_QUAL_IO_PORT_SHIFT 16

/* flags: VMX_QUAL_IO_IN and so on. */
static inline u64 vmx_qual_io(u16 port, unsigned bytes, u64 flags)
{
	return (bytes - 1) | flags | (u64)port << VMX_QUAL_IO_PORT_SHIFT;
}

/* MWAIT */
#define VMX_QUAL_MWAIT_ARMED BIT(0)

/* APIC accesses: the offset in bits 11:0. */
#define VMX_QUAL_APIC_OFFSET BITS(11, 0)
#define VMX_QUAL_APIC_TYPE_SHIFT 12
#define VMX_QUAL_APIC_ASYNCHRONOUS BIT(16)
enum vmx_apic_access {
	VMX_APIC_READ, VMX_APIC_WRITE, VMX_APIC_FETCH, VMX_APIC_EVENT_DELIVERY, VMX_APIC_MONITOR = 4,
	VMX_APIC_PHYSICAL_EVENT = 10, VMX_APIC_PHYSICAL = 15,
};

static inline u64 vmx_qual_apic_access(u16 offset, enum vmx_apic_access type)
{
	return (offset & VMX_QUAL_APIC_OFFSET) | (u64)type << VMX_QUAL_APIC_TYPE_SHIFT;
}

/* EPT violations; bits 6:3 are the AND of the EPT entries' permissions. */
#define VMX_QUAL_EPT_READ BIT(0)
#define VMX_QUAL_EPT_WRITE BIT(1)
#define VMX_QUAL_EPT_FETCH BIT(2)
#define VMX_QUAL_EPT_PERMISSIONS_SHIFT 3
#define VMX_QUAL_EPT_READABLE BIT(3)
#define VMX_QUAL_EPT_WRITABLE BIT(4)
#define VMX_QUAL_EPT_EXECUTABLE BIT(5)
#define VMX_QUAL_EPT_USER_EXECUTABLE BIT(6)
#define VMX_QUAL_EPT_LINEAR_VALID BIT(7)
#define VMX_QUAL_EPT_TRANSLATED BIT(8) /* the access was to what a linear address translates to */
/* With advanced information, if 7 and 8 are 1: the linear address is */
#define VMX_QUAL_EPT_USER BIT(9)
#define VMX_QUAL_EPT_LINEAR_WRITABLE BIT(10)
#define VMX_QUAL_EPT_LINEAR_NO_EXECUTE BIT(11)
#define VMX_QUAL_EPT_NMI_UNBLOCKING BIT(12)
#define VMX_QUAL_EPT_SHADOW_STACK BIT(13)
#define VMX_QUAL_EPT_SUPERVISOR_SHADOW_STACK BIT(14)
#define VMX_QUAL_EPT_GUEST_PAGING BIT(15)
#define VMX_QUAL_EPT_ASYNCHRONOUS BIT(16)

/* PML-full and others that share the bit. */
#define VMX_QUAL_NMI_UNBLOCKING BIT(12)

/*
 * VM-exit instruction information. Of memory operands all instructions agree on scale, address size, segment, index and
 * base; they differ in what the registers in bits 6:3 and 31:28 are.
 */
#define VMX_INFO_SCALE BITS(1, 0)
#define VMX_INFO_REGISTER1_SHIFT 3    /* RDRAND, RDSEED, VMREAD, VMWRITE, STR, SLDT...: register operand */
#define VMX_INFO_ADDRESS_SIZE_SHIFT 7 /* 0, 1, 2: 16, 32, 64 bits */
#define VMX_INFO_REGISTER_FORM BIT(10)
#define VMX_INFO_OPERAND_32 BIT(11)   /* LGDT, LIDT, SGDT, SIDT outside 64-bit mode */
#define VMX_INFO_OPERAND_SIZE_SHIFT 11 /* RDRAND, RDSEED, UMWAIT, TPAUSE: 0, 1, 2: 16, 32, 64 bits */
#define VMX_INFO_SEGMENT_SHIFT 15     /* in encoding order, ES 0 */
#define VMX_INFO_INDEX_SHIFT 18
#define VMX_INFO_NO_INDEX BIT(22)
#define VMX_INFO_BASE_SHIFT 23
#define VMX_INFO_NO_BASE BIT(27)
#define VMX_INFO_REGISTER2_SHIFT 28   /* VMREAD, VMWRITE, INVEPT, INVVPID, INVPCID: the other operand */
#define VMX_INFO_TABLE_SHIFT 28       /* descriptor-table instructions: which */

enum vmx_info_table { VMX_INFO_SGDT, VMX_INFO_SIDT, VMX_INFO_LGDT, VMX_INFO_LIDT };
enum vmx_info_system { VMX_INFO_SLDT, VMX_INFO_STR, VMX_INFO_LLDT, VMX_INFO_LTR };

/* A memory operand as an instruction addresses it. */
struct vmx_info_memory {
	u8 address_bytes;      /* 2, 4 or 8 */
	u8 segment;            /* enum segment */
	u8 base, index, scale; /* general registers; scale is 0 to 3, the power of two */
	bool has_base, has_index;
};

static inline u32 vmx_info_memory(const struct vmx_info_memory *m)
{
	u32 info = (u32)(m->address_bytes >> 2) << VMX_INFO_ADDRESS_SIZE_SHIFT |
		   (u32)m->segment << VMX_INFO_SEGMENT_SHIFT;

	info |= m->has_index ? m->scale | (u32)m->index << VMX_INFO_INDEX_SHIFT : (u32)VMX_INFO_NO_INDEX;
	return info | (m->has_base ? (u32)m->base << VMX_INFO_BASE_SHIFT : (u32)VMX_INFO_NO_BASE);
}

/* The register operand in bits 6:3 of instructions that take one instead of memory. */
static inline u32 vmx_info_register(unsigned gpr)
{
	return (u32)VMX_INFO_REGISTER_FORM | gpr << VMX_INFO_REGISTER1_SHIFT;
}

/* The second register operand, or the identity of a descriptor-table instruction, in bits 31:28. */
static inline u32 vmx_info_second(unsigned value)
{
	return value << VMX_INFO_REGISTER2_SHIFT;
}

/* RDRAND and RDSEED: the destination and its size of 2, 4 or 8 bytes. */
static inline u32 vmx_info_random(unsigned gpr, unsigned bytes)
{
	return gpr << VMX_INFO_REGISTER1_SHIFT | (bytes >> 2) << VMX_INFO_OPERAND_SIZE_SHIFT;
}

/* I/O string instructions: only the address size and, for OUTS, the segment. */
static inline u32 vmx_info_io_string(unsigned address_bytes, unsigned segment)
{
	return (address_bytes >> 2) << VMX_INFO_ADDRESS_SIZE_SHIFT | segment << VMX_INFO_SEGMENT_SHIFT;
}

#endif

/*
 * Events in VMCS fields: injected by VM entry, causing a VM exit, or interrupted by one. The three share one format
 * ("VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored Events").
 */
#ifndef VMX_EVENT_H
#define VMX_EVENT_H

#include "base/bits.h"

#define VMX_EVENT_VECTOR BITS(7, 0)
#define VMX_EVENT_TYPE BITS(10, 8)
#define VMX_EVENT_TYPE_SHIFT 8
#define VMX_EVENT_ERROR_CODE BIT(11)     /* deliver it, or: it is valid */
#define VMX_EVENT_NMI_UNBLOCKING BIT(12) /* exits: IRET had just unblocked NMIs */
#define VMX_EVENT_NESTED BIT(13)         /* FRED: nested exception */
#define VMX_EVENT_RESERVED BITS(30, 12)  /* on entry */
#define VMX_EVENT_VALID BIT(31)

enum vmx_event_type {
	VMX_EVENT_EXTERNAL, VMX_EVENT_RESERVED_TYPE, VMX_EVENT_NMI, VMX_EVENT_EXCEPTION, VMX_EVENT_SOFTWARE_INTERRUPT,
	VMX_EVENT_PRIVILEGED_EXCEPTION, VMX_EVENT_SOFTWARE_EXCEPTION, VMX_EVENT_OTHER
};

static inline u8 vmx_event_vector(u64 info)
{
	return info & VMX_EVENT_VECTOR;
}

static inline enum vmx_event_type vmx_event_type(u64 info)
{
	return (enum vmx_event_type)((info & VMX_EVENT_TYPE) >> VMX_EVENT_TYPE_SHIFT);
}

/* A valid event without an error code; or in VMX_EVENT_ERROR_CODE if there is one. */
static inline u32 vmx_event_encode(enum vmx_event_type type, u8 vector)
{
	return (u32)(VMX_EVENT_VALID | (u32)type << VMX_EVENT_TYPE_SHIFT | vector);
}

/* Software interrupts and exceptions: they have an instruction length. */
static inline bool vmx_event_is_software(u64 info)
{
	enum vmx_event_type type = vmx_event_type(info);

	return type >= VMX_EVENT_SOFTWARE_INTERRUPT && type <= VMX_EVENT_SOFTWARE_EXCEPTION;
}

/* Guest interruptibility state ("Guest Non-Register State"). */
#define VMX_BLOCKING_STI BIT(0)
#define VMX_BLOCKING_MOV_SS BIT(1)
#define VMX_BLOCKING_SMI BIT(2)
#define VMX_BLOCKING_NMI BIT(3)
#define VMX_ENCLAVE_INTERRUPTION BIT(4)
#define VMX_INTERRUPTIBILITY_RESERVED BITS(31, 5)

enum vmx_activity { VMX_ACTIVE, VMX_HLT, VMX_SHUTDOWN, VMX_WAIT_FOR_SIPI };

/* Guest pending debug exceptions. */
#define VMX_PENDING_BREAKPOINTS BITS(3, 0)
#define VMX_PENDING_ENABLED BIT(12) /* at least one data or I/O breakpoint was met and enabled */
#define VMX_PENDING_BS BIT(14)
#define VMX_PENDING_RTM BIT(16)

#endif

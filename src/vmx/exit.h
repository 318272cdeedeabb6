/* Basic exit reasons and VM-instruction errors by name, from exit.def and error.def. */
#ifndef VMX_EXIT_H
#define VMX_EXIT_H

#include "base/bits.h"

enum vmx_exit {
#define EXIT(id, number, ...) VMX_EXIT_##id = number,
#include "vmx/exit.def"
};

/* The exit reason around the basic one ("Basic VM-Exit Information"). */
#define VMX_EXIT_BASIC BITS(15, 0)
#define VMX_EXIT_BUS_LOCK BIT(26)
#define VMX_EXIT_ENCLAVE BIT(27)
#define VMX_EXIT_PENDING_MTF BIT(28)
#define VMX_EXIT_FROM_ROOT BIT(29)
#define VMX_EXIT_ENTRY_FAILURE BIT(31)

/* Qualifications of VMX_EXIT_ENTRY_GUEST_STATE ("VM-Entry Failures During or After Loading Guest State"). */
enum vmx_entry_failure {
	VMX_ENTRY_FAILURE_OTHER = 0, VMX_ENTRY_FAILURE_PDPTE = 2, VMX_ENTRY_FAILURE_NMI = 3,
	VMX_ENTRY_FAILURE_LINK_POINTER = 4,
};

enum vmx_error {
	VMX_ERROR_NONE,
#define ERROR(id, number, text) VMX_ERROR_##id = number,
#include "vmx/error.def"
};

/* VMX-abort indicators ("VMX Aborts"). */
enum vmx_abort {
	VMX_ABORT_SAVING_MSRS = 1, VMX_ABORT_HOST_PDPTES = 2, VMX_ABORT_CORRUPTED_VMCS = 3, VMX_ABORT_LOADING_MSRS = 4,
	VMX_ABORT_MACHINE_CHECK = 5, VMX_ABORT_32BIT_HOST = 6,
};

const char *vmx_exit_name(u32 reason);          /* "CPUID"; of the basic reason; "reserved" if it is none */
const char *vmx_exit_qualification(u32 reason); /* what the exit qualification holds, "0" if nothing */
const char *vmx_error_text(u32 error);          /* "VMCLEAR with VMXON pointer"; "reserved" if it is none */

#endif

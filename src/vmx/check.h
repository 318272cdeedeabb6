/*
 * The checks that VM entry makes, as pure functions of the VMCS and a few facts.
 *
 * The software processor stops at the first failure; an explanation collects all of them. Both run the same rows of
 * check.def. The caller reads memory; nothing here does.
 */
#ifndef VMX_CHECK_H
#define VMX_CHECK_H

#include "vmx/capability.h"

struct vmx_entry {
	const struct vmcs *vmcs;
	const struct vmx_capability *capability;
	const struct feature_set *features;
	u8 physical_bits, linear_bits; /* 32 to 52; 48 or 57 */
	bool ia32e_mode;               /* IA32_EFER.LMA at VM entry */
	bool in_smm;
	bool tracing;                  /* IA32_RTIT_CTL.TraceEn at VM entry */
	u8 virtual_tpr;                /* VTPR's low byte on the virtual-APIC page; 0 if that cannot be read */
	u64 debugctl_valid;            /* bits that IA32_DEBUGCTL has */
	u64 perf_global_valid;         /* bits that IA32_PERF_GLOBAL_CTRL has */
	u64 vmcs_pointer, vmxon_pointer;
	bool link_read;                /* the VMCS link pointer was valid and its memory read: */
	u32 link_revision;             /* the first 4 bytes there */
	u64 pdpte[4];                  /* without EPT: what CR3 points to; 0 if it was not read */
};

enum vmx_check_stage { VMX_CHECK_CONTROLS, VMX_CHECK_HOST, VMX_CHECK_GUEST, VMX_CHECK_STAGES };

/* One row of check.def. */
struct vmx_check {
	const char *id;       /* "guest.cs.ar.type" */
	const char *expected; /* what must be */
	const char *heading;
	u16 field, other;     /* enum vmcs_field; other is VMCS_FIELD_COUNT if only one is involved */
	u8 high, low;         /* the bits in question */
	u8 stage, qualification;
};

#define VMX_CHECK_LIMIT 320 /* no fewer than there are checks */

struct vmx_check_report {
	bool all;                     /* in: go on after a failure */
	u16 count;                    /* failures so far: */
	u16 failed[VMX_CHECK_LIMIT];  /* numbers of checks */
};

/* Each appends to the report and returns whether this stage has no failure. Stages are independent. */
bool vmx_check_controls(const struct vmx_entry *entry, struct vmx_check_report *report);
bool vmx_check_host(const struct vmx_entry *entry, struct vmx_check_report *report);
bool vmx_check_guest(const struct vmx_entry *entry, struct vmx_check_report *report);

/* What VM entry does about it. All zero: nothing failed. */
struct vmx_entry_outcome {
	u32 error;         /* enum vmx_error: VMfailValid with this number */
	u32 exit_reason;   /* VMX_EXIT_ENTRY_FAILURE with the basic reason */
	u64 qualification;
};

/* The stages in order: a failure in one ends the entry, so that later ones run only if report->all is set. */
struct vmx_entry_outcome vmx_check_entry(const struct vmx_entry *entry, struct vmx_check_report *report);

size_t vmx_check_count(void);
struct vmx_check vmx_check_at(size_t number);
size_t vmx_check_find(const char *id); /* vmx_check_count() if there is none */

#endif

/*
 * Valid VM entries to start from, and small changes to them in words, so that a test of an entry check is a row: what
 * makes it fail and what makes it pass.
 */
#ifndef TESTS_UNIT_VMX_ENTRY_RIG_H
#define TESTS_UNIT_VMX_ENTRY_RIG_H

#include "vmx/check.h"
#include "vmx_rig.h"

enum vmx_rig_guest {
	GUEST_64,     /* 64-bit code, with a 64-bit host */
	GUEST_REAL,   /* real mode: unrestricted guest */
	GUEST_V86,
	GUEST_PAE,    /* 32-bit code with PAE paging, no EPT */
	GUEST_LEGACY, /* the same, and a 32-bit host */
	VMX_RIG_GUESTS
};

/* Everything an entry refers to, in one place. */
struct vmx_rig_entry {
	struct vmx_entry entry;
	struct vmcs vmcs;
	struct vmx_capability capability;
	struct feature_set features;
};

void vmx_rig_entry_init(struct vmx_rig_entry *rig, enum vmx_rig_guest guest);

/* One change; NOTHING ends a list. */
enum vmx_rig_change_kind {
	NOTHING, SET_FIELD, SET_BITS, CLEAR_BITS, ENABLE, DISABLE, SET_FACT, SET_CAPABILITY, CLEAR_CAPABILITY
};

enum vmx_rig_fact {
	IN_SMM, TRACING, VIRTUAL_TPR, LINK_REVISION, PDPTE0, PDPTE1, PDPTE2, PDPTE3, CURRENT_VMCS, VMXON_REGION
};

struct vmx_rig_change {
	enum vmx_rig_change_kind kind;
	u32 what; /* enum vmcs_field, vmx_control, vmx_rig_fact or vmx_capability_msr */
	u64 value;
};

/* Enabling a control of a word that must be activated activates that, too. */
void vmx_rig_apply(struct vmx_rig_entry *rig, const struct vmx_rig_change *changes, size_t count);

#define FIELD_IS(field, value) { SET_FIELD, VMCS_##field, value }
#define WITH(field, bits) { SET_BITS, VMCS_##field, bits }
#define WITHOUT(field, bits) { CLEAR_BITS, VMCS_##field, bits }
#define CONTROL_1(control) { ENABLE, VMX_##control, 0 }
#define CONTROL_0(control) { DISABLE, VMX_##control, 0 }
#define FACT(fact, value) { SET_FACT, fact, value }
#define CAPABLE(msr, bits) { SET_CAPABILITY, VMX_CAP_##msr, bits }
#define INCAPABLE(msr, bits) { CLEAR_CAPABILITY, VMX_CAP_##msr, bits }

#endif

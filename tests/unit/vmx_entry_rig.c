/* Valid VM entries for tests: see vmx_entry_rig.h. */
#include "vmx_entry_rig.h"
#include "vmx/event.h"

#define PAT_DEFAULT 0x0007040600070406ull
#define FLAT_LIMIT 0xffffffffull
#define CODE64 0xa09bull
#define CODE32 0xc09bull
#define DATA32 0xc093ull
#define DATA16 0x93ull
#define BUSY_TSS 0x8bull

static void set(struct vmx_rig_entry *rig, enum vmcs_field field, u64 value)
{
	vmcs_set(&rig->vmcs, field, value);
}

static void init_segments(struct vmx_rig_entry *rig, u64 base, u64 limit, u64 code, u64 data)
{
	for (unsigned i = 0; i < 6; i++) {
		set(rig, VMCS_GUEST_ES_SELECTOR + i, base ? base >> 4 : 0x10);
		set(rig, VMCS_GUEST_ES_BASE + i, base);
		set(rig, VMCS_GUEST_ES_LIMIT + i, limit);
		set(rig, VMCS_GUEST_ES_ACCESS_RIGHTS + i, data);
	}
	set(rig, VMCS_GUEST_CS_ACCESS_RIGHTS, code);
	set(rig, VMCS_GUEST_TR_SELECTOR, 0x18);
	set(rig, VMCS_GUEST_TR_LIMIT, 0x67);
	set(rig, VMCS_GUEST_TR_ACCESS_RIGHTS, BUSY_TSS);
	set(rig, VMCS_GUEST_LDTR_ACCESS_RIGHTS, SEGMENT_UNUSABLE);
}

static void init_host(struct vmx_rig_entry *rig, bool long_mode)
{
	set(rig, VMCS_HOST_CR0, CR0_PE | CR0_NE | CR0_PG | CR0_WP);
	set(rig, VMCS_HOST_CR4, CR4_PAE | CR4_VMXE);
	set(rig, VMCS_HOST_CR3, 0x1000);
	set(rig, VMCS_HOST_CS_SELECTOR, 0x08);
	set(rig, VMCS_HOST_SS_SELECTOR, 0x10);
	set(rig, VMCS_HOST_TR_SELECTOR, 0x18);
	set(rig, VMCS_HOST_IA32_PAT, PAT_DEFAULT);
	set(rig, VMCS_HOST_IA32_EFER, long_mode ? EFER_LMA | EFER_LME : 0);
	set(rig, VMCS_HOST_RIP, 0x1000);
	rig->entry.ia32e_mode = long_mode;
}

static void enable(struct vmx_rig_entry *rig, enum vmx_control control)
{
	enum vmx_word word = control / VMX_WORD_BITS;

	set(rig, vmx_word_field(word), vmcs_get(&rig->vmcs, vmx_word_field(word)) | vmx_control_bit(control));
	if (word == VMX_WORD_PROC2)
		enable(rig, VMX_PROC_ACTIVATE_SECONDARY);
	else if (word == VMX_WORD_PROC3)
		enable(rig, VMX_PROC_ACTIVATE_TERTIARY);
	else if (word == VMX_WORD_EXITCTL2)
		enable(rig, VMX_EXITCTL_ACTIVATE_SECONDARY);
	else if (word == VMX_WORD_VMFUNC)
		enable(rig, VMX_PROC2_VM_FUNCTIONS);
}

static void init_controls(struct vmx_rig_entry *rig)
{
	for (enum vmx_word word = 0; word < VMX_WORD_COUNT; word++)
		set(rig, vmx_word_field(word), vmx_capability_must_be_one(&rig->capability, word));
	set(rig, VMCS_VPID, 1);
	set(rig, VMCS_TSC_MULTIPLIER, BIT(48));
	set(rig, VMCS_EPT_POINTER, 0x101e);
	set(rig, VMCS_LINK_POINTER, VMCS_NO_LINK);
}

static void init_guest(struct vmx_rig_entry *rig, bool long_mode)
{
	set(rig, VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_PG | CR0_WP | CR0_ET);
	set(rig, VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
	set(rig, VMCS_GUEST_CR3, 0x2000);
	set(rig, VMCS_GUEST_DR7, DR7_FIXED);
	set(rig, VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	set(rig, VMCS_GUEST_RIP, 0x1000);
	set(rig, VMCS_GUEST_IA32_PAT, PAT_DEFAULT);
	set(rig, VMCS_GUEST_IA32_EFER, long_mode ? EFER_LMA | EFER_LME : 0);
	set(rig, VMCS_GUEST_GDTR_LIMIT, 0x7f);
	set(rig, VMCS_GUEST_IDTR_LIMIT, 0xfff);
}

void vmx_rig_entry_init(struct vmx_rig_entry *rig, enum vmx_rig_guest guest)
{
	*rig = (struct vmx_rig_entry){
		.capability = vmx_rig_everything(), .features = vmx_rig_features("max-intel"),
		.entry = { .vmcs = &rig->vmcs, .capability = &rig->capability, .features = &rig->features,
			   .physical_bits = 40, .linear_bits = 48, .debugctl_valid = DEBUGCTL_LBR | DEBUGCTL_BTF,
			   .perf_global_valid = 0xf, .vmcs_pointer = 0x5000, .vmxon_pointer = 0x6000 },
	};
	init_controls(rig);
	init_host(rig, guest != GUEST_LEGACY);
	init_guest(rig, guest == GUEST_64);
	if (guest != GUEST_LEGACY)
		enable(rig, VMX_EXITCTL_HOST_ADDRESS_SPACE_SIZE);
	init_segments(rig, 0, FLAT_LIMIT, CODE32, DATA32);
	if (guest == GUEST_64) {
		enable(rig, VMX_ENTRYCTL_IA32E_MODE_GUEST);
		set(rig, VMCS_GUEST_CS_ACCESS_RIGHTS, CODE64);
	} else if (guest == GUEST_REAL) {
		enable(rig, VMX_PROC2_EPT);
		enable(rig, VMX_PROC2_UNRESTRICTED_GUEST);
		set(rig, VMCS_GUEST_CR0, CR0_NE | CR0_ET);
		set(rig, VMCS_GUEST_CR4, CR4_VMXE);
		init_segments(rig, 0, 0xffff, DATA16, DATA16);
	} else if (guest == GUEST_V86) {
		set(rig, VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_VM);
		init_segments(rig, 0x10000, 0xffff, 0xf3, 0xf3);
	}
}

static void set_fact(struct vmx_entry *e, enum vmx_rig_fact fact, u64 value)
{
	switch (fact) {
	case IN_SMM:
		e->in_smm = value;
		break;
	case TRACING:
		e->tracing = value;
		break;
	case VIRTUAL_TPR:
		e->virtual_tpr = (u8)value;
		break;
	case LINK_REVISION:
		e->link_read = true;
		e->link_revision = (u32)value;
		break;
	case CURRENT_VMCS:
		e->vmcs_pointer = value;
		break;
	case VMXON_REGION:
		e->vmxon_pointer = value;
		break;
	default:
		e->pdpte[fact - PDPTE0] = value;
	}
}

void vmx_rig_apply(struct vmx_rig_entry *rig, const struct vmx_rig_change *changes, size_t count)
{
	for (size_t i = 0; i < count && changes[i].kind != NOTHING; i++) {
		u32 what = changes[i].what;
		u64 value = changes[i].value;
		enum vmcs_field field = what < VMCS_FIELD_COUNT ? what : 0;

		switch (changes[i].kind) {
		case SET_FIELD:
			set(rig, field, value);
			break;
		case SET_BITS:
			set(rig, field, vmcs_get(&rig->vmcs, field) | value);
			break;
		case CLEAR_BITS:
			set(rig, field, vmcs_get(&rig->vmcs, field) & ~value);
			break;
		case ENABLE:
			enable(rig, what);
			break;
		case DISABLE:
			field = vmx_word_field(what / VMX_WORD_BITS);
			set(rig, field, vmcs_get(&rig->vmcs, field) & ~vmx_control_bit(what));
			break;
		case SET_FACT:
			set_fact(&rig->entry, what, value);
			break;
		case SET_CAPABILITY:
			rig->capability.msr[what] |= value;
			break;
		case CLEAR_CAPABILITY:
			rig->capability.msr[what] &= ~value;
			break;
		case NOTHING:
			break;
		}
	}
}

/* VMX capability MSRs by CPU model, negotiation of controls, EPT formats. */
#include <string.h>

#include "test.h"
#include "vmx/ept.h"
#include "vmx_rig.h"
#include "x86/model.h"

static u64 msr(const char *model, enum vmx_capability_msr index)
{
	struct vmx_capability capability = vmx_rig_capability(model);

	return capability.msr[index];
}

TEST("of every control word, what must be 1 may be 1")
{
	for (size_t i = 0; i < model_count(); i++) {
		struct vmx_capability capability;

		vmx_capability_compute(&capability, &model_at(i)->features);
		for (enum vmx_word word = 0; word < VMX_WORD_COUNT; word++)
			CHECK(!(vmx_capability_must_be_one(&capability, word) &
				~vmx_capability_may_be_one(&capability, word)));
	}
}

TEST("the TRUE MSRs allow 0 where the default1 class has a name, and agree with the others in the upper half")
{
	struct vmx_capability capability = vmx_rig_capability("nehalem");
	const u64 *value = capability.msr;

	CHECK_EQ(value[VMX_CAP_PINBASED_CTLS] & BITS(31, 0), 0x16);
	CHECK_EQ(value[VMX_CAP_PROCBASED_CTLS] & BITS(31, 0), 0x0401e172);
	CHECK_EQ(value[VMX_CAP_EXIT_CTLS] & BITS(31, 0), 0x00036dff);
	CHECK_EQ(value[VMX_CAP_ENTRY_CTLS] & BITS(31, 0), 0x000011ff);
	CHECK_EQ(value[VMX_CAP_TRUE_PINBASED_CTLS], value[VMX_CAP_PINBASED_CTLS]);
	CHECK_EQ(value[VMX_CAP_TRUE_PROCBASED_CTLS] & BITS(31, 0), 0x04006172);
	CHECK_EQ(value[VMX_CAP_TRUE_EXIT_CTLS] & BITS(31, 0), 0x00036dfb);
	CHECK_EQ(value[VMX_CAP_TRUE_ENTRY_CTLS] & BITS(31, 0), 0x000011fb);
	CHECK_EQ(value[VMX_CAP_TRUE_EXIT_CTLS] >> 32, value[VMX_CAP_EXIT_CTLS] >> 32);
}

TEST("first-generation VT-x has no secondary controls, no TRUE MSRs and no EPT")
{
	struct vmx_capability conroe = vmx_rig_capability("conroe");

	CHECK(!vmx_capability_allows(&conroe, VMX_PROC_ACTIVATE_SECONDARY));
	CHECK(vmx_capability_allows(&conroe, VMX_PROC_TPR_SHADOW));
	CHECK(vmx_capability_has_msr(&conroe, 0x480));
	CHECK(vmx_capability_has_msr(&conroe, 0x48a));
	for (u32 number = 0x48b; number <= 0x494; number++)
		CHECK(!vmx_capability_has_msr(&conroe, number));
	CHECK(!vmx_capability_has_msr(&conroe, 0x47f));
	CHECK_EQ(vmx_capability_must_be_one(&conroe, VMX_WORD_ENTRYCTL), 0x11ff);
}

TEST("newer models have what their generation brought")
{
	struct vmx_capability max = vmx_rig_capability("max-intel"), nehalem = vmx_rig_capability("nehalem");

	for (u32 number = 0x480; number <= 0x491; number++)
		CHECK(vmx_capability_has_msr(&max, number));
	CHECK(!vmx_capability_has_msr(&max, 0x492));
	CHECK(!vmx_capability_has_msr(&nehalem, 0x491));
	CHECK(!vmx_capability_allows(&nehalem, VMX_PROC2_UNRESTRICTED_GUEST));
	CHECK(vmx_capability_allows(&max, VMX_PROC2_UNRESTRICTED_GUEST));
	CHECK(vmx_capability_allows(&max, VMX_VMFUNC_EPTP_SWITCHING));
	CHECK(!vmx_capability_allows(&max, VMX_CONTROL_LIMIT));
	CHECK(!(msr("nehalem", VMX_CAP_MISC) & VMX_MISC_STORES_LMA));
	CHECK(msr("westmere", VMX_CAP_MISC) & VMX_MISC_STORES_LMA);
	CHECK_EQ(msr("nehalem", VMX_CAP_EPT_VPID_CAP), 0x00000f0106114141);
	CHECK_EQ(msr("haswell", VMX_CAP_EPT_VPID_CAP), 0x00000f0106334141);
}

TEST("the basic MSR reports the revision, a region of 4096 bytes and write-back")
{
	CHECK_EQ(msr("conroe", VMX_CAP_BASIC), VMCS_REVISION | 0x1000ull << 32 | 6ull << 50 | BIT(54));
	CHECK_EQ(msr("nehalem", VMX_CAP_BASIC), VMCS_REVISION | 0x1000ull << 32 | 6ull << 50 | BIT(54) | BIT(55));
	CHECK(msr("max-intel", VMX_CAP_BASIC) & VMX_BASIC_ANY_ERROR_CODE);
}

TEST("the fixed bits of CR0 and CR4 allow what the model has")
{
	CHECK_EQ(msr("conroe", VMX_CAP_CR0_FIXED0), CR0_PE | CR0_NE | CR0_PG);
	CHECK_EQ(msr("conroe", VMX_CAP_CR4_FIXED0), CR4_VMXE);
	CHECK_EQ(msr("conroe", VMX_CAP_CR4_FIXED1), 0x27ff);
	CHECK(msr("max-intel", VMX_CAP_CR4_FIXED1) & CR4_LA57);
}

TEST("the highest field index is that of a field that exists")
{
	CHECK_EQ(msr("conroe", VMX_CAP_VMCS_ENUM), 0x2a);
	CHECK_EQ(msr("nehalem", VMX_CAP_VMCS_ENUM), 0x2e);
	CHECK_EQ(msr("skylake", VMX_CAP_VMCS_ENUM), 0x32);
}

TEST("negotiation takes what must be 1, all that is required and what is there of the optional")
{
	static const char *const required[] = { "HLT exiting", "activate secondary controls", NULL };
	static const char *const optional[] = { "monitor trap flag", "activate tertiary controls", NULL };
	struct vmx_capability nehalem = vmx_rig_capability("nehalem");
	char error[160] = "";
	u64 value;

	CHECK(vmx_negotiate(&nehalem, VMX_WORD_PROC, required, optional, &value, error, sizeof(error)));
	CHECK_EQ(value, 0x04006172 | BIT(7) | BIT(27) | BIT(31));
	CHECK(!strcmp(error, ""));
}

TEST("negotiation names the bit that is missing")
{
	static const char *const required[] = { "unrestricted guest", NULL }, *const wrong[] = { "no such", NULL };
	static const char *const none[] = { NULL };
	struct vmx_capability nehalem = vmx_rig_capability("nehalem");
	char error[160];
	u64 value;

	CHECK(!vmx_negotiate(&nehalem, VMX_WORD_PROC2, required, none, &value, error, sizeof(error)));
	CHECK(!strcmp(error, "this processor lacks 'unrestricted guest', bit 7 of the secondary processor-based "
			     "VM-execution controls (IA32_VMX_PROCBASED_CTLS2)"));
	CHECK(!vmx_negotiate(&nehalem, VMX_WORD_PROC2, none, wrong, &value, error, sizeof(error)));
	CHECK(!strcmp(error, "no bit of the secondary processor-based VM-execution controls is called 'no such'"));
}

TEST("controls of words that are not activated are 0")
{
	struct vmcs vmcs = { 0 };
	struct vmx_controls controls;

	for (enum vmx_word word = 0; word < VMX_WORD_COUNT; word++)
		vmcs_set(&vmcs, vmx_word_field(word), ~0ull);
	vmx_controls_read(&vmcs, &controls);
	CHECK(vmx_controls_have(&controls, VMX_PROC3_HLAT));
	CHECK(vmx_controls_have(&controls, VMX_EXITCTL2_LOAD_FRED));
	CHECK(vmx_controls_have(&controls, VMX_VMFUNC_EPTP_SWITCHING));
	vmcs_set(&vmcs, VMCS_PROC_CONTROLS, 0);
	vmcs_set(&vmcs, VMCS_EXIT_CONTROLS, 0);
	vmx_controls_read(&vmcs, &controls);
	CHECK_EQ(controls.word[VMX_WORD_PROC2] | controls.word[VMX_WORD_PROC3], 0);
	CHECK_EQ(controls.word[VMX_WORD_EXITCTL2] | controls.word[VMX_WORD_VMFUNC], 0);
	CHECK_EQ(vmx_word_of_field(VMCS_PROC2_CONTROLS), VMX_WORD_PROC2);
	CHECK_EQ(vmx_word_of_field(VMCS_VPID), VMX_WORD_COUNT);
}

TEST("an EPT pointer needs a memory type, a walk length and flags that the processor has, and no reserved bit")
{
	struct vmx_capability nehalem = vmx_rig_capability("nehalem"), max = vmx_rig_capability("max-intel");
	u64 good = 0x1000 | 3 << 3 | EPT_WB;

	CHECK(ept_pointer_valid(&nehalem, good, 36));
	CHECK(ept_pointer_valid(&nehalem, good & ~EPTP_MEMORY_TYPE, 36));
	CHECK(!ept_pointer_valid(&nehalem, good ^ 2, 36));
	CHECK(!ept_pointer_valid(&nehalem, 0x1000 | 4 << 3 | EPT_WB, 36));
	CHECK(ept_pointer_valid(&max, 0x1000 | 4 << 3 | EPT_WB, 36));
	CHECK(!ept_pointer_valid(&max, 0x1000 | 2 << 3 | EPT_WB, 36));
	CHECK(!ept_pointer_valid(&nehalem, good | EPTP_ACCESSED_DIRTY, 36));
	CHECK(ept_pointer_valid(&max, good | EPTP_ACCESSED_DIRTY, 36));
	CHECK(!ept_pointer_valid(&nehalem, good | EPTP_SHADOW_STACK, 36));
	CHECK(!ept_pointer_valid(&max, good | BIT(8), 36));
	CHECK(ept_pointer_valid(&max, good | BIT(35), 36));
	CHECK(!ept_pointer_valid(&max, good | BIT(36), 36));
}

TEST("EPT entries that write without reading, or set reserved bits or types, are misconfigured")
{
	struct vmx_capability cap = vmx_rig_capability("nehalem"), no_xonly = cap;
	u64 leaf = 0x5000 | EPT_READ | (u64)EPT_WB << EPT_MEMORY_TYPE_SHIFT, table = 0x5000 | EPT_READ;

	no_xonly.msr[VMX_CAP_EPT_VPID_CAP] &= ~VMX_EPT_CAP_EXECUTE_ONLY;
	CHECK(!ept_entry_misconfigured(&cap, leaf, 1, false, 36));
	CHECK(ept_entry_misconfigured(&cap, (leaf & ~EPT_READ) | EPT_WRITE, 1, false, 36));
	CHECK(!ept_entry_misconfigured(&cap, (leaf & ~EPT_READ) | EPT_EXECUTE, 1, false, 36));
	CHECK(ept_entry_misconfigured(&no_xonly, (leaf & ~EPT_READ) | EPT_EXECUTE, 1, false, 36));
	CHECK(ept_entry_misconfigured(&no_xonly, (leaf & ~EPT_READ) | EPT_USER_EXECUTE, 1, true, 36));
	CHECK(ept_entry_misconfigured(&cap, leaf | BIT(36), 1, false, 36));
	CHECK(ept_entry_misconfigured(&cap, 0x5000 | EPT_READ | 2 << 3, 1, false, 36));
	CHECK(!ept_entry_misconfigured(&cap, table, 4, false, 36));
	CHECK(ept_entry_misconfigured(&cap, table | BIT(3), 4, false, 36));
	CHECK(ept_entry_misconfigured(&cap, table | EPT_LARGE, 4, false, 36));
	CHECK(ept_entry_misconfigured(&cap, leaf | EPT_LARGE, 2, false, 36));
	CHECK(!ept_entry_misconfigured(&cap, (leaf & ~0x5000ull) | EPT_LARGE | 0x200000, 2, false, 36));
	CHECK(ept_entry_misconfigured(&cap, (leaf & ~0x5000ull) | EPT_LARGE | BIT(30), 3, false, 36));
	CHECK(ept_entry_present(EPT_USER_EXECUTE, true) && !ept_entry_present(EPT_USER_EXECUTE, false));
}

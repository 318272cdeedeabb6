/* Capabilities for tests: see vmx_rig.h. */
#include "vmx_rig.h"
#include "x86/model.h"

struct feature_set vmx_rig_features(const char *model)
{
	return model_find(model)->features;
}

struct vmx_capability vmx_rig_capability(const char *model)
{
	struct feature_set features = vmx_rig_features(model);
	struct vmx_capability capability;

	vmx_capability_compute(&capability, &features);
	return capability;
}

struct vmx_capability vmx_rig_everything(void)
{
	struct vmx_capability capability = vmx_rig_capability("max-intel");

	for (u32 control = 0; control < VMX_CONTROL_LIMIT; control++) {
		enum vmx_word word = control / VMX_WORD_BITS;
		u64 bit = vmx_control_bit(control);
		bool wide = word == VMX_WORD_PROC3 || word == VMX_WORD_EXITCTL2 || word == VMX_WORD_VMFUNC;

		if (vmx_control_name(control))
			capability.msr[vmx_capability_word_msr(&capability, word)] |= wide ? bit : bit << 32;
	}
	vmx_capability_derive_fields(&capability);
	return capability;
}

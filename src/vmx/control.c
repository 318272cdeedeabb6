/* Control words and the names of their bits: see control.h. */
#include "vmx/control.h"
#include "base/string.h"

static const struct {
	const char *name;
	u16 field;
} words[VMX_WORD_COUNT] = {
#define WORD(id, field_, msr, true_msr, default1, name_) [VMX_WORD_##id] = { name_, VMCS_##field_ },
#include "vmx/control.def"
};

static const char *const names[VMX_CONTROL_LIMIT] = {
#define CONTROL(word, id, bit, feature, name) [VMX_##word##_##id] = name,
#include "vmx/control.def"
};

void vmx_controls_read(const struct vmcs *vmcs, struct vmx_controls *controls)
{
	u64 *word = controls->word;

	for (enum vmx_word i = 0; i < VMX_WORD_COUNT; i++)
		word[i] = vmcs->value[words[i].field];
	if (!vmx_controls_have(controls, VMX_PROC_ACTIVATE_SECONDARY))
		word[VMX_WORD_PROC2] = 0;
	if (!vmx_controls_have(controls, VMX_PROC_ACTIVATE_TERTIARY))
		word[VMX_WORD_PROC3] = 0;
	if (!vmx_controls_have(controls, VMX_EXITCTL_ACTIVATE_SECONDARY))
		word[VMX_WORD_EXITCTL2] = 0;
	if (!vmx_controls_have(controls, VMX_PROC2_VM_FUNCTIONS))
		word[VMX_WORD_VMFUNC] = 0;
}

enum vmcs_field vmx_word_field(enum vmx_word word)
{
	return words[word].field;
}

const char *vmx_word_name(enum vmx_word word)
{
	return words[word].name;
}

enum vmx_word vmx_word_of_field(enum vmcs_field field)
{
	enum vmx_word word = 0;

	while (word < VMX_WORD_COUNT && words[word].field != field)
		word++;
	return word;
}

const char *vmx_control_name(enum vmx_control control)
{
	return control < VMX_CONTROL_LIMIT ? names[control] : NULL;
}

enum vmx_control vmx_control_find(enum vmx_word word, const char *name)
{
	u32 first = word * VMX_WORD_BITS;

	for (u32 control = first; control < first + VMX_WORD_BITS; control++)
		if (names[control] && !strcmp(names[control], name))
			return control;
	return VMX_CONTROL_LIMIT;
}

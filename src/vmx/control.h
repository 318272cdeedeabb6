/*
 * The VMX controls by name, from control.def.
 *
 * A control is a word and a bit in it, in one number that the compiler knows: asking for one is a test of a bit. The
 * controls in force are words that the VMCS does not activate read as 0.
 */
#ifndef VMX_CONTROL_H
#define VMX_CONTROL_H

#include "vmx/vmcs.h"
#include "x86/feature.h"

enum vmx_word {
#define WORD(id, ...) VMX_WORD_##id,
#include "vmx/control.def"
	VMX_WORD_COUNT
};

#define VMX_WORD_BITS 64

enum vmx_control {
#define CONTROL(word, id, bit, ...) VMX_##word##_##id = VMX_WORD_##word * VMX_WORD_BITS + (bit),
#include "vmx/control.def"
	VMX_CONTROL_LIMIT = VMX_WORD_COUNT * VMX_WORD_BITS
};

#define FEAT_ABSENT FEAT_COUNT /* the feature of controls that no model has */

struct vmx_controls {
	u64 word[VMX_WORD_COUNT];
};

static inline bool vmx_controls_have(const struct vmx_controls *controls, enum vmx_control control)
{
	return controls->word[control / VMX_WORD_BITS] >> (control % VMX_WORD_BITS) & 1;
}

static inline u64 vmx_control_bit(enum vmx_control control)
{
	return BIT(control % VMX_WORD_BITS);
}

/* The controls in force: of words that are not activated, all 0. */
void vmx_controls_read(const struct vmcs *vmcs, struct vmx_controls *controls);

enum vmcs_field vmx_word_field(enum vmx_word word);
const char *vmx_word_name(enum vmx_word word);
enum vmx_word vmx_word_of_field(enum vmcs_field field); /* VMX_WORD_COUNT if it is not a control word */

/* The manual's name without quotes; NULL if the bit has none. */
const char *vmx_control_name(enum vmx_control control);

/* The control of a name, which must be exact, in a word; VMX_CONTROL_LIMIT if there is none. */
enum vmx_control vmx_control_find(enum vmx_word word, const char *name);

#endif

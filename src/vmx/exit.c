/* Names of exit reasons and VM-instruction errors: see exit.h. */
#include "vmx/exit.h"
#include "base/compiler.h"

static const struct {
	const char *name, *qualification;
} exits[] = {
#define EXIT(id, number, name, qualification) [number] = { name, qualification },
#include "vmx/exit.def"
};

static const char *const errors[] = {
#define ERROR(id, number, text) [number] = text,
#include "vmx/error.def"
};

static bool is_known(u32 basic)
{
	return basic < ARRAY_LENGTH(exits) && exits[basic].name;
}

const char *vmx_exit_name(u32 reason)
{
	u32 basic = reason & VMX_EXIT_BASIC;

	return is_known(basic) ? exits[basic].name : "reserved";
}

const char *vmx_exit_qualification(u32 reason)
{
	u32 basic = reason & VMX_EXIT_BASIC;

	return is_known(basic) ? exits[basic].qualification : "0";
}

const char *vmx_error_text(u32 error)
{
	return error < ARRAY_LENGTH(errors) && errors[error] ? errors[error] : "reserved";
}

/* The checks on the host-state area, from check_host.def. */
#include "vmx/check_view.h"

bool vmx_check_host(const struct vmx_entry *e, struct vmx_check_report *report)
{
	enum { CHECK_FIRST = __COUNTER__ + 1 };
	struct check_view view = check_begin(e, VMX_CHECK_HOST, report), *c = &view;

#include "vmx/check_host.def"
	return !c->failures;
}

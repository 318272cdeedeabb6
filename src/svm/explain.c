/* One-line explanations of failed checks and of exits: see explain.h. */
#include "svm/explain.h"

#include "base/format.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/exit_info.h"
#include "svm/npt.h"

typedef unsigned long long ull; /* what %llx takes */

/* Text that is cut where its buffer ends, and its whole length. */
struct text {
	char *out;
	size_t size, length;
};

static void add(struct text *text, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add(struct text *text, const char *fmt, ...)
{
	size_t used = min_u64(text->length, text->size);
	va_list args;

	va_start(args, fmt);
	text->length += format_list(text->out + used, text->size - used, fmt, args);
	va_end(args);
}

size_t svm_explain_check(const struct svm_entry *entry, enum svm_check_id check, char *out, size_t size)
{
	const struct svm_check_info *info = svm_check_info(check);
	struct text text = { out, size, 0 };

	add(&text, "%s: %s (", info->id, info->wrong);
	for (unsigned i = 0; i < info->field_count; i++)
		add(&text, "%s%s = 0x%llx", i ? ", " : "", vmcb_field_info(info->fields[i])->name,
		    (ull)vmcb_read(entry->vmcb, info->fields[i]));
	add(&text, "), %s (\"%s\")", info->expected, info->heading);
	return text.length;
}

static void explain_npf(struct text *text, u64 error)
{
	add(text, ": %s, %s, %s, %s%s",
	    error & NPF_ERROR_GUEST_TABLE ? "guest page table" :
	    error & NPF_ERROR_FINAL ? "final address" : "unknown step",
	    error & NPF_ERROR_I ? "fetch" : error & NPF_ERROR_W ? "write" : "read",
	    error & NPF_ERROR_U ? "user" : "supervisor", error & NPF_ERROR_P ? "present" : "not present",
	    error & NPF_ERROR_RSVD ? ", reserved bit set" : "");
}

static void explain_ioio(struct text *text, u64 info)
{
	add(text, ": %s%s%s, port 0x%llx, %llu byte(s)", info & SVM_IOIO_REP ? "REP " : "",
	    info & SVM_IOIO_IN ? "IN" : "OUT", info & SVM_IOIO_STRING ? "S" : "",
	    (ull)((info & SVM_IOIO_PORT) >> SVM_IOIO_PORT_SHIFT), (ull)((info & SVM_IOIO_SIZE) >> SVM_IOIO_SIZE_SHIFT));
}

static void explain_info1(struct text *text, const struct vmcb_control *control)
{
	if (control->exit_code == SVM_EXIT_NPF)
		explain_npf(text, control->exit_info1);
	else if (control->exit_code == SVM_EXIT_IOIO)
		explain_ioio(text, control->exit_info1);
	else if (control->exit_code == SVM_EXIT_MSR)
		add(text, ": %s", control->exit_info1 & SVM_MSR_WRITE ? "WRMSR" : "RDMSR");
	else
		add(text, ": %s", svm_exit_info1(control->exit_code));
}

static void explain_delivery(struct text *text, u64 event)
{
	static const char *const types[] = { "interrupt", "reserved type 1", "NMI", "exception", "software interrupt",
					     "reserved type 5", "reserved type 6", "reserved type 7" };

	if (!svm_event_valid(event))
		return;
	add(text, "; while delivering %s, vector %u", types[svm_event_type(event)], svm_event_vector(event));
	if (event & SVM_EVENT_ERROR_VALID)
		add(text, ", error code 0x%x", svm_event_error_code(event));
}

size_t svm_explain_exit(const struct vmcb *vmcb, char *out, size_t size)
{
	const struct vmcb_control *control = &vmcb->control;
	char name[SVM_EXIT_NAME_SIZE];
	struct text text = { out, size, 0 };

	add(&text, "%s (0x%llx)", svm_exit_name(control->exit_code, name), (ull)control->exit_code);
	if (svm_exit_info1(control->exit_code)[0]) {
		add(&text, ": EXITINFO1 0x%llx", (ull)control->exit_info1);
		explain_info1(&text, control);
	}
	if (svm_exit_info2(control->exit_code)[0])
		add(&text, "; EXITINFO2 0x%llx: %s", (ull)control->exit_info2, svm_exit_info2(control->exit_code));
	explain_delivery(&text, control->exit_int_info);
	return text.length;
}

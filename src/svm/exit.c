/* Names and meanings of exit codes: see exit.h. */
#include "svm/exit.h"

#include "base/compiler.h"
#include "base/format.h"

static const struct exit_row {
	s16 first, count;
	bool numbered;
	const char *name, *rest, *info1, *info2;
} exits[] = {
#define EXIT(id, code, name, info1, info2) { code, 1, false, name, "", info1, info2 },
#define RANGE(id, first, count, name, rest, info1, info2) { first, count, true, name, rest, info1, info2 },
#include "svm/exit.def"
};

static const struct exit_row *find(u64 code)
{
	for (size_t i = 0; i < ARRAY_LENGTH(exits); i++)
		if (code - (u64)(s64)exits[i].first < (u64)exits[i].count)
			return &exits[i];
	return NULL;
}

const char *svm_exit_name(u64 code, char out[SVM_EXIT_NAME_SIZE])
{
	const struct exit_row *row = find(code);

	if (!row)
		format(out, SVM_EXIT_NAME_SIZE, "reserved");
	else if (row->numbered)
		format(out, SVM_EXIT_NAME_SIZE, "VMEXIT_%s%u%s", row->name, (unsigned)code - (unsigned)row->first,
		       row->rest);
	else
		format(out, SVM_EXIT_NAME_SIZE, "VMEXIT_%s", row->name);
	return out;
}

const char *svm_exit_info1(u64 code)
{
	const struct exit_row *row = find(code);

	return row ? row->info1 : "";
}

const char *svm_exit_info2(u64 code)
{
	const struct exit_row *row = find(code);

	return row ? row->info2 : "";
}

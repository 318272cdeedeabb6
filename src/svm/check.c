/* Runs VMRUN's checks and names them: see check.h. */
#include "svm/check.h"

#include "base/string.h"

static const struct svm_check_info checks[SVM_CHECK_COUNT] = {
#define RULE(name, id, wrong, expected, heading, ...)                                                                  \
	[SVM_CHECK_##name] = { id, wrong, expected, heading, sizeof((u8[]){ __VA_ARGS__ }), { __VA_ARGS__ } },
#include "svm/check.def"
};

static bool (*const illegal[SVM_CHECK_COUNT])(const struct svm_entry *entry) = {
#define RULE(name, ...) [SVM_CHECK_##name] = svm_illegal_##name,
#include "svm/check.def"
};

const struct svm_check_info *svm_check_info(enum svm_check_id check)
{
	return &checks[check];
}

enum svm_check_id svm_check_find(const char *id)
{
	enum svm_check_id check = 0;

	while (check < SVM_CHECK_COUNT && strcmp(checks[check].id, id))
		check++;
	return check;
}

bool svm_check(const struct svm_entry *entry, struct svm_check_report *report)
{
	report->count = 0;
	for (enum svm_check_id i = 0; i < SVM_CHECK_COUNT; i++)
		if (illegal[i](entry))
			report->failed[report->count++] = i;
	return report->count == 0;
}

enum svm_check_id svm_check_first(const struct svm_entry *entry)
{
	enum svm_check_id check = 0;

	while (check < SVM_CHECK_COUNT && !illegal[check](entry))
		check++;
	return check;
}

/* Names and features of intercepts: see intercept.h. */
#include "svm/intercept.h"

#include "base/format.h"
#include "svm/exit.h"

/* "Intercept exit codes are equal to the bit position of the corresponding flag in the VMCB's intercept vector." */
#define ASSERT_POSITION(id) _Static_assert((int)SVM_INTERCEPT_##id == (int)SVM_EXIT_##id, #id);
#define INTERCEPT(id, ...) ASSERT_POSITION(id)
#define RANGE(id, ...) ASSERT_POSITION(id)
#include "svm/intercept.def"

static const struct intercept_row {
	u8 first, count;
	bool numbered;
	u8 feature;
	const char *name;
} intercepts[] = {
#define INTERCEPT(id, vector, bit, feature, name) { SVM_INTERCEPT_##id, 1, false, FEAT_##feature, name },
#define RANGE(id, vector, bit, count, feature, name) { SVM_INTERCEPT_##id, count, true, FEAT_##feature, name },
#include "svm/intercept.def"
};

static const struct intercept_row *find(unsigned position)
{
	for (size_t i = 0; i < ARRAY_LENGTH(intercepts); i++)
		if (position - intercepts[i].first < intercepts[i].count)
			return &intercepts[i];
	return NULL;
}

const char *svm_intercept_name(unsigned position, char out[SVM_INTERCEPT_NAME_SIZE])
{
	const struct intercept_row *row = find(position);

	if (!row)
		format(out, SVM_INTERCEPT_NAME_SIZE, "reserved");
	else if (row->numbered)
		format(out, SVM_INTERCEPT_NAME_SIZE, "%s%u", row->name, position - row->first);
	else
		format(out, SVM_INTERCEPT_NAME_SIZE, "%s", row->name);
	return out;
}

enum feature svm_intercept_feature(unsigned position)
{
	const struct intercept_row *row = find(position);

	return row ? row->feature : FEAT_ABSENT;
}

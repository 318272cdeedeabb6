/* The nearest name by edit distance. See nearest.h. */
#include "base/nearest.h"

#include "base/bits.h"
#include "base/string.h"

#define NAME_MAX_LENGTH 32
#define PREFIX_DISTANCE 1 /* who writes --mem means --memory */
#define PREFIX_MIN_LENGTH 3

/* Letters to insert, delete or replace to turn one name into the other (Levenshtein); long words count as far. */
static size_t edits(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[NAME_MAX_LENGTH + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 0; i < a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t replace = diagonal + (a[i] != b[j]);

			diagonal = row[j + 1];
			row[j + 1] = min_u64(replace, 1 + min_u64(diagonal, row[j]));
		}
	}
	return row[b_length];
}

static size_t distance(const char *word, size_t length, const char *name)
{
	size_t name_length = strlen(name);

	if (length > NAME_MAX_LENGTH || name_length > NAME_MAX_LENGTH)
		return NAME_MAX_LENGTH;
	if (length >= PREFIX_MIN_LENGTH && length < name_length && !memcmp(word, name, length))
		return PREFIX_DISTANCE;
	return edits(word, length, name, name_length);
}

const char *nearest_name(const char *word, size_t length, const char *(*name)(size_t index))
{
	const char *best = name(0);

	for (size_t i = 1; name(i); i++)
		if (distance(word, length, name(i)) < distance(word, length, best))
			best = name(i);
	return best;
}

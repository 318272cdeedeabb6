/*
 * The known name nearest to a mistyped one, so that an error can say what was probably meant.
 */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/types.h"

/*
 * word: length characters. name(0), name(1)... are the known names, NULL after the last; there is at least one. Among
 * equally near names the first wins.
 */
const char *nearest_name(const char *word, size_t length, const char *(*name)(size_t index));

#endif

/* The test bench is the unit tests' own. */
#include "../unit/board_double.h"

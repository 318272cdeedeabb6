/* The host's doubles are the unit tests' own. */
#include "../unit/host_double.c"

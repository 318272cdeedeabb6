/* The host's disks and networks are the unit tests' own. */
#include "../unit/disk_double.h"

/* The driver's side is the unit tests' own. */
#include "../unit/virtio_driver.h"

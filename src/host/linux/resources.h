/* What this host, and the limits on this process, have to give. */
#ifndef HOST_LINUX_RESOURCES_H
#define HOST_LINUX_RESOURCES_H

#include "base/types.h"

/* Bytes of memory: the host's, or what a control group or resource limit leaves of it. */
u64 host_memory_total(void);
/* Of that, what could be had now without swapping. */
u64 host_memory_available(void);

#endif

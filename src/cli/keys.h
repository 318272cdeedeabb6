/* Keys that Subring takes from the terminal before the guest sees them: Ctrl-a and a letter. */
#ifndef CLI_KEYS_H
#define CLI_KEYS_H

#include "base/types.h"

struct keys {
	bool escaped; /* the last byte was Ctrl-a */
	void (*quit)(void *context);
	void *context;
};

/* A stream_filter: context is the keys. */
size_t keys_filter(void *keys, u8 *bytes, size_t count);

#endif

/* Numbers, sizes and times as people write them. */
#ifndef CLI_VALUES_H
#define CLI_VALUES_H

#include "base/types.h"
#include "host/host.h"

/* "512M", "2G", "1.5G", "0x1000", "4096" (bytes): suffixes K M G T (1024 each) with optional iB or B. false: not a size. */
MUST_USE bool parse_size(const char *text, u64 *bytes);
/* "90", "1.5", "90s", "2m", "1h", "500ms": more than 0 and at most 570 years, in nanoseconds. false: not a time. */
MUST_USE bool parse_duration(const char *text, u64 *ns);
/* low to high, decimal or 0x hexadecimal. false: error names the option and what it expects. */
MUST_USE bool parse_number(const char *option, const char *text, u64 low, u64 high, u64 *out, struct host_error *error);

#endif

/* Which engine runs the machine, and why. */
#ifndef CLI_ENGINES_H
#define CLI_ENGINES_H

#include "engine/engine.h"

/* Whether words is "auto" or names engines that there are. false: error says which is not known. */
MUST_USE bool engines_check(const char *words, struct host_error *error);

/*
 * words: "auto" or a comma-separated list in order of preference. The first that can run here; reason is one line that says
 * which and why. NULL: error.
 */
const struct engine_ops *engines_choose(const char *words, struct host_error *reason, struct host_error *error);

#endif

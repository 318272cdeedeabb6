/* key=value,key=value words of an option's argument. */
#ifndef CLI_SUBOPTIONS_H
#define CLI_SUBOPTIONS_H

#include "base/types.h"
#include "host/host.h"

/*
 * Takes the next word off *rest (which it cuts up in place): the key in *key, its value in *value ("" if there is no '=').
 * A doubled comma stands for one comma in a value. false: no more.
 */
bool suboption_next(char **rest, char **key, char **value);

/* "on", "yes", "true", "1" and their opposites. false with error naming key otherwise. */
bool suboption_switch(const char *key, const char *value, bool *out, struct host_error *error);

#endif

/* Messages on stderr: which machine they are about. */
#ifndef HOST_LINUX_LOG_H
#define HOST_LINUX_LOG_H

/* From now on every message begins with the name, too. It is kept, not copied; NULL: no name. Before any thread exists. */
void log_set_name(const char *name);

#endif

/* Finding other programs. See program.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/linux/program.h"

/* Where system programs are, which an ordinary user's PATH may leave out. */
#define SYSTEM_FOLDERS "/usr/local/sbin:/usr/sbin:/sbin"

static bool find_in(const char *folders, const char *name, char *path, size_t size)
{
	while (*folders) {
		int length = (int)strcspn(folders, ":");

		snprintf(path, size, "%.*s/%s", length, folders, name);
		if (length && !access(path, X_OK))
			return true;
		folders += length + (folders[length] == ':');
	}
	return false;
}

bool program_find(const char *name, char *path, size_t size)
{
	const char *folders = getenv("PATH");

	return find_in(folders ? folders : "/usr/bin:/bin", name, path, size) || find_in(SYSTEM_FOLDERS, name, path, size);
}

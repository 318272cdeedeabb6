/* Whole files into memory: a copy, so that a file that changes or shrinks during the run does no harm. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/linux/file.h"

static bool read_all(int fd, u8 *bytes, u64 size)
{
	for (u64 done = 0; done < size;) {
		ssize_t count = read(fd, bytes + done, size - done);

		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0)
			return false;
		done += (u64)count;
	}
	return true;
}

static bool read_open_file(int fd, const char *what, const char *path, u8 **bytes, u64 *size, struct host_error *error)
{
	struct stat status;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode)) {
		host_error_set(error, "%s '%s' is not a regular file", what, path);
		return false;
	}
	if (!status.st_size) {
		host_error_set(error, "%s '%s' is empty", what, path);
		return false;
	}
	*size = (u64)status.st_size;
	*bytes = malloc(*size);
	if (!*bytes) {
		host_error_set(error, "%s '%s': out of memory for %llu bytes", what, path, (unsigned long long)*size);
		return false;
	}
	if (!read_all(fd, *bytes, *size)) {
		host_error_set(error, "%s '%s' cannot be read: %s", what, path, errno ? strerror(errno) : "it got shorter");
		free(*bytes);
		return false;
	}
	return true;
}

bool file_read(const char *what, const char *path, u8 **bytes, u64 *size, struct host_error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe that nobody writes must not hold us up */
	bool ok;

	if (fd < 0) {
		host_error_set(error, "%s '%s': %s", what, path, strerror(errno));
		return false;
	}
	ok = read_open_file(fd, what, path, bytes, size, error);
	close(fd);
	return ok;
}

/*
 * Memory from Linux. Guest RAM is a memfd, so that helper processes and snapshots can share it; nothing of it costs
 * host memory before the guest touches it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/host.h"

static void *map(u64 bytes, int flags, int fd, struct host_error *error)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);

	if (memory == MAP_FAILED) {
		host_error_set(error, "cannot map %llu MiB of memory: %s; give the machine less",
			       (unsigned long long)bytes >> 20, strerror(errno));
		return NULL;
	}
	return memory;
}

void *host_memory_map(u64 bytes, bool shared, struct host_error *error)
{
	void *memory = NULL;
	int fd;

	if (!shared)
		return map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1, error);
	fd = memfd_create("subring-ram", MFD_CLOEXEC);
	if (fd < 0) {
		host_error_set(error, "cannot create shared memory: %s", strerror(errno));
		return NULL;
	}
	if (ftruncate(fd, (off_t)bytes))
		host_error_set(error, "cannot size shared memory to %llu MiB: %s", (unsigned long long)bytes >> 20,
			       strerror(errno));
	else
		memory = map(bytes, MAP_SHARED, fd, error);
	close(fd); /* the mapping keeps the memory */
	return memory;
}

void host_memory_unmap(void *memory, u64 bytes)
{
	if (memory)
		munmap(memory, bytes);
}

void *host_allocate(size_t bytes)
{
	return calloc(1, bytes ? bytes : 1);
}

void host_free(void *memory)
{
	free(memory);
}

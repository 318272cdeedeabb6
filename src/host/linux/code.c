/*
 * Memory for generated code on Linux: one memfd, mapped twice.
 *
 * Neither mapping is ever writable and executable at once, which also satisfies hosts whose security policy
 * refuses such pages.
 */
#include <sys/mman.h>
#include <unistd.h>

#include <cpuid.h>

#include "host/code.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u /* since Linux 6.3: says that the file is meant to be executed */
#endif

static int open_memory(size_t bytes)
{
	int fd = memfd_create("subring-code", MFD_CLOEXEC | MFD_EXEC);

	if (fd < 0)
		fd = memfd_create("subring-code", MFD_CLOEXEC); /* an older kernel knows no such flag */
	if (fd >= 0 && ftruncate(fd, (off_t)bytes) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

void *host_code_allocate(size_t bytes, void **writable)
{
	int fd = open_memory(bytes);
	void *code, *data;

	if (fd < 0)
		return NULL;
	data = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	code = mmap(NULL, bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	close(fd);
	if (data == MAP_FAILED || code == MAP_FAILED) {
		if (data != MAP_FAILED)
			munmap(data, bytes);
		if (code != MAP_FAILED)
			munmap(code, bytes);
		return NULL;
	}
	*writable = data;
	return code;
}

void host_code_free(void *code, void *writable, size_t bytes)
{
	munmap(code, bytes);
	munmap(writable, bytes);
}

void host_code_synchronize(void)
{
	unsigned eax, ebx, ecx, edx;

	__cpuid(0, eax, ebx, ecx, edx); /* a serializing instruction; its answer is of no interest */
	(void)(eax + ebx + ecx + edx);
}

/*
 * Memory that a guest could get. In a container the control group's limit counts, not the machine's size: who goes beyond it is
 * killed without a word.
 */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bits.h"
#include "host/linux/resources.h"

#define NO_LIMIT (~0ull)
#define PATH_BYTES 4096

/* A number from a file of one word; NO_LIMIT for "max", no file or no number. */
static u64 read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long long value = NO_LIMIT;

	if (!file)
		return NO_LIMIT;
	if (fscanf(file, "%llu", &value) != 1)
		value = NO_LIMIT;
	fclose(file);
	return value;
}

/* The tightest limit of this process's control group (version 2) and those above it. */
static u64 group_limit(void)
{
	char line[PATH_BYTES], path[PATH_BYTES + 64], *end;
	FILE *file = fopen("/proc/self/cgroup", "re");
	u64 limit = read_number("/sys/fs/cgroup/memory/memory.limit_in_bytes"); /* version 1, in a container */

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3))
			continue;
		line[strcspn(line, "\n")] = 0;
		while ((end = strrchr(line + 3, '/'))) {
			snprintf(path, sizeof(path), "/sys/fs/cgroup%s/memory.max", line + 3);
			limit = min_u64(limit, read_number(path));
			*end = 0;
		}
		limit = min_u64(limit, read_number("/sys/fs/cgroup/memory.max"));
	}
	if (file)
		fclose(file);
	return limit;
}

u64 host_memory_total(void)
{
	u64 bytes = (u64)sysconf(_SC_PHYS_PAGES) * (u64)sysconf(_SC_PAGESIZE);
	struct rlimit space;

	if (!getrlimit(RLIMIT_AS, &space) && space.rlim_cur != RLIM_INFINITY)
		bytes = min_u64(bytes, space.rlim_cur);
	return min_u64(bytes, group_limit());
}

u64 host_memory_available(void)
{
	char line[256];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	while (file && fgets(line, sizeof(line), file) && !sscanf(line, "MemAvailable: %llu", &kib))
		;
	if (file)
		fclose(file);
	return min_u64((u64)kib << 10, host_memory_total());
}

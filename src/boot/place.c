/* How a loader gets things into guest memory: see place.h. */
#include "boot/place.h"

#include "base/bits.h"
#include "base/string.h"

static u8 *place_at(struct memory *memory, gpa_t at, u64 size, const char *what, struct host_error *error)
{
	u8 *host = memory_at(memory, at, size);

	if (!host)
		host_error_set(
			error,
			"%s: %#llx bytes at %#llx do not fit in the machine's memory (%llu MiB); use more memory", what,
			(unsigned long long)size, (unsigned long long)at, (unsigned long long)memory->bytes >> 20);
	return host;
}

bool place_bytes(struct memory *memory, gpa_t at, const void *bytes, u64 size, const char *what,
		 struct host_error *error)
{
	u8 *host;

	if (!size)
		return true;
	host = place_at(memory, at, size, what, error);
	if (!host)
		return false;
	memcpy(host, bytes, size);
	memory_written(memory, at, size);
	return true;
}

bool place_zeroes(struct memory *memory, gpa_t at, u64 size, const char *what, struct host_error *error)
{
	u8 *host;

	if (!size)
		return true;
	host = place_at(memory, at, size, what, error);
	if (!host)
		return false;
	memset(host, 0, size);
	memory_written(memory, at, size);
	return true;
}

bool place_image(struct memory *memory, gpa_t at, const void *bytes, u64 size, u64 memory_size, const char *what,
		 struct host_error *error)
{
	if (at < PLACE_EXTENDED_BASE && memory_size > PLACE_AREA_BASE - min_u64(at, PLACE_AREA_BASE)) {
		host_error_set(error,
			       "%s: %#llx bytes at %#llx overlap the boot loader's and firmware's area, %#llx to %#llx",
			       what, (unsigned long long)memory_size, (unsigned long long)at, PLACE_AREA_BASE,
			       PLACE_EXTENDED_BASE);
		return false;
	}
	/* Judged as a whole: the sum of two parts that fit may not. */
	if (memory_size && !place_at(memory, at, memory_size, what, error))
		return false;
	return place_bytes(memory, at, bytes, size, what, error) &&
	       place_zeroes(memory, at + size, memory_size - size, what, error);
}

gpa_t place_string(struct memory *memory, struct place_strings *strings, const void *bytes, u64 size, const char *what,
		   struct host_error *error)
{
	gpa_t at = strings->next;

	if (size > PLACE_AREA_END - at) {
		host_error_set(error, "%s: command lines and module lists need more than %llu bytes together", what,
			       PLACE_AREA_END - PLACE_STRINGS);
		return 0;
	}
	if (!place_bytes(memory, at, bytes, size, what, error))
		return 0;
	strings->next = min_u64(align_up(at + size, 8), PLACE_AREA_END);
	return at;
}

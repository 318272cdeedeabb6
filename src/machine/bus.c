/*
 * The bus: finds the device behind an address.
 *
 * Regions are few (some dozens) and sorted, so a walk is enough. An access that reaches past a region's end, or is
 * wider than the device's registers, is cut into smaller ones here, so that no device has to think about it.
 */
#include "machine/bus.h"

#include "base/bits.h"
#include "host/host.h"

void bus_init(struct bus *bus, struct host_mutex *lock)
{
	*bus = (struct bus){ .lock = lock };
}

void bus_lock(struct bus *bus)
{
	host_mutex_lock(bus->lock);
}

void bus_unlock(struct bus *bus)
{
	host_mutex_unlock(bus->lock);
}

bool bus_add(struct bus *bus, struct bus_region *region)
{
	struct bus_region **at = &bus->regions[region->space];
	u64 last = region->base + region->size - 1;

	if (!region->size || last < region->base)
		return false;
	while (*at && (*at)->base + ((*at)->size - 1) < region->base)
		at = &(*at)->next;
	if (*at && (*at)->base <= last)
		return false;
	region->next = *at;
	*at = region;
	return true;
}

void bus_remove(struct bus *bus, struct bus_region *region)
{
	for (struct bus_region **at = &bus->regions[region->space]; *at; at = &(*at)->next) {
		if (*at == region) {
			*at = region->next;
			region->next = NULL;
			return;
		}
	}
}

static struct bus_region *find(const struct bus *bus, enum bus_space space, u64 address)
{
	struct bus_region *region = bus->regions[space];

	while (region && region->base + (region->size - 1) < address)
		region = region->next;
	return region && region->base <= address ? region : NULL;
}

/* The size of the pieces that an access must be cut into to suit the region: size itself if none. */
static unsigned piece(const struct bus_region *region, u64 offset, unsigned size)
{
	if (region->size - offset < size)
		return 1;
	return region->ops->widest ? (unsigned)min_u64(size, region->ops->widest) : size;
}

u64 bus_read(struct bus *bus, enum bus_space space, u64 address, unsigned size)
{
	struct bus_region *region = find(bus, space, address);
	unsigned part = region ? piece(region, address - region->base, size) : 1;
	u64 value = 0;

	if (region && part == size)
		return region->ops->read(region->device, address - region->base, size) & byte_mask(size);
	if (!region && size == 1)
		return byte_mask(1);
	for (unsigned i = 0; i < size; i += part)
		value |= bus_read(bus, space, address + i, part) << 8 * i;
	return value;
}

void bus_write(struct bus *bus, enum bus_space space, u64 address, unsigned size, u64 value)
{
	struct bus_region *region = find(bus, space, address);
	unsigned part = region ? piece(region, address - region->base, size) : 1;

	if (region && part == size) {
		region->ops->write(region->device, address - region->base, size, value & byte_mask(size));
		return;
	}
	if (!region && size == 1)
		return;
	for (unsigned i = 0; i < size; i += part)
		bus_write(bus, space, address + i, part, value >> 8 * i);
}

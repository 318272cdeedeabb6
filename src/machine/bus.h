/*
 * Ports and memory-mapped registers: how an access of a processor finds its device.
 *
 * A device is an instance pointer with a table of functions; the board places it at an address. One lock per machine
 * serialises all devices: every function of a device runs with it held, whether a processor, a timer or the host's
 * I/O thread calls. Two machines in one process share nothing.
 */
#ifndef MACHINE_BUS_H
#define MACHINE_BUS_H

#include "base/compiler.h"
#include "base/types.h"

struct host_mutex;

enum bus_space { BUS_PORT, BUS_MEMORY, BUS_SPACES };

/* What a device does with an access: relative offset, size 1, 2, 4 or 8 bytes, never crossing the region's end. */
struct bus_ops {
	const char *name;
	unsigned widest; /* bytes; wider accesses arrive as several of this size, as on an ISA bus; 0: up to 8 */
	u64 (*read)(void *device, u64 offset, unsigned size);
	void (*write)(void *device, u64 offset, unsigned size, u64 value);
};

struct bus_region {
	const struct bus_ops *ops;
	void *device;
	enum bus_space space;
	u64 base, size;
	struct bus_region *next; /* sorted by base */
};

struct bus {
	struct host_mutex *lock;
	struct bus_region *regions[BUS_SPACES];
};

/* lock: owned by the caller. */
void bus_init(struct bus *bus, struct host_mutex *lock);

/* Places a region; false if it would overlap another. The region belongs to the caller and stays until removed. */
MUST_USE bool bus_add(struct bus *bus, struct bus_region *region);
void bus_remove(struct bus *bus, struct bus_region *region);
static inline bool bus_region_placed(const struct bus_region *region) { return region->size != 0; }

/* Take the lock around everything below (host_mutex_lock). Nobody's address: reads are all ones, writes vanish. */
void bus_lock(struct bus *bus);
void bus_unlock(struct bus *bus);
u64 bus_read(struct bus *bus, enum bus_space space, u64 address, unsigned size);
void bus_write(struct bus *bus, enum bus_space space, u64 address, unsigned size, u64 value);

#endif

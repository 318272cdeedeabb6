/*
 * PCI: bus 0, its host bridge, and what every function has: configuration space, BARs, capabilities, interrupts.
 *
 * There is no firmware, so pci_assign_resources() plays its part at power-on. Only function 0 of each device exists.
 *
 * Interrupt wires, for the writer of _PRT: INTA..INTD (pin 0..3) of device d on bus 0 is global system interrupt
 * LAYOUT_PCI_GSI_BASE + (d + pin) % LAYOUT_PCI_GSIS, an IOAPIC pin, level-triggered, active low by PCI's
 * convention (the line object here carries "asserted"). So: Package { d << 16 | 0xffff, pin, 0, 16 + (d + pin) % 8 }
 * for d = 0..31, pin = 0..3. The PIC is not wired: Interrupt Line reads 0xff, "no connection".
 */
#ifndef DEV_PCI_H
#define DEV_PCI_H

#include "base/compiler.h"
#include "base/types.h"
#include "dev/reset_control.h"
#include "machine/bus.h"
#include "machine/irq.h"
#include "machine/layout.h"

#define PCI_DEVICES 32u
#define PCI_BARS 6u
#define PCI_PINS 4u
#define PCI_CONFIG_BYTES 256u        /* conventional space; all our functions fit */
#define PCI_EXTENDED_CONFIG_BYTES 4096u
#define PCI_MSIX_VECTORS 16u         /* at most, per function */

/* "Configuration Space Decoding": the type 00h header. */
enum pci_register {
	PCI_VENDOR_ID = 0x00,
	PCI_DEVICE_ID = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION_ID = 0x08,
	PCI_CLASS_CODE = 0x09,
	PCI_CACHE_LINE_SIZE = 0x0c,
	PCI_LATENCY_TIMER = 0x0d,
	PCI_HEADER_TYPE = 0x0e,
	PCI_BASE_ADDRESS_0 = 0x10,
	PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
	PCI_SUBSYSTEM_ID = 0x2e,
	PCI_CAPABILITIES_POINTER = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
	PCI_HEADER_END = 0x40,
};

#define PCI_COMMAND_IO_SPACE 0x0001u
#define PCI_COMMAND_MEMORY_SPACE 0x0002u
#define PCI_COMMAND_BUS_MASTER 0x0004u
#define PCI_COMMAND_PARITY_ERROR_RESPONSE 0x0040u
#define PCI_COMMAND_SERR_ENABLE 0x0100u
#define PCI_COMMAND_INTERRUPT_DISABLE 0x0400u
#define PCI_STATUS_INTERRUPT 0x0008u
#define PCI_STATUS_CAPABILITIES_LIST 0x0010u
#define PCI_BAR_IO 0x1u
#define PCI_BAR_MEMORY_FLAGS 0xfu
#define PCI_BAR_IO_FLAGS 0x3u
#define PCI_INTERRUPT_LINE_NONE 0xffu

/* A capability opens with its id and the offset of the next one. */
#define PCI_CAPABILITY_NEXT 1u
#define PCI_CAPABILITY_VENDOR 0x09u
#define PCI_CAPABILITY_MSIX 0x11u

struct pci_identity {
	u16 vendor, device, subsystem_vendor, subsystem;
	u32 class_code; /* 24 bits: base class, sub-class, interface */
	u8 revision;
};

/* All optional, bus lock held. */
struct pci_function_ops {
	/* Before configuration bytes are read: bring state.config up to date. */
	void (*config_reading)(void *device, unsigned offset, unsigned size);
	/* After writable configuration bytes were written. */
	void (*config_written)(void *device, unsigned offset, unsigned size);
	/* Bus mastering was turned on: what waited for it may go on. */
	void (*mastering)(void *device);
	/* Power-on state, except configuration space. */
	void (*reset)(void *device);
	/* Whether the host still works on the function's requests; reset and snapshots wait for false. */
	bool (*busy)(void *device);
};

/* "MSI-X Table Entry". */
struct pci_msix_entry {
	u64 address;
	u32 data;
	u32 vector_control;
};

/* Everything that a snapshot needs of a function's PCI side; plain data. */
struct pci_function_state {
	u8 config[PCI_CONFIG_BYTES];
	struct pci_msix_entry msix[PCI_MSIX_VECTORS];
	u64 msix_pending; /* one bit per vector */
	bool intx;        /* the function wants its wire asserted */
};

struct pci_bar {
	struct bus_region region; /* region.base: where it is now, if placed */
	u64 bytes;                /* 0: no such BAR */
	bool placed;
};

struct pci_function {
	struct pci_function_state state;
	u8 writable[PCI_CONFIG_BYTES]; /* a mask: bits that software changes */
	struct pci_bar bars[PCI_BARS];
	const struct pci_function_ops *ops;
	void *device;
	struct pci_host *host;
	unsigned slot;
	unsigned capabilities_end, last_capability;
	unsigned msix; /* its capability's offset; 0: none */
	unsigned msix_vectors;
};

struct pci_host_state {
	u32 config_address;
};

struct pci_host {
	struct pci_host_state state;
	struct bus *bus;
	struct msi_sink msi;
	struct irq_line wires[LAYOUT_PCI_GSIS]; /* to IOAPIC pins LAYOUT_PCI_GSI_BASE and up */
	u32 asserted[LAYOUT_PCI_GSIS];          /* by whom: one bit per device */
	struct reset_control reset_control;     /* among the configuration ports */
	void (*reset)(void *target);            /* what it does; NULL: nothing */
	void *reset_target;
	struct pci_function *functions[PCI_DEVICES];
	struct pci_function bridge; /* 00:00.0 */
	struct bus_region ports, ecam;
};

/* ---- the bus (pci.c) ---- */

/*
 * Fills in a host with its bridge and places configuration ports and ECAM; false if those addresses are taken. The
 * caller then sets wires and reset.
 */
MUST_USE bool pci_host_init(struct pci_host *host, struct bus *bus, struct msi_sink msi);

/* Puts an initialised function at the lowest free device number; false if all are taken. */
MUST_USE bool pci_attach(struct pci_host *host, struct pci_function *function);

/*
 * What firmware does at power-on: gives every BAR an address and turns on decoding. false if a window is too small.
 */
MUST_USE bool pci_assign_resources(struct pci_host *host);

/* Power-on state of every function; pci_assign_resources() comes next. Only while pci_busy() is false. */
void pci_reset(struct pci_host *host);
bool pci_busy(const struct pci_host *host);

/* After states were loaded from a snapshot: BARs and interrupt wires follow. */
void pci_restored(struct pci_host *host);

/* Moves every BAR to where its registers say. One that would overlap another device waits till there is room. */
void pci_place_bars(struct pci_host *host);

/* ---- a function (pci_function.c) ---- */

void pci_function_init(struct pci_function *function, const struct pci_identity *identity,
		       const struct pci_function_ops *ops, void *device);
/* bytes: a power of two, at least 16 (memory) or 4 (I/O). The index is free. */
void pci_add_bar(struct pci_function *function, unsigned index, enum bus_space space, u64 bytes,
		 const struct bus_ops *ops, void *device);
/* Appends to the list of capabilities; returns the offset. The rest of its bytes are zero and read-only. */
unsigned pci_add_capability(struct pci_function *function, u8 id, unsigned bytes);
/* The function uses INTA. */
void pci_use_intx(struct pci_function *function);
void pci_function_reset(struct pci_function *function);

u32 pci_config_get(const struct pci_function *function, unsigned offset, unsigned size);
void pci_config_set(struct pci_function *function, unsigned offset, unsigned size, u32 value);
/* A processor's access: size 1 to 8 within PCI_EXTENDED_CONFIG_BYTES. */
u64 pci_config_read(struct pci_function *function, unsigned offset, unsigned size);
void pci_config_write(struct pci_function *function, unsigned offset, unsigned size, u64 value);

bool pci_bus_master(const struct pci_function *function);
/* Where the register says the BAR is, and whether it is decoded there. */
bool pci_bar_decoded(const struct pci_function *function, unsigned index, u64 *base);
void pci_set_intx(struct pci_function *function, bool level);
/* Drives the wire after something that gates it changed. */
void pci_update_intx(struct pci_function *function);

/* ---- MSI-X (pci_msix.c) ---- */

/* Adds the capability, with table and pending bits in a memory BAR of its own. vectors: 1 to PCI_MSIX_VECTORS. */
void pci_add_msix(struct pci_function *function, unsigned bar, unsigned vectors);
bool pci_msix_enabled(const struct pci_function *function);
/* Sends the vector's message, or notes it as pending while masked. Out of range, or MSI-X disabled: nothing. */
void pci_msix_send(struct pci_function *function, unsigned vector);
/* Sends what is pending and no longer masked. */
void pci_msix_update(struct pci_function *function);
void pci_msix_reset(struct pci_function *function);

#endif

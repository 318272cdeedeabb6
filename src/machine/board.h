/*
 * The board: every device of the machine, and the wires between them, made explicitly in one place (board.c).
 *
 * What the board cannot do alone, it asks of the machine through hooks.
 */
#ifndef MACHINE_BOARD_H
#define MACHINE_BOARD_H

#include "dev/acpi_pm.h"
#include "dev/debug_exit.h"
#include "dev/i8042.h"
#include "dev/ioapic.h"
#include "dev/isa_irq.h"
#include "dev/lapic.h"
#include "dev/pci.h"
#include "dev/pic.h"
#include "dev/pit.h"
#include "dev/port92.h"
#include "dev/rtc.h"
#include "dev/uart.h"
#include "dev/virtio_blk.h"
#include "dev/virtio_console.h"
#include "dev/virtio_net.h"
#include "dev/virtio_rng.h"
#include "machine/bus.h"
#include "machine/machine.h"

#define BOARD_REGIONS 16u

struct board_hooks {
	struct lapic_hooks lapic;
	void (*reset)(void *machine);
	void (*power_off)(void *machine);
	void (*debug_exit)(void *machine, u32 code);
	u64 (*random)(void *machine);
};

struct board {
	struct bus bus;
	struct clock clock;
	struct memory memory;
	const struct board_hooks *hooks;
	void *machine;

	struct lapic *lapics;
	struct lapic_bus lapic_bus;
	struct ioapic ioapic;
	struct pic pic;
	struct pit pit;
	struct pci_host pci;
	struct isa_irqs isa;
	struct rtc rtc;
	struct uart com1;
	struct i8042 i8042;
	struct port92 port92;
	struct acpi_pm acpi_pm;
	struct debug_exit debug_exit;
	struct virtio_blk *blk[MACHINE_MAX_DISKS];
	struct virtio_net *net[MACHINE_MAX_NETS];
	struct virtio_console *console;
	struct virtio_rng *rng;

	struct bus_region regions[BOARD_REGIONS];
	unsigned region_count;
};

/* Builds everything, powered on. false: error; board_finish() then frees what there is. The board starts zeroed. */
MUST_USE bool board_init(struct board *board, const struct machine_config *config, const struct board_hooks *hooks,
			 void *machine, struct host_error *error);
void board_finish(struct board *board);

/* Power-on state of every device. No processor runs, and board_busy() is false. */
void board_reset(struct board *board);
/* Whether the host still works on a device's requests. */
bool board_busy(struct board *board);
/*
 * Disks of a machine that repeats exactly work only here, so that their requests end at the same instruction in every
 * run. Without the bus lock. false: there was nothing to do.
 */
bool board_serve_disks(struct board *board);

#endif

/*
 * The board: devices made, placed and wired, one after the other, in the order in which one needs another.
 */
#include "machine/board.h"

#include "base/assert.h"
#include "base/bits.h"
#include "machine/layout.h"
#include "x86/model.h"

/* With the instructions clock every run starts at the same moment: 2024-01-01, 00:00 UTC. */
#define FIXED_WALL_TIME_NS (1704067200ull * CLOCK_NS_PER_SECOND)

enum { LINT_INTR = 0 };
#define IOAPIC_INTR_PIN 0u

static bool out_of_memory(struct host_error *error)
{
	host_error_set(error, "out of memory for a machine's devices");
	return false;
}

/* ---- memory ---- */

static bool init_memory(struct board *board, u64 bytes, struct host_error *error)
{
	u64 pages = bytes >> PAGE_SHIFT;
	u8 *ram = host_memory_map(bytes, true, error);
	_Atomic u32 *generation = ram ? host_memory_map(pages * sizeof(*generation), false, error) : NULL;
	_Atomic u8 *has_code = generation ? host_memory_map(pages * sizeof(*has_code), false, error) : NULL;

	memory_init(&board->memory, ram, bytes, generation, has_code);
	return has_code;
}

static void finish_memory(struct memory *memory)
{
	u64 pages = memory->bytes >> PAGE_SHIFT;

	host_memory_unmap((void *)memory->has_code, pages * sizeof(*memory->has_code));
	host_memory_unmap((void *)memory->generation, pages * sizeof(*memory->generation));
	host_memory_unmap(memory->host, memory->bytes);
}

/* ---- places ---- */

static bool place(struct board *board, const struct bus_ops *ops, void *device, enum bus_space space, u64 base,
		  u64 size, struct host_error *error)
{
	struct bus_region *region = &board->regions[board->region_count++];

	ASSERT(board->region_count <= BOARD_REGIONS);
	*region = (struct bus_region){ .ops = ops, .device = device, .space = space, .base = base, .size = size };
	if (bus_add(&board->bus, region))
		return true;
	host_error_set(error, "%s at %#llx: something else is there; choose another address", ops->name,
		       (unsigned long long)base);
	return false;
}

static bool place_chipset(struct board *board, int debug_exit_port, struct host_error *error)
{
	const struct { const struct bus_ops *ops; void *device; u16 port; u16 ports; } chips[] = {
		{ &pic_master_ops, &board->pic, PIC_MASTER_PORT, 2 },
		{ &pic_slave_ops, &board->pic, PIC_SLAVE_PORT, 2 },
		{ &pic_elcr_ops, &board->pic, PIC_ELCR_PORT, 2 },
		{ &pit_ops, &board->pit, PIT_PORT, 4 },
		{ &pit_speaker_ops, &board->pit, PIT_SPEAKER_PORT, 1 },
		{ &rtc_ops, &board->rtc, RTC_PORT, 2 },
		{ &uart_ops, &board->com1, UART_COM1_PORT, UART_PORTS },
		{ &i8042_data_ops, &board->i8042, I8042_DATA_PORT, 1 },
		{ &i8042_command_ops, &board->i8042, I8042_COMMAND_PORT, 1 },
		{ &port92_ops, &board->port92, PORT92_PORT, 1 },
		{ &acpi_pm_ops, &board->acpi_pm, ACPI_PM_PORT, ACPI_PM_PORTS },
		{ &acpi_smi_command_ops, &board->acpi_pm, ACPI_SMI_COMMAND_PORT, 1 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(chips); i++) {
		if (!place(board, chips[i].ops, chips[i].device, BUS_PORT, chips[i].port, chips[i].ports, error))
			return false;
	}
	if (debug_exit_port != MACHINE_NO_DEBUG_EXIT &&
	    !place(board, &debug_exit_ops, &board->debug_exit, BUS_PORT, (u64)debug_exit_port, DEBUG_EXIT_PORTS, error))
		return false;
	return place(board, &ioapic_ops, &board->ioapic, BUS_MEMORY, LAYOUT_IOAPIC_BASE, LAYOUT_IOAPIC_BYTES, error);
}

/* ---- the chipset ---- */

/* The 8259As' output goes to a pin of each local APIC, and to one of the IOAPIC's. */
static void set_intr(void *context, unsigned pin, bool level)
{
	struct board *board = context;
	struct irq_line lint = lapic_bus_lint(&board->lapic_bus, LINT_INTR);
	struct irq_line ioapic = ioapic_line(&board->ioapic, IOAPIC_INTR_PIN);

	(void)pin;
	irq_set(&lint, level);
	irq_set(&ioapic, level);
}

static bool init_interrupts(struct board *board, const struct machine_config *config, struct host_error *error)
{
	struct lapic_model model = {
		.x2apic = feature_has(&config->features, FEAT_X2APIC),
		.tsc_deadline = feature_has(&config->features, FEAT_TSC_DEADLINE),
		.physical_bits = config->model->physical_bits,
	};

	board->lapics = host_allocate(config->processors * sizeof(board->lapics[0]));
	if (!board->lapics)
		return out_of_memory(error);
	lapic_bus_init(&board->lapic_bus, board->lapics, config->processors, &model, &board->clock,
		       &board->hooks->lapic, board->machine);
	board->lapic_bus.trace = config->trace;
	lapic_set_virtual_wire(&board->lapics[0]);
	ioapic_init(&board->ioapic, lapic_bus_sink(&board->lapic_bus));
	pic_init(&board->pic, (struct irq_line){ .set = set_intr, .target = board });
	board->isa = (struct isa_irqs){ &board->pic, &board->ioapic };
	return true;
}

static void init_chipset(struct board *board, const struct machine_config *config)
{
	struct memory *memory = &board->memory;

	pit_init(&board->pit, &board->clock, isa_irq_line(&board->isa, ISA_TIMER_IRQ));
	rtc_init(&board->rtc, &board->clock, isa_irq_line(&board->isa, RTC_IRQ), memory->low_bytes,
		 memory->bytes - memory->low_bytes);
	uart_init(&board->com1, config->serial, isa_irq_line(&board->isa, UART_COM1_IRQ));
	i8042_init(&board->i8042, isa_irq_line(&board->isa, I8042_KEYBOARD_IRQ),
		   isa_irq_line(&board->isa, I8042_MOUSE_IRQ), board->hooks->reset, board->machine);
	port92_init(&board->port92, board->hooks->reset, board->machine);
	acpi_pm_init(&board->acpi_pm, &board->clock, isa_irq_line(&board->isa, ACPI_SCI_IRQ), board->hooks->power_off,
		     board->machine);
	debug_exit_init(&board->debug_exit, board->hooks->debug_exit, board->machine);
}

/* ---- PCI ---- */

static bool init_pci(struct board *board, struct host_error *error)
{
	if (!pci_host_init(&board->pci, &board->bus, lapic_bus_sink(&board->lapic_bus))) {
		host_error_set(error, "the PCI host bridge finds its addresses taken");
		return false;
	}
	for (unsigned i = 0; i < LAYOUT_PCI_GSIS; i++)
		board->pci.wires[i] = ioapic_line(&board->ioapic, LAYOUT_PCI_GSI_BASE + i);
	board->pci.reset = board->hooks->reset;
	board->pci.reset_target = board->machine;
	return true;
}

static bool attach(struct board *board, struct virtio *virtio, struct host_error *error)
{
	virtio->trace = board->lapic_bus.trace;
	if (pci_attach(&board->pci, &virtio->pci))
		return true;
	host_error_set(error, "more devices than the PCI bus has places; use fewer disks or networks");
	return false;
}

static bool add_disks(struct board *board, const struct machine_config *config, struct host_error *error)
{
	unsigned queues = (unsigned)min_u64(config->processors, VIRTIO_QUEUES_MAX);

	for (unsigned i = 0; i < config->disk_count; i++) {
		struct virtio_blk *blk = board->blk[i] = host_allocate(sizeof(*blk));

		if (!blk)
			return out_of_memory(error);
		virtio_blk_init(blk, &board->bus, &board->memory, config->disks[i].host, queues, config->disks[i].id);
		if (!attach(board, &blk->virtio, error))
			return false;
	}
	return true;
}

static bool add_nets(struct board *board, const struct machine_config *config, struct host_error *error)
{
	for (unsigned i = 0; i < config->net_count; i++) {
		struct virtio_net *net = board->net[i] = host_allocate(sizeof(*net));

		if (!net)
			return out_of_memory(error);
		virtio_net_init(net, &board->memory, config->nets[i].host, config->nets[i].mac);
		if (!attach(board, &net->virtio, error))
			return false;
	}
	return true;
}

static bool add_console_and_entropy(struct board *board, const struct machine_config *config, struct host_error *error)
{
	if (config->console) {
		board->console = host_allocate(sizeof(*board->console));
		if (!board->console)
			return out_of_memory(error);
		virtio_console_init(board->console, &board->memory, config->console);
		if (!attach(board, &board->console->virtio, error))
			return false;
	}
	if (config->entropy) {
		board->rng = host_allocate(sizeof(*board->rng));
		if (!board->rng)
			return out_of_memory(error);
		virtio_rng_init(board->rng, &board->memory, board->hooks->random, board->machine);
		if (!attach(board, &board->rng->virtio, error))
			return false;
	}
	return true;
}

/* Firmware's part of PCI. */
static bool assign_resources(struct board *board, struct host_error *error)
{
	if (pci_assign_resources(&board->pci))
		return true;
	host_error_set(error, "the PCI devices need more address space than there is; use fewer");
	return false;
}

/* ---- life ---- */

bool board_init(struct board *board, const struct machine_config *config, const struct board_hooks *hooks,
		void *machine, struct host_error *error)
{
	bool fixed = config->clock == CLOCK_INSTRUCTIONS;

	board->hooks = hooks;
	board->machine = machine;
	if (!init_memory(board, config->memory_bytes, error))
		return false;
	bus_init(&board->bus, host_mutex_create());
	if (!board->bus.lock)
		return out_of_memory(error);
	clock_init(&board->clock, config->clock, fixed ? FIXED_WALL_TIME_NS : host_wall_time_ns());
	if (!init_interrupts(board, config, error))
		return false;
	init_chipset(board, config);
	return init_pci(board, error) && place_chipset(board, config->debug_exit_port, error) &&
	       add_disks(board, config, error) && add_nets(board, config, error) &&
	       add_console_and_entropy(board, config, error) && assign_resources(board, error);
}

void board_finish(struct board *board)
{
	for (unsigned i = 0; i < MACHINE_MAX_DISKS; i++)
		host_free(board->blk[i]);
	for (unsigned i = 0; i < MACHINE_MAX_NETS; i++)
		host_free(board->net[i]);
	host_free(board->console);
	host_free(board->rng);
	host_free(board->lapics);
	host_mutex_destroy(board->bus.lock);
	finish_memory(&board->memory);
}

void board_reset(struct board *board)
{
	lapic_bus_reset(&board->lapic_bus);
	lapic_set_virtual_wire(&board->lapics[0]);
	ioapic_reset(&board->ioapic);
	pic_reset(&board->pic);
	pit_reset(&board->pit);
	rtc_reset(&board->rtc);
	uart_reset(&board->com1);
	i8042_reset(&board->i8042);
	port92_reset(&board->port92);
	acpi_pm_reset(&board->acpi_pm);
	pci_reset(&board->pci);
	/* It succeeded at power-on with the same devices. */
	if (!pci_assign_resources(&board->pci))
		UNREACHABLE();
}

bool board_busy(struct board *board)
{
	bool busy;

	bus_lock(&board->bus);
	busy = pci_busy(&board->pci);
	bus_unlock(&board->bus);
	return busy;
}

bool board_serve_disks(struct board *board)
{
	bool any = false;

	for (unsigned i = 0; i < MACHINE_MAX_DISKS && board->blk[i]; i++)
		any |= host_disk_poll(board->blk[i]->disk);
	return any;
}

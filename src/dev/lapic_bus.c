/*
 * Interrupt messages between local APICs, and to them from IOAPICs and devices: who is addressed.
 *
 * "Determining IPI Destination", "Message Signalled Interrupts". Messages arrive at once and in the order sent.
 */
#include "base/trace.h"
#include "dev/lapic_parts.h"

#define MSI_ADDRESS_BASE 0xfeeull
#define MSI_ADDRESS_BASE_SHIFT 20
#define MSI_REDIRECT BIT(3)
#define MSI_LOGICAL BIT(2)

#define XAPIC_BROADCAST 0xffu
#define DFR_CLUSTER 0u

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };
static const char *const shorthand_names[] = { "destination", "self", "all", "others" };

/* "Logical Destination Mode in xAPIC Mode", "... in x2APIC Mode". */
static bool matches_logical(const struct lapic *l, u32 destination)
{
	u32 logical = l->state.ldr >> 24;

	if (lapic_in_x2apic_mode(l))
		return l->state.ldr >> 16 == destination >> 16 && (l->state.ldr & destination & 0xffff);
	if (destination > XAPIC_BROADCAST)
		return false;
	if (l->state.dfr >> 28 == DFR_CLUSTER)
		return logical >> 4 == destination >> 4 && (logical & destination & 0xf);
	return logical & destination;
}

static bool matches(const struct lapic *l, const struct lapic_message *message)
{
	if (!lapic_enabled(l) || l == message->except)
		return false;
	if (message->destination == LAPIC_BROADCAST)
		return true;
	if (message->logical)
		return matches_logical(l, message->destination);
	return message->destination == (lapic_in_x2apic_mode(l) ? l->state.id : l->state.xapic_id);
}

/* "Lowest Priority Delivery Mode". Among equals the search begins after the last one chosen. */
static void send_lowest(struct lapic_bus *bus, const struct lapic_message *message)
{
	struct lapic *chosen = NULL;

	for (unsigned i = 0; i < bus->count; i++) {
		struct lapic *l = &bus->lapics[(bus->state.turn + i) % bus->count];

		if (matches(l, message) && lapic_software_enabled(l) && (!chosen || lapic_ppr(l) < lapic_ppr(chosen)))
			chosen = l;
	}
	if (!chosen)
		return;
	bus->state.turn = (chosen->processor + 1) % bus->count;
	lapic_receive(chosen, message);
}

void lapic_bus_send(struct lapic_bus *bus, const struct lapic_message *message)
{
	if (message->mode == LAPIC_LOWEST) {
		send_lowest(bus, message);
		return;
	}
	for (unsigned i = 0; i < bus->count; i++)
		if (matches(&bus->lapics[i], message))
			lapic_receive(&bus->lapics[i], message);
}

/*
 * "Interrupt Command Register (ICR)". Combinations that "Valid Combinations for the Pentium 4 and Intel Xeon
 * Processors' Local xAPIC Interrupt Command Register" calls invalid send nothing; an IPI is an edge whatever its
 * trigger mode says.
 */
void lapic_send_ipi(struct lapic *l, u64 icr)
{
	u32 low = (u32)icr;
	enum shorthand shorthand = (enum shorthand)bits_extract(low, 19, 18);
	struct lapic_message message = {
		.destination = (u32)(icr >> 32),
		.logical = low & LAPIC_LOGICAL,
		.mode = (enum lapic_mode)bits_extract(low, 10, 8),
		.vector = (u8)(low & LAPIC_VECTOR),
	};

	if (!lapic_in_x2apic_mode(l)) {
		message.destination >>= 24;
		if (message.destination == XAPIC_BROADCAST)
			message.destination = LAPIC_BROADCAST;
	}
	TRACE(l->bus->trace, IPI, l->processor, trace_text(lapic_mode_name(message.mode)), message.vector, message.destination,
	      trace_text(shorthand_names[shorthand]));
	if (message.mode == LAPIC_MODE_RESERVED || message.mode == LAPIC_MODE_EXTINT)
		return;
	if (message.mode == LAPIC_INIT && (low & LAPIC_LEVEL) && !(low & LAPIC_ASSERT))
		return;
	if (message.mode <= LAPIC_LOWEST && message.vector < LAPIC_LOWEST_LEGAL_VECTOR) {
		lapic_error(l, ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	switch (shorthand) {
	case TO_DESTINATION:
		lapic_bus_send(l->bus, &message);
		break;
	case TO_SELF:
		if (message.mode == LAPIC_FIXED)
			lapic_receive(l, &message);
		break;
	case TO_ALL:
		message.destination = LAPIC_BROADCAST;
		if (message.mode == LAPIC_FIXED)
			lapic_bus_send(l->bus, &message);
		break;
	case TO_OTHERS:
		message.destination = LAPIC_BROADCAST;
		message.except = l;
		lapic_bus_send(l->bus, &message);
		break;
	}
}

/*
 * "Message Address Register Format", "Message Data Register Format". Bits 11-5 of the address extend the destination
 * to 15 bits, a convention of hypervisors for machines of more than 255 processors; guests that do not know it leave
 * them zero.
 */
static void receive_msi(void *target, u64 address, u32 data)
{
	u32 destination = (u32)(bits_extract(address, 19, 12) | bits_extract(address, 11, 5) << 8);
	struct lapic_message message = {
		.destination = destination == XAPIC_BROADCAST ? LAPIC_BROADCAST : destination,
		.logical = address & MSI_LOGICAL,
		.mode = (enum lapic_mode)bits_extract(data, 10, 8),
		.vector = (u8)(data & LAPIC_VECTOR),
		.level = data & LAPIC_LEVEL,
	};

	if (address >> MSI_ADDRESS_BASE_SHIFT != MSI_ADDRESS_BASE || message.mode == LAPIC_STARTUP)
		return;
	if (message.level && !(data & LAPIC_ASSERT))
		return;
	if (message.mode == LAPIC_FIXED && (address & MSI_REDIRECT))
		message.mode = LAPIC_LOWEST;
	lapic_bus_send(target, &message);
}

struct msi_sink lapic_bus_sink(struct lapic_bus *bus)
{
	return (struct msi_sink){ .send = receive_msi, .target = bus };
}

static void set_lint(void *target, unsigned pin, bool level)
{
	struct lapic_bus *bus = target;

	for (unsigned i = 0; i < bus->count; i++)
		lapic_set_lint(&bus->lapics[i], pin, level);
}

struct irq_line lapic_bus_lint(struct lapic_bus *bus, unsigned pin)
{
	return (struct irq_line){ .set = set_lint, .target = bus, .pin = pin & 1 };
}

void lapic_bus_init(struct lapic_bus *bus, struct lapic *lapics, unsigned count, const struct lapic_model *model,
		    struct clock *clock, const struct lapic_hooks *hooks, void *machine)
{
	*bus = (struct lapic_bus){
		.lapics = lapics, .count = count, .clock = clock, .hooks = hooks, .machine = machine,
	};
	for (unsigned i = 0; i < count; i++) {
		struct lapic *l = &lapics[i];

		*l = (struct lapic){ .bus = bus, .processor = i, .model = *model, .state = { .id = i, .xapic_id = (u8)i } };
		atomic_init(&l->pending, LAPIC_NONE);
		lapic_timer_init(l);
		lapic_reset(l, false);
	}
}

void lapic_bus_reset(struct lapic_bus *bus)
{
	bus->state = (struct lapic_bus_state){ 0 };
	for (unsigned i = 0; i < bus->count; i++)
		lapic_reset(&bus->lapics[i], false);
}

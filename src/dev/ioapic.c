/*
 * IOAPIC: see ioapic.h. An interrupt message has the same format as an MSI, so pins send those.
 *
 * Edges on a masked pin are lost; a level is looked at again whenever its entry changes and when an EOI clears Remote
 * IRR.
 */
#include "dev/ioapic.h"

#include "base/bits.h"

enum { REGISTER_SELECT = 0x00, REGISTER_WINDOW = 0x10, REGISTER_EOI = 0x40 };
enum { INDEX_ID = 0, INDEX_VERSION = 1, INDEX_ARBITRATION = 2, INDEX_REDIRECTION = 0x10,
       INDEX_END = INDEX_REDIRECTION + 2 * IOAPIC_PINS };

#define VERSION 0x20u
#define VERSION_MAX_ENTRY_SHIFT 16
#define ID_SHIFT 24

#define ENTRY_VECTOR BITS(7, 0)
#define ENTRY_MODE BITS(10, 8)
#define ENTRY_LOGICAL BIT(11)
#define ENTRY_STATUS BIT(12)
#define ENTRY_REMOTE_IRR BIT(14)
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)
#define ENTRY_READ_ONLY (ENTRY_STATUS | ENTRY_REMOTE_IRR)
#define ENTRY_EXTENDED BITS(55, 49) /* destination bits 14-8, see lapic_bus.c */
#define ENTRY_DEFINED (BITS(16, 0) | ENTRY_EXTENDED | BITS(63, 56))

#define MODE_FIXED 0u
#define MODE_LOWEST 1u
#define MESSAGE_BASE 0xfee00000ull
#define MESSAGE_LOGICAL BIT(2)
#define MESSAGE_ASSERT BIT(14)

static bool asserted(const struct ioapic *io, unsigned pin)
{
	return io->state.lines >> pin & 1;
}

/* Only fixed and lowest-priority interrupts can be levels; the others are edges whatever the trigger bit says. */
static bool is_level(u64 entry)
{
	u64 mode = bits_extract(entry, 10, 8);

	return (entry & ENTRY_LEVEL) && (mode == MODE_FIXED || mode == MODE_LOWEST);
}

static void send(struct ioapic *io, unsigned pin)
{
	u64 entry = io->state.redirection[pin];
	u64 address = MESSAGE_BASE | bits_extract(entry, 63, 56) << 12 | bits_extract(entry, 55, 49) << 5 |
		      (entry & ENTRY_LOGICAL ? MESSAGE_LOGICAL : 0);
	u64 data = (entry & (ENTRY_VECTOR | ENTRY_MODE)) | (is_level(entry) ? ENTRY_LEVEL : 0) | MESSAGE_ASSERT;

	if (is_level(entry))
		io->state.redirection[pin] |= ENTRY_REMOTE_IRR;
	io->sink.send(io->sink.target, address, (u32)data);
}

static void service_level(struct ioapic *io, unsigned pin)
{
	u64 entry = io->state.redirection[pin];

	if (is_level(entry) && asserted(io, pin) && !(entry & (ENTRY_MASKED | ENTRY_REMOTE_IRR)))
		send(io, pin);
}

static void set_line(void *target, unsigned pin, bool level)
{
	struct ioapic *io = target;
	bool rises = level && !asserted(io, pin);
	u64 entry = io->state.redirection[pin];

	io->state.lines = (io->state.lines & ~(1u << pin)) | (u32)level << pin;
	if (is_level(entry))
		service_level(io, pin);
	else if (rises && !(entry & ENTRY_MASKED))
		send(io, pin);
}

struct irq_line ioapic_line(struct ioapic *io, unsigned pin)
{
	return (struct irq_line){ .set = set_line, .target = io, .pin = pin < IOAPIC_PINS ? pin : 0 };
}

void ioapic_eoi(struct ioapic *io, u8 vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		u64 *entry = &io->state.redirection[pin];

		if (!(*entry & ENTRY_REMOTE_IRR) || (*entry & ENTRY_VECTOR) != vector)
			continue;
		*entry &= ~ENTRY_REMOTE_IRR;
		service_level(io, pin);
	}
}

static u32 read_window(const struct ioapic *io)
{
	unsigned index = io->state.index;

	switch (index) {
	case INDEX_ID:
	case INDEX_ARBITRATION:
		return (u32)io->state.id << ID_SHIFT;
	case INDEX_VERSION:
		return VERSION | (IOAPIC_PINS - 1) << VERSION_MAX_ENTRY_SHIFT;
	case INDEX_REDIRECTION ... INDEX_END - 1:
		return (u32)(io->state.redirection[(index - INDEX_REDIRECTION) / 2] >> 32 * (index & 1));
	default:
		return 0;
	}
}

/* An entry set to edges forgets its Remote IRR: that is how software clears one without an EOI register. */
static void write_redirection(struct ioapic *io, unsigned pin, unsigned half, u32 value)
{
	u64 *entry = &io->state.redirection[pin];
	u64 mask = BITS(31, 0) << 32 * half;
	u64 writable = mask & ENTRY_DEFINED & ~ENTRY_READ_ONLY;

	*entry = (*entry & ~writable) | ((u64)value << 32 * half & writable);
	if (!is_level(*entry))
		*entry &= ~ENTRY_REMOTE_IRR;
	service_level(io, pin);
}

static void write_window(struct ioapic *io, u32 value)
{
	unsigned index = io->state.index;

	if (index == INDEX_ID)
		io->state.id = (u8)bits_extract(value, 27, 24);
	else if (index >= INDEX_REDIRECTION && index < INDEX_END)
		write_redirection(io, (index - INDEX_REDIRECTION) / 2, index & 1, value);
}

static u64 read(void *device, u64 offset, unsigned size UNUSED)
{
	const struct ioapic *io = device;

	switch (offset) {
	case REGISTER_SELECT: return io->state.index;
	case REGISTER_WINDOW: return read_window(io);
	default: return 0;
	}
}

static void write(void *device, u64 offset, unsigned size UNUSED, u64 value)
{
	struct ioapic *io = device;

	switch (offset) {
	case REGISTER_SELECT:
		io->state.index = (u8)value;
		break;
	case REGISTER_WINDOW:
		write_window(io, (u32)value);
		break;
	case REGISTER_EOI:
		ioapic_eoi(io, (u8)value);
		break;
	default:
		break;
	}
}

const struct bus_ops ioapic_ops = { .name = "ioapic", .read = read, .write = write };

void ioapic_reset(struct ioapic *io)
{
	u32 lines = io->state.lines;

	io->state = (struct ioapic_state){ .lines = lines };
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->state.redirection[pin] = ENTRY_MASKED;
}

void ioapic_init(struct ioapic *io, struct msi_sink sink)
{
	*io = (struct ioapic){ .sink = sink };
	ioapic_reset(io);
}

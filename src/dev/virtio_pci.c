/*
 * "Virtio Over PCI Bus": the registers through which a driver finds, configures and notifies a virtio device.
 *
 * Vendor capabilities say where the structures lie: each has a page of BAR 0. Fields answer only to accesses of their
 * own width (64-bit ones also by halves), which is all that the specification lets a driver do; others change nothing.
 */
#include "base/bits.h"
#include "base/string.h"
#include "dev/virtio.h"

#define VIRTIO_PCI_VENDOR 0x1af4
#define VIRTIO_PCI_DEVICE_BASE 0x1040 /* and the device type */
#define VIRTIO_PCI_REVISION 1         /* "Non-transitional devices SHOULD have a PCI Revision ID of 1 or higher" */
#define VIRTIO_PCI_SUBSYSTEM 0x40     /* "... and a PCI Subsystem Device ID of 0x40 or higher" */

#define VIRTIO_ISR_QUEUE 1u
#define VIRTIO_ISR_CONFIG 2u

/* "struct virtio_pci_common_cfg" */
struct common_config {
	u32 device_feature_select, device_feature;
	u32 driver_feature_select, driver_feature;
	u16 config_msix_vector, num_queues;
	u8 device_status, config_generation;
	u16 queue_select, queue_size, queue_msix_vector, queue_enable, queue_notify_off;
	u64 queue_desc, queue_driver, queue_device;
	u16 queue_notify_data, queue_reset;
} PACKED;

/* "struct virtio_pci_cap" */
struct capability {
	u8 vendor, next, length, type;
	u8 bar, id, padding[2];
	u32 offset, bytes;
	u32 extra; /* of the notification structure: the multiplier; of the window: its data */
};

#define CAPABILITY_COMMON 1u
#define CAPABILITY_NOTIFY 2u
#define CAPABILITY_ISR 3u
#define CAPABILITY_DEVICE 4u
#define CAPABILITY_WINDOW 5u

/* ---- interrupts ---- */

static void interrupt(struct virtio *virtio, u16 vector, u8 isr)
{
	if (pci_msix_enabled(&virtio->pci)) {
		pci_msix_send(&virtio->pci, vector);
		return;
	}
	virtio->state.isr |= isr;
	pci_set_intx(&virtio->pci, true);
}

void virtio_interrupt_queue(struct virtio *virtio, unsigned queue)
{
	interrupt(virtio, virtio->state.queues[queue].msix_vector, VIRTIO_ISR_QUEUE);
}

void virtio_interrupt_config(struct virtio *virtio)
{
	interrupt(virtio, virtio->state.config_msix_vector, VIRTIO_ISR_CONFIG);
}

static u8 read_isr(struct virtio *virtio)
{
	u8 isr = virtio->state.isr;

	virtio->state.isr = 0;
	pci_set_intx(&virtio->pci, false);
	return isr;
}

/* ---- the common configuration structure ---- */

/* NULL: the driver selected a queue that is not there. */
static struct virtqueue *selected_queue(struct virtio *virtio)
{
	unsigned queue = virtio->state.queue_select;

	return queue < virtio->queue_count ? &virtio->state.queues[queue] : NULL;
}

/* Features by 32 bits; beyond the second word there are none. */
static u32 feature_word(u64 features, u32 select)
{
	return select < 2 ? (u32)(features >> 32 * select) : 0;
}

static u64 common_read(struct virtio *virtio, u64 offset, unsigned size)
{
	const struct virtio_state *state = &virtio->state;
	const struct virtqueue *queue = selected_queue(virtio);
	struct common_config config = {
		.device_feature_select = state->device_feature_select,
		.device_feature = feature_word(virtio->features, state->device_feature_select),
		.driver_feature_select = state->driver_feature_select,
		.driver_feature = feature_word(state->driver_features, state->driver_feature_select),
		.config_msix_vector = state->config_msix_vector,
		.num_queues = (u16)virtio->queue_count,
		.device_status = state->status,
		.config_generation = state->config_generation,
		.queue_select = state->queue_select,
	};
	u64 value = 0;

	if (queue) {
		config.queue_size = queue->size;
		config.queue_msix_vector = queue->msix_vector;
		config.queue_enable = queue->enabled && !queue->resetting;
		config.queue_notify_off = config.queue_notify_data = state->queue_select;
		config.queue_desc = queue->descriptors;
		config.queue_driver = queue->driver;
		config.queue_device = queue->device;
		config.queue_reset = queue->resetting;
	}
	if (offset + size <= sizeof(config))
		memcpy(&value, (const u8 *)&config + offset, size);
	return value;
}

/* "If a vector cannot be mapped, the device MUST report NO_VECTOR". */
static u16 valid_vector(const struct virtio *virtio, u64 vector)
{
	return vector < virtio->pci.msix_vectors ? (u16)vector : VIRTIO_MSI_NO_VECTOR;
}

static void write_driver_feature(struct virtio *virtio, u32 value)
{
	struct virtio_state *state = &virtio->state;
	unsigned shift = 32 * state->driver_feature_select;

	if (state->driver_feature_select >= 2 || (state->status & VIRTIO_STATUS_FEATURES_OK))
		return;
	state->driver_features = (state->driver_features & ~(BITS(31, 0) << shift)) | (u64)value << shift;
}

/* A queue's size and addresses are settled once it is enabled. */
static void write_queue_address(struct virtqueue *queue, gpa_t *address, u64 at, unsigned size, u64 value)
{
	if (!queue->enabled && (size == sizeof(u64) || size == sizeof(u32)))
		memcpy((u8 *)address + at, &value, size);
}

static void write_queue_size(struct virtqueue *queue, u64 value)
{
	if (!queue->enabled && is_power_of_two(value) && value <= VIRTQUEUE_SIZE_MAX)
		queue->size = (u16)value;
}

#define AT(field) offsetof(struct common_config, field)
#define HALF(field) (AT(field) + sizeof(u32))
#define WIDTH(field) sizeof(((struct common_config *)NULL)->field)
/* A whole field, accessed by its own width. */
#define FIELD(field) (AT(field) << 8 | WIDTH(field))

static void queue_write(struct virtio *virtio, u64 offset, unsigned size, u64 value)
{
	struct virtqueue *queue = selected_queue(virtio);

	if (!queue)
		return;
	switch (offset) {
	case AT(queue_desc):
	case HALF(queue_desc):
		write_queue_address(queue, &queue->descriptors, offset - AT(queue_desc), size, value);
		return;
	case AT(queue_driver):
	case HALF(queue_driver):
		write_queue_address(queue, &queue->driver, offset - AT(queue_driver), size, value);
		return;
	case AT(queue_device):
	case HALF(queue_device):
		write_queue_address(queue, &queue->device, offset - AT(queue_device), size, value);
		return;
	}
	switch (offset << 8 | size) {
	case FIELD(queue_size):
		write_queue_size(queue, value);
		return;
	case FIELD(queue_msix_vector):
		queue->msix_vector = valid_vector(virtio, value);
		return;
	case FIELD(queue_enable):
		if (value == 1)
			virtio_enable_queue(virtio, virtio->state.queue_select);
		return;
	case FIELD(queue_reset):
		if (value == 1)
			virtio_reset_queue(virtio, virtio->state.queue_select);
		return;
	}
}

static void common_write(struct virtio *virtio, u64 offset, unsigned size, u64 value)
{
	struct virtio_state *state = &virtio->state;

	switch (offset << 8 | size) {
	case FIELD(device_feature_select):
		state->device_feature_select = (u32)value;
		return;
	case FIELD(driver_feature_select):
		state->driver_feature_select = (u32)value;
		return;
	case FIELD(driver_feature):
		write_driver_feature(virtio, (u32)value);
		return;
	case FIELD(config_msix_vector):
		state->config_msix_vector = valid_vector(virtio, value);
		return;
	case FIELD(device_status):
		virtio_write_status(virtio, (u8)value);
		return;
	case FIELD(queue_select):
		state->queue_select = (u16)value;
		return;
	default:
		queue_write(virtio, offset, size, value);
	}
}

/* ---- BAR 0 ---- */

static u64 registers_read(void *device, u64 offset, unsigned size)
{
	struct virtio *virtio = device;
	u64 at = offset % VIRTIO_PAGE_BYTES, value = 0;

	switch (offset / VIRTIO_PAGE_BYTES) {
	case VIRTIO_PAGE_COMMON:
		return common_read(virtio, at, size);
	case VIRTIO_PAGE_ISR:
		return at == 0 ? read_isr(virtio) : 0;
	case VIRTIO_PAGE_DEVICE:
		if (at + size <= VIRTIO_CONFIG_BYTES)
			memcpy(&value, virtio->state.config + at, size);
		return value;
	default:
		return 0;
	}
}

static void registers_write(void *device, u64 offset, unsigned size, u64 value)
{
	struct virtio *virtio = device;
	u64 at = offset % VIRTIO_PAGE_BYTES;

	switch (offset / VIRTIO_PAGE_BYTES) {
	case VIRTIO_PAGE_COMMON:
		common_write(virtio, at, size, value);
		return;
	case VIRTIO_PAGE_NOTIFY:
		virtio_notify(virtio, (unsigned)(at / VIRTIO_NOTIFY_MULTIPLIER));
		return;
	}
}

static const struct bus_ops registers_ops = {
	.name = "virtio registers",
	.read = registers_read,
	.write = registers_write,
};

/* ---- "PCI configuration access capability": the same registers through a window in configuration space ---- */

#define WINDOW_DATA offsetof(struct capability, extra)

/* Whether configuration bytes [offset, offset + size) reach the window's data while it points at registers. */
static bool window_open(const struct virtio *virtio, unsigned offset, unsigned size, struct capability *window)
{
	unsigned data = virtio->pci_window + WINDOW_DATA;

	if (offset + size <= data || offset >= data + sizeof(window->extra))
		return false;
	memcpy(window, virtio->pci.state.config + virtio->pci_window, sizeof(*window));
	return window->bar == VIRTIO_BAR_REGISTERS && is_power_of_two(window->bytes) &&
	       window->bytes <= sizeof(window->extra) && window->offset % window->bytes == 0 &&
	       window->offset < VIRTIO_PAGES * VIRTIO_PAGE_BYTES;
}

static void window_reading(void *device, unsigned offset, unsigned size)
{
	struct virtio *virtio = device;
	struct capability window;

	if (window_open(virtio, offset, size, &window))
		pci_config_set(&virtio->pci, virtio->pci_window + WINDOW_DATA, window.bytes,
			       (u32)registers_read(virtio, window.offset, window.bytes));
}

static void window_written(void *device, unsigned offset, unsigned size)
{
	struct virtio *virtio = device;
	struct capability window;

	if (window_open(virtio, offset, size, &window))
		registers_write(virtio, window.offset, window.bytes, window.extra & byte_mask(window.bytes));
}

/* ---- the function ---- */

/* What the driver made available while the device could not reach memory. */
static void mastering(void *device)
{
	struct virtio *virtio = device;

	for (unsigned i = 0; i < virtio->queue_count; i++)
		virtio_notify(virtio, i);
}

static void power_on(void *device)
{
	virtio_reset(device);
}

static bool busy(void *device)
{
	return virtio_busy(device);
}

static const struct pci_function_ops function_ops = {
	.config_reading = window_reading,
	.config_written = window_written,
	.mastering = mastering,
	.reset = power_on,
	.busy = busy,
};

static unsigned add_structure(struct virtio *virtio, u8 type, u32 offset, u32 bytes, u32 multiplier)
{
	u8 length = type == CAPABILITY_NOTIFY || type == CAPABILITY_WINDOW ? sizeof(struct capability) : WINDOW_DATA;
	unsigned at = pci_add_capability(&virtio->pci, PCI_CAPABILITY_VENDOR, length);

	pci_config_set(&virtio->pci, at + offsetof(struct capability, length), 1, length);
	pci_config_set(&virtio->pci, at + offsetof(struct capability, type), 1, type);
	pci_config_set(&virtio->pci, at + offsetof(struct capability, bar), 1, VIRTIO_BAR_REGISTERS);
	pci_config_set(&virtio->pci, at + offsetof(struct capability, offset), 4, offset);
	pci_config_set(&virtio->pci, at + offsetof(struct capability, bytes), 4, bytes);
	if (multiplier)
		pci_config_set(&virtio->pci, at + offsetof(struct capability, extra), 4, multiplier);
	return at;
}

static void add_window(struct virtio *virtio)
{
	u8 *writable;

	virtio->pci_window = add_structure(virtio, CAPABILITY_WINDOW, 0, 0, 0);
	writable = virtio->pci.writable + virtio->pci_window;
	memset(writable + offsetof(struct capability, bar), 0xff, sizeof(u8));
	memset(writable + offsetof(struct capability, offset), 0xff, 3 * sizeof(u32));
}

void virtio_pci_init(struct virtio *virtio, const struct virtio_identity *identity)
{
	const struct pci_identity id = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = (u16)(VIRTIO_PCI_DEVICE_BASE + identity->type),
		.subsystem_vendor = VIRTIO_PCI_VENDOR,
		.subsystem = VIRTIO_PCI_SUBSYSTEM,
		.class_code = identity->pci_class,
		.revision = VIRTIO_PCI_REVISION,
	};

	pci_function_init(&virtio->pci, &id, &function_ops, virtio);
	pci_use_intx(&virtio->pci);
	pci_add_bar(&virtio->pci, VIRTIO_BAR_REGISTERS, BUS_MEMORY, VIRTIO_PAGES * VIRTIO_PAGE_BYTES, &registers_ops,
		    virtio);
	pci_add_msix(&virtio->pci, VIRTIO_BAR_MSIX, identity->queues + 1);
	add_structure(virtio, CAPABILITY_COMMON, VIRTIO_PAGE_COMMON * VIRTIO_PAGE_BYTES, sizeof(struct common_config),
		      0);
	add_structure(virtio, CAPABILITY_NOTIFY, VIRTIO_PAGE_NOTIFY * VIRTIO_PAGE_BYTES,
		      identity->queues * VIRTIO_NOTIFY_MULTIPLIER, VIRTIO_NOTIFY_MULTIPLIER);
	add_structure(virtio, CAPABILITY_ISR, VIRTIO_PAGE_ISR * VIRTIO_PAGE_BYTES, 1, 0);
	add_structure(virtio, CAPABILITY_DEVICE, VIRTIO_PAGE_DEVICE * VIRTIO_PAGE_BYTES, VIRTIO_CONFIG_BYTES, 0);
	add_window(virtio);
}

/*
 * "Console Device": bytes from the driver go to the stream as they come; bytes from the stream go into the driver's
 * buffers as far as there are any, and the stream is asked for no more than that.
 */
#include "dev/virtio_console.h"

#include "base/bits.h"
#include "base/string.h"

#define VIRTIO_CONSOLE_F_SIZE 0u

#define PCI_CLASS_OTHER_COMMUNICATION 0x078000
#define RECEIVE_QUEUE 0u
#define TRANSMIT_QUEUE 1u
#define PIECE_BYTES 256u

/* "struct virtio_console_config", as far as VIRTIO_CONSOLE_F_SIZE goes. */
struct config {
	u16 columns, rows;
};

/* Room in the next buffer; there may be more behind it, but the stream asks again. */
static size_t room(void *device)
{
	struct virtio *virtio = &((struct virtio_console *)device)->virtio;
	struct virtqueue_chain chain;

	if (!virtio_pop(virtio, RECEIVE_QUEUE, &chain))
		return 0;
	virtio_rewind(virtio, RECEIVE_QUEUE, 1);
	return chain.writable_bytes;
}

static void receive(void *device, const u8 *bytes, size_t count)
{
	struct virtio *virtio = &((struct virtio_console *)device)->virtio;
	struct virtqueue_chain chain;

	while (count && virtio_pop(virtio, RECEIVE_QUEUE, &chain)) {
		u64 written = virtqueue_chain_write(&chain, virtio->memory, 0, bytes, count);

		virtio_push(virtio, RECEIVE_QUEUE, chain.head, written);
		bytes += written;
		count -= written;
	}
	virtio_signal(virtio, RECEIVE_QUEUE);
}

/* Through a copy: what the host looks at must not change meanwhile. */
static void write_segment(struct host_stream *stream, const struct virtqueue_segment *segment)
{
	u8 piece[PIECE_BYTES];
	u64 part;

	for (u64 at = 0; at < segment->bytes; at += part) {
		part = min_u64(segment->bytes - at, sizeof(piece));
		memcpy(piece, segment->memory + at, part);
		host_stream_write(stream, piece, part);
	}
}

static void transmit(struct virtio_console *console)
{
	struct virtio *virtio = &console->virtio;
	struct virtqueue_chain chain;

	while (virtio_pop(virtio, TRANSMIT_QUEUE, &chain)) {
		for (unsigned i = 0; i < chain.readable; i++)
			write_segment(console->stream, &chain.segments[i]);
		virtio_push(virtio, TRANSMIT_QUEUE, chain.head, 0);
	}
	virtio_signal(virtio, TRANSMIT_QUEUE);
}

static void notify(void *device, unsigned queue)
{
	struct virtio_console *console = device;

	if (queue == TRANSMIT_QUEUE)
		transmit(console);
	else
		host_stream_resume(console->stream);
}

static const struct virtio_ops console_ops = { .notify = notify };

void virtio_console_init(struct virtio_console *console, struct memory *memory, struct host_stream *stream)
{
	const struct virtio_identity identity = {
		.type = VIRTIO_TYPE_CONSOLE,
		.pci_class = PCI_CLASS_OTHER_COMMUNICATION,
		.features = BIT(VIRTIO_CONSOLE_F_SIZE),
		.queues = 2,
	};

	console->stream = stream;
	virtio_init(&console->virtio, &identity, &console_ops, console, memory);
	host_stream_attach(stream, room, receive, console);
}

void virtio_console_set_size(struct virtio_console *console, u16 columns, u16 rows)
{
	const struct config config = { .columns = columns, .rows = rows };

	virtio_change_config(&console->virtio, 0, &config, sizeof(config));
}

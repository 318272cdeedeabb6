/*
 * A virtio 1.x device over PCI: what block, network, console and entropy devices have in common.
 *
 * A device embeds a struct virtio, gives it its type, features and configuration, and then only pops chains, pushes
 * them back and signals. Modern only: no transitional registers. A driver that breaks a rule gets DEVICE_NEEDS_RESET
 * and nothing else happens: from then on virtio_pop() finds nothing.
 */
#ifndef DEV_VIRTIO_H
#define DEV_VIRTIO_H

#include "dev/pci.h"
#include "dev/virtqueue.h"

#define VIRTIO_QUEUES_MAX 8u
#define VIRTIO_CONFIG_BYTES 64u

/* "Device Types" */
enum virtio_type {
	VIRTIO_TYPE_NET = 1,
	VIRTIO_TYPE_BLOCK = 2,
	VIRTIO_TYPE_CONSOLE = 3,
	VIRTIO_TYPE_ENTROPY = 4,
};

/* "Device Status Field" */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER 0x02u
#define VIRTIO_STATUS_DRIVER_OK 0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_DEVICE_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED 0x80u

/* "Reserved Feature Bits" */
#define VIRTIO_F_INDIRECT_DESC 28u
#define VIRTIO_F_EVENT_IDX 29u
#define VIRTIO_F_VERSION_1 32u
#define VIRTIO_F_RING_RESET 40u

/* The registers lie in BAR 0, one page each; the MSI-X table in BAR 1. */
#define VIRTIO_BAR_REGISTERS 0u
#define VIRTIO_BAR_MSIX 1u
enum virtio_page { VIRTIO_PAGE_COMMON, VIRTIO_PAGE_ISR, VIRTIO_PAGE_DEVICE, VIRTIO_PAGE_NOTIFY, VIRTIO_PAGES };
#define VIRTIO_PAGE_BYTES 0x1000u
#define VIRTIO_NOTIFY_MULTIPLIER 4u

struct virtio_ops {
	/* The driver made buffers available; DRIVER_OK is set. On the processor's thread, bus lock held. */
	void (*notify)(void *device, unsigned queue);
};

/* All that a snapshot needs beside struct pci_function_state; plain data. */
struct virtio_state {
	u64 driver_features;
	u32 device_feature_select, driver_feature_select;
	u16 queue_select;
	u16 config_msix_vector;
	u8 status;
	u8 isr;
	u8 config_generation;
	bool resetting; /* the driver asked; the host still works on requests */
	u8 config[VIRTIO_CONFIG_BYTES];
	struct virtqueue queues[VIRTIO_QUEUES_MAX];
};

struct trace;

struct virtio {
	struct pci_function pci;
	struct virtio_state state;
	const struct virtio_ops *ops;
	void *device;
	struct memory *memory;
	enum virtio_type type;
	struct trace *trace; /* may be NULL */
	u64 features; /* offered */
	unsigned queue_count;
	unsigned pci_window; /* the offset of the "PCI configuration access capability" */
};

struct virtio_identity {
	enum virtio_type type;
	u32 pci_class; /* 24 bits */
	u64 features;  /* of the device type; those of the ring are added */
	unsigned queues; /* 1 to VIRTIO_QUEUES_MAX */
};

/* The caller then writes state.config and attaches pci to the bus. */
void virtio_init(struct virtio *virtio, const struct virtio_identity *identity, const struct virtio_ops *ops,
		 void *device, struct memory *memory);

/* The driver is ready and the device may use its queues. */
bool virtio_running(const struct virtio *virtio);
bool virtio_has_feature(const struct virtio *virtio, unsigned bit);

/* Takes the next chain of a queue; false: none. */
MUST_USE bool virtio_pop(struct virtio *virtio, unsigned queue, struct virtqueue_chain *chain);
void virtio_rewind(struct virtio *virtio, unsigned queue, u16 chains);
/* Gives a chain back with so many bytes written, from its first writable one; seen after virtio_signal(). */
void virtio_push(struct virtio *virtio, unsigned queue, u16 head, u64 bytes);
void virtio_signal(struct virtio *virtio, unsigned queue);

/* For requests that outlive a call: between pop and push, the queue is busy and a reset waits. */
void virtio_begin(struct virtio *virtio, unsigned queue);
/* true: the chain must still be pushed. false: the driver has asked for a reset, forget it. */
MUST_USE bool virtio_end(struct virtio *virtio, unsigned queue);

/* Changes the configuration the driver sees, and tells it. */
void virtio_change_config(struct virtio *virtio, unsigned offset, const void *bytes, unsigned count);
/* The driver broke a rule: DEVICE_NEEDS_RESET. */
void virtio_fail(struct virtio *virtio);

/* ---- the registers (virtio_pci.c) ---- */

void virtio_pci_init(struct virtio *virtio, const struct virtio_identity *identity);
void virtio_interrupt_queue(struct virtio *virtio, unsigned queue);
void virtio_interrupt_config(struct virtio *virtio);

/* ---- what they do (virtio.c) ---- */

void virtio_write_status(struct virtio *virtio, u8 status);
/* At power-on: at once, whatever the driver was doing. No queue may be busy. */
void virtio_reset(struct virtio *virtio);
bool virtio_busy(const struct virtio *virtio);
void virtio_notify(struct virtio *virtio, unsigned queue);
void virtio_enable_queue(struct virtio *virtio, unsigned queue);
void virtio_reset_queue(struct virtio *virtio, unsigned queue);

#endif

/*
 * What a host gives to the rest of Subring: Linux and bare metal both implement this, and nothing else is asked of
 * either. Functions that can fail return a status with context in `error`, one line without a newline.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "base/compiler.h"
#include "base/types.h"

#define HOST_ERROR_BYTES 256
struct host_error {
	char text[HOST_ERROR_BYTES]; /* what happened and what to do, one line */
};
void host_error_set(struct host_error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* ---- time and randomness ---- */
u64 host_time_ns(void);      /* monotonic */
u64 host_wall_time_ns(void); /* UTC since 1970 */
u64 host_random(void);

/* ---- memory ---- */
/* Zeroed, page-aligned, shared (memfd) if shared; NULL on failure. */
void *host_memory_map(u64 bytes, bool shared, struct host_error *error);
void host_memory_unmap(void *memory, u64 bytes);
void *host_allocate(size_t bytes); /* zeroed; NULL when out of memory */
void host_free(void *memory);

/* ---- threads and locks ---- */
struct host_mutex;
struct host_mutex *host_mutex_create(void);
void host_mutex_destroy(struct host_mutex *mutex);
void host_mutex_lock(struct host_mutex *mutex);
void host_mutex_unlock(struct host_mutex *mutex);

/* A place to sleep: a wake before a sleep is remembered. */
struct host_event;
struct host_event *host_event_create(void);
void host_event_destroy(struct host_event *event);
void host_event_wake(struct host_event *event);
void host_event_sleep(struct host_event *event, u64 until_ns); /* host_time_ns; ~0: no limit */

struct host_thread;
struct host_thread *host_thread_start(const char *name, void (*body)(void *), void *argument, struct host_error *error);
void host_thread_join(struct host_thread *thread);

/* ---- the I/O loop: where streams and networks, created on it, wait for the host ---- */
struct host_io;
struct host_io *host_io_create(struct host_error *error);
void host_io_destroy(struct host_io *io);
/*
 * Waits until something arrives, host_io_wake() is called or host_time_ns reaches until_ns (~0: no limit, 0: only looks).
 * Takes the lock, which must not be held, around the devices' receive functions. One thread at a time.
 */
void host_io_wait(struct host_io *io, struct host_mutex *lock, u64 until_ns);
void host_io_wake(struct host_io *io); /* any thread; remembered */

/* ---- disks ---- */
struct host_disk;
enum host_disk_operation { HOST_DISK_READ, HOST_DISK_WRITE, HOST_DISK_FLUSH, HOST_DISK_DISCARD, HOST_DISK_WRITE_ZEROES };
struct host_disk_segment { void *memory; u64 bytes; };
struct host_disk_request {
	enum host_disk_operation operation;
	u64 offset, bytes; /* bytes = sum of the segments for READ and WRITE */
	const struct host_disk_segment *segments;
	unsigned segment_count;
	/* ok false: the host reported an error. Called once, on any thread, without the bus lock. */
	void (*done)(struct host_disk_request *request, bool ok);
	struct host_disk_request *next;
};
u64 host_disk_bytes(const struct host_disk *disk);
bool host_disk_read_only(const struct host_disk *disk);
/* Returns at once; the request is done later. Any thread, with or without the bus lock. */
void host_disk_submit(struct host_disk *disk, struct host_disk_request *request);
/*
 * A disk opened for a machine that must repeat exactly does nothing by itself: this does every waiting request, on the caller's
 * thread, without the bus lock. false: there was none. Other disks: false.
 */
bool host_disk_poll(struct host_disk *disk);

/* ---- network: one Ethernet port ---- */
struct host_net;
#define HOST_NET_FRAME_BYTES 65550
/*
 * receive: a whole frame arrived; false if there is no room: it is offered again after host_net_resume. On the I/O thread, bus
 * lock held.
 */
void host_net_attach(struct host_net *net, bool (*receive)(void *device, const u8 *frame, size_t bytes), void *device);
void host_net_resume(struct host_net *net);
void host_net_send(struct host_net *net, const u8 *frame, size_t bytes);

/* ---- byte streams: serial ports and consoles ---- */
struct host_stream;
/* room: how many bytes the device can take now; receive: that many or fewer. On the I/O thread, bus lock held. */
void host_stream_attach(struct host_stream *stream, size_t (*room)(void *device),
			void (*receive)(void *device, const u8 *bytes, size_t count), void *device);
void host_stream_resume(struct host_stream *stream); /* there is room again */
void host_stream_write(struct host_stream *stream, const u8 *bytes, size_t count);

#endif

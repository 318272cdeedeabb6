/*
 * Disk images of the Linux host: raw files and block devices through plain file I/O.
 *
 * A few threads per disk do the requests, so that a slow flush does not hold up reads. The advisory lock is on the open file
 * description: it ends with the process, however that ends, and another Subring (or anybody who asks) sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host/linux/disk.h"
#include "host/linux/disk_format.h"

#define WORKERS 2
#define SECTOR 512

struct host_disk {
	int fd;
	u64 bytes;
	bool read_only, deferred, closing;
	pthread_mutex_t lock;
	pthread_cond_t arrived;
	struct host_disk_request *first, **last; /* waiting, oldest first */
	struct host_thread *worker[WORKERS];
};

/* ---- one request ---- */

/* Moves whole segments, whatever pieces the kernel makes of it. */
static bool transfer(const struct host_disk *disk, const struct host_disk_request *request)
{
	u64 offset = request->offset;

	for (unsigned i = 0; i < request->segment_count; i++) {
		u8 *memory = request->segments[i].memory;
		u64 left = request->segments[i].bytes;

		while (left) {
			ssize_t moved = request->operation == HOST_DISK_READ ? pread(disk->fd, memory, left, (off_t)offset) :
									       pwrite(disk->fd, memory, left, (off_t)offset);

			if (moved < 0 && errno == EINTR)
				continue;
			if (moved <= 0)
				return false; /* an error, or an image that was cut off meanwhile */
			memory += moved;
			offset += (u64)moved;
			left -= (u64)moved;
		}
	}
	return true;
}

static bool write_zero_blocks(const struct host_disk *disk, u64 offset, u64 bytes)
{
	static const u8 zeroes[65536];

	while (bytes) {
		size_t piece = bytes < sizeof(zeroes) ? bytes : sizeof(zeroes);
		ssize_t written = pwrite(disk->fd, zeroes, piece, (off_t)offset);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		offset += (u64)written;
		bytes -= (u64)written;
	}
	return true;
}

static bool request_perform(const struct host_disk *disk, const struct host_disk_request *request)
{
	off_t offset = (off_t)request->offset, bytes = (off_t)request->bytes;

	switch (request->operation) {
	case HOST_DISK_READ:
	case HOST_DISK_WRITE:
		return transfer(disk, request);
	case HOST_DISK_FLUSH:
		return !fdatasync(disk->fd);
	case HOST_DISK_DISCARD:
		/* A hint: an image that cannot have holes keeps its blocks. */
		return !fallocate(disk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, bytes) || errno == EOPNOTSUPP;
	case HOST_DISK_WRITE_ZEROES:
		return !fallocate(disk->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, offset, bytes) ||
		       write_zero_blocks(disk, request->offset, request->bytes);
	}
	return false;
}

/* ---- the queue ---- */

static struct host_disk_request *queue_take(struct host_disk *disk)
{
	struct host_disk_request *request = disk->first;

	if (request) {
		disk->first = request->next;
		if (!disk->first)
			disk->last = &disk->first;
	}
	return request;
}

static void worker_body(void *argument)
{
	struct host_disk *disk = argument;
	struct host_disk_request *request;

	pthread_mutex_lock(&disk->lock);
	for (;;) {
		while (!(request = queue_take(disk)) && !disk->closing)
			pthread_cond_wait(&disk->arrived, &disk->lock);
		if (!request)
			break;
		pthread_mutex_unlock(&disk->lock);
		request->done(request, request_perform(disk, request));
		pthread_mutex_lock(&disk->lock);
	}
	pthread_mutex_unlock(&disk->lock);
}

void host_disk_submit(struct host_disk *disk, struct host_disk_request *request)
{
	request->next = NULL;
	pthread_mutex_lock(&disk->lock);
	*disk->last = request;
	disk->last = &request->next;
	pthread_cond_signal(&disk->arrived);
	pthread_mutex_unlock(&disk->lock);
}

bool host_disk_poll(struct host_disk *disk)
{
	struct host_disk_request *request;
	bool any = false;

	if (!disk->deferred)
		return false;
	for (;;) {
		pthread_mutex_lock(&disk->lock);
		request = queue_take(disk);
		pthread_mutex_unlock(&disk->lock);
		if (!request)
			return any;
		request->done(request, request_perform(disk, request));
		any = true;
	}
}

u64 host_disk_bytes(const struct host_disk *disk)
{
	return disk->bytes;
}

bool host_disk_read_only(const struct host_disk *disk)
{
	return disk->read_only;
}

/* ---- opening ---- */

static bool disk_size(struct host_disk *disk, const char *path, struct host_error *error)
{
	struct stat status;
	u64 bytes = 0;

	if (fstat(disk->fd, &status)) {
		host_error_set(error, "disk '%s': %s", path, strerror(errno));
		return false;
	}
	if (S_ISBLK(status.st_mode)) {
		if (ioctl(disk->fd, BLKGETSIZE64, &bytes)) {
			host_error_set(error, "disk '%s': its size cannot be read: %s", path, strerror(errno));
			return false;
		}
	} else if (S_ISREG(status.st_mode)) {
		bytes = (u64)status.st_size;
	} else {
		host_error_set(error, "disk '%s' is neither a file nor a block device", path);
		return false;
	}
	if (bytes && !(bytes % SECTOR)) {
		disk->bytes = bytes;
		return true;
	}
	if (!bytes)
		host_error_set(error, "disk '%s' is empty: make it with `truncate -s 1G %s`", path, path);
	else
		host_error_set(error, "disk '%s': its %llu bytes are no whole number of sectors: it seems cut off; get it again, "
			       "or add what is missing with `truncate -s %%%d %s`", path, (unsigned long long)bytes, SECTOR,
			       path);
	return false;
}

static bool disk_is_raw(const struct host_disk *disk, const char *path, struct host_error *error)
{
	const char *format = disk_format_name(disk->fd);

	if (!format)
		return true;
	host_error_set(error, "disk '%s' is a %s image; make a raw one with `qemu-img convert -O raw %s NEW`", path, format,
		       path);
	return false;
}

static bool disk_lock(const struct host_disk *disk, const char *path, struct host_error *error)
{
	struct flock lock = { .l_type = disk->read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };

	if (!fcntl(disk->fd, F_OFD_SETLK, &lock))
		return true;
	if (errno == EAGAIN || errno == EACCES)
		host_error_set(error, "disk '%s' is in use: by another program, or named twice here; close it there%s", path,
			       disk->read_only ? "" : ", or share it with ro=on in both");
	else
		host_error_set(error, "disk '%s' cannot be locked: %s", path, strerror(errno));
	return false;
}

static bool workers_start(struct host_disk *disk, struct host_error *error)
{
	for (unsigned i = 0; !disk->deferred && i < WORKERS; i++) {
		disk->worker[i] = host_thread_start("disk", worker_body, disk, error);
		if (!disk->worker[i])
			return false;
	}
	return true;
}

struct host_disk *disk_open(const char *path, bool read_only, bool deferred, struct host_error *error)
{
	struct host_disk *disk = calloc(1, sizeof(*disk));

	if (!disk) {
		host_error_set(error, "out of memory");
		return NULL;
	}
	disk->read_only = read_only;
	disk->deferred = deferred;
	disk->last = &disk->first;
	pthread_mutex_init(&disk->lock, NULL);
	pthread_cond_init(&disk->arrived, NULL);
	disk->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (disk->fd < 0) {
		host_error_set(error, "disk '%s': %s%s", path, strerror(errno),
			       errno == EACCES || errno == EROFS ? "; add ro=on to only read it" : "");
		free(disk);
		return NULL;
	}
	if (!disk_size(disk, path, error) || !disk_is_raw(disk, path, error) || !disk_lock(disk, path, error) ||
	    !workers_start(disk, error)) {
		disk_close(disk);
		return NULL;
	}
	return disk;
}

void disk_close(struct host_disk *disk)
{
	if (!disk)
		return;
	pthread_mutex_lock(&disk->lock);
	disk->closing = true;
	pthread_cond_broadcast(&disk->arrived);
	pthread_mutex_unlock(&disk->lock);
	for (unsigned i = 0; i < WORKERS; i++)
		if (disk->worker[i])
			host_thread_join(disk->worker[i]);
	close(disk->fd);
	pthread_cond_destroy(&disk->arrived);
	pthread_mutex_destroy(&disk->lock);
	free(disk);
}

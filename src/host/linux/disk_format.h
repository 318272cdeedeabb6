/* Disk images of other programs' formats, which must not be taken for the raw bytes of a disk. */
#ifndef HOST_LINUX_DISK_FORMAT_H
#define HOST_LINUX_DISK_FORMAT_H

/* The format that the open file's first bytes show, as qemu-img calls it; NULL: raw, as far as one can see. */
const char *disk_format_name(int fd);

#endif

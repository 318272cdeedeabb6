/*
 * Whether a file is an initial RAM disk that Linux can use. The kernel finds out late and says little; here the file's name is
 * still known.
 */
#ifndef BOOT_INITRD_H
#define BOOT_INITRD_H

#include "boot/boot.h"

/*
 * Walks through the cpio archives and compressed parts of an initramfs ("initramfs buffer format") as the kernel does; an image
 * of a file system is taken as it is. false: the error says what is wrong. name: of the file, for the error.
 */
MUST_USE bool initrd_check(struct boot_blob initrd, const char *name, struct host_error *error);

#endif

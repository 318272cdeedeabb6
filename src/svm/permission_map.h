/*
 * Where the I/O and MSR permission maps say whether an access is intercepted. The caller reads the map.
 *
 * "I/O Permissions Map": a bit for each byte-wide port, 12 KiB. "MSR Intercepts": two bits for each MSR, 8 KiB.
 */
#ifndef SVM_PERMISSION_MAP_H
#define SVM_PERMISSION_MAP_H

#include "base/bits.h"

#define SVM_IOPM_BYTES (3 * 4096u)
#define SVM_IOPM_LAST_BYTE (0x10000u / 8) /* of the bytes that hold bits: 64K + 3 */
#define SVM_MSRPM_BYTES (2 * 4096u)
#define SVM_MAP_ADDRESS BITS(63, 12)      /* VMRUN ignores the rest of IOPM_BASE and MSRPM_BASE */

/* Bits of a map: the little-endian word at byte (and byte + 1) has the bits of mask. */
struct svm_map_bits {
	u32 byte;
	u16 mask;
};

/* size: 1, 2 or 4 ports. An access is intercepted if any bit is set; those past port FFFFH are in the third page. */
struct svm_map_bits svm_iopm_bits(u16 port, unsigned size);

/* False: the map does not cover the MSR, so the access is intercepted. The mask has one bit, in its low byte. */
bool svm_msrpm_bits(u32 msr, bool write, struct svm_map_bits *bits);

/* What a whole map (SVM_IOPM_BYTES, SVM_MSRPM_BYTES) says. */
bool svm_iopm_intercepts(const u8 *map, u16 port, unsigned size);
bool svm_msrpm_intercepts(const u8 *map, u32 msr, bool write);

#endif

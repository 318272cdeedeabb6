/* Positions in the permission maps: see permission_map.h. */
#include "svm/permission_map.h"

#include "base/compiler.h"

#define BITS_PER_BYTE 8
#define BITS_PER_MSR 2 /* the lower one for reads, the upper one for writes */
#define MSRS_PER_RANGE 0x2000u
#define BYTES_PER_RANGE (MSRS_PER_RANGE * BITS_PER_MSR / BITS_PER_BYTE)

/* "MSR Ranges Covered by MSRPM", in the map's order; its fourth part is reserved. */
static const u32 msr_ranges[] = { 0x00000000, 0xc0000000, 0xc0010000 };

struct svm_map_bits svm_iopm_bits(u16 port, unsigned size)
{
	return (struct svm_map_bits){ port / BITS_PER_BYTE, (u16)(((1u << size) - 1) << (port % BITS_PER_BYTE)) };
}

bool svm_msrpm_bits(u32 msr, bool write, struct svm_map_bits *bits)
{
	for (u32 i = 0; i < ARRAY_LENGTH(msr_ranges); i++) {
		u32 bit = (msr - msr_ranges[i]) * BITS_PER_MSR + write;

		if (msr - msr_ranges[i] >= MSRS_PER_RANGE)
			continue;
		bits->byte = i * BYTES_PER_RANGE + bit / BITS_PER_BYTE;
		bits->mask = (u16)(1u << (bit % BITS_PER_BYTE));
		return true;
	}
	return false;
}

bool svm_iopm_intercepts(const u8 *map, u16 port, unsigned size)
{
	struct svm_map_bits bits = svm_iopm_bits(port, size);

	return ((u32)map[bits.byte] | (u32)map[bits.byte + 1] << BITS_PER_BYTE) & bits.mask;
}

bool svm_msrpm_intercepts(const u8 *map, u32 msr, bool write)
{
	struct svm_map_bits bits;

	return !svm_msrpm_bits(msr, write, &bits) || map[bits.byte] & bits.mask;
}

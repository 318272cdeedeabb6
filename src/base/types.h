/* The integer and address types that every room uses. */
#ifndef BASE_TYPES_H
#define BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

/* Guest-virtual (linear), guest-physical and host-virtual addresses. */
typedef u64 gva_t;
typedef u64 gpa_t;
typedef u64 hva_t;

#endif

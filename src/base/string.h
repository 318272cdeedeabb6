/*
 * The C string functions that freestanding code may use. The compiler's built-in forms are named explicitly, so that
 * small copies are inlined although -ffreestanding is on.
 */
#ifndef BASE_STRING_H
#define BASE_STRING_H

#include <stddef.h>

#define memcpy(to, from, bytes) __builtin_memcpy(to, from, bytes)
#define memmove(to, from, bytes) __builtin_memmove(to, from, bytes)
#define memset(to, byte, bytes) __builtin_memset(to, byte, bytes)
#define memcmp(a, b, bytes) __builtin_memcmp(a, b, bytes)
#define strlen(s) __builtin_strlen(s)
#define strcmp(a, b) __builtin_strcmp(a, b)
#define strncmp(a, b, bytes) __builtin_strncmp(a, b, bytes)

#endif

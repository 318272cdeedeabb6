/*
 * A processor with a little RAM for fuzz targets: made once for each of a few models, reset for each input. Devices, ports
 * and the interrupt controller answer with numbers drawn from a seed.
 */
#ifndef TESTS_FUZZ_CORE_RIG_H
#define TESTS_FUZZ_CORE_RIG_H

#include "cpu/core.h"

#define RIG_RAM_BYTES 0x40000u
#define RIG_MODELS 5

extern u8 *rig_ram;

/* The processor of model 0 to RIG_MODELS - 1 after RESET, with RAM cleared. */
struct core *rig_core(unsigned model, u64 seed);

/* The next number that follows from the seed. */
u64 rig_random(void);

#endif

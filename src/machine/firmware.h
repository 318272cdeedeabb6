/*
 * What firmware would have done before a boot loader runs: tables in memory, processors set up. PCI resources are
 * assigned by the board itself.
 */
#ifndef MACHINE_FIRMWARE_H
#define MACHINE_FIRMWARE_H

#include "machine/board.h"

/* Writes ACPI tables and BIOS data; *rsdp is where the former start. */
MUST_USE bool firmware_place(struct board *board, unsigned processors, gpa_t *rsdp, struct host_error *error);

/* Memory types: RAM write-back, the PCI hole and the video window uncached. */
void firmware_prepare_processor(struct cpu *cpu, const struct cpu_model *model);

#endif

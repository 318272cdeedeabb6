/*
 * Composing ACPI Machine Language ("ACPI Machine Language (AML) Specification"): just what a static DSDT needs.
 *
 * Objects that contain others are opened and closed; the writer keeps their lengths. Names are four characters, a
 * leading backslash makes them absolute.
 */
#ifndef BOOT_AML_H
#define BOOT_AML_H

#include "boot/writer.h"

#define AML_MAX_DEPTH 8

struct aml {
	struct writer out;
	size_t open[AML_MAX_DEPTH]; /* where the lengths of the open objects go */
	unsigned depth;
};

void aml_start(struct aml *aml, u8 *buffer, size_t size);

void aml_open_scope(struct aml *aml, const char *name);
void aml_open_device(struct aml *aml, const char *name);
void aml_open_package(struct aml *aml, u8 elements);
void aml_close(struct aml *aml);

/* Name (name, ...): the value comes next. */
void aml_name(struct aml *aml, const char *name);
void aml_integer(struct aml *aml, u64 value);
void aml_string(struct aml *aml, const char *text);
void aml_eisa_id(struct aml *aml, const char *id); /* "PNP0A08" */

/* ---- resource templates: open, descriptors, close ("Resource Data Types for ACPI") ---- */

struct aml_range {
	u64 base, bytes;
};

void aml_open_resources(struct aml *aml);
void aml_close_resources(struct aml *aml);
void aml_io(struct aml *aml, u16 port, u8 ports);
void aml_irq(struct aml *aml, unsigned irq);                         /* ISA: edge, active high */
void aml_memory_fixed(struct aml *aml, struct aml_range range);      /* below 4 GiB */
void aml_bus_window(struct aml *aml, struct aml_range range);        /* bus numbers a bridge passes on */
void aml_port_window(struct aml *aml, struct aml_range range);
void aml_memory_window(struct aml *aml, struct aml_range range);     /* below 4 GiB */

#endif

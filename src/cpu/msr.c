/*
 * The engine of msr.def: finds a register's row and does what it says. See msr.h.
 *
 * Linux writes FS_BASE at every context switch and the x2APIC and the deadline timer at every interrupt, so a row is
 * found by bisection. The registers with rules of their own are in msr_special.c.
 */
#include "cpu/msr.h"
#include "base/string.h"
#include "cpu/control.h"
#include "cpu/msr_special.h"
#include "x86/msr.h"

enum msr_kind { KIND_STORED, KIND_MASKED, KIND_ADDRESS, KIND_CONSTANT, KIND_IGNORED, KIND_COMPUTED };
enum msr_vendor { MSR_ANY, MSR_INTEL, MSR_AMD };

struct msr_row {
	u32 first, last;
	u8 kind, vendor, feature;
	u16 field;  /* offset in struct cpu */
	u64 value;  /* constant, or the bits that can be written */
	msr_reader *read;
	msr_writer *write;
};

#define NAMED(vendor_, feature_) .vendor = MSR_##vendor_, .feature = FEAT_##feature_

static const struct msr_row rows[] = {
#define STORED(name, number, vendor, feature, field_, bits) \
	{ number, number, KIND_STORED, NAMED(vendor, feature), .field = offsetof(struct cpu, field_), .value = bits },
#define MASKED(name, number, vendor, feature, field_, bits) \
	{ number, number, KIND_MASKED, NAMED(vendor, feature), .field = offsetof(struct cpu, field_), .value = bits },
#define ADDRESS(name, number, vendor, feature, field_) \
	{ number, number, KIND_ADDRESS, NAMED(vendor, feature), .field = offsetof(struct cpu, field_) },
#define CONSTANT(name, number, vendor, feature, value_) \
	{ number, number, KIND_CONSTANT, NAMED(vendor, feature), .value = value_ },
#define IGNORED(name, number, vendor, feature, value_) \
	{ number, number, KIND_IGNORED, NAMED(vendor, feature), .value = value_ },
#define COMPUTED(name, first, last, vendor, feature, reader, writer) \
	{ first, last, KIND_COMPUTED, NAMED(vendor, feature), .read = msr_read_##reader, .write = msr_write_##writer },
#include "x86/msr.def"
};

static bool row_exists(const struct core *c, const struct msr_row *row)
{
	if (row->vendor != MSR_ANY && (row->vendor == MSR_AMD) != c->amd)
		return false;
	return feature_has(&c->features, (enum feature)row->feature);
}

/* The row of the register on this processor, or NULL. */
static const struct msr_row *find_row(const struct core *c, u32 msr)
{
	size_t low = 0, high = ARRAY_LENGTH(rows);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (rows[middle].last < msr)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < ARRAY_LENGTH(rows) && rows[low].first <= msr; low++)
		if (row_exists(c, &rows[low]))
			return &rows[low];
	return NULL;
}

static u64 *row_field(struct core *c, const struct msr_row *row)
{
	return (u64 *)((u8 *)&c->cpu + row->field);
}

bool msr_read(struct core *c, u32 msr, u64 *value)
{
	const struct msr_row *row = find_row(c, msr);

	if (!row)
		return false;
	switch (row->kind) {
	case KIND_STORED:
	case KIND_MASKED:
	case KIND_ADDRESS:
		*value = *row_field(c, row);
		return true;
	case KIND_CONSTANT:
	case KIND_IGNORED:
		*value = row->value;
		return true;
	default:
		return row->read && row->read(c, msr, value);
	}
}

static bool store(u64 *field, u64 value, bool allowed)
{
	if (allowed)
		*field = value;
	return allowed;
}

bool msr_write(struct core *c, u32 msr, u64 value)
{
	const struct msr_row *row = find_row(c, msr);

	if (!row)
		return false;
	switch (row->kind) {
	case KIND_STORED:
		return store(row_field(c, row), value, !(value & ~row->value));
	case KIND_MASKED:
		return store(row_field(c, row), value & row->value, true);
	case KIND_ADDRESS:
		return store(row_field(c, row), value, control_is_canonical_base(c, value));
	case KIND_CONSTANT:
		return false;
	case KIND_IGNORED:
		return true;
	default:
		return row->write && row->write(c, msr, value);
	}
}

/*
 * Memory types and machine checks: MTRRs, PAT and the error-reporting banks.
 *
 * Memory is always coherent and never fails here, so these registers have no effect; but their rules about values hold
 * ("Memory Type Range Registers (MTRRs)", "Page Attribute Table (PAT)", "Machine-Check Architecture").
 */
#include "cpu/msr_special.h"
#include "x86/msr.h"

/* ---- memory types ---- */

enum memory_type { TYPE_UC = 0, TYPE_WC = 1, TYPE_WT = 4, TYPE_WP = 5, TYPE_WB = 6, TYPE_UC_MINUS = 7 };

#define MTRR_TYPES (BIT(TYPE_UC) | BIT(TYPE_WC) | BIT(TYPE_WT) | BIT(TYPE_WP) | BIT(TYPE_WB))
#define PAT_TYPES (MTRR_TYPES | BIT(TYPE_UC_MINUS))

static bool type_valid(u8 type, u64 types)
{
	return type < 64 && types >> type & 1;
}

/* Are all eight bytes types? */
static bool types_valid(u64 value, u64 types)
{
	for (unsigned i = 0; i < 8; i++)
		if (!type_valid((u8)(value >> (8 * i)), types))
			return false;
	return true;
}

/* ---- MTRRs ---- */

#define PHYSBASE_RESERVED BITS(11, 8)
#define PHYSMASK_RESERVED BITS(10, 0)
#define DEF_TYPE_RESERVED (BITS(63, 12) | BITS(9, 8))

/* PHYSBASE and PHYSMASK alternate. */
static u64 *variable_range(struct core *c, u32 msr, bool *mask)
{
	unsigned index = msr - MSR_IA32_MTRR_PHYSBASE0;

	*mask = index & 1;
	return *mask ? &c->cpu.mtrr.physmask[index / 2] : &c->cpu.mtrr.physbase[index / 2];
}

bool msr_read_mtrr_variable(struct core *c, u32 msr, u64 *value)
{
	bool mask;

	*value = *variable_range(c, msr, &mask);
	return true;
}

bool msr_write_mtrr_variable(struct core *c, u32 msr, u64 value)
{
	bool mask;
	u64 *field = variable_range(c, msr, &mask);
	u64 reserved = BITS(63, c->physical_bits) | (mask ? PHYSMASK_RESERVED : PHYSBASE_RESERVED);

	if (value & reserved || (!mask && !type_valid((u8)value, MTRR_TYPES)))
		return false;
	*field = value;
	return true;
}

static u64 *fixed_range(struct core *c, u32 msr)
{
	if (msr >= MSR_IA32_MTRR_FIX4K_C0000)
		return &c->cpu.mtrr.fixed[3 + msr - MSR_IA32_MTRR_FIX4K_C0000];
	if (msr >= MSR_IA32_MTRR_FIX16K_80000)
		return &c->cpu.mtrr.fixed[1 + msr - MSR_IA32_MTRR_FIX16K_80000];
	return &c->cpu.mtrr.fixed[0];
}

bool msr_read_mtrr_fixed(struct core *c, u32 msr, u64 *value)
{
	*value = *fixed_range(c, msr);
	return true;
}

bool msr_write_mtrr_fixed(struct core *c, u32 msr, u64 value)
{
	if (!types_valid(value, MTRR_TYPES))
		return false;
	*fixed_range(c, msr) = value;
	return true;
}

bool msr_read_mtrr_def_type(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.mtrr.def_type;
	return true;
}

bool msr_write_mtrr_def_type(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	if (value & DEF_TYPE_RESERVED || !type_valid((u8)value, MTRR_TYPES))
		return false;
	c->cpu.mtrr.def_type = value;
	return true;
}

bool msr_read_pat(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.pat;
	return true;
}

bool msr_write_pat(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	if (!types_valid(value, PAT_TYPES))
		return false;
	c->cpu.pat = value;
	return true;
}

/* ---- machine-check banks ---- */

static u64 *bank_field(struct core *c, u32 msr, bool *control)
{
	struct cpu_mc_bank *bank = &c->cpu.mc_bank[(msr - MSR_IA32_MC0_CTL) / MSR_MC_STRIDE];
	unsigned which = (msr - MSR_IA32_MC0_CTL) % MSR_MC_STRIDE;
	u64 *field[MSR_MC_STRIDE] = { &bank->ctl, &bank->status, &bank->addr, &bank->misc };

	*control = which == 0;
	return field[which];
}

bool msr_read_mc_bank(struct core *c, u32 msr, u64 *value)
{
	bool control;

	*value = *bank_field(c, msr, &control);
	return true;
}

/* What an error left can only be cleared, unless AMD's HWCR says that software may write it. */
bool msr_write_mc_bank(struct core *c, u32 msr, u64 value)
{
	bool control;
	u64 *field = bank_field(c, msr, &control);

	if (value && !control && !(c->amd && c->cpu.hwcr & HWCR_MC_STATUS_WRITE_ENABLE))
		return false;
	*field = value;
	return true;
}

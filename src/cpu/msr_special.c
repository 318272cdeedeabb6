/*
 * MSRs with rules of their own: time, the local APIC, features of the processor and of its firmware.
 *
 * The local APIC and its deadline timer live in the machine; what it refuses is #GP(0).
 */
#include "cpu/msr_special.h"
#include "cpu/control.h"
#include "cpu/msr.h"
#include "x86/msr.h"

/* Stands for a microcode that is newer than any erratum a kernel looks for. */
#define MICROCODE_REVISION 0x7fffffffull

bool msr_write_nothing(struct core *c, u32 msr, u64 value)
{
	(void)c;
	(void)msr;
	(void)value;
	return true;
}

/* ---- time ("Time-Stamp Counter") ---- */

u64 msr_tsc(struct core *c)
{
	return c->environment->tsc(c->machine, c->processor) + c->cpu.tsc_offset;
}

/* Moves the TSC; a deadline that is waited for comes sooner or later now, so it is written again. */
static void move_tsc(struct core *c, u64 delta)
{
	u64 deadline;

	c->cpu.tsc_offset += delta;
	if (feature_has(&c->features, FEAT_TSC_DEADLINE) &&
	    c->environment->apic_msr_read(c->machine, c->processor, MSR_IA32_TSC_DEADLINE, &deadline) && deadline)
		(void)c->environment->apic_msr_write(c->machine, c->processor, MSR_IA32_TSC_DEADLINE, deadline);
}

bool msr_read_tsc(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = msr_tsc(c);
	return true;
}

/* A write moves IA32_TSC_ADJUST by as much as it moves the counter. */
bool msr_write_tsc(struct core *c, u32 msr, u64 value)
{
	u64 delta = value - msr_tsc(c);

	(void)msr;
	c->cpu.tsc_adjust += delta;
	move_tsc(c, delta);
	return true;
}

bool msr_read_tsc_adjust(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.tsc_adjust;
	return true;
}

bool msr_write_tsc_adjust(struct core *c, u32 msr, u64 value)
{
	u64 delta = value - c->cpu.tsc_adjust;

	(void)msr;
	c->cpu.tsc_adjust = value;
	move_tsc(c, delta);
	return true;
}

static bool has_tsc_aux(const struct core *c)
{
	return feature_has(&c->features, FEAT_RDTSCP) || feature_has(&c->features, FEAT_RDPID);
}

bool msr_read_tsc_aux(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.tsc_aux;
	return has_tsc_aux(c);
}

/* Intel's refuses the upper half, AMD's drops it. */
bool msr_write_tsc_aux(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	if (!has_tsc_aux(c) || (!c->amd && value >> 32))
		return false;
	c->cpu.tsc_aux = (u32)value;
	return true;
}

/* ---- the local APIC ---- */

#define APIC_BASE_ADDRESS 0xfee00000ull
#define APIC_BASE_BSP BIT(8)
#define APIC_BASE_EXTD BIT(10)
#define APIC_BASE_EN BIT(11)

bool msr_read_apic(struct core *c, u32 msr, u64 *value)
{
	return c->environment->apic_msr_read(c->machine, c->processor, msr, value);
}

bool msr_write_apic(struct core *c, u32 msr, u64 value)
{
	return c->environment->apic_msr_write(c->machine, c->processor, msr, value);
}

/* The copy in struct cpu is what CPUID's APIC bit follows. */
bool msr_write_apic_base(struct core *c, u32 msr, u64 value)
{
	if (!msr_write_apic(c, msr, value))
		return false;
	c->cpu.apic_base = value;
	return true;
}

static bool in_x2apic_mode(const struct core *c)
{
	return (c->cpu.apic_base & (APIC_BASE_EN | APIC_BASE_EXTD)) == (APIC_BASE_EN | APIC_BASE_EXTD);
}

bool msr_read_x2apic(struct core *c, u32 msr, u64 *value)
{
	return in_x2apic_mode(c) && msr_read_apic(c, msr, value);
}

bool msr_write_x2apic(struct core *c, u32 msr, u64 value)
{
	return in_x2apic_mode(c) && msr_write_apic(c, msr, value);
}

/* ---- features and firmware ---- */

#define FEATURE_CONTROL_LOCK BIT(0)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX BIT(2)

static u64 feature_control_allowed(const struct core *c)
{
	return FEATURE_CONTROL_LOCK | (feature_has(&c->features, FEAT_VMX) ? FEATURE_CONTROL_VMX_OUTSIDE_SMX : 0);
}

bool msr_read_feature_control(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.feature_control;
	return true;
}

bool msr_write_feature_control(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	if (c->cpu.feature_control & FEATURE_CONTROL_LOCK || value & ~feature_control_allowed(c))
		return false;
	c->cpu.feature_control = value;
	return true;
}

#define SPEC_CTRL_IBRS BIT(0)
#define SPEC_CTRL_STIBP BIT(1)
#define SPEC_CTRL_SSBD BIT(2)
#define SPEC_CTRL_BHI_DIS_S BIT(10)
#define PRED_CMD_IBPB BIT(0)

/* Nothing speculates: the bits are kept and do nothing. */
static u64 spec_ctrl_allowed(const struct core *c)
{
	static const struct {
		u8 feature;
		u16 bits;
	} bits[] = {
		{ FEAT_SPEC_CTRL, SPEC_CTRL_IBRS | SPEC_CTRL_STIBP }, { FEAT_SSBD, SPEC_CTRL_SSBD },
		{ FEAT_BHI_CTRL, SPEC_CTRL_BHI_DIS_S },
		{ FEAT_AMD_IBRS, SPEC_CTRL_IBRS }, { FEAT_AMD_STIBP, SPEC_CTRL_STIBP },
		{ FEAT_AMD_SSBD, SPEC_CTRL_SSBD },
	};
	u64 allowed = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(bits); i++)
		if (feature_has(&c->features, (enum feature)bits[i].feature))
			allowed |= bits[i].bits;
	return allowed;
}

bool msr_read_spec_ctrl(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.spec_ctrl;
	return spec_ctrl_allowed(c) != 0;
}

bool msr_write_spec_ctrl(struct core *c, u32 msr, u64 value)
{
	u64 allowed = spec_ctrl_allowed(c);

	(void)msr;
	if (!allowed || value & ~allowed)
		return false;
	c->cpu.spec_ctrl = value;
	return true;
}

bool msr_write_pred_cmd(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	if (!feature_has(&c->features, FEAT_SPEC_CTRL) && !feature_has(&c->features, FEAT_AMD_IBPB))
		return false;
	return !(value & ~PRED_CMD_IBPB);
}

/* Intel's has the revision in the upper half, AMD's PATCH_LEVEL in the lower. */
bool msr_read_microcode(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->amd ? MICROCODE_REVISION : MICROCODE_REVISION << 32;
	return true;
}

#define MISC_ENABLE_READ_ONLY (MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE)
/* Heat, voltage and bus arbitration: kept without effect. */
#define MISC_ENABLE_KEPT \
	(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_THERMAL | MISC_ENABLE_SPEEDSTEP | MISC_ENABLE_XTPR_DISABLE)

bool msr_read_misc_enable(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.misc_enable;
	return true;
}

bool msr_write_misc_enable(struct core *c, u32 msr, u64 value)
{
	u64 writable = MISC_ENABLE_KEPT | MISC_ENABLE_LIMIT_CPUID |
		       (feature_has(&c->features, FEAT_MONITOR) ? MISC_ENABLE_MONITOR : 0) |
		       (feature_has(&c->features, FEAT_NX) ? MISC_ENABLE_XD_DISABLE : 0);

	(void)msr;
	if (value & ~(writable | MISC_ENABLE_READ_ONLY))
		return false;
	c->cpu.misc_enable = (value & writable) | MISC_ENABLE_READ_ONLY;
	return true;
}

bool msr_read_xss(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.xss;
	return true;
}

bool msr_write_xss(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	if (value & ~control_xss_allowed(c))
		return false;
	c->cpu.xss = value;
	return true;
}

bool msr_read_efer(struct core *c, u32 msr, u64 *value)
{
	(void)msr;
	*value = c->cpu.efer;
	return true;
}

bool msr_write_efer(struct core *c, u32 msr, u64 value)
{
	(void)msr;
	return control_write_efer(c, value);
}

/* ---- reset ---- */

#define RESET_PAT 0x0007040600070406ull

void msr_reset(struct core *c)
{
	struct cpu *cpu = &c->cpu;

	cpu->pat = RESET_PAT;
	cpu->apic_base = APIC_BASE_ADDRESS | APIC_BASE_EN | (c->processor ? 0 : APIC_BASE_BSP);
	cpu->misc_enable = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_READ_ONLY |
			   (feature_has(&c->features, FEAT_MONITOR) ? MISC_ENABLE_MONITOR : 0);
	cpu->feature_control = feature_control_allowed(c); /* as firmware leaves it: locked, VMX allowed */
	cpu->hwcr = HWCR_TSC_FREQUENCY_SELECT;
}

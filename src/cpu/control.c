/* Writes to CR0, CR3, CR4, CR8, EFER and XCR0: every rule first, then commit steps that cannot fail. See control.h. */
#include "cpu/control.h"
#include "base/string.h"
#include "cpu/tlb.h"
#include "x86/model.h"
#include "x86/msr.h"
#include "x86/control_register.h"

/* Refuses a value: #GP(0) at op. */
static bool refuse(struct core *c, const struct op *op)
{
	(void)core_raise_gp(c, op, 0);
	return false;
}

static bool is_canonical(u64 address, bool five_levels)
{
	unsigned shift = five_levels ? 7 : 16;

	return (u64)((s64)(address << shift) >> shift) == address;
}

bool control_is_canonical(const struct core *c, u64 address)
{
	return is_canonical(address, c->cpu.cr4 & CR4_LA57);
}

bool control_is_canonical_base(const struct core *c, u64 address)
{
	return is_canonical(address, feature_has(&c->features, FEAT_LA57));
}

/* ---- PDPTE registers ("PDPTE Registers") ---- */

#define PDPTES 4
#define PDPTE_P BIT(0)
#define PDPTE_RESERVED_LOW (BITS(2, 1) | BITS(8, 5))
#define CR3_PAE_TABLE BITS(31, 5)

/* The table is 32-byte aligned, so it lies in one page. */
static void pdptes_read(struct core *c, u64 cr3, u64 pdpte[PDPTES])
{
	gpa_t table = cr3 & CR3_PAE_TABLE;
	struct core_page page;

	c->environment->page(c->machine, table & PAGE_MASK, &page);
	if (page.host) {
		memcpy(pdpte, page.host + (table & ~PAGE_MASK), PDPTES * sizeof(*pdpte));
		return;
	}
	for (unsigned i = 0; i < PDPTES; i++)
		pdpte[i] = c->environment->mmio_read(c->machine, c->processor, table + i * sizeof(*pdpte),
						     sizeof(*pdpte));
}

static bool uses_pae_paging(u64 cr0, u64 cr4, u64 efer)
{
	return cr0 & CR0_PG && cr4 & CR4_PAE && !(efer & EFER_LMA);
}

/* Loads the registers from the table at cr3; false: a present one has a reserved bit set. */
static bool pdptes_load(struct core *c, u64 cr3)
{
	u64 reserved = PDPTE_RESERVED_LOW | BITS(63, c->physical_bits), pdpte[PDPTES];

	pdptes_read(c, cr3, pdpte);
	for (unsigned i = 0; i < PDPTES; i++)
		if (pdpte[i] & PDPTE_P && pdpte[i] & reserved)
			return false;
	memcpy(c->cpu.pdpte, pdpte, sizeof(pdpte));
	return true;
}

/* ---- CR0 ---- */

#define CR0_DEFINED \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* With PAE paging, changing one of these loads the PDPTEs. */
#define CR0_RELOADS_PDPTES (CR0_PG | CR0_CD | CR0_NW)
#define CR0_MSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)

/* May paging be turned on for long mode ("Initializing IA-32e Mode")? */
static bool may_activate_long_mode(const struct core *c)
{
	u32 tr_type = c->cpu.segment[SEG_TR].attributes & SEGMENT_TYPE;

	if (!(c->cpu.cr4 & CR4_PAE) || c->cpu.segment[SEG_CS].attributes & SEGMENT_L)
		return false;
	return c->amd || (tr_type != DESCRIPTOR_TSS16_AVAILABLE && tr_type != DESCRIPTOR_TSS16_BUSY);
}

static bool may_write_cr0(const struct core *c, u64 value)
{
	u64 changed = c->cpu.cr0 ^ value;

	if (value >> 32)
		return false;
	if (value & CR0_PG && !(value & CR0_PE))
		return false;
	if (value & CR0_NW && !(value & CR0_CD))
		return false;
	if (!(changed & CR0_PG))
		return true;
	if (value & CR0_PG)
		return !(c->cpu.efer & EFER_LME) || may_activate_long_mode(c);
	return !(c->cpu.cr4 & CR4_PCIDE) && !cpu_in_64bit_mode(&c->cpu);
}

bool control_write_cr0(struct core *c, const struct op *op, u64 value)
{
	u64 changed, efer = c->cpu.efer;

	if (!may_write_cr0(c, value))
		return refuse(c, op);
	value = (value & CR0_DEFINED) | CR0_ET;
	changed = c->cpu.cr0 ^ value;
	if (changed & CR0_PG)
		efer = value & CR0_PG && efer & EFER_LME ? efer | EFER_LMA : efer & ~EFER_LMA;
	if (changed & CR0_RELOADS_PDPTES && uses_pae_paging(value, c->cpu.cr4, efer) && !pdptes_load(c, c->cpu.cr3))
		return refuse(c, op);
	c->cpu.cr0 = value;
	c->cpu.efer = efer;
	if (changed & (CR0_PG | CR0_WP | CR0_PE))
		tlb_flush_all(c);
	core_mode_changed(c);
	return true;
}

bool control_write_msw(struct core *c, const struct op *op, u16 value)
{
	return control_write_cr0(c, op, (c->cpu.cr0 & (~CR0_MSW | CR0_PE)) | (value & CR0_MSW));
}

/* ---- CR3 ---- */

/* value: without the no-flush bit. */
static bool load_cr3(struct core *c, const struct op *op, u64 value, bool flush)
{
	if (cpu_in_long_mode(&c->cpu) && value & BITS(63, c->physical_bits))
		return refuse(c, op);
	if (uses_pae_paging(c->cpu.cr0, c->cpu.cr4, c->cpu.efer) && !pdptes_load(c, value))
		return refuse(c, op);
	c->cpu.cr3 = value;
	if (flush)
		tlb_flush_context(c);
	else
		tlb_switch_context(c);
	core_mode_changed(c);
	return true;
}

bool control_write_cr3(struct core *c, const struct op *op, u64 value)
{
	bool keep = c->cpu.cr4 & CR4_PCIDE && value & CR3_NOFLUSH;

	return load_cr3(c, op, keep ? value & ~CR3_NOFLUSH : value, !keep);
}

bool control_load_cr3(struct core *c, const struct op *op, u64 value)
{
	return load_cr3(c, op, value, true);
}

/* ---- CR4 ---- */

/* With PAE paging, changing one of these loads the PDPTEs. */
#define CR4_RELOADS_PDPTES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP)
/* Changing one of these changes what a cached translation means. */
#define CR4_FLUSHES (CR4_PSE | CR4_PAE | CR4_PGE | CR4_LA57 | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_PKS)

u64 control_cr4_allowed(const struct core *c)
{
	return cr4_supported(&c->features);
}

static bool may_write_cr4(const struct core *c, u64 value)
{
	u64 changed = c->cpu.cr4 ^ value, set = changed & value;
	bool long_mode = cpu_in_long_mode(&c->cpu);

	if (value & ~control_cr4_allowed(c))
		return false;
	if (long_mode && (!(value & CR4_PAE) || changed & CR4_LA57))
		return false;
	return !(set & CR4_PCIDE) || (long_mode && !(c->cpu.cr3 & CR3_PCID));
}

bool control_write_cr4(struct core *c, const struct op *op, u64 value)
{
	u64 changed = c->cpu.cr4 ^ value;

	if (!may_write_cr4(c, value))
		return refuse(c, op);
	if (changed & CR4_RELOADS_PDPTES && uses_pae_paging(c->cpu.cr0, value, c->cpu.efer) &&
	    !pdptes_load(c, c->cpu.cr3))
		return refuse(c, op);
	c->cpu.cr4 = value;
	if (changed & CR4_FLUSHES)
		tlb_flush_all(c);
	core_mode_changed(c);
	return true;
}

/* ---- CR8 ---- */

#define CR8_TPR BITS(3, 0)

u64 control_read_cr8(struct core *c)
{
	return c->environment->task_priority(c->machine, c->processor) & CR8_TPR;
}

bool control_write_cr8(struct core *c, const struct op *op, u64 value)
{
	if (value & ~CR8_TPR)
		return refuse(c, op);
	c->cpu.cr8 = value;
	c->environment->set_task_priority(c->machine, c->processor, value);
	return true;
}

/* ---- EFER ---- */

u64 control_efer_allowed(const struct core *c)
{
	bool no_nx = !c->amd && c->cpu.misc_enable & MISC_ENABLE_XD_DISABLE;

	return efer_supported(&c->features) & ~(no_nx ? EFER_NXE : 0);
}

bool control_write_efer(struct core *c, u64 value)
{
	u64 changed = c->cpu.efer ^ value;

	if (value & ~control_efer_allowed(c) || (changed & EFER_LME && c->cpu.cr0 & CR0_PG))
		return false;
	c->cpu.efer = (value & ~EFER_LMA) | (c->cpu.efer & EFER_LMA);
	if (changed & EFER_NXE)
		tlb_flush_all(c);
	core_mode_changed(c);
	return true;
}

/* ---- XCR0 and IA32_XSS ("Managing State Using the XSAVE Feature Set") ---- */

u64 control_xcr0_allowed(const struct core *c)
{
	return XCR0_X87 | XCR0_SSE | (feature_has(&c->features, FEAT_AVX) ? XCR0_AVX : 0) |
	       (feature_has(&c->features, FEAT_PKU) ? XCR0_PKRU : 0);
}

u64 control_xss_allowed(const struct core *c)
{
	(void)c;
	return 0; /* no supervisor state component is implemented */
}

bool control_write_xcr0(struct core *c, const struct op *op, u64 value)
{
	if (value & ~control_xcr0_allowed(c) || !(value & XCR0_X87) || (value & XCR0_AVX && !(value & XCR0_SSE)))
		return refuse(c, op);
	c->cpu.xcr0 = value;
	core_mode_changed(c);
	return true;
}

/* ---- debug registers ("Debug Registers") ---- */

#define DR6_WRITABLE (BITS(3, 0) | DR6_BD | DR6_BS | DR6_BT)
#define DR7_WRITABLE (BITS(9, 0) | DR7_GD | BITS(31, 16))

u64 control_read_dr(const struct core *c, unsigned index)
{
	return index == 7 ? c->cpu.dr7 : index == 6 ? c->cpu.dr6 : c->cpu.dr[index];
}

bool control_write_dr(struct core *c, const struct op *op, unsigned index, u64 value)
{
	if (index >= 6 && value >> 32)
		return refuse(c, op);
	if (index == 7)
		c->cpu.dr7 = (value & DR7_WRITABLE) | DR7_FIXED;
	else if (index == 6)
		c->cpu.dr6 = (value & DR6_WRITABLE) | DR6_FIXED;
	else
		c->cpu.dr[index] = value;
	core_mode_changed(c);
	return true;
}

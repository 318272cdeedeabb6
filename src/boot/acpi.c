/*
 * The ACPI tables' binary part; the DSDT's content is in dsdt.c. Structures are spelled as in "ACPI Software
 * Programming Model".
 *
 * ACPI mode is on from the start (SMI_CMD is 0), so that no system management code is needed to hand the hardware over.
 */
#include "boot/acpi.h"

#include "base/bits.h"
#include "base/string.h"
#include "boot/place.h"
#include "boot/writer.h"
#include "machine/layout.h"

#define OEM_ID "SUBRNG"
#define OEM_TABLE_ID "SUBRING "
#define CREATOR_ID "SUBR"
#define TABLE_ALIGNMENT 64u /* what the FACS needs */
#define TABLE_MAX_BYTES 8192u
#define XAPIC_MAX_ID 254u

/* "Fixed ACPI Description Table Fixed Feature Flags" and "IA-PC Boot Architecture Flags" */
#define FADT_WBINVD BIT(0)
#define FADT_PROC_C1 BIT(2)
#define FADT_SLP_BUTTON BIT(5) /* no fixed sleep button */
#define FADT_FIX_RTC BIT(6)    /* the RTC cannot wake through a fixed register */
#define FADT_TMR_VAL_EXT BIT(8)
#define FADT_RESET_REG_SUP BIT(10)
#define BOOT_LEGACY_DEVICES BIT(0)
#define BOOT_8042 BIT(1)
#define BOOT_NO_VGA BIT(2)

#define MADT_PCAT_COMPAT BIT(0) /* there are two 8259As as well */
#define MADT_ENABLED BIT(0)
#define MADT_ACTIVE_HIGH BIT(0)
#define MADT_LEVEL (BIT(2) | BIT(3))
#define MADT_ALL_PROCESSORS 0xffu
#define MADT_ALL_PROCESSORS_X2APIC 0xffffffffu
#define NMI_LINT 1u

enum madt_type {
	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_NMI = 4,
	MADT_X2APIC = 9,
	MADT_X2APIC_NMI = 10
};

struct acpi_header {
	char signature[4];
	u32 length;
	u8 revision, checksum;
	char oem_id[6], oem_table_id[8];
	u32 oem_revision;
	char creator_id[4];
	u32 creator_revision;
} PACKED;

/* Generic Address Structure. */
struct acpi_address {
	u8 space, bits, offset, access;
	u64 address;
} PACKED;

enum { ADDRESS_IO = 1 };

struct acpi_rsdp {
	char signature[8];
	u8 checksum;
	char oem_id[6];
	u8 revision;
	u32 rsdt, length;
	u64 xsdt;
	u8 extended_checksum, reserved[3];
} PACKED;

#define RSDP_FIRST_BYTES 20u /* what the first checksum covers */

struct acpi_facs {
	char signature[4];
	u32 length, hardware_signature, waking_vector, global_lock, flags;
	u64 x_waking_vector;
	u8 version, reserved[31];
} PACKED;

struct acpi_fadt {
	u32 firmware_ctrl, dsdt;
	u8 reserved, preferred_profile;
	u16 sci_int;
	u32 smi_cmd;
	u8 acpi_enable, acpi_disable, s4bios_req, pstate_cnt;
	u32 pm1a_evt, pm1b_evt, pm1a_cnt, pm1b_cnt, pm2_cnt, pm_tmr, gpe0, gpe1;
	u8 pm1_evt_len, pm1_cnt_len, pm2_cnt_len, pm_tmr_len, gpe0_len, gpe1_len, gpe1_base, cst_cnt;
	u16 p_lvl2_lat, p_lvl3_lat, flush_size, flush_stride;
	u8 duty_offset, duty_width, day_alarm, month_alarm, century;
	u16 boot_arch;
	u8 reserved2;
	u32 flags;
	struct acpi_address reset_reg;
	u8 reset_value;
	u16 arm_boot_arch;
	u8 minor_version;
	u64 x_firmware_ctrl, x_dsdt;
	struct acpi_address x_pm1a_evt, x_pm1b_evt, x_pm1a_cnt, x_pm1b_cnt, x_pm2_cnt, x_pm_tmr, x_gpe0, x_gpe1;
	struct acpi_address sleep_control, sleep_status;
	u64 hypervisor;
} PACKED;

_Static_assert(sizeof(struct acpi_header) + sizeof(struct acpi_fadt) == 276, "FADT of revision 6");

#define FADT_REVISION 6
#define PROFILE_DESKTOP 1
#define NO_C2 101  /* a latency above this means there is no such state */
#define NO_C3 1001
#define CENTURY_REGISTER 0x32

struct madt_lapic { u8 type, length, uid, id; u32 flags; } PACKED;
struct madt_x2apic { u8 type, length; u16 reserved; u32 id, flags, uid; } PACKED;
struct madt_ioapic { u8 type, length, id, reserved; u32 address, gsi_base; } PACKED;
struct madt_override { u8 type, length, bus, source; u32 gsi; u16 flags; } PACKED;
struct madt_nmi { u8 type, length, uid; u16 flags; u8 lint; } PACKED;
struct madt_x2apic_nmi { u8 type, length; u16 flags; u32 uid; u8 lint, reserved[3]; } PACKED;

struct acpi_mcfg {
	u64 reserved, base;
	u16 segment;
	u8 first_bus, last_bus;
	u32 reserved2;
} PACKED;

/* Tables being put one after the other. */
struct table_area {
	struct memory *memory;
	gpa_t next;
	struct host_error *error;
	bool failed;
};

/* What makes the bytes add up to zero. */
static u8 checksum(const void *bytes, size_t count)
{
	const u8 *at = bytes;
	u8 sum = 0;

	while (count--)
		sum = (u8)(sum + *at++);
	return (u8)-sum;
}

static gpa_t place_block(struct table_area *area, const void *bytes, size_t count)
{
	gpa_t at = area->next;

	if (count > PLACE_EXTENDED_BASE - at) {
		host_error_set(area->error, "the ACPI tables do not fit below 1 MiB; use fewer processors");
		area->failed = true;
	} else if (!place_bytes(area->memory, at, bytes, count, "ACPI tables", area->error)) {
		area->failed = true;
	}
	if (area->failed)
		return 0;
	area->next = align_up(at + count, TABLE_ALIGNMENT);
	return at;
}

/* A table: the header, then the body. */
static gpa_t place_table(struct table_area *area, const char *signature, u8 revision, const void *body, size_t count)
{
	u8 table[sizeof(struct acpi_header) + TABLE_MAX_BYTES];
	struct acpi_header header = { .length = (u32)(sizeof(header) + count), .revision = revision, .oem_revision = 1,
				      .creator_revision = 1 };

	memcpy(header.signature, signature, sizeof(header.signature));
	memcpy(header.oem_id, OEM_ID, sizeof(header.oem_id));
	memcpy(header.oem_table_id, OEM_TABLE_ID, sizeof(header.oem_table_id));
	memcpy(header.creator_id, CREATOR_ID, sizeof(header.creator_id));
	memcpy(table + sizeof(header), body, count);
	memcpy(table, &header, sizeof(header));
	header.checksum = checksum(table, header.length);
	memcpy(table, &header, sizeof(header));
	return place_block(area, table, header.length);
}

static gpa_t place_facs(struct table_area *area)
{
	struct acpi_facs facs = { .signature = "FACS", .length = sizeof(facs), .version = 2 };

	return place_block(area, &facs, sizeof(facs));
}

static gpa_t place_dsdt(struct table_area *area, const struct acpi_config *config)
{
	u8 aml[TABLE_MAX_BYTES];
	size_t bytes = acpi_compose_dsdt(config, aml, sizeof(aml));

	return place_table(area, "DSDT", 2, aml, bytes); /* revision 2: 64-bit integers */
}

static struct acpi_address port_address(u16 port, u8 bytes)
{
	return (struct acpi_address){
		.space = ADDRESS_IO, .bits = 8 * bytes, .access = bytes == 4 ? 3 : bytes, .address = port
	};
}

static gpa_t place_fadt(struct table_area *area, const struct acpi_config *config, gpa_t facs, gpa_t dsdt)
{
	struct acpi_fadt fadt = {
		.firmware_ctrl = (u32)facs,
		.dsdt = (u32)dsdt,
		.x_dsdt = dsdt,
		.preferred_profile = PROFILE_DESKTOP,
		.sci_int = config->sci_irq,
		.pm1a_evt = config->pm_event_port,
		.pm1_evt_len = 4,
		.x_pm1a_evt = port_address(config->pm_event_port, 4),
		.pm1a_cnt = config->pm_control_port,
		.pm1_cnt_len = 2,
		.x_pm1a_cnt = port_address(config->pm_control_port, 2),
		.pm_tmr = config->pm_timer_port,
		.pm_tmr_len = 4,
		.x_pm_tmr = port_address(config->pm_timer_port, 4),
		.p_lvl2_lat = NO_C2,
		.p_lvl3_lat = NO_C3,
		.century = CENTURY_REGISTER,
		.boot_arch = BOOT_LEGACY_DEVICES | BOOT_NO_VGA | (config->keyboard_controller ? BOOT_8042 : 0),
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_TMR_VAL_EXT |
			 FADT_RESET_REG_SUP,
		.reset_reg = port_address(LAYOUT_RESET_PORT, 1),
		.reset_value = config->reset_value,
	};

	return place_table(area, "FACP", FADT_REVISION, &fadt, sizeof(fadt));
}

#define WRITE_STRUCT(writer, ...)                                                                                      \
	do {                                                                                                           \
		__auto_type entry_ = __VA_ARGS__;                                                                      \
		write_bytes(writer, &entry_, sizeof(entry_));                                                          \
	} while (0)

static void write_processors(struct writer *w, unsigned processors)
{
	bool x2apic = processors > XAPIC_MAX_ID + 1;

	for (u32 id = 0; id < processors; id++) {
		if (id <= XAPIC_MAX_ID)
			WRITE_STRUCT(w, (struct madt_lapic){ MADT_LAPIC, sizeof(struct madt_lapic), (u8)id, (u8)id,
							     MADT_ENABLED });
		else
			WRITE_STRUCT(w, (struct madt_x2apic){ MADT_X2APIC, sizeof(struct madt_x2apic), 0, id,
							      MADT_ENABLED, id });
	}
	WRITE_STRUCT(w, (struct madt_nmi){ MADT_NMI, sizeof(struct madt_nmi), MADT_ALL_PROCESSORS, 0, NMI_LINT });
	if (x2apic)
		WRITE_STRUCT(w, (struct madt_x2apic_nmi){ MADT_X2APIC_NMI, sizeof(struct madt_x2apic_nmi), 0,
							  MADT_ALL_PROCESSORS_X2APIC, NMI_LINT, { 0 } });
}

static gpa_t place_madt(struct table_area *area, const struct acpi_config *config)
{
	u8 bytes[TABLE_MAX_BYTES];
	struct writer w = { .bytes = bytes, .size = sizeof(bytes) };

	write_number(&w, LAYOUT_LAPIC_BASE, 4);
	write_number(&w, MADT_PCAT_COMPAT, 4);
	write_processors(&w, config->processors);
	WRITE_STRUCT(&w, (struct madt_ioapic){ MADT_IOAPIC, sizeof(struct madt_ioapic), config->ioapic_id, 0,
					       (u32)LAYOUT_IOAPIC_BASE, 0 });
	/* The PIT's wire goes to pin 2: pin 0 is for the 8259A's output. */
	WRITE_STRUCT(&w, (struct madt_override){ MADT_OVERRIDE, sizeof(struct madt_override), 0, 0, 2, 0 });
	WRITE_STRUCT(&w, (struct madt_override){ MADT_OVERRIDE, sizeof(struct madt_override), 0, config->sci_irq,
						 config->sci_irq, MADT_ACTIVE_HIGH | MADT_LEVEL });
	if (w.overflow) {
		host_error_set(area->error, "the ACPI tables cannot describe %u processors", config->processors);
		area->failed = true;
		return 0;
	}
	return place_table(area, "APIC", 4, bytes, w.used);
}

static gpa_t place_mcfg(struct table_area *area)
{
	struct acpi_mcfg mcfg = { .base = LAYOUT_ECAM_BASE };

	return place_table(area, "MCFG", 1, &mcfg, sizeof(mcfg));
}

/* The root pointer must start on a 16-byte boundary in the firmware area, where old kernels search for it. */
static void place_root_pointer(struct memory *memory, gpa_t at, gpa_t rsdt, gpa_t xsdt, struct table_area *area)
{
	struct acpi_rsdp rsdp = { .signature = "RSD PTR ", .revision = 2, .rsdt = (u32)rsdt, .length = sizeof(rsdp),
				  .xsdt = xsdt };

	memcpy(rsdp.oem_id, OEM_ID, sizeof(rsdp.oem_id));
	rsdp.checksum = checksum(&rsdp, RSDP_FIRST_BYTES);
	rsdp.extended_checksum = checksum(&rsdp, sizeof(rsdp));
	if (!place_bytes(memory, at, &rsdp, sizeof(rsdp), "ACPI tables", area->error))
		area->failed = true;
}

gpa_t acpi_place_tables(struct memory *memory, const struct acpi_config *config, struct host_error *error)
{
	struct table_area area = { .memory = memory, .next = PLACE_BIOS + TABLE_ALIGNMENT, .error = error };
	gpa_t facs = place_facs(&area), dsdt = place_dsdt(&area, config);
	u64 tables[] = { place_fadt(&area, config, facs, dsdt), place_madt(&area, config), place_mcfg(&area) };
	u32 tables32[ARRAY_LENGTH(tables)];
	gpa_t rsdt, xsdt;

	for (unsigned i = 0; i < ARRAY_LENGTH(tables); i++)
		tables32[i] = (u32)tables[i];
	rsdt = place_table(&area, "RSDT", 1, tables32, sizeof(tables32));
	xsdt = place_table(&area, "XSDT", 1, tables, sizeof(tables));
	place_root_pointer(memory, PLACE_BIOS, rsdt, xsdt, &area);
	return area.failed ? 0 : PLACE_BIOS;
}

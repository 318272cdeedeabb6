/* What firmware would have done: see firmware.h. */
#include "machine/firmware.h"

#include "boot/acpi.h"
#include "boot/place.h"
#include "x86/model.h"

#define IOAPIC_ID 0u

/* BIOS data area: two words that operating systems still read. */
#define BDA_EBDA_SEGMENT 0x40eull
#define BDA_BASE_MEMORY_KIB 0x413ull
#define SEGMENT_SHIFT 4

/* "Memory Type Range Registers (MTRRs)" */
#define MTRR_UNCACHEABLE 0u
#define MTRR_WRITE_BACK 6u
#define MTRR_FIXED_ENABLE BIT(10)
#define MTRR_ENABLE BIT(11)
#define MTRR_VALID BIT(11)
#define MTRR_FIXED_EACH(type) ((type) * 0x0101010101010101ull)
#define MTRR_FIXED_A0000 2u /* which of the eleven: after 64K_00000 and 16K_80000 */

static bool place_bios_data(struct memory *memory, struct host_error *error)
{
	u16 ebda = (u16)(PLACE_EBDA >> SEGMENT_SHIFT), base_kib = (u16)(PLACE_EBDA >> 10);
	u8 ebda_kib = (u8)((PLACE_LOW_END - PLACE_EBDA) >> 10);

	return place_bytes(memory, BDA_EBDA_SEGMENT, &ebda, sizeof(ebda), "BIOS data", error) &&
	       place_bytes(memory, BDA_BASE_MEMORY_KIB, &base_kib, sizeof(base_kib), "BIOS data", error) &&
	       place_bytes(memory, PLACE_EBDA, &ebda_kib, sizeof(ebda_kib), "BIOS data", error);
}

bool firmware_place(struct board *board, unsigned processors, gpa_t *rsdp, struct host_error *error)
{
	struct acpi_config acpi = {
		.processors = processors,
		.pm_event_port = ACPI_PM_PORT + ACPI_PM_EVENT,
		.pm_control_port = ACPI_PM_PORT + ACPI_PM_CONTROL,
		.pm_timer_port = ACPI_PM_PORT + ACPI_PM_TIMER,
		.sci_irq = ACPI_SCI_IRQ,
		.sleep_type_s5 = ACPI_SLEEP_TYPE_S5,
		.reset_value = RESET_CONTROL_VALUE,
		.ioapic_id = IOAPIC_ID,
		.keyboard_controller = true,
	};

	*rsdp = acpi_place_tables(&board->memory, &acpi, error);
	return *rsdp && place_bios_data(&board->memory, error);
}

void firmware_prepare_processor(struct cpu *cpu, const struct cpu_model *model)
{
	u64 hole = MEMORY_HIGH_BASE - MEMORY_LOW_LIMIT;

	cpu->mtrr.def_type = MTRR_ENABLE | MTRR_FIXED_ENABLE | MTRR_WRITE_BACK;
	for (unsigned i = 0; i < ARRAY_LENGTH(cpu->mtrr.fixed); i++)
		cpu->mtrr.fixed[i] = MTRR_FIXED_EACH(MTRR_WRITE_BACK);
	cpu->mtrr.fixed[MTRR_FIXED_A0000] = MTRR_FIXED_EACH(MTRR_UNCACHEABLE);
	cpu->mtrr.physbase[0] = MEMORY_LOW_LIMIT | MTRR_UNCACHEABLE;
	cpu->mtrr.physmask[0] = (BITS(model->physical_bits - 1, 0) & ~(hole - 1)) | MTRR_VALID;
}

/*
 * The ACPI tables: found where they must be, sums right, and readable by ACPICA's disassembler where it is installed.
 */
#include "boot/acpi.h"

#include <unistd.h>

#include "boot/aml.h"
#include "boot_rig.h"
#include "machine/layout.h"

#define HEADER_BYTES 36u
#define MADT_ENTRIES (HEADER_BYTES + 8)

static struct acpi_config config(unsigned processors)
{
	return (struct acpi_config){ .processors = processors, .pm_event_port = 0x600, .pm_control_port = 0x604,
				     .pm_timer_port = 0x608, .sci_irq = 9, .sleep_type_s5 = 5, .reset_value = 6,
				     .keyboard_controller = true };
}

static u8 sum(const struct boot_rig *rig, gpa_t at, u64 bytes)
{
	u8 total = 0;

	for (u64 i = 0; i < bytes; i++)
		total = (u8)(total + rig_get(rig, at + i, 1));
	return total;
}

/* The table's address through RSDP and XSDT; 0 if it is not listed. */
static gpa_t find_table(const struct boot_rig *rig, gpa_t rsdp, const char *signature)
{
	gpa_t xsdt = rig_get(rig, rsdp + 24, 8);
	u64 bytes = rig_get(rig, xsdt + 4, 4);

	for (u64 at = HEADER_BYTES; at < bytes; at += 8) {
		gpa_t table = rig_get(rig, xsdt + at, 8);

		if (!memcmp(memory_at(&rig->memory, table, 4), signature, 4))
			return table;
	}
	return 0;
}

static gpa_t place(struct boot_rig *rig, unsigned processors)
{
	struct acpi_config c = config(processors);
	gpa_t rsdp = acpi_place_tables(&rig->memory, &c, &rig->error);

	CHECK(rsdp);
	return rsdp;
}

TEST("the root pointer lies on a 16-byte boundary in the BIOS area, both its sums are zero")
{
	struct boot_rig *rig = rig_create(0);
	gpa_t rsdp = place(rig, 1);

	CHECK(rsdp >= 0xe0000 && rsdp < 0x100000 && rsdp % 16 == 0);
	CHECK(!memcmp(memory_at(&rig->memory, rsdp, 8), "RSD PTR ", 8));
	CHECK_EQ(sum(rig, rsdp, 20), 0);
	CHECK_EQ(sum(rig, rsdp, 36), 0);
	CHECK_EQ(rig_get(rig, rsdp + 15, 1), 2);
	rig_destroy(rig);
}

TEST("every table is listed in RSDT and XSDT alike, has its sum zero and ends below 1 MiB")
{
	static const char *const signatures[] = { "FACP", "APIC", "MCFG" };
	static const unsigned processors[] = { 1, 8, 288 };

	for (unsigned n = 0; n < ARRAY_LENGTH(processors); n++) {
		struct boot_rig *rig = rig_create(0);
		gpa_t rsdp = place(rig, processors[n]), rsdt = rig_get(rig, rsdp + 16, 4);

		for (unsigned i = 0; i < ARRAY_LENGTH(signatures); i++) {
			gpa_t table = find_table(rig, rsdp, signatures[i]);

			CHECK(table);
			CHECK_EQ(rig_get(rig, rsdt + HEADER_BYTES + 4 * i, 4), table);
			CHECK_EQ(sum(rig, table, rig_get(rig, table + 4, 4)), 0);
			CHECK(table + rig_get(rig, table + 4, 4) <= 0x100000);
		}
		CHECK_EQ(sum(rig, rsdt, rig_get(rig, rsdt + 4, 4)), 0);
		rig_destroy(rig);
	}
}

TEST("the FADT names the fixed hardware, an aligned FACS, and a DSDT whose sum is zero")
{
	struct boot_rig *rig = rig_create(0);
	gpa_t fadt = find_table(rig, place(rig, 1), "FACP"), facs = rig_get(rig, fadt + 36, 4);
	gpa_t dsdt = rig_get(rig, fadt + 40, 4);

	CHECK_EQ(facs % 64, 0);
	CHECK(!memcmp(memory_at(&rig->memory, facs, 4), "FACS", 4));
	CHECK_EQ(rig_get(rig, fadt + 140, 8), dsdt);
	CHECK_EQ(sum(rig, dsdt, rig_get(rig, dsdt + 4, 4)), 0);
	CHECK_EQ(rig_get(rig, fadt + 46, 2), 9);     /* SCI_INT */
	CHECK_EQ(rig_get(rig, fadt + 48, 4), 0);     /* SMI_CMD: ACPI is on already */
	CHECK_EQ(rig_get(rig, fadt + 56, 4), 0x600); /* PM1a_EVT_BLK */
	CHECK_EQ(rig_get(rig, fadt + 64, 4), 0x604); /* PM1a_CNT_BLK */
	CHECK_EQ(rig_get(rig, fadt + 76, 4), 0x608); /* PM_TMR_BLK */
	CHECK_EQ(rig_get(rig, fadt + 116, 1), 1);    /* RESET_REG: an I/O port */
	CHECK_EQ(rig_get(rig, fadt + 120, 8), LAYOUT_RESET_PORT);
	CHECK_EQ(rig_get(rig, fadt + 128, 1), 6);
	CHECK(rig_get(rig, fadt + 112, 4) & 1u << 10); /* RESET_REG_SUP */
	rig_destroy(rig);
}

/* How many MADT entries of a type there are, and the last one's address. */
static unsigned madt_entries(const struct boot_rig *rig, gpa_t madt, u8 type, gpa_t *last)
{
	u64 bytes = rig_get(rig, madt + 4, 4);
	unsigned count = 0;

	for (u64 at = MADT_ENTRIES; at < bytes; at += rig_get(rig, madt + at + 1, 1)) {
		if (!CHECK(rig_get(rig, madt + at + 1, 1) >= 2))
			break;
		if (rig_get(rig, madt + at, 1) != type)
			continue;
		count++;
		*last = madt + at;
	}
	return count;
}

TEST("the MADT lists every processor: by xAPIC id up to 254, by x2APIC id above")
{
	struct boot_rig *rig = rig_create(0);
	gpa_t madt = find_table(rig, place(rig, 255), "APIC"), last = 0;

	CHECK_EQ(madt_entries(rig, madt, 0, &last), 255);
	CHECK_EQ(rig_get(rig, last + 3, 1), 254);
	CHECK_EQ(madt_entries(rig, madt, 9, &last), 0);
	CHECK_EQ(madt_entries(rig, madt, 10, &last), 0);
	madt = find_table(rig, place(rig, 257), "APIC");
	CHECK_EQ(madt_entries(rig, madt, 0, &last), 255);
	CHECK_EQ(madt_entries(rig, madt, 9, &last), 2);
	CHECK_EQ(rig_get(rig, last + 4, 4), 256);
	CHECK_EQ(madt_entries(rig, madt, 10, &last), 1);
	rig_destroy(rig);
}

TEST("the MADT says how ISA interrupts and NMI are wired")
{
	struct boot_rig *rig = rig_create(0);
	gpa_t madt = find_table(rig, place(rig, 2), "APIC"), last = 0;

	CHECK_EQ(rig_get(rig, madt + 36, 4), LAYOUT_LAPIC_BASE);
	CHECK_EQ(madt_entries(rig, madt, 1, &last), 1);
	CHECK_EQ(rig_get(rig, last + 4, 4), LAYOUT_IOAPIC_BASE);
	CHECK_EQ(madt_entries(rig, madt, 2, &last), 2);
	CHECK_EQ(rig_get(rig, last + 3, 1), 9);
	CHECK_EQ(rig_get(rig, last + 4, 4), 9);
	CHECK_EQ(rig_get(rig, last + 8, 2), 0xd); /* level, active high */
	CHECK_EQ(rig_get(rig, last - 10 + 3, 1), 0);
	CHECK_EQ(rig_get(rig, last - 10 + 4, 4), 2);
	CHECK_EQ(madt_entries(rig, madt, 4, &last), 1);
	CHECK_EQ(rig_get(rig, last + 2, 1), 0xff);
	CHECK_EQ(rig_get(rig, last + 5, 1), 1);
	rig_destroy(rig);
}

TEST("the MCFG gives the enhanced configuration space of bus 0")
{
	struct boot_rig *rig = rig_create(0);
	gpa_t mcfg = find_table(rig, place(rig, 1), "MCFG");

	CHECK_EQ(rig_get(rig, mcfg + 44, 8), LAYOUT_ECAM_BASE);
	CHECK_EQ(rig_get(rig, mcfg + 54, 2), 0);
	rig_destroy(rig);
}

TEST("more processors than the tables can hold is an error, not an overflow")
{
	struct boot_rig *rig = rig_create(0);
	struct acpi_config c = config(100000);

	CHECK_EQ(acpi_place_tables(&rig->memory, &c, &rig->error), 0);
	CHECK(strstr(rig->error.text, "processors"));
	rig_destroy(rig);
}

TEST("a buffer too small for the DSDT is reported and not overrun")
{
	struct acpi_config c = config(1);
	u8 *whole = malloc(8192);
	size_t bytes = acpi_compose_dsdt(&c, whole, 8192);

	CHECK(bytes > 1000);
	for (size_t size = 0; size < bytes; size += 97) {
		u8 *small = malloc(size ? size : 1);

		CHECK_EQ(acpi_compose_dsdt(&c, small, size), 0);
		free(small);
	}
	free(whole);
}

/* An AML integer of the given value; returns its length. */
static size_t integer_bytes(u64 value, u8 *first)
{
	u8 bytes[16];
	struct aml aml;

	aml_start(&aml, bytes, sizeof(bytes));
	aml_integer(&aml, value);
	*first = bytes[0];
	return aml.out.used;
}

TEST("AML integers take the shortest encoding")
{
	u8 op;

	CHECK(integer_bytes(0, &op) == 1 && op == 0x00);
	CHECK(integer_bytes(1, &op) == 1 && op == 0x01);
	CHECK(integer_bytes(0xff, &op) == 2 && op == 0x0a);
	CHECK(integer_bytes(0x100, &op) == 3 && op == 0x0b);
	CHECK(integer_bytes(0x10000, &op) == 5 && op == 0x0c);
	CHECK(integer_bytes(0x100000000, &op) == 9 && op == 0x0e);
}

TEST("an AML package's length counts its own bytes, in one to three of them")
{
	static const struct { unsigned content; u8 first; unsigned length_bytes; } cases[] = {
		{ 0, 2, 1 }, { 61, 63, 1 }, { 62, 0x41, 2 }, { 4092, 0x4f, 2 }, { 4093, 0x81, 3 },
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		u8 bytes[8192];
		struct aml aml;

		aml_start(&aml, bytes, sizeof(bytes));
		aml_open_package(&aml, 0);
		for (unsigned n = 0; n < cases[i].content; n++)
			aml_integer(&aml, 1);
		aml_close(&aml);
		/* Opcode, length, number of elements, content. */
		CHECK_EQ(aml.out.used, 1 + cases[i].length_bytes + 1 + cases[i].content);
		CHECK_EQ(bytes[1], cases[i].first);
		CHECK_EQ(bytes[1 + cases[i].length_bytes], 0);
	}
}

TEST("an EISA id is five bits a letter and four hexadecimal digits, high byte first")
{
	u8 bytes[8];
	struct aml aml;

	aml_start(&aml, bytes, sizeof(bytes));
	aml_eisa_id(&aml, "PNP0A03");
	CHECK(!memcmp(bytes, "\x0c\x41\xd0\x0a\x03", 5));
}

/* Disassembles a table and compiles the result again; true if iasl had no complaint. */
static bool disassembles(const struct boot_rig *rig, gpa_t table, const char *must_contain)
{
	char directory[] = "/tmp/subring-acpi-XXXXXX", command[256];
	u64 bytes = rig_get(rig, table + 4, 4);
	FILE *file;
	bool ok;

	if (!mkdtemp(directory))
		return false;
	snprintf(command, sizeof(command), "%s/t.dat", directory);
	file = fopen(command, "wb");
	ok = file && fwrite(memory_at(&rig->memory, table, bytes), 1, bytes, file) == bytes;
	if (file)
		fclose(file);
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d t.dat >log 2>&1 && ! grep -iE 'error|warning|invalid' log && "
		 "grep -q '%s' t.dsl && iasl t.dsl >log 2>&1",
		 directory, must_contain);
	ok = ok && !system(command);
	snprintf(command, sizeof(command), "rm -r %s", directory);
	return !system(command) && ok;
}

TEST("ACPICA's disassembler reads every table, and its compiler takes what comes out")
{
	struct boot_rig *rig = rig_create(0);
	gpa_t rsdp, fadt;

	if (system("command -v iasl >/dev/null")) {
		printf("  skipped: no iasl (package acpica-tools)\n");
		rig_destroy(rig);
		return;
	}
	rsdp = place(rig, 260);
	fadt = find_table(rig, rsdp, "FACP");
	CHECK(disassembles(rig, fadt, "PM1A Event Block Address : 00000600"));
	CHECK(disassembles(rig, find_table(rig, rsdp, "APIC"), "Processor Local x2APIC"));
	CHECK(disassembles(rig, find_table(rig, rsdp, "MCFG"), "Base Address"));
	CHECK(disassembles(rig, rig_get(rig, fadt + 40, 4), "PNP0A08"));
	rig_destroy(rig);
}

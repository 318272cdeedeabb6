/* VM-entry checks: each alone, the outcome of an entry, explanations, and random VMCSs. */
#include <string.h>

#include "test.h"
#include "vmx/event.h"
#include "vmx/exit.h"
#include "vmx/explain.h"
#include "vmx_entry_rig.h"

#define CHANGES 6

struct test_case {
	const char *id, *with;
	enum vmx_rig_guest guest;
	struct vmx_rig_change setup[CHANGES], bad[CHANGES], good[CHANGES];
};

static const struct test_case cases[] = {
#define SETUP(...) .setup = { __VA_ARGS__ }
#define BAD(...) .bad = { __VA_ARGS__ }
#define GOOD(...) .good = { __VA_ARGS__ }
#define CASE_WITH(id_, with_, guest_, ...) { .id = id_, .with = with_, .guest = guest_, __VA_ARGS__ },
#define CASE(id_, guest_, ...) CASE_WITH(id_, "", guest_, __VA_ARGS__)
#include "vmx_check_cases.def"
};

static bool (*const stages[VMX_CHECK_STAGES])(const struct vmx_entry *, struct vmx_check_report *) = {
	[VMX_CHECK_CONTROLS] = vmx_check_controls, [VMX_CHECK_HOST] = vmx_check_host,
	[VMX_CHECK_GUEST] = vmx_check_guest,
};

static struct vmx_rig_entry rig;

/* The entry of a case, failing or passing. */
static void prepare(const struct test_case *c, bool bad)
{
	vmx_rig_entry_init(&rig, c->guest);
	vmx_rig_apply(&rig, c->setup, CHANGES);
	vmx_rig_apply(&rig, bad ? c->bad : c->good, CHANGES);
}

static void tell(const char *what, const struct vmx_check_report *report, const struct test_case *c)
{
	printf("  case %zu, %s, %s:", (size_t)(c - cases), c->id, what);
	for (unsigned i = 0; i < report->count; i++)
		printf(" %s", vmx_check_at(report->failed[i]).id);
	printf("\n");
}

TEST("a valid entry to each kind of guest passes every check")
{
	for (enum vmx_rig_guest guest = 0; guest < VMX_RIG_GUESTS; guest++) {
		struct vmx_check_report report = { .all = true };
		struct vmx_entry_outcome outcome;

		vmx_rig_entry_init(&rig, guest);
		outcome = vmx_check_entry(&rig.entry, &report);
		CHECK_EQ(report.count, 0);
		CHECK_EQ(outcome.error | outcome.exit_reason | outcome.qualification, 0);
	}
}

TEST("each check fails alone in its stage, and its twin passes")
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct test_case *c = &cases[i];
		size_t number = vmx_check_find(c->id), with = vmx_check_find(c->with);
		struct vmx_check_report report = { .all = true }, twin = { .all = true };
		bool found = false;

		if (!CHECK(number < vmx_check_count())) {
			printf("  no check %s\n", c->id);
			continue;
		}
		prepare(c, true);
		CHECK(!stages[vmx_check_at(number).stage](&rig.entry, &report));
		for (unsigned k = 0; k < report.count; k++) {
			found |= report.failed[k] == number;
			if (!CHECK(report.failed[k] == number || report.failed[k] == with))
				tell("failed", &report, c);
		}
		if (!CHECK(found))
			tell("not among", &report, c);
		prepare(c, false);
		vmx_check_entry(&rig.entry, &twin);
		if (!CHECK_EQ(twin.count, 0))
			tell("twin failed", &twin, c);
	}
}

TEST("fields of controls that are 0 may hold anything")
{
	static const u16 fields[] = {
		VMCS_IO_BITMAP_A, VMCS_IO_BITMAP_B, VMCS_MSR_BITMAPS, VMCS_VIRTUAL_APIC_ADDRESS, VMCS_TPR_THRESHOLD,
		VMCS_APIC_ACCESS_ADDRESS, VMCS_POSTED_INTERRUPT_VECTOR, VMCS_POSTED_INTERRUPT_DESCRIPTOR,
		VMCS_EPT_POINTER,
		VMCS_PML_ADDRESS, VMCS_SPP_TABLE_POINTER, VMCS_EPTP_LIST_ADDRESS, VMCS_VMFUNC_CONTROLS,
		VMCS_VMREAD_BITMAP,
		VMCS_VMWRITE_BITMAP, VMCS_VE_INFORMATION_ADDRESS, VMCS_HLAT_POINTER, VMCS_PID_POINTER_TABLE,
		VMCS_EXIT_MSR_STORE_ADDRESS, VMCS_EXIT_MSR_LOAD_ADDRESS, VMCS_ENTRY_MSR_LOAD_ADDRESS,
		VMCS_ENTRY_ERROR_CODE,
		VMCS_ENTRY_INSTRUCTION_LENGTH, VMCS_PROC2_CONTROLS, VMCS_PROC3_CONTROLS, VMCS_EXIT2_CONTROLS,
		VMCS_HOST_IA32_PERF_GLOBAL_CTRL, VMCS_HOST_IA32_PAT, VMCS_HOST_IA32_EFER, VMCS_HOST_IA32_S_CET,
		VMCS_HOST_SSP,
		VMCS_HOST_IA32_INTERRUPT_SSP_TABLE, VMCS_HOST_IA32_PKRS, VMCS_GUEST_IA32_PERF_GLOBAL_CTRL,
		VMCS_GUEST_IA32_PAT, VMCS_GUEST_IA32_EFER, VMCS_GUEST_IA32_S_CET, VMCS_GUEST_SSP, VMCS_GUEST_DR7,
		VMCS_GUEST_IA32_INTERRUPT_SSP_TABLE, VMCS_GUEST_IA32_BNDCFGS, VMCS_GUEST_IA32_PKRS, VMCS_GUEST_UINV,
		VMCS_GUEST_IA32_DEBUGCTL, VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE3,
	};
	static const enum vmx_rig_guest guests[] = { GUEST_64, GUEST_V86, GUEST_PAE, GUEST_LEGACY };

	for (size_t g = 0; g < sizeof(guests) / sizeof(guests[0]); g++) {
		struct vmx_check_report report = { .all = true };

		vmx_rig_entry_init(&rig, guests[g]);
		rig.entry.tracing = true;
		vmcs_set(&rig.vmcs, VMCS_ENTRY_INTERRUPTION_INFO, ~VMX_EVENT_VALID);
		for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
			vmcs_set(&rig.vmcs, fields[i], 0x9d5c7b3a6e8f1cfd);
		vmx_check_entry(&rig.entry, &report);
		if (!CHECK_EQ(report.count, 0))
			tell("free fields", &report, cases);
	}
}

TEST("of an unusable segment register only the DPL of SS and the bases of FS and GS matter")
{
	static const u8 segments[] = { SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR };
	struct vmx_check_report report = { .all = true };

	vmx_rig_entry_init(&rig, GUEST_64);
	for (size_t i = 0; i < sizeof(segments); i++) {
		vmcs_set(&rig.vmcs, VMCS_GUEST_ES_SELECTOR + segments[i], 0xfffc);
		vmcs_set(&rig.vmcs, VMCS_GUEST_ES_LIMIT + segments[i], 0xfff00ff0);
		vmcs_set(&rig.vmcs, VMCS_GUEST_ES_ACCESS_RIGHTS + segments[i], 0xffffff0a);
		if (segments[i] <= SEG_DS || segments[i] == SEG_LDTR)
			vmcs_set(&rig.vmcs, VMCS_GUEST_ES_BASE + segments[i], 0x7fff000000000000);
	}
	vmx_check_entry(&rig.entry, &report);
	if (!CHECK_EQ(report.count, 0))
		tell("unusable", &report, cases);
}

TEST("every check has a case")
{
	for (size_t number = 0; number < vmx_check_count(); number++) {
		bool found = false;

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]) && !found; i++)
			found = !strcmp(cases[i].id, vmx_check_at(number).id);
		if (!CHECK(found))
			printf("  %s has no case\n", vmx_check_at(number).id);
	}
}

TEST("no two checks have the same id, and each names a field and a heading")
{
	for (size_t number = 0; number < vmx_check_count(); number++) {
		struct vmx_check check = vmx_check_at(number);

		CHECK_EQ(vmx_check_find(check.id), number);
		CHECK(check.field < VMCS_FIELD_COUNT && check.other <= VMCS_FIELD_COUNT && check.high >= check.low);
		CHECK(strlen(check.heading) > 0 && strlen(check.expected) > 0);
	}
}

TEST("a failed control is error 7, failed host state error 8, failed guest state exit 33 with its qualification")
{
	static const struct {
		const char *prefix;
		u64 qualification;
	} special[] = {
		{ "guest.pdpte", VMX_ENTRY_FAILURE_PDPTE }, { "guest.link", VMX_ENTRY_FAILURE_LINK_POINTER },
		{ "guest.interruptibility.nmi.sti", VMX_ENTRY_FAILURE_NMI },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct vmx_check_report report = { .all = false };
		struct vmx_entry_outcome outcome;
		u64 qualification = 0;

		for (size_t k = 0; k < sizeof(special) / sizeof(special[0]); k++)
			if (!strncmp(cases[i].id, special[k].prefix, strlen(special[k].prefix)))
				qualification = special[k].qualification;
		prepare(&cases[i], true);
		outcome = vmx_check_entry(&rig.entry, &report);
		CHECK_EQ(report.count, 1);
		if (!strncmp(cases[i].id, "guest.", 6)) {
			CHECK_EQ(outcome.error, 0);
			CHECK_EQ(outcome.exit_reason, 0x80000021);
			CHECK_EQ(outcome.qualification, qualification);
		} else {
			CHECK_EQ(outcome.error, strncmp(cases[i].id, "host.", 5) ? 7 : 8);
			CHECK_EQ(outcome.exit_reason | outcome.qualification, 0);
		}
	}
}

TEST("an explanation names the check, the field, its encoding and value, what must be, and the heading")
{
	char text[512];

	vmx_rig_entry_init(&rig, GUEST_64);
	vmcs_set(&rig.vmcs, VMCS_GUEST_CS_ACCESS_RIGHTS, 0xa093);
	vmx_explain_check(&rig.entry, vmx_check_find("guest.cs.ar.type"), text, sizeof(text));
	CHECK(!strcmp(text, "guest.cs.ar.type: Guest CS access rights (0x4816) is 0xa093 (bits 3:0: 0x3); must be 9, "
			    "11, 13 or 15 (accessed code), or 3 with \"unrestricted guest\" 1 "
			    "(\"Checks on Guest Segment Registers\")"));
	vmcs_set(&rig.vmcs, VMCS_PIN_CONTROLS, 0x14 | BIT(8));
	vmx_explain_check(&rig.entry, vmx_check_find("controls.pin.reserved"), text, sizeof(text));
	CHECK(!strcmp(text, "controls.pin.reserved: Pin-based VM-execution controls (0x4000) is 0x114; reserved bits "
			    "must be as the capability MSR says; must be 1: bit 1; must be 0: bit 8 "
			    "(\"Checks on VMX Controls: VM-Execution Control Fields\")"));
	vmx_rig_entry_init(&rig, GUEST_PAE);
	rig.entry.pdpte[2] = 3;
	vmx_explain_check(&rig.entry, vmx_check_find("guest.pdpte2"), text, sizeof(text));
	CHECK(strstr(text, "Guest PDPTE2 (0x280e) is 0x3, Guest CR3 (0x6802) is 0x2000;"));
}

static u64 seed;

static u64 random_u64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Values that are all random, near a valid entry, or mostly 0 and 1 bits. */
static void randomize(struct vmx_rig_entry *r)
{
	unsigned changes = random_u64() % 3 ? 1 + random_u64() % 8 : VMCS_FIELD_COUNT;

	vmx_rig_entry_init(r, random_u64() % VMX_RIG_GUESTS);
	for (unsigned i = 0; i < changes; i++) {
		u64 *value = &r->vmcs.value[random_u64() % VMCS_FIELD_COUNT];

		*value = random_u64() % 2 ? random_u64() : *value ^ BIT(random_u64() % 64);
	}
	for (unsigned i = 0; i < VMX_CAP_COUNT; i++)
		r->capability.msr[i] ^= random_u64() % 4 ? 0 : random_u64();
	r->entry.physical_bits = 32 + random_u64() % 21;
	r->entry.linear_bits = random_u64() % 2 ? 48 : 57;
	r->entry.pdpte[random_u64() % 4] = random_u64();
	r->entry.in_smm = random_u64() & 1;
	r->entry.link_read = random_u64() & 1;
	r->entry.link_revision = (u32)random_u64();
}

TEST("whatever a VMCS holds: checks change nothing, the quick way finds the first of all, and each has an explanation")
{
	static struct vmx_rig_entry before;
	char text[600];

	seed = 0x9e3779b97f4a7c15;
	for (unsigned round = 0; round < 20000; round++) {
		struct vmx_check_report quick = { .all = false }, all = { .all = true };
		struct vmx_entry_outcome first, second;

		randomize(&rig);
		memcpy(&before, &rig, sizeof(rig));
		first = vmx_check_entry(&rig.entry, &quick);
		second = vmx_check_entry(&rig.entry, &all);
		CHECK_EQ(quick.count, all.count > 0);
		if (all.count)
			CHECK_EQ(quick.failed[0], all.failed[0]);
		CHECK(!memcmp(&first, &second, sizeof(first)));
		for (unsigned i = 0; i < all.count; i++) {
			size_t length = vmx_explain_check(&rig.entry, all.failed[i], text, sizeof(text));

			CHECK(length > 0);
			CHECK_EQ(vmx_explain_check(&rig.entry, all.failed[i], text, 10), length);
			CHECK_EQ(strlen(text), 9);
			CHECK_EQ(vmx_explain_check(&rig.entry, all.failed[i], NULL, 0), length);
		}
		CHECK(!memcmp(&before, &rig, sizeof(rig)));
	}
}

static size_t lines;
static bool named_ept;

static void take_line(void *context, const char *text)
{
	(void)context;
	lines++;
	named_ept |= strstr(text, "bit  1  enable EPT") != NULL;
	CHECK(strlen(text) < 160);
}

TEST("a dump shows every field that exists, and the names of set control bits")
{
	size_t fields = 0;

	vmx_rig_entry_init(&rig, GUEST_REAL);
	lines = 0;
	named_ept = false;
	vmx_dump(&rig.vmcs, &rig.capability, take_line, NULL);
	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++)
		fields += vmx_capability_has_field(&rig.capability, field);
	CHECK(lines > fields);
	CHECK(named_ept);
	memset(rig.vmcs.value, 0xff, sizeof(rig.vmcs.value));
	vmx_dump(&rig.vmcs, &rig.capability, take_line, NULL);
}

/* The VMCB's layout, its segment attributes, exit codes, intercepts and control words by name, and its dump. */
#include <string.h>

#include "svm/control.h"
#include "svm/dump.h"
#include "svm/event.h"
#include "svm/exit.h"
#include "svm/exit_info.h"
#include "svm/explain.h"
#include "svm/intercept.h"
#include "test.h"

static bool says(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

TEST("the manual's offsets are where the structure has its fields")
{
	static const struct {
		enum vmcb_field field;
		unsigned offset, bytes;
	} known[] = {
		{ VMCB_INTERCEPT3, 0x00c, 4 }, { VMCB_IOPM_BASE, 0x040, 8 }, { VMCB_ASID, 0x058, 4 },
		{ VMCB_TLB_CONTROL, 0x05c, 1 }, { VMCB_EXIT_CODE, 0x070, 8 }, { VMCB_EVENT_INJECTION, 0x0a8, 8 },
		{ VMCB_N_CR3, 0x0b0, 8 }, { VMCB_N_RIP, 0x0c8, 8 }, { VMCB_AVIC_PHYSICAL_TABLE, 0x0f8, 8 },
		{ VMCB_CS_ATTRIBUTES, 0x412, 2 }, { VMCB_TR_BASE, 0x498, 8 }, { VMCB_CPL, 0x4cb, 1 },
		{ VMCB_EFER, 0x4d0, 8 },
		{ VMCB_CR4, 0x548, 8 }, { VMCB_RIP, 0x578, 8 }, { VMCB_RSP, 0x5d8, 8 }, { VMCB_RAX, 0x5f8, 8 },
		{ VMCB_CR2, 0x640, 8 }, { VMCB_G_PAT, 0x668, 8 }, { VMCB_LAST_EXCEPTION_TO, 0x690, 8 },
		{ VMCB_SPEC_CTRL, 0x6e0, 8 },
	};

	for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
		CHECK_EQ(vmcb_field_info(known[i].field)->offset, known[i].offset);
		CHECK_EQ(vmcb_field_info(known[i].field)->bytes, known[i].bytes);
	}
}

TEST("fields are in ascending order, do not overlap, and have a name and a heading")
{
	unsigned end = 0;

	for (enum vmcb_field f = 0; f < VMCB_FIELD_COUNT; f++) {
		const struct vmcb_field_info *info = vmcb_field_info(f);

		CHECK(info->offset >= end);
		end = info->offset + info->bytes;
		CHECK(end <= VMCB_SIZE);
		CHECK(info->name[0] && info->heading[0]);
		CHECK(!strncmp(info->name, info->offset < VMCB_OFFSET_save ? "control." : "save.", 5));
	}
}

TEST("a field is read with its own width, and one longer than a register as 0")
{
	struct vmcb vmcb;

	memset(&vmcb, 0xff, sizeof(vmcb));
	for (enum vmcb_field f = 0; f < VMCB_FIELD_COUNT; f++) {
		unsigned bytes = vmcb_field_info(f)->bytes;

		CHECK_EQ(vmcb_read(&vmcb, f), bytes > 8 ? 0 : byte_mask(bytes));
	}
	vmcb.save.ds.limit = 0x12345678;
	CHECK_EQ(vmcb_read(&vmcb, VMCB_DS_LIMIT), 0x12345678);
}

TEST("segment attributes keep every bit on their way to access rights and back")
{
	for (unsigned attributes = 0; attributes < 0x1000; attributes++) {
		u32 rights = vmcb_attributes_load(VMCB_SEG_DS, (u16)attributes);

		CHECK_EQ(rights & SEGMENT_UNUSABLE, attributes & VMCB_ATTRIBUTE_P ? 0 : SEGMENT_UNUSABLE);
		CHECK_EQ(vmcb_attributes_store(rights), attributes & VMCB_ATTRIBUTE_P ? attributes : 0);
	}
	CHECK_EQ(vmcb_attributes_load(VMCB_SEG_CS, 0xa9b),
		 0xb | SEGMENT_S | SEGMENT_P | SEGMENT_L | SEGMENT_G);
	CHECK_EQ(vmcb_attributes_load(VMCB_SEG_SS, 0xcf3 & ~VMCB_ATTRIBUTE_P) & SEGMENT_UNUSABLE, SEGMENT_UNUSABLE);
}

TEST("CS and TR are never null: their P is ignored")
{
	CHECK_EQ(vmcb_attributes_load(VMCB_SEG_CS, 0x01b), 0xb | SEGMENT_S | SEGMENT_P);
	CHECK_EQ(vmcb_attributes_load(VMCB_SEG_TR, 0x00b), 0xb | SEGMENT_P);
	CHECK_EQ(vmcb_attributes_load(VMCB_SEG_LDTR, 0x002), 2 | SEGMENT_UNUSABLE);
}

TEST("exit codes have the manual's names, numbered ones included, and others are reserved")
{
	char name[SVM_EXIT_NAME_SIZE];

	CHECK(!strcmp(svm_exit_name(SVM_EXIT_HLT, name), "VMEXIT_HLT"));
	CHECK(!strcmp(svm_exit_name(SVM_EXIT_CR_WRITE + 4, name), "VMEXIT_CR4_WRITE"));
	CHECK(!strcmp(svm_exit_name(SVM_EXIT_EXCEPTION + 1, name), "VMEXIT_EXCP1"));
	CHECK(!strcmp(svm_exit_name(SVM_EXIT_EXCEPTION + 14, name), "VMEXIT_EXCP14 (#PF)"));
	CHECK(!strcmp(svm_exit_name(SVM_EXIT_CR_TRAP + 15, name), "VMEXIT_CR15_WRITE_TRAP"));
	CHECK(!strcmp(svm_exit_name((u64)(s64)SVM_EXIT_INVALID, name), "VMEXIT_INVALID"));
	CHECK(!strcmp(svm_exit_name(~0ull, name), "VMEXIT_INVALID"));
	CHECK(!strcmp(svm_exit_name(0xffffffff, name), "reserved"));
	CHECK(!strcmp(svm_exit_name(0x0a7, name), "reserved"));
	CHECK(!strcmp(svm_exit_name(0x404, name), "reserved"));
	CHECK(svm_exit_info1(SVM_EXIT_NPF)[0] && svm_exit_info2(SVM_EXIT_NPF)[0] && !svm_exit_info1(SVM_EXIT_HLT)[0]);
	CHECK(svm_exit_info1(SVM_EXIT_EXCEPTION_PF)[0] && !svm_exit_info1(SVM_EXIT_EXCEPTION)[0]);
}

TEST("every intercept that has a name has an exit code with one, and the reverse")
{
	char name[SVM_INTERCEPT_NAME_SIZE], code[SVM_EXIT_NAME_SIZE];

	for (unsigned i = 0; i < SVM_INTERCEPT_COUNT; i++)
		CHECK_EQ(!strcmp(svm_intercept_name(i, name), "reserved"), !strcmp(svm_exit_name(i, code), "reserved"));
	CHECK_EQ(SVM_INTERCEPT_VMRUN, 0x80);
	CHECK(!strcmp(svm_intercept_name(SVM_INTERCEPT_DR_WRITE + 7, name), "writes of DR7"));
	CHECK(!strcmp(svm_intercept_name(SVM_INTERCEPT_EXCEPTION + 14, name), "exception 14"));
}

TEST("intercepts are set and read at their bit and nowhere else")
{
	static struct vmcb vmcb;

	for (unsigned i = 0; i < SVM_INTERCEPT_COUNT; i++) {
		svm_intercept_set(&vmcb, i, true);
		for (unsigned j = 0; j < SVM_INTERCEPT_COUNT; j++)
			CHECK_EQ(svm_intercepts(&vmcb, j), i == j);
		CHECK_EQ(vmcb.control.intercept[i / 32], 1u << (i % 32));
		svm_intercept_set(&vmcb, i, false);
	}
}

TEST("the parts of a control word do not overlap")
{
	static const enum vmcb_field words[] = { VMCB_INTERRUPT_CONTROL, VMCB_INTERRUPT_SHADOW, VMCB_NESTED_CONTROL,
						 VMCB_EXTENSION_CONTROL, VMCB_EVENT_INJECTION };

	for (size_t w = 0; w < ARRAY_LENGTH(words); w++) {
		const struct svm_bitfield *part;
		u64 seen = 0;
		size_t i = 0;

		for (; (part = svm_bitfield_at(words[w], i)); i++) {
			CHECK_EQ(seen & part->mask, 0);
			CHECK_EQ(part->mask & BIT(part->low), BIT(part->low));
			seen |= part->mask;
		}
		CHECK(i > 0);
	}
	CHECK_EQ(SVM_V_INTR_VECTOR, 0xff00000000ull);
	CHECK_EQ(SVM_V_INTR_VECTOR_SHIFT, 32);
	CHECK_EQ(SVM_AVIC_ENABLE, 0x80000000ull);
}

TEST("clean bits and TLB controls have names, and reserved ones have none")
{
	CHECK(!strcmp(svm_clean_name(0), "I") && !strcmp(svm_clean_name(12), "CET") && !svm_clean_name(13));
	CHECK(!svm_clean_name(31) && !svm_clean_name(32));
	CHECK_EQ(SVM_CLEAN_CET, BIT(12));
	CHECK(!strcmp(svm_tlb_control_name(2), "reserved"));
	CHECK(says(svm_tlb_control_name(SVM_TLB_FLUSH_GUEST_NONGLOBAL), "non-global"));
}

TEST("a TLB control that is reserved or that the processor lacks flushes everything")
{
	struct feature_set features = { 0 };

	feature_set(&features, FEAT_SVM, true);
	CHECK_EQ(svm_tlb_control_effective(0, &features), SVM_TLB_NOTHING);
	CHECK_EQ(svm_tlb_control_effective(3, &features), SVM_TLB_FLUSH_ALL);
	feature_set(&features, FEAT_FLUSH_BY_ASID, true);
	CHECK_EQ(svm_tlb_control_effective(3, &features), SVM_TLB_FLUSH_GUEST);
	CHECK_EQ(svm_tlb_control_effective(7, &features), SVM_TLB_FLUSH_GUEST_NONGLOBAL);
	CHECK_EQ(svm_tlb_control_effective(5, &features), SVM_TLB_FLUSH_ALL);
}

TEST("events are composed as they are taken apart")
{
	u64 event = svm_event_with_error(SVM_EVENT_EXCEPTION, VECTOR_PF, 0xdeadbeef);

	CHECK_EQ(event, 0xdeadbeef80000b0eull);
	CHECK(svm_event_valid(event));
	CHECK_EQ(svm_event_type(event), SVM_EVENT_EXCEPTION);
	CHECK_EQ(svm_event_vector(event), VECTOR_PF);
	CHECK_EQ(svm_event_error_code(event), 0xdeadbeef);
	CHECK_EQ(svm_event(SVM_EVENT_NMI, 2), 0x80000202);
	CHECK_EQ(svm_event(SVM_EVENT_SOFTWARE, 0x80), 0x80000480);
}

TEST("exit information has the manual's formats")
{
	CHECK_EQ(svm_ioio_info(0x3f8, 0, 1, 8, SEG_ES), 0x03f80210);
	CHECK_EQ(svm_ioio_info(0x1f0, SVM_IOIO_IN | SVM_IOIO_STRING | SVM_IOIO_REP, 2, 4, SEG_ES), 0x01f0012d);
	CHECK_EQ(svm_ioio_info(0xcfc, SVM_IOIO_STRING, 4, 2, SEG_FS), 0x0cfc10c4);
	CHECK_EQ(svm_mov_cr_info(GPR_R15), BIT(63) | 15);
	CHECK_EQ(svm_avic_ipi_info1(0x01000000, 0x000c0030), 0x01000000000c0030ull);
	CHECK_EQ(svm_avic_ipi_info2(SVM_AVIC_INVALID_TARGET, 0x1234), 0x0000000200000234ull);
}

static const char *explain(const struct vmcb *vmcb)
{
	static char out[SVM_EXPLAIN_SIZE];
	size_t length = svm_explain_exit(vmcb, out, sizeof(out));

	CHECK_EQ(strlen(out), length);
	return out;
}

static char dumped[1 << 16];

static void collect(void *context, const char *text)
{
	(void)context;
	CHECK(strlen(text) < SVM_DUMP_LINE_SIZE && !says(text, "\n"));
	strncat(dumped, text, sizeof(dumped) - strlen(dumped) - 2);
	strcat(dumped, "\n");
}

static const char *dump(const struct vmcb *vmcb, bool all)
{
	dumped[0] = '\0';
	svm_dump(vmcb, all, collect, NULL);
	return dumped;
}

TEST("a dump names what is set, and with all also what is 0")
{
	static struct vmcb vmcb;

	svm_intercept_set(&vmcb, SVM_INTERCEPT_VMRUN, true);
	vmcb.control.asid = 7;
	vmcb.control.interrupt_control = SVM_V_INTR_MASKING | BIT(62);
	vmcb.control.exit_code = SVM_EXIT_CPUID;
	vmcb.control.event_injection = svm_event(SVM_EVENT_EXCEPTION, VECTOR_GP);
	vmcb.control.clean = SVM_CLEAN_ASID;
	vmcb.save.cs.selector = 0x10;
	CHECK(says(dump(&vmcb, false), "  +058 control.asid = 0x7\n"));
	CHECK(says(dumped, "  +010 control.intercept[4] = 0x1\n       bit 0: VMRUN\n"));
	CHECK(says(dumped, "       V_INTR_MASKING = 0x1\n       reserved bits 0x4000000000000000\n"));
	CHECK(says(dumped, "VMEXIT_CPUID"));
	CHECK(says(dumped, "       vector = 0xd\n       type = 0x3\n       valid = 0x1\n"));
	CHECK(says(dumped, "control.clean = 0x4\n       ASID\n"));
	CHECK(says(dumped, "  +410 save.cs.selector = 0x10\n"));
	CHECK(!says(dumped, "save.cr3"));
	CHECK(says(dump(&vmcb, true), "  +550 save.cr3 = 0x0\n"));
	for (enum vmcb_field f = 0; f < VMCB_FIELD_COUNT; f++)
		CHECK(says(dumped, vmcb_field_info(f)->name));
}

TEST("a dump of all ones names every bit and stays within its lines")
{
	static struct vmcb vmcb;

	memset(&vmcb, 0xff, sizeof(vmcb));
	CHECK(says(dump(&vmcb, false), "trap on writes of CR15"));
	CHECK(says(dumped, "VMEXIT_INVALID"));
	CHECK(says(dumped, "+770 save.lbr_select") == false && says(dumped, "+b70 save.lbr_select"));
}

TEST("an exit is explained with its information, and with the event whose delivery it broke off")
{
	static struct vmcb vmcb;
	char cut[8];

	vmcb.control.exit_code = SVM_EXIT_NPF;
	vmcb.control.exit_info1 = 0x100000006ull;
	vmcb.control.exit_info2 = 0xfee00000;
	CHECK(!strcmp(explain(&vmcb),
		      "VMEXIT_NPF (0x400): EXITINFO1 0x100000006: final address, write, user, not present; "
		      "EXITINFO2 0xfee00000: the guest-physical address"));
	vmcb.control.exit_int_info = svm_event_with_error(SVM_EVENT_EXCEPTION, VECTOR_DF, 0);
	CHECK(says(explain(&vmcb), "; while delivering exception, vector 8, error code 0x0"));
	vmcb.control.exit_int_info = 0;
	vmcb.control.exit_code = SVM_EXIT_IOIO;
	vmcb.control.exit_info1 = svm_ioio_info(0x60, SVM_IOIO_IN, 1, 8, SEG_ES);
	CHECK(says(explain(&vmcb), "IN, port 0x60, 1 byte(s)"));
	vmcb.control.exit_code = SVM_EXIT_MSR;
	vmcb.control.exit_info1 = SVM_MSR_WRITE;
	CHECK(says(explain(&vmcb), "WRMSR"));
	vmcb.control.exit_info1 = 0;
	CHECK(says(explain(&vmcb), "RDMSR"));
	vmcb.control.exit_code = SVM_EXIT_HLT;
	CHECK(!strcmp(explain(&vmcb), "VMEXIT_HLT (0x78)"));
	memset(&vmcb, 0xff, sizeof(vmcb));
	CHECK(strlen(explain(&vmcb)) > sizeof(cut));
	CHECK_EQ(svm_explain_exit(&vmcb, cut, sizeof(cut)), strlen(explain(&vmcb)));
	CHECK(!strcmp(cut, "VMEXIT_"));
}

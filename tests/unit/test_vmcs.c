/* The VMCS as data: encodings, widths, which fields exist, VMREAD and VMWRITE, exit reasons and errors by name. */
#include <string.h>

#include "test.h"
#include "vmx/exit.h"
#include "vmx/vmcs.h"
#include "vmx_rig.h"

static struct vmcs vmcs;

TEST("every field is found by its full encoding, and only 64-bit fields by a high one")
{
	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++) {
		u64 encoding = vmcs_field_encoding(field);
		bool wide = vmcs_encoding_width(encoding) == VMCS_WIDTH_64;

		CHECK_EQ(vmcs_find(encoding), field);
		CHECK_EQ(vmcs_find(encoding | VMCS_ENCODING_HIGH), wide ? field : VMCS_FIELD_COUNT);
		CHECK(strlen(vmcs_field_name(field)) > 0);
		CHECK(strlen(vmcs_field_heading(field)) > 0);
	}
}

TEST("encodings ascend within each width and type, so that none is listed twice")
{
	for (enum vmcs_field field = 1; field < VMCS_FIELD_COUNT; field++)
		if (vmcs_field_encoding(field) >> 10 == vmcs_field_encoding(field - 1) >> 10)
			CHECK(vmcs_field_encoding(field) > vmcs_field_encoding(field - 1));
}

TEST("the encoding's type agrees with the area of the manual's heading")
{
	for (enum vmcs_field field = 0; field < VMCS_FIELD_COUNT; field++) {
		enum vmcs_area area = vmcs_field_area(field);

		switch (vmcs_encoding_type(vmcs_field_encoding(field))) {
		case VMCS_TYPE_GUEST:
			CHECK_EQ(area, VMCS_AREA_GUEST);
			break;
		case VMCS_TYPE_HOST:
			CHECK_EQ(area, VMCS_AREA_HOST);
			break;
		case VMCS_TYPE_READ_ONLY:
			CHECK_EQ(area, VMCS_AREA_INFORMATION);
			break;
		case VMCS_TYPE_CONTROL:
			CHECK(area == VMCS_AREA_EXECUTION || area == VMCS_AREA_EXIT || area == VMCS_AREA_ENTRY);
		}
	}
}

TEST("some fields have the encodings of the manual")
{
	CHECK_EQ(vmcs_field_encoding(VMCS_VPID), 0x0000);
	CHECK_EQ(vmcs_field_encoding(VMCS_HOST_TR_SELECTOR), 0x0c0c);
	CHECK_EQ(vmcs_field_encoding(VMCS_EPT_POINTER), 0x201a);
	CHECK_EQ(vmcs_field_encoding(VMCS_TSC_MULTIPLIER), 0x2032);
	CHECK_EQ(vmcs_field_encoding(VMCS_GUEST_IA32_PKRS), 0x2818);
	CHECK_EQ(vmcs_field_encoding(VMCS_ENTRY_CONTROLS), 0x4012);
	CHECK_EQ(vmcs_field_encoding(VMCS_PROC2_CONTROLS), 0x401e);
	CHECK_EQ(vmcs_field_encoding(VMCS_EXIT_INSTRUCTION_INFO), 0x440e);
	CHECK_EQ(vmcs_field_encoding(VMCS_GUEST_TR_ACCESS_RIGHTS), 0x4822);
	CHECK_EQ(vmcs_field_encoding(VMCS_GUEST_RFLAGS), 0x6820);
	CHECK_EQ(vmcs_field_encoding(VMCS_HOST_RIP), 0x6c16);
}

TEST("reserved bits of an encoding make it unsupported")
{
	struct vmx_capability capability = vmx_rig_capability("max-intel");
	u64 value;

	for (unsigned bit = 15; bit < 64; bit++) {
		CHECK_EQ(vmcs_read(&vmcs, &capability, 0x6800 | BIT(bit), &value), VMX_ERROR_UNSUPPORTED_FIELD);
		CHECK_EQ(vmcs_write(&vmcs, &capability, 0x6800 | BIT(bit), 0), VMX_ERROR_UNSUPPORTED_FIELD);
	}
	CHECK_EQ(vmcs_read(&vmcs, &capability, 0x6800 | BIT(12), &value), VMX_ERROR_UNSUPPORTED_FIELD);
	CHECK_EQ(vmcs_read(&vmcs, &capability, 0x63fe, &value), VMX_ERROR_UNSUPPORTED_FIELD);
}

TEST("any encoding at all is either a field or unsupported")
{
	struct vmx_capability capability = vmx_rig_everything();

	for (u64 encoding = 0; encoding < 0x10000; encoding++) {
		u64 value;
		u32 error = vmcs_read(&vmcs, &capability, encoding, &value);

		CHECK_EQ(error, vmcs_find(encoding) == VMCS_FIELD_COUNT ||
				!vmx_capability_has_field(&capability, vmcs_find(encoding)) ?
				VMX_ERROR_UNSUPPORTED_FIELD : VMX_ERROR_NONE);
	}
}

TEST("a write is cut to the field's width, and a high access is its upper half")
{
	struct vmx_capability capability = vmx_rig_capability("max-intel");
	u64 value;

	CHECK_EQ(vmcs_write(&vmcs, &capability, 0x0800, ~0ull), 0);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_GUEST_ES_SELECTOR), 0xffff);
	CHECK_EQ(vmcs_write(&vmcs, &capability, 0x4800, ~0ull), 0);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_GUEST_ES_LIMIT), 0xffffffff);
	CHECK_EQ(vmcs_write(&vmcs, &capability, 0x6800, ~0ull), 0);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_GUEST_CR0), ~0ull);
	CHECK_EQ(vmcs_write(&vmcs, &capability, 0x2010, 0x1111111122222222), 0);
	CHECK_EQ(vmcs_write(&vmcs, &capability, 0x2011, 0xffffffff33333333), 0);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_TSC_OFFSET), 0x3333333322222222);
	CHECK_EQ(vmcs_read(&vmcs, &capability, 0x2011, &value), 0);
	CHECK_EQ(value, 0x33333333);
}

TEST("exit information is read-only until the processor can write any field")
{
	struct vmx_capability old = vmx_rig_capability("nehalem"), newer = vmx_rig_capability("haswell");

	CHECK_EQ(vmcs_write(&vmcs, &old, 0x4402, 1), VMX_ERROR_READ_ONLY_FIELD);
	CHECK_EQ(vmcs_write(&vmcs, &newer, 0x4402, 1), VMX_ERROR_NONE);
}

TEST("a field exists where its control does")
{
	struct vmx_capability conroe = vmx_rig_capability("conroe"), nehalem = vmx_rig_capability("nehalem"),
			      haswell = vmx_rig_capability("haswell"), max = vmx_rig_capability("max-intel");

	CHECK(!vmx_capability_has_field(&conroe, VMCS_PROC2_CONTROLS));
	CHECK(!vmx_capability_has_field(&conroe, VMCS_EPT_POINTER));
	CHECK(!vmx_capability_has_field(&conroe, VMCS_GUEST_IA32_EFER));
	CHECK(vmx_capability_has_field(&conroe, VMCS_GUEST_CR0));
	CHECK(vmx_capability_has_field(&nehalem, VMCS_EPT_POINTER));
	CHECK(vmx_capability_has_field(&nehalem, VMCS_GUEST_PDPTE0));
	CHECK(!vmx_capability_has_field(&nehalem, VMCS_VMREAD_BITMAP));
	CHECK(vmx_capability_has_field(&haswell, VMCS_VMREAD_BITMAP));
	CHECK(vmx_capability_has_field(&haswell, VMCS_EPTP_LIST_ADDRESS));
	CHECK(!vmx_capability_has_field(&haswell, VMCS_TSC_MULTIPLIER));
	CHECK(vmx_capability_has_field(&max, VMCS_TSC_MULTIPLIER));
	CHECK(!vmx_capability_has_field(&max, VMCS_HLAT_POINTER));
}

TEST("what comes from memory is brought within widths, and fields that the processor lacks are cleared")
{
	struct vmx_capability conroe = vmx_rig_capability("conroe");

	memset(&vmcs, 0xff, sizeof(vmcs));
	vmcs_sanitize(&vmcs, &conroe);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_GUEST_ES_SELECTOR), 0xffff);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_EXIT_REASON), 0xffffffff);
	CHECK_EQ(vmcs_get(&vmcs, VMCS_EPT_POINTER), 0);
}

TEST("exit reasons and errors have names, whatever number is asked for")
{
	CHECK(!strcmp(vmx_exit_name(VMX_EXIT_CPUID), "CPUID"));
	CHECK(!strcmp(vmx_exit_name(VMX_EXIT_ENTRY_FAILURE | 33), "VM-entry failure due to invalid guest state"));
	CHECK(!strcmp(vmx_exit_name(35), "reserved"));
	CHECK(!strcmp(vmx_exit_name(~0u), "reserved"));
	CHECK(!strcmp(vmx_exit_qualification(VMX_EXIT_INVLPG), "the linear address"));
	CHECK(!strcmp(vmx_error_text(7), "VM entry with invalid control field(s)"));
	CHECK(!strcmp(vmx_error_text(0), "reserved"));
	CHECK(!strcmp(vmx_error_text(~0u), "reserved"));
	for (u32 i = 0; i < 200; i++)
		CHECK(vmx_exit_name(i) && vmx_exit_qualification(i) && vmx_error_text(i));
}

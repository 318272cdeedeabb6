/* Exit qualifications, instruction information and events, against values worked out from the manual's tables. */
#include "test.h"
#include "vmx/event.h"
#include "vmx/qualification.h"
#include "x86/regs.h"

TEST("qualifications have the manual's layouts")
{
	CHECK_EQ(vmx_qual_mov_cr(3, VMX_MOV_TO_CR, GPR_RAX), 0x003);
	CHECK_EQ(vmx_qual_mov_cr(8, VMX_MOV_FROM_CR, GPR_R15), 0xf18);
	CHECK_EQ(vmx_qual_clts(), 0x20);
	CHECK_EQ(vmx_qual_lmsw(0xfff1, true), 0xfff10070);
	CHECK_EQ(vmx_qual_mov_dr(7, true, GPR_RBX), 0x317);
	CHECK_EQ(vmx_qual_io(0x3f8, 1, 0), 0x03f80000);
	CHECK_EQ(vmx_qual_io(0xcf8, 4, VMX_QUAL_IO_IN | VMX_QUAL_IO_STRING | VMX_QUAL_IO_REP), 0x0cf8003b);
	CHECK_EQ(vmx_qual_task_switch(0x28, VMX_TASK_GATE), 0xc0000028);
	CHECK_EQ(vmx_qual_apic_access(0x0b0, VMX_APIC_WRITE), 0x10b0);
}

TEST("instruction information has the manual's layout")
{
	struct vmx_info_memory both = { .address_bytes = 8, .segment = SEG_DS, .base = GPR_RBX, .index = GPR_R9,
					.scale = 3, .has_base = true, .has_index = true };
	struct vmx_info_memory none = { .address_bytes = 2, .segment = SEG_SS };

	CHECK_EQ(vmx_info_memory(&both), 3 | 2 << 7 | 3 << 15 | 9 << 18 | 3 << 23);
	CHECK_EQ(vmx_info_memory(&none), 2 << 15 | BIT(22) | BIT(27));
	CHECK_EQ(vmx_info_register(GPR_RDI), BIT(10) | 7 << 3);
	CHECK_EQ(vmx_info_second(VMX_INFO_LIDT), 0x30000000);
	CHECK_EQ(vmx_info_random(GPR_RDX, 8), 2 << 3 | 2 << 11);
	CHECK_EQ(vmx_info_random(GPR_RDX, 2), 2 << 3);
	CHECK_EQ(vmx_info_io_string(4, SEG_ES), 1 << 7);
}

TEST("events have a type, a vector and their own length where they come from an instruction")
{
	CHECK_EQ(vmx_event_encode(VMX_EVENT_EXCEPTION, VECTOR_PF) | VMX_EVENT_ERROR_CODE, 0x80000b0e);
	CHECK_EQ(vmx_event_encode(VMX_EVENT_NMI, VECTOR_NMI), 0x80000202);
	CHECK_EQ(vmx_event_vector(0x80000b0e), 14);
	CHECK_EQ(vmx_event_type(0x80000b0e), VMX_EVENT_EXCEPTION);
	CHECK(vmx_event_is_software(vmx_event_encode(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80)));
	CHECK(vmx_event_is_software(vmx_event_encode(VMX_EVENT_PRIVILEGED_EXCEPTION, 1)));
	CHECK(!vmx_event_is_software(vmx_event_encode(VMX_EVENT_EXCEPTION, 3)));
	CHECK(!vmx_event_is_software(vmx_event_encode(VMX_EVENT_OTHER, 0)));
}

/*
 * The VMCB: the page that describes one virtual processor to VMRUN ("VMCB Layout").
 *
 * It is a C structure because the processor reads and writes it as memory in exactly this form, on bare metal as in the
 * model. vmcb.def has a row for each field and the assertions below hold the structure to it. Sizes and offsets are the
 * manual's; the save area starts at 400H. Guests change VMCBs while they are in use: take a copy before checking one.
 */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include "base/compiler.h"
#include "x86/regs.h"

#define VMCB_SIZE 4096u
#define VMCB_OFFSET_control 0x000u
#define VMCB_OFFSET_save 0x400u
#define VMCB_INTERCEPT_VECTORS 6

/* The segment registers in the save area's order. */
enum vmcb_segment_index {
	VMCB_SEG_ES, VMCB_SEG_CS, VMCB_SEG_SS, VMCB_SEG_DS, VMCB_SEG_FS, VMCB_SEG_GS,
	VMCB_SEG_GDTR, VMCB_SEG_LDTR, VMCB_SEG_IDTR, VMCB_SEG_TR, VMCB_SEG_COUNT,
};

struct vmcb_segment {
	u16 selector;
	u16 attributes; /* VMCB_ATTRIBUTE_*: 12 bits, not the access-rights format of x86/regs.h */
	u32 limit;      /* in bytes, granularity applied */
	u64 base;
};

struct vmcb_control {
	u32 intercept[VMCB_INTERCEPT_VECTORS];
	u8 reserved_018[0x3c - 0x18];
	u16 pause_filter_threshold, pause_filter_count;
	u64 iopm_base, msrpm_base; /* physical; bits 11:0 are ignored */
	u64 tsc_offset;
	u32 asid;
	u8 tlb_control; /* tlb_control.def */
	u8 rap_control;
	u8 reserved_05e[2];
	u64 interrupt_control; /* bits.def, like the next, nested_control and extension_control */
	u64 interrupt_shadow;
	u64 exit_code; /* exit.def */
	u64 exit_info1, exit_info2;
	u64 exit_int_info; /* the format of event_injection */
	u64 nested_control;
	u64 avic_apic_bar;
	u64 ghcb;
	u64 event_injection; /* event.h */
	u64 n_cr3;
	u64 extension_control;
	u32 clean; /* clean.def */
	u8 reserved_0c4[4];
	u64 n_rip;
	u8 fetched; /* bytes in instruction: 0 to 15 */
	u8 instruction[15];
	u64 avic_backing_page;
	u8 reserved_0e8[8];
	u64 avic_logical_table, avic_physical_table;
	u8 reserved_100[8];
	u64 vmsa, vmgexit_rax;
	u8 vmgexit_cpl;
	u8 reserved_119[7];
	u16 bus_lock_counter;
	u8 reserved_122[0x134 - 0x122];
	u32 update_irr;
	u64 allowed_sev_features, guest_sev_features;
	u8 reserved_148[8];
	u32 requested_irr[8];
	u8 reserved_170[0x3e0 - 0x170];
	u8 host_use[32]; /* the processor never looks at it */
};

struct vmcb_save {
	union {
		struct vmcb_segment segment[VMCB_SEG_COUNT];
		struct {
			struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
		};
	};
	u8 reserved_0a0[0xcb - 0xa0];
	u8 cpl;
	u8 reserved_0cc[4];
	u64 efer;
	u8 reserved_0d8[8];
	struct {
		u64 ctl, ctr;
	} perf[6];
	u8 reserved_140[8];
	u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
	u8 reserved_180[0x1c0 - 0x180];
	u64 instructions_retired, perf_global_status;
	u32 perf_global_ctl;
	u8 reserved_1d4[4];
	u64 rsp, s_cet, ssp, isst_addr, rax;
	u64 star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip;
	u64 cr2;
	u8 reserved_248[0x268 - 0x248];
	u64 g_pat, dbgctl, br_from, br_to, last_exception_from, last_exception_to, dbgextnctl;
	u8 reserved_2a0[0x2e0 - 0x2a0];
	u64 spec_ctrl;
	u8 reserved_2e8[0x670 - 0x2e8];
	u64 lbr_stack[32];
	u64 lbr_select;
	u64 ibs_fetch_ctl, ibs_fetch_linaddr, ibs_op_ctl, ibs_op_rip, ibs_op_data, ibs_op_data2, ibs_op_data3;
	u64 ibs_dc_linaddr, ibs_brtgt_rip, ibs_extd_ctl;
	u8 reserved_7c8[0xc00 - 0x7c8];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

_Static_assert(sizeof(struct vmcb) == VMCB_SIZE, "the VMCB is a page");
#define FIELD(id, area, member, offset, bytes, heading)                                                                \
	_Static_assert(offsetof(struct vmcb, area.member) == VMCB_OFFSET_##area + (offset), #area "." #member);        \
	_Static_assert(sizeof(((struct vmcb *)0)->area.member) == (bytes), #area "." #member);
#include "svm/vmcb.def"

enum vmcb_field {
#define FIELD(id, area, member, offset, bytes, heading) VMCB_##id,
#include "svm/vmcb.def"
	VMCB_FIELD_COUNT
};

struct vmcb_field_info {
	const char *name;    /* "save.cr0" */
	const char *heading; /* in the manual */
	u16 offset;          /* in the page */
	u16 bytes;
};

const struct vmcb_field_info *vmcb_field_info(enum vmcb_field field);

/* A field of at most 8 bytes, zero-extended; 0 for a longer one. */
u64 vmcb_read(const struct vmcb *vmcb, enum vmcb_field field);

/*
 * Segment attributes: bits 55:52 and 47:40 of the descriptor, in 12 bits ("Segment State in the VMCB").
 */
#define VMCB_ATTRIBUTE_LOW BITS(7, 0)   /* type, S, DPL, P: where SEGMENT_* has them */
#define VMCB_ATTRIBUTE_HIGH BITS(11, 8) /* AVL, L, D/B, G: four bits lower than SEGMENT_* has them */
#define VMCB_ATTRIBUTE_HIGH_SHIFT 4
#define VMCB_ATTRIBUTE_P BIT(7)
#define VMCB_ATTRIBUTE_L BIT(9)
#define VMCB_ATTRIBUTE_DB BIT(10)

/*
 * SEGMENT_* as VMRUN and VMLOAD load them: P = 0 says that the segment is null, except for CS and TR, which never are
 * and whose P is ignored.
 */
u32 vmcb_attributes_load(enum vmcb_segment_index segment, u16 attributes);

/* What #VMEXIT and VMSAVE write for SEGMENT_*: 0 for a null segment. */
u16 vmcb_attributes_store(u32 access_rights);

#endif

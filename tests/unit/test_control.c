/* Control, debug and extended control registers: every rule about what may be written, both ways. */
#include <string.h>

#include "cpu/control.h"
#include "sys_guest.h"
#include "test.h"

/* MOV CRn, RAX; MOV RAX, CRn; likewise DR. */
#define TO_CR(n) 0x0f, 0x22, 0xc0 | (n) << 3
#define FROM_CR(n) 0x0f, 0x20, 0xc0 | (n) << 3
#define TO_DR(n) 0x0f, 0x23, 0xc0 | (n) << 3
#define FROM_DR(n) 0x0f, 0x21, 0xc0 | (n) << 3
#define TO_CR8 0x44, 0x0f, 0x22, 0xc0
#define FROM_CR8 0x44, 0x0f, 0x20, 0xc0
#define XSETBV 0x0f, 0x01, 0xd1
#define XGETBV 0x0f, 0x01, 0xd0

static u64 *rax(void)
{
	return &guest->cpu.gpr[GPR_RAX];
}

static struct cpu *cpu(void)
{
	return &guest->cpu;
}

/* One write with each outcome. */
#define ACCEPTS(value, ...) (*rax() = (value), sys_guest_completed(RUN(__VA_ARGS__)))
#define REFUSES(value, ...) (*rax() = (value), sys_guest_raised(RUN(__VA_ARGS__), VECTOR_GP))

/* ---- who may, and which registers exist ---- */

TEST("MOV to and from CR is for CPL 0; virtual-8086 mode and CPL 3 get #GP(0)")
{
	static const enum sys_guest_mode users[] = { MODE_V86, MODE_PROTECTED_USER, MODE_LONG_USER };

	sys_guest_start("max-intel", MODE_REAL);
	for (unsigned i = 0; i < 3; i++) {
		sys_guest_set_mode(users[i]);
		RAISES(GP, TO_CR(0));
		RAISES(GP, FROM_CR(0));
		RAISES(GP, TO_CR(2));
		RAISES(GP, FROM_CR(3));
		RAISES(GP, FROM_CR(4));
		RAISES(GP, TO_DR(0));
		RAISES(GP, FROM_DR(7));
		RAISES(GP, 0x0f, 0x06); /* CLTS */
	}
	sys_guest_set_mode(MODE_REAL);
	COMPLETES(FROM_CR(0));
	CHECK_EQ((u32)*rax(), CR0_ET);
	sys_guest_set_mode(MODE_LONG);
	COMPLETES(FROM_CR(3));
	CHECK_EQ(*rax(), SYS_GUEST_PML4);
}

TEST("CR1, CR5-CR7 and CR9-CR15 do not exist; CR8 does in 64-bit mode, with AMD's prefix elsewhere")
{
	sys_guest_start("max-intel", MODE_LONG);
	RAISES(UD, TO_CR(1));
	RAISES(UD, FROM_CR(5));
	RAISES(UD, FROM_CR(6));
	RAISES(UD, TO_CR(7));
	RAISES(UD, 0x44, FROM_CR(1));
	RAISES(UD, 0x44, TO_CR(7));
	COMPLETES(FROM_CR8);
	sys_guest_start("zen", MODE_PROTECTED);
	world.task_priority = 9;
	COMPLETES(0xf0, FROM_CR(0)); /* LOCK MOV EAX, CR0 */
	CHECK_EQ(*rax(), 9);
	sys_guest_start("zen,-cr8-legacy", MODE_PROTECTED);
	RAISES(UD, 0xf0, FROM_CR(0));
}

TEST("CR2 takes any 64-bit value")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(ACCEPTS(0x8000000000000001ull, TO_CR(2)));
	CHECK_EQ(cpu()->cr2, 0x8000000000000001ull);
	COMPLETES(FROM_CR(2));
	CHECK_EQ(*rax(), 0x8000000000000001ull);
}

/* ---- CR0 ---- */

TEST("CR0: PG needs PE, NW needs CD, the upper half must be 0, ET is 1")
{
	sys_guest_start("max-intel", MODE_PROTECTED);
	CHECK(REFUSES(CR0_PG, TO_CR(0)));
	CHECK(REFUSES(CR0_PE | CR0_NW, TO_CR(0)));
	CHECK_EQ(cpu()->cr0, CR0_PE | CR0_ET);
	CHECK(ACCEPTS(CR0_PE | CR0_NW | CR0_CD, TO_CR(0)));
	CHECK_EQ(cpu()->cr0, CR0_PE | CR0_NW | CR0_CD | CR0_ET);
	CHECK(ACCEPTS(CR0_PE | BIT(10) | BIT(27), TO_CR(0)));
	CHECK_EQ(cpu()->cr0, CR0_PE | CR0_ET);
	sys_guest_set_mode(MODE_LONG);
	CHECK(REFUSES(cpu()->cr0 | BIT(32), TO_CR(0)));
	CHECK(ACCEPTS(cpu()->cr0 | CR0_WP, TO_CR(0)));
	CHECK(cpu()->cr0 & CR0_WP);
}

TEST("setting PE enters protected mode with the segments as they are, clearing it leaves")
{
	sys_guest_start("max-intel", MODE_REAL);
	CHECK(guest->block_mode & BLOCK_REAL);
	CHECK(ACCEPTS(CR0_PE, TO_CR(0)));
	CHECK(!(guest->block_mode & BLOCK_REAL));
	CHECK_EQ(cpu_cpl(cpu()), 0);
	CHECK(ACCEPTS(0, TO_CR(0)));
	CHECK(guest->block_mode & BLOCK_REAL);
}

TEST("setting PG with LME makes LMA, needs PAE, and is refused with a 64-bit CS or (Intel) a 16-bit TSS")
{
	sys_guest_start("max-intel", MODE_COMPATIBILITY);
	cpu()->cr0 &= ~CR0_PG;
	cpu()->efer = EFER_LME;
	cpu()->cr4 = 0;
	core_mode_changed(guest);
	CHECK(REFUSES(CR0_PE | CR0_PG, TO_CR(0)));
	cpu()->cr4 = CR4_PAE;
	cpu()->segment[SEG_CS].attributes |= SEGMENT_L;
	CHECK(REFUSES(CR0_PE | CR0_PG, TO_CR(0)));
	cpu()->segment[SEG_CS].attributes &= ~SEGMENT_L;
	cpu()->segment[SEG_TR].attributes = SEGMENT_P | DESCRIPTOR_TSS16_BUSY;
	CHECK(REFUSES(CR0_PE | CR0_PG, TO_CR(0)));
	CHECK_EQ(cpu()->efer, EFER_LME);
	guest->amd = true;
	CHECK(ACCEPTS(CR0_PE | CR0_PG, TO_CR(0)));
	CHECK_EQ(cpu()->efer, EFER_LME | EFER_LMA);
	/* Clearing PG in compatibility mode ends long mode. */
	CHECK(ACCEPTS(CR0_PE, TO_CR(0)));
	CHECK_EQ(cpu()->efer, EFER_LME);
}

TEST("PG cannot be cleared in 64-bit mode or with PCIDE")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(REFUSES(CR0_PE, TO_CR(0)));
	sys_guest_set_mode(MODE_COMPATIBILITY);
	cpu()->cr4 |= CR4_PCIDE;
	CHECK(REFUSES(CR0_PE, TO_CR(0)));
	cpu()->cr4 &= ~CR4_PCIDE;
	CHECK(ACCEPTS(CR0_PE, TO_CR(0)));
}

TEST("LMSW changes the low four bits and cannot clear PE")
{
	struct op op = { .insn = { .length = 3 } };

	sys_guest_start("max-intel", MODE_PROTECTED);
	cpu()->cr0 |= CR0_WP;
	CHECK(control_write_msw(guest, &op, CR0_MP | CR0_TS | CR0_NE | CR0_ET));
	CHECK_EQ(cpu()->cr0, CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_WP);
	CHECK(control_write_msw(guest, &op, 0));
	CHECK_EQ(cpu()->cr0, CR0_PE | CR0_ET | CR0_WP);
	sys_guest_set_mode(MODE_REAL);
	CHECK(control_write_msw(guest, &op, CR0_PE));
	CHECK_EQ(cpu()->cr0, CR0_PE | CR0_ET);
}

TEST("CLTS clears TS alone")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->cr0 |= CR0_TS | CR0_MP;
	COMPLETES(0x0f, 0x06);
	CHECK_EQ(cpu()->cr0 & (CR0_TS | CR0_MP), CR0_MP);
}

/* ---- CR3 and PAE ---- */

TEST("CR3: bits beyond the physical address width are reserved in long mode")
{
	sys_guest_start("haswell", MODE_LONG);
	CHECK(REFUSES(SYS_GUEST_PML4 | BIT(39), TO_CR(3)));
	CHECK(REFUSES(SYS_GUEST_PML4 | CR3_NOFLUSH, TO_CR(3)));
	CHECK_EQ(cpu()->cr3, SYS_GUEST_PML4);
	CHECK(ACCEPTS(SYS_GUEST_PML4 | 0x18, TO_CR(3)));
	CHECK_EQ(cpu()->cr3, SYS_GUEST_PML4 | 0x18);
}

TEST("CR3 with PCIDE: bit 63 asks to keep translations and is not stored; a task switch gives it no meaning")
{
	struct op op = { .insn = { .length = 3 } };

	sys_guest_start("haswell", MODE_LONG);
	cpu()->cr4 |= CR4_PCIDE;
	CHECK(ACCEPTS(SYS_GUEST_PML4 | 5 | CR3_NOFLUSH, TO_CR(3)));
	CHECK_EQ(cpu()->cr3, SYS_GUEST_PML4 | 5);
	CHECK(REFUSES(SYS_GUEST_PML4 | BIT(62), TO_CR(3)));
	CHECK(!control_load_cr3(guest, &op, SYS_GUEST_PML4 | CR3_NOFLUSH));
	CHECK(control_load_cr3(guest, &op, SYS_GUEST_PML4));
}

static void start_pae(void)
{
	sys_guest_start("haswell", MODE_PROTECTED);
	cpu()->cr4 = CR4_PAE;
	cpu()->cr3 = SYS_GUEST_PDPT;
	*sys_guest_word(SYS_GUEST_PDPT) = SYS_GUEST_PD | 1;
	*sys_guest_word(SYS_GUEST_PD) = 0x83;
}

TEST("PAE paging loads the four PDPTEs when PG is set, and refuses reserved bits in present ones")
{
	start_pae();
	*sys_guest_word(SYS_GUEST_PDPT + 8) = 0xfe0; /* not present: anything goes */
	CHECK(ACCEPTS(CR0_PE | CR0_PG, TO_CR(0)));
	CHECK_EQ(cpu()->pdpte[0], SYS_GUEST_PD | 1);
	CHECK_EQ(cpu()->pdpte[1], 0xfe0);
	for (unsigned bit = 1; bit < 64; bit++) {
		bool reserved = bit == 1 || bit == 2 || (bit >= 5 && bit <= 8) || bit >= 39;

		start_pae();
		*sys_guest_word(SYS_GUEST_PDPT + 24) = 1 | BIT(bit);
		CHECK_EQ(REFUSES(CR0_PE | CR0_PG, TO_CR(0)), reserved);
		CHECK_EQ(!!(cpu()->cr0 & CR0_PG), !reserved);
	}
}

TEST("PAE paging reloads the PDPTEs with CR3 and with changes of CR4.PSE, PGE and SMEP, not of others")
{
	start_pae();
	CHECK(ACCEPTS(CR0_PE | CR0_PG, TO_CR(0)));
	*sys_guest_word(SYS_GUEST_PDPT + 16) = 0x5001;
	CHECK(ACCEPTS(CR4_PAE | CR4_TSD, TO_CR(4)));
	CHECK_EQ(cpu()->pdpte[2], 0);
	CHECK(ACCEPTS(CR4_PAE | CR4_PGE, TO_CR(4)));
	CHECK_EQ(cpu()->pdpte[2], 0x5001);
	*sys_guest_word(SYS_GUEST_PDPT + 16) = 0x7001;
	CHECK(ACCEPTS(SYS_GUEST_PDPT, TO_CR(3)));
	CHECK_EQ(cpu()->pdpte[2], 0x7001);
	*sys_guest_word(SYS_GUEST_PDPT + 16) = 0x7003;
	CHECK(REFUSES(SYS_GUEST_PDPT, TO_CR(3)));
	CHECK(REFUSES(CR4_PAE, TO_CR(4)));
	CHECK(cpu()->cr4 & CR4_PGE);
	CHECK_EQ(cpu()->pdpte[2], 0x7001);
}

/* ---- CR4 ---- */

TEST("CR4: a bit can be set if the processor has its feature")
{
	static const struct {
		u64 bit;
		const char *without;
	} bits[] = {
		{ CR4_VME, "max-intel,-vme" }, { CR4_PVI, "max-intel,-vme" }, { CR4_DE, "max-intel,-de" },
		{ CR4_PSE, "max-intel,-pse" }, { CR4_MCE, "max-intel,-mce" }, { CR4_PGE, "max-intel,-pge" },
		{ CR4_UMIP, "max-intel,-umip" }, { CR4_FSGSBASE, "max-intel,-fsgsbase" },
		{ CR4_OSXSAVE, "max-intel,-xsave" },
		{ CR4_SMEP, "max-intel,-smep" }, { CR4_SMAP, "max-intel,-smap" }, { CR4_PKE, "max-intel,-pku" },
		{ CR4_OSFXSR, "max-intel,-fxsr" }, { CR4_OSXMMEXCPT, "max-intel,-sse" },
		{ CR4_LA57, "max-intel,-la57" },
	};

	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		sys_guest_start("max-intel", MODE_PROTECTED);
		CHECK(ACCEPTS(bits[i].bit, TO_CR(4)));
		CHECK_EQ(cpu()->cr4, bits[i].bit);
		sys_guest_start(bits[i].without, MODE_PROTECTED);
		CHECK(REFUSES(bits[i].bit, TO_CR(4)));
		CHECK_EQ(cpu()->cr4, 0);
	}
}

TEST("CR4: VMXE, SMXE, CET, PKS and undefined bits are reserved")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(REFUSES(CR4_PAE | CR4_VMXE, TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | CR4_SMXE, TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | CR4_CET, TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | CR4_PKS, TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | BIT(15), TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | BIT(19), TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | BIT(32), TO_CR(4)));
}

TEST("CR4: in long mode PAE stays set and LA57 as it is")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(REFUSES(0, TO_CR(4)));
	CHECK(REFUSES(CR4_PAE | CR4_LA57, TO_CR(4)));
	CHECK(ACCEPTS(CR4_PAE | CR4_PGE, TO_CR(4)));
}

TEST("CR4: PCIDE needs long mode and PCID 0")
{
	sys_guest_start("max-intel", MODE_PROTECTED);
	CHECK(REFUSES(CR4_PCIDE, TO_CR(4)));
	sys_guest_set_mode(MODE_LONG);
	cpu()->cr3 |= 8;
	CHECK(REFUSES(CR4_PAE | CR4_PCIDE, TO_CR(4)));
	cpu()->cr3 &= PAGE_MASK;
	CHECK(ACCEPTS(CR4_PAE | CR4_PCIDE, TO_CR(4)));
	cpu()->cr3 |= 8;
	CHECK(ACCEPTS(CR4_PAE | CR4_PCIDE, TO_CR(4)));
	sys_guest_start("max-intel,-pcid", MODE_LONG);
	CHECK(REFUSES(CR4_PAE | CR4_PCIDE, TO_CR(4)));
}

/* ---- CR8 ---- */

TEST("CR8 is the local APIC's task priority: 0 to 15")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(ACCEPTS(15, TO_CR8));
	CHECK_EQ(world.task_priority, 15);
	CHECK(REFUSES(16, TO_CR8));
	CHECK(REFUSES(BIT(63), TO_CR8));
	world.task_priority = 3;
	COMPLETES(FROM_CR8);
	CHECK_EQ(*rax(), 3);
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, FROM_CR8);
}

/* ---- EFER ---- */

TEST("EFER: bits need their features, LME cannot change while paging is on, LMA is not written")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(control_write_efer(guest, EFER_SCE | EFER_LME | EFER_NXE));
	CHECK_EQ(cpu()->efer, EFER_SCE | EFER_LME | EFER_NXE | EFER_LMA);
	CHECK(!control_write_efer(guest, EFER_SCE));
	CHECK(!control_write_efer(guest, EFER_LME | EFER_SVME));
	CHECK(!control_write_efer(guest, EFER_LME | EFER_LMSLE));
	CHECK(!control_write_efer(guest, EFER_LME | EFER_FFXSR));
	CHECK(!control_write_efer(guest, EFER_LME | BIT(1)));
	sys_guest_set_mode(MODE_PROTECTED);
	CHECK(control_write_efer(guest, EFER_LME | EFER_LMA));
	CHECK_EQ(cpu()->efer, EFER_LME);
	CHECK(control_write_efer(guest, 0));
	sys_guest_start("max-intel,-nx", MODE_PROTECTED);
	CHECK(!control_write_efer(guest, EFER_NXE));
	sys_guest_start("max-intel,-lm", MODE_PROTECTED);
	CHECK(!control_write_efer(guest, EFER_LME));
	sys_guest_start("max-amd", MODE_PROTECTED);
	CHECK(control_write_efer(guest, EFER_AIBRSE));
	CHECK(!control_write_efer(guest, EFER_SVME));
}

/* ---- debug registers ---- */

TEST("DR4 and DR5 are DR6 and DR7 unless CR4.DE, which makes them #UD; DR8 and up are #UD")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(ACCEPTS(BIT(0), TO_DR(5)));
	CHECK_EQ(cpu()->dr7, BIT(0) | DR7_FIXED);
	COMPLETES(FROM_DR(4));
	CHECK_EQ(*rax(), DR6_FIXED);
	cpu()->cr4 |= CR4_DE;
	RAISES(UD, TO_DR(5));
	RAISES(UD, FROM_DR(4));
	COMPLETES(FROM_DR(6));
	RAISES(UD, 0x44, FROM_DR(0));
}

TEST("DR6 and DR7 have fixed bits and refuse an upper half; DR0-DR3 take any address")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(ACCEPTS(0, TO_DR(6)));
	CHECK_EQ(cpu()->dr6, DR6_FIXED);
	CHECK(ACCEPTS(0xffffffff, TO_DR(6)));
	CHECK_EQ(cpu()->dr6, 0xffffefff);
	CHECK(REFUSES(BIT(32), TO_DR(6)));
	CHECK(ACCEPTS(0xffff0000 | BITS(9, 0) | BIT(11) | BIT(12) | BIT(14) | BIT(15), TO_DR(7)));
	CHECK_EQ(cpu()->dr7, 0xffff0000 | BITS(10, 0));
	CHECK(REFUSES(BIT(63), TO_DR(7)));
	CHECK(ACCEPTS(0x8000000000000000ull, TO_DR(3)));
	CHECK_EQ(cpu()->dr[3], 0x8000000000000000ull);
}

TEST("with DR7.GD every access to a debug register is a #DB with BD")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(ACCEPTS(DR7_GD, TO_DR(7)));
	RAISES(DB, FROM_DR(0));
	CHECK_EQ(cpu()->event.payload, DR6_BD);
	RAISES(DB, TO_DR(7));
	sys_guest_set_mode(MODE_LONG_USER);
	RAISES(GP, FROM_DR(0));
}

/* ---- XCR0 ---- */

TEST("XGETBV and XSETBV need CR4.OSXSAVE; XSETBV needs CPL 0 and XCR0")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->gpr[GPR_RDX] = 0;
	RAISES(UD, XGETBV);
	RAISES(UD, XSETBV);
	cpu()->cr4 |= CR4_OSXSAVE;
	COMPLETES(XGETBV);
	CHECK_EQ(*rax(), XCR0_X87);
	CHECK(ACCEPTS(XCR0_X87 | XCR0_SSE, XSETBV));
	CHECK_EQ(cpu()->xcr0, XCR0_X87 | XCR0_SSE);
	cpu()->gpr[GPR_RCX] = 1;
	COMPLETES(XGETBV); /* in use */
	CHECK_EQ(*rax() & ~cpu()->xcr0, 0);
	CHECK(REFUSES(XCR0_X87, XSETBV));
	cpu()->gpr[GPR_RCX] = 2;
	RAISES(GP, XGETBV);
	sys_guest_set_mode(MODE_LONG_USER);
	cpu()->cr4 |= CR4_OSXSAVE;
	cpu()->gpr[GPR_RCX] = 0;
	COMPLETES(XGETBV);
	CHECK(REFUSES(XCR0_X87, XSETBV));
	sys_guest_start("max-intel,-xgetbv1", MODE_LONG);
	cpu()->cr4 |= CR4_OSXSAVE;
	cpu()->gpr[GPR_RCX] = 1;
	RAISES(GP, XGETBV);
}

TEST("XCR0: x87 always, AVX needs SSE, components need their features")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpu()->cr4 |= CR4_OSXSAVE;
	cpu()->gpr[GPR_RDX] = 0;
	CHECK(REFUSES(XCR0_SSE, XSETBV));
	CHECK(REFUSES(XCR0_X87 | XCR0_AVX, XSETBV));
	CHECK(REFUSES(XCR0_X87 | BIT(3), XSETBV));
	CHECK(ACCEPTS(XCR0_X87 | XCR0_PKRU, XSETBV));
	cpu()->gpr[GPR_RDX] = 1;
	CHECK(REFUSES(XCR0_X87, XSETBV));
	sys_guest_start("max-intel,-avx,-pku", MODE_LONG);
	cpu()->cr4 |= CR4_OSXSAVE;
	CHECK(REFUSES(XCR0_X87 | XCR0_SSE | XCR0_AVX, XSETBV));
	CHECK(REFUSES(XCR0_X87 | XCR0_PKRU, XSETBV));
}

/* ---- what is canonical ---- */

TEST("canonical means sign-extended from bit 47, or from bit 56 with LA57")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(control_is_canonical(guest, 0x00007fffffffffffull));
	CHECK(control_is_canonical(guest, 0xffff800000000000ull));
	CHECK(!control_is_canonical(guest, 0x0000800000000000ull));
	cpu()->cr4 |= CR4_LA57;
	CHECK(control_is_canonical(guest, 0x0000800000000000ull));
	CHECK(!control_is_canonical(guest, 0x0100000000000000ull));
}

TEST("registers take what is canonical for the processor's own width, whatever CR4.LA57 is")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(control_is_canonical_base(guest, 0x0000800000000000ull));
	CHECK(!control_is_canonical_base(guest, 0x0100000000000000ull));
	sys_guest_start("max-intel,-la57", MODE_LONG);
	CHECK(!control_is_canonical_base(guest, 0x0000800000000000ull));
	CHECK(control_is_canonical_base(guest, 0xffff800000000000ull));
}

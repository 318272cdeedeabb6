/* CPUID's answers: identity, features, topology, caches, and the bits that follow the processor's state. */
#include <string.h>

#include "cpu/control.h"
#include "cpu/cpuid.h"
#include "cpu/xsave.h"
#include "sys_guest.h"
#include "test.h"
#include "x86/model.h"

static u32 out[4];

static u32 cpuid(u32 leaf, u32 subleaf, enum cpuid_register reg)
{
	cpuid_read(guest, leaf, subleaf, out);
	return out[reg];
}

TEST("the CPUID instruction takes its leaf from EAX and ECX and clears the upper halves")
{
	sys_guest_start("haswell", MODE_LONG_USER);
	guest->cpu.gpr[GPR_RAX] = 0xffffffff00000001ull;
	guest->cpu.gpr[GPR_RBX] = guest->cpu.gpr[GPR_RCX] = guest->cpu.gpr[GPR_RDX] = ~0ull;
	COMPLETES(0x0f, 0xa2);
	CHECK_EQ(guest->cpu.gpr[GPR_RAX], 0x306c3);
	CHECK_EQ(guest->cpu.gpr[GPR_RBX] >> 32, 0);
	CHECK_EQ(guest->cpu.gpr[GPR_RCX] >> 32, 0);
	CHECK_EQ(guest->cpu.gpr[GPR_RDX] >> 32, 0);
}

TEST("leaf 0 names the vendor and the highest leaf")
{
	sys_guest_start("haswell", MODE_LONG);
	CHECK_EQ(cpuid(0, 0, CPUID_EAX), 0xd);
	CHECK(!memcmp(&out[CPUID_EBX], "Genu", 4) && !memcmp(&out[CPUID_EDX], "ineI", 4) &&
	      !memcmp(&out[CPUID_ECX], "ntel", 4));
	sys_guest_start("zen3", MODE_LONG);
	CHECK_EQ(cpuid(0, 0, CPUID_EAX), 0x10);
	CHECK(!memcmp(&out[CPUID_EBX], "Auth", 4) && !memcmp(&out[CPUID_EDX], "enti", 4) &&
	      !memcmp(&out[CPUID_ECX], "cAMD", 4));
	CHECK_EQ(cpuid(0x80000000, 0, CPUID_EAX), 0x80000021);
	CHECK(!memcmp(&out[CPUID_EBX], "Auth", 4));
}

TEST("a feature added in a higher leaf raises the highest leaf")
{
	sys_guest_start("pentium3", MODE_PROTECTED);
	CHECK_EQ(cpuid(0, 0, CPUID_EAX), 2);
	sys_guest_start("pentium3,+smep", MODE_PROTECTED);
	CHECK_EQ(cpuid(0, 0, CPUID_EAX), 7);
	CHECK(cpuid(7, 0, CPUID_EBX) & BIT(7));
}

TEST("beyond the highest leaf Intel answers as at the highest basic leaf, AMD with zeros")
{
	u32 highest[4];

	sys_guest_start("haswell", MODE_LONG);
	cpuid_read(guest, 0xd, 0, highest);
	cpuid_read(guest, 0x12345, 0, out);
	CHECK(!memcmp(out, highest, sizeof(out)));
	cpuid_read(guest, 0x8fffffff, 0, out);
	CHECK(!memcmp(out, highest, sizeof(out)));
	sys_guest_start("zen", MODE_LONG);
	cpuid_read(guest, 0x12345, 0, out);
	CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0);
}

TEST("no model shows VMX or SVM, or any leaf of theirs")
{
	for (size_t i = 0; i < model_count(); i++) {
		sys_guest_start(model_at(i)->name, MODE_LONG);
		CHECK(!(cpuid(1, 0, CPUID_ECX) & BIT(5)));
		if (!guest->amd)
			continue;
		CHECK(!(cpuid(0x80000001, 0, CPUID_ECX) & BIT(2)));
		cpuid_read(guest, 0x8000000a, 0, out);
		CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0);
	}
}

TEST("a feature stands at its bit, and removed it does not")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(cpuid(7, 0, CPUID_EBX) & BIT(20));
	CHECK(cpuid(1, 0, CPUID_ECX) & BIT(31));
	CHECK(cpuid(0x80000001, 0, CPUID_EDX) & BIT(29));
	sys_guest_start("max-intel,-smap,-hypervisor", MODE_LONG);
	CHECK(!(cpuid(7, 0, CPUID_EBX) & BIT(20)));
	CHECK(!(cpuid(1, 0, CPUID_ECX) & BIT(31)));
	CHECK_EQ(cpuid(7, 1, CPUID_EBX), 0);
	CHECK_EQ(cpuid(7, 0, CPUID_EAX), 2);
	CHECK(cpuid(7, 2, CPUID_EDX) & BIT(4));
	sys_guest_start("max-intel,-bhi-ctrl", MODE_LONG);
	CHECK_EQ(cpuid(7, 0, CPUID_EAX), 0);
	CHECK_EQ(cpuid(7, 2, CPUID_EDX), 0);
}

TEST("OSXSAVE follows CR4, APIC follows IA32_APIC_BASE, OSPKE follows CR4, MONITOR follows IA32_MISC_ENABLE")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(!(cpuid(1, 0, CPUID_ECX) & BIT(27)));
	CHECK(!(cpuid(7, 0, CPUID_ECX) & BIT(4)));
	guest->cpu.cr4 |= CR4_OSXSAVE | CR4_PKE;
	CHECK(cpuid(1, 0, CPUID_ECX) & BIT(27));
	CHECK(cpuid(7, 0, CPUID_ECX) & BIT(4));
	CHECK(cpuid(1, 0, CPUID_EDX) & BIT(9));
	guest->cpu.apic_base &= ~BIT(11);
	CHECK(!(cpuid(1, 0, CPUID_EDX) & BIT(9)));
	CHECK(cpuid(1, 0, CPUID_ECX) & BIT(3));
	guest->cpu.misc_enable &= ~BIT(18);
	CHECK(!(cpuid(1, 0, CPUID_ECX) & BIT(3)));
}

TEST("IA32_MISC_ENABLE can take NX away, which then EFER refuses")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(cpuid(0x80000001, 0, CPUID_EDX) & BIT(20));
	CHECK(control_efer_allowed(guest) & EFER_NXE);
	guest->cpu.misc_enable |= BIT(34);
	CHECK(!(cpuid(0x80000001, 0, CPUID_EDX) & BIT(20)));
	CHECK(!(control_efer_allowed(guest) & EFER_NXE));
}

TEST("IA32_MISC_ENABLE can limit the highest leaf for old systems")
{
	sys_guest_start("haswell", MODE_LONG);
	guest->cpu.misc_enable |= BIT(22);
	CHECK_EQ(cpuid(0, 0, CPUID_EAX), 2);
	CHECK_EQ(cpuid(0x80000000, 0, CPUID_EAX), 0x80000008);
}

TEST("Intel shows SYSCALL in 64-bit mode only, AMD always")
{
	sys_guest_start("haswell", MODE_LONG);
	CHECK(cpuid(0x80000001, 0, CPUID_EDX) & BIT(11));
	sys_guest_set_mode(MODE_PROTECTED);
	CHECK(!(cpuid(0x80000001, 0, CPUID_EDX) & BIT(11)));
	sys_guest_start("zen", MODE_PROTECTED);
	CHECK(cpuid(0x80000001, 0, CPUID_EDX) & BIT(11));
}

TEST("AMD repeats leaf 1's EDX in leaf 0x80000001, Intel does not")
{
	sys_guest_start("zen", MODE_LONG);
	CHECK_EQ(cpuid(0x80000001, 0, CPUID_EDX) & 0x0183f3ff, cpuid(1, 0, CPUID_EDX) & 0x0183f3ff);
	CHECK_EQ(cpuid(0x80000001, 0, CPUID_EAX), cpuid(1, 0, CPUID_EAX));
	sys_guest_start("haswell", MODE_LONG);
	CHECK_EQ(cpuid(0x80000001, 0, CPUID_EDX) & 0x0183f3ff, 0);
}

TEST("the brand string is the model's")
{
	char brand[49] = { 0 };

	sys_guest_start("haswell", MODE_LONG);
	for (u32 i = 0; i < 3; i++) {
		cpuid_read(guest, 0x80000002 + i, 0, out);
		memcpy(brand + 16 * i, out, 16);
	}
	CHECK(!strcmp(brand, guest->model->brand));
}

TEST("one processor is alone: no HTT, shift 0")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK(!(cpuid(1, 0, CPUID_EDX) & BIT(28)));
	CHECK_EQ(cpuid(0xb, 1, CPUID_EAX), 0);
	CHECK_EQ(cpuid(0xb, 1, CPUID_EBX), 1);
}

TEST("topology: one socket of cores with one thread each, on both vendors")
{
	sys_guest_start("max-intel", MODE_LONG);
	guest->processors = 6;
	guest->processor = 5;
	CHECK(cpuid(1, 0, CPUID_EDX) & BIT(28));
	CHECK_EQ(out[CPUID_EBX] >> 24, 5);
	CHECK_EQ(out[CPUID_EBX] >> 16 & 0xff, 6);
	CHECK_EQ(cpuid(0xb, 0, CPUID_EAX), 0);
	CHECK_EQ(out[CPUID_EBX], 1);
	CHECK_EQ(out[CPUID_ECX], 0x100);
	CHECK_EQ(out[CPUID_EDX], 5);
	CHECK_EQ(cpuid(0x1f, 1, CPUID_EAX), 3);
	CHECK_EQ(out[CPUID_EBX], 6);
	CHECK_EQ(out[CPUID_ECX], 0x201);
	CHECK_EQ(cpuid(0xb, 2, CPUID_EBX), 0);
	CHECK_EQ(out[CPUID_ECX], 2);
	CHECK_EQ(cpuid(4, 0, CPUID_EAX) >> 26, 7);
	CHECK_EQ(cpuid(4, 0, CPUID_EAX) >> 14 & 0xfff, 0);
	CHECK_EQ(cpuid(4, 3, CPUID_EAX) >> 14 & 0xfff, 7);
	sys_guest_start("zen3", MODE_LONG);
	guest->processors = 4;
	guest->processor = 3;
	CHECK_EQ(cpuid(0x80000008, 0, CPUID_ECX), 3 | 2 << 12);
	CHECK_EQ(cpuid(0x8000001e, 0, CPUID_EAX), 3);
	CHECK_EQ(out[CPUID_EBX], 3);
	CHECK(cpuid(0x80000001, 0, CPUID_ECX) & BIT(1));
}

TEST("caches: size = ways * line * sets, in every format")
{
	for (size_t i = 0; i < model_count(); i++) {
		const struct model_cache *cache = model_at(i)->cache;
		u32 leaf = model_at(i)->vendor == VENDOR_AMD ? 0x8000001d : 4;

		sys_guest_start(model_at(i)->name, MODE_LONG);
		if (guest->amd ? !feature_has(&guest->features, FEAT_TOPOEXT) : model_at(i)->max_leaf < 4)
			continue;
		for (u32 n = 0; n < MODEL_CACHES; n++) {
			cpuid_read(guest, leaf, n, out);
			CHECK_EQ(out[CPUID_EAX] & 0x1f, cache[n].level ? cache[n].type : 0);
			if (!cache[n].level)
				continue;
			CHECK_EQ(((out[CPUID_EBX] >> 22) + 1) * 64 * (out[CPUID_ECX] + 1), cache[n].kib * 1024u);
			CHECK(is_power_of_two(out[CPUID_ECX] + 1));
		}
		CHECK_EQ(cpuid(leaf, MODEL_CACHES, CPUID_EAX), 0);
	}
	sys_guest_start("zen3", MODE_LONG);
	CHECK_EQ(cpuid(0x80000005, 0, CPUID_ECX), 32u << 24 | 8 << 16 | 1 << 8 | 64);
	CHECK_EQ(cpuid(0x80000006, 0, CPUID_ECX), 1024u << 16 | 6 << 12 | 1 << 8 | 64);
	CHECK_EQ(cpuid(0x80000006, 0, CPUID_EDX), 64u << 18 | 8 << 12 | 1 << 8 | 64);
}

TEST("leaf 2 lists descriptors on processors without leaf 4, and refers to it on others")
{
	sys_guest_start("pentium3", MODE_PROTECTED);
	CHECK_EQ(cpuid(2, 0, CPUID_EAX) & 0xff, 1);
	CHECK_EQ(out[CPUID_EDX], 0x0082080c);
	sys_guest_start("haswell", MODE_LONG);
	CHECK_EQ(cpuid(2, 0, CPUID_EDX), 0xff);
}

TEST("leaf 0xd tells the sizes for what XCR0 enables and for all")
{
	sys_guest_start("max-intel", MODE_LONG);
	if (!feature_has(&guest->features, FEAT_AVX))
		return;
	guest->cpu.xcr0 = XCR0_X87;
	CHECK_EQ(cpuid(0xd, 0, CPUID_EAX), 0x207);
	CHECK_EQ(out[CPUID_EBX], 576);
	CHECK_EQ(out[CPUID_ECX], xsave_area_bytes(0x207, false));
	guest->cpu.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
	CHECK_EQ(cpuid(0xd, 0, CPUID_EBX), 832);
	CHECK_EQ(cpuid(0xd, 1, CPUID_EAX) & 0xf, 0xf);
	CHECK_EQ(out[CPUID_EBX], 832);
	CHECK_EQ(cpuid(0xd, 2, CPUID_EAX), 256);
	CHECK_EQ(out[CPUID_EBX], 576);
	CHECK_EQ(cpuid(0xd, 9, CPUID_EAX), 8);
	CHECK_EQ(cpuid(0xd, 5, CPUID_EAX), 0);
	CHECK_EQ(cpuid(0xd, 64, CPUID_EAX), 0);
	sys_guest_start("max-intel,-avx,-pku", MODE_LONG);
	CHECK_EQ(cpuid(0xd, 0, CPUID_EAX), 3);
	CHECK_EQ(cpuid(0xd, 2, CPUID_EAX), 0);
	sys_guest_start("max-intel,-xsave", MODE_LONG);
	CHECK_EQ(cpuid(0xd, 0, CPUID_EAX), 0);
}

TEST("the clocks tell their frequency: TSC and crystal 1 GHz")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpuid_read(guest, 0x15, 0, out);
	CHECK_EQ(out[CPUID_EAX], 1);
	CHECK_EQ(out[CPUID_ECX] * out[CPUID_EBX], 1000000000);
	CHECK_EQ(cpuid(0x16, 0, CPUID_EAX), 1000);
	CHECK_EQ(cpuid(0x40000010, 0, CPUID_EAX), 1000000);
	CHECK_EQ(out[CPUID_EBX], 1000000);
}

TEST("the hypervisor's leaves are there if and only if the hypervisor bit is")
{
	sys_guest_start("zen", MODE_LONG);
	CHECK_EQ(cpuid(0x40000000, 0, CPUID_EAX), 0x40000010);
	CHECK(!memcmp(&out[CPUID_EBX], "SubringHV\0\0\0", 12));
	sys_guest_start("zen,-hypervisor", MODE_LONG);
	CHECK_EQ(cpuid(0x40000000, 0, CPUID_EAX), 0);
}

TEST("there are no performance counters and no processor trace")
{
	sys_guest_start("max-intel", MODE_LONG);
	cpuid_read(guest, 0xa, 0, out);
	CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0);
	cpuid_read(guest, 0x14, 0, out);
	CHECK_EQ(out[0] | out[1] | out[2] | out[3], 0);
}

TEST("leaf 5 offers MWAIT but no C-state, so that kernels idle with HLT")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(cpuid(5, 0, CPUID_ECX), 3);
	CHECK_EQ(out[CPUID_EAX], 64);
	CHECK_EQ(out[CPUID_EDX], 0);
	sys_guest_start("max-intel,-monitor", MODE_LONG);
	CHECK_EQ(cpuid(5, 0, CPUID_ECX), 0);
}

TEST("address widths are the model's, 57 bits with five-level paging")
{
	sys_guest_start("max-intel", MODE_LONG);
	CHECK_EQ(cpuid(0x80000008, 0, CPUID_EAX), 52 | 57 << 8);
	sys_guest_start("max-intel,-la57", MODE_LONG);
	CHECK_EQ(cpuid(0x80000008, 0, CPUID_EAX), 52 | 48 << 8);
	sys_guest_start("haswell", MODE_LONG);
	CHECK_EQ(cpuid(0x80000008, 0, CPUID_EAX), 39 | 48 << 8);
}

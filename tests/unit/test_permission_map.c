/* Positions in the I/O and MSR permission maps, and nested page-table entries. */
#include <stdlib.h>
#include <string.h>

#include "svm/npt.h"
#include "svm/permission_map.h"
#include "test.h"

TEST("a port's bit is its number's")
{
	for (unsigned port = 0; port < 0x10000; port++) {
		struct svm_map_bits bits = svm_iopm_bits((u16)port, 1);

		CHECK_EQ(bits.byte, port / 8);
		CHECK_EQ(bits.mask, 1u << (port % 8));
	}
}

TEST("an access of several ports has the bits of all, across bytes and past the last port")
{
	struct svm_map_bits bits = svm_iopm_bits(0x3ff, 2);

	CHECK_EQ(bits.byte, 0x7f);
	CHECK_EQ(bits.mask, 0x180);
	bits = svm_iopm_bits(0xffff, 4);
	CHECK_EQ(bits.byte, SVM_IOPM_LAST_BYTE - 1);
	CHECK_EQ(bits.mask, 0x780);
	CHECK_EQ(svm_iopm_bits(0xcfc, 4).mask, 0xf0);
}

TEST("an I/O access is intercepted if any of its ports is, and no read leaves the map")
{
	u8 *map = calloc(1, SVM_IOPM_BYTES);
	static const unsigned sizes[] = { 1, 2, 4 };
	static const u16 ports[] = { 0, 7, 8, 0x3fe, 0x8000, 0xfffc, 0xffff };

	for (unsigned marked = 0; marked < 0x10003; marked = marked == 0x410 ? 0x7ff0 : marked + 1) {
		map[marked / 8] |= (u8)(1u << (marked % 8));
		for (size_t s = 0; s < 3; s++)
			for (size_t p = 0; p < sizeof(ports) / sizeof(ports[0]); p++)
				CHECK_EQ(svm_iopm_intercepts(map, ports[p], sizes[s]),
					 marked >= ports[p] && marked < ports[p] + sizes[s]);
		map[marked / 8] = 0;
	}
	free(map);
}

TEST("MSRs of the three ranges have two bits each in the range's 2 KiB")
{
	struct svm_map_bits bits;

	CHECK(svm_msrpm_bits(0, false, &bits));
	CHECK_EQ(bits.byte, 0);
	CHECK_EQ(bits.mask, 1);
	CHECK(svm_msrpm_bits(0x1fff, true, &bits));
	CHECK_EQ(bits.byte, 0x7ff);
	CHECK_EQ(bits.mask, 0x80);
	CHECK(svm_msrpm_bits(0xc0000080, false, &bits));
	CHECK_EQ(bits.byte, 0x820);
	CHECK_EQ(bits.mask, 1);
	CHECK(svm_msrpm_bits(0xc0000101, true, &bits));
	CHECK_EQ(bits.byte, 0x840);
	CHECK_EQ(bits.mask, 8);
	CHECK(svm_msrpm_bits(0xc0011fff, true, &bits));
	CHECK_EQ(bits.byte, 0x17ff);
	CHECK_EQ(bits.mask, 0x80);
}

TEST("MSRs that the map does not cover are intercepted whatever it says")
{
	static const u32 outside[] = { 0x2000, 0xbfffffff, 0xc0002000, 0xc000ffff, 0xc0012000, 0xffffffff, 0x40000000 };
	u8 *map = calloc(1, SVM_MSRPM_BYTES);
	struct svm_map_bits bits;

	for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		CHECK(!svm_msrpm_bits(outside[i], false, &bits));
		CHECK(svm_msrpm_intercepts(map, outside[i], true));
	}
	free(map);
}

TEST("reads and writes of an MSR are intercepted apart")
{
	u8 *map = calloc(1, SVM_MSRPM_BYTES);

	map[0x820] = 2;
	CHECK(!svm_msrpm_intercepts(map, 0xc0000080, false));
	CHECK(svm_msrpm_intercepts(map, 0xc0000080, true));
	CHECK(!svm_msrpm_intercepts(map, 0xc0000081, true));
	free(map);
}

static const struct npt_format long_mode = { .wide = true, .long_mode = true, .nx = true, .gigabyte_pages = true,
					     .physical_bits = 48 };

TEST("nested tables have the levels of the host's paging mode")
{
	struct npt_format format = npt_format(CR4_PAE, EFER_LMA | EFER_NXE, true, 48);

	CHECK_EQ(npt_levels(&format), 4);
	CHECK_EQ(npt_address_bits(&format), 48);
	format = npt_format(CR4_PAE | CR4_LA57, EFER_LMA, true, 52);
	CHECK_EQ(npt_levels(&format), 5);
	CHECK_EQ(npt_address_bits(&format), 57);
	format = npt_format(CR4_PAE, 0, false, 40);
	CHECK_EQ(npt_levels(&format), 3);
	format = npt_format(CR4_PSE, 0, false, 40);
	CHECK_EQ(npt_levels(&format), 2);
	CHECK_EQ(npt_address_bits(&format), 32);
}

TEST("large pages exist where the format has them, with the size of their level")
{
	struct npt_format format = long_mode;

	CHECK(npt_is_page(&format, 1, NPT_P));
	CHECK(!npt_is_page(&format, 2, NPT_P) && npt_is_page(&format, 2, NPT_P | NPT_PS));
	CHECK(npt_is_page(&format, 3, NPT_P | NPT_PS) && !npt_is_page(&format, 4, NPT_P | NPT_PS));
	CHECK_EQ(npt_page_shift(&format, 3), 30);
	format.gigabyte_pages = false;
	CHECK(!npt_is_page(&format, 3, NPT_P | NPT_PS));
	CHECK_EQ(npt_reserved_bits(&format, 3, NPT_P | NPT_PS) & NPT_PS, NPT_PS);
	format = npt_format(CR4_PSE, 0, false, 40);
	CHECK(npt_is_page(&format, 2, NPT_P | NPT_PS));
	CHECK_EQ(npt_page_shift(&format, 2), 22);
	format.pse = false;
	CHECK(!npt_is_page(&format, 2, NPT_P | NPT_PS));
}

TEST("reserved bits of nested entries depend on mode, level and width")
{
	struct npt_format format = long_mode;

	CHECK_EQ(npt_reserved_bits(&format, 1, NPT_P), BITS(51, 48));
	CHECK_EQ(npt_reserved_bits(&format, 3, NPT_P), BITS(51, 48));
	CHECK_EQ(npt_reserved_bits(&format, 4, NPT_P), BITS(51, 48) | NPT_PS);
	CHECK_EQ(npt_reserved_bits(&format, 2, NPT_P | NPT_PS), BITS(51, 48) | BITS(20, 13));
	CHECK_EQ(npt_reserved_bits(&format, 3, NPT_P | NPT_PS), BITS(51, 48) | BITS(29, 13));
	format.nx = false;
	CHECK_EQ(npt_reserved_bits(&format, 1, NPT_P), BITS(51, 48) | NPT_NX);
	format.physical_bits = 52;
	CHECK_EQ(npt_reserved_bits(&format, 1, NPT_P), NPT_NX);
	format = npt_format(CR4_PAE, EFER_NXE, false, 40);
	CHECK_EQ(npt_reserved_bits(&format, 1, NPT_P), BITS(62, 40));
	CHECK_EQ(npt_reserved_bits(&format, 3, NPT_P), BITS(63, 40) | BITS(8, 5) | BITS(2, 1));
	format = npt_format(CR4_PSE, 0, false, 36);
	CHECK_EQ(npt_reserved_bits(&format, 2, NPT_P | NPT_PS), BITS(21, 17));
	CHECK_EQ(npt_reserved_bits(&format, 2, NPT_P), 0);
	format.physical_bits = 48;
	CHECK_EQ(npt_reserved_bits(&format, 2, NPT_P | NPT_PS), BIT(21));
}

TEST("an access needs a user's page at every level, a writable one to write, an executable one to fetch")
{
	u64 all = NPT_RW | NPT_US;
	struct npt_format format = long_mode;

	CHECK(npt_allows(&format, all, true, false) && npt_allows(&format, all, false, true));
	CHECK(!npt_allows(&format, npt_permissions(all, NPT_P | NPT_RW), false, false));
	CHECK(!npt_allows(&format, npt_permissions(all, NPT_P | NPT_US), true, false));
	CHECK(npt_allows(&format, npt_permissions(all, NPT_P | NPT_US), false, true));
	CHECK(!npt_allows(&format, npt_permissions(npt_permissions(all, NPT_P | NPT_NX | all), all), false, true));
	format.nx = false;
	CHECK(npt_allows(&format, all | NPT_NX, false, true));
}

TEST("a nested fault's error code is a page fault's, of a user")
{
	CHECK_EQ(npf_error(false, false, false, false), 4);
	CHECK_EQ(npf_error(true, true, false, false), 7);
	CHECK_EQ(npf_error(true, false, true, true), 0x1d);
	CHECK_EQ(NPF_ERROR_FINAL | npf_error(false, false, false, false), 0x100000004ull);
	CHECK_EQ(NPF_ERROR_GUEST_TABLE | npf_error(false, true, false, false), 0x200000006ull);
}

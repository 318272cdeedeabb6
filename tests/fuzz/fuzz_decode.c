/*
 * The decoder and the formatter on any bytes, in every mode, for both vendors.
 *
 * The input is decoded as a run of instructions. Besides the sanitizers: what comes out is well-formed, depends on the
 * instruction's own bytes alone, and no shorter piece of them is an instruction.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "driver.h"
#include "insn/insn.h"
#include "x86/regs.h"

#define TEXT_BYTES 128u
#define MAX_BYTES 512u /* each byte is looked at often */

static bool is_one_of(unsigned value, unsigned a, unsigned b, unsigned c, unsigned d)
{
	return value == a || value == b || value == c || value == d;
}

static void check_operand(const struct insn *i, const struct insn_operand *o)
{
	ASSERT(o->kind > OPERAND_NONE && o->kind <= OPERAND_FAR);
	ASSERT(o->reg < 16);
	ASSERT(o->kind != OPERAND_GPR8H || o->reg < 4);
	ASSERT(o->kind != OPERAND_SEG || o->reg <= SEG_GS);
	ASSERT(o->kind != OPERAND_MEM || (i->base <= INSN_REG_RIP && i->index <= INSN_REG_NONE));
}

static void check_fields(const struct insn *i, size_t available)
{
	ASSERT(i->length >= 1 && i->length <= INSN_MAX_LENGTH && i->length <= available);
	ASSERT(i->op < INSN_OP_COUNT && i->operands <= INSN_MAX_OPERANDS);
	ASSERT(is_one_of(i->opsize, 1, 2, 4, 8) && is_one_of(i->addrsize, 2, 4, 8, 8));
	ASSERT(i->seg <= SEG_GS && i->scale <= 3);
	ASSERT(i->mode == INSN_MODE_64 || !(i->prefixes & INSN_REX));
	for (unsigned n = 0; n < i->operands; n++)
		check_operand(i, &i->operand[n]);
}

/* Decodes a copy that ends where it is said to. */
static enum insn_status decode_piece(const uint8_t *bytes, size_t count, const struct insn *like, bool amd,
				     struct insn *out)
{
	uint8_t *copy = malloc(count ? count : 1);
	enum insn_status status;

	ASSERT(copy);
	memcpy(copy, bytes, count);
	status = insn_decode(copy, count, (enum insn_mode)like->mode, amd, out);
	free(copy);
	return status;
}

static void check_pieces(const uint8_t *bytes, const struct insn *i, bool amd)
{
	struct insn again;

	memset(&again, 0xff, sizeof(again));
	ASSERT(decode_piece(bytes, i->length, i, amd, &again) == INSN_OK);
	ASSERT(!memcmp(&again, i, sizeof(again)));
	for (size_t count = 0; count < i->length; count++)
		ASSERT(decode_piece(bytes, count, i, amd, &again) == INSN_TRUNCATED);
}

static void check_text(const struct insn *i)
{
	char whole[TEXT_BYTES], cut[TEXT_BYTES];
	size_t length = insn_format(i, 0x123456789abcull, whole, sizeof(whole));

	ASSERT(length > 0 && length < sizeof(whole) && strlen(whole) == length);
	for (size_t size = 1; size <= length; size += 3) {
		char *text = malloc(size);

		ASSERT(text && insn_format(i, 0x123456789abcull, text, size) == length);
		ASSERT(strlen(text) == size - 1 && !memcmp(text, whole, size - 1));
		free(text);
	}
	ASSERT(insn_format(i, 0x123456789abcull, cut, 0) == length);
}

static void decode_all(const uint8_t *data, size_t size, enum insn_mode mode, bool amd)
{
	size_t at = 0;

	while (at < size) {
		struct insn i;
		enum insn_status status;

		memset(&i, 0, sizeof(i));
		status = insn_decode(data + at, size - at, mode, amd, &i);
		ASSERT(status != INSN_TRUNCATED || size - at < INSN_MAX_LENGTH);
		ASSERT(status != INSN_TOO_LONG || size - at >= INSN_MAX_LENGTH);
		if (status == INSN_OK) {
			check_fields(&i, size - at);
			check_pieces(data + at, &i, amd);
			check_text(&i);
		}
		at += status == INSN_OK ? i.length : 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size = size < MAX_BYTES ? size : MAX_BYTES;
	for (enum insn_mode mode = INSN_MODE_16; mode <= INSN_MODE_64; mode++) {
		decode_all(data, size, mode, false);
		decode_all(data, size, mode, true);
	}
	return 0;
}

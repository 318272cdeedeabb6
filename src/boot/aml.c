/*
 * AML encoding: see aml.h.
 *
 * A package length comes before what it counts, in one to four bytes by its size ("Package Length Encoding"): closing
 * an object moves its content up by as many bytes as the length needs.
 */
#include "boot/aml.h"

#include "base/assert.h"
#include "base/bits.h"

/* "AML Byte Stream Byte Values" */
enum aml_opcode {
	AML_ZERO = 0x00, AML_ONE = 0x01, AML_NAME = 0x08, AML_BYTE = 0x0a, AML_WORD = 0x0b, AML_DWORD = 0x0c,
	AML_STRING = 0x0d, AML_QWORD = 0x0e, AML_SCOPE = 0x10, AML_BUFFER = 0x11, AML_PACKAGE = 0x12,
	AML_EXTENDED = 0x5b, AML_EXTENDED_DEVICE = 0x82,
};

#define NAME_BYTES 4u
#define LENGTH_MAX_BYTES 4u

/* "Resource Data Types for ACPI": first bytes. */
enum resource_tag {
	RESOURCE_IRQ = 0x22, RESOURCE_IO = 0x47, RESOURCE_END = 0x79, RESOURCE_MEMORY32_FIXED = 0x86,
	RESOURCE_DWORD_ADDRESS = 0x87, RESOURCE_WORD_ADDRESS = 0x88,
};

enum resource_type { RESOURCE_TYPE_MEMORY = 0, RESOURCE_TYPE_PORTS = 1, RESOURCE_TYPE_BUS = 2 };

#define RESOURCE_IO_DECODE16 1u
#define RESOURCE_WRITABLE 1u
#define RESOURCE_ENTIRE_RANGE 3u
#define RESOURCE_FIXED (BIT(2) | BIT(3)) /* base and end; a producer, for the devices below */

void aml_start(struct aml *aml, u8 *buffer, size_t size)
{
	*aml = (struct aml){ .out = { .bytes = buffer, .size = size } };
}

static void write_op(struct aml *aml, enum aml_opcode op)
{
	write_number(&aml->out, op, 1);
}

static void write_name(struct aml *aml, const char *name)
{
	ASSERT(strlen(name) == NAME_BYTES + (*name == '\\'));
	write_bytes(&aml->out, name, strlen(name));
}

static void open_object(struct aml *aml)
{
	ASSERT(aml->depth < AML_MAX_DEPTH);
	aml->open[aml->depth++] = aml->out.used;
}

void aml_close(struct aml *aml)
{
	size_t start, content, length;
	unsigned more; /* bytes of the length after its first */
	u64 encoded;

	ASSERT(aml->depth);
	start = aml->open[--aml->depth];
	content = aml->out.used - start;
	/* The length counts its own bytes: 6 bits in one byte, or 4 bits and 8 in each further one. */
	for (more = 0; content + 1 + more >= (more ? BIT(4 + 8 * more) : BIT(6)); more++)
		ASSERT(more + 1 < LENGTH_MAX_BYTES);
	length = content + 1 + more;
	encoded = more ? more << 6 | (length & BITS(3, 0)) | length >> 4 << 8 : length;
	write_number(&aml->out, 0, 1 + more);
	if (aml->out.overflow)
		return;
	memmove(aml->out.bytes + start + 1 + more, aml->out.bytes + start, content);
	memcpy(aml->out.bytes + start, &encoded, 1 + more);
}

void aml_open_scope(struct aml *aml, const char *name)
{
	write_op(aml, AML_SCOPE);
	open_object(aml);
	write_name(aml, name);
}

void aml_open_device(struct aml *aml, const char *name)
{
	write_op(aml, AML_EXTENDED);
	write_op(aml, AML_EXTENDED_DEVICE);
	open_object(aml);
	write_name(aml, name);
}

void aml_open_package(struct aml *aml, u8 elements)
{
	write_op(aml, AML_PACKAGE);
	open_object(aml);
	write_number(&aml->out, elements, 1);
}

void aml_name(struct aml *aml, const char *name)
{
	write_op(aml, AML_NAME);
	write_name(aml, name);
}

void aml_integer(struct aml *aml, u64 value)
{
	static const struct { enum aml_opcode op; unsigned bytes; } sizes[] = {
		{ AML_BYTE, 1 }, { AML_WORD, 2 }, { AML_DWORD, 4 }, { AML_QWORD, 8 },
	};
	unsigned i = 0;

	if (value <= 1) {
		write_op(aml, value ? AML_ONE : AML_ZERO);
		return;
	}
	while (value & ~byte_mask(sizes[i].bytes))
		i++;
	write_op(aml, sizes[i].op);
	write_number(&aml->out, value, sizes[i].bytes);
}

void aml_string(struct aml *aml, const char *text)
{
	write_op(aml, AML_STRING);
	write_bytes(&aml->out, text, strlen(text) + 1);
}

static u32 hex_digit(char c)
{
	return (u32)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four hexadecimal digits, stored high byte first ("EISAID"). */
void aml_eisa_id(struct aml *aml, const char *id)
{
	u32 value = 0;

	ASSERT(strlen(id) == 7);
	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | ((u32)(id[i] - 'A') + 1);
	for (unsigned i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	aml_integer(aml, __builtin_bswap32(value));
}

/* A buffer holds its size as an integer: in two bytes always, so that it can be filled in at the end. */
void aml_open_resources(struct aml *aml)
{
	write_op(aml, AML_BUFFER);
	open_object(aml);
	write_op(aml, AML_WORD);
	write_number(&aml->out, 0, 2);
}

void aml_close_resources(struct aml *aml)
{
	size_t start = aml->open[aml->depth - 1] + 1;
	u16 bytes;

	write_number(&aml->out, RESOURCE_END, 1);
	write_number(&aml->out, 0, 1); /* a checksum of zero counts as right */
	bytes = (u16)(aml->out.used - start - sizeof(bytes));
	if (!aml->out.overflow)
		memcpy(aml->out.bytes + start, &bytes, sizeof(bytes));
	aml_close(aml);
}

void aml_io(struct aml *aml, u16 port, u8 ports)
{
	write_number(&aml->out, RESOURCE_IO, 1);
	write_number(&aml->out, RESOURCE_IO_DECODE16, 1);
	write_number(&aml->out, port, 2);
	write_number(&aml->out, port, 2);
	write_number(&aml->out, 1, 1); /* alignment */
	write_number(&aml->out, ports, 1);
}

void aml_irq(struct aml *aml, unsigned irq)
{
	write_number(&aml->out, RESOURCE_IRQ, 1);
	write_number(&aml->out, BIT(irq), 2);
}

void aml_memory_fixed(struct aml *aml, struct aml_range range)
{
	write_number(&aml->out, RESOURCE_MEMORY32_FIXED, 1);
	write_number(&aml->out, 9, 2); /* the length of the rest */
	write_number(&aml->out, RESOURCE_WRITABLE, 1);
	write_number(&aml->out, range.base, 4);
	write_number(&aml->out, range.bytes, 4);
}

/* "Address Space Resource Descriptors": numbers of `bytes` bytes each. */
static void write_window(struct aml *aml, enum resource_tag tag, unsigned bytes, enum resource_type type,
			 unsigned flags, struct aml_range range)
{
	u64 numbers[] = { 0 /* granularity */, range.base, range.base + range.bytes - 1, 0 /* translation */,
			  range.bytes };

	write_number(&aml->out, tag, 1);
	write_number(&aml->out, 3 + ARRAY_LENGTH(numbers) * bytes, 2); /* the length of the rest */
	write_number(&aml->out, type, 1);
	write_number(&aml->out, RESOURCE_FIXED, 1);
	write_number(&aml->out, flags, 1);
	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
		write_number(&aml->out, numbers[i], bytes);
}

void aml_bus_window(struct aml *aml, struct aml_range range)
{
	write_window(aml, RESOURCE_WORD_ADDRESS, 2, RESOURCE_TYPE_BUS, 0, range);
}

void aml_port_window(struct aml *aml, struct aml_range range)
{
	write_window(aml, RESOURCE_WORD_ADDRESS, 2, RESOURCE_TYPE_PORTS, RESOURCE_ENTIRE_RANGE, range);
}

void aml_memory_window(struct aml *aml, struct aml_range range)
{
	write_window(aml, RESOURCE_DWORD_ADDRESS, 4, RESOURCE_TYPE_MEMORY, RESOURCE_WRITABLE, range);
}

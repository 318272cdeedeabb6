/*
 * A decoded instruction as text in Intel syntax, for dumps and traces.
 *
 * Written for a reader, not for an assembler: branch targets are absolute, numbers hexadecimal, and the size of a
 * memory operand is always named.
 */
#include "base/bits.h"
#include "base/string.h"
#include "insn/insn.h"
#include "x86/regs.h"

struct text {
	char *out;
	size_t size, length;
};

static void put_char(struct text *t, char c)
{
	if (t->length + 1 < t->size)
		t->out[t->length] = c;
	t->length++;
}

static void put(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_hex(struct text *t, u64 value)
{
	unsigned digits = 1;

	while (digits < 16 && value >> (4 * digits))
		digits++;
	put(t, "0x");
	while (digits--)
		put_char(t, "0123456789abcdef"[value >> (4 * digits) & 15]);
}

static void put_number(struct text *t, unsigned value)
{
	if (value >= 10)
		put_char(t, '1');
	put_char(t, (char)('0' + value % 10));
}

/* What follows the operation's name to say its operand size. */
static const char *size_suffix(const struct insn *i)
{
	static const char *const string[9] = { [1] = "b", [2] = "w", [4] = "d", [8] = "q" };
	static const char *const frame[9] = { [4] = "d", [8] = "q" };

	switch (i->op) {
	case INSN_MOVS:
	case INSN_CMPS:
	case INSN_STOS:
	case INSN_LODS:
	case INSN_SCAS:
	case INSN_INS:
	case INSN_OUTS: return string[i->opsize];
	case INSN_PUSHA:
	case INSN_POPA:
	case INSN_PUSHF:
	case INSN_POPF:
	case INSN_IRET: return frame[i->opsize] ? frame[i->opsize] : "";
	case INSN_FXSAVE:
	case INSN_FXRSTOR:
	case INSN_XSAVE:
	case INSN_XRSTOR:
	case INSN_XSAVEC:
	case INSN_XSAVEOPT:
	case INSN_XSAVES:
	case INSN_XRSTORS: return i->opsize == 8 ? "64" : "";
	default: return "";
	}
}

static void put_mnemonic(struct text *t, const struct insn *i)
{
	static const char conditions[16][4] = { "o", "no", "b", "ae", "e", "ne", "be", "a",
						"s", "ns", "p", "np", "l", "ge", "le", "g" };
	static const char *const convert[9] = { [2] = "cbw", [4] = "cwde", [8] = "cdqe" };
	static const char *const extend[9] = { [2] = "cwd", [4] = "cdq", [8] = "cqo" };
	static const char *const count_branch[9] = { [2] = "jcxz", [4] = "jecxz", [8] = "jrcxz" };
	const char *condition = conditions[i->opcode & 15], *name = insn_op_name(i->op);

	switch (i->op) {
	case INSN_JCC: put_char(t, 'j'), put(t, condition); return;
	case INSN_SETCC: put(t, "set"), put(t, condition); return;
	case INSN_CMOVCC: put(t, "cmov"), put(t, condition); return;
	case INSN_CBW: put(t, convert[i->opsize]); return;
	case INSN_CWD: put(t, extend[i->opsize]); return;
	case INSN_JCXZ: put(t, count_branch[i->addrsize]); return;
	case INSN_CALL_FAR: put(t, "call far"); return;
	case INSN_JMP_FAR: put(t, "jmp far"); return;
	case INSN_RET_FAR: put(t, "retf"); return;
	default: break;
	}
	/* MOV_CR, MOVSD_SSE ...: the name up to the underscore is the manual's. */
	while (*name && *name != '_')
		put_char(t, *name++);
	put(t, size_suffix(i));
}

static void put_gpr(struct text *t, unsigned reg, unsigned size)
{
	static const char names[8][3] = { "ax", "cx", "dx", "bx", "sp", "bp", "si", "di" };
	static const char bytes[8][4] = { "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil" };

	if (reg >= 8) {
		put_char(t, 'r');
		put_number(t, reg);
		put(t, size == 8 ? "" : size == 4 ? "d" : size == 2 ? "w" : "b");
		return;
	}
	if (size == 1) {
		put(t, bytes[reg]);
		return;
	}
	if (size > 2)
		put_char(t, size == 8 ? 'r' : 'e');
	put(t, names[reg]);
}

static void put_numbered(struct text *t, const char *file, unsigned reg)
{
	put(t, file);
	put_number(t, reg);
}

static const char *segment_name(unsigned seg)
{
	static const char names[][3] = { "es", "cs", "ss", "ds", "fs", "gs" };

	return names[seg];
}

static const char *memory_size_name(unsigned size)
{
	switch (size) {
	case 1: return "byte ptr ";
	case 2: return "word ptr ";
	case 4: return "dword ptr ";
	case 6: return "fword ptr ";
	case 8: return "qword ptr ";
	case 10: return "tbyte ptr ";
	case 16: return "xmmword ptr ";
	case 32: return "ymmword ptr ";
	default: return "";
	}
}

static void put_index(struct text *t, const struct insn *i)
{
	switch (i->op) {
	case INSN_VGATHERDPD:
	case INSN_VPGATHERDQ: put_numbered(t, "xmm", i->index); break;
	case INSN_VGATHERDPS:
	case INSN_VGATHERQPS:
	case INSN_VGATHERQPD:
	case INSN_VPGATHERDD:
	case INSN_VPGATHERQD:
	case INSN_VPGATHERQQ: put_numbered(t, i->vector_bytes == 32 ? "ymm" : "xmm", i->index); break;
	default: put_gpr(t, i->index, i->addrsize);
	}
	if (i->scale) {
		put_char(t, '*');
		put_number(t, 1u << i->scale);
	}
}

static void put_memory(struct text *t, const struct insn *i, unsigned size)
{
	bool base = i->base != INSN_REG_NONE, index = i->index != INSN_REG_NONE;

	put(t, memory_size_name(size));
	if (i->prefixes & INSN_SEGMENT && (i->mode != INSN_MODE_64 || i->seg >= SEG_FS)) {
		put(t, segment_name(i->seg));
		put_char(t, ':');
	}
	put_char(t, '[');
	if (i->base == INSN_REG_RIP)
		put(t, i->addrsize == 8 ? "rip" : "eip");
	else if (base)
		put_gpr(t, i->base, i->addrsize);
	if (base && index)
		put_char(t, '+');
	if (index)
		put_index(t, i);
	if (!base && !index) {
		put_hex(t, (u64)i->disp & byte_mask(i->addrsize));
	} else if (i->disp) {
		put_char(t, i->disp < 0 ? '-' : '+');
		put_hex(t, i->disp < 0 ? -(u64)i->disp : (u64)i->disp);
	}
	put_char(t, ']');
}

/* Where a branch goes: cut to the operand size, as RIP is. */
static u64 branch_target(const struct insn *i, u64 rip)
{
	return (rip + i->length + i->imm) & byte_mask(i->opsize);
}

static void put_operand(struct text *t, const struct insn *i, const struct insn_operand *o, u64 rip)
{
	static const char high_bytes[4][3] = { "ah", "ch", "dh", "bh" };

	switch (o->kind) {
	case OPERAND_GPR: put_gpr(t, o->reg, o->size); break;
	case OPERAND_GPR8H: put(t, high_bytes[o->reg]); break;
	case OPERAND_SEG: put(t, segment_name(o->reg)); break;
	case OPERAND_CR: put_numbered(t, "cr", o->reg); break;
	case OPERAND_DR: put_numbered(t, "dr", o->reg); break;
	case OPERAND_MMX: put_numbered(t, "mm", o->reg); break;
	case OPERAND_XMM: put_numbered(t, o->size == 32 ? "ymm" : "xmm", o->reg); break;
	case OPERAND_ST: put_numbered(t, "st", o->reg); break;
	case OPERAND_MEM: put_memory(t, i, o->size); break;
	case OPERAND_IMM: put_hex(t, i->imm); break;
	case OPERAND_IMM2: put_hex(t, i->imm2); break;
	case OPERAND_REL: put_hex(t, branch_target(i, rip)); break;
	case OPERAND_FAR:
		put_hex(t, i->imm2);
		put_char(t, ':');
		put_hex(t, i->imm);
		break;
	}
}

/* REP is REPE to the two that compare; elsewhere F2 and F3 are part of the opcode or say nothing. */
static void put_prefixes(struct text *t, const struct insn *i)
{
	if (i->prefixes & INSN_LOCK && i->op != INSN_MOV_CR)
		put(t, "lock ");
	switch (i->op) {
	case INSN_CMPS:
	case INSN_SCAS:
		put(t, i->prefixes & INSN_REPE ? "repe " : i->prefixes & INSN_REPNE ? "repne " : "");
		break;
	case INSN_MOVS:
	case INSN_STOS:
	case INSN_LODS:
	case INSN_INS:
	case INSN_OUTS: put(t, i->prefixes & (INSN_REPE | INSN_REPNE) ? "rep " : ""); break;
	}
}

size_t insn_format(const struct insn *i, u64 rip, char *out, size_t size)
{
	struct text t = { .out = out, .size = size };

	put_prefixes(&t, i);
	put_mnemonic(&t, i);
	for (unsigned n = 0; n < i->operands; n++) {
		put(&t, n ? ", " : " ");
		put_operand(&t, i, &i->operand[n], rip);
	}
	if (size)
		out[t.length < size ? t.length : size - 1] = '\0';
	return t.length;
}

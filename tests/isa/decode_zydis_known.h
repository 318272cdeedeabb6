/*
 * Where the decoder and Zydis 4.0 differ, and why: decode_zydis.c lets nothing else pass.
 *
 * A row excuses one aspect of some instructions; every other aspect of them is still compared. Whoever was right was
 * found in the manuals, or on a processor where it says so. Instruction sets that Subring does not have are a table of
 * their own: the decoder must refuse all of them.
 */
#ifndef TESTS_ISA_DECODE_ZYDIS_KNOWN_H
#define TESTS_ISA_DECODE_ZYDIS_KNOWN_H

#include <stdio.h>
#include <Zydis/Zydis.h>

#include "base/bits.h"
#include "insn/insn.h"

/* What the two can differ in. */
enum aspect {
	WE_REFUSE,
	ZYDIS_REFUSES,
	TOO_LONG,
	LENGTH,
	OPERATION,
	PREFIXES,
	ADDRESS_SIZE,
	OPERAND_SIZE,
	OPCODE,
	UNLISTED_OPERAND, /* Zydis lists one that the manual's syntax does not have */
	OPERAND_COUNT,
	OPERAND_KIND,
	SEGMENT,
	BASE,
	INDEX,
	SCALE,
	DISPLACEMENT,
	MEMORY_SIZE,
	IMMEDIATE,
	REGISTER,
};

static const char *const aspect_names[] = {
	[WE_REFUSE] = "we refuse it",	      [ZYDIS_REFUSES] = "Zydis refuses it",
	[TOO_LONG] = "too long or invalid",   [LENGTH] = "length",
	[OPERATION] = "operation",	      [PREFIXES] = "prefixes",
	[ADDRESS_SIZE] = "address size",      [OPERAND_SIZE] = "operand size",
	[OPCODE] = "opcode or ModRM",	      [UNLISTED_OPERAND] = "unlisted operand",
	[OPERAND_COUNT] = "operand count",    [OPERAND_KIND] = "operand kind",
	[SEGMENT] = "segment",		      [BASE] = "base",
	[INDEX] = "index",		      [SCALE] = "scale",
	[DISPLACEMENT] = "displacement",      [MEMORY_SIZE] = "memory size",
	[IMMEDIATE] = "immediate",	      [REGISTER] = "register",
};

/* One byte string as both saw it. */
struct pair {
	const u8 *bytes;
	enum insn_mode mode;
	bool amd;
	enum insn_status status;
	struct insn insn;
	bool zydis_ok;
	ZyanStatus zydis_status;
	ZydisDecodedInstruction z;
	ZydisDecodedOperand zo[ZYDIS_MAX_OPERAND_COUNT];
	const ZydisDecodedOperand *operand; /* the one that is being compared */
	const char *difference;
};

struct out_of_scope {
	ZydisISASet first, last;
	const char *reason;
	u64 count;
};

#define ONE_SET(set) ZYDIS_ISA_SET_##set, ZYDIS_ISA_SET_##set
#define SETS(from, to) ZYDIS_ISA_SET_##from, ZYDIS_ISA_SET_##to

static struct out_of_scope out_of_scope[] = {
	{ SETS(AVX512BW_128, AVX512_VPOPCNTDQ_512), "AVX-512: no EVEX, no mask registers", 0 },
	{ SETS(AMX_BF16, AMX_TILE), "AMX", 0 },
	{ SETS(KNCE, KNC_PF_HINT), "Knights Corner", 0 },
	{ SETS(PADLOCK_ACE, PADLOCK_RNG), "VIA PadLock", 0 },
	{ ONE_SET(AMD3DNOW), "3DNow!: gone since 2011", 0 },
	{ ONE_SET(XOP), "XOP: gone since 2017; of its encoding only TBM is here", 0 },
	{ ONE_SET(FMA4), "FMA4: gone since 2017", 0 },
	{ ONE_SET(LWP), "lightweight profiling: gone since 2017", 0 },
	{ ONE_SET(CET), "CET shadow stacks", 0 },
	{ ONE_SET(GFNI), "GFNI: no such feature here", 0 },
	{ ONE_SET(AVX_GFNI), "GFNI with VEX", 0 },
	{ ONE_SET(VAES), "VAES: no such feature here", 0 },
	{ ONE_SET(VPCLMULQDQ), "VPCLMULQDQ: no such feature here", 0 },
	{ ONE_SET(AVX_VNNI), "AVX-VNNI: no such feature here", 0 },
	{ SETS(KEYLOCKER, KEYLOCKER_WIDE), "Key Locker", 0 },
	{ ONE_SET(SMX), "SMX: GETSEC is #UD without CR4.SMXE", 0 },
	{ SETS(SGX, SGX_ENCLV), "SGX", 0 },
	{ ONE_SET(TDX), "TDX", 0 },
	{ ONE_SET(RTM), "TSX: XBEGIN, XABORT, XEND, XTEST", 0 },
	{ ONE_SET(TSX_LDTRK), "TSX: XSUSLDTRK, XRESLDTRK", 0 },
	{ ONE_SET(PT), "PTWRITE", 0 },
	{ ONE_SET(PCONFIG), "PCONFIG", 0 },
	{ ONE_SET(ENQCMD), "ENQCMD", 0 },
	{ ONE_SET(HRESET), "HRESET", 0 },
	{ ONE_SET(UINTR), "user interrupts", 0 },
	{ ONE_SET(SERIALIZE), "SERIALIZE", 0 },
	{ ONE_SET(SNP), "SEV-SNP", 0 },
	{ ONE_SET(AMD_INVLPGB), "INVLPGB", 0 },
	{ ONE_SET(RDPRU), "RDPRU", 0 },
	{ ONE_SET(MCOMMIT), "MCOMMIT", 0 },
};

static bool is_hint_nop(const struct pair *p)
{
	return p->insn.op == INSN_NOP && p->insn.map == INSN_MAP_0F;
}

static bool is_hint_nop_reg_operand(const struct pair *p)
{
	return is_hint_nop(p) && p->operand->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG;
}

static bool is_prefetchwt1(const struct pair *p)
{
	return p->insn.op == INSN_PREFETCH && p->z.mnemonic == ZYDIS_MNEMONIC_PREFETCHWT1;
}

static bool is_wbnoinvd(const struct pair *p)
{
	return p->insn.op == INSN_WBNOINVD && p->z.mnemonic == ZYDIS_MNEMONIC_WBINVD;
}

static bool is_8087_nop(const struct pair *p)
{
	return p->insn.op == INSN_FNOP &&
	       (p->z.mnemonic == ZYDIS_MNEMONIC_FENI8087_NOP || p->z.mnemonic == ZYDIS_MNEMONIC_FDISI8087_NOP ||
		p->z.mnemonic == ZYDIS_MNEMONIC_FSETPM287_NOP);
}

static bool is_xchg_r8_with_f3(const struct pair *p)
{
	return p->insn.op == INSN_XCHG && p->z.mnemonic == ZYDIS_MNEMONIC_PAUSE;
}

static bool is_vector(const struct pair *p)
{
	return p->insn.vector_bytes != 0;
}

/* Operations that have one operand size, or none, whatever the prefixes say. */
static bool has_fixed_size(const struct pair *p)
{
	switch (p->insn.op) {
	case INSN_SAHF:
	case INSN_LAHF:
	case INSN_XLAT:
	case INSN_SALC:
	case INSN_AAA:
	case INSN_AAS:
	case INSN_AAM:
	case INSN_AAD:
	case INSN_DAA:
	case INSN_DAS:
	case INSN_CMPXCHG8B:
	case INSN_MOVDIR64B:
	case INSN_CRC32:
	case INSN_TPAUSE:
	case INSN_UMWAIT:
	case INSN_UMONITOR:
	case INSN_RDPID:
	case INSN_RDFSBASE:
	case INSN_RDGSBASE:
	case INSN_WRFSBASE:
	case INSN_WRGSBASE:
	case INSN_SYSCALL:
	case INSN_INVLPG:
	case INSN_VMCLEAR:
	case INSN_VMPTRLD:
	case INSN_VMPTRST:
	case INSN_VMXON:
	case INSN_CLFLUSH:
	case INSN_CLFLUSHOPT:
	case INSN_CLWB: return true;
	default: return false;
	}
}

static bool is_32_or_64_only(const struct pair *p)
{
	const struct insn *i = &p->insn;

	return i->opsize == (i->mode == INSN_MODE_64 && i->prefixes & INSN_REX_W ? 8 : 4) &&
	       (i->prefixes & INSN_VEX || i->op == INSN_MOVNTI || i->op == INSN_MOVDIRI);
}

static bool is_port_with_w(const struct pair *p)
{
	return (p->insn.op == INSN_OUTS || p->insn.op == INSN_INS) && p->insn.prefixes & INSN_REX_W;
}

static bool is_amd_short_branch(const struct pair *p)
{
	const struct insn *i = &p->insn;

	return p->amd && i->mode == INSN_MODE_64 && i->opsize == 2 &&
	       (i->op == INSN_JCC || i->op == INSN_JMP || i->op == INSN_CALL || i->op == INSN_RET ||
		i->op == INSN_LOOP || i->op == INSN_LOOPE || i->op == INSN_LOOPNE || i->op == INSN_JCXZ);
}

static bool is_moffs(const struct pair *p)
{
	const struct insn *i = &p->insn;

	return i->op == INSN_MOV && i->map == INSN_MAP_1BYTE && i->opcode >= 0xa0 && i->opcode <= 0xa3 &&
	       ((u64)i->disp & byte_mask(i->addrsize)) ==
		       ((u64)p->operand->mem.disp.value & byte_mask(i->addrsize));
}

static bool is_lea(const struct pair *p)
{
	return p->insn.op == INSN_LEA;
}

/* Memory that has no size: an address only, or an area whose size other state gives. */
static bool has_no_memory_size(const struct pair *p)
{
	switch (p->insn.op) {
	case INSN_LEA:
	case INSN_INVLPG:
	case INSN_PREFETCH:
	case INSN_PREFETCHW:
	case INSN_PREFETCHNTA:
	case INSN_PREFETCHT0:
	case INSN_PREFETCHT1:
	case INSN_PREFETCHT2:
	case INSN_FXSAVE:
	case INSN_FXRSTOR:
	case INSN_XSAVE:
	case INSN_XRSTOR:
	case INSN_XSAVEC:
	case INSN_XSAVEOPT:
	case INSN_XSAVES:
	case INSN_XRSTORS:
	case INSN_FLDENV:
	case INSN_FNSTENV:
	case INSN_FRSTOR:
	case INSN_FNSAVE: return true;
	default: return false;
	}
}

static bool is_cache_line(const struct pair *p)
{
	return p->insn.op == INSN_CLFLUSH || p->insn.op == INSN_CLFLUSHOPT || p->insn.op == INSN_CLWB;
}

static bool is_movsxd_16(const struct pair *p)
{
	return p->insn.op == INSN_MOVSXD && p->insn.opsize == 2;
}

static bool is_amd_0f0d_register(const struct pair *p)
{
	return p->amd && p->z.opcode_map == ZYDIS_OPCODE_MAP_0F && p->z.opcode == 0x0d && p->z.raw.modrm.mod == 3;
}

static bool is_fucomp_st0(const struct pair *p)
{
	return p->insn.op == INSN_FUCOMP && p->operand->id == 0 && p->z.operand_count_visible == 2;
}

/* SVM and CLZERO take their address from rAX, INVLPGA its ASID from ECX; neither can be chosen. */
static bool is_implicit_rax(const struct pair *p)
{
	switch (p->insn.op) {
	case INSN_SKINIT:
	case INSN_VMRUN:
	case INSN_VMLOAD:
	case INSN_VMSAVE:
	case INSN_INVLPGA:
	case INSN_CLZERO: return true;
	default: return false;
	}
}

static bool is_amd_far_pointer(const struct pair *p)
{
	if (!p->amd || !(p->insn.prefixes & INSN_REX_W))
		return false;
	switch (p->insn.op) {
	case INSN_JMP_FAR:
	case INSN_CALL_FAR:
	case INSN_LSS:
	case INSN_LFS:
	case INSN_LGS: return true;
	default: return false;
	}
}

static bool is_amd_lock_cr0(const struct pair *p)
{
	return p->amd && p->insn.op == INSN_MOV_CR && p->insn.prefixes & INSN_LOCK;
}

static bool is_lsl(const struct pair *p)
{
	return p->insn.op == INSN_LSL;
}

/* SIB without a base (mod 0, base 5) in 64-bit mode with 32-bit addresses and REX.B. */
static bool is_no_base_with_rex_b(const struct pair *p)
{
	return p->insn.mode == INSN_MODE_64 && p->insn.addrsize == 4 && p->insn.base == INSN_REG_NONE &&
	       p->operand->mem.base == ZYDIS_REGISTER_R13D;
}

/* After an opcode come at most ModRM, SIB and twice four bytes. */
#define BYTES_AFTER_OPCODE 10

static bool refused_before_its_end(const struct pair *p)
{
	return p->status == INSN_INVALID && p->insn.length > INSN_MAX_LENGTH - BYTES_AFTER_OPCODE;
}

static struct known {
	enum aspect aspect;
	bool (*applies)(const struct pair *p);
	const char *reason;
	u64 count;
} known[] = {
	{ WE_REFUSE, is_amd_0f0d_register, "0F 0D with a register is #UD on AMD (processors do it)", 0 },
	{ ZYDIS_REFUSES, is_amd_lock_cr0, "LOCK MOV CR0 is MOV CR8 on AMD", 0 },
	{ TOO_LONG, refused_before_its_end, "no such opcode: its operands, which may pass 15 bytes, are not read", 0 },
	{ OPERATION, is_prefetchwt1, "0F 0D /2 needs no name of its own here: a prefetch", 0 },
	{ OPERATION, is_wbnoinvd, "Zydis 4.0 has no WBNOINVD", 0 },
	{ OPERATION, is_8087_nop, "FENI, FDISI and FSETPM are FNOP since the 80387", 0 },
	{ OPERATION, is_xchg_r8_with_f3, "F3 REX.B 90 is XCHG R8 (processors do it), not PAUSE", 0 },
	{ OPERAND_COUNT, is_xchg_r8_with_f3, "F3 REX.B 90 is XCHG R8", 0 },
	{ OPERAND_SIZE, is_vector, "vector instructions have a vector size and W, no operand size", 0 },
	{ OPERAND_SIZE, has_fixed_size, "the operand size means nothing to them", 0 },
	{ OPERAND_SIZE, is_32_or_64_only, "32 bits also in 16-bit mode: they look at W alone", 0 },
	{ OPERAND_SIZE, is_port_with_w, "there are no 64-bit ports", 0 },
	{ OPERAND_SIZE, is_amd_short_branch, "66 cuts RIP to 16 bits on AMD, all near branches (processors do it)", 0 },
	{ MEMORY_SIZE, is_amd_short_branch, "the same", 0 },
	{ REGISTER, is_amd_short_branch, "the same", 0 },
	{ OPERAND_SIZE, is_amd_far_pointer, "AMD has no far pointers with 64-bit offsets (processors do it)", 0 },
	{ MEMORY_SIZE, is_amd_far_pointer, "the same", 0 },
	{ REGISTER, is_amd_far_pointer, "the same", 0 },
	{ OPERAND_SIZE, is_hint_nop, "a NOP", 0 },
	{ UNLISTED_OPERAND, is_hint_nop_reg_operand, "reserved NOPs have an r/m operand, reg means nothing", 0 },
	{ OPERAND_COUNT, is_hint_nop, "Zydis lists only the reg operand of some reserved NOPs", 0 },
	{ REGISTER, is_hint_nop, "nor does Zydis size it as the others", 0 },
	{ UNLISTED_OPERAND, is_fucomp_st0, "FUCOMP ST(i), as FUCOM and FCOMP", 0 },
	{ UNLISTED_OPERAND, is_implicit_rax, "their registers are fixed, and no part of the manual's syntax", 0 },
	{ REGISTER, is_lsl, "it looks at 16 bits of the source, as LAR does", 0 },
	{ BASE, is_no_base_with_rex_b, "REX.B does not make it R13 (processors do it)", 0 },
	{ DISPLACEMENT, is_no_base_with_rex_b, "the same", 0 },
	{ DISPLACEMENT, is_moffs, "an offset is unsigned; Zydis extends it as a signed number", 0 },
	{ SEGMENT, is_lea, "LEA has no segment", 0 },
	{ MEMORY_SIZE, has_no_memory_size, "no size, or one that follows from more than the instruction", 0 },
	{ MEMORY_SIZE, is_cache_line, "m8 in the manual, a cache line in Zydis", 0 },
	{ MEMORY_SIZE, is_movsxd_16, "MOVSXD r16, r/m16 reads 16 bits on Intel, 32 on AMD (processors do it)", 0 },
};

/* True if a row excuses that difference; counts it there. */
static bool known_difference(const struct pair *p, enum aspect aspect)
{
	if (aspect == WE_REFUSE) {
		for (unsigned n = 0; n < sizeof(out_of_scope) / sizeof(out_of_scope[0]); n++)
			if (p->z.meta.isa_set >= out_of_scope[n].first && p->z.meta.isa_set <= out_of_scope[n].last)
				return ++out_of_scope[n].count;
	}
	for (unsigned n = 0; n < sizeof(known) / sizeof(known[0]); n++)
		if (known[n].aspect == aspect && known[n].applies(p))
			return ++known[n].count;
	return false;
}

static void known_print(void)
{
	for (unsigned n = 0; n < sizeof(out_of_scope) / sizeof(out_of_scope[0]); n++)
		printf("%10llu refused: %s\n", (unsigned long long)out_of_scope[n].count, out_of_scope[n].reason);
	for (unsigned n = 0; n < sizeof(known) / sizeof(known[0]); n++)
		printf("%10llu differ in %s: %s\n", (unsigned long long)known[n].count, aspect_names[known[n].aspect],
		       known[n].reason);
}

#endif

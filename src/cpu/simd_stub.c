/*
 * Making stubs.
 *
 * The operation is encoded anew with fixed host registers, one for each place in the encoding where an operand may
 * stand (ModRM.reg, VEX.vvvv, ModRM.rm, the immediate's top half). Each is loaded from the guest's register first,
 * so it does not matter which guest registers coincide. A memory operand becomes [rdx]. Inside a stub: rdi is the
 * core, rsi the op, rdx the memory operand (r8 where the instruction itself reads EDX); rax and rcx hold
 * general-register operands; xmm0 is what it is for the instruction. All of these belong to the callee in the
 * System V calling convention.
 */
#include "cpu/simd_stub.h"

#include "base/string.h"
#include "cpu/simd.h"
#include "cpu/simd_traits.h"

/* Where in the encoding an operand stands. */
enum slot { SLOT_REG, SLOT_VVVV, SLOT_RM, SLOT_IS4, SLOT_COUNT };

/* The host registers of the slots. */
enum host_register { HOST_RAX, HOST_RCX, HOST_RDX, HOST_RSI = 6, HOST_RDI, HOST_R8 };
static const u8 slot_vector[SLOT_COUNT] = { 1, 2, 3, 4 };
static const u8 slot_gpr[SLOT_COUNT] = { [SLOT_REG] = HOST_RAX, [SLOT_RM] = HOST_RCX };

/* Host opcodes that stubs use beside the operation itself. */
enum host_opcode {
	HOST_ADD_IMM8 = 0x83, HOST_AND_IMM16 = 0x81, HOST_MOV_STORE = 0x89, HOST_MOV_LOAD = 0x8b, HOST_LEA = 0x8d,
	HOST_LAHF = 0x9f, HOST_MOV_IMM32 = 0xb8, HOST_MOV_MEM_IMM8 = 0xc6, HOST_MOV_MEM_IMM16 = 0xc7,
	HOST_TEST_MEM_IMM8 = 0xf6, HOST_JMP = 0xff, HOST_0F = 0x0f,
	HOST_0F_MOVAPS_LOAD = 0x28, HOST_0F_MOVAPS_STORE = 0x29, HOST_0F_MOVQ_LOAD = 0x6f, HOST_0F_MOVQ_STORE = 0x7f,
	HOST_0F_EMMS = 0x77, HOST_0F_VZEROUPPER = 0x77, HOST_0F_JNE = 0x85, HOST_0F_SETO = 0x90,
	HOST_OPSIZE = 0x66, HOST_VEX2 = 0xc5, HOST_VEX3 = 0xc4,
	HOST_REX = 0x40, HOST_REX_B = 0x41, HOST_REX_W = 0x48,
};

#define HOST_GROUP_JMP 4
#define HOST_GROUP_AND 4

#define VEX2_R_VVVV 0xf8 /* no register extension, vvvv unused (all stored inverted), pp none */
#define VEX3_RXB 0xe0    /* no register extensions */
#define VEX_B BIT(5)
#define VEX_W BIT(7)
#define VEX_L BIT(2)

#define MODRM_REGISTER 3
#define MODRM_DISP32 2

/* The manual's numbers of opcodes that need to be known. */
enum { OPCODE_GROUP_12 = 0x71, OPCODE_GROUP_14 = 0x73 };

#define ST_EXPONENT 8 /* where in a physical x87 register's bytes sign and exponent stand */
#define FSW_OFFSET (offsetof(struct core, cpu.x87.fsw))

static const u8 mandatory_prefix[] = { [INSN_PP_66] = 0x66, [INSN_PP_F3] = 0xf3, [INSN_PP_F2] = 0xf2 };

/* ---- which operand stands where ---- */

static bool operand_is_immediate(const struct insn_operand *operand)
{
	return operand->kind == OPERAND_IMM || operand->kind == OPERAND_IMM2;
}

static unsigned operands_encoded(const struct insn *i)
{
	unsigned n = 0;

	while (n < i->operands && !operand_is_immediate(&i->operand[n]))
		n++;
	return n;
}

/* The destination is ModRM.rm: opcodes that can also store to memory. */
static bool is_store_form(const struct insn *i)
{
	static const struct { u8 map, opcode, prefixes; } store[] = { /* prefixes: bit n for enum insn_pp n */
		{ INSN_MAP_0F, 0x11, 15 }, { INSN_MAP_0F, 0x29, 3 }, { INSN_MAP_0F, 0x7e, 3 },
		{ INSN_MAP_0F, 0x7f, 7 }, { INSN_MAP_0F, 0xd6, 2 },
		{ INSN_MAP_0F3A, 0x14, 2 }, { INSN_MAP_0F3A, 0x15, 2 }, { INSN_MAP_0F3A, 0x16, 2 },
		{ INSN_MAP_0F3A, 0x17, 2 }, { INSN_MAP_0F3A, 0x19, 2 }, { INSN_MAP_0F3A, 0x1d, 2 },
		{ INSN_MAP_0F3A, 0x39, 2 },
	};

	if (i->operand[0].kind == OPERAND_MEM)
		return true;
	for (unsigned n = 0; n < ARRAY_LENGTH(store); n++)
		if (store[n].map == i->map && store[n].opcode == i->opcode)
			return store[n].prefixes >> i->pp & 1;
	return false;
}

/* Shifts by an immediate: ModRM.reg belongs to the opcode. */
static bool is_shift_group(const struct insn *i)
{
	return i->map == INSN_MAP_0F && i->opcode >= OPCODE_GROUP_12 && i->opcode <= OPCODE_GROUP_14;
}

static enum slot operand_slot(const struct insn *i, unsigned n)
{
	static const u8 load[] = { SLOT_REG, SLOT_RM }, load3[] = { SLOT_REG, SLOT_VVVV, SLOT_RM, SLOT_IS4 };
	static const u8 store[] = { SLOT_RM, SLOT_REG }, store3[] = { SLOT_RM, SLOT_VVVV, SLOT_REG };
	static const u8 shift[] = { SLOT_VVVV, SLOT_RM };

	switch (operands_encoded(i)) {
	case 1:
		return SLOT_RM;
	case 2:
		return is_shift_group(i) ? shift[n] : is_store_form(i) ? store[n] : load[n];
	default:
		return is_store_form(i) ? store3[n] : load3[n];
	}
}

/* ---- bytes ---- */

static void emit(struct simd_code *code, unsigned byte)
{
	code->byte[code->bytes++] = (u8)byte;
}

static void emit_bytes(struct simd_code *code, const void *bytes, unsigned count)
{
	memcpy(code->byte + code->bytes, bytes, count);
	code->bytes += count;
}

static void emit_u32(struct simd_code *code, u64 value)
{
	u32 low = (u32)value;

	emit_bytes(code, &low, sizeof(low));
}

static void emit_modrm(struct simd_code *code, unsigned mod, unsigned reg, unsigned rm)
{
	emit(code, mod << 6 | (reg & 7) << 3 | (rm & 7));
}

/* The ModRM byte and displacement for [rdi + offset]: a field of the core. */
static void emit_core_operand(struct simd_code *code, unsigned reg, u64 offset)
{
	emit_modrm(code, MODRM_DISP32, reg, HOST_RDI);
	emit_u32(code, offset);
}

/* ---- moving guest registers ---- */

static u64 operand_offset(const struct insn_operand *operand)
{
	if (operand->kind == OPERAND_MMX)
		return offsetof(struct core, cpu.x87.st) + operand->reg % 8 * sizeof(((struct cpu_x87 *)0)->st[0]);
	if (operand->kind == OPERAND_XMM)
		return offsetof(struct core, cpu.vector.ymm) + operand->reg * sizeof(((struct cpu_vector *)0)->ymm[0]);
	return offsetof(struct core, cpu.gpr) + operand->reg * sizeof(u64);
}

/* mov rax, [rdi + offset], or the other way. */
static void emit_gpr(struct simd_code *code, enum host_opcode opcode, unsigned host, u64 offset)
{
	emit(code, HOST_REX_W);
	emit(code, opcode);
	emit_core_operand(code, host, offset);
}

/* movaps xmm, [rdi + offset], vmovaps with 16 or 32 bytes, or the other way. */
static void emit_vector(struct simd_code *code, const struct insn *i, enum host_opcode opcode, unsigned host,
			u64 offset, bool wide)
{
	if (i->prefixes & INSN_VEX) {
		emit(code, HOST_VEX2);
		emit(code, VEX2_R_VVVV | (wide ? (unsigned)VEX_L : 0));
	} else {
		emit(code, HOST_0F);
	}
	emit(code, opcode);
	emit_core_operand(code, host, offset);
}

static bool operand_is_wide(const struct insn_operand *operand)
{
	return operand->size > sizeof(((struct cpu_vector *)0)->ymm[0]) / 2;
}

static void emit_load(struct simd_code *code, const struct insn *i, unsigned n)
{
	const struct insn_operand *operand = &i->operand[n];
	enum slot slot = operand_slot(i, n);
	u64 offset = operand_offset(operand);

	if (operand->kind == OPERAND_XMM) {
		emit_vector(code, i, HOST_0F_MOVAPS_LOAD, slot_vector[slot], offset, operand_is_wide(operand));
	} else if (operand->kind == OPERAND_MMX) {
		emit(code, HOST_0F);
		emit(code, HOST_0F_MOVQ_LOAD);
		emit_core_operand(code, slot_vector[slot], offset);
	} else if (operand->kind == OPERAND_GPR) {
		emit_gpr(code, HOST_MOV_LOAD, slot_gpr[slot], offset);
	}
}

/* A VEX-encoded destination is stored whole: the operation has cleared what it does not write. */
static void emit_store(struct simd_code *code, const struct insn *i)
{
	const struct insn_operand *operand = &i->operand[0];
	enum slot slot = operand_slot(i, 0);
	u64 offset = operand_offset(operand);

	if (operand->kind == OPERAND_XMM) {
		emit_vector(code, i, HOST_0F_MOVAPS_STORE, slot_vector[slot], offset, true);
	} else if (operand->kind == OPERAND_MMX) {
		emit(code, HOST_0F);
		emit(code, HOST_0F_MOVQ_STORE);
		emit_core_operand(code, slot_vector[slot], offset);
		emit(code, HOST_OPSIZE);
		emit(code, HOST_MOV_MEM_IMM16);
		emit_core_operand(code, 0, offset + ST_EXPONENT);
		emit(code, UINT8_MAX);
		emit(code, UINT8_MAX);
	} else if (operand->kind == OPERAND_GPR) {
		emit_gpr(code, HOST_MOV_STORE, slot_gpr[slot], offset);
	}
}

/* ---- the operation ---- */

/*
 * Non-temporal stores are made ordinary ones: between two of a guest's there is too much other work for write
 * combining to gain anything, and it would lose much.
 */
static u8 host_opcode_for(const struct insn *i)
{
	switch (i->op) {
	case INSN_MOVNTPS:
	case INSN_VMOVNTPS:
	case INSN_MOVNTPD:
	case INSN_VMOVNTPD:
		return HOST_0F_MOVAPS_STORE;
	case INSN_MOVNTDQ:
	case INSN_VMOVNTDQ:
	case INSN_MOVNTQ:
		return HOST_0F_MOVQ_STORE; /* MOVDQA's with its prefix */
	case INSN_MOVNTSS:
	case INSN_MOVNTSD:
		return 0x11; /* MOVSS and MOVSD */
	default:
		return i->opcode;
	}
}

/* REX.W or VEX.W for the host, which is always in 64-bit mode. */
static bool needs_w(const struct insn *i)
{
	u16 traits = simd_traits((enum insn_op)i->op);
	u8 width = 0;

	if (traits & SIMD_TRAIT_GPR_WIDTH) {
		for (unsigned n = 0; n < i->operands; n++)
			if (i->operand[n].kind == OPERAND_GPR || (i->operand[n].kind == OPERAND_MEM && !width))
				width = i->operand[n].size;
		return width == sizeof(u64);
	}
	if (traits & SIMD_TRAIT_LENGTHS)
		return (i->prefixes & INSN_REX_W) && i->mode == INSN_MODE_64;
	return (i->prefixes & INSN_VEX) && (i->prefixes & INSN_REX_W);
}

static void emit_vex(struct simd_code *code, const struct insn *i, unsigned vvvv, bool base_r8)
{
	unsigned map = i->map - INSN_MAP_0F + 1u;

	emit(code, HOST_VEX3);
	emit(code, (VEX3_RXB | map) & ~(base_r8 ? (unsigned)VEX_B : 0));
	emit(code, (needs_w(i) ? (unsigned)VEX_W : 0) | (~vvvv & 15) << 3 |
		   (i->prefixes & INSN_VEX_L ? (unsigned)VEX_L : 0) | i->pp);
}

static void emit_legacy_prefixes(struct simd_code *code, const struct insn *i, bool base_r8)
{
	static const u8 second[] = { [INSN_MAP_0F38] = 0x38, [INSN_MAP_0F3A] = 0x3a };

	if (i->pp != INSN_PP_NONE)
		emit(code, mandatory_prefix[i->pp]);
	if (needs_w(i) || base_r8)
		emit(code, (needs_w(i) ? HOST_REX_W : HOST_REX) | (base_r8 ? HOST_REX_B : 0));
	emit(code, HOST_0F);
	if (i->map != INSN_MAP_0F)
		emit(code, second[i->map]);
}

static void emit_operation(struct simd_code *code, const struct insn *i)
{
	bool base_r8 = simd_traits((enum insn_op)i->op) & SIMD_TRAIT_LENGTHS;
	unsigned mod = MODRM_REGISTER, reg = i->modrm >> 3 & 7, vvvv = 0, rm = 0, is4 = 0;

	for (unsigned n = 0; n < operands_encoded(i); n++) {
		enum slot slot = operand_slot(i, n);
		bool gpr = i->operand[n].kind == OPERAND_GPR;
		unsigned host = gpr ? slot_gpr[slot] : slot_vector[slot];

		switch (slot) {
		case SLOT_REG: reg = host; break;
		case SLOT_VVVV: vvvv = host; break;
		case SLOT_IS4: is4 = host; break;
		default: rm = host;
		}
		if (i->operand[n].kind == OPERAND_MEM) {
			mod = 0;
			rm = base_r8 ? HOST_R8 : HOST_RDX;
		}
	}
	if (i->prefixes & INSN_VEX)
		emit_vex(code, i, vvvv, base_r8 && mod == 0);
	else
		emit_legacy_prefixes(code, i, base_r8 && mod == 0);
	emit(code, host_opcode_for(i));
	emit_modrm(code, mod, reg, rm);
	if (is4)
		emit(code, is4 << 4);
	for (unsigned n = operands_encoded(i); n < i->operands; n++)
		emit(code, (u8)(i->operand[n].kind == OPERAND_IMM ? i->imm : i->imm2));
}

/* ---- around the operation ---- */

static void emit_implicit_sources(struct simd_code *code, u16 traits, const struct insn *i)
{
	static const u8 mov_r8_rdx[] = { 0x49, HOST_MOV_STORE, 0xd0 };

	if (traits & SIMD_TRAIT_XMM0_INPUT)
		emit_vector(code, i, HOST_0F_MOVAPS_LOAD, 0, offsetof(struct core, cpu.vector.ymm[0]), false);
	if (traits & SIMD_TRAIT_LENGTHS) {
		emit_bytes(code, mov_r8_rdx, sizeof(mov_r8_rdx));
		emit_gpr(code, HOST_MOV_LOAD, HOST_RAX, offsetof(struct core, cpu.gpr[GPR_RAX]));
		emit_gpr(code, HOST_MOV_LOAD, HOST_RDX, offsetof(struct core, cpu.gpr[GPR_RDX]));
	}
}

/* mov eax, 0; lahf; seto al; mov [rdi + status], rax */
static void emit_status(struct simd_code *code)
{
	emit(code, HOST_MOV_IMM32);
	emit_u32(code, 0);
	emit(code, HOST_LAHF);
	emit(code, HOST_0F);
	emit(code, HOST_0F_SETO);
	emit_modrm(code, MODRM_REGISTER, 0, HOST_RAX);
	emit_gpr(code, HOST_MOV_STORE, HOST_RAX, offsetof(struct core, cpu.status));
}

static void emit_results(struct simd_code *code, u16 traits, const struct insn *i)
{
	if (traits & SIMD_TRAIT_STATUS)
		emit_status(code);
	else
		emit_store(code, i);
	if (traits & SIMD_TRAIT_ECX_OUTPUT)
		emit_gpr(code, HOST_MOV_STORE, HOST_RCX, offsetof(struct core, cpu.gpr[GPR_RCX]));
	if (traits & SIMD_TRAIT_XMM0_OUTPUT)
		emit_vector(code, i, HOST_0F_MOVAPS_STORE, 0, offsetof(struct core, cpu.vector.ymm[0]), true);
}

/* The x87 tags become valid and TOP 0; and the host's own x87 registers are given back. */
static void emit_mmx_transition(struct simd_code *code)
{
	u16 keep = (u16)~X87_FSW_TOP;

	emit(code, HOST_OPSIZE);
	emit(code, HOST_AND_IMM16);
	emit_core_operand(code, HOST_GROUP_AND, FSW_OFFSET);
	emit_bytes(code, &keep, sizeof(keep));
	emit(code, HOST_MOV_MEM_IMM8);
	emit_core_operand(code, 0, offsetof(struct core, cpu.x87.empty));
	emit(code, 0);
	emit(code, HOST_0F);
	emit(code, HOST_0F_EMMS);
}

/* No upper halves stay in use behind the back of SSE code ("Mixing AVX Code with SSE Code"). */
static void emit_vzeroupper(struct simd_code *code)
{
	emit(code, HOST_VEX2);
	emit(code, VEX2_R_VVVV);
	emit(code, HOST_0F_VZEROUPPER);
}

static void emit_body(struct simd_code *code, const struct insn *i)
{
	u16 traits = simd_traits((enum insn_op)i->op);
	bool overwrites = (i->prefixes & INSN_VEX) && !(traits & (SIMD_TRAIT_ACCUMULATES | SIMD_TRAIT_STATUS));
	bool wide = false;

	for (unsigned n = 0; n < operands_encoded(i); n++) {
		wide |= operand_is_wide(&i->operand[n]);
		if (n || !overwrites)
			emit_load(code, i, n);
	}
	emit_implicit_sources(code, traits, i);
	emit_operation(code, i);
	emit_results(code, traits, i);
	if (wide)
		emit_vzeroupper(code);
	if (simd_uses_mmx(i))
		emit_mmx_transition(code);

	emit(code, HOST_REX_W); /* add rsi, sizeof(struct op); jmp [rsi] */
	emit(code, HOST_ADD_IMM8);
	emit_modrm(code, MODRM_REGISTER, 0, HOST_RSI);
	emit(code, sizeof(struct op));
	emit(code, HOST_JMP);
	emit_modrm(code, 0, HOST_GROUP_JMP, HOST_RSI);
}

/* lea rdx, [body]; mov rax, hook; jmp rax. Returns where body's address is to be put. */
static unsigned emit_hook(struct simd_code *code, simd_hook_fn *hook)
{
	u64 address = (u64)hook;
	unsigned patch;

	emit(code, HOST_REX_W);
	emit(code, HOST_LEA);
	emit_modrm(code, 0, HOST_RDX, 5); /* relative to RIP */
	patch = code->bytes;
	emit_u32(code, 0);
	emit(code, HOST_REX_W);
	emit(code, HOST_MOV_IMM32 + HOST_RAX);
	emit_bytes(code, &address, sizeof(address));
	emit(code, HOST_JMP);
	emit_modrm(code, MODRM_REGISTER, HOST_GROUP_JMP, HOST_RAX);
	return patch;
}

/* test byte [rdi + offset], bits; jne. Returns where the jump's distance is to be put. */
static unsigned emit_check(struct simd_code *code, u64 offset, u8 bits)
{
	emit(code, HOST_TEST_MEM_IMM8);
	emit_core_operand(code, 0, offset);
	emit(code, bits);
	emit(code, HOST_0F);
	emit(code, HOST_0F_JNE);
	emit_u32(code, 0);
	return code->bytes - (unsigned)sizeof(u32);
}

/* Puts the distance to target into the 32 bits at `at`, which end an instruction. */
static void patch_distance(struct simd_code *code, unsigned at, unsigned target)
{
	u32 distance = target - (at + (u32)sizeof(u32));

	memcpy(code->byte + at, &distance, sizeof(distance));
}

/* ---- classes ---- */

static bool has_operand(const struct insn *i, enum insn_operand_kind kind)
{
	for (unsigned n = 0; n < i->operands; n++)
		if (i->operand[n].kind == kind)
			return true;
	return false;
}

bool simd_uses_mmx(const struct insn *i)
{
	return has_operand(i, OPERAND_MMX);
}

u8 simd_classes(const struct insn *i)
{
	u8 classes = SIMD_MMX;

	if (i->prefixes & INSN_VEX)
		classes = SIMD_AVX;
	else if (has_operand(i, OPERAND_XMM))
		classes = simd_uses_mmx(i) ? SIMD_SSE | SIMD_MMX : SIMD_SSE;
	if (simd_traits((enum insn_op)i->op) & SIMD_TRAIT_FLOAT)
		classes |= SIMD_FLOAT;
	return classes;
}

void simd_stub_make(const struct insn *i, simd_hook_fn *operand, simd_hook_fn *refuse, struct simd_code *out)
{
	bool mmx = simd_uses_mmx(i);
	unsigned blocked, pending = 0, body, to_operand = 0, to_refuse, refused;

	out->bytes = 0;
	blocked = emit_check(out, offsetof(struct core, simd_blocked), simd_classes(i));
	if (mmx)
		pending = emit_check(out, FSW_OFFSET, (u8)X87_FSW_ES);
	if (insn_has_memory_operand(i))
		to_operand = emit_hook(out, operand);
	body = out->bytes;
	emit_body(out, i);

	refused = out->bytes;
	to_refuse = emit_hook(out, refuse);
	patch_distance(out, to_refuse, body);
	patch_distance(out, blocked, refused);
	if (mmx)
		patch_distance(out, pending, refused);
	if (to_operand)
		patch_distance(out, to_operand, body);
}

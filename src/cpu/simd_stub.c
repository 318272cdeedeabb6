/*
 * Making stubs.
 *
 * The operation is encoded anew with fixed host registers (simd_encode.c), each of which is loaded from the guest's
 * register first. Inside a stub: rdi is the core, rsi the op, rdx the memory operand (r8 where the instruction
 * itself reads EDX); rax and rcx hold general-register operands, the vector registers from 1 the others; xmm0 is
 * what it is for the instruction. All of these belong to the callee in the System V calling convention.
 */
#include "cpu/simd_stub.h"

#include "cpu/simd.h"
#include "cpu/simd_code.h"
#include "cpu/simd_traits.h"

#define ST_EXPONENT 8 /* where in a physical x87 register's bytes sign and exponent stand */
#define FSW_OFFSET (offsetof(struct core, cpu.x87.fsw))

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
	u8 host = simd_operand_host(i, n);
	u64 offset = operand_offset(operand);

	if (operand->kind == OPERAND_XMM) {
		emit_vector(code, i, HOST_0F_MOVAPS_LOAD, host, offset, operand_is_wide(operand));
	} else if (operand->kind == OPERAND_MMX) {
		emit(code, HOST_0F);
		emit(code, HOST_0F_MOVQ_LOAD);
		emit_core_operand(code, host, offset);
	} else if (operand->kind == OPERAND_GPR) {
		emit_gpr(code, HOST_MOV_LOAD, host, offset);
	}
}

/* A VEX-encoded destination is stored whole: the operation has cleared what it does not write. */
static void emit_store(struct simd_code *code, const struct insn *i)
{
	const struct insn_operand *operand = &i->operand[0];
	u8 host = simd_operand_host(i, 0);
	u64 offset = operand_offset(operand);

	if (operand->kind == OPERAND_XMM) {
		emit_vector(code, i, HOST_0F_MOVAPS_STORE, host, offset, true);
	} else if (operand->kind == OPERAND_MMX) {
		emit(code, HOST_0F);
		emit(code, HOST_0F_MOVQ_STORE);
		emit_core_operand(code, host, offset);
		emit(code, HOST_OPSIZE);
		emit(code, HOST_MOV_MEM_IMM16);
		emit_core_operand(code, 0, offset + ST_EXPONENT);
		emit(code, UINT8_MAX);
		emit(code, UINT8_MAX);
	} else if (operand->kind == OPERAND_GPR) {
		emit_gpr(code, HOST_MOV_STORE, host, offset);
	}
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

	for (unsigned n = 0; n < simd_operands_encoded(i); n++) {
		wide |= operand_is_wide(&i->operand[n]);
		if (n || !overwrites)
			emit_load(code, i, n);
	}
	emit_implicit_sources(code, traits, i);
	simd_emit_operation(code, i);
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

/* The trampoline around one instruction: see native.h. */
#include "native.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define CODE_ADDRESS 0x08000000ul
#define STATE_ADDRESS 0x08010000ul
#define CODE_BYTES 4096
#define STACK_BYTES 65536

/* What the trampoline's code works on, at STATE_ADDRESS. */
struct workspace {
	struct native_state state;
	uint64_t host_rsp;
	uint32_t host_mxcsr;
	struct {
		uint32_t offset;
		uint16_t selector;
	} compatibility_code;
};

/* Linux's selectors for programs. */
#define SELECTOR_CODE32 0x23
#define SELECTOR_CODE64 0x33
#define SELECTOR_DATA 0x2b

static struct workspace *const work = (struct workspace *)STATE_ADDRESS;
static uint8_t *const code = (uint8_t *)CODE_ADDRESS;
static unsigned prologue_bytes;
static uint8_t epilogue[1024];
static unsigned epilogue_bytes;
static uint64_t epilogue_address;
static uint8_t signal_stack[STACK_BYTES];

/* ---- assembling ---- */

static uint8_t *at;

static void emit(const uint8_t *bytes, unsigned count)
{
	memcpy(at, bytes, count);
	at += count;
}

#define EMIT(...) emit((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* ModRM, SIB and displacement of an absolute address. */
static void emit_absolute(unsigned reg, const volatile void *address)
{
	uint32_t disp = (uint32_t)(uintptr_t)address;

	EMIT((uint8_t)((reg & 7) << 3 | 4), 0x25);
	emit((const uint8_t *)&disp, sizeof(disp));
}

static void emit_gpr(unsigned opcode, unsigned reg, const void *address)
{
	EMIT((uint8_t)(0x48 | (reg & 8 ? 4 : 0)), (uint8_t)opcode);
	emit_absolute(reg, address);
}

static void emit_ymm(unsigned opcode, unsigned reg, const void *address)
{
	EMIT(0xc5, (uint8_t)(0x7c | (reg & 8 ? 0 : 0x80)), (uint8_t)opcode); /* vmovups */
	emit_absolute(reg, address);
}

static void assemble_prologue(void)
{
	at = code;
	EMIT(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); /* push rbx, rbp, r12-r15 */
	EMIT(0x0f, 0xae);                                                 /* stmxcsr */
	emit_absolute(3, &work->host_mxcsr);
	emit_gpr(0x89, 4, &work->host_rsp);
	EMIT(0xb8, 3, 0, 0, 0, 0x31, 0xd2);                               /* mov eax, 3; xor edx, edx */
	EMIT(0x48, 0x0f, 0xae);                                           /* xrstor64 */
	emit_absolute(5, &work->state.fx);
	for (unsigned n = 0; n < 16; n++)
		emit_ymm(0x10, n, work->state.ymm[n]);
	EMIT(0xff);                                                       /* push [rflags]; popf */
	emit_absolute(6, &work->state.rflags);
	EMIT(0x9d);
	for (unsigned n = 0; n < 16; n++)
		emit_gpr(0x8b, n, &work->state.gpr[n]);
	prologue_bytes = (unsigned)(at - code);
}

static void assemble_epilogue(void)
{
	at = epilogue;
	for (unsigned n = 0; n < 16; n++)
		emit_gpr(0x89, n, &work->state.gpr[n]);
	emit_gpr(0x8b, 4, &work->host_rsp);
	EMIT(0x9c, 0x8f);                                                 /* pushf; pop [rflags] */
	emit_absolute(0, &work->state.rflags);
	EMIT(0xb8, 3, 0, 0, 0, 0x31, 0xd2);                               /* mov eax, 3; xor edx, edx */
	EMIT(0x48, 0x0f, 0xae);                                           /* xsave64 */
	emit_absolute(4, &work->state.fx);
	for (unsigned n = 0; n < 16; n++)
		emit_ymm(0x11, n, work->state.ymm[n]);
	EMIT(0xc5, 0xf8, 0x77, 0xdb, 0xe3, 0xfc);                         /* vzeroupper; fninit; cld */
	EMIT(0x0f, 0xae);                                                 /* ldmxcsr */
	emit_absolute(2, &work->host_mxcsr);
	EMIT(0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);
	epilogue_bytes = (unsigned)(at - epilogue);
}

/* ---- faults ---- */

static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

	(void)info;
	if (rip < CODE_ADDRESS || rip >= CODE_ADDRESS + CODE_BYTES) {
		signal(number, SIG_DFL); /* not ours */
		return;
	}
	work->state.fault = (int)uc->uc_mcontext.gregs[REG_TRAPNO];
	work->state.fault_address = (uint64_t)uc->uc_mcontext.gregs[REG_CR2];
	uc->uc_mcontext.gregs[REG_RIP] = (greg_t)epilogue_address;
	uc->uc_mcontext.gregs[REG_CSGSFS] = (uc->uc_mcontext.gregs[REG_CSGSFS] & ~0xffffll) | SELECTOR_CODE64;
}

static void catch_faults(void)
{
	static const int signals[] = { SIGSEGV, SIGILL, SIGFPE, SIGBUS };
	stack_t stack = { .ss_sp = signal_stack, .ss_size = sizeof(signal_stack) };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&stack, NULL);
	for (unsigned n = 0; n < sizeof(signals) / sizeof(signals[0]); n++)
		sigaction(signals[n], &action, NULL);
}

static bool map_at(unsigned long address, size_t bytes, int protection)
{
	void *got = mmap((void *)address, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	return got == (void *)address;
}

bool native_start(void)
{
	if (!__builtin_cpu_supports("avx2") || !map_at(CODE_ADDRESS, CODE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC) ||
	    !map_at(STATE_ADDRESS, sizeof(struct workspace), PROT_READ | PROT_WRITE))
		return false;
	assemble_prologue();
	assemble_epilogue();
	catch_faults();
	/* 64-bit code does not need them. */
	__asm__ volatile("movw %w0, %%ds\n\tmovw %w0, %%es" : : "r"(SELECTOR_DATA));
	return true;
}

/* Places the instruction behind the prologue, with far jumps around it if it is 32-bit code, and the epilogue. */
static void place_code(const uint8_t *instruction, unsigned bytes, bool compatibility)
{
	uint32_t offset;

	at = code + prologue_bytes;
	if (compatibility) {
		EMIT(0xff); /* jmp far [compatibility_code] */
		emit_absolute(5, &work->compatibility_code);
		work->compatibility_code.offset = (uint32_t)(uintptr_t)at;
		work->compatibility_code.selector = SELECTOR_CODE32;
	}
	emit(instruction, bytes);
	if (compatibility) {
		EMIT(0xea); /* jmp far to what follows */
		offset = (uint32_t)(uintptr_t)at + 6;
		emit((const uint8_t *)&offset, sizeof(offset));
		EMIT(SELECTOR_CODE64, 0);
	}
	epilogue_address = (uint64_t)at;
	emit(epilogue, epilogue_bytes);
}

void native_run(struct native_state *state, const uint8_t *instruction, unsigned bytes)
{
	void (*run)(void) = (void (*)(void))code;

	place_code(instruction, bytes, state->compatibility);
	work->state = *state;
	work->state.fault = -1;
	memset(work->state.header, 0, sizeof(work->state.header));
	work->state.header[0] = 3; /* x87 and SSE are there */
	__asm__ volatile("" : : : "memory");
	run();
	__asm__ volatile("" : : : "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
	*state = work->state;
}

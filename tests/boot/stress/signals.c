/* Rounds whose computing is interrupted: by a timer's signals, and by the faults it raises itself. */
#include "stress.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static void catch(int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags };

	stress_require(!sigaction(signal, &action, NULL), "sigaction");
}

/* ---- a timer ---- */

enum { TIMER_US = 300 };

static volatile uint64_t ticks, scrambled;

/* Leaves other values in every kind of register, which the kernel must give back. */
static void scramble(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	ticks++;
	scrambled += round_simd(ticks) >> 60;
	asm volatile("fninit; fldpi; fld1; fscale; fldlg2; pcmpeqd %%xmm7, %%xmm7; std; sahf" : : "a"(ticks)
		     : "xmm7", "cc", "st", "st(1)", "st(2)", "st(3)");
}

static void set_timer(int us)
{
	struct itimerval when = { { 0, us }, { 0, us } };

	stress_require(!setitimer(ITIMER_REAL, &when, NULL), "setitimer");
}

uint64_t round_signals(uint64_t number)
{
	uint64_t digest, undisturbed = stress_mix(round_x87(number), round_simd(number));

	catch(SIGALRM, scramble, SA_RESTART);
	set_timer(TIMER_US);
	digest = stress_mix(round_x87(number), round_simd(number));
	set_timer(0);
	stress_require(digest == undisturbed, "a computation that signals interrupted");
	return digest;
}

/* ---- faults ---- */

enum { PAGES = 64, PAGE = 4096, STEPS = 20 };

static uint8_t *pages;
static volatile uint64_t faults, steps;
static sigjmp_buf resume;
static volatile int caught_signal, caught_code;
static void *volatile caught_address;

/* A write to a page that may only be read makes it writable. */
static void make_writable(int signal, siginfo_t *info, void *context)
{
	uint8_t *page = (uint8_t *)((uintptr_t)info->si_addr & ~(uintptr_t)(PAGE - 1));

	(void)signal;
	(void)context;
	stress_require(page >= pages && page < pages + PAGES * PAGE && info->si_code == SEGV_ACCERR,
		       "where a page fault was");
	stress_require(!mprotect(page, PAGE, PROT_READ | PROT_WRITE), "mprotect in a handler");
	faults++;
}

static uint64_t write_protected_pages(uint64_t state)
{
	uint64_t digest = 0, touched = 0, distinct = 0, *word;

	pages = mmap(NULL, PAGES * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stress_require(pages != MAP_FAILED, "mmap");
	catch(SIGSEGV, make_writable, SA_ONSTACK);
	faults = 0;
	for (int i = 0; i < 2 * PAGES; i++) {
		uint64_t page = stress_random(&state) % PAGES;

		if (!(touched >> page & 1))
			distinct++;
		touched |= 1ull << page;
		word = (uint64_t *)(pages + page * PAGE + state % 500 * 8);
		/* Read, changed and written in one instruction, which faults and starts again. */
		asm volatile("lock addq %1, %0" : "+m"(*word) : "r"(state) : "cc");
	}
	stress_require(faults == distinct, "how many pages faulted");
	digest = stress_mix_bytes(digest, pages, PAGES * PAGE);
	munmap(pages, PAGES * PAGE);
	return digest;
}

static void leave(int signal, siginfo_t *info, void *context)
{
	(void)context;
	caught_signal = signal;
	caught_code = info->si_code;
	caught_address = info->si_addr;
	siglongjmp(resume, 1);
}

static void divide_by_zero(void)
{
	asm volatile("xorl %%ecx, %%ecx; idivl %%ecx" : : : "eax", "ecx", "edx", "cc");
}

static void divide_to_overflow(void)
{
	asm volatile("movl $0x80000000, %%eax; cltd; movl $-1, %%ecx; idivl %%ecx" : : : "eax", "ecx", "edx", "cc");
}

static void undefined(void)
{
	asm volatile("ud2");
}

static void privileged(void)
{
	asm volatile("hlt");
}

static void not_canonical(void)
{
	asm volatile("movb (%0), %%al" : : "r"(1ull << 63) : "eax");
}

static void not_mapped(void)
{
	asm volatile("movb (%0), %%al" : : "r"(8ull) : "eax");
}

static void not_executable(void)
{
	asm volatile("call *%0" : : "r"(pages) : "memory");
}

static void misaligned_vector(void)
{
	asm volatile("movaps 1(%%rsp), %%xmm0" : : : "xmm0");
}

static const struct {
	void (*raise)(void);
	int signal, code; /* code 0: any */
} traps[] = {
	{ divide_by_zero, SIGFPE, FPE_INTDIV }, { divide_to_overflow, SIGFPE, FPE_INTDIV }, { undefined, SIGILL, 0 },
	{ privileged, SIGSEGV, SI_KERNEL },     { not_canonical, SIGSEGV, SI_KERNEL },
	{ not_mapped, SIGSEGV, SEGV_MAPERR },   { not_executable, SIGSEGV, SEGV_ACCERR },
	{ misaligned_vector, SIGSEGV, SI_KERNEL },
};

static uint64_t raise_traps(void)
{
	volatile uint64_t digest = 0;

	pages = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stress_require(pages != MAP_FAILED, "mmap");
	catch(SIGFPE, leave, SA_ONSTACK);
	catch(SIGILL, leave, SA_ONSTACK);
	catch(SIGSEGV, leave, SA_ONSTACK);
	for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
		if (!sigsetjmp(resume, 1)) {
			traps[i].raise();
			stress_require(false, "an instruction that must fault did not");
		}
		stress_require(caught_signal == traps[i].signal && (!traps[i].code || caught_code == traps[i].code),
			       "the signal of a fault");
		if (traps[i].raise == not_executable)
			stress_require(caught_address == pages, "the address of an instruction fetch that faulted");
		digest = stress_mix(digest, (uint64_t)caught_signal << 8 | (uint8_t)caught_code);
	}
	munmap(pages, PAGE);
	return digest;
}

static void count_step(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
	(void)context;
	steps++;
}

/* A trap after each instruction from the one after POPF to the POPF that ends it. */
static uint64_t single_step(void)
{
	catch(SIGTRAP, count_step, SA_ONSTACK);
	steps = 0;
	asm volatile("int3");
	stress_require(steps == 1, "a breakpoint");
	steps = 0;
	asm volatile("leaq -128(%%rsp), %%rsp\n\t"
		     "pushfq; orl $0x100, (%%rsp); popfq\n\t"
		     ".rept %c0; nop; .endr\n\t"
		     "pushfq; andl $~0x100, (%%rsp); popfq\n\t"
		     "leaq 128(%%rsp), %%rsp"
		     : : "i"(STEPS) : "memory", "cc");
	/* The last POPF is still traced: the flag counts as it was when an instruction began. */
	stress_require(steps == STEPS + 3, "the number of single steps");
	return steps;
}

uint64_t round_faults(uint64_t number)
{
	static uint8_t stack[1 << 16];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };

	stress_require(!sigaltstack(&alternate, NULL), "sigaltstack");
	return stress_mix(stress_mix(write_protected_pages(stress_seed(number)), raise_traps()), single_step());
}

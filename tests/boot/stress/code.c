/* Rounds that write code and run it: what an emulator may have decoded is not what is there any more. */
#include "stress.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, FUNCTION_BYTES = 16, FUNCTIONS = PAGE / FUNCTION_BYTES, CHANGES = 400, HANDOVERS = 20 };

typedef uint32_t function(uint32_t argument);

/* mov eax, imm32; add eax, edi; xor eax, imm8; ret */
static void write_function(uint8_t *at, uint32_t constant, uint8_t mask)
{
	static const uint8_t shape[11] = { 0xb8, 0, 0, 0, 0, 0x01, 0xf8, 0x83, 0xf0, 0, 0xc3 };

	memcpy(at, shape, sizeof(shape));
	memcpy(at + 1, &constant, sizeof(constant));
	at[9] = mask & 0x7f;
}

static uint32_t expected(uint32_t constant, uint8_t mask, uint32_t argument)
{
	return (constant + argument) ^ (mask & 0x7f);
}

static uint32_t call(uint8_t *at, uint32_t argument)
{
	return ((function *)(uintptr_t)at)(argument);
}

static uint8_t *map_code(void)
{
	uint8_t *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	stress_require(code != MAP_FAILED, "mmap of a page for code");
	return code;
}

/* Writes, runs, changes the constant alone, runs again. */
static uint64_t change_in_place(uint8_t *code, uint64_t state)
{
	uint64_t digest = 0;

	for (int i = 0; i < CHANGES; i++) {
		uint64_t random = stress_random(&state);
		uint8_t *at = code + random % FUNCTIONS * FUNCTION_BYTES;
		uint32_t constant = (uint32_t)(random >> 32);

		write_function(at, constant, (uint8_t)random);
		stress_require(call(at, (uint32_t)i) == expected(constant, (uint8_t)random, (uint32_t)i),
			       "code just written");
		constant = ~constant;
		memcpy(at + 1, &constant, sizeof(constant));
		stress_require(call(at, (uint32_t)i) == expected(constant, (uint8_t)random, (uint32_t)i),
			       "code just changed");
		digest = stress_mix(digest, call(at, (uint32_t)random));
	}
	return digest;
}

/* An instruction that changes the one behind it: movb $imm, 1(next); next: mov al, imm8. */
static void change_next_instruction(uint8_t *code)
{
	static const uint8_t shape[] = {
		0x40, 0x88, 0x3d, 0x01, 0, 0, 0, /* mov [rip+1], dil */
		0xb0, 0x00,                      /* mov al, imm8 */
		0x0f, 0xb6, 0xc0, 0xc3,          /* movzx eax, al; ret */
	};

	memcpy(code, shape, sizeof(shape));
	for (uint32_t i = 0; i < 40; i++)
		stress_require(call(code, i * 5 & 0xff) == (i * 5 & 0xff), "an instruction changed by the one before it");
}

/* ---- another thread's code ("Cross-Modifying Code") ---- */

struct handover {
	uint8_t *code;
	uint32_t turn; /* even: the writer's, odd: the runner's */
	uint64_t digest;
};

static void await(uint32_t *turn, uint32_t wanted)
{
	while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != wanted)
		sched_yield();
}

static void *run_handed_over(void *argument)
{
	struct handover *handover = argument;

	for (uint32_t i = 0; i < HANDOVERS; i++) {
		uint32_t eax = 0, ebx, ecx = 0, edx;

		await(&handover->turn, 2 * i + 1);
		asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx) : : "memory");
		stress_require(call(handover->code, i) == expected(i * 77777, (uint8_t)i, i),
			       "code that another thread changed");
		handover->digest = stress_mix(handover->digest, call(handover->code, i));
		__atomic_store_n(&handover->turn, 2 * i + 2, __ATOMIC_RELEASE);
	}
	return NULL;
}

static uint64_t hand_over(uint8_t *code)
{
	struct handover handover = { .code = code };
	pthread_t thread;

	stress_require(!pthread_create(&thread, NULL, run_handed_over, &handover), "pthread_create");
	for (uint32_t i = 0; i < HANDOVERS; i++) {
		await(&handover.turn, 2 * i);
		write_function(code, i * 77777, (uint8_t)i);
		__atomic_store_n(&handover.turn, 2 * i + 1, __ATOMIC_RELEASE);
	}
	pthread_join(thread, NULL);
	return handover.digest;
}

uint64_t round_code(uint64_t number)
{
	uint8_t *code = map_code();
	uint64_t digest = change_in_place(code, stress_seed(number));

	change_next_instruction(code);
	digest = stress_mix(digest, hand_over(code));
	munmap(code, PAGE);
	return digest;
}

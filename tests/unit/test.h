/*
 * The unit tests' harness: each TEST is a rule in words with a body; the program prints one line per failed
 * check and at the end "N passed, N failed", and returns 1 if any failed.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct test {
	const char *rule;
	void (*body)(void);
	struct test *next;
};

extern struct test *test_first, **test_last;
extern int test_failures;

void test_register(struct test *test);
bool test_check(bool ok, const char *file, int line, const char *what);
bool test_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *what);

#define TEST_NAME2(prefix, line) prefix##line
#define TEST_NAME(prefix, line) TEST_NAME2(prefix, line)

#define TEST(text)                                                                                                     \
	static void TEST_NAME(test_body_, __LINE__)(void);                                                             \
	__attribute__((constructor)) static void TEST_NAME(test_register_, __LINE__)(void)                             \
	{                                                                                                              \
		static struct test test = { .rule = text, .body = TEST_NAME(test_body_, __LINE__) };                   \
		test_register(&test);                                                                                  \
	}                                                                                                              \
	static void TEST_NAME(test_body_, __LINE__)(void)

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)
#define CHECK_EQ(got, want) test_check_eq((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, #got " == " #want)

#endif

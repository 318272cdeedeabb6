/* The unit tests' harness: see test.h. Each test program links it and needs no main of its own. */
#include "test.h"

struct test *test_first, **test_last = &test_first;
int test_failures;

void test_register(struct test *test)
{
	*test_last = test;
	test_last = &test->next;
}

bool test_check(bool ok, const char *file, int line, const char *what)
{
	if (!ok) {
		test_failures++;
		printf("  %s:%d: not true: %s\n", file, line, what);
	}
	return ok;
}

bool test_check_eq(uint64_t got, uint64_t want, const char *file, int line, const char *what)
{
	if (got != want) {
		test_failures++;
		printf("  %s:%d: %s: got %#" PRIx64 ", want %#" PRIx64 "\n", file, line, what, got, want);
	}
	return got == want;
}

int main(void)
{
	int passed = 0, failed = 0;

	for (struct test *t = test_first; t; t = t->next) {
		int before = test_failures;

		t->body();
		if (test_failures == before) {
			passed++;
		} else {
			failed++;
			printf("FAILED: %s\n", t->rule);
		}
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}

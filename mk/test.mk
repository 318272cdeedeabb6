# Tests. Every test is a program or script that ends with a line "N passed, N failed"; tools/run-tests.sh adds them up.
#
#   make test              everything
#   make test-unit         rules of single parts          (tests/unit, with sanitizers)
#   make test-isa          instructions against the host CPU and Zydis
#   make test-guest        small guests on the machine
#   make test-fuzz         short fuzzing runs with the kept corpus, with sanitizers
#   make test-boot         Debian's kernels, the command line, bad input
#   make test-soak         a minute of stress in the guest, with 1 and with 4 processors (not part of make test)
#   make check             layers, headers, sizes, both compilers

.PHONY: test check test-unit test-isa test-guest test-fuzz test-boot test-soak
SANITIZED := $(BUILD)/sanitized

TEST_PROGRAMS = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/$(1)/test_*.c))
UNIT_TESTS := $(call TEST_PROGRAMS,unit)
ISA_TESTS := $(addprefix $(BUILD)/tests/isa/,decode_zydis differential simd xsave x87)
GUEST_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/guest/*.c))
FUZZ_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
BOOT_TESTS := $(filter-out tests/boot/lib.sh,$(wildcard tests/boot/*.sh))
ISA_TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard $(patsubst $(BUILD)/tests/%,tests/%.c,$(ISA_TESTS))))

$(BUILD)/tests/%: tests/%.c $(LIBRARY) tools/test-sources.sh
	@mkdir -p $(@D)
	@echo "  TEST $@"
	$(Q)$(CC) $(CFLAGS_ALL) -Wno-missing-prototypes -Itests/$(firstword $(subst /, ,$*)) \
		$$(tools/test-sources.sh $<) $(LIBRARY) -o $@ $(LIBS) $(if $(findstring zydis,$*),-lZydis)

# Runs in guests and on this host: a static program of its own, of the same machine code for both.
STRESS := $(BUILD)/tests/stress
$(STRESS): $(wildcard tests/boot/stress/*)
	@mkdir -p $(@D)
	@echo "  TEST $@"
	$(Q)$(CC) -std=gnu11 -g -O2 -ffp-contract=off -fno-strict-aliasing $(WARNINGS) -static -pthread \
		$(filter %.c,$^) -o $@

# The same programs with sanitizers, built in a folder of their own.
define sanitized
@$(MAKE) $(JOBS) --no-print-directory SANITIZE=1 BUILD=$(SANITIZED) $(patsubst $(BUILD)/%,$(SANITIZED)/%,$(1))
endef

test-programs-unit: ; $(call sanitized,$(UNIT_TESTS))
test-programs-fuzz: ; $(call sanitized,$(FUZZ_TESTS))
test-programs-isa: $(ISA_TESTS)
test-programs-guest: ; $(call sanitized,$(GUEST_TESTS))
test-programs-boot: $(PROGRAM) $(STRESS) guest
# One make for all of them: two at once would build the same library.
test-programs-sanitized: ; $(call sanitized,$(UNIT_TESTS) $(GUEST_TESTS) $(FUZZ_TESTS))
.PHONY: test-programs-sanitized test-programs-unit test-programs-fuzz test-programs-isa test-programs-guest test-programs-boot

RUN_unit = $(UNIT_TESTS:$(BUILD)/%=$(SANITIZED)/%)
RUN_fuzz = $(FUZZ_TESTS:$(BUILD)/%=$(SANITIZED)/%)
RUN_isa = $(ISA_TESTS)
RUN_guest = $(GUEST_TESTS:$(BUILD)/%=$(SANITIZED)/%)
RUN_boot = $(BOOT_TESTS)

test-unit test-isa test-guest test-fuzz test-boot: test-%: deps-test
	@$(MAKE) $(JOBS) --no-print-directory test-programs-$*
	@SUBRING=$(PROGRAM) GUEST="$(GUEST)" INITRD=$(INITRD) BUILD=$(BUILD) tools/run-tests.sh $(RUN_$*)

test-soak: deps-test
	@$(MAKE) $(JOBS) --no-print-directory test-programs-boot
	@SUBRING=$(PROGRAM) GUEST="$(GUEST)" INITRD=$(INITRD) BUILD=$(BUILD) STRESS_SECONDS=60 \
		tools/run-tests.sh tests/boot/workload.sh

check: deps-test
	@tools/run-tests.sh tools/check-layers.sh tools/check-headers.sh tools/check-sizes.sh tools/check-compilers.sh

test: deps-test
	@$(MAKE) $(JOBS) --no-print-directory test-programs-sanitized test-programs-isa test-programs-boot
	@SUBRING=$(PROGRAM) GUEST="$(GUEST)" INITRD=$(INITRD) BUILD=$(BUILD) tools/run-tests.sh \
		tools/check-layers.sh tools/check-headers.sh tools/check-sizes.sh tools/check-compilers.sh \
		$(RUN_unit) $(RUN_isa) $(RUN_guest) $(RUN_fuzz) $(RUN_boot)

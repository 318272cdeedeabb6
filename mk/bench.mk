# Speed, as ratios to native execution and to QEMU's TCG in one run.

bench: deps-bench guest
	@$(MAKE) $(JOBS) --no-print-directory $(PROGRAM)
	@SUBRING=$(PROGRAM) GUEST="$(GUEST)" BUILD=$(BUILD) bench/run.sh

# The README's two commands in a minimal system made for it. Root is needed. FRESH_TARGETS="run" chooses.

FRESH_TARGETS ?= run test

fresh:
	@tools/fresh.sh $(BUILD)/fresh $(FRESH_TARGETS)

# The guest of `make run`: Debian's cloud kernel and busybox from packages, kept in a cache folder.

CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/subring
GUEST := $(CACHE)/default
INITRD := $(BUILD)/initrd.cpio
.PHONY: deps-build deps-run deps-test deps-bench guest

deps-build deps-run deps-test deps-bench: deps-%:
	@tools/install-deps.sh $*

guest: deps-run
	@tools/guest/fetch.sh "$(CACHE)" >/dev/null
	@$(MAKE) $(JOBS) --no-print-directory $(INITRD)

$(INITRD): tools/guest/init tools/guest/initramfs.sh $(wildcard $(GUEST)/complete)
	@mkdir -p $(@D)
	@tools/guest/initramfs.sh "$(GUEST)" $@

# The guest's network; NET=none for hosts where passt cannot run.
NET ?= user

# With a terminal: a shell in the guest. Without: the guest reports, checks itself and says whether all is well.
run: guest
	@$(MAKE) $(JOBS) --no-print-directory $(PROGRAM)
	@if [ -t 0 ]; then \
		$(PROGRAM) run --kernel "$(GUEST)/vmlinuz" --initrd $(INITRD) --append quiet --net mode=$(NET); \
	else \
		$(PROGRAM) run --kernel "$(GUEST)/vmlinuz" --initrd $(INITRD) --append "quiet subring.check" --net mode=$(NET) \
			--serial tty --timeout 300 --expect 'subring guest: all checks passed' </dev/null; \
	fi

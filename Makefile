# Subring's build. `make run` boots a real guest, `make test` runs everything; both install what is missing first.
#
#   make                build/subring
#   make run            Debian's kernel to a shell on this terminal
#   make test           the whole test suite
#   make bench          ratios to native execution and to QEMU TCG
#   make static         build/subring-static, one file without shared libraries
#   make install PREFIX=/usr/local
#   make fresh          both README commands in a minimal Debian made for it
#   CC=clang, SANITIZE=1 and WERROR= change how it is compiled.

.DEFAULT_GOAL := all
VERSION := $(shell cat VERSION)
BUILD ?= build
CC := $(if $(filter default,$(origin CC)),gcc,$(CC))
WERROR ?= -Werror
PREFIX ?= /usr/local

include mk/build.mk
include mk/guest.mk
include mk/bench.mk
include mk/test.mk
include mk/fresh.mk
include mk/install.mk

.PHONY: all run static install clean fresh bench

all: deps-build
	@$(MAKE) $(JOBS) --no-print-directory $(PROGRAM)

clean:
	rm -rf $(BUILD)

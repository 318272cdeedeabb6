# Compiling: every .c file below src/ is one object; the rooms without an operating system are compiled freestanding.

# How many things are made at once, unless the caller's -j says.
JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

# V=1 shows the commands.
Q := $(if $(V),,@)

FREESTANDING_ROOMS := base x86 vmx svm insn cpu jit dev boot machine
LIBS := -lzstd -llzma -lz -llz4 -lpthread

, := ,
WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wvla $(WERROR)
OPTIMIZE := $(if $(SANITIZE),-O1 -fsanitize=address$(,)undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer,-O2)
CFLAGS_ALL := -std=gnu11 -g $(OPTIMIZE) $(WARNINGS) -Isrc -fno-strict-aliasing -fcf-protection=none -D_GNU_SOURCE \
	-DSUBRING_VERSION='"$(VERSION)"' -MMD -MP $(CFLAGS)

SOURCES := $(sort $(shell find src -name '*.c'))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/obj/%.o)
MAIN_OBJECT := $(BUILD)/obj/cli/main.o
LIBRARY := $(BUILD)/libsubring.a
PROGRAM := $(BUILD)/subring

define freestanding_rule
$(BUILD)/obj/$(1)/%.o: src/$(1)/%.c
	@mkdir -p $$(@D)
	@echo "  CC $$<"
	$$(Q)$$(CC) $$(CFLAGS_ALL) -ffreestanding -c $$< -o $$@
endef
$(foreach room,$(FREESTANDING_ROOMS),$(eval $(call freestanding_rule,$(room))))

$(BUILD)/obj/%.o: src/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"
	$(Q)$(CC) $(CFLAGS_ALL) -c $< -o $@

$(LIBRARY): $(filter-out $(MAIN_OBJECT),$(OBJECTS))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(PROGRAM): $(MAIN_OBJECT) $(LIBRARY)
	@echo "  LINK $@"
	$(Q)$(CC) $(CFLAGS_ALL) $^ -o $@ $(LIBS)

static: deps-build
	@$(MAKE) $(JOBS) --no-print-directory $(BUILD)/subring-static

$(BUILD)/subring-static: $(MAIN_OBJECT) $(LIBRARY)
	$(Q)$(CC) $(CFLAGS_ALL) -static $^ -o $@ $(LIBS)

-include $(OBJECTS:.o=.d)

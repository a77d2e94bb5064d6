# Ward. `make` builds into build/; V=1 shows the commands; SAN=1 and FAULTS=1 make test builds
# (build/san, build/faults). `make help` lists the targets.

comma := ,

# --- Which rooms link into which binary, and with which libraries: the whole truth. ---
ROOMS         := base spec fs netctl sched context daemon daemon/http daemon/api daemon/main ctl
wardd_ROOMS   := daemon/main daemon/api daemon/http daemon context fs netctl sched spec base
wardd_LIBS    := -lsystemd -lmicrohttpd -ljansson -linih -lseccomp -lcap -lbpf -lnl-route-3 -lnl-3 \
	-lnftables
wardctl_ROOMS := ctl spec base
# wardctl is static, and is entered before libc starts: `wardctl run` is short (ctl/fast.c).
wardctl_LIBS  := $(if $(SAN),,-static-pie -Wl$(comma)-e$(comma)fast_entry) \
	-l:libjansson.a -l:libinih.a -l:libncursesw.a -l:libtinfo.a
ward-docs_ROOMS := spec base
ward-docs_LIBS  := -ljansson -linih
test_LIBS     := -lcmocka $(wardd_LIBS) -lncursesw -ltinfo # test_ROOM_*.c: the room and what it may know, below
fuzz_LIBS     := $(wardd_LIBS) -lncursesw -ltinfo
# ward-init has no libc at all: context/init/*.c and nothing else.

PREFIX   ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR  ?= $(PREFIX)/lib/systemd/system
SECONDS  ?= 60
WERROR   ?= -Werror
ifeq ($(origin CC),default)
CC       := gcc
endif

B := build$(if $(SAN),/san)$(if $(FAULTS),/faults)
.DEFAULT_GOAL := all

WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wwrite-strings \
	-Wswitch-enum $(WERROR)
LANGUAGE := -std=gnu2x -D_GNU_SOURCE -I. -isystem build/gen -isystem /usr/include/libnl3
HARDEN   := -fPIE -fstack-protector-strong
OPTIMISE := $(if $(SAN),-O1,-O2 -D_FORTIFY_SOURCE=2) -g
SANITIZE := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer)
DEFINES  := -DWARD_PREFIX='"$(PREFIX)"' $(if $(FAULTS),-DWARD_FAULTS)
ALL_CFLAGS  = $(LANGUAGE) $(WARNINGS) $(OPTIMISE) $(HARDEN) $(SANITIZE) $(DEFINES) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now,-z,noexecstack,--as-needed $(SANITIZE) $(LDFLAGS)
INIT_CFLAGS := $(LANGUAGE) $(WARNINGS) -Os -ffreestanding -fno-stack-protector -fno-pie \
	-fno-asynchronous-unwind-tables -fno-builtin -ffunction-sections -U_FORTIFY_SOURCE
INIT_LDFLAGS := -static -nostdlib -nostartfiles -no-pie -s -Wl,-z,relro,-z,noexecstack \
	-Wl,--gc-sections,--build-id=none

Q  := $(if $(V),,@)
say = $(if $(V),:,printf '  %-5s %s\n' $(1) $(2))

# --- Objects, one archive per room. A room is a folder; its sources are what lies in it. ---
src  = $(filter-out %.bpf.c,$(wildcard $(1)/*.c))
objs = $(patsubst %.c,$(B)/obj/%.o,$(call src,$(1)))
archive = $(if $(call src,$(1)),$(B)/lib$(subst /,-,$(1)).a)
archives = $(foreach r,$(1),$(call archive,$(r)))

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

# --- BPF programs: X.bpf.c is compiled by clang for any kernel (CO-RE) and becomes a header. ---
BPF_CFLAGS := -target bpf -O2 -g -Wall -Wextra $(WERROR) -I. -idirafter \
	/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
BPFTOOL := $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
build/gen/%.bpf.o: %.bpf.c $(wildcard netctl/filter_*.h netctl/*.bpf.h) Makefile
	@mkdir -p $(@D)
	@$(call say,BPF,$<)
	$(Q)clang $(BPF_CFLAGS) -c -o $@ $<
build/gen/netctl/ward_filter.skel.h: $(patsubst %,build/gen/netctl/%.bpf.o,maps filter packets wildcard)
	@$(call say,GEN,$@)
	$(Q)$(BPFTOOL) gen object $(@:.skel.h=.o) $^ && \
		$(BPFTOOL) gen skeleton $(@:.skel.h=.o) name ward_filter >$@
build/gen/netctl/ward_incoming.skel.h: build/gen/netctl/incoming.bpf.o
	@$(call say,GEN,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name ward_incoming >$@
$(B)/obj/netctl/shape_in.o: build/gen/netctl/ward_incoming.skel.h
$(B)/obj/netctl/filter.o $(B)/obj/netctl/wildcard.o: build/gen/netctl/ward_filter.skel.h

# The folder itself is a prerequisite: a source that went away leaves the archive too.
define room_rules
$(call archive,$(1)): $(call objs,$(1)) $(1)
	@$$(call say,AR,$$@)
	$$(Q)rm -f $$@ && $(AR) rcs $$@ $(call objs,$(1))
endef
$(foreach r,$(ROOMS),$(if $(call src,$(r)),$(eval $(call room_rules,$(r)))))

# --- Programs: built when their main room is there. ---
PROGRAMS := $(if $(call src,daemon),wardd) $(if $(call src,ctl),wardctl) \
	$(if $(call src,context/init),ward-init) $(if $(call src,docs),ward-docs)
link = $(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(1)

$(B)/wardd: $(call archives,$(wardd_ROOMS))
	@$(call say,LINK,$@)
	$(Q)$(call link,$(wardd_LIBS))

$(B)/wardctl: $(call archives,$(wardctl_ROOMS))
	@$(call say,LINK,$@)
	$(Q)$(call link,$(wardctl_LIBS))

$(B)/ward-docs: $(call objs,docs) $(call archives,$(ward-docs_ROOMS))
	@$(call say,LINK,$@)
	$(Q)$(call link,$(ward-docs_LIBS))

$(B)/obj/context/init/%.o: context/init/%.c Makefile
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(INIT_CFLAGS) $(DEFINES) -MMD -MP -c -o $@ $<

$(B)/ward-init: $(call objs,context/init)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(INIT_LDFLAGS) -o $@ $^

# --- Unit tests and fuzz targets: one program a file. ---
UNIT_TESTS   := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

# By name: test_ROOM or test_ROOM_TOPIC links ROOM and the rooms it may know; others link all.
room_of  = $(filter $(ROOMS),$(word 2,$(subst _, ,$(notdir $(1)))))
needs_of = $(if $(filter $(1),base),base,$(if $(filter-out daemon,$(1)),$(sort $(1) spec base),\
	ctl $(wardd_ROOMS)))
define test_rules
$(1): $(2) $(call archives,$(call needs_of,$(call room_of,$(1))))
	@mkdir -p $$(@D)
	@$$(call say,LINK,$$@)
	$$(Q)$$(call link,$(3))
endef
$(foreach t,$(UNIT_TESTS),$(eval \
	$(call test_rules,$(t),$(t:$(B)/tests/%=$(B)/obj/tests/unit/%.o),$(test_LIBS))))
$(foreach t,$(FUZZ_TARGETS),$(eval \
	$(call test_rules,$(t),$(t:build/fuzz/%=$(B)/obj/tests/fuzz/%.o),-fsanitize=fuzzer $(fuzz_LIBS))))

FUZZ_CFLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1
fuzz-targets: # everything again, by clang, with coverage
	$(Q)$(MAKE) --no-print-directory B=build/fuzz CC=clang OPTIMISE=-g CFLAGS='$(FUZZ_CFLAGS)' \
		fuzz-link
fuzz-link: $(FUZZ_TARGETS)
fuzz: fuzz-targets
	$(Q)tests/fuzz/run --seconds $(SECONDS) $(FUZZ_TARGETS)

# The program that tries to escape (tests/escape): static, for it runs inside contexts.
ATTACK := $(if $(wildcard tests/escape/src/*.c),build/escape/attack)
build/escape/attack: $(wildcard tests/escape/src/*.[ch]) Makefile
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(LANGUAGE) $(WARNINGS) -O1 -static -o $@ $(filter %.c,$^)
attack: $(ATTACK)

# --- Lint, one stamp a file: only what changed is looked at again. ---
LINTED := $(foreach r,$(ROOMS) context/init docs tests/unit,$(call src,$(r)))
TIDY   := $(patsubst %.c,build/lint/%.tidy,$(LINTED))
CPPCHECK := $(patsubst %.c,build/lint/%.cppcheck,$(LINTED))
build/lint/%.tidy: %.c build/obj/%.o .clang-tidy
	@mkdir -p $(@D)
	@$(call say,TIDY,$<)
	$(Q)clang-tidy --quiet --warnings-as-errors='*' $< -- $(LANGUAGE) -Wall $(DEFINES) \
		>$@.log 2>&1 || { cat $@.log; exit 1; }
	@mv $@.log $@
build/lint/%.cppcheck: %.c build/obj/%.o tests/check/cppcheck.txt
	@mkdir -p $(@D)
	@$(call say,CPPCK,$<)
	$(Q)cppcheck --quiet --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/check/cppcheck.txt --error-exitcode=1 --std=c11 \
		--language=c --max-ctu-depth=2 -I. -D_GNU_SOURCE -D__linux__ -D__x86_64__ $< \
		>$@.log 2>&1 || { cat $@.log; exit 1; }
	@mv $@.log $@
lint: $(TIDY) $(CPPCHECK)
print-lint:
	@printf '%s\n' $(TIDY) $(CPPCHECK)
format:
	$(Q)clang-format -i $(foreach r,$(ROOMS) context/init docs tests/unit tests/fuzz,\
		$(wildcard $(r)/*.[ch]))

# --- Manual pages and completion, made from the tables in the code. ---
PAGES := $(addprefix build/man/,$(sort $(notdir $(wildcard docs/*.[158])) \
	$(if $(wildcard docs/ward.ini.5.in),ward.ini.5) $(if $(call src,ctl),wardctl.1)))
build/man/wardctl.1: build/wardctl
	@mkdir -p $(@D)
	@$(call say,MAN,$@)
	$(Q)build/wardctl manual >$@
build/man/ward.ini.5: docs/ward.ini.5.in build/ward-docs
	@mkdir -p $(@D)
	@$(call say,MAN,$@)
	$(Q)build/ward-docs >$@.keys && sed -e '/^@KEYS@$$/{r $@.keys' -e 'd}' $< >$@ && rm $@.keys
build/man/%: docs/%
	@mkdir -p $(@D)
	@$(call say,MAN,$@)
	$(Q)cp $< $@
SHELLS := $(if $(call src,ctl),$(addprefix build/completion/,bash zsh fish))
build/completion/%: build/wardctl
	@mkdir -p $(@D)
	@$(call say,GEN,$@)
	$(Q)build/wardctl completion $* >$@.new && mv $@.new $@

# --- What people type. ---
all: $(addprefix $(B)/,$(PROGRAMS))
docs: $(PAGES) $(SHELLS)
unit-tests: $(UNIT_TESTS)

help:
	@sed -n 's/^\([a-z][a-z-]*\):.*##/  make \1\t/p' Makefile

all: ## build wardd, wardctl and ward-init
deps: ## install by apt what is missing, for building, checking and measuring
	$(Q)scripts/deps.sh build demo check bench
check: ## build everything, run every test; the last line counts them
	$(Q)scripts/deps.sh build demo check
	$(Q)tests/run
lab: ## the system tests in VMs (QEMU) with cgroup v2 alone, by two kernels of Debian; minutes
	-$(Q)scripts/deps.sh build demo lab
	$(Q)$(MAKE) --no-print-directory all attack
	$(Q)$(MAKE) --no-print-directory FAULTS=1 all
	$(Q)tests/run tests/lab/run tests/lab/own
demo: ## ten minutes of Ward in one: a private daemon, contexts, everything removed again
	$(Q)scripts/deps.sh build demo
	$(Q)$(MAKE) --no-print-directory all
	$(Q)scripts/demo.sh
bench: ## measure against bare Linux and the peers, print ratios
	$(Q)scripts/deps.sh build demo bench
	$(Q)$(MAKE) --no-print-directory all
	$(Q)bench/run
fuzz: ## run every fuzz target for SECONDS (60)
format: ## clang-format in place
install: ## DESTDIR, PREFIX (/usr/local)
	$(Q)$(MAKE) --no-print-directory all docs
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' UNITDIR='$(UNITDIR)' SYSCONFDIR='$(SYSCONFDIR)' \
		scripts/install.sh install
uninstall: ## remove what install put there
	$(Q)DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' UNITDIR='$(UNITDIR)' SYSCONFDIR='$(SYSCONFDIR)' \
		scripts/install.sh uninstall
clean: ## remove build/
	$(Q)rm -rf build

.PHONY: all attack bench check clean demo deps docs format fuzz fuzz-link fuzz-targets help install lab \
	lint print-lint uninstall unit-tests
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

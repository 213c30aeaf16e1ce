# Lunette's build. `make help` lists the targets; CONTRIBUTING.md tells how to work with them.
include vendor/deps.mk

BUILD  ?= release
PREFIX ?= /usr/local
LUA    ?= lua5.4
CC      = $(if $(filter fuzz,$(BUILD)),clang,gcc)
AR      = gcc-ar
OUT    := build/$(BUILD)

# ---- flags; CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS are the user's, come last and win

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion -Wvla \
            -Wwrite-strings

MODE_release := -O2 -g -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
MODE_debug   := -O0 -g3
MODE_asan    := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
                -fno-sanitize-recover=undefined
MODE_tsan    := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
MODE_stress  := $(MODE_release) -DLUNETTE_STRESS
MODE_fuzz    := $(MODE_asan) -fsanitize=fuzzer-no-link -DLUNETTE_FUZZ
# A sanitizer does things that no renderer does: the sandbox of such a build lets it.
SANITIZED    := $(if $(filter asan tsan fuzz,$(BUILD)),-DSANITIZED)
MODE         := $(or $(MODE_$(BUILD)),$(error BUILD=$(BUILD): say release, debug, asan, tsan or stress)) \
                $(if $(LTO),-flto=auto)

INCLUDES = -std=c11 -D_GNU_SOURCE $(SANITIZED) -Iruntime $(DEPS_CPPFLAGS) $(CPPFLAGS)
COMPILE  = $(CC) $(INCLUDES) $(WARNINGS) -fvisibility=hidden -fPIC -pthread $(MODE) $(CFLAGS)
LINK     = $(CC) -pie -Wl,-z,relro,-z,now -pthread $(MODE) $(DEPS_LDFLAGS) $(CFLAGS) $(LDFLAGS)
LIBS     = $(DEPS_LDLIBS) $(LDLIBS)
BENCH_LDLIBS ?= -llua5.4 -luv

# ---- files

SOURCES := $(sort $(wildcard runtime/*.c runtime/*/*.c))
MODULES := $(sort $(shell find lua/lunette -name '*.lua'))
# Objects that LTO has yet to compile call no malloc that could be renamed.
C_TESTS := $(patsubst spec/c/%.c,$(OUT)/spec/c/%,\
             $(filter-out $(if $(LTO),spec/c/test_alloc.c),$(wildcard spec/c/test_*.c)))
FUZZ    := $(patsubst %,$(OUT)/spec/fuzz/%,packet clone json link)
OBJECTS := $(SOURCES:%.c=$(OUT)/%.o)
FLOOR   := $(patsubst %.c,$(OUT)/%.o,bench/c/floor.c bench/c/bench.c runtime/base/buf.c runtime/base/store.c \
             $(wildcard runtime/vm/clone*.c))
BENCHES := $(OUT)/bench/engine $(OUT)/bench/bare $(OUT)/bench/threads $(OUT)/bench/floor \
           $(OUT)/bench/floor-static
MAIN    := $(OUT)/runtime/main.o
PARTS   := $(filter-out $(MAIN),$(OBJECTS)) $(OUT)/vendor/checks.o $(OUT)/embedded.o \
           $(OUT)/filter.o

# What embeds Lunette is linked with these; a sanitizer belongs to a whole program, not to a library.
LIB      := $(OUT)/lib
VERSION   = $(shell sed -n 's/.define LUNETTE_VERSION "\(.*\)"/\1/p' runtime/lunette.h)
SONAME   := liblunette.so.0
LIBRARY  := $(if $(SANITIZED),,$(addprefix $(LIB)/,liblunette.a $(SONAME) lunette_lua.h))
ARCHIVES := $(addprefix $(LIB)/,$(DEPS_ARCHIVES))

# Looked for only by the targets that check them.
C_FILES   = $(shell find runtime spec tools vendor bench apps -name '*.[ch]')
LUA_FILES = $(wildcard lua apps bench spec tools)

# Under valgrind: what attacks the sandbox would find no wall there (tools/valgrind.c), and counting
# every allocation twice takes hours. One spec of each kind.
VALGRIND_TESTS = $(filter-out %/test_sandbox %/test_alloc,$(C_TESTS))
VALGRIND_SPECS = $(patsubst %,spec/%_spec.lua,unit/common/task unit/common/promise \
                   unit/common/peer unit/common/json wire/hostile_peer api/ipc_main \
                   api/context_bridge api/deaths api/limit_settings api/memory_limit api/lifetime)

# The clock of the soak, a module of its main.
SOAK    := $(OUT)/spec/soak/clock.so

# The thread sanitizer is told what archives that are compiled without it do (vendor/tsan.c).
ifeq '$(BUILD)' 'tsan'
LINK_WITH := -Wl,--wrap=syscall
$(OUT)/lunette $(OUT)/engine-minimal $(OUT)/embed $(C_TESTS) $(FUZZ) $(OUT)/bench/engine \
  $(OUT)/bench/floor-static: $(OUT)/vendor/tsan.o
endif

# ---- targets

.PHONY: all run engine-sdl test bench instructions soak valgrind fuzz fuzz-targets lint format tidy install install-program install-library clean help deps
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

all: $(OUT)/lunette $(LIBRARY) $(OUT)/engine-minimal ## build build/$(BUILD)/lunette and the library

run: all ## build it and search this tree with it; ARGS="FOLDER WORD" searches another
	$(OUT)/lunette apps/search $(or $(ARGS),. lunette)

engine-sdl: all build/game-packages ## build the game that apps/engine-sdl is
	@$(MAKE) --no-print-directory -C apps/engine-sdl BUILD=$(BUILD)

# What a build is slow for, its specs wait for.
$(if $(filter stress tsan,$(BUILD)),test: export LUNETTE_SPEC_DEADLINE ?= 600000)

test: all $(C_TESTS) $(FUZZ) $(SOAK) $(OUT)/spec/embed/program build/test-packages ## build, lint, run all tests; ARGS="FILE..." picks specs
	@LINT='$(MAKE) --no-print-directory lint' tools/test.sh $(OUT) '$(ARGS)' $(C_TESTS) $(FUZZ)

bench: all $(BENCHES) ## measure against bare C, luv + cjson and Node; QUICK=1 is a smoke run
	$(Q)$(OUT)/lunette bench/run.lua $(if $(QUICK),--quick) $(ARGS)

instructions: all $(OUT)/bench/floor-static $(OUT)/bench/pidfd.so ## count those of an invoke, by valgrind
	$(Q)$(OUT)/lunette bench/instructions.lua

fuzz: build/fuzz-packages ## let libFuzzer play a hostile peer; SECONDS=600 is how long, for all targets
	@$(MAKE) --no-print-directory BUILD=fuzz fuzz-targets
	$(Q)tools/fuzz.sh build/fuzz $(or $(SECONDS),600) $(notdir $(FUZZ))

fuzz-targets: $(FUZZ)

soak: all $(SOAK) ## let everything go wrong at once; MINUTES=10 is how long, SEED= what by chance
	$(Q)$(OUT)/lunette spec/soak/run.lua --minutes=$(or $(MINUTES),1) $(if $(SEED),--seed=$(SEED))

valgrind: all $(C_TESTS) $(SOAK) $(OUT)/spec/embed/program $(OUT)/tools/valgrind.so ## run C tests and specs under memcheck; ARGS="FILE..." picks specs
	$(Q)tools/valgrind.sh $(OUT) '$(or $(ARGS),$(VALGRIND_SPECS))' $(VALGRIND_TESTS)

lint: all build/test-packages ## check the layout, the Lua and the rules a script can see
	$(Q)clang-format --dry-run -Werror $(C_FILES) || bad=1; \
	luacheck --quiet --no-color $(LUA_FILES) || bad=1; \
	$(LUA) tools/style.lua $(if $(LTO),,$(filter build/release/%,$(OBJECTS))) || bad=1; \
	exit $${bad:-0}

format: build/test-packages ## lay out the C files
	clang-format -i $(C_FILES)

tidy: build/packages ## run clang-tidy, where it is installed, over the C files
	clang-tidy --quiet $(filter %.c,$(C_FILES)) -- $(INCLUDES)

PLACE = $(DESTDIR)$(PREFIX)

install: install-program $(if $(LIBRARY),install-library) ## copy the program and the library to $(DESTDIR)$(PREFIX)

install-program: all
	install -d $(PLACE)/bin $(PLACE)/share/doc/lunette
	install -m 755 $(OUT)/lunette $(PLACE)/bin
	install -m 644 LICENSE vendor/NOTICE docs/embedding.md $(PLACE)/share/doc/lunette

install-library: all
	install -d $(PLACE)/include $(PLACE)/lib/pkgconfig $(PLACE)/lib/cmake/lunette
	install -m 644 runtime/lunette.h $(LIB)/lunette_lua.h $(PLACE)/include
	install -m 644 $(LIB)/liblunette.a $(LIB)/$(SONAME) $(PLACE)/lib
	ln -sf $(SONAME) $(PLACE)/lib/liblunette.so
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' vendor/lunette.pc.in \
	  >$(PLACE)/lib/pkgconfig/lunette.pc
	install -m 644 vendor/lunette-config.cmake $(PLACE)/lib/cmake/lunette

clean: ## delete build/
	rm -rf build

help: ## list the targets
	@echo 'make [TARGET] [BUILD=release|debug|asan|tsan|stress] [LTO=1] [V=1]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile

deps: ## install the packages that are missing, the tests' too
	@rm -f build/packages build/test-packages
	@$(MAKE) --no-print-directory build/packages build/test-packages

# ---- rules; V=1 shows the commands instead of one short line each

Q   := $(if $(V),,@)
say  = $(if $(V),,@echo '$(strip $1) $(patsubst runtime/%,%,$(patsubst $(OUT)/%,%,$2))')

define compile
@mkdir -p $(@D)
$(call say,CC,$<)
$(Q)$(COMPILE) -MMD -MP -c -o $@ $<
endef

define link
@mkdir -p $(@D)
$(call say,LD,$@)
$(Q)$(LINK) $(LINK_WITH) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LIBS)
endef

define link_plainly
@mkdir -p $(@D)
$(call say,LD,$@)
$(Q)$(CC) $(MODE) -o $@ $(filter %.o,$^) $(BENCH_LDLIBS)
endef

$(OUT)/%.o: %.c $(OUT)/flags | build/packages
	$(compile)

$(OUT)/embedded.o $(OUT)/filter.o: %.o: %.c $(OUT)/flags
	$(compile)

$(OUT)/liblunette.a: $(PARTS) $(OUT)/files
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(PARTS)

$(OUT)/lunette: $(MAIN) $(OUT)/liblunette.a vendor/exports
	$(link)

# The library: all of it, with the archives, as one object whose only global names are lunette_*.
# Lua's functions are among them, as lunette_lua_*: a program may have another Lua.
# Debian's archives are made for executables. All that keeps them out of a shared library are five
# variables of libc; vendor/pic.c has others in their place (and says why).
PIC_NAMES := $(foreach name,stdin stdout stderr environ in6addr_any execvp, \
               --redefine-sym $(name)=pic_$(name))

$(ARCHIVES): $(LIB)/%.a: | build/packages
	@mkdir -p $(@D)
	$(Q)objcopy $(PIC_NAMES) $(if $(findstring luv,$@),--redefine-sym uv_os_environ=pic_uv_os_environ \
	  --redefine-sym uv_spawn=pic_uv_spawn) $$($(CC) -print-file-name=$*.a) $@

$(LIB)/lua-names: $(LIB)/$(firstword $(DEPS_ARCHIVES))
	$(Q)nm -g --defined-only $< | sed -n 's/.* T \(luaL\{0,1\}_.*\)/\1 lunette_\1/p' | sort >$@

$(LIB)/whole.o: $(PARTS) $(OUT)/vendor/pic.o $(ARCHIVES)
	$(call say,LD,$@)
	$(Q)$(CC) -r -nostdlib $(MODE) $(if $(LTO),-flinker-output=nolto-rel) -o $@ $(filter %.o,$^) \
	  -Wl,--whole-archive $(firstword $(ARCHIVES)) -Wl,--no-whole-archive $(wordlist 2,9,$(ARCHIVES))

$(LIB)/lunette.o: $(LIB)/whole.o $(LIB)/lua-names
	$(Q)objcopy --redefine-syms=$(LIB)/lua-names --wildcard --keep-global-symbol='lunette_*' $< $@

$(LIB)/liblunette.a: $(LIB)/lunette.o
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $<

$(LIB)/$(SONAME): $(LIB)/lunette.o vendor/lib-exports
	$(call say,LD,$@)
	$(Q)$(CC) -shared -pthread $(MODE) -Wl,-soname,$(SONAME) -Wl,--version-script=vendor/lib-exports \
	  -Wl,-Bsymbolic,-z,relro,-z,now,-z,defs $(LDFLAGS) -o $@ $< -lm -ldl
	$(Q)ln -sf $(SONAME) $(LIB)/liblunette.so

$(LIB)/lunette_lua.h: $(LIB)/lua-names vendor/lunette_lua.h.in
	$(Q)sed 's/^/#define /' $< | sed -e '/@NAMES@/{r /dev/stdin' -e 'd;}' vendor/lunette_lua.h.in >$@

# A program that hosts an app, as its author would compile it.
$(OUT)/engine-minimal: $(OUT)/apps/engine-minimal/main.o $(OUT)/liblunette.a
	$(link)

$(filter-out %/test_alloc,$(C_TESTS)): $(OUT)/%: $(OUT)/%.o $(OUT)/liblunette.a
	$(link)

# A program that knows nothing of Lunette but its header.
$(OUT)/spec/embed/program: spec/embed/program.c runtime/lunette.h spec/c/lacking.h
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(filter-out -fsanitize=%,$(MODE)) -std=gnu11 -Wall -Wextra -Iruntime $(CFLAGS) -o $@ $< -ldl

# What this test makes fail are the runtime's allocations, not those of the libraries.
$(OUT)/spec/c/test_alloc: $(OUT)/%: $(OUT)/%.o $(OUT)/spec/c/failing.a
	$(link)

$(OUT)/spec/c/failing.a: $(OUT)/liblunette.a
	@mkdir -p $(@D)
	$(Q)objcopy $(foreach name,malloc calloc realloc strdup free, \
	  --redefine-sym $(name)=failing_$(name)) $< $@

# With libFuzzer's main in BUILD=fuzz, else with one that replays the corpus.
ifeq '$(BUILD)' 'fuzz'
$(FUZZ): private LINK_WITH = -fsanitize=fuzzer
$(OUT)/spec/fuzz/packet $(OUT)/spec/fuzz/link: $(OUT)/spec/fuzz/mutate.o
else
$(FUZZ): $(OUT)/spec/fuzz/replay.o
endif

$(FUZZ): $(OUT)/%: $(OUT)/%.o $(OUT)/liblunette.a
	$(link)

# The baselines of the benchmark: as anybody links a C program, and once with our archives.
$(OUT)/bench/bare: $(OUT)/bench/c/bare.o $(OUT)/bench/c/bench.o
	$(link_plainly)

$(OUT)/bench/engine: $(OUT)/bench/c/engine.o $(OUT)/bench/c/bench.o $(OUT)/liblunette.a
	$(link)

$(OUT)/bench/threads: $(OUT)/bench/c/threads.o $(OUT)/bench/c/bench.o
	$(link_plainly)

$(OUT)/bench/floor: $(FLOOR)
	$(link_plainly)

$(OUT)/bench/floor-static: $(FLOOR)
	$(link)

$(OUT)/bench/pidfd.so: bench/c/pidfd.c
	@mkdir -p $(@D)
	$(call say,LD,bench/pidfd.so)
	$(Q)$(CC) $(INCLUDES) $(CFLAGS) -shared -fPIC -o $@ $<

$(SOAK) $(OUT)/tools/valgrind.so: $(OUT)/%.so: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(COMPILE) -shared -fPIC -o $@ $<

# Bytecode must come from the very Lua that will load it: embed links the same archive.
$(OUT)/embed: $(OUT)/tools/embed.o $(OUT)/tools/strip.o
	$(link)

$(OUT)/embedded.c: $(OUT)/embed $(MODULES) $(OUT)/files
	$(call say,EMBED,lua/lunette)
	$(Q)$(OUT)/embed $(MODULES) >$@

# libseccomp writes the filter of the sandbox; nothing else is linked with it.
$(OUT)/filter: $(OUT)/tools/filter.o
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(MODE) -o $@ $^ $(SECCOMP_LDLIBS)

$(OUT)/filter.c: $(OUT)/filter
	$(call say,FILTER,$@)
	$(Q)$(OUT)/filter >$@

# Files that change exactly when the text they hold does: what depends on them is made anew when
# flags change, or when a source file comes or goes.
define text_file
ifneq '$$(file <$1)' '$2'
.PHONY: $1
endif
$1:
	@mkdir -p $$(@D) && printf '%s\n' '$2' >$$@
endef

$(eval $(call text_file,$(OUT)/flags,$(strip $(COMPILE) $(LINK) $(LINK_WITH) $(LIBS))))
$(eval $(call text_file,$(OUT)/files,$(SOURCES) $(MODULES)))

# Packages are looked at once, and again when their list changes. Where there is no apt-get, the
# command in FOUND decides whether all is there.
build/packages: vendor/deps.mk vendor/checks.c
	@mkdir -p build
	@FOUND='$(LINK) $(INCLUDES) -o build/probe tools/embed.c tools/strip.c vendor/checks.c $(LIBS) \
	  $(SECCOMP_LDLIBS)' \
	  tools/deps.sh $(BUILD_PACKAGES)
	@touch $@

build/test-packages: vendor/deps.mk
	@mkdir -p build
	@FOUND='$(LUA) -v && busted --version && luacheck --version && clang-format --version' \
	  tools/deps.sh $(TEST_PACKAGES)
	@touch $@

build/game-packages: vendor/deps.mk
	@mkdir -p build
	@FOUND='pkg-config --exists sdl2 && love --version' tools/deps.sh $(GAME_PACKAGES)
	@touch $@

build/fuzz-packages: vendor/deps.mk
	@mkdir -p build
	@FOUND='clang -fsanitize=fuzzer -x c -c -o build/probe /dev/null' \
	  tools/deps.sh $(FUZZ_PACKAGES)
	@touch $@

-include $(patsubst %.o,%.d,$(PARTS) $(MAIN)) $(C_TESTS:=.d) $(FUZZ:=.d) $(OUT)/tools/embed.d \
         $(OUT)/tools/strip.d $(OUT)/tools/filter.d $(OUT)/bench/c/bare.d $(OUT)/bench/c/bench.d $(OUT)/bench/c/engine.d \
         $(OUT)/bench/c/floor.d $(OUT)/apps/engine-minimal/main.d

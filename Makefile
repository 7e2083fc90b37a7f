# mod_batch. `make help` says what there is to make, `make run` shows it at work.

APXS            := $(or $(APXS),$(shell command -v apxs || command -v apxs2))
# The folder of the database where BatchDBDParams is not given.
BATCH_STATE_DIR ?= /var/lib/apache2/batch
# The database drivers that are compiled in: names of folders of mod_batch/store/.
drivers         := sqlite3 pgsql
# normal, or asan: with AddressSanitizer and UndefinedBehaviorSanitizer; for the storm only: points,
# with the places at which it kills, and mutant, without the fence as well; clang: with that one.
BUILD           ?= normal
FUZZ_SECONDS    ?= 60

ifeq ($(origin CC),default)
CC := gcc
endif

# ---- Tools and flags -----------------------------------------------------------------------------

ifneq ($(APXS),)
httpd_flags := $(shell $(APXS) -q EXTRA_CPPFLAGS) -I$(shell $(APXS) -q INCLUDEDIR)
apr_config  := $(shell $(APXS) -q APR_CONFIG)
apu_config  := $(shell $(APXS) -q APU_CONFIG)
apr_flags   := $(shell $(apr_config) --cppflags --includes) $(shell $(apu_config) --includes)
apr_libs    := $(shell $(apu_config) --link-ld) $(shell $(apr_config) --link-ld --libs)
endif
json_flags  := $(shell pkg-config --cflags json-c 2>/dev/null)

# Each driver's own library. Queries have databases of their own, and always need SQLite's.
libs_sqlite3 := -lsqlite3
libs_pgsql   := -lpq
ifneq ($(filter pgsql,$(drivers)),)
# Debian keeps this header in a folder of its own.
pq_flags    := $(or $(shell pkg-config --cflags libpq 2>/dev/null),\
                 $(addprefix -I,$(shell pg_config --includedir 2>/dev/null)))
endif
unknown     := $(strip $(foreach driver,$(drivers),$(if $(wildcard mod_batch/store/$(driver)/driver.c),,$(driver))))
ifneq ($(unknown),)
$(error drivers: there is no $(unknown); there are: $(patsubst mod_batch/store/%/driver.c,%,$(wildcard mod_batch/store/*/driver.c)))
else ifeq ($(strip $(drivers)),)
$(error drivers: one at least is needed)
endif
libs_with    = -ljson-c -lcsv $(sort -lsqlite3 $(foreach driver,$(1),$(libs_$(driver)))) -lcrypto -lm
libs        := $(call libs_with,$(drivers))
# For store/drivers.c.
driver_flags := $(drivers:%=-DBATCH_WITH_%)

ifeq ($(BUILD),normal)
CFLAGS    ?= -O2 -g
module    := build/mod_batch.so
else ifeq ($(BUILD),asan)
CFLAGS    := -O1 -g
sanitize  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
module    := build/asan/mod_batch.so
else ifeq ($(BUILD),points)
CFLAGS    := -O2 -g -DBATCH_POINTS
module    := build/points/mod_batch.so
else ifeq ($(BUILD),mutant)
CFLAGS    := -O2 -g -DBATCH_POINTS -DBATCH_MUTANT_NO_FENCE
module    := build/mutant/mod_batch.so
else ifeq ($(BUILD),clang)
CFLAGS    := -O2 -g
CC        := clang
module    := build/clang/mod_batch.so
else
$(error BUILD is normal, asan, points, mutant or clang, not '$(BUILD)')
endif
out         := build/$(BUILD)
warnings    := -Wall -Wextra -Werror
# APR's headers take offsetof if it is there, and else what clang warns of.
all_cflags   = -std=gnu11 $(CFLAGS) $(sanitize) $(warnings) -fPIC -fvisibility=hidden -MMD -MP \
               -include stddef.h \
               -I mod_batch $(apr_flags) $(json_flags) $(pq_flags)
link_flags  := $(LDFLAGS) -Wl,--as-needed

# ---- What is built from what ---------------------------------------------------------------------

# The core knows no httpd: it is compiled without httpd's headers, and links into programs of its own.
core        := mod_batch/batch.c mod_batch/actions.c mod_batch/column_types.c $(wildcard $(addprefix mod_batch/,engine/*.c payload/*.c query/*.c store/*.c \
                 $(drivers:%=store/%/*.c) text/*.c))
glue        := mod_batch/mod_batch.c $(wildcard $(addprefix mod_batch/,config/*.c http/*.c))
unit_tests  := $(patsubst t/unit/%.c,%,$(wildcard t/unit/test_*.c))
unit_common := $(filter-out t/unit/test_%,$(wildcard t/unit/*.c))
fuzzers     := $(patsubst t/fuzz/%.c,%,$(wildcard t/fuzz/fuzz_*.c))
benches     := $(patsubst t/bench/%.c,%,$(wildcard t/bench/*.c))
differ      := $(wildcard t/differential/*.c)
mutants     := $(patsubst t/differential/mutants/%.sed,%,$(wildcard t/differential/mutants/*.sed))

core_objects := $(core:%.c=$(out)/%.o)
glue_objects := $(glue:%.c=$(out)/%.o)
core_archive := $(out)/libbatch.a

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.PHONY: always all apxs module singles units replays benches differentials fuzzers run test check lint bench fuzz storm differential deps install \
        uninstall tidy-flags clean help

all: module

module singles units replays benches differentials: apxs
module: $(module)
singles: $(drivers:%=$(out)/single/%.so)
units: $(unit_tests:%=$(out)/unit/%)
replays: $(fuzzers:fuzz_%=$(out)/fuzz/replay_%)
benches: $(benches:%=$(out)/bench/%)
differentials: $(out)/differential/differential $(mutants:%=$(out)/differential/mutant_%)

apxs:
	@test -n "$(APXS)" || { echo "apxs is not here; 'make deps' installs what is needed" >&2; exit 1; }

$(module): $(core_objects) $(glue_objects) build-aux/mod_batch.map
	@echo "  LINK $@"
	@$(CC) -shared $(sanitize) $(link_flags) -Wl,--version-script=build-aux/mod_batch.map \
	    -o $@ $(core_objects) $(glue_objects) $(libs)

# The module with one driver, of the same objects but for the list of drivers: for the tests.
$(out)/single/%.o: mod_batch/store/drivers.c $(out)/flags
	@mkdir -p $(@D)
	@$(CC) $(all_cflags) -DBATCH_WITH_$* -c -o $@ $<

$(out)/single/%.so: $(out)/single/%.o $(core_objects) $(glue_objects) build-aux/mod_batch.map
	@$(CC) -shared $(sanitize) $(link_flags) -Wl,--version-script=build-aux/mod_batch.map -o $@ $< \
	    $(filter-out $(out)/mod_batch/store/drivers.o \
	        $(foreach driver,$(filter-out $*,$(drivers)),$(out)/mod_batch/store/$(driver)/%),$(core_objects)) \
	    $(glue_objects) $(call libs_with,$*)

# httpd's headers do not mark the module record for export; the map keeps all else inside.
$(out)/mod_batch/mod_batch.o: glue_flags = -fvisibility=default
$(out)/mod_batch/store/drivers.o: glue_flags = $(driver_flags)
$(glue_objects): glue_flags += $(httpd_flags) -DBATCH_STATE_DIR='"$(BATCH_STATE_DIR)"'

# Other flags than last time, and everything is compiled again.
$(out)/flags: always
	@mkdir -p $(@D)
	@echo '$(CC) $(all_cflags) $(httpd_flags) $(BATCH_STATE_DIR) $(drivers)' | cmp -s - $@ || \
	    echo '$(CC) $(all_cflags) $(httpd_flags) $(BATCH_STATE_DIR) $(drivers)' >$@

$(core_archive): $(core_objects)
	@rm -f $@
	@$(AR) rcs $@ $^

$(out)/%.o: %.c $(out)/flags
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(all_cflags) $(glue_flags) -c -o $@ $<

$(out)/unit/%: $(out)/t/unit/%.o $(unit_common:%.c=$(out)/%.o) $(core_archive)
	@mkdir -p $(@D)
	@$(CC) $(sanitize) $(link_flags) -o $@ $^ $(libs) $(apr_libs)

$(out)/bench/%: $(out)/t/bench/%.o $(core_archive)
	@mkdir -p $(@D)
	@$(CC) $(sanitize) $(link_flags) -o $@ $^ $(libs) $(apr_libs)

$(out)/differential/differential: $(differ:%.c=$(out)/%.o) $(core_archive)
	@mkdir -p $(@D)
	@$(CC) $(sanitize) $(link_flags) -o $@ $^ $(libs) $(apr_libs)

# An evaluator with one wrong rule: one of its sources is altered, and comes before the right one.
$(out)/differential/mutant_%: t/differential/mutants/%.sed $(core) $(differ:%.c=$(out)/%.o) $(core_archive)
	@mkdir -p $(@D)
	@source=$$(sed -n '1s/^# \([^:]*\): .*/\1/p' $<); sed -f $< $$source >$@.c; \
	    ! cmp -s $@.c $$source || { echo "$<: alters nothing in $$source" >&2; exit 1; }
	@$(CC) $(all_cflags) -c -o $@.o $@.c
	@$(CC) $(sanitize) $(link_flags) -o $@ $(differ:%.c=$(out)/%.o) $@.o $(core_archive) $(libs) $(apr_libs)

$(out)/fuzz/replay_%: $(out)/t/fuzz/fuzz_%.o $(out)/t/fuzz/replay.o $(core_archive)
	@mkdir -p $(@D)
	@$(CC) $(sanitize) $(link_flags) -o $@ $^ $(libs) $(apr_libs)

# ---- Fuzzing: clang's libFuzzer, with everything instrumented ------------------------------------

fuzz_flags := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -O1 -g
fuzzers: $(fuzzers:%=build/fuzz/%)

build/fuzz/%: t/fuzz/%.c $(core) $(wildcard mod_batch/*.h mod_batch/*/*.h mod_batch/*/*/*.h) Makefile
	@mkdir -p $(@D)
	@echo "  FUZZ $@"
	@clang -std=gnu11 $(fuzz_flags) $(driver_flags) -Wall -I mod_batch -I t/fuzz $(apr_flags) $(json_flags) $(pq_flags) \
	    -o $@ $< $(core) $(libs) $(apr_libs)

# ---- Things to do --------------------------------------------------------------------------------

# Packages may only just have been installed: make is started anew, so that it finds apxs.
again = $(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j$(shell nproc))

run:
	@build-aux/deps run
	@$(again) module
	@build-aux/run

test check:
	@build-aux/deps test
	@build-aux/test $@

lint:
	@build-aux/deps test
	@build-aux/test lint

# What of it t/bench/plain measures.
plain_table := W1 W3 W4 W5 W6 W7 W7c beside

bench:
	@build-aux/deps test
	@$(again) module benches
	@$(if $(or $(if $(BENCH),,all),$(filter records,$(BENCH))),t/bench/bench $(module) \
	    $(out)/bench/bare_delete$(if $(filter pgsql,$(DRIVER)),_pgsql) $(ROUNDS),:)
	@$(if $(or $(if $(BENCH),,all),$(filter-out records $(plain_table),$(BENCH))),t/bench/resources $(module) \
	    $(out)/bench $(filter-out records $(plain_table),$(BENCH)),:)
	@$(if $(or $(if $(BENCH),,all),$(filter $(plain_table),$(BENCH))),t/bench/plain $(module) $(out)/bench \
	    $(filter $(plain_table),$(BENCH)),:)
	@$(if $(or $(BENCH),$(filter pgsql,$(DRIVER))),:,t/bench/bench_query $(module) $(out)/bench/select_query $(ROUNDS))

differential:
	@build-aux/deps test
	@$(again) differentials
	@build-aux/differential run

storm:
	@build-aux/deps test
	@$(again) BUILD=points module
	@$(again) BUILD=mutant module
	@build-aux/storm $(or $(ROUNDS),200) $(or $(DRIVER),sqlite3 pgsql)

fuzz:
	@build-aux/deps test
	@$(again) fuzzers
	@FUZZ_SECONDS=$(FUZZ_SECONDS) build-aux/fuzz $(fuzzers)

deps:
	@build-aux/deps run test

install: module
	@APXS="$(APXS)" BATCH_STATE_DIR="$(BATCH_STATE_DIR)" build-aux/install install

uninstall: apxs
	@APXS="$(APXS)" BATCH_STATE_DIR="$(BATCH_STATE_DIR)" build-aux/install uninstall

# For clang-tidy, which is told no file to write.
tidy-flags:
	@echo $(filter-out -MMD -MP -fPIC,$(all_cflags)) $(driver_flags) $(httpd_flags) '-DBATCH_STATE_DIR=\"$(BATCH_STATE_DIR)\"'

clean:
	rm -rf build

help:
	@cat build-aux/help.txt

-include $(shell find build -name '*.d' 2>/dev/null)

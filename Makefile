# Short front for CMake. BUILD is the build folder, CMAKE_FLAGS goes to the configure step.
#   make            library, command, examples, tests    make demo      real data, see scripts/demo.sh
#   make test       build and run all tests              make lint      house rules; builds the library first
#   make bench      the benchmark with its peers         make install   PREFIX=/usr/local DESTDIR=
#   make proof-NAME one proof of test/proof: SEED= N= BOUND=seconds, see scripts/proof.sh
# test, demo, lint and bench install what they miss on Debian (scripts/install-deps.sh).

BUILD ?= build
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
DESTDIR ?=
CMAKE_FLAGS ?=
BENCH_ARGS ?=

.PHONY: all configure test demo lint bench install clean

all: configure
	@cmake --build "$(BUILD)" -j $(JOBS)

configure:
	@mkdir -p "$(BUILD)"
	@cmake -S . -B "$(BUILD)" $(CMAKE_FLAGS) >"$(BUILD)/configure.log" 2>&1 || \
	    { cat "$(BUILD)/configure.log"; exit 1; }

test:
	@scripts/install-deps.sh build test
	@$(MAKE) --no-print-directory all CMAKE_FLAGS='-DPEAT_TESTS=ON -DPEAT_WERROR=ON $(CMAKE_FLAGS)'
	@scripts/run-tests.py "$(BUILD)"

demo:
	@scripts/install-deps.sh build demo $(filter contents,$(DATA))
	@$(MAKE) --no-print-directory configure
	@cmake --build "$(BUILD)" -j $(JOBS) --target peat_command
	@scripts/demo.sh "$(BUILD)/peat"

lint:
	@scripts/install-deps.sh build lint
	@$(MAKE) --no-print-directory configure
	@cmake --build "$(BUILD)" -j $(JOBS) --target peat_libraries peat_manual
	@BUILD="$(BUILD)" scripts/lint.py

bench:
	@scripts/install-deps.sh build bench
	@$(MAKE) --no-print-directory configure CMAKE_FLAGS='-DPEAT_BENCH=ON $(CMAKE_FLAGS)'
	@cmake --build "$(BUILD)" -j $(JOBS) --target peat-bench
	@"$(BUILD)/bench/peat-bench" $(BENCH_ARGS)

proof-%:
	@scripts/install-deps.sh build test
	@$(MAKE) --no-print-directory all CMAKE_FLAGS='-DPEAT_TESTS=ON -DPEAT_WERROR=ON $(CMAKE_FLAGS)'
	@BUILD="$(BUILD)" scripts/proof.sh $*

install:
	@$(MAKE) --no-print-directory configure CMAKE_FLAGS='-DCMAKE_INSTALL_PREFIX="$(PREFIX)" $(CMAKE_FLAGS)'
	@cmake --build "$(BUILD)" -j $(JOBS) --target peat_libraries peat_command peat_manual
	@DESTDIR="$(DESTDIR)" cmake --install "$(BUILD)"

clean:
	@rm -rf "$(BUILD)"

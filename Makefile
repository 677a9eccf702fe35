# A thin front for CMake's presets (CMakePresets.json). `make help` lists what there is.
#
# Every target that builds first installs the packages of packages.txt that are missing, where it may; see cmake/bootstrap.

PREFIX       ?= /usr/local
DESTDIR      ?=
FUZZ_SECONDS ?= 300
SOAK_SECONDS ?= 180
SOAK_SEED    ?= 1
CHAOS_SECONDS ?= 180
CHAOS_SEED   ?= 1
CHAOS_DEPLOYS ?= 1000

# What `make format` touches. Headers that are wrong on purpose and expected outputs keep their columns.
FORMATTED = git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' '*.cc' '*.cpp' \
    ':!:*/bad/*' ':!:*/golden/*'

# The status page is built where node and npm can be had; without them chainsd gets a plain one.
PAGE = cmake/bootstrap page || echo "packages: going on without them: chainsd gets the plain page" >&2

.PHONY: all build demo test test-asan test-tsan bench soak chaos many test-kubernetes fuzz install format format-check clean help
.DEFAULT_GOAL := all

all: build

build: ## builds the library, build/chains and build/chainsd (the default)
	@cmake/bootstrap build test
	@$(PAGE)
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev

demo: ## builds, then transcribes real speech with the three Chainlets of examples/transcribe
	@cmake/bootstrap build test examples bench
	@$(MAKE) --no-print-directory build
	@examples/transcribe/demo/run

test: ## all tests of the dev preset, unit tests and bad headers under ASan and UBSan, each fuzzer for some seconds
	@cmake/bootstrap build test examples bench
	@$(PAGE)
	@cmake/run_tests dev asan:unit,bad fuzz:fuzz

test-asan: ## all tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@cmake/bootstrap build test examples bench
	@$(PAGE)
	@cmake/run_tests asan

test-tsan: ## all tests under ThreadSanitizer
	@cmake/bootstrap build test examples bench
	@$(PAGE)
	@cmake/run_tests tsan

bench: ## every program of bench/ in the release preset; renews the tables and the plot of the comparison with others in docs/
	@cmake/bootstrap build test examples bench peers
	@$(PAGE)
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release --target all peers
	@bench/run build-release

soak: build ## calls for SOAK_SECONDS (180) while replicas are killed and stopped at random; none may be lost
	@$(TESTING) SOAK_SECONDS=$(SOAK_SECONDS) SOAK_SEED=$(SOAK_SEED) python3 -B tests/soak/soak.py

# What tests of whole programs are told of the build.
TESTING = CHAINS_SOURCE_DIR=$(CURDIR) CHAINS_BUILD_DIR=$(CURDIR)/build PYTHONPATH=tests/support

chaos: build ## calls for CHAOS_SECONDS (180) while everything is killed, stopped and started again; then CHAOS_DEPLOYS (1,000) deployments
	@$(TESTING) CHAOS_SECONDS=$(CHAOS_SECONDS) CHAOS_SEED=$(CHAOS_SEED) python3 -B tests/soak/chaos.py
	@$(TESTING) CHAINS_STAND_IN=$(CURDIR)/build/tests/control/control_stand_in CHAINS_TEST_DEPLOYS=$(CHAOS_DEPLOYS) \
	    python3 -B tests/control/versions_test.py Versions.test_many_deployments_leave_nothing_behind

many: build ## 200 Chainlets with 5 replicas each, which start, answer, go to zero, wake and end; prints times and memory
	@$(TESTING) CHAINS_TEST_MANY=200 python3 -B tests/e2e/many_test.py

test-kubernetes: ## chains on a real two-node Kubernetes, which it builds once and brings up; needs root
	@cmake/bootstrap build test examples kubernetes
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev
	@$(TESTING) python3 -B tests/kubernetes/kubernetes_test.py || [ $$? = 77 ]

fuzz: ## every fuzzer, FUZZ_SECONDS (300) each
	@cmake/bootstrap build test
	@cmake --preset fuzz --log-level=WARNING
	@cmake --build --preset fuzz
	@fuzz/run build-fuzz $(FUZZ_SECONDS)

install: ## installs the release build below $(DESTDIR)$(PREFIX)
	@cmake/bootstrap build test
	@$(PAGE)
	@cmake --preset release --log-level=WARNING -DCMAKE_INSTALL_PREFIX='$(PREFIX)'
	@cmake --build --preset release
	DESTDIR='$(DESTDIR)' cmake --install build-release --prefix '$(PREFIX)'

format: ## formats the sources
	@$(FORMATTED) | xargs -0 clang-format -i

format-check: ## fails, naming the places, where a source isn't formatted
	@$(FORMATTED) | xargs -0 clang-format --dry-run --Werror

clean: ## removes every build
	rm -rf build build-release build-asan build-tsan build-fuzz

help: ## this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

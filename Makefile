# Two commands for a newcomer: `make run` and `make test`. Each installs what it needs and may be repeated.
SHELL := /bin/bash
.DEFAULT_GOAL := help
SWIFT ?= swift
CONFIG ?= Examples/config
ENVIRONMENT ?= development
STATE ?= .build/run-state

.PHONY: help run test check lint format bench fuzz tsan soak clean setup setup-tests

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:
	@scripts/set-up

setup-tests: setup
	@scripts/set-up --tests

run: setup ## build, and run the daemon on the example configuration
	$(SWIFT) build --product plue
	@scripts/run-example "$(CONFIG)" "$(ENVIRONMENT)" "$(STATE)"

test: setup-tests ## install what the tests need, build, and run every test
	scripts/run-tests

check: lint test bench-build ## what has to hold before a change lands

lint: ## format rules, strictly
	$(SWIFT) format lint --strict --recursive Sources Tests Package.swift Benchmarks/Sources Benchmarks/Package.swift

format: ## apply the format rules
	$(SWIFT) format --in-place --recursive Sources Tests Package.swift Benchmarks/Sources Benchmarks/Package.swift

.PHONY: bench-build
bench-build: setup-tests
	$(SWIFT) build --package-path Benchmarks --scratch-path .build-bench -c release

bench: bench-build ## ratios against peers, in one run; ONLY=reads for a part
	$(SWIFT) build -c release --product plue --scratch-path .build-release
	.build-bench/release/PlueBench $(ONLY)

tsan: setup-tests ## the readers and the committer under the thread sanitizer
	SWIFT_BACKTRACE=enable=no TSAN_OPTIONS="suppressions=$(CURDIR)/scripts/tsan-suppressions halt_on_error=1" \
		$(SWIFT) test --sanitize=thread --scratch-path .build-tsan --filter 'ReaderRace|Provider|Commit'

fuzz: setup-tests ## the parser and substitution, for PLUE_FUZZ_SECONDS each (default 60)
	PLUE_FUZZ_SECONDS=$${PLUE_FUZZ_SECONDS:-60} $(SWIFT) test --filter 'Fuzz'

soak: setup-tests ## kill it at random moments, for PLUE_SOAK_SECONDS (default 600)
	PLUE_SOAK_SECONDS=$${PLUE_SOAK_SECONDS:-600} $(SWIFT) test --filter 'CrashTests'

clean: ## remove what was built
	rm -rf .build .build-bench .build-release .build-tsan

# Two commands for a newcomer: `make run` and `make test`. Each installs what it needs and may be repeated.
SHELL := /bin/bash
.DEFAULT_GOAL := help
SWIFT ?= swift
CONFIG ?= Examples/config
ENVIRONMENT ?= development
STATE ?= .build/run-state

.PHONY: help run test check lint format docs examples bench fuzz tsan soak clean setup setup-tests

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

check: lint test docs bench-build ## what has to hold before a change lands

lint: ## format rules, strictly; public symbols without documentation
	$(SWIFT) format lint --strict --recursive Sources Tests Examples Package.swift Benchmarks/Sources Benchmarks/Package.swift
	scripts/check-docs

format: ## apply the format rules
	$(SWIFT) format --in-place --recursive Sources Tests Examples Package.swift Benchmarks/Sources Benchmarks/Package.swift

docs: setup ## guides and reference into .build/docs; a warning is an error
	$(SWIFT) build
	scripts/docs

examples: setup-tests ## each example, one after the other
	for run in Examples/*/run; do echo "== $$run"; $$run || exit 1; done

.PHONY: bench-build
bench-build: setup-tests
	$(SWIFT) build --package-path Benchmarks --scratch-path .build-bench -c release

bench: bench-build ## ratios against peers, in one run; ONLY=reads for a part
	$(MAKE) release
	.build-bench/release/PlueBench $(ONLY)

tsan: setup-tests ## the readers and the committer under the thread sanitizer
	SWIFT_BACKTRACE=enable=no TSAN_OPTIONS="suppressions=$(CURDIR)/scripts/tsan-suppressions halt_on_error=1" \
		$(SWIFT) test --sanitize=thread --scratch-path .build-tsan --filter 'ReaderRace|Provider|Commit'

fuzz: setup-tests ## the parser and substitution, for PLUE_FUZZ_SECONDS each (default 60)
	PLUE_FUZZ_SECONDS=$${PLUE_FUZZ_SECONDS:-60} $(SWIFT) test --filter 'Fuzz'

soak: setup-tests ## PLUE_SOAK_COUNT candidates (default 500) under load; kills at random moments for PLUE_SOAK_SECONDS (default 600)
	PLUE_SOAK_COUNT=$${PLUE_SOAK_COUNT:-500} $(SWIFT) test --filter 'EndToEndTests.LoadTests'
	PLUE_SOAK_SECONDS=$${PLUE_SOAK_SECONDS:-600} $(SWIFT) test --filter 'CrashTests'

.PHONY: release install deb test-deb
RELEASE := .build-release/release/plue
PREFIX ?= /usr/local

release: setup
	$(SWIFT) build -c release --product plue --static-swift-stdlib --scratch-path .build-release

install: release ## build for production, and install below PREFIX (/usr/local); DESTDIR is respected
	scripts/install $(RELEASE) "$(DESTDIR)" "$(PREFIX)"

deb: release ## a Debian package in .build-release
	scripts/make-deb $(RELEASE) .build-release

test-deb: deb ## install, start, upgrade and remove that package in a Debian of its own (root)
	@command -v debootstrap >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap; }
	scripts/make-deb $(RELEASE) .build-release/newer "$$($(RELEASE) --version).1"
	scripts/test-deb .build-release/plue_*.deb .build-release/newer/plue_*.deb

clean: ## remove what was built
	rm -rf .build .build-bench .build-release .build-tsan

# The two commands a contributor needs are `make check` and `make test`; `.ci/run` is both.

CARGO ?= cargo
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help check fmt clippy doc test test-rust test-models test-doc docs

help:
	@echo 'make check   formatting, lints and documentation, warnings refused'
	@echo 'make test    every test suite'
	@echo 'make docs    bring generated documents up to date (docs/errors.md, links of the code map)'

check: fmt clippy doc

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps

test: test-rust test-models test-doc

# All targets but the examples in documentation, which only cargo itself can run.
test-rust:
ifneq ($(NEXTEST),)
	$(CARGO) nextest run --workspace --no-fail-fast
else
	$(CARGO) test --workspace --all-targets --no-fail-fast
endif

# Protocols between threads, under a scheduler that tries interleavings; a build of its own.
test-models: export RUSTFLAGS := --cfg shuttle
test-models: export CARGO_TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)/shuttle
test-models:
	$(CARGO) test -p rustdb --lib -- models

test-doc:
	$(CARGO) test --workspace --doc

docs:
	UPDATE_DOCS=1 $(CARGO) test --quiet -p rustdb-tests --test tidy -- error_codes_are_documented the_code_map_links

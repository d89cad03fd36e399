# `make run` shows the database at work, `make test` tests it; `.ci/run` is `make check` and `make test`.

CARGO ?= cargo
BUILT := $(or $(CARGO_TARGET_DIR),target)
NEXTEST := $(shell command -v cargo-nextest 2>/dev/null)

.PHONY: help run check fmt clippy doc test test-rust test-models test-doc test-python test-node python-dev python-release install-c shell docs

help:
	@echo 'make run     builds everything and works on a real data set, from every language'
	@echo 'make check   formatting, lints and documentation, warnings refused'
	@echo 'make test    every test suite, in every language'
	@echo 'make shell   the shell, target/release/rustdb'
	@echo 'make docs    bring generated documents up to date (docs/errors.md, links of the code map)'

# Everything in release mode, then a year of flights in one file.
run: shell python-release node/node_modules
	npm --prefix node run build
	bindings/c/install.sh $(BUILT)/c
	.venv/bin/python examples/flights/run.py --shell $(BUILT)/release/rustdb --c $(BUILT)/c

check: fmt clippy doc

fmt:
	$(CARGO) fmt --all --check

clippy:
	$(CARGO) clippy --workspace --all-targets --features rustdb/cli -- -D warnings

doc:
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps

test: test-rust test-models test-doc test-python test-node

# All targets but the examples in documentation, which only cargo itself can run.
test-rust:
ifneq ($(NEXTEST),)
	$(CARGO) nextest run --workspace --features rustdb/cli --no-fail-fast
else
	$(CARGO) test --workspace --all-targets --features rustdb/cli --no-fail-fast
endif

# Protocols between threads, under a scheduler that tries interleavings; a build of its own.
test-models: export RUSTFLAGS := --cfg shuttle
test-models: export CARGO_TARGET_DIR := $(BUILT)/shuttle
test-models:
	$(CARGO) test -p rustdb --lib -- models

test-doc:
	$(CARGO) test -p rustdb --doc

# Python's tools live in the project's own environment.
.venv/bin/python:
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check 'maturin>=1.9,<2' 'pytest>=8' 'tpchgen-cli>=4,<5'

python-dev: .venv/bin/python
	cd python && VIRTUAL_ENV=$(CURDIR)/.venv PATH=$(CURDIR)/.venv/bin:$$PATH maturin develop --quiet $(MATURIN_FLAGS)

python-release:
	$(MAKE) python-dev MATURIN_FLAGS=--release

test-python: python-dev
	.venv/bin/python -m pytest -q python/tests tests/tpch

node/node_modules: node/package-lock.json
	npm --prefix node ci --no-audit --no-fund
	touch node/node_modules

test-node: node/node_modules
	npm --prefix node run build -- --dev
	npm --prefix node test

# The library, its header and a pkg-config file, under PREFIX.
install-c:
	bindings/c/install.sh $(PREFIX)

# The shell, in release mode, at target/release/rustdb.
shell:
	$(CARGO) build --release -p rustdb --features cli --bin rustdb

docs:
	UPDATE_DOCS=1 $(CARGO) test --quiet -p rustdb-tests --test tidy -- error_codes_are_documented the_code_map_links
	UPDATE_DOCS=1 $(CARGO) test --quiet -p rustdb-c --test header

# What a person runs. Each target installs what it lacks: as root on Debian by apt-get, otherwise it says what is missing.

# Binary that the black-box tests start; any build of it will do.
RINGBOLT_BIN ?= $(CURDIR)/target/debug/ringbolt
# Processes of the black-box tests; they are written for two cores.
TEST_WORKERS ?= 2
export RINGBOLT_BIN TEST_WORKERS
export PATH := $(CURDIR)/.tools/bin:$(PATH)

.PHONY: run test test-long lint book fmt bench units large blackbox tools-test tools-lint binary

run:
	scripts/need build
	cargo build --release --locked --package ringbolt
	./target/release/ringbolt serve

test: units blackbox

# Twenty times as many cases of each property and seeds of the simulator as in make test, unless the caller knows better.
test-long: export PROPTEST_CASES := $(or $(PROPTEST_CASES),5120)
test-long: export RINGBOLT_TEST_SEEDS := $(or $(RINGBOLT_TEST_SEEDS),720)
test-long: units large
	$(MAKE) blackbox TEST_LONG=1

# Deleting and tidying a million messages.
large: tools-test
	cargo nextest run --locked --release --package ringbolt-store --features conformance --test large --run-ignored only --no-capture

# Unit, property, simulation and conformance tests, beside a PostgreSQL that they share.
units: tools-test
	scripts/with-postgres cargo nextest run --workspace --locked
	cargo test --doc --workspace --locked

# The built binary against real clients, beside a PostgreSQL of its own.
blackbox: tools-test binary
	tests/run

binary:
	cargo build --locked --package ringbolt

lint: tools-lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked --quiet
	cargo deny --locked check bans licenses sources
	cargo machete crates
	cargo nextest run --locked --package ringbolt-testkit --test edges
	.tools/book/bin/mdbook build docs

# The book with its search, in target/book.
book:
	scripts/need book
	.tools/book/bin/mdbook build docs

fmt:
	cargo fmt --all

bench:
	scripts/need build
	cargo build --release --locked --package ringbolt
	bench/run

tools-test:
	scripts/need build test

tools-lint:
	scripts/need build lint

# What a contributor does each day. `just` lists the recipes; `.ci/run` is the whole check.

_list:
    @just --list --unsorted

# The whole test suite.
test:
    cargo test --workspace --all-features

# Format, lints, links and citations.
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    scripts/check-docs
    scripts/check-modules

# The documentation, in a browser.
doc:
    cargo doc --workspace --all-features --no-deps --open

# One fuzz target for a minute: just fuzz text
fuzz target seconds="60":
    cargo fuzz run --fuzz-dir fuzz --sanitizer none {{target}} -- -max_total_time={{seconds}}

# Kills, power cuts, full disks and damage, some minutes of them.
faults:
    scripts/faults --quick

# Our works beside those of the crate macaroon, as ratios.
ratios:
    cargo run --release -p token-bench --bin ratios

# All that has to hold before a change is merged.
ci:
    bash .ci/run

//! Stores in processes that are forked, killed, or traced while their disk fails.
//!
//! A binary of its own, which is also the program that it kills and traces. It has no harness, since a forked process
//! does not have the threads of one. `cargo test --test processes -- kill` runs one part.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking, and this one has no harness to report"
)]

#[cfg(unix)]
mod fork;
#[cfg(unix)]
mod kill;
#[cfg(unix)]
mod syncs;

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["killed", arguments @ ..] => kill::child(arguments),
        ["traced", what, path] => syncs::child(what, path.as_ref()),
        ["fork"] => fork::run(),
        ["kill"] => kill::run(),
        ["syncs"] => syncs::run(),
        ["--list", ..] => {}
        _ => {
            // First, since sled's threads are those of the process that used it first.
            fork::run();
            kill::run();
            syncs::run();
        }
    }
}

/// Prints a line by one system call.
#[cfg(unix)]
fn tell(line: &str) {
    use std::io::Write as _;
    std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
}

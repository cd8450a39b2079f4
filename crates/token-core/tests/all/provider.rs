//! The example of a provider.

#[path = "../../examples/provider.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main().unwrap();
}

//! The README's program is the compiled example, and can run again and again.

#[allow(dead_code, reason = "the program's `main` is for people")]
#[path = "../../examples/embedding.rs"]
mod embedding;

use std::fs;

#[test]
fn the_readme_shows_the_program_that_is_compiled() {
    let here = env!("CARGO_MANIFEST_DIR");
    let readme = fs::read_to_string(format!("{here}/../../README.md")).unwrap();
    let program = fs::read_to_string(format!("{here}/examples/embedding.rs")).unwrap();
    let (_, block) = readme.split_once("```rust\n").unwrap();
    let (block, _) = block.split_once("```\n").unwrap();
    assert_eq!(block, program);
}

#[test]
fn it_runs_twice_and_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    embedding::run(&home).unwrap();
    let keys = fs::read(home.join("keys")).unwrap();
    embedding::run(&home).unwrap();
    assert_eq!(fs::read(home.join("keys")).unwrap(), keys);
    // A lost store or key ring has to be restored by a person.
    for lost in ["tokens.redb", "keys"] {
        let aside = dir.path().join(lost);
        fs::rename(home.join(lost), &aside).unwrap();
        embedding::run(&home).unwrap_err();
        assert!(!home.join(lost).exists());
        fs::rename(aside, home.join(lost)).unwrap();
    }
    embedding::run(&home).unwrap();
}

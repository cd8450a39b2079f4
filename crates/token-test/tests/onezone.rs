//! A Onezone in play over each store of one process. `tests/postgres` plays it over a server.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process,
    sync::Arc,
};

use token_test::{onezone, stores};

/// A directory in memory where there is one: the stores sync each commit.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let shm = Path::new("/dev/shm");
        let base = if shm.is_dir() { shm.to_owned() } else { env::temp_dir() };
        let dir = base.join(format!("onetoken-onezone-{name}-{}", process::id()));
        fs::create_dir(&dir).unwrap();
        Self(dir)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn play(backend: stores::Backend) {
    let dir = Dir::new(backend.name);
    let store = Arc::from((backend.create)(&dir.0.join("store")).unwrap());
    onezone::play(&store, 20_261_127);
    assert!(store.check(None).unwrap().is_sound());
}

#[test]
fn in_memory() {
    play(stores::MEMORY);
}

#[test]
fn behind_a_cache() {
    play(stores::CACHED);
}

#[test]
fn over_redb() {
    play(stores::REDB);
}

#[test]
fn over_sled() {
    play(stores::SLED);
}

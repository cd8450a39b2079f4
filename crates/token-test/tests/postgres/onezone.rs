//! A Onezone in play over a server, as `tests/onezone.rs` plays it over the stores of one process.

use std::sync::Arc;

use token_store::Administration;
use token_test::{onezone, postgres};

use crate::store;

#[test]
fn a_onezone_in_play() {
    let Some(server) = postgres::shared() else { return };
    let store: Arc<dyn Administration> = Arc::new(store(&server.database()));
    onezone::play(&store, 20_261_127);
    assert!(store.check(None).unwrap().is_sound());
}

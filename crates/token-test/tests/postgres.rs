//! The PostgreSQL backend against a real server.

use token_store::{PostgresConfig, PostgresStore, conformance};
use token_test::postgres;

fn config(url: &str) -> PostgresConfig {
    url.parse().unwrap()
}

fn store(url: &str) -> PostgresStore {
    PostgresStore::init(&config(url)).unwrap();
    PostgresStore::open(&config(url)).unwrap()
}

#[test]
fn the_suite() {
    let Some(server) = postgres::shared() else { return };
    let url = server.database();
    drop(store(&url));
    conformance::administration(|| PostgresStore::open(&config(&url)).unwrap());
}

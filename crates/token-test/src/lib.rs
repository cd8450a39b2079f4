//! token-test

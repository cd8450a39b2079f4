//! token-cli

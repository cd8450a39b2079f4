//! token-api

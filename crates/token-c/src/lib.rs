//! `libonetoken`: the verbs of onetoken for C and C++. `include/onetoken.h` is the reference.
//!
//! Every call goes through [`boundary`]: it checks the pointers, calls a verb of [`token_embed`], and hands out the
//! document. No rule about tokens is here, and no panic leaves.
#![allow(unsafe_code, reason = "C passes pointers")]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]

#[cfg(panic = "abort")]
compile_error!("a panic has to unwind, or it ends the program that uses the library");

mod authority;
mod boundary;
mod buffer;
mod slice;
mod status;
mod typed;
mod verbs;

#[cfg(test)]
mod tests;

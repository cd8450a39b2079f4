//! The native functions of the Erlang application `onetoken`. They hold no rule about tokens: each reads a request from a
//! term, calls [`token_embed`], and writes the answer as a term.
//!
//! `onetoken_nif.erl` declares them, and `onetoken.erl` says which of them to call.
#![allow(
    unsafe_code,
    reason = "what rustler::init! and rustler::nif write; this crate writes none of its own"
)]
#![allow(unreachable_pub, reason = "rustler::nif")]

mod answer;
mod authority;
mod reader;
mod writer;

use std::{io::Write as _, panic};

use rustler::{Binary, Env, Term};
use token_embed::Request;

use crate::{
    answer::{guarded, name},
    reader::Reader,
    writer::written,
};

mod atoms {
    rustler::atoms! { error, null, ok, onetoken, panic, undefined }
}

rustler::init!("onetoken_nif", load = load);

/// Reports a panic by its place alone: its message may quote the request.
fn load(_: Env<'_>, _: Term<'_>) -> bool {
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let _ = std::io::stderr().write_all(format!("onetoken: panic at {place}\n").as_bytes());
    }));
    true
}

/// Answers a small request.
#[rustler::nif]
fn call<'a>(env: Env<'a>, verb: Binary<'a>, request: Term<'a>) -> Term<'a> {
    answered(env, verb, request)
}

/// Answers a request of any size.
#[rustler::nif(schedule = "DirtyCpu")]
fn call_dirty<'a>(env: Env<'a>, verb: Binary<'a>, request: Term<'a>) -> Term<'a> {
    answered(env, verb, request)
}

fn answered<'a>(env: Env<'a>, verb: Binary<'a>, request: Term<'a>) -> Term<'a> {
    guarded(env, || {
        let verb = name(verb)?;
        #[cfg(feature = "test-panic")]
        assert_ne!(verb, "test_panic", "{request:?}");
        written(env, &Request::read(verb, Reader::new(request))?.answer()?)
    })
}

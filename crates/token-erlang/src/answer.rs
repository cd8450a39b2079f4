//! What a native function returns. No error and no panic leaves it.

use std::panic::{self, AssertUnwindSafe};

use rustler::{Atom, Binary, Encoder as _, Env, Term};
use token_embed::Error;

use crate::{atoms, writer::written};

/// `{ok, Answer}`, `{error, Code}` or `{error, {Code, Details}}`.
pub(crate) fn guarded<'a>(env: Env<'a>, call: impl FnOnce() -> Result<Term<'a>, Error>) -> Term<'a> {
    match panic::catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(answer)) => (atoms::ok(), answer).encode(env),
        Ok(Err(error)) => refused(env, &error).unwrap_or_else(|| panicked(env)),
        Err(_) => panicked(env),
    }
}

/// Reads the name of a verb.
pub(crate) fn name(verb: Binary<'_>) -> Result<&str, Error> {
    std::str::from_utf8(verb.as_slice()).map_err(|_| Error::argument("verb", "there is no such verb"))
}

fn panicked(env: Env<'_>) -> Term<'_> {
    (atoms::error(), atoms::panic()).encode(env)
}

/// The codes are a fixed list, so no request makes an atom.
fn refused<'a>(env: Env<'a>, error: &Error) -> Option<Term<'a>> {
    let code = Atom::from_str(env, error.code().as_str()).ok()?;
    let details = written(env, error.detail()).ok()?;
    Some(match details.map_size() {
        Ok(0) => (atoms::error(), code).encode(env),
        _ => (atoms::error(), (code, details)).encode(env),
    })
}

//! The way in from C: pointers become slices, an outcome becomes a status and a buffer, and a panic becomes an error.

use std::{
    ffi::c_char,
    io::{self, Write as _},
    mem,
    panic::{self, AssertUnwindSafe},
    slice,
    sync::Once,
};

use token_embed::{Code, Error, MAX_REQUEST};

use crate::{buffer::Buf, status::Status};

/// Answers a request in JSON into an empty buffer.
///
/// # Safety
/// As for [`fill`]. `request` is NULL or points to `len` bytes.
pub(crate) unsafe fn answer(
    request: *const c_char,
    len: usize,
    into: *mut Buf,
    verb: impl FnOnce(&[u8]) -> Result<Vec<u8>, Error>,
) -> Status {
    // SAFETY: the caller promises NULL or this many bytes.
    let request = unsafe { bytes(request, len) };
    // SAFETY: what it asks for, the caller promises.
    unsafe { fill(into, || request.and_then(verb)) }
}

/// Fills an empty buffer with an answer, or with the document of the error.
///
/// # Safety
/// `into` is NULL or points to a buffer that no other thread uses.
pub(crate) unsafe fn fill(into: *mut Buf, work: impl FnOnce() -> Result<Vec<u8>, Error>) -> Status {
    // SAFETY: the caller promises NULL or a buffer of its own.
    let Some(into) = (unsafe { into.as_mut() }) else { return Code::InvalidArgument.into() };
    if !into.is_empty() {
        // Its bytes would be lost.
        return Code::InvalidArgument.into();
    }
    let outcome = guarded(|| match work() {
        Ok(answer) => (Status::OK, answer),
        Err(error) => failed(&error),
    });
    let (status, document) = outcome.unwrap_or_else(|| failed(&Error::new(Code::Panic)));
    *into = document.into();
    status
}

fn failed(error: &Error) -> (Status, Vec<u8>) {
    (error.code().into(), error.to_json())
}

/// # Safety
/// `data` is NULL or points to `len` bytes, which stay as they are for `'a`.
unsafe fn bytes<'a>(data: *const c_char, len: usize) -> Result<&'a [u8], Error> {
    if data.is_null() {
        return Err(Error::argument("request", "it is NULL"));
    }
    // One byte beyond the limit is enough to be refused. A slice must not be longer than the address space allows.
    let len = len.min(MAX_REQUEST.saturating_add(1));
    // SAFETY: the caller promises `len` bytes or more.
    Ok(unsafe { slice::from_raw_parts(data.cast(), len) })
}

/// Calls `work`. Returns `None` if it panics.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(say_only_where);
    // What `work` borrows is read only, or has locks that outlast a panic.
    match panic::catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(payload) => {
            // To drop it might panic again.
            mem::forget(payload);
            None
        }
    }
}

/// Replaces the message of a panic, which may quote a request, by the place in the source.
fn say_only_where() {
    panic::set_hook(Box::new(|panic| {
        if let Some(place) = panic.location() {
            // Standard error may be closed, and the library has no other log.
            let _ = writeln!(io::stderr(), "onetoken: panic at {place}; please report it");
        }
    }));
}

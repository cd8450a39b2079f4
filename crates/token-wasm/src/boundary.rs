//! What JavaScript calls.
//!
//! 1. `take(length)` returns the address of that many bytes, which the caller fills.
//! 2. `call(verb, its length, request, its length)` uses up both, and returns where the answer is: its address in the
//!    upper half, its length in the lower half. The first byte is the number of the error, 0 for none; JSON follows.
//! 3. `give(address, length)` frees the answer.
//!
//! Requests and answers are wiped, since they hold secrets and tokens. A panic traps, which JavaScript sees as an
//! exception; it then makes a new instance.
#![allow(unsafe_code, reason = "JavaScript passes addresses")]
#![deny(clippy::undocumented_unsafe_blocks, clippy::multiple_unsafe_ops_per_block)]

use std::ptr;

use zeroize::Zeroizing;

#[unsafe(no_mangle)]
extern "C" fn take(length: usize) -> *mut u8 {
    lend(vec![0; length])
}

fn lend(bytes: Vec<u8>) -> *mut u8 {
    Box::into_raw(bytes.into_boxed_slice()).cast()
}

/// # Safety
/// The address is one that [`lend`] returned for that many bytes, and is given back once.
unsafe fn back(address: *mut u8, length: usize) -> Zeroizing<Vec<u8>> {
    let bytes = ptr::slice_from_raw_parts_mut(address, length);
    // SAFETY: `lend` made it from a box of a slice of that length, which has no other owner since.
    let bytes = unsafe { Box::from_raw(bytes) };
    Zeroizing::new(bytes.into_vec())
}

/// # Safety
/// Both are of one answer, given back once.
#[unsafe(no_mangle)]
unsafe extern "C" fn give(address: *mut u8, length: usize) {
    // SAFETY: the caller promises it, and `call` got the address of an answer from `lend`.
    drop(unsafe { back(address, length) });
}

/// # Safety
/// Each address and length is of one `take`, used once.
#[unsafe(no_mangle)]
unsafe extern "C" fn call(verb: *mut u8, verb_length: usize, request: *mut u8, request_length: usize) -> u64 {
    // SAFETY: the caller promises it.
    let verb = unsafe { back(verb, verb_length) };
    // SAFETY: as above.
    let request = unsafe { back(request, request_length) };
    let answer = crate::answer(&verb, &request);
    let length = answer.len();
    (lend(answer) as u64) << 32 | length as u64
}

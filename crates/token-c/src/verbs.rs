//! The verbs that need no store.

use std::ffi::c_char;

use crate::{boundary, buffer::Buf, status::Status};

macro_rules! verbs {
    ($($function:ident = $verb:literal,)+) => {
        $(
            #[doc = concat!("The verb `", $verb, "`.")]
            ///
            /// # Safety
            /// As for [`boundary::answer`].
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $function(request: *const c_char, len: usize, answer: *mut Buf) -> Status {
                let verb = |request: &[u8]| token_embed::answer_json($verb, request);
                // SAFETY: what it asks for, the caller promises.
                unsafe { boundary::answer(request, len, answer, verb) }
            }
        )+

        /// The functions with their verbs.
        #[cfg(test)]
        pub(crate) const VERBS: &[(&str, &str, Function)] = &[$((stringify!($function), $verb, $function),)+];
    };
}

#[cfg(test)]
pub(crate) type Function = unsafe extern "C" fn(*const c_char, usize, *mut Buf) -> Status;

verbs! {
    onetoken_inspect = "inspect",
    onetoken_confine = "confine",
    onetoken_caveat = "caveat",
    onetoken_needs = "needs",
    onetoken_preflight = "preflight",
    onetoken_mint = "mint",
    onetoken_verify = "verify",
    onetoken_bind = "bind",
    onetoken_seal = "seal",
    onetoken_open = "open",
    onetoken_version = "version",
}

/// Panics, with the request in its message.
///
/// # Safety
/// As for [`boundary::answer`].
#[cfg(feature = "test-panic")]
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn onetoken_test_panic(
    request: *const c_char,
    len: usize,
    answer: *mut Buf,
) -> Status {
    #[expect(clippy::panic, reason = "deliberate")]
    let verb = |request: &[u8]| panic!("{}", request.escape_ascii());
    // SAFETY: what it asks for, the caller promises.
    unsafe { boundary::answer(request, len, answer, verb) }
}

//! The verbs of an authority over a store, by a handle.

use std::{ffi::c_char, mem, ptr};

use token_embed::{Error, authority::Authority};

use crate::{boundary, buffer::Buf, status::Status};

/// Threads share a handle.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<Authority>();
};

/// Opens the store that the request names, and hands out an authority.
///
/// # Safety
/// As for [`boundary::answer`]; `authority` is NULL or points to a pointer that no other thread uses.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn onetoken_authority_open(
    request: *const c_char,
    len: usize,
    authority: *mut *mut Authority,
    answer: *mut Buf,
) -> Status {
    // SAFETY: the caller promises NULL or a pointer of its own.
    let handle = unsafe { authority.as_mut() };
    let open = |request: &[u8]| {
        let handle = handle.ok_or_else(|| Error::argument("authority", "it is NULL"))?;
        if !handle.is_null() {
            return Err(Error::argument("authority", "it is open"));
        }
        *handle = Box::into_raw(Box::new(Authority::open_json(request)?));
        Ok(b"{}".to_vec())
    };
    // SAFETY: what it asks for, the caller promises.
    unsafe { boundary::answer(request, len, answer, open) }
}

/// Closes the store and makes the pointer NULL. Does nothing if either is NULL.
///
/// # Safety
/// `authority` is NULL or points to NULL or to a handle that [`onetoken_authority_open`] gave. No call uses the handle.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn onetoken_authority_close(authority: *mut *mut Authority) {
    // SAFETY: the caller promises NULL or a pointer of its own.
    let Some(handle) = (unsafe { authority.as_mut() }) else { return };
    let handle = mem::replace(handle, ptr::null_mut());
    if !handle.is_null() {
        // SAFETY: `onetoken_authority_open` made it from a box, and the pointer to it is gone.
        let authority = unsafe { Box::from_raw(handle) };
        // The function returns nothing that could say so.
        let _ = boundary::guarded(|| drop(authority));
    }
}

macro_rules! verbs {
    ($($function:ident = $verb:literal,)+) => {
        $(
            #[doc = concat!("The verb `", $verb, "`.")]
            ///
            /// # Safety
            /// As for [`boundary::answer`]; `authority` is NULL or an open handle.
            #[unsafe(no_mangle)]
            pub(crate) unsafe extern "C" fn $function(
                authority: *const Authority,
                request: *const c_char,
                len: usize,
                answer: *mut Buf,
            ) -> Status {
                // SAFETY: the caller promises NULL or an open handle, and changes of an authority are behind locks.
                let authority = unsafe { authority.as_ref() };
                let verb = |request: &[u8]| {
                    authority.ok_or_else(|| Error::argument("authority", "it is NULL"))?.answer_json($verb, request)
                };
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
pub(crate) type Function = unsafe extern "C" fn(*const Authority, *const c_char, usize, *mut Buf) -> Status;

verbs! {
    onetoken_authority_mint = "mint",
    onetoken_authority_check = "check",
    onetoken_authority_consume = "consume",
    onetoken_authority_refund = "refund",
    onetoken_authority_revoke = "revoke",
    onetoken_authority_unrevoke = "unrevoke",
    onetoken_authority_delete = "delete",
    onetoken_authority_list = "list",
    onetoken_authority_void_temporary = "void_temporary",
    onetoken_authority_events = "events",
    onetoken_authority_purge = "purge",
}

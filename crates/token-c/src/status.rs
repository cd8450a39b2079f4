//! What a function returns.

use std::{
    ffi::{CString, c_char},
    sync::LazyLock,
};

use token_embed::{ABI, Code};

/// `onetoken_status`: 0, or the number of a [`Code`]. No enum, since C may pass any number.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Status(i32);

impl Status {
    pub(crate) const OK: Self = Self(0);
}

impl From<Code> for Status {
    fn from(code: Code) -> Self {
        Self(code.number().into())
    }
}

/// The word for each number.
static WORDS: LazyLock<Vec<(i32, CString)>> = LazyLock::new(|| {
    let codes = Code::ALL.iter().map(|code| (code.number().into(), code.as_str()));
    let words = [(0, "ok")].into_iter().chain(codes);
    words.filter_map(|(number, word)| Some((number, CString::new(word).ok()?))).collect()
});

/// Returns the word for a status, such as `token_invalid`; `unknown` for other numbers.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn onetoken_status_name(status: Status) -> *const c_char {
    let found = WORDS.iter().find(|(number, _)| *number == status.0);
    found.map_or(c"unknown".as_ptr(), |(_, word)| word.as_ptr())
}

/// Returns the version of the functions and of the documents.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn onetoken_abi_version() -> u32 {
    ABI
}

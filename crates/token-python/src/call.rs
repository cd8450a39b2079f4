//! One call: a request is read, answered and written.

use std::panic::{self, AssertUnwindSafe};

use pyo3::{
    prelude::*,
    sync::PyOnceLock,
    types::{PyString, PyType},
};
use serde::Serialize;
use token_embed::{Code, Error};

use crate::request::{Arguments, Reader};

/// The length of a request from which on the interpreter's lock is released, in bytes. A shorter one is answered within
/// 2 ms at worst, and most in a few microseconds. Another thread that took the lock meanwhile could keep it for 5 ms.
const LONG: usize = 32 << 10;

/// What an answer takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// The processor, for longer the longer the request is.
    Computes,
    /// A disk or a server.
    Waits,
}

/// Reads the request from the arguments, has it answered, and returns the answer as Python objects.
pub(crate) fn call<'a, 'py, R: Sync, A: Serialize + Send>(
    py: Python<'py>,
    arguments: &'a Arguments<'py>,
    work: Work,
    read: impl FnOnce(Reader<'a, 'py>) -> Result<R, Error>,
    answer: impl FnOnce(&R) -> Result<A, Error> + Send,
) -> PyResult<Bound<'py, PyAny>> {
    guarded(py, || {
        let request = arguments.read(read)?;
        let answer = if work == Work::Computes && arguments.len() < LONG {
            answer(&request)?
        } else {
            py.detach(|| answer(&request))?
        };
        pythonize::pythonize(py, &answer).map_err(|_| Error::new(Code::Panic))
    })
}

/// Makes an `OnetokenError` of an error, and of a panic.
pub(crate) fn guarded<T>(py: Python<'_>, work: impl FnOnce() -> Result<T, Error>) -> PyResult<T> {
    let done = panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(Error::new(Code::Panic)));
    done.map_err(|error| exception(py, &error))
}

/// Returns the error as an `OnetokenError`.
fn exception(py: Python<'_>, error: &Error) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let raised = || {
        let detail = pythonize::pythonize(py, error.detail())?;
        let code = PyString::intern(py, error.code().as_str());
        CLASS.import(py, "onetoken._error", "OnetokenError")?.call1((code, detail))
    };
    raised().map_or_else(|error| error, PyErr::from_value)
}

/// Replaces what a panic prints, which may quote a request, by its place. The hook is that of this library alone.
pub(crate) fn silence_panics() {
    panic::set_hook(Box::new(|panic| {
        #[allow(clippy::print_stderr, reason = "the exception does not say where the fault is")]
        match panic.location() {
            Some(place) => eprintln!("onetoken: a fault at {place}; please report it"),
            None => eprintln!("onetoken: a fault; please report it"),
        }
    }));
}

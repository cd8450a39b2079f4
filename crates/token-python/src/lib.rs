//! The Python module `onetoken`: the verbs of [`token_embed`] as functions of keyword arguments that return dicts.
//!
//! It holds no rule about tokens. A call reads a request from its arguments (`request`), has it answered and writes the
//! answer as Python objects (`call`). `python/onetoken` has the exception, the stubs and the plugin for pytest.
#![forbid(unsafe_code)]

mod authority;
mod call;
mod request;
mod verbs;

use pyo3::prelude::*;

/// The compiled part of `onetoken`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    call::silence_panics();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("CODES", token_embed::Code::ALL.map(token_embed::Code::as_str))?;
    module.add_class::<authority::Authority>()?;
    verbs::add(module)
}

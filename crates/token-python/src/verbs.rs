//! The verbs without a store, as functions.

use pyo3::{
    prelude::*,
    types::{PyDict, PyModule},
};
use token_embed::Request;

use crate::{
    call::{Work, call},
    request::Arguments,
};

/// Defines functions: for each its verb, its signature, and the names of its arguments with those in documents.
macro_rules! functions {
    ($($(#[$doc:meta])* $verb:ident $signature:literal ($($argument:ident $member:literal),*);)+) => {
        $(
            $(#[$doc])*
            #[pyfunction]
            #[pyo3(signature = (*, $($argument=None,)* **others), text_signature = $signature)]
            #[allow(clippy::too_many_arguments, reason = "each has a name")]
            fn $verb<'py>(
                py: Python<'py>,
                $($argument: Option<Bound<'py, PyAny>>,)*
                others: Option<Bound<'py, PyDict>>,
            ) -> PyResult<Bound<'py, PyAny>> {
                let arguments = Arguments::new([$(($member, $argument)),*], others);
                let verb = stringify!($verb);
                call(py, &arguments, Work::Computes, |from| Request::read(verb, from), |request: &Request<'_>| {
                    #[cfg(feature = "test-panic")]
                    request_to_panic(verb);
                    request.answer()
                })
            }
        )+

        /// Adds the functions to the module.
        pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
            $(module.add_function(wrap_pyfunction!($verb, module)?)?;)+
            Ok(())
        }
    };
}

#[cfg(feature = "test-panic")]
fn request_to_panic(verb: &str) {
    #[allow(clippy::panic, reason = "for the test that no panic leaves a call")]
    if verb == "needs" {
        panic!("hunter2");
    }
}

functions! {
    /// Reads a token without its key. Proves nothing.
    ///
    /// `now` (Unix seconds) decides `expired`, which is None without it. `signature=True` shows the signature, which makes
    /// the answer as secret as the token. `compat=True` reads spellings that Onedata does not write.
    ///
    /// Returns a dict with `verified` (False), `format`, `encoding`, `bytes`, `location`, `identifier`, `token` (the
    /// document of the identifier, or None), `caveats`, `expiresAt`, `expired` and `signature`.
    ///
    /// Raises OnetokenError: `bad_token`, whose detail says where the damage is and what could be read before it.
    inspect "(*, token, now=None, signature=None, compat=None)"
        (token "token", now "now", signature "signature", compat "compat");

    /// Appends caveats to a token. Needs no key, and nothing can be taken away again.
    ///
    /// `caveats` is a list of texts, such as `"time < 1700000000"`, or of documents, such as
    /// `{"type": "time", "validUntil": 1700000000}`.
    ///
    /// Returns `{"token": ...}`.
    confine "(*, token, caveats)" (token "token", caveats "caveats");

    /// Reads the text of a caveat, or writes one from its document.
    ///
    /// Returns `{"text": ..., "caveat": ...}`, as Onedata writes them. `caveat` is None if the text is not understood.
    caveat "(*, text=None, caveat=None)" (text "text", caveat "caveat");

    /// Says which facts to look up before the token is verified.
    ///
    /// Returns a dict with `asn`, `country` and `region` (bools), and `groups`: the ids of the groups that caveats name.
    /// The group `"*"` asks whether the consumer is in any group.
    needs "(*, token)" (token "token");

    /// Judges a token without its key: whether its issuer would refuse it.
    ///
    /// Returns `{"refuted": {"index": ..., "caveat": ..., "reason": ...}}` or `{"undecided": True}`. For `context` and
    /// `as_` see `verify`.
    preflight "(*, token, context, as_=None)" (token "token", context "context", as_ "as");

    /// Makes a token under a secret or a root key.
    ///
    /// `identifier` is a text, or the document that `inspect` shows as `token`. `format` is `"v1"` (the default), `"v2"`
    /// or `"v2j"`, `encoding` `"base62"`, `"base64url"` or `"json"`.
    ///
    /// Returns `{"token": ...}`.
    mint "(*, location, identifier, secret=None, root_key=None, caveats=None, format=None, encoding=None)"
        (location "location", identifier "identifier", secret "secret", root_key "rootKey", caveats "caveats",
            format "format", encoding "encoding");

    /// Verifies a token by its secret or its root key, and by the facts of the request.
    ///
    /// `context` is a dict with `now` (Unix seconds, needed) and, where they are known, `ip`, `asn`, `country`, `regions`,
    /// `service`, `consumer`, `groups`, `interface`, `session`, `scope` and `allowDataCaveats`. A fact that is missing
    /// satisfies no caveat.
    ///
    /// `as_` (`"access"`, `"identity"` or `"invite"`) says which types of caveats the token may carry, `supported` and
    /// `ignored` name such types, `exact` lists caveats that hold as they stand, and `discharges` the tokens that
    /// discharge its third-party caveats.
    ///
    /// Returns a dict with `valid` (True), `identifier`, `subject`, `type`, `caveats` (texts) and `expiresAt`.
    ///
    /// Raises OnetokenError: `token_invalid`, `token_caveat_unverified`, `token_caveat_unknown`, `token_session_invalid`,
    /// `bad_token`, or, with `as_`, `not_an_access_token`, `not_an_identity_token` or `not_an_invite_token`.
    verify "(*, token, context, secret=None, root_key=None, as_=None, supported=None, ignored=None, exact=None, discharges=None)"
        (token "token", context "context", secret "secret", root_key "rootKey", as_ "as", supported "supported",
            ignored "ignored", exact "exact", discharges "discharges");

    /// Binds a discharge to the token that it is presented with.
    ///
    /// Returns `{"token": ...}`.
    bind "(*, root, discharge)" (root "root", discharge "discharge");

    /// Says what this library is.
    ///
    /// Returns a dict with `package` (its version), `abi` (the version of the documents) and `formats`.
    version "()" ();
}

//! The verbs of an authority, as a class.

use pyo3::{prelude::*, types::PyDict};
use token_embed::authority::{Authority as Inner, Open, Request};

use crate::{
    call::{Work, call, guarded},
    request::Arguments,
};

/// Defines the methods: for each its verb, its signature, and the names of its arguments with those in documents.
macro_rules! methods {
    ($($(#[$doc:meta])* $verb:ident $signature:literal ($($argument:ident $member:literal),*);)+) => {
        #[pymethods]
        impl Authority {
            /// Opens the store.
            #[new]
            #[pyo3(
                signature = (*, store=None, keys=None, create=None, location=None, domain=None, dialect=None,
                    lifetime=None, max_temporary_lifetime=None, **others),
                text_signature = "(*, store, keys=None, create=None, location=None, domain=None, dialect=None, \
                    lifetime=None, max_temporary_lifetime=None)"
            )]
            #[allow(clippy::too_many_arguments, reason = "each has a name")]
            fn open<'py>(
                py: Python<'py>,
                store: Option<Bound<'py, PyAny>>,
                keys: Option<Bound<'py, PyAny>>,
                create: Option<Bound<'py, PyAny>>,
                location: Option<Bound<'py, PyAny>>,
                domain: Option<Bound<'py, PyAny>>,
                dialect: Option<Bound<'py, PyAny>>,
                lifetime: Option<Bound<'py, PyAny>>,
                max_temporary_lifetime: Option<Bound<'py, PyAny>>,
                others: Option<Bound<'py, PyDict>>,
            ) -> PyResult<Self> {
                let arguments = Arguments::new(
                    [("store", store), ("keys", keys), ("create", create), ("location", location), ("domain", domain),
                        ("dialect", dialect), ("lifetime", lifetime), ("maxTemporaryLifetime", max_temporary_lifetime)],
                    others,
                );
                guarded(py, || {
                    let request = arguments.read(|from| Open::read(from))?;
                    py.detach(|| Inner::open(&request)).map(Self)
                })
            }

            /// Closes the store once the calls in flight have returned. Later calls raise `invalid_argument`.
            fn close(&self, py: Python<'_>) -> PyResult<()> {
                guarded(py, || {
                    py.detach(|| self.0.close());
                    Ok(())
                })
            }

            fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
                slf
            }

            #[pyo3(signature = (*_exception))]
            fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
                self.close(py)
            }

            fn __repr__(&self) -> &'static str {
                "<onetoken.Authority>"
            }

            $(
                $(#[$doc])*
                #[pyo3(signature = (*, $($argument=None,)* **others), text_signature = $signature)]
                #[allow(clippy::too_many_arguments, reason = "each has a name")]
                fn $verb<'py>(
                    &self,
                    py: Python<'py>,
                    $($argument: Option<Bound<'py, PyAny>>,)*
                    others: Option<Bound<'py, PyDict>>,
                ) -> PyResult<Bound<'py, PyAny>> {
                    let arguments = Arguments::new([$(($member, $argument)),*], others);
                    let read = |from| Request::read(stringify!($verb), from);
                    call(py, &arguments, Work::Waits, read, |request| self.0.answer(request))
                }
            )+
        }
    };
}

/// An authority over a store: it mints, checks, spends and revokes tokens. Its methods can be called from many threads.
///
/// `store` is `"memory:"`, `"redb:PATH"`, or, where they are built in, `"sled:PATH"` or `"postgres://..."`. `keys` is a
/// dict with one of `file`, `variable` and `text`; `"memory:"` needs none. `create=True` makes the store and its key file
/// where there is neither. `location`, `domain`, `dialect` (`"legacy"` or `"modern"`), `lifetime` and
/// `max_temporary_lifetime` (seconds) are about the tokens that it mints.
///
/// The host is never called back: `check` says what it has to decide, and `consume` and `mint` take its `decision`:
/// `"allowed"`, `"resource_gone"`, `"no_longer_allowed"`, `"subject_gone"`, `"subject_blocked"` or `"service_forbidden"`.
///
/// Raises OnetokenError: `store_unavailable`, `store_corrupt` or `invalid_argument`. Use it in a `with` statement, or
/// `close` it.
#[pyclass(frozen, module = "onetoken")]
pub(crate) struct Authority(Inner);

methods! {
    /// Makes a token, and its record unless it is `temporary`.
    ///
    /// `type` is its purpose, such as `"space-support"` or `"access"`; `target` the id of what an invitation is for;
    /// `issuer` a subject, such as `"usr-u1"`; `decision` whether the issuer may. One of `lifetime` (seconds),
    /// `expires_at` and `forever`, and one of `uses` and `unlimited` can be given.
    ///
    /// Returns a dict with `token`, `id` and `expiresAt`.
    mint "($self, *, type, issuer, decision, target=None, session=None, modern=None, temporary=None, lifetime=None, expires_at=None, forever=None, uses=None, unlimited=None, caveats=None, name=None, metadata=None, privileges=None)"
        (r#type "type", issuer "issuer", decision "decision", target "target", session "session", modern "modern",
            temporary "temporary", lifetime "lifetime", expires_at "expiresAt", forever "forever", uses "uses",
            unlimited "unlimited", caveats "caveats", name "name", metadata "metadata", privileges "privileges");

    /// Verifies a token up to the decision of the host, or with it. Spends nothing.
    ///
    /// Returns a dict with `id`, `type`, `resource`, `issuer`, `expiresAt`, `stored`, `usesLeft`, `privileges`, `caveats`
    /// and `questions`: what the host has to decide before it acts on the token.
    check "($self, *, token, expect=None, context=None, decision=None)"
        (token "token", expect "expect", context "context", decision "decision");

    /// Spends one use of a token for the consumer of the context, under a `claim`: a retry under the same claim gets the
    /// same answer and takes no other use.
    ///
    /// Returns a dict with `consumed` (True), `id`, `type`, `resource`, `issuer`, `usesLeft`, `repeated` and `refund`.
    consume "($self, *, token, expect, context, decision, claim)"
        (token "token", expect "expect", context "context", decision "decision", claim "claim");

    /// Gives a use back, by the `refund` that `consume` returned. The host has not acted on it, and will not.
    ///
    /// Returns a dict with `id` and `outcome`: `"refunded"`, `"kept"`, `"not-claimed"` or `"absent"`.
    refund "($self, *, refund)" (refund "refund");

    /// Makes a token worthless, by its `id` or its text: for good, unless it is `reversible`.
    ///
    /// Returns a dict with `id` and `outcome`: `"revoked"` or `"absent"`.
    revoke "($self, *, id=None, token=None, reversible=None, by=None, reason=None)"
        (id "id", token "token", reversible "reversible", by "by", reason "reason");

    /// Undoes a reversible revocation.
    ///
    /// Returns a dict with `id` and `outcome`: `"unrevoked"`, `"for-good"` or `"absent"`.
    unrevoke "($self, *, id=None, token=None)" (id "id", token "token");

    /// Removes the record of a token, with all that is known of its uses.
    ///
    /// Returns a dict with `id` and `outcome`: `"deleted"` or `"absent"`.
    delete "($self, *, id=None, token=None)" (id "id", token "token");

    /// Lists the records of a `resource` or an `issuer` (with a `name`), those that expire before a time, or all, page by
    /// page.
    ///
    /// Returns a dict with `tokens`, `damaged` (ids) and `next`: the `after` of the next page, or None.
    list "($self, *, resource=None, issuer=None, name=None, expires_before=None, after=None, limit=None)"
        (resource "resource", issuer "issuer", name "name", expires_before "expiresBefore", after "after",
            limit "limit");

    /// Revokes all temporary tokens of a subject.
    ///
    /// Returns a dict with `generation`: that of the tokens minted from now on.
    void_temporary "($self, *, subject)" (subject "subject");

    /// Returns the changes that make verdicts obsolete, after a place; without `after`, the place of the next.
    ///
    /// Returns a dict with `events`, `next` and `missed`: if it is True, forget every verdict.
    events "($self, *, after=None, limit=None)" (after "after", limit "limit");

    /// Removes records that have expired, by now or by an earlier time.
    ///
    /// Returns a dict with `purged`: how many. Fewer than the limit means that none are left.
    purge "($self, *, before=None, limit=None)" (before "before", limit "limit");
}

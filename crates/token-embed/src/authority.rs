//! An authority over a store, by documents: it mints, checks, spends and revokes.
//!
//! The host is never called back. [`Check`] says what the host has to decide about a token, and [`Consume`] takes the
//! decision. Calls are synchronous, wait for a disk or a server, and may be made from many threads.
//!
//! ```
//! use token_embed::authority::Authority;
//!
//! let authority = Authority::open_json(br#"{"store":"memory:"}"#).unwrap();
//! let request = br#"{"type":"space-support","target":"s1","issuer":"usr-u1","decision":"allowed"}"#;
//! let minted = authority.call("mint", request).unwrap();
//! let minted: serde_json::Value = serde_json::from_slice(&minted).unwrap();
//!
//! let request = format!(r#"{{"token":{},"expect":"space-support","context":{{"consumer":"prv-p1"}}}}"#, minted["token"]);
//! let checked = authority.call("check", request.as_bytes()).unwrap();
//! let checked: serde_json::Value = serde_json::from_slice(&checked).unwrap();
//! assert_eq!(checked["questions"][1]["resource"]["id"], "s1");
//!
//! let claimed = request.replacen('{', r#"{"claim":"request 1","decision":"allowed","#, 1);
//! let spent = authority.call("consume", claimed.as_bytes()).unwrap();
//! assert!(spent.starts_with(br#"{"consumed":true,"#));
//! ```

mod error;
mod mint;
mod open;
mod records;
mod spend;

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use serde::{Deserialize, Deserializer, Serialize};
use token_store::Administration;

pub use self::{
    mint::{Mint, Minted},
    open::Open,
    records::{
        Delete, Entry, Events, Happened, List, Listed, Named, Outcome, Purge, Purged, Revoke, Unrevoke,
        VoidTemporary, Voided,
    },
    spend::{Check, Checked, Consume, Consumed, Refund},
};
use crate::{
    error::{Code, Error},
    json::{from_json, unreadable},
    text::object,
    verbs::verbs,
};

/// The authority of the library, over any store.
type Inner = token_api::Authority<Box<dyn Administration>>;

verbs! {
    (self, authority: &Inner) (authority)
    "mint" Mint Mint<'a> => Minted,
    "check" Check Check<'a> => Checked,
    "consume" Consume Consume<'a> => Consumed,
    "refund" Refund Refund<'a> => Outcome,
    "revoke" Revoke Revoke<'a> => Outcome,
    "unrevoke" Unrevoke Unrevoke<'a> => Outcome,
    "delete" Delete Delete<'a> => Outcome,
    "list" List List<'a> => Listed,
    "void_temporary" VoidTemporary VoidTemporary => Voided,
    "events" Events Events<'a> => Happened,
    "purge" Purge Purge => Purged,
}

impl<'a> Open<'a> {
    /// Reads the request from any form that serde has a deserializer for, as [`Request::read`] does.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`]; the error shows no value of the request.
    pub fn read<D: Deserializer<'a>>(from: D) -> Result<Self, Error> {
        object(from).map_err(|error| unreadable(&error))
    }
}

/// An open authority. Closing it, or dropping it, closes its store once the calls in flight have returned.
pub struct Authority(RwLock<Option<Arc<Inner>>>);

impl Authority {
    /// Opens the store, with its keys.
    ///
    /// # Errors
    /// [`Error`]
    pub fn open(request: &Open<'_>) -> Result<Self, Error> {
        Ok(Self(RwLock::new(Some(Arc::new(request.open()?)))))
    }

    /// Opens the store that a request in JSON names.
    ///
    /// # Errors
    /// [`Error`]
    pub fn open_json(request: &[u8]) -> Result<Self, Error> {
        Self::open(&from_json(request, |json| Open::read(json))?)
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`Error`], [`Code::InvalidArgument`] after [`close`](Self::close).
    pub fn answer(&self, request: &Request<'_>) -> Result<Answer, Error> {
        let inner = self.inner()?;
        request.answer(&inner)
    }

    fn inner(&self) -> Result<Arc<Inner>, Error> {
        let open = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        open.ok_or_else(|| Error::because(Code::InvalidArgument, "the authority is closed"))
    }

    /// Answers a request in JSON. Both documents, the answer and the error, are JSON.
    ///
    /// # Errors
    /// The document of an [`Error`].
    pub fn call(&self, verb: &str, request: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        self.answer_json(verb, request).map_err(|error| error.to_json())
    }

    /// Answers a request in JSON, as [`call`](Self::call) does.
    ///
    /// # Errors
    /// [`Error`]
    pub fn answer_json(&self, verb: &str, request: &[u8]) -> Result<Vec<u8>, Error> {
        let inner = self.inner()?;
        in_json(verb, request, &inner)
    }

    /// Closes the authority: later calls are refused. Its store is closed when the last call in flight returns. Closing
    /// it again does nothing.
    pub fn close(&self) {
        drop(self.0.write().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(..)")
    }
}

/// What the host decides.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allowed,
    ResourceGone,
    NoLongerAllowed,
    SubjectGone,
    SubjectBlocked,
    ServiceForbidden,
}

impl Decision {
    /// The error of a token that this keeps from being minted.
    fn refusal(self) -> Error {
        match self {
            Self::SubjectGone => Error::because(Code::TokenSubjectInvalid, "gone"),
            Self::SubjectBlocked => Error::because(Code::TokenSubjectInvalid, "blocked"),
            Self::ServiceForbidden => Error::new(Code::TokenServiceForbidden),
            Self::ResourceGone => Error::new(Code::InviteTokenTargetIdInvalid),
            Self::Allowed | Self::NoLongerAllowed => Error::new(Code::InviteTokenSubjectNotAuthorized),
        }
    }
}

impl From<Decision> for token_api::Decision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allowed => Self::Allowed,
            Decision::ResourceGone => Self::ResourceGone,
            Decision::NoLongerAllowed => Self::NoLongerAllowed,
            Decision::SubjectGone => Self::SubjectGone,
            Decision::SubjectBlocked => Self::SubjectBlocked,
            Decision::ServiceForbidden => Self::ServiceForbidden,
        }
    }
}

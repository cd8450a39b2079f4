//! Verification: the whole chain first, then each caveat in order.

use crate::{
    Caveat, Context, Identifier, LegacyType, Macaroon, Predicate, RootKey, Subject, TokenType, TokenUse,
    UnixTime, Unmet, judge::judge, mac::ChainKey,
};

/// Verifies macaroons against the facts of one request.
///
/// ```
/// use token_core::{Context, Macaroon, PredicateBuf, RootKey, UnixTime, Verifier, VerifyError};
///
/// let key = RootKey::derive(&[7; 32])?;
/// let mut macaroon = Macaroon::mint(&key, "onezone", b"id")?;
/// macaroon.attenuate(PredicateBuf::time(UnixTime::from_secs(1_000)))?;
///
/// let before = Context::at(UnixTime::from_secs(999));
/// assert_eq!(Verifier::new(&before).verify(&macaroon, &key)?.expires_at(), Some(UnixTime::from_secs(1_000)));
///
/// let at = Context::at(UnixTime::from_secs(1_000));
/// assert!(matches!(Verifier::new(&at).verify(&macaroon, &key), Err(VerifyError::CaveatUnmet { index: 0, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Verifier<'a> {
    context: &'a Context<'a>,
    token_use: Option<TokenUse>,
    exact: &'a [&'a [u8]],
}

impl<'a> Verifier<'a> {
    /// Judges caveats of Onedata's vocabulary by this context, on tokens of any type.
    #[must_use]
    pub const fn new(context: &'a Context<'a>) -> Self {
        Self { context, token_use: None, exact: &[] }
    }

    /// Refuses caveats that tokens used so do not support.
    #[must_use]
    pub const fn used_as(self, token_use: TokenUse) -> Self {
        Self { token_use: Some(token_use), ..self }
    }

    /// Accepts, besides, every caveat whose text is exactly one of these.
    #[must_use]
    pub const fn exact(self, exact: &'a [&'a [u8]]) -> Self {
        Self { exact, ..self }
    }

    /// Whether the macaroon was minted under this key and holds in this context.
    ///
    /// No caveat is looked at before the signature is confirmed, so a forger learns nothing about them.
    ///
    /// # Errors
    /// [`VerifyError::BadSignature`]; else what the first caveat that does not hold comes to, by its index.
    pub fn verify<'t>(&self, macaroon: &'t Macaroon, key: &RootKey) -> Result<Verified<'t>, VerifyError> {
        let mut link = ChainKey::start(key, macaroon.identifier());
        for caveat in macaroon.caveats() {
            link = match caveat {
                Caveat::FirstParty { predicate } => link.link(predicate),
                Caveat::ThirdParty { identifier, vid, .. } => link.link_third_party(vid, identifier),
            };
        }
        if !link.confirms(macaroon.signature()) {
            return Err(VerifyError::BadSignature);
        }

        let mut verified = Verified { macaroon, expires_at: None, legacy_type: None };
        for (index, caveat) in macaroon.caveats().enumerate() {
            match caveat {
                Caveat::FirstParty { predicate } => self.admit(index, predicate, &mut verified)?,
                Caveat::ThirdParty { .. } => return Err(VerifyError::DischargeMissing { index }),
            }
        }
        match (self.token_use, verified.legacy_type) {
            (Some(TokenUse::Legacy(_)), None) => Err(VerifyError::WrongType { stated: None }),
            _ => Ok(verified),
        }
    }

    fn admit(&self, index: usize, text: &[u8], verified: &mut Verified<'_>) -> Result<(), VerifyError> {
        let predicate = Predicate::read(text);
        if let Some(Predicate::Time { valid_until }) = predicate {
            verified.expires_at =
                Some(verified.expires_at.map_or(valid_until, |least| least.min(valid_until)));
        }
        if self.exact.contains(&text) {
            return Ok(());
        }
        let predicate = predicate.ok_or(VerifyError::CaveatUnknown { index })?;
        if self.token_use.is_some_and(|token_use| !token_use.supports(&predicate)) {
            return Err(VerifyError::CaveatUnsupported { index });
        }
        if let Predicate::TokenType(stated) = predicate {
            // A holder may append another type, which narrows the token to nothing.
            match (self.token_use, *verified.legacy_type.get_or_insert(stated)) {
                (Some(TokenUse::Legacy(asked)), _) if asked != stated => {
                    return Err(VerifyError::WrongType { stated: Some(stated) });
                }
                (_, first) if first != stated => {
                    return Err(VerifyError::CaveatUnmet { index, why: Unmet::Refuted });
                }
                _ => {}
            }
        }
        judge(&predicate, self.context).map_err(|why| VerifyError::CaveatUnmet { index, why })
    }

    /// What can be told about a macaroon without its key: whether one of its caveats is refuted already, so
    /// that it need not be sent to its issuer at all.
    ///
    /// This is no verification, and nothing that it returns says that a token is good: anyone can write
    /// caveats that are not refuted.
    pub fn preflight(&self, macaroon: &Macaroon) -> Preflight {
        for (index, caveat) in macaroon.caveats().enumerate() {
            let Caveat::FirstParty { predicate: text } = caveat else { continue };
            if self.exact.contains(&text) {
                continue;
            }
            let Some(predicate) = Predicate::read(text) else {
                return Preflight::Refuted { index, why: Refutation::Unknown };
            };
            if self.token_use.is_some_and(|token_use| !token_use.supports(&predicate)) {
                return Preflight::Refuted { index, why: Refutation::Unsupported };
            }
            let of_another_type = matches!(
                (predicate, self.token_use),
                (Predicate::TokenType(stated), Some(TokenUse::Legacy(asked))) if stated != asked
            );
            match judge(&predicate, self.context) {
                _ if of_another_type => {
                    return Preflight::Refuted { index, why: Refutation::Unmet(Unmet::Refuted) };
                }
                // The issuer may know what is not known here.
                Ok(()) | Err(Unmet::NotKnown) => {}
                Err(why) => return Preflight::Refuted { index, why: Refutation::Unmet(why) },
            }
        }
        Preflight::Undecided
    }
}

/// A macaroon that was minted under the key it was verified with, and whose caveats hold in the context it
/// was verified in. Only [`Verifier::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'t> {
    macaroon: &'t Macaroon,
    expires_at: Option<UnixTime>,
    legacy_type: Option<LegacyType>,
}

impl<'t> Verified<'t> {
    /// The macaroon, with the caveats that are enforced after verification (`api`, `data.…`) among others.
    #[must_use]
    pub const fn macaroon(&self) -> &'t Macaroon {
        self.macaroon
    }

    /// What its identifier says; `None` where that is not written as Onedata writes it.
    #[must_use]
    pub fn identifier(&self) -> Option<Identifier<'t>> {
        Identifier::read(self.macaroon.identifier()).ok()
    }

    /// Who the token speaks for, or who invites. Not known for an opaque identifier: the issuer's record
    /// tells.
    #[must_use]
    pub fn subject(&self) -> Option<Subject<'t>> {
        self.identifier()?.v2().map(|identifier| identifier.subject)
    }

    /// What the token is for, and for an invitation its target, as a version-2 identifier says.
    #[must_use]
    pub fn token_type(&self) -> Option<TokenType<'t>> {
        self.identifier()?.v2().map(|identifier| identifier.token_type)
    }

    /// What the token is for, as a token of before 20.02 says in its caveat `tokenType = …`.
    #[must_use]
    pub const fn legacy_type(&self) -> Option<LegacyType> {
        self.legacy_type
    }

    /// The first second at which the token no longer holds: the least of all its `time` caveats.
    #[must_use]
    pub const fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }
}

/// Why a macaroon was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// Another root key, or bytes changed after signing. Deliberately says no more.
    #[error("the signature does not match")]
    BadSignature,
    /// A caveat was understood and does not hold.
    #[error("caveat {index} does not hold: {why}")]
    CaveatUnmet {
        /// Which caveat, from 0 in chain order.
        index: usize,
        /// Why it does not hold.
        why: Unmet,
    },
    /// A caveat is of a kind that a token used so must not carry (`onedata-tokens.md` §4.1).
    #[error("caveat {index} is not supported by a token used so")]
    CaveatUnsupported {
        /// Which caveat, from 0 in chain order.
        index: usize,
    },
    /// A caveat is not understood.
    #[error("caveat {index} is not known")]
    CaveatUnknown {
        /// Which caveat, from 0 in chain order.
        index: usize,
    },
    /// The token states another type than the one it is used as, or none.
    #[error("the token is of another type")]
    WrongType {
        /// The type that it states.
        stated: Option<LegacyType>,
    },
    /// A third-party caveat has no discharge.
    #[error("caveat {index} has to be discharged by a third party")]
    DischargeMissing {
        /// Which caveat, from 0 in chain order.
        index: usize,
    },
}

/// What [`Verifier::preflight`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Preflight {
    /// The issuer would refuse the token: there is no need to ask.
    Refuted {
        /// The first caveat that is refuted, from 0 in chain order.
        index: usize,
        /// How.
        why: Refutation,
    },
    /// Only the issuer can tell.
    Undecided,
}

/// How a caveat is refuted without a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refutation {
    /// It does not hold.
    #[error("it does not hold: {0}")]
    Unmet(Unmet),
    /// A token used so must not carry it.
    #[error("a token used so does not support it")]
    Unsupported,
    /// It is not known.
    #[error("it is not known")]
    Unknown,
}

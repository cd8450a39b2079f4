//! What the record of a token keeps so that the authority can write the token again ([`Record::body`]).
//!
//! ```text
//! version: 1 byte    head: postcard    caveats: postcard
//! ```
//!
//! A verification reads the head alone. The forms never change once released.

use serde::{Deserialize, Serialize};
use token_core::{Identifier, IdentifierV2, LegacyType, Persistence, Purpose, TokenType};
use token_store::{Entity, Record, StoreError};

use crate::{Failure, subject};

const VERSION: u8 = 1;

/// The parts that a verification needs.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head<'a> {
    /// Whether the token has a version-2 identifier.
    pub(crate) modern: bool,
    /// The session of an access token.
    pub(crate) session: Option<&'a str>,
    /// The type that a legacy token states in its caveat `tokenType = …`.
    legacy_type: Option<&'a str>,
    /// The privileges that the token carries.
    pub(crate) privileges: &'a [u8],
}

impl<'a> Head<'a> {
    pub(crate) const fn new(
        identifier: &Identifier<'a>,
        legacy_type: Option<LegacyType>,
        privileges: &'a [u8],
    ) -> Self {
        let (modern, session) = match identifier {
            Identifier::V2(IdentifierV2 { token_type: TokenType::Access { session }, .. }) => {
                (true, *session)
            }
            Identifier::V2(_) => (true, None),
            Identifier::Opaque(_) => (false, None),
        };
        let legacy_type = match legacy_type {
            Some(stated) => Some(stated.as_str()),
            None => None,
        };
        Self { modern, session, legacy_type, privileges }
    }

    pub(crate) fn legacy_type(&self) -> Option<LegacyType> {
        self.legacy_type.and_then(LegacyType::from_name)
    }

    /// Returns the identifier of the token with this record; `None` if no token can have such a record.
    pub(crate) fn identifier(&self, record: &'a Record) -> Result<Option<Identifier<'a>>, Failure> {
        let subject = subject::of_kind(record.issuer.known_kind(), record.issuer.id.as_str())?;
        if !self.modern {
            return Ok(Some(Identifier::Opaque(record.id.as_bytes())));
        }
        let token_type = token_type(record.purpose, record.resource.as_ref(), self.session);
        let id = std::str::from_utf8(record.id.as_bytes()).ok();
        let persistence = Persistence::Named;
        let written = token_type.zip(id);
        Ok(written
            .map(|(token_type, id)| Identifier::V2(IdentifierV2 { persistence, subject, token_type, id })))
    }
}

/// Encodes a body. Leaves the caveats out if they are too long to be kept.
pub(crate) fn write(head: &Head<'_>, caveats: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Failure> {
    let encode = |caveats: Option<_>| {
        // Enough for most bodies.
        let mut body = Vec::with_capacity(160);
        body.push(VERSION);
        postcard::to_extend(&caveats, postcard::to_extend(head, body)?)
    };
    let whole = encode(Some(caveats)).map_err(|_| unreadable())?;
    match whole.len() > Record::MAX_BODY_LEN {
        true => encode(None).map_err(|_| unreadable()),
        false => Ok(whole),
    }
}

/// Decodes the head.
pub(crate) fn head(record: &Record) -> Result<Head<'_>, Failure> {
    read(record).map(|(head, _)| head)
}

/// Decodes the head and the caveats; `None`: the caveats were not kept.
pub(crate) fn whole(record: &Record) -> Result<(Head<'_>, Option<Vec<&str>>), Failure> {
    let (head, rest) = read(record)?;
    Ok((head, postcard::from_bytes(rest).map_err(|_| unreadable())?))
}

fn read(record: &Record) -> Result<(Head<'_>, &[u8]), Failure> {
    match record.body.split_first() {
        Some((&VERSION, head)) => postcard::take_from_bytes(head).map_err(|_| unreadable()),
        _ => Err(unreadable()),
    }
}

pub(crate) const fn unreadable() -> Failure {
    Failure::Store(StoreError::Corrupt { what: "the body of a record, or a newer version wrote it" })
}

/// The type that a version-2 identifier states for such a token.
fn token_type<'a>(
    purpose: Purpose,
    resource: Option<&'a Entity>,
    session: Option<&'a str>,
) -> Option<TokenType<&'a str>> {
    let invite = match purpose {
        Purpose::Access => return Some(TokenType::Access { session }),
        Purpose::Identity => return Some(TokenType::Identity),
        Purpose::SpaceSupport => token_core::InviteType::SupportSpace,
        Purpose::Invite(invite) => invite,
        _ => return None,
    };
    let target = resource.filter(|resource| resource.kind == invite.target_kind())?;
    Some(TokenType::Invite { invite, target: &target.id })
}

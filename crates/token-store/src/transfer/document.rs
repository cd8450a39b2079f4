//! One line of an export.

use std::{error::Error, io, num::NonZeroU64};

use serde::{Deserialize, Serialize};
use token_core::UnixTime;

use crate::{ClaimId, Entity, Generation, GrantId, Held, Item, Record, SealedKey, TokenId, keys::hex};

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// The first line of every export.
pub(super) const HEADER: &[u8] = b"{\"onetoken_export\":1}\n";

/// The greatest length of a line in bytes: a token with more than 100,000 claims of 64 bytes. An import uses about ten
/// times as much memory.
pub(super) const MAX_LINE: usize = 16 * 1024 * 1024;

const NOT_HEX: &str = "bytes that are not written in hexadecimal digits, or too few or too many";

/// No store holds such a token or generation: it has more uses than its limit, contradicts its claims, has a number
/// that no generation has, or is too large.
const UNSOUND: &str = "a token or a generation that contradicts itself, or is too large for a store";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Document {
    /// Identifies the file, with the version of the format.
    OnetokenExport(u32),
    Token(Box<Token>),
    /// The id of a token that was left out because it is damaged in the exported store.
    Damaged(String),
    Generation(GenerationOf),
    /// The subject of a generation that was left out likewise.
    DamagedGeneration(Entity),
    /// The time of the store before which records are revoked, in Unix seconds.
    RevokeBefore(u64),
    End(End),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Token {
    id: String,
    purpose: String,
    resource: Option<Entity>,
    issuer: Entity,
    root_key: Sealed,
    created: u64,
    expires: Option<u64>,
    use_limit: Option<NonZeroU64>,
    uses: u64,
    last_use: Option<u64>,
    revoked: bool,
    name: Option<String>,
    /// Each with the uses left when it was made, and its grant.
    claims: Vec<(String, u64, String)>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerationOf {
    subject: Entity,
    number: u64,
    root_key: Sealed,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    key_id: u32,
    nonce: String,
    ciphertext: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    pub(super) tokens: u64,
    pub(super) generations: u64,
    pub(super) sha256: String,
}

impl Document {
    pub(super) fn read(line: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(line)
    }

    /// Encodes the document as a line, with the line feed.
    pub(super) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self).map_err(io::Error::other)?;
        line.push(b'\n');
        Ok(line)
    }

    pub(super) fn of(item: &Item) -> Self {
        match item {
            Item::Token { record, claims } => Self::Token(Box::new(Token {
                id: hex(record.id.as_bytes()),
                purpose: record.purpose.to_string(),
                resource: record.resource.clone(),
                issuer: record.issuer.clone(),
                root_key: Sealed::new(&record.root_key),
                created: record.created.as_secs(),
                expires: record.expires.map(UnixTime::as_secs),
                use_limit: record.use_limit,
                uses: record.uses,
                last_use: record.last_use.map(UnixTime::as_secs),
                revoked: record.revoked,
                name: record.name.clone(),
                claims: claims
                    .iter()
                    .map(|(claim, Held { uses_left, grant })| {
                        (hex(claim.as_bytes()), *uses_left, hex(&grant.to_bytes()))
                    })
                    .collect(),
            })),
            Item::Generation { subject, generation } => Self::Generation(GenerationOf {
                subject: subject.clone(),
                number: generation.number,
                root_key: Sealed::new(&generation.root_key),
            }),
        }
    }

    /// Returns the item of the document, if it holds a token or a generation.
    pub(super) fn into_item(self) -> Result<Option<Item>, Box<dyn Error + Send + Sync>> {
        let item = match self {
            Self::Token(token) => {
                let claim = |(claim, uses_left, grant): (String, u64, String)| -> Result<_, Box<dyn Error + Send + Sync>> {
                    let held = Held { uses_left, grant: GrantId::from_bytes(array(&grant)?) };
                    Ok((ClaimId::new(bytes(&claim)?)?, held))
                };
                let record = Record {
                    id: TokenId::new(bytes(&token.id)?)?,
                    purpose: token.purpose.parse()?,
                    resource: token.resource,
                    issuer: token.issuer,
                    root_key: token.root_key.sealed_key()?,
                    created: UnixTime::from_secs(token.created),
                    expires: token.expires.map(UnixTime::from_secs),
                    use_limit: token.use_limit,
                    uses: token.uses,
                    last_use: token.last_use.map(UnixTime::from_secs),
                    revoked: token.revoked,
                    name: token.name,
                };
                let claims = token.claims.into_iter().map(claim).collect::<Result<Vec<_>, _>>()?;
                Item::Token { record, claims }
            }
            Self::Generation(GenerationOf { subject, number, root_key }) => {
                let generation = Generation { number, root_key: root_key.sealed_key()? };
                Item::Generation { subject, generation }
            }
            Self::OnetokenExport(_)
            | Self::Damaged(_)
            | Self::DamagedGeneration(_)
            | Self::RevokeBefore(_)
            | Self::End(_) => return Ok(None),
        };
        if is_sound(&item) { Ok(Some(item)) } else { Err(UNSOUND.into()) }
    }
}

/// Returns whether a store could hold this item, and every store can keep it. Claims must be ordered by id.
pub(super) fn is_sound(item: &Item) -> bool {
    let (record, claims) = match item {
        Item::Token { record, claims } => (record, claims),
        Item::Generation { subject, generation } => {
            return (1..u64::MAX).contains(&generation.number) && generation.to_bytes(subject).is_ok();
        }
    };
    let count = u64::try_from(claims.len()).unwrap_or(u64::MAX);
    let agrees = match record.use_limit {
        None => claims.is_empty(),
        Some(limit) => {
            record.uses <= limit.get()
                && count <= record.uses
                && claims.iter().all(|(_, held)| held.uses_left < limit.get())
                && claims.is_sorted_by(|(one, _), (next, _)| one < next)
        }
    };
    agrees && record.to_bytes().is_ok()
}

impl Sealed {
    fn new(SealedKey { key_id, nonce, ciphertext }: &SealedKey) -> Self {
        Self { key_id: *key_id, nonce: hex(nonce), ciphertext: hex(ciphertext) }
    }

    fn sealed_key(self) -> Result<SealedKey, &'static str> {
        Ok(SealedKey {
            key_id: self.key_id,
            nonce: array(&self.nonce)?,
            ciphertext: bytes(&self.ciphertext)?,
        })
    }
}

fn bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    hex::bytes(text).collect::<Option<_>>().ok_or(NOT_HEX)
}

fn array<const N: usize>(text: &str) -> Result<[u8; N], &'static str> {
    hex::array(text).ok_or(NOT_HEX)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    hex::push(&mut text, bytes);
    text
}

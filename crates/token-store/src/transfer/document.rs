//! One line of an export.

use std::io;

use serde::{Deserialize, Serialize};
use token_core::UnixTime;

use crate::{
    ClaimId, Entity, Generation, GrantId, Held, Item, Record, TokenId, Use,
    contract::codec::{GenerationV1, RecordV1, bytes, is_stored},
};

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// The first line of every export.
pub(super) const HEADER: &[u8] = b"{\"onetoken_export\":1}\n";

/// The greatest length of a line in bytes: a token with some 60,000 claims of 64 bytes. An import uses about ten times
/// as much memory, and twenty times for a line with unknown members, which it reads before it refuses them.
pub(super) const MAX_LINE: usize = 16 * 1024 * 1024;

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
    Damaged(#[serde(with = "bytes")] TokenId),
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
    #[serde(with = "bytes")]
    id: TokenId,
    #[serde(flatten, with = "RecordV1")]
    record: Record,
    claims: Vec<Claim>,
}

/// A claim: its id, the uses left when it was made, its grant, and who spent the use when.
#[derive(Serialize, Deserialize)]
struct Claim(
    #[serde(with = "bytes")] ClaimId,
    u64,
    #[serde(with = "bytes")] [u8; 8],
    Option<Entity>,
    UnixTime,
);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GenerationOf {
    subject: Entity,
    #[serde(flatten, with = "GenerationV1")]
    generation: Generation,
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
        match item.clone() {
            Item::Token { record, claims } => {
                let claim = |(claim, Held { uses_left, grant, spent }): (ClaimId, Held)| {
                    Claim(claim, uses_left, grant.to_bytes(), spent.consumer, spent.at)
                };
                let claims = claims.into_iter().map(claim).collect();
                Self::Token(Box::new(Token { id: record.id.clone(), record, claims }))
            }
            Item::Generation { subject, generation } => {
                Self::Generation(GenerationOf { subject, generation })
            }
        }
    }

    /// Returns the item of the document, if it holds a token or a generation.
    pub(super) fn into_item(self) -> Result<Option<Item>, &'static str> {
        let item = match self {
            Self::Token(token) => {
                let Token { id, record, claims } = *token;
                let held = |Claim(claim, uses_left, grant, consumer, at)| {
                    let (grant, spent) = (GrantId::from_bytes(grant), Use { consumer, at });
                    (claim, Held { uses_left, grant, spent })
                };
                Item::Token {
                    record: Record { id, ..record },
                    claims: claims.into_iter().map(held).collect(),
                }
            }
            Self::Generation(GenerationOf { subject, generation }) => {
                Item::Generation { subject, generation }
            }
            Self::OnetokenExport(_)
            | Self::Damaged(_)
            | Self::DamagedGeneration(_)
            | Self::RevokeBefore(_)
            | Self::End(_) => return Ok(None),
        };
        if is_sound(&item) { Ok(Some(item)) } else { Err(UNSOUND) }
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
                && claims.iter().all(|(_, held)| {
                    held.uses_left < limit.get() && held.spent.consumer.as_ref().is_none_or(is_stored)
                })
                && claims.is_sorted_by(|(one, _), (next, _)| one < next)
        }
    };
    agrees && record.to_bytes().is_ok()
}

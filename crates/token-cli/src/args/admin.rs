//! What those who run a store do with it.

use std::{ffi::OsString, num::NonZeroUsize, path::PathBuf};

use clap::{
    Args as ClapArgs,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use token_core::UnixTime;
use token_store::Entity;

use super::mint::UnknownOption;
use crate::{
    command::Cursor,
    entity, request,
    store::StoreUrl,
    time::{self, Seconds},
};

/// Void a token for good, or many
///
/// Without an option it is one, by its id or itself. Where there is nothing to void the exit code is 1.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc |
    onetoken revoke
  onetoken revoke --temporary usr-u1
  onetoken revoke --issuer usr-operator
  onetoken revoke --before 2026-01-01")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    pub(crate) revoked: Revoked,
    /// Print a JSON document: {"revoked":true,"id":"…"}; of many, {"revoked":true,"count":N,"damaged":N,…}
    #[arg(long)]
    pub(crate) json: bool,
}

/// At most one of them.
#[derive(ClapArgs)]
#[group(multiple = false)]
pub(crate) struct Revoked {
    /// The token or its id; `-`, or nothing, to read it from standard input
    #[arg(value_name = "TOKEN|ID", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(token_or_id))]
    pub(crate) token: Option<OsString>,
    /// Void all temporary tokens of this subject, which have no records: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = request::issuer)]
    pub(crate) temporary: Option<String>,
    /// Void all tokens about this resource that there are now, such as space:ID
    #[arg(long, value_name = "KIND:ID", value_parser = entity::resource)]
    pub(crate) resource: Option<Entity>,
    /// Void all tokens of this issuer that there are now, but for temporary ones: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = entity::issuer)]
    pub(crate) issuer: Option<Entity>,
    /// Void all tokens that were minted before this time, also what is imported only later, but for temporary ones;
    /// in RFC 3339 or Unix seconds. There is no way back to an earlier time
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) before: Option<UnixTime>,
}

/// One id in 64 begins like an option, and none is as short as the longest of those.
fn token_or_id(text: OsString) -> Result<OsString, UnknownOption> {
    const SHORTEST_ID: usize = 43;
    match text.as_encoded_bytes() {
        [b'-', _, ..] if text.len() < SHORTEST_ID => Err(UnknownOption),
        _ => Ok(text),
    }
}

/// List the tokens that the store keeps
///
/// On a terminal long ids are cut, so that a token has one line. What is damaged is named and makes the exit code 4.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken list --resource space:s1 --limit 100")]
pub(crate) struct ListArgs {
    /// Those about this resource, such as space:ID
    #[arg(long, value_name = "KIND:ID", value_parser = entity::resource)]
    pub(crate) resource: Option<Entity>,
    /// Those of this issuer: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = entity::issuer)]
    pub(crate) issuer: Option<Entity>,
    /// Those that have expired
    #[arg(long)]
    pub(crate) expired: bool,
    /// Those that expire at or before this time, in RFC 3339 or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_time, conflicts_with = "expired")]
    pub(crate) expires_before: Option<UnixTime>,
    /// So many at most, and the cursor that leads on [default: all]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<NonZeroUsize>,
    /// Those after the page that gave out this cursor, with the same filters
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,
    /// Print a JSON document: {"tokens":[…]}, with `next`, a cursor, where there are more, and `damaged`, a list of
    /// ids, where there are any
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a JSON document for each token
    #[arg(long)]
    pub(crate) lines: bool,
}

/// Count what the store keeps
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken counts --json")]
pub(crate) struct CountsArgs {
    /// Print a JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Remove expired tokens from the store, and spent ones if asked
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1 --ttl 24h
  onetoken purge --before 2026-01-01
  onetoken purge --retention 30d")]
pub(crate) struct PurgeArgs {
    /// Those alone that had expired by this time, in RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) before: Option<UnixTime>,
    /// Remove also those whose uses were found to be spent this long ago, by an earlier run with this option; 0s for
    /// all that are spent. Whoever asks again about a spend that was removed is refused, and an older export that is
    /// imported again brings the token back
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    pub(crate) retention: Option<Seconds>,
    /// Print a JSON document: {"purged":N}; with --retention and `spent`, which counts those that were removed, or
    /// found spent for the first time; with `damaged` where any were passed over
    #[arg(long)]
    pub(crate) json: bool,
}

/// Look whether the store is sound
///
/// Looks at a copy, and changes nothing: every page, record, claim and index entry, and whether every sealed key
/// opens. The copy is made where temporary files are (TMPDIR), and needs as much space as the store.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken check")]
pub(crate) struct CheckArgs {
    /// Print a JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Seal everything under a new key, and remove the old ones
///
/// Repeat an interrupted rekeying to resume it. An old key that something in these stores may still need is kept.
/// Before keys are removed, the ring that holds them is kept in the home as keys.old-N: exports and copies of the store
/// that are older need it, and so does every store under these keys that is not named here.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken rekey")]
pub(crate) struct RekeyArgs {
    /// Another store that is sealed under the same keys, which is rekeyed as well; may be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) also: Vec<StoreUrl>,
    /// Keep the old keys in the ring, so that older exports can be imported
    #[arg(long)]
    pub(crate) keep_old: bool,
    /// Print a JSON document: {"key":N,"resumed":false,"seen":N,"resealed":N,"removed":[…],"former":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Write all that the store holds into a file, to move or keep it
///
/// Root keys stay sealed: the file is worth nothing without the key ring. The file appears when it is complete, and
/// must not be there before: nothing is overwritten. Repeat an interrupted export to begin anew.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export tokens.jsonl")]
pub(crate) struct ExportArgs {
    /// The file, which is made for its owner alone; `-` is standard output
    pub(crate) file: PathBuf,
    /// Print a JSON document: {"tokens":N,"generations":N,"damaged":N,"sha256":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keep all that an export holds, where there is nothing yet under its name
///
/// Nothing is kept of an export that is not whole. Repeat an interrupted import to resume it. The
/// tokens need the keys that they were sealed under. What was revoked there is revoked here as well. What was purged
/// here since, spent or not, comes back as it was then: into a store that has been used since, only with --new-epoch.
///
/// The exit code is 4 where the export names damaged tokens, or the store is not sound.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export - | onetoken import - --store redb:moved.redb")]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input
    pub(crate) file: PathBuf,
    /// Void all that comes in, also what is there already: for a backup, which would bring tokens back to life that
    /// were spent since
    #[arg(long)]
    pub(crate) new_epoch: bool,
    /// Print a JSON document: {"tokens":N,"generations":N,"damaged":N,"sha256":"…","kept":N,"unopened":N,
    /// "missing_keys":[…],"faults":N}
    #[arg(long)]
    pub(crate) json: bool,
}

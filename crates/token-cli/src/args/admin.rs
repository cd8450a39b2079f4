//! The command lines of the operator's commands.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args as ClapArgs,
    builder::{OsStringValueParser, TypedValueParser as _},
    value_parser,
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
/// Without an option, revokes one token, by its id or by the token itself. Where there is nothing to revoke, the exit
/// code is 1.
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
    /// Void all present tokens about this resource, such as space:ID
    #[arg(long, value_name = "KIND:ID", value_parser = entity::resource)]
    pub(crate) resource: Option<Entity>,
    /// Void all present tokens of this issuer but temporary ones: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = entity::issuer)]
    pub(crate) issuer: Option<Entity>,
    /// Void all tokens but temporary ones that were minted before this time, in RFC 3339 or Unix seconds. This holds
    /// for tokens that are imported later, too. It cannot be undone
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) before: Option<UnixTime>,
}

/// One id in 64 begins like an option, but no id is as short as the longest option.
fn token_or_id(text: OsString) -> Result<OsString, UnknownOption> {
    const SHORTEST_ID: usize = 43;
    match text.as_encoded_bytes() {
        [b'-', _, ..] if text.len() < SHORTEST_ID => Err(UnknownOption),
        _ => Ok(text),
    }
}

/// List the tokens that the store keeps
///
/// On a terminal, long ids are cut so that each token fits on one line. Damaged records are named, and make the exit
/// code 4.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken list --resource space:s1 --limit 100")]
pub(crate) struct ListArgs {
    /// Only tokens about this resource, such as space:ID
    #[arg(long, value_name = "KIND:ID", value_parser = entity::resource)]
    pub(crate) resource: Option<Entity>,
    /// Only tokens of this issuer: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = entity::issuer)]
    pub(crate) issuer: Option<Entity>,
    /// Only tokens that have expired
    #[arg(long)]
    pub(crate) expired: bool,
    /// Only tokens that expire at or before this time, in RFC 3339 or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_time, conflicts_with = "expired")]
    pub(crate) expires_before: Option<UnixTime>,
    /// At most N tokens, and a cursor for the next page [default: all]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..).try_map(usize::try_from))]
    pub(crate) limit: Option<usize>,
    /// Only tokens after the page that ended with this cursor; give the same filters
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
    /// Only tokens that had expired by this time, in RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) before: Option<UnixTime>,
    /// Also remove spent tokens that an earlier run with this option found to be spent this long ago; 0s removes all
    /// spent tokens. A spend of a removed token cannot be retried, and an import of an older export brings the token
    /// back
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    pub(crate) retention: Option<Seconds>,
    /// Print a JSON document: {"purged":N}. With --retention it has `spent`, too: the tokens that were removed or found
    /// to be spent for the first time. It has `damaged` where damaged records were passed over
    #[arg(long)]
    pub(crate) json: bool,
}

/// Check whether the store is sound
///
/// Reads a copy and changes nothing. It checks every page, record, claim and index entry, and whether every sealed
/// key opens. The copy is made where temporary files are (TMPDIR), and needs as much space as the store.
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

/// Write all that the store holds to a file, as a backup or to move it
///
/// Root keys stay sealed: the file is worth nothing without the key ring. The file appears when it is complete, and
/// is not overwritten if there is one. Repeat an interrupted export to begin anew.
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

/// Add the tokens of an export to the store
///
/// Tokens that the store has already stay as they are, but a revocation in the export holds here, too. An incomplete
/// export is refused whole. Repeat an interrupted import to resume it. The tokens need the keys that they were sealed
/// under. A token that was purged here after the export comes back as it was then, spent or not. So use --new-epoch for
/// any store that was used after the export.
///
/// The exit code is 4 where the export names damaged tokens, or the store is not sound.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export - | onetoken import - --store redb:moved.redb")]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input
    pub(crate) file: PathBuf,
    /// Void every token of the export, also where the store has it already. Use it to restore a backup, which would
    /// otherwise revive tokens that were spent since
    #[arg(long)]
    pub(crate) new_epoch: bool,
    /// Print a JSON document: {"tokens":N,"generations":N,"damaged":N,"sha256":"…","kept":N,"unopened":N,
    /// "missing_keys":[…],"faults":N}
    #[arg(long)]
    pub(crate) json: bool,
}

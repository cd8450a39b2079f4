//! The command lines of the operator's commands.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args as ClapArgs,
    builder::{OsStringValueParser, TypedValueParser as _},
    value_parser,
};
use token_core::{Subject, UnixTime};
use token_store::Entity;

use super::{cursor::Cursor, mint::UNKNOWN_OPTION};
use crate::{entity, request, store::StoreUrl, time};

/// Revoke a token, or many, for good
///
/// Without an option, revokes one token, by its id or by the token itself. If there is nothing to revoke, the exit code
/// is 1. --json prints {"revoked":true,"id":"…"}; for many tokens, {"revoked":true,"count":N,"damaged":N,…}.
#[derive(ClapArgs)]
#[group(multiple = false)]
#[command(after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc |
    onetoken revoke
  onetoken revoke --temporary usr-u1
  onetoken revoke --issuer usr-operator
  onetoken revoke --before 2026-01-01")]
pub(crate) struct RevokeArgs {
    /// The token or its id; give `-` or nothing to read it from standard input
    #[arg(value_name = "TOKEN|ID", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(token_or_id))]
    pub(crate) token: Option<OsString>,
    /// Revoke all temporary tokens of this subject, which have no records: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = request::issuer)]
    pub(crate) temporary: Option<Subject>,
    /// Revoke all tokens for this resource that the store holds now, such as space:ID
    #[arg(long, value_name = "KIND:ID", value_parser = entity::resource)]
    pub(crate) resource: Option<Entity>,
    /// Revoke all tokens of this issuer that the store holds now: usr-ID or prv-ID. Temporary tokens stay good
    #[arg(long, value_name = "SUBJECT", value_parser = entity::issuer)]
    pub(crate) issuer: Option<Entity>,
    /// Revoke all tokens minted before this time, in RFC 3339 or Unix seconds, even if they are imported later.
    /// Temporary tokens stay good. This cannot be undone
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) before: Option<UnixTime>,
}

/// One id in 64 begins like an option, but no id is as short as the longest option.
fn token_or_id(text: OsString) -> Result<OsString, &'static str> {
    const SHORTEST_ID: usize = 43;
    match text.as_encoded_bytes() {
        [b'-', _, ..] if text.len() < SHORTEST_ID => Err(UNKNOWN_OPTION),
        _ => Ok(text),
    }
}

/// List the tokens in the store
///
/// On a terminal, long ids are cut so that each token fits on one line. If records are damaged, their ids are printed
/// and the exit code is 4. --json prints {"tokens":[…]}, with the cursor `next` if there are more tokens, and with a
/// list of ids, `damaged`, if records are damaged.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken list --resource space:s1 --limit 100")]
pub(crate) struct ListArgs {
    /// Only tokens for this resource, such as space:ID
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
    /// At most N tokens, then a cursor for the next page [default: all]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..).try_map(usize::try_from))]
    pub(crate) limit: Option<usize>,
    /// Continue after the page that ended with this cursor; give the same filters
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,
    /// Print a JSON document for each token
    #[arg(long)]
    pub(crate) lines: bool,
}

/// Remove expired tokens from the store, and spent ones with --retention
///
/// --json prints {"purged":N}, with --retention also `spent`, the number of spent tokens that were removed, and `damaged` if
/// damaged records were skipped.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1 --ttl 24h
  onetoken purge --before 2026-01-01
  onetoken purge --retention 30d")]
pub(crate) struct PurgeArgs {
    /// Only tokens that expired by this time, in RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) before: Option<UnixTime>,
    /// Also remove tokens whose last use was spent at least this long ago; 0s removes all spent tokens. A spend of a
    /// removed token cannot be retried, and an import of an older export restores the token
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
    pub(crate) retention: Option<Duration>,
}

/// Seal all root keys under a new key, and remove the old keys from the key ring
///
/// Repeat an interrupted rekeying to resume it. An old key stays as long as these stores may need it. Before keys are
/// removed, the ring is saved in the home as keys.old-N: older exports and copies of the store need it, and so does
/// every other store under these keys that is not named here. --json prints
/// {"key":N,"resumed":false,"seen":N,"resealed":N,"removed":[…],"former":"…"}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken rekey")]
pub(crate) struct RekeyArgs {
    /// Another store under the same keys, to rekey as well; may be repeated
    #[arg(long, value_name = "URL")]
    pub(crate) also: Vec<StoreUrl>,
    /// Keep the old keys in the key ring, so that older exports can be imported
    #[arg(long)]
    pub(crate) keep_old: bool,
}

/// Write the whole store to a file, as a backup or to move it
///
/// Root keys stay sealed, so the file is useless without the key ring. The file appears when it is complete. An
/// existing file is not overwritten. Repeat an interrupted export to start it again. --json prints
/// {"tokens":N,"generations":N,"damaged":N,"sha256":"…"}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export tokens.jsonl")]
pub(crate) struct ExportArgs {
    /// The file, which only its owner can read; `-` is standard output
    pub(crate) file: PathBuf,
}

/// Add the tokens of an export to the store
///
/// Tokens that the store already holds stay as they are, but a token that is revoked in the export is revoked here too.
/// An incomplete export is refused as a whole. Repeat an interrupted import to resume it. The tokens need the keys that
/// they were sealed under. A token that was purged here after the export returns as it was then, even if it was spent
/// since. So use --new-epoch for every store that was used after the export.
///
/// The exit code is 4 if the export contains damaged tokens, or if the store is not sound. --json prints
/// {"tokens":N,"generations":N,"damaged":N,"sha256":"…","kept":N,"unopened":N,"missing_keys":[…],"faults":N}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export - | onetoken import - --store redb:moved.redb")]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input
    pub(crate) file: PathBuf,
    /// Revoke every token of the export, even one that the store already holds. Use this to restore a backup: otherwise
    /// tokens that were spent since the backup could be spent again
    #[arg(long)]
    pub(crate) new_epoch: bool,
}

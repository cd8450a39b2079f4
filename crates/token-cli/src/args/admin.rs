//! The command lines of the operator's commands.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args as ClapArgs,
    builder::{OsStringValueParser, TypedValueParser as _},
    value_parser,
};
use token_core::{Subject, UnixTime};
use token_store::{Entity, Revocation};

use super::{
    cursor::Cursor,
    mint::{UNKNOWN_OPTION, at_most},
};
use crate::{entity, request, time};

/// Revoke a token, or many
///
/// Without an option, revokes one token, by its id or by the token itself; from standard input also many, one on each
/// line. The revocation is for good unless it is --reversible. The first revocation of a token stands, except that one
/// for good replaces a reversible one. If there is nothing to revoke, the exit code is 1. --json prints
/// {"revoked":true,"id":"…","outcome":"revoked"}; for many tokens, {"revoked":true,"count":N,"damaged":N,…}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc |
    onetoken revoke --reversible --reason \"seen in a log\" --by usr-operator
  onetoken revoke --temporary usr-u1
  onetoken revoke --issuer usr-operator
  onetoken revoke --before 2026-01-01")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    pub(crate) of: RevokedArgs,
    #[command(flatten)]
    pub(crate) how: RevocationArgs,
}

/// What to revoke.
#[derive(ClapArgs)]
#[group(multiple = false)]
pub(crate) struct RevokedArgs {
    /// The token or its id; give `-` or nothing to read one or many from standard input, each on a line
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

/// What the records say of the revocation.
#[derive(ClapArgs)]
pub(crate) struct RevocationArgs {
    /// Let `onetoken reinstate` undo the revocation
    #[arg(long, conflicts_with_all = ["temporary", "before"])]
    reversible: bool,
    /// The reason, which `list` and `show` print
    #[arg(long, value_name = "TEXT", value_parser = |text: &str| at_most(text, Revocation::MAX_REASON_LEN),
          conflicts_with_all = ["temporary", "before"])]
    reason: Option<String>,
    /// Who revokes the token: usr-ID, grp-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = entity::subject,
          conflicts_with_all = ["temporary", "before"])]
    by: Option<Entity>,
}

impl RevocationArgs {
    /// The revocation at this time.
    pub(crate) fn revocation(&self, at: UnixTime) -> Revocation {
        let Self { reversible, reason, by } = self;
        let reason = reason.clone().unwrap_or_default();
        Revocation { at, by: by.clone(), reason, reversible: *reversible }
    }
}

/// Find tokens in files, directories or standard input
///
/// Finds v1 and v2 tokens in their text form, also in the midst of a line, and prints where they are and their ids, never
/// a token. Every one is decoded, so that there are no false alarms; a token may have expired or been revoked. Searches
/// directories with all below, but follows no links. Does not look into archives or compressed files: give the history
/// of a repository by a pipe, as in `git log -p --all | onetoken scan`. Does not find tokens that are written as JSON (v2J).
///
/// The exit code is 1 if a token was found, and else 4 if a file could not be read. --json prints
/// {"found":[{"path":"…","line":N,"column":N,"id":"…","location":"…","temporary":"usr-…","expiresAt":"…"}],"files":N,"unread":N}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1 > leaked.txt
  onetoken scan leaked.txt --ids | onetoken revoke -")]
pub(crate) struct ScanArgs {
    /// A file or directory; `-` or nothing reads standard input
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Print only the ids, each on a line and once
    #[arg(long, conflicts_with = "json")]
    pub(crate) ids: bool,
}

/// An id may begin like an option, but no id is as short as the longest option.
pub(super) fn token_or_id(text: OsString) -> Result<OsString, &'static str> {
    const SHORTEST_ID: usize = 43;
    match text.as_encoded_bytes() {
        [b'-', _, ..] if text.len() < SHORTEST_ID => Err(UNKNOWN_OPTION),
        _ => Ok(text),
    }
}

/// List the tokens in the store
///
/// On a terminal, long ids are cut so that each token fits on one line. If records are damaged, their ids are printed
/// and the exit code is 4. --json prints {"tokens":[…],"damaged":[…],"next":"…"}: the ids of damaged records, and the
/// cursor if there are more tokens.
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
    /// Only the token of the issuer that has this name
    #[arg(long, requires = "issuer", conflicts_with = "resource")]
    pub(crate) name: Option<String>,
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

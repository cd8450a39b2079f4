//! The command lines of the commands on one record, on the log of events, and on tokens of another issuer.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args as ClapArgs,
    builder::{OsStringValueParser, TypedValueParser as _},
    value_parser,
};
use token_core::Subject;

use super::{
    admin::token_or_id,
    cursor::Cursor,
    mint::{metadata, name},
};
use crate::request;

/// A token of the store.
#[derive(ClapArgs)]
pub(crate) struct TokenArg {
    /// The token or its id; give `-` or nothing to read it from standard input
    #[arg(value_name = "TOKEN|ID", allow_hyphen_values = true,
          value_parser = OsStringValueParser::new().try_map(token_or_id))]
    pub(crate) token: Option<OsString>,
}

/// Undo a reversible revocation
///
/// A token that is not revoked stays as it is. If it was revoked for good, or is unknown, the exit code is 1. --json
/// prints {"reinstated":true,"id":"…","outcome":"unrevoked"}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1 > token
  onetoken revoke --reversible < token
  onetoken reinstate < token")]
pub(crate) struct ReinstateArgs {
    #[command(flatten)]
    pub(crate) token: TokenArg,
}

/// Delete a token, or all tokens of a subject
///
/// All that the store knows of their uses goes too. A deleted token is unknown, and none of its claims gets an answer
/// again. An import of an older export restores it. --json prints {"deleted":true,"id":"…","outcome":"deleted"}; for
/// a subject, {"deleted":true,"count":N,"damaged":N,"subject":"…"}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1 | onetoken delete
  onetoken delete --subject usr-u1")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    pub(crate) token: TokenArg,
    /// Delete all tokens of this subject, temporary ones too: usr-ID or prv-ID. First stop minting for the subject.
    /// Repeat an interrupted deletion
    #[arg(long, value_name = "SUBJECT", value_parser = request::issuer, conflicts_with = "token")]
    pub(crate) subject: Option<Subject>,
}

/// Change the name or the metadata of a token
///
/// If another token of the issuer has the name, the exit code is 1. --json prints
/// {"amended":true,"id":"…","outcome":"amended"}.
#[derive(ClapArgs)]
#[group(id = "change", required = true, multiple = true, args = ["name", "no_name", "metadata"])]
#[command(after_help = "Example:
  onetoken mint access --subject usr-u1 --name laptop > token
  onetoken amend --name \"old laptop\" --metadata \"lost in May\" < token")]
pub(crate) struct AmendArgs {
    #[command(flatten)]
    pub(crate) token: TokenArg,
    /// The new name, which no other token of the issuer has
    #[arg(long, value_parser = name, conflicts_with = "no_name")]
    pub(crate) name: Option<String>,
    /// Remove the name
    #[arg(long)]
    pub(crate) no_name: bool,
    /// The new metadata; an empty text removes them
    #[arg(long, value_name = "TEXT", value_parser = metadata)]
    pub(crate) metadata: Option<String>,
}

/// Show all that the store knows of a token
///
/// Shows also the caveats of the token, and each use of a token with a use limit: who spent it, and when. --json prints
/// the document of `list`, with `usesLeft`, `lastUsedAt`, `session`, `caveats` (null if they were too long to be kept)
/// and `spends`.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint access --subject usr-u1 --name laptop | onetoken show
  onetoken show --issuer usr-u1 --name laptop --token")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) token: TokenArg,
    /// Show the token of this issuer that has the name: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = request::issuer, requires = "name", conflicts_with = "token")]
    pub(crate) issuer: Option<Subject>,
    /// The name of the token
    #[arg(long, requires = "issuer")]
    pub(crate) name: Option<String>,
    /// Print only the token itself, to hand it to its owner again. Anyone who sees it can use the token. --json prints
    /// {"token":"…"}
    #[arg(long = "token", id = "text")]
    pub(crate) text: bool,
}

/// Show which tokens were revoked, reinstated or deleted
///
/// For a program that keeps verdicts about tokens: take the cursor of the present end, forget all verdicts, and then ask
/// for the events after the cursor again and again. Without --after, prints the cursor of the present end. The store
/// keeps the newest 100,000 events. If older ones were asked for, `missed` is true: forget all verdicts. --json prints
/// {"events":[…],"next":"…","missed":false}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support s1 > token
  cursor=$(onetoken events)
  onetoken revoke < token
  onetoken events --after \"$cursor\"")]
pub(crate) struct EventsArgs {
    /// Print the events after this cursor, and the next cursor
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,
    /// At most N events [default: all]
    #[arg(long, value_name = "N", requires = "after",
          value_parser = value_parser!(u32).range(1..).try_map(usize::try_from))]
    pub(crate) limit: Option<usize>,
}

/// Adopt the tokens of another issuer, such as an existing Onezone
///
/// Stores the records of tokens that another issuer minted, so that they stay valid. Mints nothing. The file has a JSON
/// document on each line, whose form is in docs/OPERATION.md. A wrong line is named, and stops no other. Repeat an
/// interrupted adoption to resume it; tokens that are there stay as they are.
///
/// The exit code is 3 if a line is malformed, and else 1 if another token has an id or a name. --json prints
/// {"adopted":N,"failed":[{"line":N,"message":"…"}]}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  echo '{\"subject\":\"usr-u1\",\"generation\":3,\"secret\":\"example\"}' |
    onetoken adopt -")]
pub(crate) struct AdoptArgs {
    /// The file; `-` is standard input. Anyone who sees it can mint these tokens
    pub(crate) file: PathBuf,
}

//! The command line.

mod admin;
mod conditions;
mod mint;

use std::{ffi::OsString, mem, path::PathBuf};

use clap::{
    Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser},
};
use token_api::Purpose;
use token_core::{DecodeOptions, InviteType, IpMask, Subject, UnixTime};

pub(crate) use self::{
    admin::{
        CheckArgs, CountsArgs, ExportArgs, ImportArgs, ListArgs, PurgeArgs, RekeyArgs, RevokeArgs, Revoked,
    },
    conditions::{Condition, Conditions},
    mint::{Form, InviteArgs, Mint, RawArgs, SelfArgs, StoredArgs, TokenEncoding, Ttl, Uses},
};
use crate::{
    home::HomeArgs,
    key::KeyArgs,
    request::{self, RequestArgs},
    time::{self, Seconds},
};

/// Mint, inspect, verify, attenuate and spend Onedata tokens (macaroons).
///
/// Give a token as `-`, or leave it out, to have it read from standard input. That keeps it out of the shell's
/// history and of the list of processes.
///
/// Exit codes: 0 done, accepted; 1 refused; 2 the command line is wrong; 3 the token is malformed; 4 the
/// store or another file cannot be used, or is damaged.
#[derive(Parser)]
#[command(
    name = "onetoken",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc"
)]
pub(crate) struct Args {
    /// When to color output for people; `auto` does on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Mint a token
    #[command(
        subcommand,
        after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc"
    )]
    Mint(Mint),
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Confine(ConfineArgs),
    Bind(BindArgs),
    Consume(ConsumeArgs),
    Revoke(RevokeArgs),
    List(ListArgs),
    Counts(CountsArgs),
    Purge(PurgeArgs),
    Check(CheckArgs),
    Rekey(RekeyArgs),
    Export(ExportArgs),
    Import(ImportArgs),
    Init(InitArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// How strictly tokens are read.
#[derive(ClapArgs)]
pub(crate) struct Reading {
    /// Also read tokens of other libraries that break the rules of the format; the signature is checked as ever
    #[arg(long)]
    compat: bool,
}

impl Reading {
    pub(crate) const fn is_liberal(&self) -> bool {
        self.compat
    }

    pub(crate) fn options(&self) -> DecodeOptions {
        if self.compat { DecodeOptions::compat() } else { DecodeOptions::default() }
    }
}

/// Show what a token says of itself, without a key
///
/// Confirms nothing: anyone can write such a token. Of a damaged token it shows what is wrong, where, and what can be
/// read before that.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"time < 1496140144\" | onetoken inspect --json")]
pub(crate) struct InspectArgs {
    /// The token; `-`, or nothing, to read it from standard input
    pub(crate) token: Option<OsString>,
    /// Print a JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Read a token from each line of standard input and print a JSON document for each
    #[arg(long)]
    pub(crate) lines: bool,
    /// Show the signature. Anyone who sees it together with the rest can use the token
    #[arg(long)]
    pub(crate) show_signature: bool,
    /// The time to judge expiry at, in RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) at: Option<UnixTime>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Tell whether a token is good for a request, by the store or by a key
///
/// Without a key, the token has to be one that was minted into the store. The signatures of the token and of all
/// discharges are checked first. Then each caveat has to hold in the context that the options describe. A caveat
/// about something that no option describes does not hold. Each third-party caveat needs a discharge of its own,
/// which the third party makes and the holder binds to the token (see `onetoken bind`). Further discharges are
/// refused.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"ip = 192.0.2.0/24\" |
    onetoken verify --secret example --ip 192.0.2.7")]
pub(crate) struct VerifyArgs {
    /// The token; `-`, or nothing, to read it from standard input
    pub(crate) token: Option<OsString>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Accept a caveat that is exactly this text; may be given several times
    #[arg(long, value_name = "TEXT", requires = "key", help_heading = "Key")]
    pub(crate) exact: Vec<String>,
    /// A bound discharge; may be given several times, in any order. `-` reads one from standard input
    ///
    /// Without the token a bound discharge is good for nothing, so it is the token that is best kept off the
    /// command line.
    #[arg(long, value_name = "TOKEN", requires = "key", help_heading = "Key")]
    pub(crate) discharge: Vec<OsString>,
    /// Refuse caveats that a token of this type does not support
    #[arg(long = "as", value_name = "TYPE", requires = "key", help_heading = "Key")]
    pub(crate) used_as: Option<Use>,
    /// Refuse a token of another type; the store knows the type
    #[arg(long, value_name = "TYPE", conflicts_with = "key", value_parser = kind())]
    pub(crate) expect: Option<Purpose>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Print a JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Read a token from each line of standard input and print a JSON document for each
    #[arg(long)]
    pub(crate) lines: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Use {
    /// A token that acts for its subject
    Access,
    /// A token that proves who its subject is
    Identity,
    /// An invitation
    Invite,
}

/// A kind of token by its name, or an invite type by its code, with the names that completions offer.
fn kind() -> impl TypedValueParser<Value = Purpose> {
    let others = [Purpose::GroupSpaces, Purpose::Access, Purpose::Identity];
    let invites = InviteType::all().map(|invite| {
        let value = PossibleValue::new(Purpose::invite(invite).as_str()).alias(invite.code());
        // Of one kind the name is another than that of the invite type.
        value.alias(invite.name())
    });
    PossibleValuesParser::new(others.map(Purpose::as_str).into_iter().map(PossibleValue::new).chain(invites))
        .try_map(|text| text.parse::<Purpose>())
}

/// RFC 1123 §2.1: labels of letters, digits and hyphens.
fn domain(text: &str) -> Result<String, InvalidDomain> {
    const LONGEST: usize = 253;
    const LONGEST_LABEL: usize = 63;
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    match text.len() <= LONGEST && text.split('.').all(is_label) {
        true => Ok(text.to_owned()),
        false => Err(InvalidDomain),
    }
}

#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("not a domain, such as onezone.example.com")]
struct InvalidDomain;

/// The commands that use no store, so their help has none of its options.
const WITHOUT_STORE: [&str; 6] = ["inspect", "confine", "bind", "raw", "completions", "man"];

/// Builds the command, and hides the store's options from the help of commands that use none.
pub(crate) fn built(mut command: clap::Command) -> clap::Command {
    command.build();
    command.get_subcommands_mut().for_each(hide_store);
    command
}

pub(crate) fn uses_store(command: &clap::Command) -> bool {
    !WITHOUT_STORE.contains(&command.get_name())
}

fn hide_store(command: &mut clap::Command) {
    if !uses_store(command) {
        *command = mem::take(command).mut_args(|arg| match arg.get_id().as_str() {
            "home" | "store" | "wait" => arg.hide(true),
            _ => arg,
        });
    }
    command.get_subcommands_mut().for_each(hide_store);
}

/// Add conditions to a token, for which no key is needed
///
/// Prints a token that is good for less than the one that went in. Nobody can remove a condition. The conditions are
/// added in this order: caveats as given, time, addresses, consumers. The token keeps its format and encoding, but
/// v1 JSON becomes v2 JSON.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example |
    onetoken confine --ttl 15m --ip 192.0.2.0/24 --consumer prv-p1")]
pub(crate) struct ConfineArgs {
    /// The token; `-`, or nothing, to read it from standard input
    pub(crate) token: Option<OsString>,
    /// A condition; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) caveat: Vec<String>,
    /// Let it expire after this time: 90s, 15m, 24h, 7d, 1w, 1d12h
    #[arg(long, value_name = "DURATION", value_parser = time::parse_ttl, conflicts_with = "expires")]
    pub(crate) ttl: Option<Seconds>,
    /// Let it expire at this time, in RFC 3339 or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) expires: Option<UnixTime>,
    /// Good from this IPv4 network alone, or from one of several
    #[arg(long, value_name = "MASK")]
    pub(crate) ip: Vec<IpMask>,
    /// Good for this consumer alone, or for one of several: usr-ID, grp-ID, prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = request::consumer)]
    pub(crate) consumer: Vec<Subject>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Print a JSON document: {"token":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bind a discharge to the token that it is presented with
///
/// A third party confirms a caveat by a discharge: a token whose identifier is that of the caveat, minted under the
/// caveat's key. The holder binds it, which makes it worthless with any other token. Bind last: a caveat that is
/// added to the token or to the discharge afterwards unbinds it. The bound discharge keeps the format and encoding of
/// the discharge.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  root=$(onetoken mint raw --location https://bank.example --identifier id7 \\
    --secret example --third-party https://auth.example:id8:shared)
  discharge=$(onetoken mint raw --location https://auth.example \\
    --identifier id8 --secret shared)
  bound=$(onetoken bind \"$root\" \"$discharge\")
  onetoken verify \"$root\" --secret example --discharge \"$bound\"")]
pub(crate) struct BindArgs {
    /// The token with the third-party caveat; `-` to read it from standard input
    pub(crate) root: OsString,
    /// The discharge; `-` to read it from standard input
    pub(crate) discharge: OsString,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Print a JSON document: {"token":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Spend one use of a token
///
/// A use that was spent stays spent. Each spend has a name, its claim, which makes it idempotent: a retry with the same
/// claim and consumer gets the same answer and spends no second use. Retry that way when a call was interrupted. Name
/// the claim yourself, or take it from the message that appears when the store fails or the answer cannot be written.
/// Where the store fails, --json also has `retry`: `safe` (nothing happened), `ask` (it may have happened; retry with
/// --claim) or `never` (remove the cause first).
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc |
    onetoken consume --expect space-support --consumer prv-p1 --json")]
pub(crate) struct ConsumeArgs {
    /// The token; `-`, or nothing, to read it from standard input
    pub(crate) token: Option<OsString>,
    /// The type that the token has to have
    #[arg(long, value_name = "TYPE", value_parser = kind())]
    pub(crate) expect: Purpose,
    /// The name of this spend, unique for its consumer [default: a random one]
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) claim: Option<String>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// Print a JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Make a home: a key ring, a configuration and an empty store
///
/// Overwrites nothing. `onetoken mint` also makes a home, where there is none or an empty directory.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken init --home ./tokens")]
pub(crate) struct InitArgs {
    /// The location of modern tokens (Onedata 20.02 and newer): the Onezone's domain
    #[arg(long, value_parser = domain)]
    pub(crate) domain: Option<String>,
    /// The location of legacy tokens (Onedata before 20.02)
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) location: Option<String>,
    /// Print a JSON document: {"home":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print completions for a shell
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken completions bash > onetoken.bash")]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page, or write one for each command into a directory
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken man man1")]
pub(crate) struct ManArgs {
    /// The directory; it is made where there is none
    pub(crate) dir: Option<PathBuf>,
}

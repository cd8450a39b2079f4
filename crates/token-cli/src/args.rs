//! The command line.

mod admin;
mod conditions;
mod cursor;
mod mint;
mod records;

use std::{ffi::OsString, mem, path::PathBuf, time::Duration};

use clap::{
    Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser},
};
use token_api::Purpose;
use token_core::{DecodeOptions, InviteType, IpMask, Subject, UnixTime};

pub(crate) use self::{
    admin::{ListArgs, RevocationArgs, RevokeArgs, ScanArgs},
    conditions::Condition,
    cursor::{Cursor, NO_CURSOR},
    mint::{Form, InviteArgs, Mint, RawArgs, SelfArgs, TokenEncoding, Uses},
    records::{AdoptArgs, AmendArgs, DeleteArgs, EventsArgs, ReinstateArgs, ShowArgs, TokenArg},
};
use crate::{
    home::HomeArgs,
    key::KeyArgs,
    request::{self, RequestArgs},
    store::StoreUrl,
    time,
};

/// Mint, inspect, verify, attenuate and spend Onedata tokens (macaroons).
///
/// Give `-` for a token, or leave it out, to read it from standard input. That keeps it out of the shell's history
/// and of the list of processes.
///
/// Exit codes: 0 done or accepted; 1 refused; 2 the command line is wrong; 3 the token is malformed; 4 the store or
/// another file is damaged or cannot be used.
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
    /// When to color output for people; `auto` colors it on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, display_order = 900, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    /// Print a JSON document instead of text for people
    #[arg(long, global = true, display_order = 900)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) home: HomeArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Mint a token
    ///
    /// --json prints {"token":"…","id":"…","expiresAt":"…"}; with --count, {"tokens":[…]}.
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
    Reinstate(ReinstateArgs),
    Delete(DeleteArgs),
    Amend(AmendArgs),
    Scan(ScanArgs),
    List(ListArgs),
    Show(ShowArgs),
    Events(EventsArgs),
    /// Count the records, claims and generations in the store
    #[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken counts --json")]
    Counts,
    /// Remove expired tokens from the store, and spent ones with --retention
    ///
    /// --json prints {"purged":N}, with --retention also `spent`, the number of spent tokens that were removed, and
    /// `damaged` if damaged records were skipped.
    #[command(after_help = "Example:
  onetoken mint space-support s1 --ttl 24h
  onetoken purge --before 2026-01-01
  onetoken purge --retention 30d")]
    Purge {
        /// Only tokens that expired by this time, in RFC 3339 or Unix seconds [default: now]
        #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
        before: Option<UnixTime>,
        /// Also remove tokens whose last use was spent at least this long ago; 0s removes all spent tokens. A spend of a
        /// removed token cannot be retried, and an import of an older export restores the token
        #[arg(long, value_name = "DURATION", value_parser = time::parse_duration)]
        retention: Option<Duration>,
    },
    /// Check whether the store is sound
    ///
    /// Reads a copy and changes nothing. Checks every page, record, claim and index entry, and that every sealed key
    /// opens. The copy is made in the directory for temporary files (TMPDIR) and needs as much space as the store.
    #[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken check")]
    Check,
    /// Seal all root keys under a new key, and remove the old keys from the key ring
    ///
    /// Repeat an interrupted rekeying to resume it. An old key stays as long as these stores may need it. Before keys are
    /// removed, the ring is saved in the home as keys.old-N: older exports and copies of the store need it, and so does
    /// every other store under these keys that is not named here. --json prints
    /// {"key":N,"resumed":false,"seen":N,"resealed":N,"removed":[…],"former":"…"}.
    #[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken rekey")]
    Rekey {
        /// Another store under the same keys, to rekey as well; may be repeated
        #[arg(long, value_name = "URL")]
        also: Vec<StoreUrl>,
        /// Keep the old keys in the key ring, so that older exports can be imported
        #[arg(long)]
        keep_old: bool,
    },
    /// Write the whole store to a file, as a backup or to move it
    ///
    /// Root keys stay sealed, so the file is useless without the key ring. The file appears when it is complete. An
    /// existing file is not overwritten. Repeat an interrupted export to start it again. --json prints
    /// {"tokens":N,"generations":N,"damaged":N,"sha256":"…"}.
    #[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export tokens.jsonl")]
    Export {
        /// The file, which only its owner can read; `-` is standard output
        file: PathBuf,
    },
    /// Add the tokens of an export to the store
    ///
    /// Tokens that the store already holds stay as they are, but a token that is revoked in the export is revoked here too.
    /// An incomplete export is refused as a whole. Repeat an interrupted import to resume it. The tokens need the keys that
    /// they were sealed under. A token that was purged here after the export returns as it was then, even if it was spent
    /// since. So use --new-epoch for every store that was used after the export.
    ///
    /// The exit code is 4 if the export contains damaged tokens, or if the store is not sound. --json prints
    /// {"tokens":N,"generations":N,"damaged":N,"sha256":"…","kept":N,"unopened":N,"missing_keys":[…],"faults":N}.
    #[command(after_help = "Example:
  onetoken mint space-support s1
  onetoken export - | onetoken import - --store redb:moved.redb")]
    Import {
        /// The file; `-` is standard input
        file: PathBuf,
        /// Revoke every token of the export, even one that the store already holds. Use this to restore a backup: otherwise
        /// tokens that were spent since the backup could be spent again
        #[arg(long)]
        new_epoch: bool,
    },
    Adopt(AdoptArgs),
    /// Make a home: a key ring, a configuration and an empty store
    ///
    /// Overwrites nothing. `onetoken mint` also makes a home if there is none, or only an empty directory. --json prints
    /// {"home":"…"}.
    #[command(after_help = "Example:
  onetoken init --home ./tokens")]
    Init {
        /// The location of modern tokens (Onedata 20.02 and newer): the Onezone's domain
        #[arg(long, value_parser = domain)]
        domain: Option<String>,
        /// The location of legacy tokens (Onedata before 20.02)
        #[arg(long, value_parser = NonEmptyStringValueParser::new())]
        location: Option<String>,
    },
    /// Print completions for a shell
    #[command(after_help = "Example:
  onetoken completions bash > onetoken.bash")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one for each command into a directory
    #[command(after_help = "Example:
  onetoken man man1")]
    Man {
        /// The directory; it is created if it does not exist
        dir: Option<PathBuf>,
    },
}

/// How strictly tokens are read.
#[derive(ClapArgs)]
pub(crate) struct Reading {
    /// Also read tokens of other libraries that break rules of the format; the signature is checked all the same
    #[arg(long)]
    pub(crate) compat: bool,
}

impl Reading {
    /// The decoder's options: strict, or liberal with `--compat`.
    pub(crate) fn options(&self) -> DecodeOptions {
        if self.compat { DecodeOptions::compat() } else { DecodeOptions::default() }
    }
}

/// Show what a token states, without a key
///
/// This proves nothing, since anyone can write such a token. For a damaged token, it shows what is wrong, where, and
/// the fields before the damage.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"time < 1496140144\" | onetoken inspect --json")]
pub(crate) struct InspectArgs {
    /// The token; give `-` or nothing to read it from standard input
    pub(crate) token: Option<OsString>,
    /// Read a token from each line of standard input and print a JSON document for each
    #[arg(long)]
    pub(crate) lines: bool,
    /// Show the signature. Anyone who sees it with the rest of the token can use the token
    #[arg(long)]
    pub(crate) show_signature: bool,
    /// The time at which to judge expiry, in RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) at: Option<UnixTime>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Verify a token for a request, by the store or by a key
///
/// Without a key, the token must have been minted into the store. The signatures of the token and of all discharges are
/// checked first. Then each caveat must hold in the context that the options describe. A caveat about a fact that no
/// option gives does not hold. Each third-party caveat needs its own discharge, which the third party makes and the
/// holder binds to the token (see `onetoken bind`). Unused discharges are refused.
///
/// An access token that is bound to a session passes only with --session.
///
/// --requests reads a document on each line: {"token":"…","secret":"…","context":{…}}. The members of the context are
/// now (Unix seconds), ip, asn, country, regions, service, consumer, groups, interface, session ("any" or an id), scope
/// and allowDataCaveats; all can be left out. Each token is judged as of the type that its identifier states.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"ip = 192.0.2.0/24\" |
    onetoken verify --secret example --ip 192.0.2.7")]
pub(crate) struct VerifyArgs {
    /// The token; give `-` or nothing to read it from standard input
    pub(crate) token: Option<OsString>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// Accept a caveat with exactly this text; may be repeated
    #[arg(long, value_name = "TEXT", requires = "key", help_heading = "Key")]
    pub(crate) exact: Vec<String>,
    /// A bound discharge; may be repeated, in any order. `-` reads one from standard input
    ///
    /// A bound discharge is worthless without the token, so keep the token rather than the discharge off the command
    /// line.
    #[arg(long, value_name = "TOKEN", requires = "key", help_heading = "Key")]
    pub(crate) discharge: Vec<OsString>,
    /// Refuse caveats that tokens of this type do not support
    #[arg(long = "as", value_name = "TYPE", requires = "key", help_heading = "Key")]
    pub(crate) used_as: Option<Use>,
    /// Refuse a token of another type, according to the store
    #[arg(long, value_name = "TYPE", conflicts_with = "key", value_parser = purpose())]
    pub(crate) expect: Option<Purpose>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Read a token from each line of standard input and print a JSON document for each
    #[arg(long)]
    pub(crate) lines: bool,
    /// The same, but each line is a document with a token, its secret and the context of its request
    #[arg(long, conflicts_with_all = ALONE)]
    pub(crate) requests: bool,
    /// Show every caveat with whether it holds, the fact it was held against, and why it does not hold
    ///
    /// Shows nothing before the signatures are confirmed. The facts are for an operator, not for the bearer. --json has
    /// them in the member `caveats`.
    #[arg(long, conflicts_with_all = ["lines", "requests"])]
    pub(crate) explain: bool,
}

/// What `--requests` has in its documents.
const ALONE: [&str; 19] = [
    "token",
    "key",
    "exact",
    "discharge",
    "used_as",
    "expect",
    "lines",
    "at",
    "ip",
    "asn",
    "country",
    "region",
    "consumer",
    "group",
    "service",
    "interface",
    "allow_data_caveats",
    "session",
    "scope",
];

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Use {
    /// A token that acts for its subject
    Access,
    /// A token that proves who its subject is
    Identity,
    /// An invitation
    Invite,
}

impl From<Use> for token_embed::Use {
    fn from(used_as: Use) -> Self {
        match used_as {
            Use::Access => Self::Access,
            Use::Identity => Self::Identity,
            Use::Invite => Self::Invite,
        }
    }
}

/// A purpose by its name, or an invite type by its name or code, with the names that completions offer.
fn purpose() -> impl TypedValueParser<Value = Purpose> {
    let others = [Purpose::GroupSpaces, Purpose::Access, Purpose::Identity];
    let invites = InviteType::all().map(|invite| {
        let value = PossibleValue::new(Purpose::invite(invite).as_str()).alias(invite.code());
        // The purpose of one invite type has another name than the type.
        value.alias(invite.name())
    });
    PossibleValuesParser::new(others.map(Purpose::as_str).into_iter().map(PossibleValue::new).chain(invites))
        .try_map(|text| text.parse::<Purpose>())
}

/// RFC 1123 §2.1: labels of letters, digits and hyphens.
fn domain(text: &str) -> Result<String, &'static str> {
    const LONGEST: usize = 253;
    const LONGEST_LABEL: usize = 63;
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_domain = text.len() <= LONGEST && text.split('.').all(is_label);
    is_domain.then(|| text.to_owned()).ok_or("not a domain, such as onezone.example.com")
}

/// The commands that use no store, so their help has none of its options.
const WITHOUT_STORE: [&str; 7] = ["inspect", "confine", "bind", "raw", "scan", "completions", "man"];

/// Builds the command, and hides the store's options from the help of commands that use none.
pub(crate) fn built(mut command: clap::Command) -> clap::Command {
    command.build();
    command.get_subcommands_mut().for_each(hide_unused);
    command
}

/// Whether the command uses a home or a store.
pub(crate) fn uses_store(command: &clap::Command) -> bool {
    !WITHOUT_STORE.contains(&command.get_name())
}

fn hide_unused(command: &mut clap::Command) {
    let hidden: &[&str] = match command.get_name() {
        "completions" | "man" => &["home", "store", "wait", "json"],
        _ if !uses_store(command) => &["home", "store", "wait"],
        _ => &[],
    };
    if !hidden.is_empty() {
        let hide = |arg: clap::Arg| {
            let is_hidden = arg.is_hide_set() || hidden.contains(&arg.get_id().as_str());
            arg.hide(is_hidden)
        };
        *command = mem::take(command).mut_args(hide);
    }
    command.get_subcommands_mut().for_each(hide_unused);
}

/// Confine a token by further conditions, without a key
///
/// Prints a token that allows less than the given one. Nobody can remove a condition. The conditions are added in this
/// order: caveats as given, time, addresses, consumers. The token keeps its format and encoding, but v1 JSON becomes
/// v2 JSON. --json prints {"token":"…"}.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example |
    onetoken confine --ttl 15m --ip 192.0.2.0/24 --consumer prv-p1")]
pub(crate) struct ConfineArgs {
    /// The token; give `-` or nothing to read it from standard input
    pub(crate) token: Option<OsString>,
    /// A condition; may be repeated
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) caveat: Vec<String>,
    /// The token expires after this time: 90s, 15m, 24h, 7d, 1w, 1d12h
    #[arg(long, value_name = "DURATION", value_parser = time::parse_ttl, conflicts_with = "expires")]
    pub(crate) ttl: Option<Duration>,
    /// The token expires at this time, in RFC 3339 or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) expires: Option<UnixTime>,
    /// The token is good only from this IPv4 network; may be repeated to allow several
    #[arg(long, value_name = "MASK")]
    pub(crate) ip: Vec<IpMask>,
    /// The token is good only for this consumer: usr-ID, grp-ID or prv-ID; may be repeated to allow several
    #[arg(long, value_name = "SUBJECT", value_parser = request::consumer)]
    pub(crate) consumer: Vec<Subject>,
    #[command(flatten)]
    pub(crate) reading: Reading,
}

/// Bind a discharge to the token that it belongs to
///
/// A third party confirms a caveat by a discharge: a token with the caveat's identifier, minted under the caveat's key.
/// The holder binds it, so that it is worthless with any other token. Bind last: a later caveat of the token or of the
/// discharge breaks the binding. The bound discharge keeps the discharge's format and encoding. --json prints
/// {"token":"…"}.
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
}

/// Spend one use of a token
///
/// A spent use stays spent. Each spend has a name, its claim, which makes it idempotent: a retry with the same claim and
/// consumer gets the same answer and spends no second use. Retry an interrupted call that way. Name the claim yourself,
/// or take it from the message that appears if the store fails or the answer cannot be written. If the store fails, the
/// document of --json has `retry`: `safe` (nothing happened), `ask` (the use may be spent; retry with --claim) or
/// `never` (remove the cause first).
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc |
    onetoken consume --expect space-support --consumer prv-p1 --json")]
pub(crate) struct ConsumeArgs {
    /// The token; give `-` or nothing to read it from standard input
    pub(crate) token: Option<OsString>,
    /// The type that the token must have
    #[arg(long, value_name = "TYPE", value_parser = purpose())]
    pub(crate) expect: Purpose,
    /// The name of this spend, unique among those of the consumer [default: a random name]
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub(crate) claim: Option<String>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

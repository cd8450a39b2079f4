//! The command line.

use std::{ffi::OsString, path::PathBuf};

use clap::{
    Args as ClapArgs, ColorChoice, Parser, Subcommand, ValueEnum, builder::NonEmptyStringValueParser,
};
use token_core::{Encoding, IpMask, TokenUse, UnixTime};

use crate::{
    key::KeyArgs,
    request::{self, RequestArgs},
    time::{self, Seconds},
};

/// Mint, inspect, verify and attenuate Onedata tokens (macaroons).
///
/// Give a token as `-`, or leave it out, to have it read from standard input: there it shows neither in the
/// shell's history nor in the list of processes.
///
/// Exit codes: 0 done, accepted; 1 refused; 2 the command line is wrong; 3 the token is malformed; 4 a file
/// cannot be used.
#[derive(Parser)]
#[command(
    name = "onetoken",
    version,
    propagate_version = true,
    max_term_width = 110,
    after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"time < 4102444800\" | onetoken inspect"
)]
pub(crate) struct Args {
    /// When to color what people read: with `auto` on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: ColorChoice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Mint a token
    #[command(
        subcommand,
        after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example"
    )]
    Mint(Mint),
    Inspect(InspectArgs),
    Verify(VerifyArgs),
    Confine(ConfineArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

#[derive(Subcommand)]
pub(crate) enum Mint {
    Raw(RawArgs),
}

/// Mint a macaroon of any identifier under a secret of your own
///
/// It is kept nowhere: whoever knows the secret can verify it.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"tokenType = space_support_token\" --encoding base64url")]
pub(crate) struct RawArgs {
    /// Where the token says it comes from; not signed
    #[arg(long)]
    pub(crate) location: String,
    /// What the token is called; signed
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) identifier: String,
    /// A condition, such as "time < 1893456000"; may be given several times
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) caveat: Vec<String>,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// The binary format
    #[arg(long, default_value = "v1")]
    pub(crate) format: Format,
    /// How the bytes are spelled
    #[arg(long, default_value = "base62")]
    pub(crate) encoding: Spelling,
    /// Print a JSON document: {"token":"…"}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Packets, as all of Onedata's tokens have them
    V1,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Spelling {
    /// Letters and digits alone
    Base62,
    /// RFC 4648 §5, without padding
    #[value(name = "base64url")]
    Base64Url,
}

impl From<Spelling> for Encoding {
    fn from(spelling: Spelling) -> Self {
        match spelling {
            Spelling::Base62 => Self::Base62,
            Spelling::Base64Url => Self::Base64Url,
        }
    }
}

/// Show what a token says of itself, without a key
///
/// Nothing of it is confirmed: anyone can write such a token. Of a damaged token it tells what is wrong, where,
/// and what can be read before that.
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
    /// Show the signature: whoever sees it together with the rest can use the token
    #[arg(long)]
    pub(crate) show_signature: bool,
    /// The time to judge expiry at, in RFC 3339 or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) at: Option<UnixTime>,
}

/// Tell whether a token was minted under a key and holds for a request
///
/// The signature comes first. Then each caveat has to hold in the context that the options describe; a caveat
/// that asks for something that is not described does not hold.
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
    #[arg(long, value_name = "TEXT")]
    pub(crate) exact: Vec<String>,
    /// Refuse caveats that a token of this type does not support
    #[arg(long = "as", value_name = "TYPE")]
    pub(crate) used_as: Option<Use>,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
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

impl From<Use> for TokenUse {
    fn from(used_as: Use) -> Self {
        match used_as {
            Use::Access => Self::Access,
            Use::Identity => Self::Identity,
            Use::Invite => Self::Invite,
        }
    }
}

/// Add conditions to a token, for which no key is needed
///
/// The token that comes out is good for less than the one that went in, and nothing takes that back. The
/// conditions are added in this order: caveats as given, time, addresses, consumers.
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
    /// Let it expire after this time: 90s, 15m, 24h, 7d
    #[arg(long, value_name = "DURATION", value_parser = time::parse_duration, conflicts_with = "expires")]
    pub(crate) ttl: Option<Seconds>,
    /// Let it expire at this time, in RFC 3339 or Unix seconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_time)]
    pub(crate) expires: Option<UnixTime>,
    /// Good from this IPv4 network alone, or from one of several
    #[arg(long, value_name = "MASK")]
    pub(crate) ip: Vec<IpMask>,
    /// Good for this consumer alone, or for one of several: usr-ID, grp-ID, prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = request::consumer)]
    pub(crate) consumer: Vec<String>,
    /// Print a JSON document: {"token":"…"}
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
    /// The directory, which is made if it is not there
    pub(crate) dir: Option<PathBuf>,
}

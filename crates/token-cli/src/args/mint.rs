//! The command line of `onetoken mint`.

use std::num::NonZeroU64;

use clap::{
    Args as ClapArgs, Subcommand, ValueEnum,
    builder::{NonEmptyStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser},
    value_parser,
};
use token_api::Lifetime;
use token_core::{Encoding, Format, InviteType, Subject};
use token_store::Record;

use super::conditions::Conditions;
use crate::{error::Failure, key::KeyArgs, request, time};

#[derive(Subcommand)]
pub(crate) enum Mint {
    /// Mint a token with which a provider creates a space for a group
    #[command(after_help = "Example:
  onetoken mint group-spaces g1 --issuer usr-u1 --ttl 24h")]
    GroupSpaces {
        /// The id of the group
        #[arg(value_name = "GROUP_ID", allow_hyphen_values = true, value_parser = id)]
        group: String,
        #[command(flatten)]
        stored: StoredArgs,
    },
    /// Mint a token with which a provider supports a space
    #[command(after_help = "Example:
  onetoken mint space-support 9ueUeoZA6KXxNgzlvqmmrbzqE_BQiaHEEDC21sY1Kuc \\
    --ttl 24h --json")]
    SpaceSupport {
        /// The id of the space
        #[arg(value_name = "SPACE_ID", allow_hyphen_values = true, value_parser = id)]
        space: String,
        /// Mint a modern token (Onedata 20.02 and newer)
        #[arg(long)]
        modern: bool,
        /// How many times the token can be spent, or `unlimited`
        #[arg(long, value_name = "N", default_value = "1", value_parser = uses)]
        uses: Uses,
        #[command(flatten)]
        stored: StoredArgs,
    },
    Invite(InviteArgs),
    /// Mint a token that acts for its subject
    #[command(after_help = "Example:
  onetoken mint access --subject usr-u1 --ttl 24h --name laptop \\
    --caveat \"ip = 192.0.2.0/24\"")]
    Access {
        /// The session that the token is bound to
        #[arg(long, value_name = "ID", allow_hyphen_values = true, value_parser = id)]
        session: Option<String>,
        #[command(flatten)]
        own: SelfArgs,
    },
    /// Mint a token that proves who its subject is
    #[command(after_help = "Example:
  onetoken mint identity --subject prv-p1 --temporary --ttl 15m")]
    Identity(SelfArgs),
    Raw(RawArgs),
}

/// The options of every token that a store keeps.
#[derive(ClapArgs)]
pub(crate) struct Form {
    /// The token expires after this time: 90s, 15m, 24h, 7d, 1w, 1d12h, or `never` [default: 7d]
    #[arg(long, value_name = "DURATION", value_parser = ttl)]
    pub(crate) ttl: Option<Lifetime>,
    /// A name for the record, which no other token of the issuer has
    #[arg(long, value_parser = name, conflicts_with = "count")]
    pub(crate) name: Option<String>,
    /// A text that the record keeps, and `onetoken amend` changes
    #[arg(long, value_name = "TEXT", value_parser = metadata)]
    pub(crate) metadata: Option<String>,
    /// How many tokens to mint, each printed on its own line; --json prints one document, {"tokens":[…]} [default: 1]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
    /// The encoding of the token
    #[arg(long, default_value = "base62")]
    pub(crate) encoding: TokenEncoding,
}

/// The options of every token that its issuer gives to others.
#[derive(ClapArgs)]
pub(crate) struct StoredArgs {
    /// The issuer: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", default_value = "usr-operator", value_parser = request::issuer)]
    pub(crate) issuer: Subject,
    #[command(flatten)]
    pub(crate) form: Form,
}

/// Mint an invitation of any of the 14 types
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint invite userJoinGroup g1 --issuer usr-u1 --uses 5")]
pub(crate) struct InviteArgs {
    /// The type of invitation, by its name or its code
    #[arg(value_name = "TYPE", value_parser = invite())]
    pub(crate) invite: InviteType,
    /// The id of the entity that the token invites to
    #[arg(value_name = "TARGET_ID", allow_hyphen_values = true, value_parser = id)]
    pub(crate) target: String,
    /// How many times the token can be spent, or `unlimited` [default: 1; for a temporary token: unlimited]
    #[arg(long, value_name = "N", value_parser = uses)]
    pub(crate) uses: Option<Uses>,
    /// Store no record; the uses of such a token are not counted, and it cannot be revoked alone
    #[arg(long)]
    pub(crate) temporary: bool,
    /// A further condition; may be repeated
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) caveat: Vec<String>,
    #[command(flatten)]
    pub(crate) stored: StoredArgs,
}

#[derive(ClapArgs)]
pub(crate) struct SelfArgs {
    /// The user or provider that the token stands for: usr-ID or prv-ID
    #[arg(long, value_name = "SUBJECT", value_parser = request::issuer)]
    pub(crate) subject: Subject,
    /// Store no record; such a token cannot be revoked alone
    #[arg(long)]
    pub(crate) temporary: bool,
    /// A further condition; may be repeated
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) caveat: Vec<String>,
    #[command(flatten)]
    pub(crate) form: Form,
}

pub(super) const UNKNOWN_OPTION: &str = "there is no such option";

/// Ids are base64url, so one in 64 begins like an option; a misspelled option must not become an id.
fn id(text: &str) -> Result<String, &'static str> {
    const LONGEST_OPTION: usize = 20;
    if text.starts_with("--") && text.len() <= LONGEST_OPTION {
        Err(UNKNOWN_OPTION)
    } else {
        Ok(text.to_owned())
    }
}

/// Reads a text of at most this many bytes.
pub(super) fn at_most(text: &str, max: usize) -> Result<String, String> {
    let len = text.len();
    if len > max { Err(format!("{len} bytes; {max} are allowed")) } else { Ok(text.to_owned()) }
}

/// Reads the name of a record.
pub(super) fn name(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { at_most(text, Record::MAX_NAME_LEN) }
}

/// Reads the metadata of a record.
pub(super) fn metadata(text: &str) -> Result<String, String> {
    at_most(text, Record::MAX_METADATA_LEN)
}

fn ttl(text: &str) -> Result<Lifetime, &'static str> {
    if text == "never" { Ok(Lifetime::Forever) } else { time::parse_ttl(text).map(Lifetime::For) }
}

/// How often a token can be spent, if there is a limit.
#[derive(Clone, Copy)]
pub(crate) struct Uses(pub(crate) Option<NonZeroU64>);

fn uses(text: &str) -> Result<Uses, &'static str> {
    if text == "unlimited" {
        return Ok(Uses(None));
    }
    text.parse().map(|limit| Uses(Some(limit))).map_err(|_| "neither a number from 1 on nor `unlimited`")
}

/// A type by its name or its code, with the names that completions offer.
fn invite() -> impl TypedValueParser<Value = InviteType> {
    let all = InviteType::all()
        .map(|invite| PossibleValue::new(invite.name()).alias(invite.code()).help(invite.code()));
    PossibleValuesParser::new(all).try_map(|text| {
        InviteType::from_name(&text).or_else(|| InviteType::from_code(&text)).ok_or("not an invite type")
    })
}

/// Mint a macaroon with any identifier under a secret of your own
///
/// The token is not stored. Anyone who knows the secret can verify it. --json prints {"token":"…"}.
///
/// A third party also mints its discharges with this command: the identifier is that of the caveat, and the secret is
/// the caveat's KEY. `onetoken bind` then binds the discharge.
#[derive(ClapArgs)]
#[command(after_help = "Example:
  onetoken mint raw --location onezone --identifier id7 --secret example \\
    --caveat \"tokenType = space_support_token\" --encoding base64url
  echo shared > auth.key
  onetoken mint raw --location onezone --identifier id8 --secret example \\
    --third-party https://auth.example:id9:@auth.key --format v2j")]
pub(crate) struct RawArgs {
    /// The location of the token; not signed
    #[arg(long)]
    pub(crate) location: String,
    /// The identifier of the token; signed
    #[arg(long, allow_hyphen_values = true, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) identifier: String,
    #[command(flatten)]
    pub(crate) conditions: Conditions,
    #[command(flatten)]
    pub(crate) key: KeyArgs,
    /// The format
    #[arg(long, default_value = "v1")]
    pub(crate) format: RawFormat,
    /// The encoding: base62 (default) or base64url for v1, base64url for v2, none for v2j
    #[arg(long)]
    pub(crate) encoding: Option<TokenEncoding>,
}

impl RawArgs {
    /// The format and the encoding to write the token in. Fails if the format has no such encoding.
    pub(crate) fn written_as(&self) -> Result<(Format, Encoding), Failure> {
        match (self.format, self.encoding) {
            (RawFormat::V1, None | Some(TokenEncoding::Base62)) => Ok((Format::V1, Encoding::Base62)),
            (RawFormat::V1, Some(TokenEncoding::Base64Url)) => Ok((Format::V1, Encoding::Base64Url)),
            (RawFormat::V2, None | Some(TokenEncoding::Base64Url)) => Ok((Format::V2, Encoding::Base64Url)),
            (RawFormat::V2J, None) => Ok((Format::V2J, Encoding::Json)),
            _ => Err(Failure::usage("this format has no such encoding; leave out --encoding")),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum RawFormat {
    /// Packets, the format of all of Onedata's tokens
    V1,
    /// Tagged fields
    V2,
    /// JSON
    #[value(name = "v2j")]
    V2J,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenEncoding {
    /// Only letters and digits
    Base62,
    /// RFC 4648 §5, without padding
    #[value(name = "base64url")]
    Base64Url,
}

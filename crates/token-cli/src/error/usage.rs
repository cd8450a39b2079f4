//! Mistakes in the command line that its parser does not find.

use token_api::MintError;
use token_store::ClaimId;

/// What is wrong with the command line.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum UsageError {
    /// The parser's own message.
    #[error("{0}")]
    Parse(String),
    #[error("a key is needed; give --secret, --secret-hex or --secret-file")]
    NoKey,
    #[error("the secret is empty")]
    EmptySecret,
    #[error("--secret-hex takes pairs of hexadecimal digits")]
    SecretHex,
    #[error("a raw key has 32 bytes; this one has {len}")]
    RawKeyLength { len: usize },
    #[error("a token is needed; give it, or `-` to read it from standard input")]
    NoToken,
    #[error("only one token or secret can come from standard input")]
    InputTwice,
    #[error("--compat needs a key; tokens of a store always follow the rules of their format")]
    CompatByStore,
    #[error("this format has no such encoding; leave out --encoding")]
    Encoding,
    #[error("--lines reads tokens from standard input; leave out the token")]
    TokenWithLines,
    #[error("no condition is given; give --caveat, --ttl, --expires, --ip or --consumer")]
    NoCaveat,
    #[error("--ip takes IPv4 networks, at least one")]
    Addresses,
    #[error("a subject is usr-ID, grp-ID or prv-ID")]
    Subject,
    #[error("no home directory is known; name one with --home")]
    NoHome,
    #[error(
        "a temporary token has no record and cannot be revoked alone; `onetoken revoke --temporary SUBJECT` revokes \
         all temporary tokens of its subject"
    )]
    RevokeTemporary,
    #[error("the consumer is missing; name it with --consumer")]
    NoConsumer,
    #[error(
        "a store in `memory:` ends with this command, so nothing could verify the token; name another store"
    )]
    ForgetfulStore,
    #[error(
        "not a cursor of this listing; give --after the cursor of the previous page, and the same filters"
    )]
    Cursor,
    #[error("--before takes a time in the past; tokens that are not minted yet cannot be revoked")]
    NotYet,
    #[error(
        "this store is not the home's own, which may need the old keys; name it with --also, not with --store"
    )]
    RekeyOther,
    #[error("the export itself goes to standard output; leave out --json or name a file")]
    ExportAndJson,
    #[error("a claim has 1 to {} bytes; this one has {len}", ClaimId::MAX_LEN)]
    Claim { len: usize },
    #[error(transparent)]
    Mint(MintError),
}

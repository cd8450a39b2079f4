//! `onetoken mint`

use token_core::Macaroon;

use super::{print_token, spelled};
use crate::{
    args::{Format, RawArgs},
    error::{Exit, Failure, Malformed},
    output::Terminal,
};

pub(super) fn raw(args: &RawArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let key = args.key.root_key(None)?;
    let mut macaroon =
        Macaroon::mint(&key, &args.location, args.identifier.as_bytes()).map_err(Malformed::part)?;
    for caveat in &args.caveat {
        macaroon.attenuate(caveat).map_err(Malformed::part)?;
    }
    match args.format {
        Format::V1 => print_token(terminal, &macaroon, spelled(args.encoding.into()), args.json),
    }
}

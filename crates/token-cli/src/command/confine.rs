//! `onetoken confine`

use token_core::{Predicate, PredicateBuf, Subject};

use super::print_token;
use crate::{
    args::ConfineArgs,
    error::{Exit, Failure, Malformed, UsageError},
    input::Source,
    output::Terminal,
    time,
};

pub(super) fn run(args: &ConfineArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    let now = time::now()?;
    let expires = args.expires.or(args.ttl.map(|ttl| now.plus_secs(ttl.0)));
    let mut predicates = Vec::new();
    predicates.extend(expires.map(PredicateBuf::time));
    if !args.ip.is_empty() {
        predicates.extend(PredicateBuf::ip(args.ip.iter().copied()));
    }
    if !args.consumer.is_empty() {
        let consumers = args.consumer.iter().filter_map(|consumer| Subject::read(consumer));
        predicates.push(PredicateBuf::consumer(consumers).map_err(|_| UsageError::Consumers)?);
    }
    if args.caveat.is_empty() && predicates.is_empty() {
        return Err(UsageError::NoCaveat.into());
    }

    let options = args.reading.options();
    let (mut macaroon, spelling) = Source::of(args.token.as_deref())?.read()?.macaroon(&options, now)?;
    for caveat in &args.caveat {
        if Predicate::read(caveat.as_bytes()).is_none() {
            terminal
                .note("warning: a caveat is not one that Onedata knows, so Onedata will refuse the token");
        }
        macaroon.attenuate(caveat).map_err(Malformed::part)?;
    }
    for predicate in predicates {
        macaroon.attenuate(predicate).map_err(Malformed::part)?;
    }
    print_token(terminal, macaroon.spell(spelling), &options, args.json)
}

//! `onetoken confine`

use token_core::{Predicate, PredicateBuf, Subject};

use crate::{
    args::ConfineArgs,
    error::{Failure, Malformed, Unwritable, UsageError},
    input::Source,
    output::Terminal,
    time,
};

pub(super) fn run(args: &ConfineArgs, terminal: &Terminal) -> Result<(), Failure> {
    let now = time::now()?;
    let expires = args.expires.or(args.ttl.map(|ttl| now.plus_secs(ttl.as_secs())));
    let mut predicates = Vec::new();
    predicates.extend(expires.map(PredicateBuf::time));
    if !args.ip.is_empty() {
        predicates.push(PredicateBuf::ip(args.ip.iter().copied()).map_err(|_| UsageError::Addresses)?);
    }
    if !args.consumer.is_empty() {
        let consumers = args.consumer.iter().map(Subject::as_deref);
        predicates.push(PredicateBuf::consumer(consumers).map_err(|_| UsageError::Subject)?);
    }
    if args.caveat.is_empty() && predicates.is_empty() {
        return Err(UsageError::NoCaveat.into());
    }

    let options = args.reading.options();
    let (mut macaroon, spelling) = Source::of(args.token.as_deref())?.read()?.macaroon(&options, now)?;
    for (index, caveat) in args.caveat.iter().enumerate() {
        match Predicate::read(caveat.as_bytes()) {
            Some(_) if PredicateBuf::read(caveat.as_str()).is_none() => {
                return Err(Malformed::caveat(index, caveat).into());
            }
            Some(_) => {}
            None => {
                terminal.note(format_args!("warning: {}: Onedata will refuse the token", Unwritable(caveat)))
            }
        }
        macaroon.attenuate(caveat).map_err(Malformed::from)?;
    }
    for predicate in predicates {
        macaroon.attenuate(predicate).map_err(Malformed::from)?;
    }
    terminal.token(macaroon.spell(spelling), &options)
}

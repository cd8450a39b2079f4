//! `onetoken confine`

use token_core::{Predicate, PredicateBuf, Subject};

use crate::{
    args::ConfineArgs,
    error::{Failure, unwritable},
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
        let networks = PredicateBuf::ip(args.ip.iter().copied());
        predicates.push(networks.map_err(|_| Failure::usage("--ip takes IPv4 networks, at least one"))?);
    }
    if !args.consumer.is_empty() {
        let consumers = args.consumer.iter().map(Subject::as_deref);
        let no_subject = |_| Failure::usage("a subject is usr-ID, grp-ID or prv-ID");
        predicates.push(PredicateBuf::consumer(consumers).map_err(no_subject)?);
    }
    if args.caveat.is_empty() && predicates.is_empty() {
        let message = "no condition is given; give --caveat, --ttl, --expires, --ip or --consumer";
        return Err(Failure::usage(message));
    }

    let options = args.reading.options();
    let (mut macaroon, spelling) = Source::of(args.token.as_deref())?.read()?.macaroon(&options, now)?;
    for (index, caveat) in args.caveat.iter().enumerate() {
        match Predicate::read(caveat.as_bytes()) {
            Some(_) if PredicateBuf::read(caveat.as_str()).is_none() => {
                return Err(Failure::caveat(index, caveat));
            }
            Some(_) => {}
            None => {
                terminal.note(format_args!("warning: {}: Onedata will refuse the token", unwritable(caveat)))
            }
        }
        macaroon.attenuate(caveat)?;
    }
    for predicate in predicates {
        macaroon.attenuate(predicate)?;
    }
    terminal.token(macaroon.spell(spelling), &options)
}

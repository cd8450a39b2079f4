//! `onetoken consume`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use token_api::Spent;
use token_embed::authority::Consumed;
use token_store::ClaimId;

use crate::{
    args::ConsumeArgs,
    bytes::Plain,
    describe,
    error::Failure,
    home::HomeArgs,
    input::Source,
    output::{Style, Terminal},
};

pub(super) fn run(args: &ConsumeArgs, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    // A use is lost if its answer does not arrive.
    terminal.must_be_open()?;
    if args.request.consumer.is_none() {
        return Err(Failure::usage("the consumer is missing; name it with --consumer"));
    }
    if let Some(name) = &args.claim {
        drop(claim(name)?);
    }
    // The token first: waiting for it must not keep others from the store.
    let text = Source::of(args.token.as_deref())?.read()?;
    let token = text.token(args.request.now()?)?;

    let authority = home.authority()?;
    let name = match &args.claim {
        Some(name) => name.clone(),
        // As text, which a retry can give again.
        None => URL_SAFE_NO_PAD.encode(authority.draw_claim()?.as_bytes()),
    };
    let claim = claim(&name)?;
    let context = args.request.context(args.request.now()?);
    let spent = authority.spend(&token, args.expect, &claim, &context);
    drop(authority);
    let spent = spent.map_err(|error| Failure::checking(error, token.macaroon()).spending(&name))?;
    let (id, told) = (spent.accepted.id.clone(), told(&spent, terminal));
    terminal.answer(&Consumed::from(spent), told).map_err(|failure| {
        terminal.note(format_args!(
            "a use of token {id} was spent, but the answer could not be written; `--claim {name}` repeats it and spends no \
             second use"
        ));
        failure.undelivered()
    })
}

fn claim(text: &str) -> Result<ClaimId, Failure> {
    ClaimId::new(text).map_err(|error| {
        let (max, len) = (ClaimId::MAX_LEN, error.len);
        Failure::usage(format_args!("a claim has 1 to {max} bytes; this one has {len}"))
    })
}

/// The answer for people.
fn told(spent: &Spent, terminal: &Terminal) -> String {
    let repeated = if spent.repeated { " before, under the same claim" } else { "" };
    let mut stored = describe::stored(&spent.accepted, spent.uses_left).into_iter();
    let id = Plain(spent.accepted.id.as_bytes()).to_string();
    let rows = stored.next().into_iter().chain([("id", id)]);
    let rows = describe::lines(&rows.chain(stored).collect::<Vec<_>>());
    format!("{}{repeated}\n{rows}", terminal.paint(Style::Good, "consumed"))
}

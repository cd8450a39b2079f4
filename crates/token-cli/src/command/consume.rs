//! `onetoken consume`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use token_store::ClaimId;

use crate::{
    args::ConsumeArgs,
    bytes::{Bytes, Plain},
    describe::{self, Stored},
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
    let stored = Stored::new(&spent.accepted, spent.uses_left);
    let id = spent.accepted.id.as_bytes().into();
    let answer = Answer { consumed: true, id, stored, repeated: spent.repeated };
    terminal.answer(&answer, answer.text(terminal)).map_err(|failure| {
        terminal.note(format_args!(
            "a use of token {} was spent, but the answer could not be written; `--claim {name}` repeats it and spends no \
             second use",
            spent.accepted.id
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

#[derive(Serialize)]
struct Answer {
    consumed: bool,
    id: Bytes,
    #[serde(flatten)]
    stored: Stored,
    repeated: bool,
}

impl Answer {
    fn text(&self, terminal: &Terminal) -> String {
        let repeated = if self.repeated { " before, under the same claim" } else { "" };
        let mut stored = self.stored.rows().into_iter();
        let rows = stored.next().into_iter().chain([("id", Plain(self.id.as_bytes()).to_string())]);
        let rows = describe::lines(&rows.chain(stored).collect::<Vec<_>>());
        format!("{}{repeated}\n{rows}", terminal.paint(Style::Good, "consumed"))
    }
}

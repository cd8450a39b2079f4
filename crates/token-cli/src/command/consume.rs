//! `onetoken consume`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use token_api::Spent;
use token_store::ClaimId;

use crate::{
    args::ConsumeArgs,
    bytes::Bytes,
    describe,
    entity::{Named, limit},
    error::{Failure, UsageError},
    home::HomeArgs,
    input::Source,
    output::{Style, Terminal},
};

pub(super) fn run(args: &ConsumeArgs, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    // A use is lost if its answer does not arrive.
    terminal.must_be_open()?;
    if !args.request.has_consumer() {
        return Err(UsageError::NoConsumer.into());
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
    let context = args.request.context(args.request.at().unwrap_or_else(|| authority.now()));
    let spent = authority.spend(&token, args.expect, &claim, &context);
    drop(authority);
    let spent = spent.map_err(|error| Failure::checking(error, token.macaroon()).spending(&name))?;
    terminal.answer(&Answer::new(&spent), people(&spent, terminal)).map_err(|failure| {
        terminal.note(format_args!(
            "a use of token {} was spent, but the answer could not be written; `--claim {name}` repeats it and spends no \
             second use",
            spent.accepted.id
        ));
        failure.undelivered()
    })
}

fn claim(text: &str) -> Result<ClaimId, UsageError> {
    ClaimId::new(text).map_err(|error| UsageError::Claim { len: error.len })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    consumed: bool,
    id: Bytes,
    #[serde(rename = "type")]
    kind: &'static str,
    resource: Option<Named>,
    issuer: Named,
    uses_left: Option<u64>,
    repeated: bool,
}

impl Answer {
    fn new(spent: &Spent) -> Self {
        let accepted = &spent.accepted;
        Self {
            consumed: true,
            id: accepted.id.as_bytes().into(),
            kind: accepted.purpose.as_str(),
            resource: accepted.resource.as_ref().map(Named::from),
            issuer: accepted.issuer.as_deref().into(),
            uses_left: spent.uses_left,
            repeated: spent.repeated,
        }
    }
}

fn people(spent: &Spent, terminal: &Terminal) -> String {
    let accepted = &spent.accepted;
    let mut rows = vec![("type", accepted.purpose.to_string()), ("id", accepted.id.to_string())];
    rows.extend(accepted.resource.iter().map(|resource| ("resource", Named::from(resource).resource())));
    let issuer = Named::from(accepted.issuer.as_deref()).subject();
    rows.extend([("issuer", issuer), ("uses left", limit(spent.uses_left))]);
    let repeated = if spent.repeated { " before, under the same claim" } else { "" };
    format!("{}{repeated}\n{}", terminal.paint(Style::Good, "consumed"), describe::lines(&rows))
}

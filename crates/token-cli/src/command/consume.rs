//! `onetoken consume`

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use token_api::Spent;
use token_store::ClaimId;

use crate::{
    args::ConsumeArgs,
    entity::Named,
    error::{Exit, Failure, UsageError},
    home::HomeArgs,
    input::Source,
    output::{Bytes, Style, Terminal},
};

pub(super) fn run(args: &ConsumeArgs, home: &HomeArgs, terminal: &mut Terminal) -> Result<Exit, Failure> {
    // A use is lost if its answer does not arrive.
    terminal.must_be_open()?;
    args.request.consumer().ok_or(UsageError::NoConsumer)?;
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
    let spent = spent.map_err(|error| Failure::spending(error, token.macaroon(), &name))?;
    let written = match args.json {
        true => terminal.document(&Answer::new(&spent)),
        false => print(&spent, terminal),
    };
    written.map_err(|failure| {
        terminal.note(format_args!(
            "token {} was consumed, but the answer could not be written out; `--claim {name}` repeats it and \
             spends no second use",
            spent.accepted.id
        ));
        failure.undelivered()
    })?;
    Ok(Exit::Done)
}

fn claim(text: &str) -> Result<ClaimId, UsageError> {
    ClaimId::new(text).map_err(|error| UsageError::Claim { len: error.len })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    consumed: bool,
    id: Bytes,
    #[serde(rename = "type")]
    kind: &'static str,
    resource: Option<Named<'a>>,
    issuer: Named<'a>,
    uses_left: Option<u64>,
    repeated: bool,
}

impl<'a> Answer<'a> {
    fn new(spent: &'a Spent) -> Self {
        let accepted = &spent.accepted;
        Self {
            consumed: true,
            id: accepted.id.as_bytes().into(),
            kind: accepted.purpose.as_str(),
            resource: accepted.resource.as_ref().map(Named::from),
            issuer: accepted.issuer().into(),
            uses_left: spent.uses_left,
            repeated: spent.repeated,
        }
    }
}

fn print(spent: &Spent, terminal: &mut Terminal) -> Result<(), Failure> {
    let accepted = &spent.accepted;
    let left = spent.uses_left.map_or_else(|| "unlimited".to_owned(), |left| left.to_string());
    let repeated = if spent.repeated { " before, under the same claim" } else { "" };
    let mut text = format!(
        "{}{repeated}\ntype        {}\nid          {}\n",
        terminal.paint(Style::Good, "consumed"),
        accepted.purpose,
        accepted.id
    );
    if let Some(resource) = &accepted.resource {
        text.push_str(&format!("resource    {}\n", Named::from(resource).resource()));
    }
    let issuer = Named::from(accepted.issuer()).subject();
    text.push_str(&format!("issuer      {issuer}\nuses left   {left}\n"));
    terminal.text(text)
}

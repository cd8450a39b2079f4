//! `onetoken events`

use token_store::{Entity, Event, StoreError, TokenId};

use crate::{
    args::{Cursor, EventsArgs, NO_CURSOR},
    bytes::{Bytes, Members},
    entity::Named,
    error::Failure,
    home::HomeArgs,
    output::Terminal,
    time::Stamp,
};

/// How many events one call to the store returns.
const PAGE: usize = 1000;

pub(super) fn run(args: &EventsArgs, home: &HomeArgs, terminal: &Terminal) -> Result<(), Failure> {
    let authority = home.authority()?;
    let now = authority.now();
    let read = |after: Option<&token_store::Cursor>, limit| match authority.events(after, limit) {
        Err(token_api::Failure::Store(StoreError::InvalidCursor)) => Err(Failure::usage(NO_CURSOR)),
        page => Ok(page?),
    };
    let mut page =
        read(args.after.as_ref().map(|cursor| &cursor.after), args.limit.unwrap_or(PAGE).min(PAGE))?;
    let (mut events, mut missed) = (Vec::new(), false);
    loop {
        missed |= page.missed;
        let is_last = page.events.is_empty();
        events.append(&mut page.events);
        let left = args.limit.map_or(PAGE, |limit| limit.saturating_sub(events.len()).min(PAGE));
        if is_last || left == 0 {
            break;
        }
        page = read(Some(&page.next), left)?;
    }
    drop(authority);

    let next = Cursor { now, after: page.next }.to_string();
    if terminal.prints_json() {
        let events: Vec<Members> = events.iter().map(document).collect();
        let answer = Members::default().with("events", events).with("next", next);
        return terminal.document(&answer.with("missed", missed));
    }
    if args.after.is_none() {
        return terminal.text(format_args!("{next}\n"));
    }
    terminal.text(events.iter().map(line).collect::<String>())?;
    if missed {
        terminal.note("events before these are lost; forget every verdict");
    }
    terminal.note(format_args!("continue with --after {next}"));
    Ok(())
}

fn document(event: &Event) -> Members {
    let named = |name: &str| Members::default().with("event", name);
    let of = |name, id: &TokenId| named(name).with("id", Bytes::from(id.as_bytes()));
    let about = |name, subject: &Entity| named(name).with("subject", Named::from(subject).subject());
    match event {
        Event::Revoked(id) => of("revoked", id),
        Event::Reinstated(id) => of("reinstated", id),
        Event::Deleted(id) => of("deleted", id),
        Event::RevokedBefore(time) => named("revoked-before").with("before", Stamp(*time)),
        Event::GenerationRaised(subject, number) => {
            about("generation-raised", subject).with("generation", number)
        }
        Event::GenerationDeleted(subject) => about("generation-deleted", subject),
        _ => named("other"),
    }
}

fn line(event: &Event) -> String {
    let about = |subject| Named::from(subject).subject();
    match event {
        Event::Revoked(id) => format!("revoked     {id}\n"),
        Event::Reinstated(id) => format!("reinstated  {id}\n"),
        Event::Deleted(id) => format!("deleted     {id}\n"),
        Event::RevokedBefore(time) => format!("revoked     all tokens minted before {time}\n"),
        Event::GenerationRaised(subject, number) => {
            format!("revoked     temporary tokens of {} before generation {number}\n", about(subject))
        }
        Event::GenerationDeleted(subject) => {
            format!("deleted     temporary tokens of {}\n", about(subject))
        }
        _ => "other\n".to_owned(),
    }
}

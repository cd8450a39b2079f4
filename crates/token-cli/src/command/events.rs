//! `onetoken events`

use token_embed::authority::Happened;
use token_store::{Event, StoreError};

use crate::{
    args::{Cursor, EventsArgs, NO_CURSOR},
    entity::subject_text,
    error::Failure,
    home::HomeArgs,
    output::Terminal,
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
        return terminal.document(&Happened::new(events, next, missed));
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

fn line(event: &Event) -> String {
    match event {
        Event::Revoked(id) => format!("revoked     {id}\n"),
        Event::Reinstated(id) => format!("reinstated  {id}\n"),
        Event::Deleted(id) => format!("deleted     {id}\n"),
        Event::RevokedBefore(time) => format!("revoked     all tokens minted before {time}\n"),
        Event::GenerationRaised(subject, number) => {
            format!("revoked     temporary tokens of {} before generation {number}\n", subject_text(subject))
        }
        Event::GenerationDeleted(subject) => {
            format!("deleted     temporary tokens of {}\n", subject_text(subject))
        }
        _ => "other\n".to_owned(),
    }
}

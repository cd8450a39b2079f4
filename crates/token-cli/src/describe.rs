//! Answers for people, as rows.

use token_api::Accepted;
use token_core::{
    Caveat, Format, Identifier, IdentifierV2, Inspection, LegacyType, Persistence, Predicate, TokenType,
    UnixTime,
};

use crate::{
    bytes::Plain,
    entity::{limit, resource_text},
    output::{Style, Terminal},
    time::expiry,
};

/// A name and its value.
pub(crate) type Row = (&'static str, String);

/// Writes a line for each row, with the names in a column of their own.
pub(crate) fn lines(rows: &[Row]) -> String {
    rows.iter().map(|(name, value)| format!("{name:<12}{value}\n")).collect()
}

/// Rows with what the store knows of a token, of which this many uses are left.
pub(crate) fn stored(token: &Accepted, uses_left: Option<u64>) -> Vec<Row> {
    let mut rows = vec![("type", token.purpose.as_str().to_owned())];
    rows.extend(token.resource.iter().map(|resource| ("resource", resource_text(resource))));
    let issuer = Plain(token.issuer.to_string().as_bytes()).to_string();
    rows.extend([("issuer", issuer), ("uses left", limit(uses_left))]);
    rows
}

/// The fields of a token; unless it is `whole`, those of the part that was read.
pub(crate) fn fields(inspection: &Inspection, now: UnixTime, whole: bool, terminal: &Terminal) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(encoding) = inspection.encoding() {
        let words = [Some(encoding.as_str()), inspection.format().map(Format::as_str)];
        let words = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
        rows.push(("written as", format!("{words}, {} bytes", inspection.len())));
    }
    let plain = |bytes| Plain(bytes).to_string();
    rows.extend(inspection.location().map(|location| ("location", plain(location))));
    rows.extend(inspection.identifier().map(|identifier| ("identifier", plain(identifier))));
    rows.extend(inspection.token().map(|token| ("meaning", token.words())));
    rows.extend(stated(inspection.identifier().unwrap_or_default(), inspection.caveats()));
    if let Some(IdentifierV2 { id, persistence, .. }) = inspection.token() {
        rows.push(("id", plain(id.as_bytes())));
        rows.push(match persistence {
            Persistence::Named => ("kept", "named".to_owned()),
            Persistence::Temporary { generation } => ("kept", format!("temporary, generation {generation}")),
        });
    }
    rows.extend(inspection.service().map(|service| ("service", service.as_str().to_owned())));
    rows.extend(inspection.caveats().enumerate().map(|(index, caveat)| {
        let name = if index == 0 { "caveats" } else { "" };
        (name, format!("{index}  {}", shown(caveat, now, terminal)))
    }));
    match inspection.expires_at() {
        Some(at) => {
            let style = if at <= now { Style::Bad } else { Style::Good };
            rows.push(("expires", format!("{at} ({})", terminal.paint(style, expiry(at, now)))));
        }
        None if whole => rows.push(("expires", "never".to_owned())),
        None => {}
    }
    rows
}

/// Rows with the purpose and the subject that an identifier or a legacy token's caveats state.
pub(crate) fn stated<'a>(identifier: &[u8], mut caveats: impl Iterator<Item = Caveat<'a>>) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Ok(Identifier::V2(identifier)) = Identifier::read(identifier) {
        rows.push(("type", kind(&identifier.token_type)));
        if let TokenType::Invite { invite, target } = identifier.token_type {
            rows.push((invite.target_kind(), Plain(target.as_bytes()).to_string()));
        }
        rows.push(("subject", Plain(identifier.subject.to_string().as_bytes()).to_string()));
    }
    if let Some(legacy) = caveats.find_map(stated_type) {
        rows.push(("type", format!("legacy {} token", modern_name(legacy))));
    }
    rows
}

fn kind(token_type: &TokenType<&str>) -> String {
    match token_type {
        TokenType::Access { session: None } => "access token".to_owned(),
        TokenType::Access { session: Some(session) } => {
            format!("access token for session {}", Plain(session.as_bytes()))
        }
        TokenType::Invite { invite, .. } => format!("invite token, {}", invite.name()),
        other => format!("{} token", other.purpose()),
    }
}

/// The type that a legacy token states in a caveat.
fn stated_type(caveat: Caveat<'_>) -> Option<LegacyType> {
    let Caveat::FirstParty { predicate } = caveat else { return None };
    match Predicate::read(predicate)? {
        Predicate::TokenType(legacy) => Some(legacy),
        _ => None,
    }
}

const fn modern_name(legacy: LegacyType) -> &'static str {
    match legacy {
        LegacyType::SpaceCreate => "group-spaces",
        LegacyType::SpaceSupport => "space-support",
        LegacyType::GroupInvite | LegacyType::GroupInviteUser => "userJoinGroup",
        LegacyType::GroupInviteGroup => "groupJoinGroup",
        LegacyType::SpaceInviteUser => "userJoinSpace",
        LegacyType::SpaceInviteGroup => "groupJoinSpace",
        LegacyType::ProviderRegistration => "registerOneprovider",
    }
}

/// A caveat, and what it asks.
fn shown(caveat: Caveat<'_>, now: UnixTime, terminal: &Terminal) -> String {
    let (text, style, note) = match caveat {
        Caveat::ThirdParty { identifier, .. } => (identifier, Style::Faint, caveat.words()),
        Caveat::FirstParty { predicate } => match Predicate::read(predicate) {
            None => (predicate, Style::Warning, "not understood".to_owned()),
            Some(Predicate::Time { valid_until }) => {
                let words = format!("{}, {}", caveat.words(), expiry(valid_until.to_time(), now));
                (predicate, Style::Faint, words)
            }
            Some(known) => (predicate, Style::Faint, known.words()),
        },
    };
    format!("{}  {}", Plain(text), terminal.paint(style, format_args!("({note})")))
}

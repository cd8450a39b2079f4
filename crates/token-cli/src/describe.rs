//! An inspection for people.

use std::fmt;

use token_core::{
    Caveat, Format, Identifier, IdentifierV2, Inspection, LegacyType, Persistence, Predicate, TokenType,
    UnixTime,
};

use crate::{
    bytes::Plain,
    output::{Style, Terminal},
    time::Expiry,
};

/// A token, and how much of it to show.
pub(crate) struct Description<'a> {
    pub(crate) inspection: &'a Inspection,
    pub(crate) now: UnixTime,
    /// Whether the token was read to its end.
    pub(crate) whole: bool,
    /// Whether to show the signature.
    pub(crate) signature: bool,
    pub(crate) terminal: &'a Terminal,
}

/// One line, with the name in its own column.
fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<12}{value}")
}

/// Short and aligned.
impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { inspection, now, whole, signature, terminal } = *self;
        let heading = match whole {
            true => "not verified: anyone could have written this",
            false => "damaged: only this part can be read, and none of it is verified",
        };
        writeln!(f, "{}", terminal.paint(Style::Warning, heading))?;
        if let Some(encoding) = inspection.encoding() {
            let words = [Some(encoding.as_str()), inspection.format().map(Format::as_str)];
            let words = words.into_iter().flatten().collect::<Vec<_>>().join(", ");
            row(f, "written as", format_args!("{words}, {} bytes", inspection.len()))?;
        }
        if let Some(location) = inspection.location() {
            row(f, "location", Plain(location))?;
        }
        if let Some(identifier) = inspection.identifier() {
            row(f, "identifier", Plain(identifier))?;
        }
        for (name, value) in stated(inspection.identifier().unwrap_or_default(), inspection.caveats()) {
            row(f, name, value)?;
        }
        if let Some(IdentifierV2 { id, persistence, .. }) = inspection.token() {
            row(f, "id", Plain(id.as_bytes()))?;
            match persistence {
                Persistence::Named => row(f, "kept", "named")?,
                Persistence::Temporary { generation } => {
                    row(f, "kept", format_args!("temporary, generation {generation}"))?;
                }
            }
        }
        if let Some(service) = inspection.service() {
            row(f, "service", service.code())?;
        }
        for (index, caveat) in inspection.caveats().enumerate() {
            let name = if index == 0 { "caveats" } else { "" };
            row(f, name, format_args!("{index}  {}", shown(caveat, now, terminal)))?;
        }
        match inspection.expires_at() {
            Some(at) => {
                let style = if at <= now { Style::Bad } else { Style::Good };
                row(f, "expires", format_args!("{at} ({})", terminal.paint(style, Expiry { at, now })))?;
            }
            None if whole => row(f, "expires", "never")?,
            None => {}
        }
        if let Some(shown) = inspection.signature().filter(|_| signature) {
            f.write_str("signature   ")?;
            shown.expose().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            f.write_str("\n")?;
        }
        Ok(())
    }
}

/// Rows with the purpose and the subject that an identifier or a legacy token's caveats state.
pub(crate) fn stated<'a>(
    identifier: &[u8],
    mut caveats: impl Iterator<Item = Caveat<'a>>,
) -> Vec<(&'static str, String)> {
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
        TokenType::Identity => "identity token".to_owned(),
        TokenType::Invite { invite, .. } => format!("invite token, {}", invite.name()),
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

/// A caveat, and what Onedata makes of it.
fn shown(caveat: Caveat<'_>, now: UnixTime, terminal: &Terminal) -> String {
    let (text, style, note) = match caveat {
        Caveat::ThirdParty { identifier, location, .. } => {
            (identifier, Style::Faint, format!("(third party, {})", Plain(location)))
        }
        Caveat::FirstParty { predicate } => match Predicate::read(predicate) {
            None => (predicate, Style::Warning, "(not understood)".to_owned()),
            Some(Predicate::Time { valid_until: at }) => {
                (predicate, Style::Faint, format!("({at}, {})", Expiry { at, now }))
            }
            Some(_) => return Plain(predicate).to_string(),
        },
    };
    format!("{}  {}", Plain(text), terminal.paint(style, note))
}

//! An inspection for people.

use std::fmt;

use token_core::{
    Caveat, Format, Identifier, Inspection, LegacyType, Macaroon, Persistence, Predicate, TokenType, UnixTime,
};

use crate::{
    error::Failure,
    output::{Plain, Style, Terminal},
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
}

impl Terminal {
    /// Short and aligned.
    pub(crate) fn describe(&mut self, description: &Description<'_>) -> Result<(), Failure> {
        let page = Page { description, terminal: self }.to_string();
        self.text(page)
    }
}

struct Page<'a> {
    description: &'a Description<'a>,
    terminal: &'a Terminal,
}

/// One line, with the name in its own column.
fn row(f: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<12}{value}")
}

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Description { inspection, now, whole, signature } = *self.description;
        let heading = match whole {
            true => "not verified: anyone can have written this",
            false => "damaged: this is what can be read, and none of it is verified",
        };
        writeln!(f, "{}", self.terminal.paint(Style::Warning, heading))?;
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
            self.identifier(f, identifier)?;
        }
        if let Some(legacy) = inspection.caveats().find_map(stated_type) {
            row(f, "type", Legacy(legacy))?;
        }
        for (index, caveat) in inspection.caveats().enumerate() {
            let name = if index == 0 { "caveats" } else { "" };
            row(f, name, format_args!("{index}  {}", Shown { caveat, now, terminal: self.terminal }))?;
        }
        match inspection.expires_at() {
            Some(at) => row(f, "expires", format_args!("{at} ({})", self.expiry(at, now)))?,
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

/// Rows with the purpose and the subject of an authentic token.
pub(crate) fn stated(macaroon: &Macaroon) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    if let Ok(Identifier::V2(identifier)) = Identifier::read(macaroon.identifier()) {
        rows.push(("type", kind(&identifier.token_type)));
        if let TokenType::Invite { invite, target } = identifier.token_type {
            rows.push((invite.target_kind(), Plain(target.as_bytes()).to_string()));
        }
        rows.push(("subject", Plain(identifier.subject.to_string().as_bytes()).to_string()));
    } else if let Some(legacy) = macaroon.caveats().find_map(stated_type) {
        rows.push(("type", Legacy(legacy).to_string()));
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

/// A legacy type, by its modern name.
struct Legacy(LegacyType);

impl fmt::Display for Legacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "legacy {} token", modern_name(self.0))
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

impl Page<'_> {
    /// The rows of a version-2 identifier.
    fn identifier(&self, f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
        let Ok(Identifier::V2(identifier)) = Identifier::read(bytes) else { return Ok(()) };
        row(f, "type", kind(&identifier.token_type))?;
        if let TokenType::Invite { invite, target } = identifier.token_type {
            row(f, invite.target_kind(), Plain(target.as_bytes()))?;
        }
        row(f, "subject", Plain(identifier.subject.to_string().as_bytes()))?;
        row(f, "id", Plain(identifier.id.as_bytes()))?;
        match identifier.persistence {
            Persistence::Named => row(f, "kept", "named")?,
            Persistence::Temporary { generation } => {
                row(f, "kept", format_args!("temporary, generation {generation}"))?;
            }
        }
        match self.description.inspection.service() {
            None => Ok(()),
            Some(service) => row(f, "service", service.code()),
        }
    }

    fn expiry(&self, at: UnixTime, now: UnixTime) -> impl fmt::Display {
        let style = if at <= now { Style::Bad } else { Style::Good };
        self.terminal.paint(style, Expiry { at, now })
    }
}

struct Shown<'a> {
    caveat: Caveat<'a>,
    now: UnixTime,
    terminal: &'a Terminal,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.caveat {
            Caveat::FirstParty { predicate } => predicate,
            Caveat::ThirdParty { identifier, location, .. } => {
                let note = format!("(third party, {})", Plain(location));
                return write!(f, "{}  {}", Plain(identifier), self.terminal.paint(Style::Faint, note));
            }
        };
        write!(f, "{}", Plain(text))?;
        match Predicate::read(text) {
            None => write!(f, "  {}", self.terminal.paint(Style::Warning, "(not understood)")),
            Some(Predicate::Time { valid_until: at }) => {
                let expiry = Expiry { at, now: self.now };
                write!(f, "  {}", self.terminal.paint(Style::Faint, format_args!("({at}, {expiry})")))
            }
            Some(_) => Ok(()),
        }
    }
}

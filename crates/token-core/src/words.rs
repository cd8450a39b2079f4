//! Identifiers and caveats as sentences for people.

use alloc::{
    format,
    string::{String, ToString as _},
};
use core::fmt;

use crate::{
    Caveat, GeoFilter, IdentifierV2, Interface, InviteType, IpMask, LegacyType, List, ListItem, Predicate,
    Region, Service, ServiceKind, Subject, TokenType,
};

/// How many items of a list a sentence names. A list can have 200,000.
const NAMED_ITEMS: usize = 8;

impl Caveat<'_> {
    /// Returns what the caveat asks, as a sentence without its full stop. For people only: it may change in any release.
    ///
    /// What the author of the token chose is in quotes unless it is one word of printable ASCII, and nothing in it is
    /// hidden or changes the direction of the text. So it cannot pass as a part of the sentence.
    ///
    /// ```
    /// use token_core::Caveat;
    ///
    /// let caveat = Caveat::FirstParty { predicate: b"consumer = prv-p1|grp-g 1" };
    /// assert_eq!(caveat.words(), r#"Only provider p1 or members of group "g 1" may use it"#);
    /// ```
    #[must_use]
    pub fn words(&self) -> String {
        match *self {
            Self::FirstParty { predicate } => match Predicate::read(predicate) {
                Some(predicate) => predicate.words(),
                None => "A condition that Onedata does not know".into(),
            },
            Self::ThirdParty { location, .. } => match location {
                [] => "Needs a discharge from a third party".into(),
                location => format!("Needs a discharge from {}", Named(&String::from_utf8_lossy(location))),
            },
        }
    }
}

impl Predicate<'_> {
    /// Returns what the caveat asks, as [`Caveat::words`] does.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Time { valid_until } => {
                match valid_until.to_u64().and(valid_until.to_time().to_rfc3339()) {
                    Some(time) => format!("Holds until {time}"),
                    None => format!("Holds until second {valid_until} of Unix time"),
                }
            }
            Self::Ip(list) => format!("Only from {}", any(list, address)),
            Self::Asn(list) => {
                format!("Only from the network {}", any(list, |number, f| write!(f, "AS{number}")))
            }
            Self::GeoCountry(filter, list) => {
                format!("{} {}", from(*filter), any(list, |code, f| write!(f, "{}", Named(code))))
            }
            Self::GeoRegion(filter, list) => format!("{} {}", from(*filter), any(list, region)),
            Self::Service(list) => format!("Only for requests through {}", any(list, service)),
            Self::Consumer(list) => format!("Only {} may use it", any(list, subject)),
            Self::Interface(interface) => match interface {
                Interface::Rest => "Only over the REST interface",
                Interface::Oneclient => "Only by Oneclient, the mounted file system",
                Interface::Graphsync => "Only over the web interface",
            }
            .into(),
            Self::Api(list) => {
                format!("Only the operations {}", any(list, |it, f| write!(f, "{}", Named(&it.to_string()))))
            }
            Self::DataReadonly => "Data can be read and not changed".into(),
            Self::DataPath(list) => format!(
                "Only the data in {}",
                any(list, |path, f| match path.to_path() {
                    Some(path) => write!(f, "{}", Named(&path)),
                    None => write!(f, "no path: {}", Named(path.as_base64())),
                })
            ),
            Self::DataObjectId(list) => {
                format!("Only the data object {}", any(list, |id, f| write!(f, "{}", Named(id))))
            }
            Self::IdentityScope => "Proves who its subject is, and allows nothing else".into(),
            Self::TokenType(legacy) => legacy.words().into(),
        }
    }
}

impl<S: AsRef<str>> IdentifierV2<S> {
    /// Returns what a token with this identifier does, as [`Caveat::words`] does.
    ///
    /// ```
    /// use token_core::Identifier;
    ///
    /// let Ok(Identifier::V2(it)) = Identifier::read(b"2/nmd/usr-u1/ssp:s1:/id1") else { unreachable!() };
    /// assert_eq!(it.words(), "Lets a provider support space s1");
    /// ```
    #[must_use]
    pub fn words(&self) -> String {
        let who = Words(|f: &mut fmt::Formatter<'_>| subject(self.subject.as_deref(), f));
        match self.token_type.as_deref() {
            TokenType::Access { session: None } => format!("Acts for {who}"),
            TokenType::Access { session: Some(session) } => {
                format!("Acts for {who}, in session {}", Named(session))
            }
            TokenType::Identity => format!("Proves to be {who}"),
            TokenType::Invite { invite, target } => format!("Lets {} {}", invite.deed(), Named(target)),
        }
    }
}

impl LegacyType {
    /// Returns what a legacy token of this type does, as [`Caveat::words`] does.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::GroupInvite | Self::GroupInviteUser => "Lets a user join a group",
            Self::GroupInviteGroup => "Lets a group join a group",
            Self::SpaceCreate => "Lets a provider create a space and support it",
            Self::SpaceInviteUser => "Lets a user join a space",
            Self::SpaceInviteGroup => "Lets a group join a space",
            Self::SpaceSupport => "Lets a provider support a space",
            Self::ProviderRegistration => "Lets a provider register",
        }
    }
}

impl InviteType {
    /// What the consumer does, up to the name of the target.
    const fn deed(self) -> &'static str {
        match self {
            Self::UserJoinGroup => "a user join group",
            Self::GroupJoinGroup => "a group join group",
            Self::UserJoinSpace => "a user join space",
            Self::GroupJoinSpace => "a group join space",
            Self::SupportSpace => "a provider support space",
            Self::HarvesterJoinSpace => "a harvester collect the metadata of space",
            Self::RegisterOneprovider => "a provider register, administered by user",
            Self::UserJoinCluster => "a user join cluster",
            Self::GroupJoinCluster => "a group join cluster",
            Self::UserJoinHarvester => "a user join harvester",
            Self::GroupJoinHarvester => "a group join harvester",
            Self::SpaceJoinHarvester => "a space give its metadata to harvester",
            Self::UserJoinAtmInventory => "a user join automation inventory",
            Self::GroupJoinAtmInventory => "a group join automation inventory",
        }
    }
}

const fn from(filter: GeoFilter) -> &'static str {
    match filter {
        GeoFilter::Whitelist => "Only from",
        GeoFilter::Blacklist => "Not from",
    }
}

fn address(mask: IpMask, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = mask.to_string();
    f.write_str(text.strip_suffix("/32").unwrap_or(&text))
}

fn region(name: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match Region::from_name(name) {
        Some(Region::Eu) => f.write_str("the European Union"),
        Some(Region::NorthAmerica) => f.write_str("North America"),
        Some(Region::SouthAmerica) => f.write_str("South America"),
        _ => write!(f, "{}", Named(name)),
    }
}

fn service(service: Service<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (one, any) = match service.kind {
        ServiceKind::OzWorker if service.id == "onezone" => return f.write_str("Onezone"),
        ServiceKind::OzPanel if service.id == "onezone" => return f.write_str("the panel of Onezone"),
        ServiceKind::OzWorker => ("Onezone", "any Onezone"),
        ServiceKind::OzPanel => ("the panel of Onezone", "the panel of any Onezone"),
        ServiceKind::OpWorker => ("provider", "any provider"),
        ServiceKind::OpPanel => ("the panel of provider", "the panel of any provider"),
    };
    match service.id {
        "*" => f.write_str(any),
        id => write!(f, "{one} {}", Named(id)),
    }
}

fn subject(subject: Subject<&str>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match subject {
        Subject::User("*") => f.write_str("any user"),
        Subject::Provider("*") => f.write_str("any provider"),
        Subject::Group("*") => f.write_str("members of any group"),
        Subject::User(id) => write!(f, "user {}", Named(id)),
        Subject::Provider(id) => write!(f, "provider {}", Named(id)),
        Subject::Group(id) => write!(f, "members of group {}", Named(id)),
        Subject::Nobody => f.write_str("nobody"),
    }
}

/// A piece of a token within a sentence: in quotes, with what does not print spelled out, unless it is one plain word.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'`' | b'\\');
        match !self.0.is_empty() && self.0.bytes().all(is_plain) {
            true => f.write_str(self.0),
            false => write!(f, "{:?}", self.0),
        }
    }
}

struct Words<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Words<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

/// `a`, `a or b`, `a, b or c`, `a, b, … or 9 others`
fn any<'a, T: ListItem<'a>>(
    list: &List<'a, T>,
    each: impl Fn(T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> impl fmt::Display {
    Words(move |f: &mut fmt::Formatter<'_>| {
        let mut items = list.iter().peekable();
        for index in 0..NAMED_ITEMS {
            let Some(item) = items.next() else { return Ok(()) };
            f.write_str(match (index, items.peek().is_some()) {
                (0, _) => "",
                (_, true) => ", ",
                (_, false) => " or ",
            })?;
            each(item, f)?;
        }
        match items.count() {
            0 => Ok(()),
            1 => f.write_str(" or another"),
            others => write!(f, " or {others} others"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, words: &str) {
        assert_eq!(Caveat::FirstParty { predicate: text.as_bytes() }.words(), words);
    }

    #[test]
    fn each_type_has_words() {
        reads("time < 1496140144", "Holds until 2017-05-30T10:29:04Z");
        reads("time < 99999999999999999999", "Holds until second 99999999999999999999 of Unix time");
        reads("time < -1", "Holds until second -1 of Unix time");
        reads("ip = 192.0.2.7|198.51.100.0/24", "Only from 192.0.2.7 or 198.51.100.0/24");
        reads("asn = 322", "Only from the network AS322");
        reads("geo.country = PL|FR|PT", "Only from PL, FR or PT");
        reads("geo.region != EU|Asia", "Not from the European Union or Asia");
        reads(
            "service = opw-p1|ozw-onezone|opp-*",
            "Only for requests through provider p1, Onezone or the panel of any provider",
        );
        reads("consumer = usr-*|nobody", "Only any user or nobody may use it");
        reads("interface = rest", "Only over the REST interface");
        reads("data.readonly", "Data can be read and not changed");
        reads("data.path = L3NwYWNlMS9maWxlMS50eHQ=", "Only the data in /space1/file1.txt");
        reads("data.path = ////", r#"Only the data in no path: ////"#);
        reads("data.objectid = 01ab", "Only the data object 01ab");
        reads("api = all/all/*.*.*:*", "Only the operations all/all/*.*.*:*");
        reads("authorization = none", "Proves who its subject is, and allows nothing else");
        reads("tokenType = space_support_token", "Lets a provider support a space");
        reads("anything", "A condition that Onedata does not know");
    }

    #[test]
    fn a_long_list_is_cut() {
        let list = |len: usize| vec!["1"; len].join("|");
        let named = |len: usize| vec!["AS1"; len].join(", ");
        reads(&format!("asn = {}", list(8)), &format!("Only from the network {} or AS1", named(7)));
        reads(&format!("asn = {}", list(9)), &format!("Only from the network {} or another", named(8)));
        reads(
            &format!("asn = {}", list(5000)),
            &format!("Only from the network {} or 4992 others", named(8)),
        );
    }

    #[test]
    fn a_piece_of_the_token_cannot_pass_as_words() {
        reads("consumer = usr-a. Verified", r#"Only user "a. Verified" may use it"#);
        reads("consumer = usr-a\u{202e}b\u{200b}", r#"Only user "a\u{202e}b\u{200b}" may use it"#);
        reads("consumer = usr-\u{430}", "Only user \"\u{430}\" may use it");
        reads("consumer = usr-", r#"Only user "" may use it"#);
        let third = |location| Caveat::ThirdParty { identifier: b"i", vid: b"", location }.words();
        assert_eq!(third(b"https://auth.example"), "Needs a discharge from https://auth.example");
        assert_eq!(third(b"\xff"), "Needs a discharge from \"\u{fffd}\"");
        assert_eq!(third(b""), "Needs a discharge from a third party");
    }

    #[test]
    fn each_invite_type_has_words_of_its_own() {
        let mut deeds: Vec<_> = InviteType::all().map(InviteType::deed).collect();
        deeds.sort_unstable();
        deeds.dedup();
        assert_eq!(deeds.len(), InviteType::all().len());
    }
}

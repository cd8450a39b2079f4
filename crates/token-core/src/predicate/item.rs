//! The items of the lists in caveats.

use alloc::string::String;
use core::{fmt, net::Ipv4Addr, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::list::ListItem;
use crate::{
    ParseError, Service, Subject,
    parse::{self, named},
};

impl<'a> ListItem<'a> for Service<&'a str> {
    fn read(text: &'a str) -> Option<Self> {
        Service::read(text)
    }
}

/// Every subject but [`Subject::Nobody`].
impl<'a> ListItem<'a> for Subject<&'a str> {
    fn read(text: &'a str) -> Option<Self> {
        Subject::read(text).filter(|subject| *subject != Subject::Nobody)
    }
}

impl<'a> ListItem<'a> for u32 {
    fn read(text: &'a str) -> Option<Self> {
        parse::canonical_u64(text)?.try_into().ok()
    }
}

/// An IPv4 network: an address and the number of its leading bits that count. Host bits stay as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IpMask {
    address: Ipv4Addr,
    bits: u8,
}

impl IpMask {
    /// Makes the network of the addresses whose first `bits` bits are those of `address`. `None` for more than 32.
    #[must_use]
    pub const fn new(address: Ipv4Addr, bits: u8) -> Option<Self> {
        if bits <= 32 { Some(Self { address, bits }) } else { None }
    }

    /// Whether the address is in the network.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let differing = self.address.to_bits() ^ address.to_bits();
        differing.leading_zeros() >= u32::from(self.bits)
    }
}

impl<'a> ListItem<'a> for IpMask {
    fn read(text: &'a str) -> Option<Self> {
        let (address, bits) = parse::once(text, b'/').unwrap_or((text, "32"));
        Self::new(address.parse().ok()?, parse::canonical_u64(bits)?.try_into().ok()?)
    }
}

/// An address, alone or with `/` and a number of bits.
impl FromStr for IpMask {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::read(text).ok_or(ParseError("not an IPv4 address, alone or with a mask of /0 to /32"))
    }
}

impl fmt::Display for IpMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

/// A country by its two-letter code. Onedata accepts any two characters, so some (`UK`) match no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Country<'a>(&'a str);

impl<'a> Country<'a> {
    /// Returns the two letters.
    #[must_use]
    pub const fn code(&self) -> &'a str {
        self.0
    }
}

impl<'a> ListItem<'a> for Country<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let is_code = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|');
        is_code.then_some(Self(text))
    }
}

impl fmt::Display for Country<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A region of the world, as in Onedata's geography database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names say it")]
#[non_exhaustive]
pub enum Region {
    Africa,
    Antarctica,
    Asia,
    Europe,
    /// The European Union.
    Eu,
    NorthAmerica,
    Oceania,
    SouthAmerica,
}

named! {
    Region, "none of Africa, Antarctica, Asia, Europe, EU, NorthAmerica, Oceania, SouthAmerica",
    Africa = "Africa", Antarctica = "Antarctica", Asia = "Asia", Europe = "Europe", Eu = "EU",
    NorthAmerica = "NorthAmerica", Oceania = "Oceania", SouthAmerica = "SouthAmerica",
}

impl<'a> ListItem<'a> for Region {
    fn read(text: &'a str) -> Option<Self> {
        Self::from_name(text)
    }
}

/// The interface through which a request comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Interface {
    /// The REST interface.
    Rest,
    /// A mounted file system.
    Oneclient,
    /// The web interface.
    Graphsync,
}

named! {
    Interface, "none of rest, oneclient, graphsync",
    Rest = "rest", Oneclient = "oneclient", Graphsync = "graphsync",
}

/// A pattern of allowed operations: `SERVICE/OPERATION/RESOURCE` (`onedata-tokens.md` §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ApiPattern<'a> {
    /// `all` or the code of a service.
    pub service: &'a str,
    /// `all`, `create`, `get`, `update` or `delete`.
    pub operation: &'a str,
    /// `TYPE.ID.ASPECT` or `TYPE.ID.ASPECT:SCOPE`, where `*` stands for anything.
    pub resource: &'a str,
}

impl<'a> ListItem<'a> for ApiPattern<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (service, rest) = parse::once(text, b'/')?;
        let (operation, resource) = parse::once(rest, b'/')?;
        let (kind, rest) = parse::once(resource, b'.')?;
        let (id, aspect) = parse::once(rest, b'.')?;
        let known = matches!(service, "all" | "ozw" | "ozp" | "opw" | "opp")
            && matches!(operation, "all" | "create" | "get" | "update" | "delete")
            && ![kind, id, aspect].contains(&"");
        known.then_some(Self { service, operation, resource })
    }
}

impl fmt::Display for ApiPattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.service, self.operation, self.resource)
    }
}

/// The path of a file or a directory in a space, as the base64 that caveats carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataPath<'a>(&'a str);

impl<'a> DataPath<'a> {
    /// Returns the base64 (RFC 4648 §4, padded) that the caveat carries.
    #[must_use]
    pub const fn as_base64(&self) -> &'a str {
        self.0
    }

    /// Returns the path: `/SPACE` or `/SPACE/…`.
    #[must_use]
    pub fn to_path(&self) -> String {
        decode_path(self.0).unwrap_or_default()
    }
}

fn decode_path(base64: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(base64).ok()?).ok().filter(|path| is_canonical(path.as_bytes()))
}

/// Whether the path is canonical: it starts with `/`, has at least one component, no empty component, and no `/` at the
/// end. Refuses control characters: a shell's `echo` adds a line feed before encoding, and such a path matches no file.
fn is_canonical(path: &[u8]) -> bool {
    let Some(path) = path.strip_prefix(b"/").and_then(|path| core::str::from_utf8(path).ok()) else {
        return false;
    };
    parse::parts(path, b'/').all(|component| !matches!(component, "" | "." | ".."))
        && !path.contains(char::is_control)
}

impl<'a> ListItem<'a> for DataPath<'a> {
    fn read(text: &'a str) -> Option<Self> {
        // A list can have 200,000 items. Most paths fit in this buffer and need no allocation.
        let mut short = [0; 192];
        let canonical = match text.len() > 256 {
            true => decode_path(text).is_some(),
            false => {
                let len = STANDARD.decode_slice(text, &mut short).ok()?;
                short.get(..len).is_some_and(is_canonical)
            }
        };
        canonical.then_some(Self(text))
    }
}

impl fmt::Display for DataPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The CDMI object id of a file or a directory, in hexadecimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectId<'a>(&'a str);

impl<'a> ObjectId<'a> {
    /// Returns the hexadecimal digits.
    #[must_use]
    pub const fn as_hex(&self) -> &'a str {
        self.0
    }
}

impl<'a> ListItem<'a> for ObjectId<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let is_hex = !text.is_empty()
            && text.len().is_multiple_of(2)
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(Self(text))
    }
}

impl fmt::Display for ObjectId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

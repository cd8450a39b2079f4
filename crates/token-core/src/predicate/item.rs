//! The items of the lists in caveats.

use alloc::{
    string::{String, ToString as _},
    vec::Vec,
};
use core::{fmt, net::Ipv4Addr, str::FromStr};

use base64::{
    Engine as _,
    alphabet::STANDARD as STANDARD_ALPHABET,
    engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD},
};
use serde::{Serialize, Serializer};

use super::list::ListItem;
use crate::{
    ParseError, Service, ServiceKind, Subject, UnixTime,
    parse::{self, named},
};

/// Any text, also none: Onedata reads the names of countries and regions and the ids of objects so.
impl<'a> ListItem<'a> for &'a str {
    fn read(text: &'a str) -> Option<Self> {
        Some(text)
    }
}

/// Also with an empty id, which no service has.
impl<'a> ListItem<'a> for Service<&'a str> {
    fn read(text: &'a str) -> Option<Self> {
        let (code, id) = parse::once(text, b'-')?;
        Some(Self { kind: ServiceKind::from_name(code)?, id })
    }
}

/// Also with an empty id, or one with `/`, which no subject has.
impl<'a> ListItem<'a> for Subject<&'a str> {
    fn read(text: &'a str) -> Option<Self> {
        if text == "nobody" {
            return Some(Self::Nobody);
        }
        Self::of_code(text.split_at_checked(4)?)
    }
}

/// An integer of any size: Onedata reads a sign, leading zeros and any number of digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Integer<'a> {
    is_negative: bool,
    /// Without leading zeros.
    digits: &'a str,
    /// The digits' value, or the greatest that fits.
    magnitude: u64,
}

impl Integer<'_> {
    /// Returns the number; `None` unless it fits.
    #[must_use]
    pub fn to_u64(self) -> Option<u64> {
        let fits = !self.is_negative && (self.magnitude < u64::MAX || self.digits == GREATEST);
        fits.then_some(self.magnitude)
    }

    /// Returns that many seconds since 1970, or the nearest time that can be represented.
    #[must_use]
    pub const fn to_time(self) -> UnixTime {
        UnixTime::from_secs(if self.is_negative { 0 } else { self.magnitude })
    }
}

/// The digits of [`u64::MAX`].
const GREATEST: &str = "18446744073709551615";

impl<'a> ListItem<'a> for Integer<'a> {
    fn read(text: &'a str) -> Option<Self> {
        if let Some(magnitude) = parse::canonical_u64(text) {
            return Some(Self { is_negative: false, digits: text, magnitude });
        }
        let (is_negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let magnitude = digits.bytes().try_fold(0_u64, |sum, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then(|| sum.saturating_mul(10).saturating_add(digit.into()))
        })?;
        let zeros = digits.bytes().take_while(|byte| *byte == b'0').count();
        let digits = match digits.get(zeros..)? {
            "" => digits.get(zeros.checked_sub(1)?..)?,
            significant => significant,
        };
        Some(Self { is_negative: is_negative && digits != "0", digits, magnitude })
    }
}

/// As Onedata writes it: a sign only before a negative number, no leading zeros.
impl fmt::Display for Integer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_negative { "-" } else { "" })?;
        f.write_str(self.digits)
    }
}

/// A number. Beyond 64 bits it is the nearest double.
impl Serialize for Integer<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(number) = self.to_u64() {
            return serializer.serialize_u64(number);
        }
        let text = self.to_string();
        match (text.parse(), text.parse::<f64>()) {
            (Ok(number), _) => serializer.serialize_i64(number),
            (Err(_), number) => serializer.serialize_f64(number.unwrap_or(0.0).clamp(f64::MIN, f64::MAX)),
        }
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
        if let (Ok(address), Some(bits)) = (address.parse(), parse::canonical_u64(bits)) {
            return Self::new(address, bits.try_into().ok()?);
        }
        // Onedata drops empty parts, and reads any integer.
        let mut parts = parse::parts(text, b'/').filter(|part| !part.is_empty());
        let address = parts.next()?.parse().ok()?;
        let bits = match parts.next() {
            None => 32,
            Some(bits) => Integer::read(bits)?.to_u64()?.try_into().ok()?,
        };
        if parts.next().is_some() { None } else { Self::new(address, bits) }
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
    /// `TYPE.ID.ASPECT:SCOPE`, where `*` stands for anything. Without `:SCOPE` the scope is `private`.
    pub resource: &'a str,
}

/// The types of resources in Onedata's patterns.
const RESOURCES: &[&str] = &[
    "*",
    "atm_inventory",
    "atm_lambda",
    "atm_workflow_schema",
    "cluster",
    "file",
    "group",
    "handle",
    "handleService",
    "harvester",
    "onp_ceph",
    "onp_cluster",
    "onp_host",
    "onp_panel",
    "onp_provider",
    "onp_service",
    "onp_space",
    "onp_storage",
    "onp_user",
    "onp_zone",
    "op_archive",
    "op_atm_inventory",
    "op_atm_lambda_snapshot",
    "op_atm_store",
    "op_atm_task_execution",
    "op_atm_workflow_execution",
    "op_atm_workflow_schema",
    "op_atm_workflow_schema_snapshot",
    "op_dataset",
    "op_group",
    "op_handle",
    "op_handle_service",
    "op_metrics",
    "op_provider",
    "op_qos",
    "op_share",
    "op_space",
    "op_storage",
    "op_transfer",
    "op_user",
    "oz_worker",
    "provider",
    "share",
    "space",
    "space_stats",
    "storage",
    "temporary_token_secret",
    "token",
    "user",
];

impl<'a> ListItem<'a> for ApiPattern<'a> {
    /// The id may contain `:`, so the parts are split at `.` first.
    fn read(text: &'a str) -> Option<Self> {
        let (service, rest) = parse::once(text, b'/')?;
        let (operation, resource) = parse::once(rest, b'/')?;
        let (kind, id_and_aspect) = parse::once(resource, b'.')?;
        let (_, tail) = parse::once(id_and_aspect, b'.')?;
        let (aspect, scope) = parse::once(tail, b':').unwrap_or((tail, "private"));
        let known = matches!(service, "all" | "ozw" | "ozp" | "opw" | "opp")
            && matches!(operation, "all" | "create" | "get" | "update" | "delete")
            && matches!(scope, "private" | "protected" | "shared" | "public" | "auto" | "*")
            && RESOURCES.contains(&kind)
            && parse::position(resource.as_bytes(), b'/').is_none()
            && parse::position(aspect.as_bytes(), b'.').is_none()
            && aspect.bytes().filter(|byte| *byte == b',').count() <= 1;
        known.then_some(Self { service, operation, resource })
    }
}

/// As Onedata writes it: always with the scope.
impl fmt::Display for ApiPattern<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_scope = self.resource.rsplit('.').next().is_some_and(|aspect| aspect.contains(':'));
        let scope = if has_scope { "" } else { ":private" };
        write!(f, "{}/{}/{}{scope}", self.service, self.operation, self.resource)
    }
}

/// What stands for the path of a file or a directory in a space: the base64 of any bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataPath<'a>(&'a str);

impl<'a> DataPath<'a> {
    /// Returns the base64 (RFC 4648 §4, padded) as the caveat carries it, possibly with whitespace.
    #[must_use]
    pub const fn as_base64(&self) -> &'a str {
        self.0
    }

    /// Returns the bytes that the caveat carries.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let base64: Vec<u8> = self.0.bytes().filter(|byte| !is_space(*byte)).collect();
        TRAILING_BITS.decode(base64).unwrap_or_default()
    }

    /// Returns the path `/SPACE` or `/SPACE/…`; `None` if the bytes are not one: if they are not UTF-8, do not begin
    /// with `/`, have an empty component, `.` or `..`, end in `/`, or contain a control character. Such bytes name no
    /// file: enforce them by refusing.
    #[must_use]
    pub fn to_path(&self) -> Option<String> {
        String::from_utf8(self.to_bytes()).ok().filter(|path| is_canonical(path))
    }
}

/// Onedata ignores the bits behind the last whole byte.
const TRAILING_BITS: GeneralPurpose = GeneralPurpose::new(
    &STANDARD_ALPHABET,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// Refuses control characters: a shell's `echo` adds a line feed before encoding, and such a path matches no file.
fn is_canonical(path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    parse::parts(path, b'/').all(|component| !matches!(component, "" | "." | ".."))
        && !path.contains(char::is_control)
}

/// What Onedata skips in base64.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> ListItem<'a> for DataPath<'a> {
    fn read(text: &'a str) -> Option<Self> {
        // Does not decode: a list can have 200,000 items.
        let (mut characters, mut padding) = (0_usize, 0_usize);
        for byte in text.bytes().filter(|byte| !is_space(*byte)) {
            match byte {
                b'=' => padding = padding.saturating_add(1),
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => {}
                _ => return None,
            }
            characters = characters.saturating_add(1);
        }
        (characters.is_multiple_of(4) && padding <= 2).then_some(Self(text))
    }
}

/// The base64 as Onedata writes it.
impl fmt::Display for DataPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.to_bytes()))
    }
}

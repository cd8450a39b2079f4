//! The v1 binary form: packets of `length name value LF` (`macaroon-formats.md` §2, strict column of §6).

use alloc::{vec, vec::Vec};

use super::{
    error::{DecodeError, EncodeError, Problem},
    field::{Field, room},
    format::{DecodeOptions, writable_vid},
};
use crate::{
    Caveat, Macaroon, Signature,
    macaroon::{CaveatSpans, Parts, ThirdPartySpans},
};

/// The length of a packet's length field, in bytes.
const HEADER: usize = 4;
/// The shortest packet, in bytes: a length, a name of one letter, a space and a line feed.
const SHORTEST: usize = HEADER + 3;
/// The longest packet that four hexadecimal digits can state, in bytes.
const LONGEST: usize = 0xffff;

const LOCATION: &str = "location";
const IDENTIFIER: &str = "identifier";
const CAVEAT: &str = "cid";
const VID: &str = "vid";
const CAVEAT_LOCATION: &str = "cl";
const SIGNATURE: &str = "signature";
const NAMES: [(Name, &str); 6] = [
    (Name::Location, LOCATION),
    (Name::Identifier, IDENTIFIER),
    (Name::Caveat, CAVEAT),
    (Name::Vid, VID),
    (Name::CaveatLocation, CAVEAT_LOCATION),
    (Name::Signature, SIGNATURE),
];

/// The name of a packet, which compares in one instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Location,
    Identifier,
    Caveat,
    Vid,
    CaveatLocation,
    Signature,
    Unknown,
}

impl Name {
    fn as_str(self) -> &'static str {
        NAMES.into_iter().find(|(name, _)| *name == self).map_or("field", |(_, text)| text)
    }
}

/// Reads the packets in `parts.fields`, from its beginning to its end. On failure, `parts` keeps the fields before the
/// damage.
pub(crate) fn read(parts: &mut Parts, options: &DecodeOptions) -> Result<Signature, DecodeError> {
    let bytes = core::mem::take(&mut parts.fields);
    let read = Reader { bytes: &bytes, at: 0, packet: 0, options }.macaroon(parts);
    parts.fields = bytes;
    read
}

struct Packet<'a> {
    name: Name,
    field: Field<'a>,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    packet: usize,
    options: &'a DecodeOptions,
}

impl<'a> Reader<'a> {
    fn macaroon(mut self, parts: &mut Parts) -> Result<Signature, DecodeError> {
        let options = self.options;
        let Packet { name, field } = self.packet(LOCATION)?;
        let identifier = match name {
            Name::Location => {
                parts.location = Some(field.utf8(LOCATION, options)?);
                match self.packet(IDENTIFIER)? {
                    Packet { name: Name::Identifier, field } => field,
                    other => return Err(other.field.error(Problem::UnexpectedField(IDENTIFIER))),
                }
            }
            Name::Identifier if options.liberal => field,
            _ => return Err(field.error(Problem::UnexpectedField(LOCATION))),
        };
        parts.identifier = Some(match options.liberal {
            true => identifier.span(),
            false => identifier.not_empty(IDENTIFIER)?,
        });

        let mut packet = self.packet("a caveat or the signature")?;
        while packet.name == Name::Caveat {
            let identifier = packet.field.not_empty("caveat")?;
            room(parts, options, packet.field.begin)?;
            packet = self.packet("a caveat or the signature")?;
            let mut third_party = None;
            if packet.name != Name::Caveat && packet.name != Name::Signature {
                (third_party, packet) = self.third_party(packet)?;
            }
            parts.push_caveat(CaveatSpans { identifier, third_party }, self.rest().len(), &options.limits);
        }
        match packet.name {
            Name::Signature => packet.field.signature(self.rest().len(), self.at),
            _ => Err(packet.field.error(Problem::UnexpectedField("a caveat or the signature"))),
        }
    }

    /// Reads the packets of a third-party caveat, `vid` and `cl`, from this packet on, and the packet after them. The
    /// liberal rules accept the two in either order, and `vid` alone; they ignore `cl` alone.
    fn third_party(
        &mut self,
        mut packet: Packet<'a>,
    ) -> Result<(Option<ThirdPartySpans>, Packet<'a>), DecodeError> {
        let (mut vid, mut location) = (None, None);
        loop {
            let Packet { name, field } = packet;
            if name == Name::Vid && vid.is_none() {
                vid = Some(field.vid()?);
            } else if name == Name::CaveatLocation
                && location.is_none()
                && (vid.is_some() || self.options.liberal)
            {
                location = Some(field.utf8("caveat location", self.options)?);
            } else if vid.is_some() && location.is_none() && !self.options.liberal {
                return Err(field.error(Problem::UnexpectedField(CAVEAT_LOCATION)));
            } else {
                let location = location.unwrap_or_default();
                return Ok((vid.map(|vid| ThirdPartySpans { vid, location }), packet));
            }
            packet = self.packet("a caveat or the signature")?;
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Reads the next packet. The diagnosis of a malformed packet is separate, so that this is short enough to inline.
    #[inline(always)]
    fn packet(&mut self, expected: &'static str) -> Result<Packet<'a>, DecodeError> {
        self.well_formed().ok_or_else(|| self.fault(expected))
    }

    #[inline(always)]
    fn well_formed(&mut self) -> Option<Packet<'a>> {
        let (begin, rest) = (self.at, self.rest());
        let declared = hex(rest.first_chunk()?)?;
        let body = rest.get(HEADER..declared)?.strip_suffix(b"\n")?;
        let (name, value) = split_name(body)?;
        if value.len() > self.options.limits.field {
            return None;
        }
        self.at = begin.checked_add(declared)?;
        self.packet = self.packet.saturating_add(1);
        let start = self.at.checked_sub(1)?.checked_sub(value.len())?;
        Some(Packet { name, field: Field { value, start, begin } })
    }

    /// Diagnoses why the next packet is malformed.
    #[cold]
    fn fault(&self, expected: &'static str) -> DecodeError {
        let (begin, packet, rest) = (self.at, self.packet, self.rest());
        if rest.is_empty() {
            return DecodeError::bytes(Problem::MissingField(expected), begin);
        }
        let declared = match rest.first_chunk().map(hex) {
            Some(Some(declared)) => declared,
            None if rest.iter().all(|digit| hex_digit(*digit) < 16) => {
                return DecodeError::bytes(Problem::CutLength(packet), begin);
            }
            Some(None) | None => return DecodeError::bytes(Problem::LengthField(packet), begin),
        };
        if declared < SHORTEST {
            return DecodeError::bytes(Problem::PacketTooShort { packet, declared }, begin);
        }
        let Some(whole) = rest.get(HEADER..declared) else {
            let field = rest.get(HEADER..).and_then(visible_name);
            let missing = declared.saturating_sub(rest.len());
            let problem = Problem::Cut { field, begin, declared, missing };
            return DecodeError::bytes(problem, self.bytes.len());
        };
        let Some(body) = whole.strip_suffix(b"\n") else {
            let last = begin.saturating_add(declared).saturating_sub(1);
            return DecodeError::bytes(Problem::NoLineFeed(packet), last);
        };
        match split_name(body) {
            None => DecodeError::bytes(Problem::NoName(packet), begin),
            Some((field, value)) => {
                let (field, max) = (field.as_str(), self.options.limits.field);
                DecodeError::field_too_long(field, value.len(), max, begin)
            }
        }
    }
}

/// A packet that was found at the end of a damaged token.
pub(crate) struct Found<'a> {
    pub(crate) name: &'static str,
    pub(crate) value: &'a [u8],
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

/// Returns the longest row of packets that ends with a signature at the end of these bytes.
pub(crate) fn last_packets(bytes: &[u8]) -> Option<Vec<Found<'_>>> {
    bytes.strip_suffix(b"\n")?;
    let packet = |begin: usize| {
        let rest = bytes.get(begin..)?;
        let declared = hex(rest.first_chunk()?)?;
        let body = rest.get(HEADER..declared)?.strip_suffix(b"\n")?;
        let end = begin.checked_add(declared)?;
        let named = |(_, name): (Name, &'static str)| {
            let value = body.strip_prefix(name.as_bytes())?.strip_prefix(b" ")?;
            Some(Found { name, value, begin, end })
        };
        NAMES.into_iter().find_map(named)
    };
    // From the end, so that each byte is looked at once: whether a row begins with it.
    let mut begins = vec![false; bytes.len()];
    let mut first = None;
    for begin in (0..bytes.len()).rev() {
        let Some(found) = packet(begin) else { continue };
        let is_last =
            found.end == bytes.len() && found.name == SIGNATURE && found.value.len() == Signature::LEN;
        if is_last || begins.get(found.end) == Some(&true) {
            first = Some(begin);
            if let Some(begins) = begins.get_mut(begin) {
                *begins = true;
            }
        }
    }
    let mut at = first?;
    let mut found = Vec::new();
    while let Some(packet) = packet(at) {
        at = packet.end;
        found.push(packet);
    }
    Some(found)
}

/// Returns the name of a packet whose end is missing, if enough of it is left.
fn visible_name(body: &[u8]) -> Option<&'static str> {
    let name = split_at_space(body).map_or(body, |(name, _)| name);
    NAMES.into_iter().map(|(_, known)| known).find(|known| known.as_bytes() == name)
}

/// Splits a packet into name and value. Known names are matched in place, without a search for the space.
#[inline(always)]
fn split_name(body: &[u8]) -> Option<(Name, &[u8])> {
    let named = |name, start: &[u8]| Some((name, body.strip_prefix(start)?));
    named(Name::Caveat, b"cid ")
        .or_else(|| named(Name::Location, b"location "))
        .or_else(|| named(Name::Identifier, b"identifier "))
        .or_else(|| named(Name::Signature, b"signature "))
        .or_else(|| named(Name::Vid, b"vid "))
        .or_else(|| named(Name::CaveatLocation, b"cl "))
        .or_else(|| split_at_space(body).map(|(_, value)| (Name::Unknown, value)))
}

fn split_at_space(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = body.iter().position(|byte| *byte == b' ').filter(|space| *space > 0)?;
    let (name, value) = body.split_at_checked(space)?;
    Some((name, value.get(1..)?))
}

fn hex(digits: &[u8; HEADER]) -> Option<usize> {
    // The next packet's offset depends on this length, so the latency of this computation matters.
    let [first, second, third, fourth] = digits.map(hex_digit);
    let value =
        usize::from(first) << 12 | usize::from(second) << 8 | usize::from(third) << 4 | usize::from(fourth);
    (first | second | third | fourth < 16).then_some(value)
}

/// Returns the value of a hexadecimal digit; 16 for any other byte.
fn hex_digit(digit: u8) -> u8 {
    #[expect(clippy::indexing_slicing, reason = "a byte indexes 256 values")]
    VALUES[usize::from(digit)]
}

static VALUES: [u8; 256] = {
    let mut values = [16; 256];
    let mut digits = b"0123456789abcdef".as_slice();
    let mut value = 0;
    while let Some((digit, rest)) = digits.split_first() {
        #[expect(clippy::indexing_slicing, reason = "a byte indexes 256 values")]
        {
            values[*digit as usize] = value;
        }
        (digits, value) = (rest, value + 1);
    }
    values
};

/// Returns the length of the packets in bytes, if they can be written. The liberal rules write identifiers and
/// predicates that are not UTF-8.
pub(crate) fn len(macaroon: &Macaroon, liberal: bool) -> Result<usize, EncodeError> {
    let mut sum = 0_usize;
    each(macaroon, |name, value| {
        let is_text = match name {
            IDENTIFIER => Some(IDENTIFIER),
            CAVEAT => Some("caveat"),
            _ => None,
        };
        match is_text {
            Some(field) if !liberal && core::str::from_utf8(value).is_err() => {
                return Err(EncodeError::NotUtf8 { field });
            }
            _ => {}
        }
        let overhead = overhead(name);
        let len = overhead.saturating_add(value.len());
        if len > LONGEST {
            let max = LONGEST.saturating_sub(overhead);
            return Err(EncodeError::FieldTooLong { field: name, len: value.len(), max });
        }
        sum = sum.saturating_add(len);
        Ok(())
    })?;
    Ok(sum)
}

/// Writes the packets into a buffer of exactly [`len`] bytes.
pub(crate) fn write(macaroon: &Macaroon, mut out: &mut [u8]) -> Result<(), EncodeError> {
    let mut put = |bytes: &[u8]| {
        if let Some((to, rest)) = core::mem::take(&mut out).split_at_mut_checked(bytes.len()) {
            to.copy_from_slice(bytes);
            out = rest;
        }
    };
    each(macaroon, |name, value| {
        let len = overhead(name).saturating_add(value.len());
        #[expect(clippy::indexing_slicing, reason = "four bits index sixteen digits")]
        put(&[12, 8, 4, 0].map(|shift| b"0123456789abcdef"[len >> shift & 0xf]));
        [name.as_bytes(), b" ", value, b"\n"].into_iter().for_each(&mut put);
        Ok(())
    })
}

fn overhead(name: &str) -> usize {
    HEADER.saturating_add(name.len()).saturating_add(2)
}

fn each(
    macaroon: &Macaroon,
    mut packet: impl FnMut(&'static str, &[u8]) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    packet(LOCATION, macaroon.location())?;
    packet(IDENTIFIER, macaroon.identifier())?;
    for caveat in macaroon.caveats() {
        match caveat {
            Caveat::FirstParty { predicate } => packet(CAVEAT, predicate)?,
            Caveat::ThirdParty { identifier, vid, location } => {
                writable_vid(vid)?;
                packet(CAVEAT, identifier)?;
                packet(VID, vid)?;
                packet(CAVEAT_LOCATION, location)?;
            }
        }
    }
    packet(SIGNATURE, macaroon.signature().expose())
}

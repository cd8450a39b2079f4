//! The v1 binary form: packets of `length name value LF` (`macaroon-formats.md` §2, strict column of §6).

use super::{
    DecodeOptions, EncodeError,
    error::{DecodeError, Problem},
    vid_fits, writable_vid,
};
use crate::{
    Caveat, Macaroon, Signature,
    macaroon::{CaveatSpans, Parts, Span, ThirdPartySpans},
};

/// The length of a packet's length field, in bytes.
const HEADER: usize = 4;
/// A packet's length, a name of one letter, a space and a line feed, in bytes.
const SHORTEST: usize = HEADER + 3;
/// What four hexadecimal digits can say, in bytes.
const LONGEST: usize = 0xffff;

const LOCATION: &str = "location";
const IDENTIFIER: &str = "identifier";
const CAVEAT: &str = "cid";
const VID: &str = "vid";
const CAVEAT_LOCATION: &str = "cl";
const SIGNATURE: &str = "signature";
const NAMES: [&str; 6] = [LOCATION, IDENTIFIER, CAVEAT, VID, CAVEAT_LOCATION, SIGNATURE];
/// What a packet of any other name is called.
const UNKNOWN: &str = "field";

/// Reads the packets that lie in `parts.fields`, from its beginning to its end. On failure `parts` tells what
/// came before the damage.
pub(crate) fn read(parts: &mut Parts, options: &DecodeOptions) -> Result<Signature, DecodeError> {
    let bytes = core::mem::take(&mut parts.fields);
    let read = Reader { bytes: &bytes, at: 0, packet: 0, options }.macaroon(parts);
    parts.fields = bytes;
    read
}

struct Packet<'a> {
    name: &'static str,
    value: &'a [u8],
    span: Span,
    begin: usize,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    packet: usize,
    options: &'a DecodeOptions,
}

impl<'a> Reader<'a> {
    fn macaroon(mut self, parts: &mut Parts) -> Result<Signature, DecodeError> {
        let first = self.packet(LOCATION)?;
        let identifier = match first.name == LOCATION {
            true => {
                self.utf8(&first, LOCATION)?;
                parts.location = Some(first.span);
                self.field(IDENTIFIER)?
            }
            false if self.options.liberal && first.name == IDENTIFIER => first,
            false => {
                return Err(DecodeError::bytes(Problem::UnexpectedField { expected: LOCATION }, first.begin));
            }
        };
        if !self.options.liberal {
            not_empty(&identifier, IDENTIFIER)?;
        }
        parts.identifier = Some(identifier.span);

        let mut packet = self.packet("a caveat or the signature")?;
        while packet.name == CAVEAT {
            not_empty(&packet, "caveat")?;
            if parts.caveats.len() >= self.options.limits.caveats {
                let problem = Problem::TooManyCaveats { max: self.options.limits.caveats };
                return Err(DecodeError::bytes(problem, packet.begin));
            }
            let identifier = packet.span;
            packet = self.packet("a caveat or the signature")?;
            let mut third_party = None;
            if packet.name != CAVEAT && packet.name != SIGNATURE {
                (third_party, packet) = self.third_party(packet)?;
            }
            parts.push_caveat(
                CaveatSpans { identifier, third_party },
                self.rest().len(),
                &self.options.limits,
            );
        }

        if packet.name != SIGNATURE {
            let problem = Problem::UnexpectedField { expected: "a caveat or the signature" };
            return Err(DecodeError::bytes(problem, packet.begin));
        }
        let len = packet.value.len();
        let signature = <[u8; Signature::LEN]>::try_from(packet.value)
            .map_err(|_| DecodeError::bytes(Problem::SignatureLength { len }, packet.begin))?;
        match self.rest().len() {
            0 => Ok(Signature::new(signature)),
            left => Err(DecodeError::bytes(Problem::TrailingBytes { left }, self.at)),
        }
    }

    /// What makes a caveat one for a third party, `vid` and `cl`, from this packet on, and the packet after it. The liberal rules take
    /// the two in either order, and `vid` alone; `cl` alone says nothing and is passed over.
    fn third_party(
        &mut self,
        mut packet: Packet<'a>,
    ) -> Result<(Option<ThirdPartySpans>, Packet<'a>), DecodeError> {
        let (mut vid, mut location) = (None, None);
        loop {
            if packet.name == VID && vid.is_none() {
                vid_fits(packet.value.len(), packet.begin)?;
                vid = Some(packet.span);
            } else if packet.name == CAVEAT_LOCATION
                && location.is_none()
                && (vid.is_some() || self.options.liberal)
            {
                self.utf8(&packet, "caveat location")?;
                location = Some(packet.span);
            } else if vid.is_some() && location.is_none() && !self.options.liberal {
                let problem = Problem::UnexpectedField { expected: CAVEAT_LOCATION };
                return Err(DecodeError::bytes(problem, packet.begin));
            } else {
                let location = location.unwrap_or_default();
                return Ok((vid.map(|vid| ThirdPartySpans { vid, location }), packet));
            }
            packet = self.packet("a caveat or the signature")?;
        }
    }

    fn utf8(&self, packet: &Packet<'_>, field: &'static str) -> Result<(), DecodeError> {
        match core::str::from_utf8(packet.value) {
            Err(error) if !self.options.liberal => {
                let at = packet.span.start.saturating_add(error.valid_up_to());
                Err(DecodeError::bytes(Problem::NotUtf8 { field }, at))
            }
            _ => Ok(()),
        }
    }

    fn field(&mut self, name: &'static str) -> Result<Packet<'a>, DecodeError> {
        let packet = self.packet(name)?;
        if packet.name == name {
            return Ok(packet);
        }
        Err(DecodeError::bytes(Problem::UnexpectedField { expected: name }, packet.begin))
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn packet(&mut self, expected: &'static str) -> Result<Packet<'a>, DecodeError> {
        let (begin, packet, rest) = (self.at, self.packet, self.rest());
        if rest.is_empty() {
            return Err(DecodeError::bytes(Problem::MissingField { expected }, begin));
        }
        let declared = match rest.first_chunk::<HEADER>() {
            Some(header) => {
                hex(header).ok_or_else(|| DecodeError::bytes(Problem::LengthField { packet }, begin))?
            }
            None => {
                let problem = match rest.iter().all(|digit| hex_digit(*digit).is_some()) {
                    true => Problem::CutLength { packet },
                    false => Problem::LengthField { packet },
                };
                return Err(DecodeError::bytes(problem, begin));
            }
        };
        if declared < SHORTEST {
            return Err(DecodeError::bytes(Problem::PacketTooShort { packet, declared }, begin));
        }
        let Some((whole, _)) = rest.split_at_checked(declared) else {
            let field = rest.get(HEADER..).and_then(visible_name);
            let missing = declared.saturating_sub(rest.len());
            let problem = Problem::Cut { field, begin, declared, missing };
            return Err(DecodeError::bytes(problem, self.bytes.len()));
        };
        let end = begin.saturating_add(declared);
        let last = end.saturating_sub(1);
        let Some(body) = whole.get(HEADER..).and_then(|body| body.strip_suffix(b"\n")) else {
            return Err(DecodeError::bytes(Problem::NoLineFeed { packet }, last));
        };
        let Some((name, value)) = split_name(body) else {
            return Err(DecodeError::bytes(Problem::NoName { packet }, begin));
        };
        if value.len() > self.options.limits.field {
            let problem =
                Problem::FieldTooLong { field: name, len: value.len(), max: self.options.limits.field };
            return Err(DecodeError::bytes(problem, begin));
        }
        (self.at, self.packet) = (end, packet.saturating_add(1));
        let span = Span { start: last.saturating_sub(value.len()), end: last };
        Ok(Packet { name, value, span, begin })
    }
}

fn not_empty(packet: &Packet<'_>, field: &'static str) -> Result<(), DecodeError> {
    match packet.value.is_empty() {
        true => Err(DecodeError::bytes(Problem::EmptyField { field }, packet.begin)),
        false => Ok(()),
    }
}

/// The name of a packet whose end is missing, as far as one can be made out.
fn visible_name(body: &[u8]) -> Option<&'static str> {
    let name = split_at_space(body).map_or(body, |(name, _)| name);
    NAMES.into_iter().find(|known| known.as_bytes() == name)
}

/// The name and the value of a packet. Known names are matched where they stand, without a search for the space.
fn split_name(body: &[u8]) -> Option<(&'static str, &[u8])> {
    let named = |name: &'static str, start: &[u8]| Some((name, body.strip_prefix(start)?));
    named(CAVEAT, b"cid ")
        .or_else(|| named(LOCATION, b"location "))
        .or_else(|| named(IDENTIFIER, b"identifier "))
        .or_else(|| named(SIGNATURE, b"signature "))
        .or_else(|| named(VID, b"vid "))
        .or_else(|| named(CAVEAT_LOCATION, b"cl "))
        .or_else(|| split_at_space(body).map(|(_, value)| (UNKNOWN, value)))
}

fn split_at_space(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = body.iter().position(|byte| *byte == b' ').filter(|space| *space > 0)?;
    let (name, value) = body.split_at_checked(space)?;
    Some((name, value.get(1..)?))
}

fn hex(digits: &[u8; HEADER]) -> Option<usize> {
    digits.iter().try_fold(0_usize, |sum, digit| Some(sum << 4 | hex_digit(*digit)?))
}

fn hex_digit(digit: u8) -> Option<usize> {
    match digit {
        b'0'..=b'9' => Some(usize::from(digit.wrapping_sub(b'0'))),
        b'a'..=b'f' => Some(usize::from(digit.wrapping_sub(b'a').wrapping_add(10))),
        _ => None,
    }
}

/// The length of the packets in bytes, if they can be written. The liberal rules write identifiers and predicates that
/// are not UTF-8.
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

/// Writes the packets into as many bytes as [`len`] says.
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

//! The parts of macaroons.

use serde::Deserialize;

use super::hex_bytes;

/// The vectors of the encodings and of the chain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Primitives {
    /// base64 in both alphabets.
    pub base64_decode: Vec<Base64Case>,
    /// Varints and their bytes.
    pub varint: Vec<VarintCase>,
    /// Bytes that are no varint.
    pub varint_reject: Vec<VarintRejectCase>,
    /// Single packets of version 1.
    pub packet_v1: Vec<PacketCase>,
    /// The limits of a packet of version 1.
    pub packet_v1_max: PacketLimits,
    /// Single sections of version 2.
    pub section_v2: Vec<SectionCase>,
    /// One macaroon with a third-party caveat and its discharge, step by step.
    pub hmac_chain: Vec<HmacStep>,
}

/// A base64 text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base64Case {
    /// Where it comes from.
    pub source: String,
    /// The text.
    pub input: String,
    /// The decoded bytes; `None` exactly if it is refused.
    pub expect_utf8: Option<String>,
    /// Whether it is refused.
    pub reject: bool,
    /// Which rule it is about.
    pub note: String,
}

/// A varint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VarintCase {
    /// Where it comes from.
    pub source: String,
    /// The number.
    pub value: u64,
    /// Its only encoding.
    pub bytes: Vec<u8>,
}

/// Bytes that are no varint.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VarintRejectCase {
    /// Where they come from.
    pub source: String,
    /// The bytes.
    #[serde(rename = "bytes_hex", deserialize_with = "hex_bytes")]
    pub bytes: Vec<u8>,
    /// Why they are refused.
    pub why: String,
}

/// A packet of version 1, or bytes that are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketCase {
    /// Where it comes from.
    pub source: String,
    /// The packet.
    pub input: String,
    /// Whether it is one.
    pub ok: bool,
    /// Its key, if it is one.
    pub key: Option<String>,
    /// Its value, if it is one.
    pub value: Option<String>,
    /// Why it is none.
    pub note: String,
}

/// The limits of a packet of version 1, in bytes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketLimits {
    /// Where the numbers come from.
    pub source: String,
    /// The longest packet.
    pub max_total: usize,
    /// The overhead of a packet around its value.
    pub overhead_by_key: PacketBytes,
    /// The longest value.
    pub max_value_by_key: PacketBytes,
}

/// A number of bytes for each kind of packet; `None` if it does not apply.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PacketBytes {
    /// `location`
    pub location: usize,
    /// `identifier`
    pub identifier: usize,
    /// `cid`
    pub cid: usize,
    /// `vid`
    pub vid: usize,
    /// `cl`
    pub cl: usize,
    /// `signature`
    pub signature: Option<usize>,
}

/// A section of version 2, or bytes that are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SectionCase {
    /// Where it comes from.
    pub source: String,
    /// The section.
    #[serde(rename = "input_hex", deserialize_with = "hex_bytes")]
    pub input: Vec<u8>,
    /// Whether it is one.
    pub ok: bool,
    /// What it tests.
    pub note: String,
}

/// One value on the way from a root key to a signature.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HmacStep {
    /// How it is computed.
    pub step: String,
    /// The value, in hexadecimal.
    pub hex: String,
}

#[cfg(test)]
mod tests {
    use crate::vectors;

    #[test]
    fn refused_cases_have_no_value() {
        let primitives = vectors::primitives();
        for case in primitives.base64_decode {
            assert_eq!(case.reject, case.expect_utf8.is_none(), "{:?}", case.input);
        }
        for case in primitives.packet_v1 {
            assert_eq!((case.ok, case.ok), (case.key.is_some(), case.value.is_some()), "{:?}", case.input);
        }
    }
}

//! The vectors of `crates/token-test/vectors`; its README says where each comes from.
//!
//! A member without a field here is an error, so no part of a file goes untested unnoticed.

mod api_documents;
mod macaroons;
mod onedata;
mod primitives;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

pub use api_documents::{ApiDocument, DecoderAnswers, Packet, TruncatedPacket};
pub use macaroons::{CaveatVector, Expectation, Format, MacaroonVector, Verification};
pub use onedata::{Attested, LegacyVector, OnedataVector};
pub use primitives::{
    Base64Case, HmacStep, PacketBytes, PacketCase, PacketLimits, Primitives, SectionCase, VarintCase,
    VarintRejectCase,
};

use crate::hex;

/// Golden tokens of Onedata 20.02 and later.
#[must_use]
pub fn onedata() -> Vec<OnedataVector> {
    load(include_str!("../vectors/onedata.json"))
}

/// Tokens as Onedata wrote them before 20.02: the shapes that the two documented endpoints return.
#[must_use]
pub fn onedata_legacy() -> Vec<LegacyVector> {
    load(include_str!("../vectors/onedata-legacy.json"))
}

/// Macaroons of every format, good and bad, from the other libraries and their bug reports.
#[must_use]
pub fn macaroons() -> Vec<MacaroonVector> {
    load(include_str!("../vectors/macaroons.json"))
}

/// The parts of macaroons: base64, varints, packets, sections, and one chain step by step.
#[must_use]
pub fn primitives() -> Primitives {
    load(include_str!("../vectors/primitives.json"))
}

/// The sample tokens of the API documents, most of them damaged, and what is wrong with each.
#[must_use]
pub fn api_documents() -> Vec<ApiDocument> {
    load(include_str!("../vectors/api-documents.json"))
}

fn load<T: DeserializeOwned>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("a vector file does not fit its types: {error}"))
}

fn hex_bytes<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<u8>, D::Error> {
    String::deserialize(json).map(|text| hex::decode(&text))
}

fn some_hex_bytes<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Vec<u8>>, D::Error> {
    hex_bytes(json).map(Some)
}

fn hex_signature<'de, D: Deserializer<'de>>(json: D) -> Result<[u8; 32], D::Error> {
    hex_bytes(json).map(|bytes| bytes.try_into().expect("a signature has 32 bytes"))
}

fn some_hex_signature<'de, D: Deserializer<'de>>(json: D) -> Result<Option<[u8; 32]>, D::Error> {
    hex_signature(json).map(Some)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_vector_loads() {
        assert_eq!(onedata().len(), 11);
        assert_eq!(onedata_legacy().len(), 8);
        assert_eq!(macaroons().len(), 174);
        assert_eq!(api_documents().len(), 5);
        let primitives = primitives();
        assert_eq!(
            [
                primitives.base64_decode.len(),
                primitives.varint.len(),
                primitives.varint_reject.len(),
                primitives.packet_v1.len(),
                primitives.section_v2.len(),
                primitives.hmac_chain.len(),
            ],
            [14, 18, 5, 7, 8, 10]
        );
        assert_eq!(primitives.packet_v1_max.max_total, 0xffff);
    }

    #[test]
    fn names_are_unique() {
        let names: Vec<String> = macaroons().into_iter().map(|vector| vector.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    }
}

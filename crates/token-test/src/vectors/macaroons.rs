//! Macaroons of every format.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{some_hex_bytes, some_hex_signature};
use crate::Key;

/// One macaroon: its wire form, and its fields if the strict grammar reads it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacaroonVector {
    /// The vector's unique name in failure messages.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// Whether it is quoted from its source, computed from it, or invented.
    pub origin: String,
    /// The wire format; `None` if the bytes are of no format.
    pub format: Option<Format>,
    serialized: Option<String>,
    #[serde(default, deserialize_with = "some_hex_bytes")]
    serialized_hex: Option<Vec<u8>>,
    /// Whether the strict grammar reads it.
    pub valid_parse: bool,
    /// Why the strict grammar refuses it.
    pub reject_reason: Option<String>,
    key: Option<String>,
    key_encoding: Option<KeyEncoding>,
    key_is_raw_32_bytes: Option<bool>,
    /// The location hint.
    pub location: Option<String>,
    identifier: Option<String>,
    #[serde(default, deserialize_with = "some_hex_bytes")]
    identifier_hex: Option<Vec<u8>>,
    /// The caveats, in chain order.
    #[serde(default)]
    pub caveats: Vec<CaveatVector>,
    /// The signature; present exactly if [`valid_parse`](Self::valid_parse).
    #[serde(default, rename = "signature_hex", deserialize_with = "some_hex_signature")]
    pub signature: Option<[u8; 32]>,
    /// The texts of the discharges that come with it.
    #[serde(default)]
    pub discharges: Vec<String>,
    /// The expected answer of verification; `None` if the key is unknown or there is nothing to verify.
    pub verify: Option<Verification>,
    /// Our choice on which the expectation depends, where other libraries choose otherwise.
    pub policy_dependent: Option<String>,
    /// A remark.
    pub note: String,
    /// Which implementations agree with the expectation.
    pub verified_by: Vec<String>,
    /// The answer of each other library.
    pub peer_results: BTreeMap<String, String>,
}

impl MacaroonVector {
    /// Returns the macaroon as received: text in UTF-8 if the vector is text, raw bytes otherwise.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        match (&self.serialized, &self.serialized_hex) {
            (Some(text), None) => text.as_bytes(),
            (None, Some(bytes)) => bytes,
            _ => panic!("{}: it takes one wire form", self.name),
        }
    }

    /// Returns the macaroon as text, if it is text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.serialized.as_deref()
    }

    /// Returns the root key, if it is known.
    #[must_use]
    pub fn key(&self) -> Option<Key<'_>> {
        let key = self.key.as_ref()?.as_bytes();
        match (self.key_encoding, self.key_is_raw_32_bytes) {
            (Some(KeyEncoding::Utf8), Some(false)) => Some(Key::Secret(key)),
            (Some(KeyEncoding::Utf8), Some(true)) => {
                Some(Key::Derived(key.try_into().expect("a raw key has 32 bytes")))
            }
            _ => panic!("{}: the key does not say what it is", self.name),
        }
    }

    /// Returns the identifier, if the strict grammar reads the macaroon.
    #[must_use]
    pub fn identifier(&self) -> Option<&[u8]> {
        self.identifier.as_deref().map(str::as_bytes).or(self.identifier_hex.as_deref())
    }

    /// Whether every caveat is a first-party one.
    #[must_use]
    pub fn is_first_party_only(&self) -> bool {
        self.caveats.iter().all(|caveat| caveat.vid.is_none())
    }
}

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Version 1 packets, in base64.
    V1,
    /// Version 1 as a JSON object, or a list of them.
    V1J,
    /// Version 2 fields, in base64.
    V2,
    /// Version 2 as a JSON object.
    V2J,
}

/// The notation of a vector's key.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum KeyEncoding {
    Utf8,
}

/// A caveat.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaveatVector {
    cid: Option<String>,
    #[serde(default, deserialize_with = "some_hex_bytes")]
    cid_hex: Option<Vec<u8>>,
    /// The sealed caveat key, of a third-party caveat.
    #[serde(default, rename = "vid_hex", deserialize_with = "some_hex_bytes")]
    pub vid: Option<Vec<u8>>,
    /// The location hint of a third-party caveat.
    pub cl: Option<String>,
}

impl CaveatVector {
    /// The predicate of a first-party caveat, the identifier of a third-party one.
    #[must_use]
    pub fn cid(&self) -> &[u8] {
        match (&self.cid, &self.cid_hex) {
            (Some(text), None) => text.as_bytes(),
            (None, Some(bytes)) => bytes,
            _ => panic!("it takes one cid: {self:?}"),
        }
    }
}

/// An expected verification.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// The predicates that hold.
    pub exact: Vec<String>,
    /// The answer.
    pub expect: Expectation,
}

/// The answer of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// The macaroon is accepted.
    Ok,
    /// It is refused.
    Fail,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{oracle, vectors};

    #[test]
    fn every_vector_is_whole() {
        for vector in vectors::macaroons() {
            let name = &vector.name;
            // Some vectors have an empty wire form; each must have exactly one.
            let _ = vector.wire();
            assert_eq!(vector.valid_parse, vector.reject_reason.is_none(), "{name}");
            assert_eq!(vector.valid_parse, vector.signature.is_some(), "{name}");
            assert_eq!(vector.valid_parse, vector.identifier().is_some(), "{name}");
            assert_eq!(vector.verify.is_some(), vector.key().is_some(), "{name}");
            vector
                .caveats
                .iter()
                .for_each(|caveat| assert_eq!(caveat.vid.is_some(), caveat.cl.is_some(), "{name}"));
        }
    }

    #[test]
    fn the_kinds_are_as_many_as_were_collected() {
        let vectors = vectors::macaroons();
        let count =
            |holds: fn(&MacaroonVector) -> bool| vectors.iter().filter(|vector| holds(vector)).count();
        assert_eq!(count(|vector| vector.format == Some(Format::V1)), 67);
        assert_eq!(count(|vector| vector.format == Some(Format::V1J)), 4);
        assert_eq!(count(|vector| vector.format == Some(Format::V2)), 61);
        assert_eq!(count(|vector| vector.format == Some(Format::V2J)), 41);
        assert_eq!(count(|vector| vector.valid_parse), 91);
        assert_eq!(count(|vector| vector.policy_dependent.is_some()), 18);
        let expects =
            |vector: &MacaroonVector, expect| vector.verify.as_ref().is_some_and(|it| it.expect == expect);
        assert_eq!(vectors.iter().filter(|vector| expects(vector, Expectation::Ok)).count(), 57);
        assert_eq!(vectors.iter().filter(|vector| expects(vector, Expectation::Fail)).count(), 31);
    }

    /// Mints each vector again from its fields. [`oracle::mint`] makes no third-party caveats.
    #[test]
    fn accepted_vectors_have_the_signature_of_their_fields() {
        let mut minted = 0;
        for vector in vectors::macaroons() {
            let accepted = vector.verify.as_ref().is_some_and(|verify| verify.expect == Expectation::Ok);
            let Some(identifier) = vector.identifier().filter(|identifier| !identifier.is_empty()) else {
                continue;
            };
            if !accepted || !vector.is_first_party_only() {
                continue;
            }
            let caveats: Vec<&[u8]> = vector.caveats.iter().map(CaveatVector::cid).collect();
            let location = vector.location.as_deref().unwrap_or_default();
            let token = oracle::mint(vector.key().unwrap(), location, identifier, &caveats);
            assert_eq!(Some(token.signature), vector.signature, "{}", vector.name);
            minted += 1;
        }
        assert!(minted > 20, "only {minted} vectors were checked");
    }
}

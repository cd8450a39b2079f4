//! Onedata tokens.

use serde::Deserialize;

use super::{hex_bytes, hex_signature};
use crate::Key;

/// A golden token of Onedata 20.02 or later.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnedataVector {
    /// What the vector is called in failure messages.
    pub name: String,
    /// Where it comes from.
    pub source: String,
    /// The secret, as text.
    pub secret: String,
    /// The location: the zone's domain.
    pub onezone_domain: String,
    /// The identifier, version 2.
    pub identifier: String,
    /// The caveats, in chain order.
    pub caveats: Vec<String>,
    /// The signature.
    #[serde(rename = "signature_hex", deserialize_with = "hex_signature")]
    pub signature: [u8; 32],
    /// The token's text as base62.
    pub serialized_base62: String,
    /// The token's text as unpadded base64url.
    pub serialized_base64url: String,
    /// The parsed identifier, as Onedata's JSON.
    pub token: serde_json::Value,
    /// Which other implementations agree.
    pub verified: Attested,
}

impl OnedataVector {
    /// The secret, from which the root key is to be derived.
    #[must_use]
    pub const fn key(&self) -> Key<'_> {
        Key::Secret(self.secret.as_bytes())
    }
}

/// How a golden token was checked when it was collected.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attested {
    /// HMACs computed by hand under the derived key give the signature.
    pub own_hmac_derived_key: bool,
    /// pymacaroons accepts it.
    pub pymacaroons: bool,
    /// The secret used as the key itself gives another signature.
    pub without_key_derivation_differs: bool,
}

/// A token in the shape that Onedata wrote before 20.02.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegacyVector {
    /// What the vector is called in failure messages.
    pub name: String,
    /// The secret.
    #[serde(rename = "secret_hex", deserialize_with = "hex_bytes")]
    pub secret: Vec<u8>,
    /// The location: `onezone`, or `registry` on older servers.
    pub location: String,
    /// The identifier: 43 opaque characters.
    pub identifier: String,
    /// The caveats, in chain order.
    pub caveats: Vec<String>,
    /// The signature.
    #[serde(rename = "signature_hex", deserialize_with = "hex_signature")]
    pub signature: [u8; 32],
    /// The token's text as unpadded base64url.
    pub serialized_base64url: String,
    /// The token's text as base62.
    pub serialized_base62: String,
    /// How it was made.
    pub note: String,
}

impl LegacyVector {
    /// The secret, from which the root key is to be derived.
    #[must_use]
    pub fn key(&self) -> Key<'_> {
        Key::Secret(&self.secret)
    }
}

#[cfg(test)]
mod tests {
    use crate::vectors;

    #[test]
    fn golden_tokens_were_checked_by_others() {
        for vector in vectors::onedata() {
            let by = vector.verified;
            assert!(by.own_hmac_derived_key && by.pymacaroons && by.without_key_derivation_differs);
        }
    }
}

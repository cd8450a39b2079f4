//! The HMAC-SHA256 chain (RFC 2104 over FIPS 180-4; `macaroon-formats.md` §1) and the only comparison of MACs.

use core::fmt;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::{Zeroize as _, ZeroizeOnDrop};

type HmacSha256 = Hmac<Sha256>;

/// The key of the key derivation, zero-padded to 32 bytes by the libraries that came first; HMAC pads keys
/// with zeros itself, so the padding makes no difference.
const KEY_GENERATOR: &[u8] = b"macaroons-key-generator";

fn keyed(key: &[u8]) -> HmacSha256 {
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length (RFC 2104 §3)")]
    HmacSha256::new_from_slice(key).expect("HMAC takes a key of any length")
}

/// `derive(secret) = HMAC("macaroons-key-generator", secret)`.
pub(crate) fn derive(secret: &[u8]) -> [u8; 32] {
    keyed(KEY_GENERATOR).chain_update(secret).finalize().into_bytes().into()
}

/// A link's MAC while it is still the key of the next link: whoever holds it can drop later caveats.
pub(crate) struct ChainKey([u8; 32]);

impl ChainKey {
    /// The first link: `sig0 = HMAC(root key, identifier)`.
    pub(crate) fn start(key: &[u8; 32], identifier: &[u8]) -> Self {
        Self(keyed(key).chain_update(identifier).finalize().into_bytes().into())
    }

    /// Takes up a chain where its bearer received it, to extend it.
    pub(crate) fn resume(signature: &Signature) -> Self {
        Self(signature.0)
    }

    /// A first-party caveat: `sig' = HMAC(sig, predicate)`.
    pub(crate) fn link(self, predicate: &[u8]) -> Self {
        Self(self.mac(predicate))
    }

    /// A third-party caveat: `sig' = HMAC(sig, HMAC(sig, vid) || HMAC(sig, cid))`.
    pub(crate) fn link_third_party(self, vid: &[u8], identifier: &[u8]) -> Self {
        let both = [self.mac(vid), self.mac(identifier)];
        Self(self.mac(both.as_flattened()))
    }

    /// The chain ends here, so this MAC becomes the bearer's signature and goes on the wire.
    pub(crate) fn into_signature(self) -> Signature {
        Signature(self.0)
    }

    /// Binds a discharge to the root macaroon that it is presented with:
    /// `bound = HMAC(0, HMAC(0, root) || HMAC(0, discharge))`.
    pub(crate) fn bound_to(&self, root: &Signature) -> Self {
        let zero = Self([0; 32]);
        let both = [zero.mac(&root.0), zero.mac(&self.0)];
        Self(zero.mac(both.as_flattened()))
    }

    /// The key that the key of a third-party caveat is sealed under.
    pub(crate) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the chain that ends here is the one that `claimed` ends. The only comparison of MACs in the
    /// workspace; its time does not depend on where the two differ.
    pub(crate) fn confirms(&self, claimed: &Signature) -> bool {
        use subtle::ConstantTimeEq as _;
        self.0.ct_eq(&claimed.0).into()
    }

    fn mac(&self, message: &[u8]) -> [u8; 32] {
        keyed(&self.0).chain_update(message).finalize().into_bytes().into()
    }
}

impl Drop for ChainKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for ChainKey {}

/// The 32 bytes that end a macaroon's chain. Whoever holds them together with the macaroon's text bears its
/// authority, so they are neither printed nor compared with `==`.
#[derive(Clone)]
pub struct Signature([u8; Signature::LEN]);

impl Signature {
    /// The length of a signature in bytes.
    pub const LEN: usize = 32;

    pub(crate) const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The signature itself, to be written or shown to someone who may hold the token.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// `onedata-tokens.md` §9 B, step by step.
    #[test]
    fn the_chain_of_a_golden_token() {
        let key = derive(b"verySecretSecret3");
        assert_eq!(hex(&key), "75562e83eb39e488c7da1e3ed1f21c5b77d8196fce416febf9725c256bf88f28");
        let mut link = ChainKey::start(&key, b"2/nmd/prv-pid/idn/1234567890example-id1234567890c");
        assert_eq!(hex(&link.0), "1595f07960f04202cd2321799b27a55435e447f05529a87fe59858c1cf0f4c2f");
        for (caveat, mac) in [
            ("geo.region = Africa", "c80037d575a605f86df141522cf1783beda0464b545c42aca1dd5a3887247afb"),
            ("interface = rest", "e01d0290d8f7eca706cc4fe98caae048c5bc51ec89a1deb4a05585d9d4be11b3"),
        ] {
            link = link.link(caveat.as_bytes());
            assert_eq!(hex(&link.0), mac, "{caveat}");
        }
    }

    #[test]
    fn a_signature_is_not_printed() {
        assert_eq!(format!("{:?}", Signature::new([7; 32])), "Signature(..)");
    }
}

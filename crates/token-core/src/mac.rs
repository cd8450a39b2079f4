//! The HMAC-SHA256 chain (RFC 2104 over FIPS 180-4; `macaroon-formats.md` §1) and the only comparison of MACs.
//!
//! This module implements HMAC directly over the compression function of `sha2`, since verifying a token spends nearly
//! all its time here. Every link has a fresh key and a short message; for these, the buffers of a general
//! implementation cost a fifth of the time.

use core::{array::from_ref, fmt};

use sha2::{
    compress256,
    digest::generic_array::{GenericArray, typenum::U64},
};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize as _, ZeroizeOnDrop, Zeroizing};

/// A block of SHA-256: 64 bytes.
type Block = GenericArray<u8, U64>;

/// The state of SHA-256, and so a digest, as words of big-endian bytes.
type State = [u32; 8];

/// FIPS 180-4 §5.3.3.
const INITIAL: State =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The bytes that pad a key, before the message and before the inner digest (RFC 2104 §2).
const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;

/// The inner and outer states after the key `macaroons-key-generator`, which derives every root key. The first
/// macaroon libraries pad it with zeros to 32 bytes; HMAC pads keys with zeros itself, so that makes no difference.
const KEY_GENERATOR: [State; 2] = [
    [0x9077_a15b, 0xd63d_8c38, 0x24d7_0d8b, 0xa0d6_3f24, 0x4803_6cbf, 0x16ff_ae7d, 0x4857_e31d, 0xbb1f_1d67],
    [0xbdcc_52d8, 0x514c_306d, 0xa461_4039, 0xaa6e_3e88, 0xc98a_3415, 0xb547_216b, 0x5b29_34f4, 0x8053_6d5f],
];

/// `derive(secret) = HMAC("macaroons-key-generator", secret)`.
pub(crate) fn derive(secret: &[u8]) -> [u8; 32] {
    let [mut inner, mut outer] = KEY_GENERATOR;
    absorb(&mut inner, secret);
    let mut block = Block::default();
    end(&mut block, &to_bytes(&inner), 32);
    compress256(&mut outer, from_ref(&block));
    to_bytes(&outer)
}

/// `key = HMAC[key](message)`.
///
/// Works in place, and pads both keys before either hash, so that a key passes from one hash to the next in whole
/// vectors: a vector load stalls while word-by-word stores to the same bytes are in flight.
fn hmac(key: &mut State, message: &[u8]) {
    let (mut inner, mut outer) = (with_key(key, INNER), with_key(key, OUTER));
    let [key_block, block] = &mut inner;
    let mut state = INITIAL;
    match message.len() < LENGTH_AT {
        // Two blocks in one call are faster than two calls.
        true => {
            end(block, message, message.len());
            compress256(&mut state, &inner);
        }
        false => {
            compress256(&mut state, from_ref(key_block));
            absorb(&mut state, message);
        }
    }
    let [_, block] = &mut outer;
    end(block, &to_bytes(&state), 32);
    *key = INITIAL;
    compress256(key, &outer);
}

/// Finishes a hash whose first block was a padded key (FIPS 180-4 §5.1.1).
fn absorb(state: &mut State, message: &[u8]) {
    let (blocks, rest) = message.as_chunks::<64>();
    for block in blocks {
        compress256(state, from_ref(GenericArray::from_slice(block)));
    }
    let [mut block, mut last] = [Block::default(); 2];
    match rest.len() < LENGTH_AT {
        true => {
            end(&mut block, rest, message.len());
            compress256(state, from_ref(&block));
        }
        false => {
            put(&mut block, rest);
            put_length(&mut last, message.len());
            compress256(state, &[block, last]);
        }
    }
}

/// The offset of the message length in the last block.
const LENGTH_AT: usize = 56;

/// Fills the zeroed last block of a message of `len` bytes. The rest must leave room for the length.
fn end(block: &mut Block, rest: &[u8], len: usize) {
    put(block, rest);
    put_length(block, len);
}

/// Writes the rest of a message, and the bit that ends it.
fn put(block: &mut Block, rest: &[u8]) {
    if let Some((message, end)) = block.split_at_mut_checked(rest.len()) {
        message.copy_from_slice(rest);
        if let Some(end) = end.first_mut() {
            *end = 0x80;
        }
    }
}

/// Writes the length in bits of a key block and a message of `len` bytes.
fn put_length(block: &mut Block, len: usize) {
    let bits = u64::try_from(len).unwrap_or(u64::MAX).wrapping_add(64).wrapping_mul(8);
    if let Some(end) = block.last_chunk_mut() {
        *end = bits.to_be_bytes();
    }
}

/// Returns a padded key, and an empty block behind it.
fn with_key(key: &State, pad: u8) -> [Block; 2] {
    let mut block = [pad; 64];
    let mask = u32::from_ne_bytes([pad; 4]);
    for (bytes, word) in block.as_chunks_mut().0.iter_mut().zip(key) {
        *bytes = (word ^ mask).to_be_bytes();
    }
    [block.into(), Block::default()]
}

fn to_bytes(state: &State) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    bytes
}

fn from_bytes(bytes: &[u8; 32]) -> State {
    let mut state = [0; 8];
    for (word, bytes) in state.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    state
}

/// A link's MAC while it is still the key of the next link. An attacker who has it can drop later caveats.
pub(crate) struct ChainKey(State);

impl ChainKey {
    /// Starts the chain: `sig0 = HMAC(root key, identifier)`.
    pub(crate) fn start(key: &[u8; 32], identifier: &[u8]) -> Self {
        let mut link = Self(from_bytes(key));
        link.link(identifier);
        link
    }

    /// Resumes a chain at the signature that its bearer received, to extend it.
    pub(crate) fn resume(signature: &Signature) -> Self {
        Self(from_bytes(&signature.0))
    }

    /// Appends a first-party caveat: `sig' = HMAC(sig, predicate)`.
    pub(crate) fn link(&mut self, predicate: &[u8]) {
        hmac(&mut self.0, predicate);
    }

    /// Appends a third-party caveat: `sig' = HMAC(sig, HMAC(sig, vid) || HMAC(sig, cid))`.
    pub(crate) fn link_third_party(&mut self, vid: &[u8], identifier: &[u8]) {
        self.0 = self.hmac_of_both(vid, identifier);
    }

    /// Ends the chain: this MAC becomes the bearer's signature and goes on the wire.
    pub(crate) fn into_signature(self) -> Signature {
        Signature(to_bytes(&self.0))
    }

    /// Binds a discharge to the root macaroon that it is presented with:
    /// `bound = HMAC(0, HMAC(0, root) || HMAC(0, discharge))`.
    pub(crate) fn bound_to(&self, root: &Signature) -> Self {
        Self(Self([0; 8]).hmac_of_both(&root.0, &to_bytes(&self.0)))
    }

    fn hmac_of_both(&self, first: &[u8], second: &[u8]) -> State {
        let of = |message: &[u8]| {
            let mut mac = self.0;
            hmac(&mut mac, message);
            mac
        };
        of([first, second].map(|message| to_bytes(&of(message))).as_flattened())
    }

    /// Exposes the key that seals the key of a third-party caveat.
    pub(crate) fn expose(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(to_bytes(&self.0))
    }

    /// Whether `claimed` is the signature of this chain.
    pub(crate) fn confirms(&self, claimed: &Signature) -> bool {
        equal(&self.0, &from_bytes(&claimed.0))
    }
}

impl Drop for ChainKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for ChainKey {}

/// Compares two MACs. The only comparison of MACs in the workspace; its time does not depend on where the two differ.
pub(crate) fn equal<T: ConstantTimeEq>(computed: &[T], claimed: &[T]) -> bool {
    computed.ct_eq(claimed).into()
}

/// The 32 bytes that end a macaroon's chain. Together with the macaroon's other fields they are a bearer credential,
/// so they are neither printed nor compared with `==`.
#[derive(Clone)]
pub struct Signature([u8; Signature::LEN]);

impl Signature {
    /// The length of a signature in bytes.
    pub const LEN: usize = 32;

    pub(crate) const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Exposes the signature's bytes. Write or show them only to a bearer of the token.
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

    #[test]
    fn the_states_of_the_key_generator() {
        let mut key = [0; 32];
        key[..23].copy_from_slice(b"macaroons-key-generator");
        let states = [INNER, OUTER].map(|pad| {
            let mut state = INITIAL;
            let [block, _] = with_key(&from_bytes(&key), pad);
            compress256(&mut state, from_ref(&block));
            state
        });
        assert_eq!(states, KEY_GENERATOR);
    }

    /// `onedata-tokens.md` §9 B, step by step.
    #[test]
    fn the_chain_of_a_golden_token() {
        let key = derive(b"verySecretSecret3");
        assert_eq!(hex(&key), "75562e83eb39e488c7da1e3ed1f21c5b77d8196fce416febf9725c256bf88f28");
        let mut link = ChainKey::start(&key, b"2/nmd/prv-pid/idn/1234567890example-id1234567890c");
        assert_eq!(hex(&*link.expose()), "1595f07960f04202cd2321799b27a55435e447f05529a87fe59858c1cf0f4c2f");
        for (caveat, mac) in [
            ("geo.region = Africa", "c80037d575a605f86df141522cf1783beda0464b545c42aca1dd5a3887247afb"),
            ("interface = rest", "e01d0290d8f7eca706cc4fe98caae048c5bc51ec89a1deb4a05585d9d4be11b3"),
        ] {
            link.link(caveat.as_bytes());
            assert_eq!(hex(&*link.expose()), mac, "{caveat}");
        }
    }

    #[test]
    fn a_signature_is_not_printed() {
        assert_eq!(format!("{:?}", Signature::new([7; 32])), "Signature(..)");
    }
}

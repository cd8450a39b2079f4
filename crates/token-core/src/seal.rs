//! The key of a third-party caveat, sealed under the signature before it: XSalsa20-Poly1305 as libsodium's
//! `crypto_secretbox` writes it (`macaroon-formats.md` §1).

use crypto_secretbox::{AeadInPlace as _, KeyInit as _, Nonce, Tag, XSalsa20Poly1305};
use zeroize::Zeroizing;

use crate::{CaveatKey, RootKey, mac::ChainKey};

const NONCE_LEN: usize = 24;
const TAG_LEN: usize = 16;

/// nonce (24) + tag (16) + key (32), in bytes: `macaroon-formats.md` §1.
pub(crate) const VID_LEN: usize = NONCE_LEN + TAG_LEN + RootKey::LEN;

/// A nonce for one third-party caveat: 24 random bytes. Not cloned, since no two caveats may share one.
#[derive(Debug)]
pub struct CaveatNonce([u8; NONCE_LEN]);

impl CaveatNonce {
    /// Wraps fresh random bytes.
    #[must_use]
    pub const fn from_random(bytes: [u8; NONCE_LEN]) -> Self {
        Self(bytes)
    }
}

/// `vid = nonce || tag || XSalsa20(key)`
pub(crate) fn seal(link: &ChainKey, CaveatNonce(nonce): CaveatNonce, key: &CaveatKey) -> [u8; VID_LEN] {
    let mut sealed = Zeroizing::new(*key.as_root().expose());
    let cipher = XSalsa20Poly1305::new((&*link.expose()).into());
    #[expect(clippy::expect_used, reason = "32 bytes are within the cipher's limit of 2^38")]
    let tag = cipher
        .encrypt_in_place_detached(Nonce::from_slice(&nonce), &[], sealed.as_mut_slice())
        .expect("32 bytes are within the limit");
    let mut vid = [0; VID_LEN];
    for (byte, sealed) in vid.iter_mut().zip(nonce.iter().chain(&tag).chain(sealed.iter())) {
        *byte = *sealed;
    }
    vid
}

/// Opens a vid. Returns `None` if it was not sealed under this signature.
pub(crate) fn open(link: &ChainKey, vid: &[u8]) -> Option<CaveatKey> {
    let (nonce, rest) = vid.split_first_chunk::<NONCE_LEN>()?;
    let (tag, sealed) = rest.split_first_chunk::<TAG_LEN>()?;
    let mut key = Zeroizing::new(<[u8; RootKey::LEN]>::try_from(sealed).ok()?);
    XSalsa20Poly1305::new((&*link.expose()).into())
        .decrypt_in_place_detached(Nonce::from_slice(nonce), &[], key.as_mut_slice(), Tag::from_slice(tag))
        .ok()?;
    Some(CaveatKey::from_derived(*key))
}

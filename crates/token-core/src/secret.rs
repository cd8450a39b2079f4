//! Root keys: the secrets under which tokens are minted and verified.

use core::fmt;

use zeroize::{Zeroize as _, ZeroizeOnDrop};

use crate::mac;

/// Signs and verifies every token minted under it.
///
/// Wiped when dropped. Cannot be cloned, compared, printed or serialized.
pub struct RootKey([u8; RootKey::LEN]);

impl RootKey {
    /// The length of a root key in bytes: one HMAC-SHA256 output.
    pub const LEN: usize = 32;

    /// The least length, in bytes, of a secret that [`derive`](Self::derive) takes.
    pub const MIN_SECRET_LEN: usize = 32;

    /// Derives `HMAC-SHA256("macaroons-key-generator", secret)`, as every macaroon library derives its root keys.
    ///
    /// The secret is a byte string of 32 bytes or more. Onedata's own secrets are 32 raw bytes (until 2019) or 64
    /// lower-case hexadecimal *characters* (since 20.02). Those characters are the secret, not the bytes they encode.
    ///
    /// # Errors
    /// [`ShortSecret`] when the secret has fewer than [`MIN_SECRET_LEN`](Self::MIN_SECRET_LEN) bytes.
    pub fn derive(secret: &[u8]) -> Result<Self, ShortSecret> {
        if secret.len() < Self::MIN_SECRET_LEN {
            return Err(ShortSecret { len: secret.len() });
        }
        Ok(Self::derive_any(secret))
    }

    /// Like [`derive`](Self::derive), from a secret of any length, to verify tokens of other issuers. Do not mint with
    /// a short secret: an attacker can guess it from a single token.
    #[must_use]
    pub fn derive_any(secret: &[u8]) -> Self {
        Self(mac::derive(secret))
    }

    /// Wraps a root key that has been derived already.
    #[must_use]
    pub const fn from_derived(key: [u8; Self::LEN]) -> Self {
        Self(key)
    }

    /// Exposes the key's bytes, for sealing. An attacker who has them can mint any token under this key.
    #[must_use]
    pub const fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

/// The root key of one third-party caveat, and of the macaroon that discharges it.
///
/// A separate type from [`RootKey`], so that a discharge is never verified as a root macaroon, nor a root macaroon
/// as a discharge. Use a fresh secret for each third-party caveat.
pub struct CaveatKey(RootKey);

impl CaveatKey {
    /// Derives the key as [`RootKey::derive`] does.
    ///
    /// # Errors
    /// [`ShortSecret`] when the secret has fewer than 32 bytes.
    pub fn derive(secret: &[u8]) -> Result<Self, ShortSecret> {
        RootKey::derive(secret).map(Self)
    }

    /// Derives the key as [`RootKey::derive_any`] does.
    #[must_use]
    pub fn derive_any(secret: &[u8]) -> Self {
        Self(RootKey::derive_any(secret))
    }

    /// Wraps a key that has been derived already.
    #[must_use]
    pub const fn from_derived(key: [u8; RootKey::LEN]) -> Self {
        Self(RootKey::from_derived(key))
    }

    pub(crate) const fn as_root(&self) -> &RootKey {
        &self.0
    }
}

impl fmt::Debug for CaveatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CaveatKey(..)")
    }
}

impl Drop for RootKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for RootKey {}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey(..)")
    }
}

/// The secret is too short to mint with: an attacker could guess it from one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the secret has {len} bytes; {} or more are needed", RootKey::MIN_SECRET_LEN)]
pub struct ShortSecret {
    /// The length of the secret, in bytes.
    pub len: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_secrets_are_refused_by_default() {
        assert_eq!(RootKey::derive(&[7; 31]).unwrap_err(), ShortSecret { len: 31 });
        assert!(RootKey::derive(&[7; 32]).is_ok());
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", RootKey::from_derived([7; 32])), "RootKey(..)");
    }
}

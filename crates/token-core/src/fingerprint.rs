//! The digest of a whole macaroon, under which a verdict can be kept.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::{Caveat, Macaroon};

/// A digest of everything in a macaroon that is signed, and of its signature: two macaroons have the same one if and
/// only if every verifier treats them alike. The location, the location of a third-party caveat, the format, the
/// encoding and the prefix of a text are not part of it.
///
/// It is the only safe key for a cached verdict. The id is known to anyone who reads a log, and a forgery can
/// carry it; the signature stays the same when a caveat is taken off the text.
///
/// It is no secret and no credential: nothing can be verified, attenuated or forged with it, and it may be logged.
///
/// It is the SHA-256 of `onetoken fingerprint 1` and a zero byte; the identifier; for each caveat in order the byte 1
/// and the predicate, or for one of a third party the byte 2, its sealed key (`vid`) and its identifier; the byte 0
/// and the signature. Each field stands behind its length in bytes, as 8 bytes, the most significant first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Macaroon {
    /// The digest of this macaroon: what a cached verdict is kept under.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let mut digest = Sha256::new_with_prefix(b"onetoken fingerprint 1\0");
        field(&mut digest, self.identifier());
        for caveat in self.caveats() {
            match caveat {
                Caveat::FirstParty { predicate } => {
                    digest.update([1]);
                    field(&mut digest, predicate);
                }
                Caveat::ThirdParty { identifier, vid, .. } => {
                    digest.update([2]);
                    field(&mut digest, vid);
                    field(&mut digest, identifier);
                }
            }
        }
        digest.update([0]);
        field(&mut digest, self.signature().expose());
        Fingerprint(digest.finalize().into())
    }
}

/// A length before each field: no bytes can pass from one field to the next.
fn field(digest: &mut Sha256, field: &[u8]) {
    digest.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
    digest.update(field);
}

/// In lower-case hexadecimal.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

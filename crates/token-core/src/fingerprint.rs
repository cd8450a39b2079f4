//! The digest of a whole macaroon, the key for a cached verdict.

use core::fmt;

use sha2::{Digest as _, Sha256};

use crate::{Caveat, Macaroon};

/// A digest of all signed fields of a macaroon and of its signature. Two macaroons have the same fingerprint if and
/// only if every verifier treats them alike. It does not cover locations (also of third-party caveats), the format, the
/// encoding or the prefix.
///
/// The only safe key for a cached verdict. An id is not: it is in logs, and a forgery can carry it. A signature is not:
/// it can be kept on a text whose caveats were removed.
///
/// Neither a secret nor a credential: it may be logged, and it does not help to attenuate or forge a token.
///
/// The SHA-256 of: `onetoken fingerprint 1` and a zero byte; the identifier; for each caveat in order, the byte 1 and
/// the predicate, or for a third-party caveat the byte 2, its sealed key (`vid`) and its identifier; the byte 0 and the
/// signature. Each field follows its length in bytes, as 8 bytes in big-endian order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Returns its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Macaroon {
    /// Returns the digest of this macaroon, the key for a cached verdict.
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

/// Digests a field behind its length, so that no bytes can move from one field to the next.
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

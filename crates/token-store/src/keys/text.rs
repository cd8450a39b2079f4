//! A key ring as text.
//!
//! ```text
//! onetoken-keys-v1
//! 1:<64 hexadecimal digits>:<8 digits that check them>
//! 2:…
//! ```
//!
//! Any white space may separate the parts, so that the text also fits on one line of an environment variable. The check
//! detects a mistyped key.

use ring::digest;
use zeroize::Zeroizing;

use super::{
    hex,
    keyring::{KEY_LEN, KeyRing, SealingKey},
};

const HEADER: &str = "onetoken-keys-v1";
const CHECK_LEN: usize = 4;

/// An error in the text of a key ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It does not begin as the text of a key ring does.
    #[error("this is no key ring: it does not begin with {HEADER:?}")]
    Header,
    /// It holds no key.
    #[error("the key ring is empty")]
    Empty,
    /// A key is not of the form `id:key:check`, or was mistyped or damaged.
    #[error("key number {position} of the key ring is malformed or damaged")]
    Key {
        /// The position in the text, from 1.
        position: usize,
    },
    /// The ids of the keys do not ascend.
    #[error("key number {position} of the key ring is out of order")]
    Order {
        /// The position in the text, from 1.
        position: usize,
    },
}

impl KeyRing {
    /// Returns the ring as text. The text holds the keys in the clear: keep it secret.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        const LINE: usize = 10 + 2 * KEY_LEN + 2 * CHECK_LEN + 3; // digits of a u32, two colons, a line feed
        // Of the final size from the start: a text that grows leaves copies behind.
        let capacity = self.keys.len().saturating_mul(LINE).saturating_add(HEADER.len()).saturating_add(1);
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        text.push_str(HEADER);
        text.push('\n');
        for key in &self.keys {
            text.push_str(&key.id.to_string());
            text.push(':');
            hex::push(&mut text, key.bytes.as_slice());
            text.push(':');
            hex::push(&mut text, &check(key.id, &key.bytes));
            text.push('\n');
        }
        text
    }

    /// Reads a ring from the result of [`to_text`](Self::to_text).
    ///
    /// # Errors
    /// [`KeyTextError`].
    pub fn from_text(text: &str) -> Result<Self, KeyTextError> {
        let mut words = text.split_whitespace();
        if words.next() != Some(HEADER) {
            return Err(KeyTextError::Header);
        }
        let mut keys: Vec<SealingKey> = Vec::new();
        for (position, word) in (1..).zip(words) {
            let key = parse(word).ok_or(KeyTextError::Key { position })?;
            if key.id <= keys.last().map_or(0, |last| last.id) {
                return Err(KeyTextError::Order { position });
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeyTextError::Empty) } else { Ok(Self { keys }) }
    }
}

fn parse(word: &str) -> Option<SealingKey> {
    let mut parts = word.split(':');
    let (id, bytes, found, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let number: u32 = id.parse().ok()?;
    // A number has one spelling: no sign, no leading zeros.
    if number.to_string() != id {
        return None;
    }
    let key = SealingKey { id: number, bytes: Zeroizing::new(hex::array(bytes)?) };
    (hex::array(found)? == check(key.id, &key.bytes)).then_some(key)
}

fn check(id: u32, bytes: &[u8; KEY_LEN]) -> [u8; CHECK_LEN] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"onetoken sealing key\0");
    context.update(&id.to_be_bytes());
    context.update(bytes);
    let digest = context.finish();
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entity, Owner};
    use token_core::RootKey;

    // SHA-256 of "onetoken sealing key\0", 00000001 and 32 bytes of 07, computed with Python's hashlib.
    const ONE: &str =
        "onetoken-keys-v1\n1:0707070707070707070707070707070707070707070707070707070707070707:d4a60bfb\n";

    #[test]
    fn text_written_before_is_read_for_ever() {
        let keys = KeyRing::from_text(ONE).unwrap();
        assert_eq!(keys.keys[0].bytes.as_slice(), &[7; 32]);
        assert_eq!(keys.to_text().as_str(), ONE);
        assert_eq!(KeyRing::from_text(&ONE.replace('\n', " ")).unwrap().to_text().as_str(), ONE);
    }

    #[test]
    fn a_ring_survives_its_text() {
        let mut keys = KeyRing::generate().unwrap();
        keys.rotate().unwrap();
        let subject = Entity { kind: "user".into(), id: "u1".into() };
        let owner = Owner::Generation { subject: &subject, number: 1 };
        let sealed = keys.seal(&RootKey::from_derived([7; 32]), owner).unwrap();
        let again = KeyRing::from_text(&keys.to_text()).unwrap();
        assert_eq!(again.open(&sealed, owner).unwrap().expose(), &[7; 32]);
        assert_eq!(again.newest_id(), 2);
    }

    #[test]
    fn every_altered_character_is_refused() {
        for (at, old) in ONE.char_indices().filter(|(_, old)| !old.is_whitespace()) {
            for new in ['0', '1', 'a', 'g', ':', '\u{e9}', ' '].into_iter().filter(|new| *new != old) {
                let altered: String =
                    ONE.char_indices().map(|(i, old)| if i == at { new } else { old }).collect();
                assert!(KeyRing::from_text(&altered).is_err(), "{altered}");
            }
            let cut: String = ONE.chars().take(at).collect();
            assert!(KeyRing::from_text(&cut).is_err(), "{cut}");
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let second = ONE.lines().nth(1).unwrap();
        let error = |text: &str| KeyRing::from_text(text).unwrap_err();
        assert_eq!(error(""), KeyTextError::Header);
        assert_eq!(error("onetoken-keys-v1\n"), KeyTextError::Empty);
        assert_eq!(error(&format!("{ONE}2:07:00")), KeyTextError::Key { position: 2 });
        assert_eq!(error(&format!("{ONE}{second}")), KeyTextError::Order { position: 2 });
        assert_eq!(error(&ONE.replace("1:", "01:")), KeyTextError::Key { position: 1 });
    }
}

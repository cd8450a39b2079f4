//! Onedata's base62: any macaroon that this library encodes reads back, and any text is an encoding of what it
//! decodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;
use token_core::{Encoding, Format, Macaroon, RootKey};

fuzz_target!(|input: (&[u8], &str)| {
    let (identifier, damage) = input;
    if identifier.is_empty() {
        return;
    }
    let key = RootKey::from_derived([7; 32]);
    let macaroon = Macaroon::mint(&key, "", identifier).expect("an identifier that is not empty");
    if let Ok(text) = macaroon.to_text(Format::V1, Encoding::Base62) {
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(token_fuzz::same(
            &macaroon,
            &token_fuzz::read_text(&text).expect("what is written is read").0
        ));
        // Replaces a piece of the text.
        let at = damage.len() % text.len();
        let end = (at + damage.len()).min(text.len());
        let mut damaged = text.clone();
        damaged.replace_range(at..end, damage);
        if damaged != text {
            check(&damaged);
        }
    }
    check(damage);
});

/// Only the other alphabet and padding have two encodings.
fn check(text: &str) {
    let Some((macaroon, Format::V1)) = token_fuzz::read_text(text) else { return };
    let Ok((_, spelling)) = Macaroon::from_text(text, &token_fuzz::strict()) else { return };
    let Ok(written) = macaroon.spell(spelling) else { return };
    if spelling.encoding != Encoding::Base62 {
        return;
    }
    assert_eq!(written, canonical(text));
}

/// `03` and `04` encode `/` and `+`, `05` encodes `=`.
fn canonical(text: &str) -> String {
    let mut canonical = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        canonical.push(character);
        if character == '0' {
            match characters.next() {
                Some('3') => canonical.push('1'),
                Some('4') => canonical.push('2'),
                Some('5') => drop(canonical.pop()),
                Some(other) => canonical.push(other),
                None => {}
            }
        }
    }
    canonical
}

//! The support of the tests does what it says.

use std::collections::BTreeSet;

use token_test::{
    SplitMix64, bit_flips, hex,
    hostile::{PACKETS, TEXT_LEN, packets, texts},
    text::{base62, base64url, bytes, packet},
    truncations, vectors,
};

#[test]
fn text_is_read_back() {
    let all: Vec<u8> = (0..=255).collect();
    assert_eq!(hex::decode(&hex::encode(&all)), all);
    assert_eq!(hex::encode([0x00, 0x9f, 0xff]), "009fff");
    assert_eq!(hex::decode("009FfF"), [0x00, 0x9f, 0xff]);
}

#[test]
#[should_panic(expected = "odd number")]
fn half_a_byte_is_refused() {
    let _ = hex::decode("abc");
}

#[test]
#[should_panic(expected = "no digit")]
fn other_characters_are_refused() {
    let _ = hex::decode("0g");
}

/// The first outputs of the authors' reference code.
#[test]
fn the_reference_sequences() {
    let mut zero = SplitMix64::new(0);
    assert_eq!(
        [zero.next_u64(), zero.next_u64(), zero.next_u64()],
        [0xe220_a839_7b1d_cdaf, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f]
    );
    assert_eq!(SplitMix64::new(1_234_567).next_u64(), 6_457_827_717_110_365_317);
}

#[test]
fn bytes_continue_in_the_middle_of_a_word() {
    assert_eq!(SplitMix64::new(0).bytes(9), [0xaf, 0xcd, 0x1d, 0x7b, 0x39, 0xa8, 0x20, 0xe2, 0xf4]);
}

#[test]
fn below_stays_below() {
    let mut random = SplitMix64::new(1);
    let mut seen = [false; 5];
    (0..1000).for_each(|_| seen[random.below(5)] = true);
    assert_eq!(seen, [true; 5]);
}

#[test]
fn every_flip_is_one_bit_and_comes_once() {
    let message = b"abc";
    let flips: BTreeSet<_> = bit_flips(message).collect();
    assert_eq!(flips.len(), 24);
    for (index, flipped) in flips {
        let changed: u32 = message.iter().zip(&flipped).map(|(a, b)| (a ^ b).count_ones()).sum();
        assert_eq!((changed, (message[index] ^ flipped[index]).count_ones()), (1, 1));
    }
}

#[test]
fn truncations_are_the_proper_prefixes() {
    assert_eq!(truncations(b"abc").collect::<Vec<_>>(), [&b""[..], b"a", b"ab"]);
    assert_eq!(truncations(b"").count(), 0);
}

#[test]
fn golden_tokens_are_spelled_so() {
    for vector in vectors::golden() {
        let bytes = bytes(&vector.base64url);
        assert_eq!(base62(&bytes), vector.base62, "{}", vector.name);
        assert!(bytes.starts_with(&packet("location", &vector.location)), "{}", vector.name);
    }
}

#[test]
fn digits_and_punctuation_are_escaped() {
    assert_eq!(
        (base64url([0xff, 0xef, 0xbe]), base62([0xff, 0xef, 0xbe])),
        ("_---".into(), "01020202".into())
    );
    assert_eq!(
        (base64url([0xd3, 0x4d, 0x34]), base62([0xd3, 0x4d, 0x34])),
        ("0000".into(), "00000000".into())
    );
}

#[test]
fn the_texts_are_as_long_as_they_say() {
    for (name, text) in texts() {
        // The repeated pieces do not always fill the length exactly, and escapes lengthen base62.
        assert!((TEXT_LEN - 64..=TEXT_LEN / 4 * 5).contains(&text.len()), "{name}: {}", text.len());
    }
    for (name, bytes) in packets() {
        assert!(bytes.len() >= 4 * PACKETS, "{name}: {}", bytes.len());
    }
}

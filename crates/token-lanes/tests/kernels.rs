//! Compares every kernel with the crate `hmac`.
#![allow(clippy::unwrap_used, reason = "the length of a key is never wrong")]

use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use sha2::Sha256;
use token_lanes::{Kernel, Key, Link};

fn plain(key: &Key, message: &[u8]) -> Key {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.map(u64::to_le_bytes).as_flattened()).unwrap();
    mac.update(message);
    let code: [u8; 32] = mac.finalize().into_bytes().into();
    let mut numbers = code.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
    std::array::from_fn(|_| numbers.next().unwrap())
}

fn key(number: usize) -> Key {
    std::array::from_fn(|part| {
        ((number << 2) as u64 ^ part as u64 ^ 0x5a5a).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

/// Computes one link for each message, by each kernel, and compares the keys with those of `plain`.
fn compare(messages: &[Vec<u8>]) {
    let expected: Vec<_> =
        messages.iter().enumerate().map(|(number, message)| plain(&key(number), message)).collect();
    for kernel in Kernel::all() {
        let mut keys: Vec<_> = (0..messages.len()).map(key).collect();
        let mut links: Vec<_> =
            keys.iter_mut().zip(messages).map(|(key, message)| Link { key, message }).collect();
        kernel.hmac(&mut links, |link| *link.key = plain(link.key, link.message));
        assert_eq!(keys, expected, "{kernel:?}");
    }
}

/// Among them those around the end of one block, two and three.
#[test]
fn every_length_of_a_message() {
    for len in 0..=200 {
        compare(&vec![vec![0xa5; len]; 19]);
    }
}

#[test]
fn every_number_of_links() {
    for links in 0..=50 {
        compare(&vec![b"tokenType = space_support_token".to_vec(); links]);
    }
}

#[test]
fn one_long_message_among_short_ones() {
    let mut messages = vec![vec![7; 31]; 40];
    messages[17] = vec![9; 1 << 20];
    messages[23] = Vec::new();
    compare(&messages);
}

/// As the standard library detects it, by an implementation of its own.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_kernel_exists_if_the_processor_can_run_it() {
    let sha = is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1");
    let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    let expected = [(sha, "ShaNi"), (avx512, "Avx512"), (sha && avx512, "Avx512AndShaNi")];
    let expected: Vec<_> = expected.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
    assert_eq!(Kernel::all().map(|kernel| format!("{kernel:?}")).collect::<Vec<_>>(), expected);
}

proptest! {
    #[test]
    fn lengths_of_all_kinds(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..70)) {
        compare(&messages);
    }
}

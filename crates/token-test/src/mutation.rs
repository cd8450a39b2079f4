//! Every small corruption of a message.

/// Returns each message that differs from `bytes` in exactly one bit, with the index of the changed byte.
///
/// There are `8 * bytes.len()` of them, the lowest bit of each byte first.
pub fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len()).flat_map(|index| (0..8).map(move |bit| (index, bit))).map(|(index, bit)| {
        let mut flipped = bytes.to_vec();
        flipped[index] ^= 1 << bit;
        (index, flipped)
    })
}

/// Returns each proper prefix of `bytes`, the empty one first.
pub fn truncations(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    (0..bytes.len()).map(|len| &bytes[..len])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
}

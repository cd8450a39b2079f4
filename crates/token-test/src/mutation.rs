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

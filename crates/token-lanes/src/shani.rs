//! HMAC-SHA256 of two chains in turn, by SHA-NI: while one waits for the result of an instruction, the other begins
//! its own.

use core::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_blend_epi16, _mm_extract_epi64, _mm_set_epi32,
    _mm_set_epi64x, _mm_set1_epi32, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32,
    _mm_shuffle_epi8, _mm_shuffle_epi32, _mm_xor_si128,
};

use crate::{BLOCK, DIGEST_BITS, INITIAL, K, Key, Link, pad, put_block};

/// The number of chains at once. The instruction for two rounds is the limit: three or four chains take as long each.
const WAYS: usize = 2;

/// Computes links whose messages fill equally many blocks.
#[target_feature(enable = "sha,ssse3,sse4.1")]
pub(crate) fn hmac(links: &mut [Link<'_>]) {
    let (several, rest) = links.as_chunks_mut();
    several.iter_mut().for_each(|links| ways::<WAYS>(links));
    rest.as_chunks_mut().0.iter_mut().for_each(|links| ways::<1>(links));
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn ways<const N: usize>(links: &mut [Link<'_>; N]) {
    let blocks = links.first().map_or(0, Link::blocks);
    let mut lanes = [Lane::new(); N];

    for (lane, link) in lanes.iter_mut().zip(links.iter()) {
        lane.words = padded(link.key, pad::INNER);
    }
    compress(&mut lanes);
    for index in 0..blocks {
        let mut next = [[0; BLOCK]; N];
        for (block, link) in next.iter_mut().zip(links.iter()) {
            put_block(block, link.message, index);
        }
        for (lane, block) in lanes.iter_mut().zip(&next) {
            lane.words = words_of(block);
        }
        compress(&mut lanes);
    }
    let inner = lanes;

    lanes = [Lane::new(); N];
    for (lane, link) in lanes.iter_mut().zip(links.iter()) {
        lane.words = padded(link.key, pad::OUTER);
    }
    compress(&mut lanes);
    for (lane, inner) in lanes.iter_mut().zip(&inner) {
        lane.words = inner.as_message();
    }
    compress(&mut lanes);
    for (lane, link) in lanes.iter().zip(links.iter_mut()) {
        let [abcd, efgh] = lane.state();
        let ([a, b], [c, d]) = (store(abcd), store(efgh));
        *link.key = [a, b, c, d];
    }
}

/// One hash: its state, in the order of the instructions' operands, and the words that it hashes next.
#[derive(Clone, Copy)]
struct Lane {
    abef: __m128i,
    cdgh: __m128i,
    words: [__m128i; 4],
}

impl Lane {
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn new() -> Self {
        let [a, b, c, d, e, f, g, h] = INITIAL.map(u32::cast_signed);
        let (abef, cdgh) = (_mm_set_epi32(a, b, e, f), _mm_set_epi32(c, d, g, h));
        Self { abef, cdgh, words: [_mm_set1_epi32(0); 4] }
    }

    /// Computes four rounds, and replaces the words that they used.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn rounds<const I: usize>(&mut self, k: [u32; 4]) {
        let [k0, k1, k2, k3] = k.map(u32::cast_signed);
        let [w0, w1, w2, w3] = self.words;
        let first = _mm_add_epi32(w0, _mm_set_epi32(k3, k2, k1, k0));
        let second = _mm_shuffle_epi32::<0b_00_00_11_10>(first);
        self.cdgh = _mm_sha256rnds2_epu32(self.cdgh, self.abef, first);
        self.abef = _mm_sha256rnds2_epu32(self.abef, self.cdgh, second);
        let next = match I < 12 {
            true => {
                let next = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8::<4>(w3, w2));
                _mm_sha256msg2_epu32(next, w3)
            }
            false => w0,
        };
        self.words = [w1, w2, w3, next];
    }

    /// Returns the state in the order of its words.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn state(&self) -> [__m128i; 2] {
        let feba = _mm_shuffle_epi32::<0b_00_01_10_11>(self.abef);
        let hgdc = _mm_shuffle_epi32::<0b_10_11_00_01>(self.cdgh);
        [_mm_blend_epi16::<0b_1111_0000>(feba, hgdc), _mm_alignr_epi8::<8>(hgdc, feba)]
    }

    /// Returns the digest as the last block of a message that a key block precedes.
    #[inline]
    #[target_feature(enable = "sha,ssse3,sse4.1")]
    fn as_message(&self) -> [__m128i; 4] {
        let [abcd, efgh] = self.state();
        [abcd, efgh, _mm_set_epi32(0, 0, 0, i32::MIN), _mm_set_epi32(DIGEST_BITS.cast_signed(), 0, 0, 0)]
    }
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress<const N: usize>(lanes: &mut [Lane; N]) {
    let before = *lanes;
    macro_rules! rounds {
        ($($i:literal)*) => { $( for lane in lanes.iter_mut() { lane.rounds::<$i>(K[$i]) } )* };
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    for (lane, before) in lanes.iter_mut().zip(&before) {
        lane.abef = _mm_add_epi32(lane.abef, before.abef);
        lane.cdgh = _mm_add_epi32(lane.cdgh, before.cdgh);
    }
}

/// Returns the padded key.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn padded(key: &Key, pad: u32) -> [__m128i; 4] {
    let pad = _mm_set1_epi32(pad.cast_signed());
    let [a, b, c, d] = *key;
    [_mm_xor_si128(load(a, b), pad), _mm_xor_si128(load(c, d), pad), pad, pad]
}

/// Returns the words that the bytes of a block stand for.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn words_of(block: &[u8; BLOCK]) -> [__m128i; 4] {
    let mut words = [_mm_set1_epi32(0); 4];
    for (words, bytes) in words.iter_mut().zip(block.as_chunks::<8>().0.as_chunks().0) {
        let [low, high] = bytes.map(u64::from_le_bytes);
        *words = load(low, high);
    }
    words
}

/// Returns the words that the bytes of two little-endian numbers stand for.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load(low: u64, high: u64) -> __m128i {
    bytes_reversed(_mm_set_epi64x(high.cast_signed(), low.cast_signed()))
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn store(words: __m128i) -> [u64; 2] {
    let words = bytes_reversed(words);
    [_mm_extract_epi64::<0>(words), _mm_extract_epi64::<1>(words)].map(i64::cast_unsigned)
}

/// Reverses the bytes of each word.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn bytes_reversed(words: __m128i) -> __m128i {
    _mm_shuffle_epi8(words, _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203))
}

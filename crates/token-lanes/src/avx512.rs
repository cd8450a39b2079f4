//! HMAC-SHA256 of sixteen chains at once, by AVX-512: each vector holds one word of every chain.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_extract_epi64, _mm512_add_epi32, _mm512_extracti32x4_epi32, _mm512_ror_epi32,
    _mm512_set1_epi32, _mm512_setr_epi64, _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use crate::{BLOCK, DIGEST_BITS, INITIAL, K, Key, Link, pad, put_block};

/// The number of chains at once.
pub(crate) const LANES: usize = 16;

/// Computes up to [`LANES`] links whose messages fill equally many blocks. Drops the results of idle lanes.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn hmac(links: &mut [Link<'_>]) {
    let blocks = links.first().map_or(0, Link::blocks);
    let keys = keys_of(links);

    let mut inner = initial();
    compress(&mut inner, padded(&keys, pad::INNER));
    for index in 0..blocks {
        // Writes all blocks before it loads the first: a load waits until all parts of its bytes are stored.
        let mut blocks = [[0; BLOCK]; LANES];
        for (block, link) in blocks.iter_mut().zip(links.iter()) {
            put_block(block, link.message, index);
        }
        let mut words = [splat(0); 16];
        for (row, block) in words.iter_mut().zip(&blocks) {
            *row = load(block);
        }
        compress(&mut inner, words_of(&words));
    }

    let mut outer = initial();
    compress(&mut outer, padded(&keys, pad::OUTER));
    compress(&mut outer, as_message(&inner));
    store_keys(outer, links);
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn initial() -> [__m512i; 8] {
    let mut state = [splat(0); 8];
    for (row, word) in state.iter_mut().zip(INITIAL) {
        *row = splat(word);
    }
    state
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn splat(word: u32) -> __m512i {
    _mm512_set1_epi32(word.cast_signed())
}

/// Returns the padded keys.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn padded(keys: &[__m512i; 8], pad: u32) -> [__m512i; 16] {
    let mut words = [splat(pad); 16];
    for (word, key) in words.iter_mut().zip(keys) {
        *word = _mm512_xor_si512(*word, *key);
    }
    words
}

/// Returns the digests as the last blocks of messages that a key block precedes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn as_message(&[a, b, c, d, e, f, g, h]: &[__m512i; 8]) -> [__m512i; 16] {
    let (o, end, bits) = (splat(0), splat(0x8000_0000), splat(DIGEST_BITS));
    [a, b, c, d, e, f, g, h, end, o, o, o, o, o, o, bits]
}

/// Returns the words of all keys. Loads into one vector the key of a link and of the fourth link behind it.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn keys_of(links: &[Link<'_>]) -> [__m512i; 8] {
    let mut rows = [[splat(0); 4]; 2];
    for (rows, links) in rows.iter_mut().zip(links.chunks(8)) {
        for (number, row) in rows.iter_mut().enumerate() {
            let key =
                |number| links.get(number).map_or([0; 4], |link: &Link<'_>| link.key.map(u64::cast_signed));
            let ([a, b, c, d], [e, f, g, h]) = (key(number), key(number.saturating_add(4)));
            *row = _mm512_setr_epi64(a, b, c, d, e, f, g, h);
        }
    }
    let [first, second] = rows.map(|rows| four_columns(rows));
    let mut keys = [splat(0); 8];
    let (low, high) = keys.split_at_mut(4);
    for (((low, high), first), second) in low.iter_mut().zip(high).zip(first).zip(second) {
        *low = bytes_reversed(_mm512_shuffle_i32x4::<0x88>(first, second));
        *high = bytes_reversed(_mm512_shuffle_i32x4::<0xdd>(first, second));
    }
    keys
}

/// Stores the words of all keys: the inverse of [`keys_of`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store_keys(mut words: [__m512i; 8], links: &mut [Link<'_>]) {
    let mut rows = [[splat(0); 4]; 2];
    let (low, high) = words.split_at_mut(4);
    let [first, second] = &mut rows;
    for (((low, high), first), second) in low.iter().zip(high).zip(first).zip(second) {
        let (low, high) = (bytes_reversed(*low), bytes_reversed(*high));
        *first = _mm512_shuffle_i32x4::<0x44>(low, high);
        *second = _mm512_shuffle_i32x4::<0xee>(low, high);
    }
    for (rows, links) in rows.into_iter().zip(links.chunks_mut(8)) {
        let rows = four_columns(rows);
        let (low, high) = links.split_at_mut(links.len().min(4));
        for (row, link) in rows.iter().zip(low) {
            *link.key = joined(_mm512_extracti32x4_epi32::<0>(*row), _mm512_extracti32x4_epi32::<2>(*row));
        }
        for (row, link) in rows.iter().zip(high) {
            *link.key = joined(_mm512_extracti32x4_epi32::<1>(*row), _mm512_extracti32x4_epi32::<3>(*row));
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn joined(low: __m128i, high: __m128i) -> Key {
    [
        _mm_extract_epi64::<0>(low),
        _mm_extract_epi64::<1>(low),
        _mm_extract_epi64::<0>(high),
        _mm_extract_epi64::<1>(high),
    ]
    .map(i64::cast_unsigned)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load(block: &[u8; BLOCK]) -> __m512i {
    let mut parts = [0; 8];
    for (part, bytes) in parts.iter_mut().zip(block.as_chunks().0) {
        *part = i64::from_le_bytes(*bytes);
    }
    let [a, b, c, d, e, f, g, h] = parts;
    _mm512_setr_epi64(a, b, c, d, e, f, g, h)
}

/// Returns the words of all lanes. Each row holds the bytes of one lane.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn words_of(rows: &[__m512i; 16]) -> [__m512i; 16] {
    let mut quarters = [[splat(0); 4]; 4];
    for (quarter, rows) in quarters.iter_mut().zip(rows.as_chunks().0) {
        *quarter = four_columns(*rows);
    }
    let [a, b, c, d] = quarters;
    let mut words = [splat(0); 16];
    macro_rules! columns {
        ($($i:literal)*) => { $(
            let (ab_even, ab_odd) = (_mm512_shuffle_i32x4::<0x88>(a[$i], b[$i]), _mm512_shuffle_i32x4::<0xdd>(a[$i], b[$i]));
            let (cd_even, cd_odd) = (_mm512_shuffle_i32x4::<0x88>(c[$i], d[$i]), _mm512_shuffle_i32x4::<0xdd>(c[$i], d[$i]));
            words[$i] = bytes_reversed(_mm512_shuffle_i32x4::<0x88>(ab_even, cd_even));
            words[4 + $i] = bytes_reversed(_mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd));
            words[8 + $i] = bytes_reversed(_mm512_shuffle_i32x4::<0xdd>(ab_even, cd_even));
            words[12 + $i] = bytes_reversed(_mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd));
        )* };
    }
    columns!(0 1 2 3);
    words
}

/// Transposes the four rows of four words in each quarter of the vectors.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn four_columns([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_unpacklo_epi64(ab_low, cd_low),
        _mm512_unpackhi_epi64(ab_low, cd_low),
        _mm512_unpacklo_epi64(ab_high, cd_high),
        _mm512_unpackhi_epi64(ab_high, cd_high),
    ]
}

/// Reverses the bytes of each word.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn bytes_reversed(words: __m512i) -> __m512i {
    let (low, high) = (0x0405_0607_0001_0203, 0x0c0d_0e0f_0809_0a0b);
    _mm512_shuffle_epi8(words, _mm512_setr_epi64(low, high, low, high, low, high, low, high))
}

/// FIPS 180-4 §6.2.2, on all lanes.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn compress(state: &mut [__m512i; 8], mut w: [__m512i; 16]) {
    let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
    macro_rules! round {
        ($a:ident $b:ident $c:ident $d:ident $e:ident $f:ident $g:ident $h:ident, $w:expr, $k:expr) => {
            let sigma1 =
                xor(_mm512_ror_epi32::<6>($e), _mm512_ror_epi32::<11>($e), _mm512_ror_epi32::<25>($e));
            let sigma0 =
                xor(_mm512_ror_epi32::<2>($a), _mm512_ror_epi32::<13>($a), _mm512_ror_epi32::<22>($a));
            // The truth tables of `e ? f : g`, and of the majority of a, b and c.
            let choice = _mm512_ternarylogic_epi32::<0xca>($e, $f, $g);
            let majority = _mm512_ternarylogic_epi32::<0xe8>($a, $b, $c);
            let first = add(add($h, add($w, splat($k))), add(sigma1, choice));
            $d = add($d, first);
            $h = add(add(sigma0, majority), first);
        };
    }
    macro_rules! sixteen_rounds {
        ($k:expr) => {
            round!(a b c d e f g h, w[0], $k[0]);
            round!(h a b c d e f g, w[1], $k[1]);
            round!(g h a b c d e f, w[2], $k[2]);
            round!(f g h a b c d e, w[3], $k[3]);
            round!(e f g h a b c d, w[4], $k[4]);
            round!(d e f g h a b c, w[5], $k[5]);
            round!(c d e f g h a b, w[6], $k[6]);
            round!(b c d e f g h a, w[7], $k[7]);
            round!(a b c d e f g h, w[8], $k[8]);
            round!(h a b c d e f g, w[9], $k[9]);
            round!(g h a b c d e f, w[10], $k[10]);
            round!(f g h a b c d e, w[11], $k[11]);
            round!(e f g h a b c d, w[12], $k[12]);
            round!(d e f g h a b c, w[13], $k[13]);
            round!(c d e f g h a b, w[14], $k[14]);
            round!(b c d e f g h a, w[15], $k[15]);
        };
    }
    macro_rules! schedule {
        ($($i:literal)*) => { $(
            let (near, far) = (w[($i + 1) % 16], w[($i + 14) % 16]);
            let sigma0 = xor(_mm512_ror_epi32::<7>(near), _mm512_ror_epi32::<18>(near), _mm512_srli_epi32::<3>(near));
            let sigma1 = xor(_mm512_ror_epi32::<17>(far), _mm512_ror_epi32::<19>(far), _mm512_srli_epi32::<10>(far));
            w[$i] = add(add(w[$i], sigma0), add(w[($i + 9) % 16], sigma1));
        )* };
    }
    let ([k0, k1, k2, k3], _) = K.as_flattened().as_chunks::<16>() else { return };
    sixteen_rounds!(k0);
    for k in [k1, k2, k3] {
        schedule!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        sixteen_rounds!(k);
    }
    for (word, now) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
        *word = add(*word, now);
    }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn add(a: __m512i, b: __m512i) -> __m512i {
    _mm512_add_epi32(a, b)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0x96>(a, b, c)
}

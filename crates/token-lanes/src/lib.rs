//! Computes many HMAC-SHA256 at once, each under a key of its own.
//!
//! One chain of HMACs leaves most of a processor idle, since each step waits for the one before it. Independent chains
//! do not wait for each other. A [`Kernel`] advances many of them by one HMAC:
//!
//! ```
//! use token_lanes::{Kernel, Link};
//!
//! # fn plain(_: &mut Link<'_>) {}
//! let (mut first, mut second) = ([1; 4], [2; 4]);
//! if let Some(kernel) = Kernel::detect() {
//!     let mut links = [
//!         Link { key: &mut first, message: b"of one chain" },
//!         Link { key: &mut second, message: b"of another, and longer" },
//!     ];
//!     kernel.hmac(&mut links, plain); // `plain` computes a link by itself
//! }
//! ```
//!
//! On a processor without SHA-NI and AVX-512, [`Kernel::detect`] returns `None`. The caller then computes one chain
//! after the other, which is as fast there.
//!
//! A profile with `lto = "off"` and many units of code keeps the parts of the SHA-NI kernel apart: an HMAC then takes nine
//! times as long. The default of Cargo does not.
//!
//! # Unsafe code
//!
//! The kernels are safe code, without pointers, in functions that require instructions of the processor. Only the call
//! of such a function is unsafe. `Kernel::equal` has both calls, and a [`Kernel`] exists only on a processor that has
//! its instructions.
#![no_std]
#![deny(clippy::undocumented_unsafe_blocks)]
#![cfg_attr(not(target_arch = "x86_64"), forbid(unsafe_code))]

use core::fmt;

#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod shani;

/// A key, or the MAC computed under it: 32 bytes as little-endian numbers, which take fewer steps to wipe and to compare
/// than bytes.
pub type Key = [u64; 4];

/// One step of one chain: `key = HMAC[key](message)`.
#[expect(missing_debug_implementations, reason = "it holds a key")]
#[expect(clippy::exhaustive_structs, reason = "HMAC has no other input")]
pub struct Link<'a> {
    /// The key, which the MAC replaces.
    pub key: &'a mut Key,
    /// The message, of any length.
    pub message: &'a [u8],
}

impl Link<'_> {
    /// Returns how many blocks the message fills, with the bit that ends it and its length (FIPS 180-4 §5.1.1).
    const fn blocks(&self) -> usize {
        // The bit and the length take nine bytes: ⌈(len + 9) / 64⌉ = ⌊(len + 8) / 64⌋ + 1.
        (self.message.len().saturating_add(BLOCK - LENGTH_AT) / BLOCK).saturating_add(1)
    }
}

/// A way to compute many HMACs at once, by instructions that this processor has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Instructions);

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Private, so that only [`Kernel::all`] makes a [`Kernel`], after it has asked the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instructions {
    #[cfg(target_arch = "x86_64")]
    ShaNi,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx512AndShaNi,
}

impl Kernel {
    /// Returns the fastest kernel that this processor can run; `None` if it can run none.
    #[must_use]
    pub fn detect() -> Option<Self> {
        Self::all().last()
    }

    /// Returns all kernels that this processor can run, the fastest last.
    pub fn all() -> impl Iterator<Item = Self> {
        #[cfg(not(target_arch = "x86_64"))]
        let all = [];
        #[cfg(target_arch = "x86_64")]
        let all = {
            let (shani, avx512) = (detect::shani(), detect::avx512());
            [
                (shani, Instructions::ShaNi),
                (avx512, Instructions::Avx512),
                (shani && avx512, Instructions::Avx512AndShaNi),
            ]
        };
        all.into_iter().filter_map(|(has, instructions): (bool, _)| has.then_some(Self(instructions)))
    }

    /// Replaces the key of each link with `HMAC[key](message)`. May reorder the links.
    ///
    /// Computes links together whose messages fill equally many blocks, so that a few long messages do not slow many
    /// short ones. A processor with AVX-512 and without SHA-NI computes a single link faster by plain code: the caller
    /// passes that as `plain`.
    pub fn hmac(self, links: &mut [Link<'_>], plain: impl Fn(&mut Link<'_>)) {
        if !links.is_sorted_by_key(Link::blocks) {
            links.sort_unstable_by_key(Link::blocks);
        }
        for links in links.chunk_by_mut(|a, b| a.blocks() == b.blocks()) {
            self.equal(links, &plain);
        }
    }

    /// Computes links whose messages fill equally many blocks.
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "it calls functions that require instructions of the processor")]
    fn equal(self, links: &mut [Link<'_>], plain: impl Fn(&mut Link<'_>)) {
        for links in links.chunks_mut(avx512::LANES) {
            // For fewer links, most lanes would be idle, and the alternative is faster.
            let by_lanes = match self.0 {
                Instructions::ShaNi => false,
                Instructions::Avx512 => links.len() >= 2,
                Instructions::Avx512AndShaNi => links.len() >= 10,
            };
            match self.0 {
                Instructions::Avx512 | Instructions::Avx512AndShaNi if by_lanes => {
                    // SAFETY: `avx512::hmac` requires the instructions that `detect::avx512` looks for. `Kernel::all`
                    // makes these two variants only if that found them, and nothing else makes a `Kernel`.
                    unsafe { avx512::hmac(links) }
                }
                Instructions::ShaNi | Instructions::Avx512AndShaNi => {
                    // SAFETY: `shani::hmac` requires the instructions that `detect::shani` looks for. `Kernel::all`
                    // makes these two variants only if that found them, and nothing else makes a `Kernel`.
                    unsafe { shani::hmac(links) }
                }
                Instructions::Avx512 => links.iter_mut().for_each(&plain),
            }
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn equal(self, _: &mut [Link<'_>], _: impl Fn(&mut Link<'_>)) {
        match self.0 {}
    }
}

/// Asks the processor for its instructions, and for the registers that the operating system preserves.
#[cfg(target_arch = "x86_64")]
mod detect {
    cpufeatures::new!(sha, "sha", "ssse3", "sse4.1");
    // The compiler takes it for granted that a processor with AVX-512 has AVX2, FMA and F16C. A virtual one may not.
    // `cpufeatures` does not know the last, whose conversions of small numbers nothing here uses.
    cpufeatures::new!(avx512f_bw, "avx512f", "avx512bw", "avx2", "fma");

    pub(super) fn shani() -> bool {
        sha::get()
    }

    pub(super) fn avx512() -> bool {
        avx512f_bw::get()
    }
}

/// The block of SHA-256 in bytes.
const BLOCK: usize = 64;

/// The offset of the message length in the last block.
const LENGTH_AT: usize = 56;

/// The words that pad a key, before the message and before the inner digest (RFC 2104 §2).
#[cfg(target_arch = "x86_64")]
mod pad {
    pub(super) const INNER: u32 = 0x3636_3636;
    pub(super) const OUTER: u32 = 0x5c5c_5c5c;
}

/// FIPS 180-4 §5.3.3.
#[cfg(target_arch = "x86_64")]
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// FIPS 180-4 §4.2.2, for four rounds each.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5], [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3], [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc], [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7], [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13], [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3], [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5], [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208], [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// The length in bits of a key block and a digest.
#[cfg(target_arch = "x86_64")]
const DIGEST_BITS: u32 = 8 * (64 + 32);

/// Writes the block with this index of a message into a zeroed block. A key block precedes the message.
///
/// Writes in place: a processor that moves bytes which were stored in parts waits until all parts are stored.
#[cfg(target_arch = "x86_64")]
fn put_block(block: &mut [u8; BLOCK], message: &[u8], index: usize) {
    let at = index.saturating_mul(BLOCK);
    let rest = message.get(at..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        *block = *whole;
        return;
    }
    if let Some((start, end)) = block.split_at_mut_checked(rest.len()) {
        copy(start, rest);
        // The last block may lie behind the bit that ends the message, and then has only its length.
        if let Some(end) = end.first_mut().filter(|_| at <= message.len()) {
            *end = 0x80;
        }
    }
    if rest.len() < LENGTH_AT
        && let Some(end) = block.last_chunk_mut()
    {
        *end = bits(message.len()).to_be_bytes();
    }
}

/// Copies less than a block, faster than a call to `memcpy`.
#[cfg(target_arch = "x86_64")]
fn copy(to: &mut [u8], from: &[u8]) {
    /// Copies the first `N` bytes and the last `N` bytes, which may overlap.
    fn ends<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
        let (Some(first), Some(last)) = (from.first_chunk::<N>(), from.last_chunk::<N>()) else {
            return false;
        };
        to.first_chunk_mut().map(|to| *to = *first).is_some()
            && to.last_chunk_mut().map(|to| *to = *last).is_some()
    }
    if !(ends::<32>(to, from) || ends::<16>(to, from) || ends::<8>(to, from) || ends::<4>(to, from)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    }
}

/// Returns the length in bits of a key block and a message of `len` bytes.
#[cfg(target_arch = "x86_64")]
const fn bits(len: usize) -> u64 {
    (len as u64).wrapping_add(BLOCK as u64).wrapping_mul(8)
}
